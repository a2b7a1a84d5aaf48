//! A chat: a stream that was collected.

use super::attempt::{Ask, Failure, Taken};
use super::flight::{Landing, Leader, Part};
use super::plan::{Candidate, Plan};
use super::question::Question;
use super::running::Running;
use super::{ChatCall, Client, Response};
use crate::chat::Event;
use crate::metrics::Operation;
use crate::provider::{Answer, EventStream};
use crate::queue::Lease;
use crate::{Error, Result};
use futures_util::StreamExt;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// What a call is answered with.
pub(super) enum Opened {
    /// An answer that is there: from the cache, or from an equal call at the same time.
    There(Box<Response>),
    /// A provider's.
    Running(Running, Begun),
}

/// What a provider has begun to answer with.
pub(super) enum Begun {
    /// The whole reply.
    Whole(Box<crate::chat::Reply>),
    /// The first events, and the rest.
    Stream(VecDeque<Event>, EventStream),
}

/// Asks for a chat.
pub(super) struct AskChat {
    /// As a stream.
    pub(super) stream: bool,
}

impl Ask for AskChat {
    type Given = Begun;

    async fn ask(&self, candidate: &Candidate) -> Result<Begun, Failure> {
        match candidate.provider.chat(&candidate.request, self.stream).await? {
            Answer::Whole(reply) => Ok(Begun::Whole(reply)),
            Answer::Stream(events) => begin(events).await,
        }
    }
}

/// Reads a stream up to the first word: what fails before it can be asked again.
async fn begin(mut events: EventStream) -> Result<Begun, Failure> {
    let (mut first, mut used) = (VecDeque::new(), None);
    while let Some(event) = events.next().await {
        match &event {
            Event::Error(error) => return Err(Failure { error: Error::Provider(error.clone()), used }),
            Event::Usage(report) => used = Some(report.clone()),
            _ => {}
        }
        let is_opening = matches!(event, Event::Start { .. } | Event::Usage(_));
        first.push_back(event);
        if !is_opening {
            break;
        }
    }
    Ok(Begun::Stream(first, events))
}

impl Client {
    /// Answers a call: from the cache, or from a provider within the budgets and in its turn.
    ///
    /// # Errors
    /// `UnknownModel`, `InvalidArgument`, `BudgetExceeded`, `Provider`, `Timeout`, `QueueClosed`, `Store`.
    pub async fn chat(&self, call: ChatCall) -> Result<Response> {
        let timeout = call.timeout;
        let stopwatch = self.stopwatch(Operation::Chat, &call);
        // On the heap: it is large, and moved about by whoever awaits it.
        let walk = Box::pin(async {
            match self.open(Arc::new(call), false).await? {
                Opened::There(response) => Ok(*response),
                Opened::Running(running, begun) => collect(running, begun).await,
            }
        });
        let answered = within(timeout, walk).await;
        stopwatch.end(&answered);
        answered
    }

    /// Opens the answer of a call; both ways of giving it, whole or as a stream, walk through here.
    pub(super) async fn open(&self, call: Arc<ChatCall>, stream: bool) -> Result<Opened> {
        self.watch_orphans();
        let plan = Arc::new(self.plan(&call, stream)?);
        let question = match &self.inner.cache {
            Some(_) if call.cache => Question::of(&call.request, &call.tenant),
            _ => None,
        };
        let Some(question) = question else { return self.ask(call, plan, None, None, stream).await };
        loop {
            if let Some(response) = self.cached(&call, &question, &plan.who).await? {
                return Ok(Opened::There(Box::new(response)));
            }
            match self.inner.flights.join(question.key, call.priority) {
                Part::Leads(leader) => return self.ask(call, plan, Some(question), Some(leader), stream).await,
                Part::Waits(mut waiter) => match waiter.wait().await {
                    Some(Landing::Answer(response)) => {
                        let shared = response.served(crate::cost::CacheUse::Exact, None);
                        return Ok(Opened::There(Box::new(self.serve(shared, &plan.who).await?)));
                    }
                    Some(Landing::None) => return self.ask(call, plan, Some(question), None, stream).await,
                    // The leader left: somebody else must lead.
                    None => {}
                },
            }
        }
    }

    async fn ask(
        &self,
        call: Arc<ChatCall>,
        plan: Arc<Plan>,
        question: Option<Question>,
        leader: Option<Leader>,
        stream: bool,
    ) -> Result<Opened> {
        let asked = self.attempt(&plan, None, &AskChat { stream }).await;
        match asked {
            Ok((begun, taken)) => {
                let running = Running::new(self.clone(), call, plan, taken).answering(question, leader);
                Ok(Opened::Running(running, begun))
            }
            Err(error) => {
                if let Some(leader) = leader {
                    leader.land(Landing::None);
                }
                Err(error)
            }
        }
    }

    /// Finishes a call whose turn was taken by a process that died.
    pub(super) async fn finish_orphan(&self, call: ChatCall, lease: Lease) -> Result<Response> {
        let call = Arc::new(call);
        let plan = Arc::new(self.plan(&call, false)?);
        let question = if call.cache { Question::of(&call.request, &call.tenant) } else { None };
        let (begun, taken): (Begun, Taken) = self.attempt(&plan, Some(lease), &AskChat { stream: false }).await?;
        collect(Running::new(self.clone(), call, plan, taken).answering(question, None), begun).await
    }
}

/// Collects what a provider sends.
async fn collect(mut running: Running, begun: Begun) -> Result<Response> {
    let (first, mut rest) = match begun {
        Begun::Whole(reply) => return running.settle(*reply).await,
        Begun::Stream(first, rest) => (first, rest),
    };
    for event in &first {
        running.push(event)?;
    }
    while let Some(event) = rest.next().await {
        running.push(&event)?;
    }
    running.end().await
}

/// Gives up after `timeout`: the work is dropped, and cleans up after itself.
pub(super) async fn within<T>(timeout: Option<Duration>, work: impl Future<Output = Result<T>>) -> Result<T> {
    let Some(timeout) = timeout else { return work.await };
    tokio::time::timeout(timeout, work).await.unwrap_or_else(|_| Err(timed_out(timeout)))
}

pub(super) fn timed_out(timeout: Duration) -> Error {
    let seconds = timeout.as_secs_f64();
    Error::Timeout(format!("no answer within {seconds} s: raise timeout=, or look at the queue's stats()"))
}
