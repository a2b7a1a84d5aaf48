//! Changes to entries, one after the other.

use super::super::Criteria;
use super::body::body_of;
use super::{
    EntriesPlace, EntryName, Erasure, Learned, PATIENCE, PATIENCE_OF_A_PUT, StoredEntry, Told, Unseen, WRITE, strange,
};
use crate::lock::Lock;
use crate::store::redis::{Arguments, int_of, list_of, start_on_redis, text_of};
use crate::{Error, Result};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use redis::Value;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// The most entries and bytes of one command: Upstash takes no longer ones.
const MOST_ENTRIES: usize = 200;
const MOST_BYTES: usize = 512 * 1024;
/// The least time of a command, where the last one was answered, and where it was not.
const FULL: Duration = PATIENCE_OF_A_PUT;
const LAST_TRY: Duration = Duration::from_millis(50);

type Change = BoxFuture<'static, ()>;

/// What a process does to the entries, in the order of its calls.
#[derive(Debug)]
pub(super) struct Writer {
    place: Arc<EntriesPlace>,
    /// The process, and the way to its task: a forked child has one of its own.
    line: Lock<Option<(u32, mpsc::UnboundedSender<Change>)>>,
}

impl Writer {
    pub(super) fn new(place: Arc<EntriesPlace>) -> Self {
        Self { place, line: Lock::new(None) }
    }

    /// Puts work in line at once; what it gives.
    fn then<T: Send + 'static, F>(&self, work: impl FnOnce(Arc<EntriesPlace>) -> F) -> Told<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let work = work(Arc::clone(&self.place));
        let change = async move { drop(sender.send(work.await)) }.boxed();
        if let Err(error) = self.send(change) {
            return std::future::ready(Err(error)).boxed();
        }
        let ending = || Error::Store("the work for Redis was cut off: this process is ending".into());
        async move { receiver.await.unwrap_or_else(|_| Err(ending())) }.boxed()
    }

    fn send(&self, change: Change) -> Result<()> {
        let mut line = self.line.lock();
        if line.as_ref().is_none_or(|(process, _)| *process != crate::process::id()) {
            let (sender, mut receiver) = mpsc::unbounded_channel::<Change>();
            start_on_redis(async move {
                while let Some(change) = receiver.recv().await {
                    change.await;
                }
            })?;
            if let Some((_, inherited)) = line.replace((crate::process::id(), sender)) {
                // Its other end is in a thread that is not here.
                std::mem::forget(inherited);
            }
        }
        let sent = line.as_ref().map(|(_, line)| line.send(change));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(Error::Store("the cache's way to Redis is closed: open the cache again".into())),
        }
    }

    /// One command, which gives up so long after it was put in line.
    fn change(&self, by: u64, arguments: Arguments) -> Told<()> {
        let until = Instant::now() + PATIENCE;
        self.then(move |place| async move { place.change(by, &arguments, until).await.map(drop) })
    }

    pub(super) fn put(&self, by: u64, entries: Vec<StoredEntry>) -> Told<()> {
        let until = Instant::now() + PATIENCE_OF_A_PUT;
        self.then(move |place| async move { place.put(by, &entries, until).await })
    }

    pub(super) fn remove(&self, by: u64, entries: Vec<EntryName>) -> Told<()> {
        let until = Instant::now() + PATIENCE;
        self.then(move |place| async move { place.remove(by, &entries, until).await })
    }

    pub(super) fn reject(&self, by: u64, entry: EntryName) -> Told<()> {
        self.change(by, named(Arguments::default().text("reject"), entry))
    }

    pub(super) fn learn(&self, by: u64, Learned { tenant, judged }: Learned) -> Told<()> {
        if !judged.score.is_finite() {
            return std::future::ready(Err(Error::invalid("a score that is not finite teaches nothing"))).boxed();
        }
        self.change(by, Arguments::default().text("learn").text(tenant).int(judged.score).flag(judged.correct))
    }

    pub(super) fn forget(&self, by: u64, tenant: Option<String>) -> Told<()> {
        let arguments = Arguments::default().text("forget").flag(tenant.is_some());
        self.change(by, arguments.text(tenant.unwrap_or_default()))
    }

    pub(super) fn erase(&self, by: u64, erasure: Erasure) -> Told<Vec<u64>> {
        let until = Instant::now() + PATIENCE;
        self.then(move |place| async move { place.erase(by, erasure, until).await })
    }

    pub(super) fn flush(&self) -> Told<()> {
        self.then(|_| async { Ok(()) })
    }
}

fn named(arguments: Arguments, name: EntryName) -> Arguments {
    arguments.text(key_text(name)).int(name.id)
}

fn key_text(name: EntryName) -> String {
    name.key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a condition is set, and what it is.
fn condition(arguments: Arguments, asked: Option<&str>) -> Arguments {
    arguments.flag(asked.is_some()).text(asked.unwrap_or_default())
}

impl EntriesPlace {
    async fn change(&self, by: u64, arguments: &Arguments, until: Instant) -> Result<Value> {
        // What waited in line while the server answers has its full time; while it does not, what is over is tried once.
        let left = until.saturating_duration_since(Instant::now());
        let patience =
            if self.is_away.load(Ordering::Relaxed) { left.max(LAST_TRY) } else { PATIENCE.min(left.max(FULL)) };
        let outcome = self.run(&WRITE, by, arguments, patience).await;
        self.is_away.store(matches!(outcome, Err(Error::Store(_))), Ordering::Relaxed);
        outcome
    }

    async fn put(&self, by: u64, entries: &[StoredEntry], until: Instant) -> Result<()> {
        let (mut arguments, mut count, mut bytes) = (Arguments::default().text("put"), 0, 0);
        for (at, entry) in entries.iter().enumerate() {
            let body = body_of(entry, self.link.is_binary())?;
            count += 1;
            bytes += body.len();
            let tags = serde_json::to_string(&entry.tags[..]).map_err(|_| strange())?;
            arguments =
                arguments.int(entry.id).text(key_text(entry.name())).flag(entry.is_rejected).text(&entry.tenant);
            arguments =
                condition(arguments, entry.scope.as_deref()).text(tags).int(entry.created.as_millis()).body(body);
            if count >= MOST_ENTRIES || bytes >= MOST_BYTES || at + 1 == entries.len() {
                self.change(by, &arguments, until).await?;
                (arguments, count, bytes) = (Arguments::default().text("put"), 0, 0);
            }
        }
        Ok(())
    }

    async fn remove(&self, by: u64, entries: &[EntryName], until: Instant) -> Result<()> {
        for some in entries.chunks(MOST_ENTRIES * 5) {
            let arguments = some.iter().fold(Arguments::default().text("remove"), |all, name| named(all, *name));
            self.change(by, &arguments, until).await?;
        }
        Ok(())
    }

    async fn erase(&self, by: u64, erasure: Erasure, until: Instant) -> Result<Vec<u64>> {
        let criteria = match erasure.unseen {
            Unseen::Everything => {
                self.change(by, &Arguments::default().text("clear"), until).await?;
                return Ok(Vec::new());
            }
            Unseen::Nothing => None,
            Unseen::Matching(criteria) => Some(criteria),
        };
        self.remove(by, &erasure.known, until).await?;
        let Some(Criteria { tenant, tag, scope, stored_by }) = criteria else { return Ok(Vec::new()) };
        let known: HashSet<u64> = erasure.known.iter().map(|name| name.id).collect();
        let (mut after, mut gone) = (erasure.since.entry.to_string(), Vec::new());
        loop {
            let mut arguments = Arguments::default().text("erase").text(&after);
            for asked in [&tenant, &tag, &scope] {
                arguments = condition(arguments, asked.as_deref());
            }
            let stored_by = stored_by.map(|time| time.as_millis().to_string());
            // Each step is looked at for itself: a long one is no reason to give up.
            let until = Instant::now() + PATIENCE;
            let reply = self.change(by, &condition(arguments, stored_by.as_deref()), until).await?;
            let [last, looked_at, ids] = list_of(&reply)? else { return Err(strange()) };
            for id in list_of(ids)? {
                gone.push(text_of(id)?.parse().map_err(|_| strange())?);
            }
            if int_of(looked_at)? < 1000 {
                gone.retain(|id| !known.contains(id));
                return Ok(gone);
            }
            text_of(last)?.clone_into(&mut after);
        }
    }
}
