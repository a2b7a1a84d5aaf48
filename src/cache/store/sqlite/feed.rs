//! What changed in the file since it was last read.

use super::rows::{self, What};
use crate::Result;
use crate::cache::store::{FeedPage, FeedPosition};
use rusqlite::{Connection, Error, ErrorCode, Params, Row};

/// The most entries of a page.
const PAGE: usize = 4096;

/// The ends of the three lists, in one look.
const ENDS: &str = "SELECT ifnull((SELECT max(number) FROM cache_entries), 0), \
                    ifnull((SELECT max(number) FROM cache_changes), 0), \
                    ifnull((SELECT max(number) FROM cache_evidence), 0)";

fn ends(connection: &Connection) -> Result<FeedPosition> {
    let position = |row: &Row<'_>| -> rusqlite::Result<FeedPosition> {
        Ok(FeedPosition { entry: row.get(0)?, change: row.get(1)?, evidence: row.get(2)? })
    };
    Ok(connection.prepare_cached(ENDS)?.query_row([], position)?)
}

pub(super) fn has_news(connection: &Connection, since: FeedPosition) -> Result<bool> {
    let ends = ends(connection)?;
    Ok(ends.entry > since.entry || ends.change > since.change || ends.evidence > since.evidence)
}

/// The next page, and the places of entries that were met and are damaged.
pub(super) fn page(connection: &Connection, by: u64, since: FeedPosition) -> Result<(FeedPage, Vec<i64>)> {
    // One look at the file: what came and what went are of the same moment.
    let transaction = connection.unchecked_transaction()?;
    let ends = ends(&transaction)?;
    // Of the last entry there may be nothing left, and then the end lies before it.
    let next = FeedPosition {
        entry: ends.entry.max(since.entry),
        change: ends.change.max(since.change),
        evidence: ends.evidence.max(since.evidence),
    };
    let mut page = FeedPage { next, ..FeedPage::default() };
    let damaged = entries(&transaction, by, since.entry, &mut page)?;
    if since.change >= 0 {
        changes(&transaction, by, since.change, &mut page)?;
    }
    let select = "SELECT number, by, tenant, score, correct, sum FROM cache_evidence \
                  WHERE number > ?1 AND by <> ?2 ORDER BY number";
    for_each(&transaction, select, (since.evidence, by as i64), |row| {
        match rows::evidence(row) {
            Ok(evidence) => page.evidence.push(evidence),
            Err(what) => page.damage("cache_evidence", row, &what),
        }
        true
    })?;
    Ok((page, damaged))
}

fn entries(connection: &Connection, by: u64, since: i64, page: &mut FeedPage) -> Result<Vec<i64>> {
    let columns = rows::ENTRY;
    let select = |condition: &str, order: &str| {
        format!("SELECT {columns} FROM cache_entries WHERE {condition} AND by <> ?2 ORDER BY number {order}")
    };
    let (mut last, mut damaged) = (since, Vec::new());
    let outcome = for_each(connection, &select("number > ?1", ""), (since, by as i64), |row| {
        last = row.get(0).unwrap_or(last);
        match rows::entry(row) {
            Ok(entry) => page.entries.push(entry),
            Err(what) => {
                damaged.push(last);
                page.damage("cache_entries", row, &what);
            }
        }
        page.more = page.entries.len() >= PAGE;
        !page.more
    });
    if page.more {
        page.next.entry = last;
    }
    match outcome {
        Err(error) if is_broken(&error) => {
            tracing::error!(%error, "a part of the cache's file is broken: the entries in it are lost");
            page.damaged += 1;
            // From its other end, as far as it is whole.
            let behind = page.entries.len();
            let _ = for_each(connection, &select("number > ?1", "DESC"), (last, by as i64), |row| {
                page.entries.extend(rows::entry(row).ok());
                true
            });
            page.entries[behind..].reverse();
            Ok(damaged)
        }
        outcome => Ok(outcome.map(|()| damaged)?),
    }
}

fn changes(connection: &Connection, by: u64, since: i64, page: &mut FeedPage) -> Result<()> {
    let first: Option<i64> =
        connection.prepare_cached("SELECT min(number) FROM cache_changes")?.query_row([], |row| row.get(0))?;
    page.missed = first.is_some_and(|first| since + 1 < first);
    let select =
        "SELECT number, by, what, entry, sum FROM cache_changes WHERE number > ?1 AND by <> ?2 ORDER BY number";
    for_each(connection, select, (since, by as i64), |row| {
        match rows::change(row) {
            Ok((What::Removed, id)) => page.removed.push(id),
            Ok((What::Rejected, id)) => page.rejected.push(id),
            Ok((What::Many, _)) => page.missed = true,
            Ok((What::Forgotten, _)) => page.forgotten = true,
            // It could have been any.
            Err(_) => (page.missed, page.forgotten) = (true, true),
        }
        true
    })?;
    Ok(())
}

/// The ids of all entries.
pub(super) fn roll(connection: &Connection) -> Result<Vec<(u64, bool)>> {
    let mut all = Vec::new();
    for_each(connection, "SELECT id, rejected FROM cache_entries", [], |row| {
        if let (Ok(id), Ok(rejected)) = (row.get::<_, i64>(0), row.get(1)) {
            all.push((id as u64, rejected));
        }
        true
    })?;
    Ok(all)
}

/// Goes through rows until `take` has enough.
pub(super) fn for_each(
    connection: &Connection,
    select: &str,
    parameters: impl Params,
    mut take: impl FnMut(&Row<'_>) -> bool,
) -> rusqlite::Result<()> {
    let mut select = connection.prepare_cached(select)?;
    let mut rows = select.query(parameters)?;
    while let Some(row) = rows.next()? {
        if !take(row) {
            break;
        }
    }
    Ok(())
}

fn is_broken(error: &Error) -> bool {
    matches!(error, Error::SqliteFailure(failure, _) if failure.code == ErrorCode::DatabaseCorrupt)
}

impl FeedPage {
    fn damage(&mut self, table: &str, row: &Row<'_>, what: &str) {
        let number: i64 = row.get(0).unwrap_or_default();
        tracing::warn!(table, number, what, "a damaged row of the cache's file is no entry");
        self.damaged += 1;
    }
}
