//! What changed in Redis since it was last looked at.

use super::body::entry_of;
use super::{
    EntriesPlace, FeedPage, FeedPosition, HEARTBEAT, Learned, PATIENCE, PATIENCE_OF_A_LOOK, READ, WITHOUT_MESSAGES,
    strange,
};
use crate::Result;
use crate::cache::policy::Judged;
use crate::store::redis::{Arguments, bytes_of, int_of, list_of, text_of};
use redis::Value;
use std::sync::Arc;
use std::time::Duration;

/// The most bytes of the entries of a page, and the most changes that are told one by one.
const MOST_BYTES: usize = 1 << 20;
const MOST_CHANGES: usize = 5_000;
/// The most ids of a part of the roll.
const ROLL: i64 = 10_000;
/// For whom a question is that nothing is kept from.
const NOBODY: u64 = 1;

fn position(entry: &str, change: &str, evidence: &str) -> Option<FeedPosition> {
    let number = |text: &str| text.parse().ok();
    Some(FeedPosition { entry: number(entry)?, change: number(change)?, evidence: number(evidence)? })
}

fn position_of(reply: &Value) -> Result<FeedPosition> {
    let [entry, change, evidence] = list_of(reply)? else { return Err(strange()) };
    position(text_of(entry)?, text_of(change)?, text_of(evidence)?).ok_or_else(strange)
}

fn id_of(value: &Value) -> Result<u64> {
    text_of(value)?.parse().map_err(|_| strange())
}

impl EntriesPlace {
    /// How far the feed goes.
    pub(super) async fn ends(&self) -> Result<FeedPosition> {
        position_of(&self.run(&READ, NOBODY, &Arguments::default().text("ends"), PATIENCE_OF_A_LOOK).await?)
    }

    /// The next page of the feed.
    pub(super) async fn page(&self, by: u64, since: FeedPosition) -> Result<FeedPage> {
        let arguments = Arguments::default()
            .text("page")
            .int(since.entry)
            .int(since.change)
            .int(since.evidence)
            .int(MOST_BYTES)
            .int(MOST_CHANGES);
        let reply = self.run(&READ, by, &arguments, PATIENCE).await?;
        let [ends, more, missed, entries, changes, evidence] = list_of(&reply)? else { return Err(strange()) };
        let mut page = FeedPage {
            next: position_of(ends)?,
            more: int_of(more)? == 1,
            missed: int_of(missed)? == 1,
            ..FeedPage::default()
        };
        // A server that was emptied goes on from less than what was read of it.
        let is_emptied = page.next.entry < since.entry && since.entry < i64::MAX || page.next.change < since.change;
        if is_emptied {
            (page.missed, page.forgotten, page.more, page.next.entry) = (true, true, true, 0);
        }
        for entry in list_of(entries)? {
            let [place, id, rejected, body] = list_of(entry)? else { return Err(strange()) };
            let (place, id) = (int_of(place)?, id_of(id)?);
            let entry = entry_of(id, text_of(rejected)? == "1", bytes_of(body)?, self.link.is_binary());
            if entry.is_none() {
                tracing::warn!(place, "an entry in Redis is not what was written, and so is none");
                page.damaged += 1;
            }
            page.entries.extend(entry.map(|entry| (place, entry)));
        }
        for change in list_of(changes)? {
            let [what, id] = list_of(change)? else { return Err(strange()) };
            match text_of(what)? {
                "0" => page.removed.push(id_of(id)?),
                "1" => page.rejected.push(id_of(id)?),
                "3" => page.forgotten = true,
                _ => page.missed = true,
            }
        }
        for piece in list_of(evidence)? {
            let [tenant, score, correct] = list_of(piece)? else { return Err(strange()) };
            let score = text_of(score)?.parse().map_err(|_| strange())?;
            let judged = Judged { score, correct: text_of(correct)? == "1" };
            page.evidence.push(Learned { tenant: text_of(tenant)?.to_owned(), judged });
        }
        Ok(page)
    }

    /// The ids of all entries.
    pub(super) async fn roll(&self) -> Result<Vec<(u64, bool)>> {
        let (mut after, mut all) = (0, Vec::new());
        loop {
            let arguments = Arguments::default().text("roll").int(after).int(ROLL);
            let reply = self.run(&READ, NOBODY, &arguments, PATIENCE).await?;
            let [last, count, ids] = list_of(&reply)? else { return Err(strange()) };
            for [id, rejected] in list_of(ids)?.as_chunks::<2>().0 {
                all.push((id_of(id)?, text_of(rejected)? == "1"));
            }
            if int_of(count)? < ROLL {
                return Ok(all);
            }
            after = int_of(last)?;
        }
    }

    /// Waits until there may be something after `since`, or it is time to ask the server; fails where that is away.
    pub(super) async fn news(self: Arc<Self>, since: FeedPosition) -> Result<()> {
        let told = {
            let weak = Arc::downgrade(&self);
            move |message: Option<&[u8]>| {
                let Some(place) = weak.upgrade() else { return };
                let text = message.and_then(|message| std::str::from_utf8(message).ok());
                let mut parts = text.into_iter().flat_map(|text| text.split(' '));
                let end = (|| position(parts.next()?, parts.next()?, parts.next()?))();
                *place.end.lock() = end;
                place.news.notify_one();
            }
        };
        self.channel.listen(&self.link, told, Duration::ZERO).await?;
        let notified = self.news.notified();
        let known = *self.end.lock();
        let is_known = self.channel.hears() && known.is_some();
        if is_known && known != Some(since) {
            return Ok(());
        }
        let pause = if self.channel.hears() { HEARTBEAT } else { WITHOUT_MESSAGES };
        let _ = tokio::time::timeout(pause, notified).await;
        Ok(())
    }
}
