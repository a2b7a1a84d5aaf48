//! A queue in Redis, which processes on many machines share.
//!
//! # Who decides
//!
//! The server, inside scripts (`src/store/redis/scripts/queue_*.lua`): order, ageing, tenants' turns, room, limits, leases
//! and the clock are its own. The rules are those of the pure core. A process keeps nothing of the state.
//!
//! - A request costs three commands through its life: put, take, settle. Each is one script. Puts, and settlements, that come
//!   while another is under way go together with the next command.
//! - Ids are drawn by whoever puts, and a settlement carries a number drawn at random: a command that is sent again because
//!   its reply was lost does nothing twice. What a take handed out whose reply was lost comes again when its lease is over.
//! - Whoever finds nothing to take, no room, or open requests left, leaves word; the next script that changes it publishes
//!   one message, and whoever hears it asks again. Where nobody waits, nothing is published.
//! - What counts against a limit is common; the limits are those of the handle that takes. So are room and weights.
//!
//! # Where it differs from the core
//!
//! - Tenants with equal turns go by their names, not by who came first.
//! - Of more than 4,000 requests that rise a class at one moment, or 1,000 of a kind that fall due, the rest follows with
//!   the next command.

mod backend;
mod gather;
mod look;
mod own;
mod put;
mod settle;
mod store;
mod take;
mod wait;

use super::Lease;
use super::backend::QueueBackend;
use super::base::QueueBase;
use super::core::HandedOut;
use super::limit::LimitScope;
use super::options::QueueConfig;
use crate::clock::Clock;
use crate::store::RedisUrl;
use crate::store::redis::{Arguments, RedisChannel, RedisLink, RedisScript, escaped, micros, on_redis};
use crate::{Result, blocking};

use crate::lock::{Lazy, Lock};
use gather::Gather;
use redis::Value;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::time::Duration;

/// How long a call waits for a server that cannot be reached, where its caller names no time.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// The same for a worker, who outlasts a server that starts anew or is replaced.
const PATIENCE_OF_A_WORKER: Duration = Duration::from_mins(1);
/// The least that a call waits for its reply: a caller that wants to wait for no request has to wait for that.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);
/// How long opening may take.
const OPENING: Duration = Duration::from_secs(5);

/// All that a queue keeps, in the order in which the scripts know them.
const KEYS: [&str; 22] = [
    "meta",
    "records",
    "bodies",
    "results",
    "keys",
    "ready",
    "rise",
    "scheduled",
    "deadlines",
    "leases",
    "old",
    "dead",
    "turns0",
    "turns1",
    "turns2",
    "turns3",
    "passes",
    "used",
    "grants",
    "tokens",
    "scopes",
    "owners",
];

macro_rules! script {
    ($name:ident, $file:literal) => {
        static $name: Lazy<RedisScript> = Lazy::new(|| {
            RedisScript::new(&[
                include_str!("../../store/redis/scripts/queue_common.lua"),
                include_str!(concat!("../../store/redis/scripts/", $file)),
            ])
        });
    };
}
script!(PUT, "queue_put.lua");
script!(TAKE, "queue_take.lua");
script!(END, "queue_end.lua");
script!(OWN, "queue_own.lua");
script!(LOOK, "queue_look.lua");

/// Where a queue is kept, and how it is asked.
pub(super) struct RedisQueue {
    base: QueueBase,
    link: Arc<RedisLink>,
    keys: Vec<String>,
    channel: RedisChannel,
    /// None: by the server's clock.
    server_clock: Option<Arc<dyn Clock>>,
    /// What every script is told of the settings, and what a take is told besides.
    settings: Arguments,
    limits: Arguments,
    /// This handle among all that share the queue; a forked child is another.
    owner: Lock<(u32, u64)>,
    puts: Gather,
    settlements: Gather,
    /// Whether turns are being looked for, and whether they are to be looked for once more.
    looking: AtomicU8,
}

impl Deref for RedisQueue {
    type Target = QueueBase;

    fn deref(&self) -> &QueueBase {
        &self.base
    }
}

impl RedisQueue {
    pub(super) fn open(address: RedisUrl, config: QueueConfig, clock: Arc<dyn Clock>) -> Result<Arc<Self>> {
        let shown = address.shown();
        // Braces would end the hash tag.
        let name = config.name.replace('%', "%25").replace('{', "%7b").replace('}', "%7d");
        let prefix = format!("headrace:{{queue:{name}}}:");
        let channel = RedisChannel::new(format!("{prefix}wake"));
        let link = Arc::new(RedisLink::new(address)?);
        let settings = Arguments::default()
            .text(channel.name())
            .int(micros(config.ageing).max(1))
            .int(micros(config.keep_results))
            .int(micros(config.keep_keys));
        let mut limits = Arguments::default().int(config.limits.len());
        for rule in &config.limits {
            limits = limits
                .text(scope(&rule.scope))
                .maybe(rule.concurrency)
                .maybe(rule.requests_per_minute)
                .maybe(rule.tokens_per_minute);
        }
        limits = limits.int(config.weights.len());
        for (tenant, weight) in &config.weights {
            limits = limits.text(escaped(tenant)).int(*weight);
        }
        let checked = Arc::clone(&link);
        blocking::block_on(on_redis(async move { checked.check(OPENING).await }))?;
        let base = QueueBase::on_server(&shown, config, Arc::clone(&clock));
        Ok(Arc::new(Self {
            base,
            link,
            keys: KEYS.iter().map(|key| format!("{prefix}{key}")).collect(),
            channel,
            server_clock: (!clock.is_machine()).then_some(clock),
            settings,
            limits,
            owner: Lock::new((0, 0)),
            puts: Gather::new(&PUT),
            settlements: Gather::new(&END),
            looking: AtomicU8::new(0),
        }))
    }

    fn owner_here(&self) -> u64 {
        let process = crate::process::id();
        let mut owner = self.owner.lock();
        if owner.0 != process {
            *owner = (process, rand::random::<u64>().max(2));
        }
        owner.1
    }

    /// Runs a script. Call it where the connections are.
    async fn run(&self, script: &RedisScript, arguments: &Arguments, patience: Duration) -> Result<Value> {
        let now = match &self.server_clock {
            None => Arguments::default().text(""),
            Some(clock) => Arguments::default().int(micros(clock.wall())),
        };
        self.link.run(script, &self.keys, &(&now, &self.settings, arguments), patience).await
    }

    /// A lease on what was handed out here.
    fn lease(self: &Arc<Self>, handed: HandedOut) -> Lease {
        let backend: Arc<dyn QueueBackend> = Arc::<Self>::clone(self);
        Lease::new(backend, handed)
    }

    /// Runs a script, from any thread.
    async fn ask(
        self: &Arc<Self>,
        script: &'static Lazy<RedisScript>,
        arguments: Arguments,
        patience: Duration,
    ) -> Result<Value> {
        let inner = Arc::clone(self);
        on_redis(async move { inner.run(script, &arguments, patience).await }).await
    }
}

/// How long to wait for a reply, where the caller waits so long for what it wants.
fn patience(timeout: Option<Duration>, otherwise: Duration) -> Duration {
    timeout.map_or(otherwise, |timeout| timeout.clamp(LEAST_PATIENCE, otherwise))
}

fn scope(scope: &LimitScope) -> String {
    match scope {
        LimitScope::Global => "g".into(),
        LimitScope::Tenant(name) => format!("t{}", escaped(name)),
        LimitScope::Provider(name) => format!("p{}", escaped(name)),
        LimitScope::Model(name) => format!("m{}", escaped(name)),
    }
}
