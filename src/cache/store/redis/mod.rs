//! Entries in Redis, which caches on many machines share.
//!
//! - Changes go out in the order of the calls, one after the other; a script does each as a whole, also where it is sent again
//!   because its reply was lost (a piece of evidence may then count twice).
//! - Each script publishes how far the feed goes now. A cache that hears it knows without a question whether there is news,
//!   and reads them in the background: a lookup waits for nothing. Where it hears nothing it asks, every second; and every
//!   so often in any case, since a connection that is cut tells nobody.
//! - What was dropped is no longer in the server's memory; its files (a snapshot, the append-only file) hold it until they are
//!   written anew.

mod body;
mod feed;
mod write;

#[cfg(any(test, fuzzing))]
pub(crate) use body::read_summed;

use super::{EntryName, EntryStore, Erasure, FeedPage, FeedPosition, Learned, StoredEntry, Told, Unseen};
use crate::lock::{Lazy, Lock};
use crate::store::redis::{Arguments, RedisChannel, RedisLink, RedisScript, on_redis};
use crate::store::{RedisUrl, StoreReach};
use crate::{Error, Result, blocking};
use futures_util::FutureExt;
use redis::Value;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::Notify;
use write::Writer;

/// How long a put may take: from then on the answer is not kept.
const PATIENCE_OF_A_PUT: Duration = Duration::from_secs(3);
/// The same for what drops entries, and for what reads them.
const PATIENCE: Duration = Duration::from_secs(10);
/// And for a look whether there is news.
const PATIENCE_OF_A_LOOK: Duration = Duration::from_secs(5);
/// How long opening may take.
const OPENING: Duration = Duration::from_secs(5);
/// How often the server is asked for news where messages come in, and where they do not.
const HEARTBEAT: Duration = Duration::from_secs(15);
const WITHOUT_MESSAGES: Duration = Duration::from_secs(1);

/// All that a cache keeps, in the order in which the scripts know them.
const KEYS: [&str; 7] = ["meta", "names", "places", "heads", "bodies", "changes", "evidence"];

macro_rules! script {
    ($name:ident, $file:literal) => {
        static $name: Lazy<RedisScript> = Lazy::new(|| {
            RedisScript::new(&[
                include_str!("../../../store/redis/scripts/cache_common.lua"),
                include_str!(concat!("../../../store/redis/scripts/", $file)),
            ])
        });
    };
}
script!(WRITE, "cache_write.lua");
script!(READ, "cache_read.lua");

/// Entries on a server, in a cluster, or over Upstash's interface.
#[derive(Debug)]
pub struct RedisEntries {
    place: Arc<EntriesPlace>,
    writer: Writer,
}

/// Where the entries are, and what is known of their feed.
struct EntriesPlace {
    link: Arc<RedisLink>,
    keys: Vec<String>,
    channel: RedisChannel,
    /// How far the feed goes, as it was told last; nothing where that is not known.
    end: Lock<Option<FeedPosition>>,
    news: Notify,
    /// Whether the last change was not answered.
    is_away: AtomicBool,
}

impl std::fmt::Debug for EntriesPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EntriesPlace").field("end", &self.end.lock()).finish_non_exhaustive()
    }
}

impl RedisEntries {
    /// Opens the entries of that name.
    ///
    /// # Errors
    /// `Config` where the address cannot be read, `Store` where the server does not answer or refuses.
    pub fn open(address: RedisUrl, name: &str) -> Result<Self> {
        // Braces would end the hash tag.
        let name = name.replace('%', "%25").replace('{', "%7b").replace('}', "%7d");
        let prefix = format!("headrace:{{cache:{name}}}:");
        let place = Arc::new(EntriesPlace {
            link: Arc::new(RedisLink::new(address)?),
            keys: KEYS.iter().map(|key| format!("{prefix}{key}")).collect(),
            channel: RedisChannel::new(format!("{prefix}feed")),
            end: Lock::new(None),
            news: Notify::new(),
            is_away: AtomicBool::new(false),
        });
        let checked = Arc::clone(&place);
        blocking::block_on(on_redis(async move { checked.link.check(OPENING).await }))?;
        Ok(Self { writer: Writer::new(Arc::clone(&place)), place })
    }

    /// Reads, where the connections are.
    fn read_with<T: Send + 'static, F>(&self, work: impl FnOnce(Arc<EntriesPlace>) -> F) -> Told<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        on_redis(work(Arc::clone(&self.place))).boxed()
    }
}

/// An answer in a form that this version does not know.
fn strange() -> Error {
    Error::Store(
        "the cache in Redis answered in no form that is known: is another version of headrace at work there?".into(),
    )
}

impl EntriesPlace {
    async fn run(&self, script: &RedisScript, by: u64, arguments: &Arguments, patience: Duration) -> Result<Value> {
        let all = Arguments::default().text(self.channel.name()).int(by).all(arguments);
        self.link.run(script, &self.keys, &all, patience).await
    }
}

impl EntryStore for RedisEntries {
    fn reach(&self) -> Told<Option<StoreReach>> {
        self.read_with(|place| async move { Ok(Some(place.link.reach().await)) })
    }

    fn put(&self, by: u64, entries: Vec<StoredEntry>) -> Told<()> {
        self.writer.put(by, entries)
    }

    fn remove(&self, by: u64, entries: Vec<EntryName>) -> Told<()> {
        self.writer.remove(by, entries)
    }

    fn erase(&self, by: u64, erasure: Erasure) -> Told<Vec<u64>> {
        self.writer.erase(by, erasure)
    }

    fn reject(&self, by: u64, entry: EntryName) -> Told<()> {
        self.writer.reject(by, entry)
    }

    fn learn(&self, by: u64, evidence: Learned) -> Told<()> {
        self.writer.learn(by, evidence)
    }

    fn forget(&self, by: u64, tenant: Option<String>) -> Told<()> {
        self.writer.forget(by, tenant)
    }

    fn has_news(&self, since: FeedPosition) -> Told<bool> {
        self.read_with(move |place| async move { Ok(place.ends().await? != since) })
    }

    fn read(&self, by: u64, since: FeedPosition) -> Told<FeedPage> {
        self.read_with(move |place| async move { place.page(by, since).await })
    }

    fn roll(&self) -> Told<Vec<(u64, bool)>> {
        self.read_with(|place| async move { place.roll().await })
    }

    /// Redis gives memory back by itself.
    fn compact(&self) -> Told<()> {
        self.flush()
    }

    fn flush(&self) -> Told<()> {
        self.writer.flush()
    }

    fn news(&self, since: FeedPosition) -> Option<Told<()>> {
        Some(self.read_with(move |place| async move { place.news(since).await }))
    }
}
