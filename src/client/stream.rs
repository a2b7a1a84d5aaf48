//! An answer as it comes, booked and kept when it is whole.

use super::chat::{Begun, Opened, timed_out, within};
use super::running::Running;
use super::stopwatch::Stopwatch;
use super::{ChatCall, Client, Opening, Response};
use crate::Result;
use crate::chat::Event;
use crate::metrics::Operation;
use futures_util::StreamExt;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// An answer as it comes. Dropped before its end, the provider is told to stop, and what was sent so far is booked.
///
/// A task reads the provider: those who wait for the same answer do not depend on how fast this one is read, and its end
/// is booked wherever the stream is dropped.
pub struct ChatStream {
    source: Source,
    opening: Opening,
    response: Option<Response>,
}

enum Source {
    /// An answer that was there.
    UsageReport(VecDeque<Event>),
    /// What a task reads.
    Live(mpsc::UnboundedReceiver<Piece>),
    /// Over.
    End,
}

enum Piece {
    Event(Event),
    End(Result<Box<Response>>),
}

impl Client {
    /// Answers a call as a stream: returns at the first word. `timeout` is for all of it.
    ///
    /// # Errors
    /// As [`Client::chat`], for all that fails before the first word.
    pub async fn stream(&self, call: ChatCall) -> Result<ChatStream> {
        let timeout = call.timeout;
        let mut stopwatch = self.stopwatch(Operation::Chat, &call);
        let opened = match within(timeout, self.open(Arc::new(call), true)).await {
            Ok(opened) => opened,
            Err(error) => {
                stopwatch.fail(&error);
                return Err(error);
            }
        };
        stopwatch.first_chunk();
        Ok(match opened {
            Opened::There(response) => {
                let answered = Ok(*response);
                stopwatch.end(&answered);
                ChatStream::told(answered?)
            }
            Opened::Running(running, Begun::Whole(reply)) => {
                let answered = running.settle(*reply).await;
                stopwatch.end(&answered);
                ChatStream::told(answered?)
            }
            Opened::Running(running, Begun::Stream(first, rest)) => {
                let (sender, receiver) = mpsc::unbounded_channel();
                let opening = running.opening();
                tokio::spawn(read(running, stopwatch, first, rest, sender, timeout));
                ChatStream { source: Source::Live(receiver), opening, response: None }
            }
        })
    }
}

/// Reads the provider to its end, or until nobody listens or the time is over.
async fn read(
    mut running: Running,
    stopwatch: Stopwatch,
    first: VecDeque<Event>,
    mut rest: crate::provider::EventStream,
    sender: mpsc::UnboundedSender<Piece>,
    timeout: Option<Duration>,
) {
    let deadline = running.plan().deadline;
    let over = async move {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    let mut first = first;
    let ended = loop {
        let event = if let Some(event) = first.pop_front() {
            Some(event)
        } else {
            tokio::select! {
                biased;
                () = sender.closed() => return,
                () = &mut over => break Err(timed_out(timeout.unwrap_or_default())),
                event = rest.next() => event,
            }
        };
        let Some(event) = event else { break Ok(()) };
        if let Err(error) = running.push(&event) {
            break Err(error);
        }
        if sender.send(Piece::Event(event)).is_err() {
            return;
        }
    };
    let end = match ended {
        Ok(()) => running.end().await,
        Err(error) => {
            // Booked before the caller hears of it.
            drop(running);
            Err(error)
        }
    };
    stopwatch.end(&end);
    let _ = sender.send(Piece::End(end.map(Box::new)));
}

impl ChatStream {
    fn told(response: Response) -> Self {
        let (source, opening) = (Source::UsageReport(response.reply.events().into()), Opening::of(&response));
        Self { source, opening, response: Some(response) }
    }

    /// What is known of the answer before its first word.
    #[must_use]
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// The next event; None after the last one.
    ///
    /// # Errors
    /// `Provider` where the stream fails, `Timeout` where it takes too long: what was sent is booked, and nothing is kept.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        match &mut self.source {
            Source::UsageReport(events) => Ok(events.pop_front()),
            Source::Live(receiver) => match receiver.recv().await {
                Some(Piece::Event(event)) => Ok(Some(event)),
                Some(Piece::End(end)) => {
                    self.source = Source::End;
                    self.response = Some(*end?);
                    Ok(None)
                }
                None => {
                    self.source = Source::End;
                    Ok(None)
                }
            },
            Source::End => Ok(None),
        }
    }

    /// The whole answer with its cost, after the last event.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        let is_over = match &self.source {
            Source::UsageReport(events) => events.is_empty(),
            Source::Live(_) => false,
            Source::End => true,
        };
        self.response.as_ref().filter(|_| is_over)
    }

    /// Stops here: the provider is told to stop, and what was sent is booked.
    pub fn close(&mut self) {
        self.source = Source::End;
    }
}
