//! The request queue: four priorities, ageing, tenants in turns, leases, limits; in memory or on a file.
//!
//! A request is put, handed out under a lease, and acked; what is not acked in time is handed out again, and what
//! fails too often goes to the dead letters. Delivery is at least once.
//!
//! ```
//! use headrace::Payload;
//! use headrace::queue::{PutOptions, QueueConfig, RequestQueue, Status};
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let queue = RequestQueue::open("memory://", QueueConfig::default())?;
//! let id = queue.put_async(Payload::bytes("scope 1, 2023"), PutOptions::default(), None).await?;
//! let lease = queue.get_async(None).await?;
//! assert_eq!(lease.payload().as_bytes(), "scope 1, 2023".as_bytes());
//! lease.ack_async(None, None).await?;
//! assert_eq!(queue.status(id)?, Status::Done);
//! # Ok::<(), headrace::Error>(())
//! # }).unwrap();
//! ```

mod acquire;
mod backend;
mod base;
mod control;
mod core;
mod entry;
mod finished;
mod flow;
mod get;
mod id_map;
mod lane;
mod lease;
mod limit;
mod local;
mod moment;
mod options;
mod outcomes;
mod owner;
mod pages;
mod put;
mod redis;
mod schedule;
mod signal;
mod sqlite;
mod stats;
mod store;
mod stored_request;
mod throttle;
mod timers;
mod turns;

pub use acquire::Again;
pub use entry::{DeadLetter, Failure, RequestId, Status};
pub use lease::Lease;
pub use limit::{LimitRule, LimitScope};
pub use options::{Priority, PutOptions, QueueConfig};
pub(crate) use sqlite::SCHEMA;
pub use stats::QueueStats;
pub use store::{Acked, Handout, LeaseEnd, QueueStore};

use crate::Result;
use crate::clock::{Clock, SystemClock};
use crate::store::Location;
use backend::QueueBackend;
use std::sync::Arc;

/// A request queue. Clones share it.
#[derive(Clone)]
pub struct RequestQueue {
    backend: Arc<dyn QueueBackend>,
    store: Arc<dyn QueueStore>,
}

impl std::fmt::Debug for RequestQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestQueue")
            .field("url", &self.backend.base().url)
            .field("name", &self.backend.base().name)
            .finish_non_exhaustive()
    }
}

impl RequestQueue {
    /// Opens a queue: `memory://`; `sqlite:///FILE`, which continues where it was left; or `redis://HOST`, which processes
    /// on many machines share.
    ///
    /// # Errors
    /// `InvalidArgument` for a setting out of range, `Config` for the URL, `Store` where the file cannot be used, or
    /// the server not be reached.
    pub fn open(url: &str, config: QueueConfig) -> Result<Self> {
        Self::open_with_clock(url, config, Arc::new(SystemClock::default()))
    }

    /// The same, by a clock of the caller's.
    ///
    /// # Errors
    /// As [`RequestQueue::open`].
    pub fn open_with_clock(url: &str, config: QueueConfig, clock: Arc<dyn Clock>) -> Result<Self> {
        config.validate()?;
        let backend: Arc<dyn QueueBackend> = match Location::parse(url)? {
            Location::Memory => local::CoreQueue::in_memory(url, config, clock),
            Location::Sqlite(path) => local::CoreQueue::on_file(&path, url, config, clock)?,
            Location::Redis(address) => redis::RedisQueue::open(address, config, clock)?,
        };
        Ok(Self { store: Arc::clone(&backend).store(), backend })
    }

    /// The address it was opened with; a password is shown as `***`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.backend.base().url
    }

    /// Its name inside the store.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.backend.base().name
    }

    /// Whether requests are kept outside of this process when a put returns: on disk, or on a server.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.backend.base().durable
    }

    /// Whether a put may find no room.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.backend.base().bounded
    }
}
