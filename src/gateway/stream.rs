//! An answer as server-sent events.

use super::answer::{Facts, usage_with_cost};
use super::keys::Pass;
use crate::chat::Event;
use crate::client::ChatStream;
use crate::wire::{EventWriter, Frame, Protocol, WriterOptions};
use crate::{Error, ProviderError, ProviderErrorKind};
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::{FutureExt, stream};
use std::convert::Infallible;

/// The most that is put together before it is sent.
const MOST: usize = 16 << 10;

/// A stream on its way out. Dropped, as when its reader leaves, it tells the provider to stop.
struct Outgoing {
    events: ChatStream,
    writer: Box<dyn EventWriter>,
    is_over: bool,
    /// Holds the caller's place within the limits of his key.
    _pass: Option<Pass>,
}

/// The reply to a request for a stream.
pub(super) fn response(
    protocol: &'static dyn Protocol,
    events: ChatStream,
    options: WriterOptions,
    pass: Option<Pass>,
) -> Response {
    let opening = events.opening().clone();
    let outgoing = Outgoing { events, writer: protocol.event_writer(options), is_over: false, _pass: pass };
    let pieces = stream::unfold(outgoing, |mut outgoing| async move {
        let piece = outgoing.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(piece)), outgoing))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Facts::of_opening(&opening).put(headers);
    response
}

impl Outgoing {
    /// What is there to be sent: the next event, and those that have come behind it.
    async fn next(&mut self) -> Option<String> {
        let mut text = String::new();
        while text.is_empty() && !self.is_over {
            let told = self.events.next().await;
            self.write(told, &mut text);
        }
        while !self.is_over && text.len() < MOST {
            let Some(told) = self.events.next().now_or_never() else { break };
            self.write(told, &mut text);
        }
        (!text.is_empty()).then_some(text)
    }

    fn write(&mut self, told: Result<Option<Event>, Error>, text: &mut String) {
        match told {
            Ok(Some(event)) => push(&self.writer.write(&event), text),
            Ok(None) => {
                self.is_over = true;
                if let Some(response) = self.events.response() {
                    // Headers are gone by now: the cost stands in the usage.
                    let told = usage_with_cost(response.usage, response.cost, response.estimated);
                    push(&self.writer.write(&Event::Usage(told)), text);
                }
                push(&self.writer.end(), text);
            }
            Err(error) => {
                self.is_over = true;
                push(&self.writer.write(&Event::Error(Box::new(as_provider(error)))), text);
                push(&self.writer.end(), text);
            }
        }
    }
}

/// An error in the middle of a stream, as the protocols tell it.
fn as_provider(error: Error) -> ProviderError {
    match error {
        Error::Provider(error) => *error,
        other => ProviderError {
            kind: ProviderErrorKind::Unavailable,
            provider: "headrace".into(),
            message: other.to_string(),
            status_code: matches!(other, Error::Timeout(_)).then_some(504),
            retry_after: None,
            request_id: None,
            is_retryable: true,
        },
    }
}

fn push(frames: &[Frame], text: &mut String) {
    for frame in frames {
        if let Some(name) = frame.name {
            text.push_str("event: ");
            text.push_str(name);
            text.push('\n');
        }
        text.push_str("data: ");
        text.push_str(&frame.data);
        text.push_str("\n\n");
    }
}
