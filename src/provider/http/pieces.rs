//! A stream as it comes from a connection, in pieces that the caller chooses: what it says must not depend on them.

use super::super::gate::Gate;
use super::stream::{ReplyStream, StreamSetting};
use crate::chat::Event;
use crate::provider::failure::Failures;
use crate::wire::Protocol;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use reqwest::header::HeaderMap;
use std::convert::Infallible;
use std::sync::Arc;

/// The events of a body that comes in these pieces.
pub(crate) fn events_of(protocol: &'static dyn Protocol, pieces: Vec<Bytes>) -> Vec<Event> {
    let setting = StreamSetting {
        protocol,
        failures: Arc::new(Failures::new("provider", "http://127.0.0.1", Gate::default())),
        headers: HeaderMap::new(),
        max_reply_bytes: 1 << 20,
    };
    let body = reqwest::Body::wrap_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)));
    let events = ReplyStream::new(setting, axum::http::Response::new(body).into());
    // All of it is there, so that nothing waits.
    events.collect().now_or_never().unwrap_or_default()
}
