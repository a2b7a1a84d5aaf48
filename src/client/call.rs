//! What is asked of a client.

use crate::cache::scope;
use crate::provider::ChatRequest;
use crate::queue::Priority;
use crate::{Error, Result};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// One chat completion.
#[derive(Debug, Clone)]
pub struct ChatCall {
    /// As `provider/model`.
    pub model: String,
    /// Messages with `role` and `content`.
    pub messages: Vec<Value>,
    /// What else the provider takes: temperature, `max_tokens`, tools, ...
    pub parameters: Map<String, Value>,
    /// How urgent it is.
    pub priority: Priority,
    /// Who asks.
    pub tenant: Arc<str>,
    /// What it is for, in the ledger.
    pub tags: Vec<String>,
    /// How long the caller waits.
    pub timeout: Option<Duration>,
    /// Whether the cache may answer, and keep the answer.
    pub cache: bool,
}

impl ChatCall {
    /// A question of one user message.
    #[must_use]
    pub fn new(model: &str, prompt: &str) -> Self {
        Self {
            model: model.to_owned(),
            messages: vec![json!({"role": "user", "content": prompt})],
            parameters: Map::new(),
            priority: Priority::default(),
            tenant: Arc::from("default"),
            tags: Vec::new(),
            timeout: None,
            cache: true,
        }
    }

    /// The request to a provider, by the provider's own name of the model.
    pub(super) fn request(&self, model: &str) -> ChatRequest {
        ChatRequest { model: model.to_owned(), messages: self.messages.clone(), parameters: self.parameters.clone() }
    }

    /// The question, and all that must be equal for its answer to serve again.
    pub(super) fn question(&self) -> Result<(String, String)> {
        scope::of_messages(&self.messages, Some(&self.model), &Value::Object(self.parameters.clone()))
    }

    /// As it waits in a queue.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "model": self.model,
            "messages": self.messages,
            "parameters": self.parameters,
            "tags": self.tags,
            "cache": self.cache,
        })
    }

    /// As it came out of a queue.
    pub(super) fn from_json(value: &Value, tenant: &Arc<str>, priority: Priority) -> Result<Self> {
        let read = || -> Option<Self> {
            let tags = value.get("tags")?.as_array()?.iter().map(|tag| tag.as_str().map(str::to_owned));
            Some(Self {
                model: value.get("model")?.as_str()?.to_owned(),
                messages: value.get("messages")?.as_array()?.clone(),
                parameters: value.get("parameters")?.as_object()?.clone(),
                priority,
                tenant: Arc::clone(tenant),
                tags: tags.collect::<Option<_>>()?,
                timeout: None,
                cache: value.get("cache")?.as_bool()?,
            })
        };
        read().ok_or_else(|| {
            Error::invalid(
                "the queue holds a request that no client put there: give the client a queue of its own (name=)",
            )
        })
    }
}
