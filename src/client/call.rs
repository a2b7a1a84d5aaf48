//! What is asked of a client.

use crate::chat::Request;
use crate::queue::Priority;
use crate::{Error, Payload, Result};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// One chat completion, with whose it is and how urgent.
///
/// ```
/// use headrace::client::ChatCall;
/// let call = ChatCall::new("simulated/esg", "What were Acme's scope 2 emissions in 2023?");
/// assert_eq!(&*call.tenant, "default");
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChatCall {
    /// What is asked; its model is `provider/model`.
    pub request: Request,
    /// How urgent it is.
    #[serde(skip)]
    pub priority: Priority,
    /// Whose it is.
    #[serde(skip, default = "default_tenant")]
    pub tenant: Arc<str>,
    /// What it is for, in the ledger.
    pub tags: Vec<String>,
    /// How long the caller waits, for all of it.
    #[serde(skip)]
    pub timeout: Option<Duration>,
    /// Whether the cache may answer, and keep the answer.
    pub cache: bool,
    /// The span that it belongs to, as W3C's `traceparent`: for traces alone.
    #[serde(skip)]
    pub parent: Option<Arc<str>>,
}

/// Version, trace, span and flags, in hexadecimal digits with dashes between them.
const TRACEPARENT_LENGTH: usize = 55;

fn default_tenant() -> Arc<str> {
    Arc::from("default")
}

impl ChatCall {
    /// A call of the default tenant's.
    #[must_use]
    pub fn of(request: Request) -> Self {
        Self {
            request,
            priority: Priority::default(),
            tenant: default_tenant(),
            tags: Vec::new(),
            timeout: None,
            cache: true,
            parent: None,
        }
    }

    /// As a part of a span: `traceparent` as W3C's Trace Context writes it; anything else is no span.
    ///
    /// ```
    /// use headrace::client::ChatCall;
    /// let call = ChatCall::new("simulated/esg", "Hi").within_span("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    /// assert!(call.parent.is_some());
    /// ```
    #[must_use]
    pub fn within_span(self, traceparent: &str) -> Self {
        let is_one = traceparent.len() == TRACEPARENT_LENGTH
            && traceparent.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
        Self { parent: is_one.then(|| traceparent.into()), ..self }
    }

    /// A question of one user message.
    #[must_use]
    pub fn new(model: &str, prompt: &str) -> Self {
        Self::of(Request::of_prompt(model, prompt))
    }

    /// As it waits in a durable queue. Its tenant and priority stand beside it there.
    pub(super) fn to_payload(&self) -> Result<Payload> {
        let text = serde_json::to_vec(self)
            .map_err(|error| Error::invalid(format!("the call cannot be written as JSON: {error}")))?;
        Ok(Payload::Json(text.into()))
    }

    /// As it came out of a durable queue.
    pub(super) fn from_payload(payload: &Payload, tenant: Arc<str>, priority: Priority) -> Result<Self> {
        let read: Self = serde_json::from_slice(payload.as_bytes()).map_err(|_| {
            Error::invalid(
                "the queue holds a request that no client put there: give the client a queue of its own (name=)",
            )
        })?;
        Ok(Self { priority, tenant, ..read })
    }
}
