//! The endpoint: the line of [`client`](crate::client) for any client of OpenAI's or Anthropic's protocol.
//!
//! ```text
//! socket ─► listen (connections, headers, time)          or  in_process, for a transport without a socket
//!              │
//!            front (request id, whose key, from where)
//!              │
//!            chat · embeddings · models · count ─► Client ─► answer, in the protocol that was asked in
//!            state (health, costs, queue, cache), metrics, overview, page
//! ```
//!
//! A request is read by the protocol that it came in, walks the line, and is answered in the same protocol, errors and
//! streams included. No address of a provider is ever taken from a request.

mod answer;
mod body;
mod budgets;
mod caller;
mod chat;
pub mod config;
mod count;
mod embeddings;
mod front;
mod in_process;
pub mod keys;
mod listen;
mod loopback;
mod metrics;
mod models;
mod overview;
mod page;
mod refusal;
mod routes;
mod state;
mod stream;

pub use in_process::{Exchange, InProcess};
pub use keys::{AccessKey, KeyRing, KeyTerms};
pub use listen::{ListenConfig, Listening, listen};

use crate::Result;
use crate::client::Client;
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What a gateway is made of, beside its client.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Who may ask; None lets everybody who reaches it.
    pub keys: Option<Arc<KeyRing>>,
    /// The largest body of a request, in bytes.
    pub max_body_bytes: usize,
    /// How long a body may take to come.
    pub body_timeout: Duration,
    /// How long an answer may take, from the request to its last word; None is no limit.
    pub answer_timeout: Option<Duration>,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            keys: None,
            max_body_bytes: 32 << 20,
            body_timeout: Duration::from_secs(30),
            answer_timeout: Some(Duration::from_mins(10)),
        }
    }
}

/// The endpoint over a client; clones are the same one.
///
/// ```
/// # use headrace::{client::*, cost::{*, price::PriceTable}, gateway::*, provider::*, queue::*};
/// # use std::sync::Arc;
/// # let provider = Arc::new(simulated::Simulated::new(simulated::SimulatedConfig::default()));
/// # let queue = RequestQueue::open("memory://", QueueConfig::default()).unwrap();
/// # let costs = CostTracker::open("memory://", PriceTable::builtin()).unwrap();
/// # let client = Client::new(ClientConfig::new(vec![provider], queue, costs)).unwrap();
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let routes = Gateway::new(client, GatewayConfig::default()).in_process();
/// let question = br#"{"model": "simulated/echo", "messages": [{"role": "user", "content": "Which scope is travel?"}]}"#;
/// let headers = [("content-type".into(), b"application/json".to_vec())];
/// let mut exchange = routes.exchange("POST", "/v1/chat/completions", headers, &question[..]).await.unwrap();
/// assert_eq!(exchange.status(), 200);
/// let reply = exchange.next().await.unwrap().unwrap();
/// assert!(String::from_utf8_lossy(&reply).contains("Which scope is travel?"));
/// # });
/// ```
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

struct Shared {
    client: RwLock<Client>,
    config: GatewayConfig,
    is_stopping: AtomicBool,
    is_stale: AtomicBool,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("client", &self.client()).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Puts the endpoint before a client.
    #[must_use]
    pub fn new(client: Client, config: GatewayConfig) -> Self {
        let client = RwLock::new(client);
        let (is_stopping, is_stale) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { shared: Arc::new(Shared { client, config, is_stopping, is_stale }) }
    }

    /// The client that is asked now.
    #[must_use]
    pub fn client(&self) -> Client {
        self.shared.client.read().clone()
    }

    /// Asks another client from now on; what runs is finished by the one before.
    ///
    /// # Errors
    /// `Store` where the budgets of the keys cannot be set.
    pub async fn replace_client(&self, client: Client) -> Result<()> {
        if let Some(keys) = &self.shared.config.keys {
            budgets::set(client.costs(), &keys.all()).await?;
        }
        *self.shared.client.write() = client;
        self.set_stale(false);
        Ok(())
    }

    /// Says by `/readyz` that the configuration has changed and could not be taken, until a client is.
    pub fn set_stale(&self, is_stale: bool) {
        self.shared.is_stale.store(is_stale, Ordering::Relaxed);
    }

    fn is_stale(&self) -> bool {
        self.shared.is_stale.load(Ordering::Relaxed)
    }

    /// Says by `/readyz` that it takes no new work; what comes is served all the same.
    pub fn set_stopping(&self) {
        self.shared.is_stopping.store(true, Ordering::Relaxed);
    }

    fn is_stopping(&self) -> bool {
        self.shared.is_stopping.load(Ordering::Relaxed)
    }

    fn config(&self) -> &GatewayConfig {
        &self.shared.config
    }
}

#[cfg(test)]
mod tests;
