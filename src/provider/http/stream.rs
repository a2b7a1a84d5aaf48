//! The events of a reply that comes as a stream.

use super::body::BodyError;
use crate::chat::{Event, Stop};
use crate::provider::failure::Failures;
use crate::provider::sse::{SseDecoder, SseEvent};
use crate::wire::{EventReader, Protocol, ToldError};
use bytes::Bytes;
use futures_util::stream::{BoxStream, Stream, StreamExt};
use reqwest::header::HeaderMap;
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A stream may be so many times as large as a whole reply: each piece repeats what frames it.
const FRAMING: usize = 4;

/// The most bytes that are shown of a stream with no event in it.
const START: usize = 1000;

/// What a stream is read with.
pub(super) struct StreamSetting {
    pub(super) protocol: &'static dyn Protocol,
    pub(super) failures: Arc<Failures>,
    pub(super) headers: HeaderMap,
    pub(super) max_reply_bytes: usize,
}

/// The events of one reply: none after an error or after the protocol's end, and an error where it ends too early.
pub(super) struct ReplyStream {
    setting: StreamSetting,
    chunks: BoxStream<'static, reqwest::Result<Bytes>>,
    decoder: SseDecoder,
    reader: Box<dyn EventReader>,
    told: Vec<Result<Event, ToldError>>,
    ready: VecDeque<Event>,
    /// The choices that began, and whether each has said why it stopped.
    choices: BTreeMap<u32, bool>,
    start: Vec<u8>,
    size: usize,
    has_events: bool,
    /// A body that is one JSON value: there are servers that do not stream.
    whole: Option<Vec<u8>>,
    is_over: bool,
}

impl ReplyStream {
    pub(super) fn new(setting: StreamSetting, reply: reqwest::Response) -> Self {
        Self {
            decoder: SseDecoder::new(setting.max_reply_bytes),
            reader: setting.protocol.event_reader(),
            setting,
            chunks: reply.bytes_stream().boxed(),
            told: Vec::new(),
            ready: VecDeque::new(),
            choices: BTreeMap::new(),
            start: Vec::new(),
            size: 0,
            has_events: false,
            whole: None,
            is_over: false,
        }
    }

    fn read_chunk(&mut self, chunk: &[u8]) {
        let is_start = self.start.is_empty();
        if self.start.len() < START {
            let more = chunk.strip_prefix(b"\xef\xbb\xbf").filter(|_| is_start).unwrap_or(chunk);
            let more = if is_start { more.trim_ascii_start() } else { more };
            self.start.extend_from_slice(&more[..more.len().min(START - self.start.len())]);
        }
        self.size += chunk.len();
        if is_start && self.start.first() == Some(&b'{') {
            self.whole = Some(Vec::new());
        }
        let bound = self.setting.max_reply_bytes;
        if let Some(whole) = &mut self.whole {
            if whole.len() + chunk.len() > bound {
                return self.fail(BodyError::TooLarge);
            }
            whole.extend_from_slice(chunk);
            return;
        }
        if self.size > bound.saturating_mul(FRAMING) || self.decoder.feed(chunk).is_err() {
            return self.fail(BodyError::TooLarge);
        }
        self.read_events();
    }

    fn read_events(&mut self) {
        while !self.is_over
            && let Some(event) = self.decoder.next_event()
        {
            self.read_event(&event);
        }
    }

    fn read_event(&mut self, event: &SseEvent) {
        if event.data.trim().is_empty() && event.name != "error" {
            return;
        }
        self.has_events = true;
        let mut told = std::mem::take(&mut self.told);
        self.reader.read(&event.name, &event.data, &mut told);
        for item in told.drain(..) {
            match item {
                Ok(event) => self.push(event),
                // The end of the stream cut the event, which says nothing about what came before.
                Err(error) if error.is_malformed && (event.is_cut || self.is_whole()) => self.end(),
                Err(error) => {
                    let error = self.setting.failures.told(&error, &self.setting.headers);
                    self.push(Event::Error(Box::new(error)));
                }
            }
            if self.is_over {
                break;
            }
        }
        told.clear();
        self.told = told;
        if !self.is_over && self.reader.is_done() {
            self.end();
        }
    }

    fn push(&mut self, event: Event) {
        let event = match event {
            Event::Stop { stop: Stop::Error, .. } => {
                let told =
                    ToldError { message: "the provider ended the reply with an error".into(), ..ToldError::default() };
                Event::Error(Box::new(self.setting.failures.told(&told, &self.setting.headers)))
            }
            event => event,
        };
        if let Some(at) = event.place() {
            self.choices.entry(at.choice).or_default();
        }
        match &event {
            Event::Stop { choice, .. } => {
                self.choices.insert(*choice, true);
            }
            Event::Error(_) => self.is_over = true,
            _ => {}
        }
        self.ready.push_back(event);
    }

    /// Whether every choice that began has said why it stopped.
    fn is_whole(&self) -> bool {
        !self.choices.is_empty() && self.choices.values().all(|is_stopped| *is_stopped)
    }

    /// The stream is at its end, by its own word or since nothing follows.
    fn end(&mut self) {
        if let Some(whole) = self.whole.take() {
            return self.read_whole(&whole);
        }
        if self.is_whole() {
            self.is_over = true;
            return;
        }
        let error = if self.has_events || self.start.is_empty() {
            self.setting.failures.cut()
        } else {
            self.setting.failures.malformed(&String::from_utf8_lossy(&self.start))
        };
        self.push(Event::Error(Box::new(error)));
    }

    fn read_whole(&mut self, body: &[u8]) {
        match super::read_reply(self.setting.protocol, &self.setting.failures, &self.setting.headers, body) {
            Ok(reply) => {
                self.ready.extend(reply.events());
                self.is_over = true;
            }
            Err(error) => {
                // It failed, and says what it used all the same: it bills that.
                self.ready.extend(super::told_usage(body).map(Event::Usage));
                self.push(Event::Error(Box::new(error)));
            }
        }
    }

    fn fail(&mut self, error: BodyError) {
        if self.is_whole() {
            self.is_over = true;
            return;
        }
        let failures = &self.setting.failures;
        let error = match error {
            BodyError::TooLarge => failures.too_large("a stream", self.setting.max_reply_bytes),
            BodyError::Transport(error) => failures.of_transport(&error),
        };
        self.push(Event::Error(Box::new(error)));
    }
}

impl Stream for ReplyStream {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Some(event));
            }
            if self.is_over {
                // Nothing more is read; the connection is given back.
                self.chunks = futures_util::stream::empty().boxed();
                return Poll::Ready(None);
            }
            match ready!(self.chunks.poll_next_unpin(context)) {
                Some(Ok(chunk)) => self.read_chunk(&chunk),
                Some(Err(error)) => self.fail(BodyError::Transport(error)),
                None => {
                    if self.decoder.end().is_ok() {
                        self.read_events();
                    }
                    if !self.is_over {
                        self.end();
                    }
                }
            }
        }
    }
}
