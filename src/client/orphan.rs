//! Requests whose caller died: a durable queue keeps them, and the next client finishes them.

use super::Client;
use super::call::ChatCall;
use super::turn::Turn;
use crate::cost::Attribution;
use serde_json::Value;
use std::sync::Arc;

impl Client {
    /// Asks for the answer, books and keeps it, and leaves it as the request's result.
    pub(super) async fn adopt(&self, turn: Turn, request: &Value) {
        let lease = turn.lease();
        let read = ChatCall::from_json(request, &lease.tenant(), lease.priority())
            .and_then(|call| Ok((Arc::new(Attribution::new(&*call.tenant, call.tags.clone())?), call)));
        let (who, call) = match read {
            Ok(read) => read,
            Err(error) => return turn.retry_later(&error.to_string()).await,
        };
        match self.ask_providers(&call, &who, lease.waited()).await {
            Ok(reply) => {
                if call.cache {
                    self.keep(&call, &reply).await;
                }
                turn.done(Some(reply.to_payload()), reply.usage.total_tokens()).await;
            }
            Err(error) => turn.retry_later(&error.to_string()).await,
        }
    }
}
