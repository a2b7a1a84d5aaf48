//! What left the queue in the last minute: every copy counts it against rates, and makes up the tenants' turns from it.

use super::replica::Position;
use super::rows::{is_whole, moment, nanos};
use crate::Result;
use crate::queue::core::{Core, Departure};
use crate::queue::moment::Moment;
use crate::store::{Checksum, Damage};
use rusqlite::{Connection, params};
use std::sync::Arc;

const TAKES: &str = "SELECT n, queue, at, owner, tenant, provider, model, class, requests, sum FROM takes";

/// Notes what one transaction took, a row for each way it went.
pub(super) fn write(
    connection: &Connection,
    queue: &str,
    position: &mut Position,
    taken: &[Departure],
    at: Moment,
) -> Result<()> {
    let sql = "INSERT INTO takes (n, queue, at, owner, tenant, provider, model, class, requests, sum)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let mut insert = connection.prepare_cached(sql)?;
    // The copy has read all that there is.
    let mut n = position.take;
    for taken in taken {
        n += 1;
        let requests: Vec<u8> =
            taken.requests.iter().flat_map(|(id, tokens)| [id.to_le_bytes(), tokens.to_le_bytes()]).flatten().collect();
        let sum = Checksum::of("takes")
            .int(n)
            .text(queue)
            .int(nanos(at))
            .int(taken.owner as i64)
            .text(&taken.tenant)
            .maybe_text(taken.provider.as_deref())
            .maybe_text(taken.model.as_deref())
            .int(i64::from(taken.class))
            .bytes(&requests)
            .finish();
        insert.execute(params![
            n,
            queue,
            nanos(at),
            taken.owner as i64,
            &*taken.tenant,
            taken.provider.as_deref(),
            taken.model.as_deref(),
            taken.class,
            requests,
            sum,
        ])?;
    }
    position.take = n;
    Ok(())
}

/// Takes in what others took since.
pub(super) fn read(connection: &Connection, queue: &str, core: &mut Core, position: &mut Position) -> Result<()> {
    let mut select = connection.prepare_cached(&format!("{TAKES} WHERE n > ?1 ORDER BY n"))?;
    let mut rows = select.query([position.take])?;
    while let Some(row) = rows.next()? {
        position.take = row.get(0)?;
        if !is_whole(row, "takes", 9)? {
            tracing::error!(
                n = position.take,
                "a row of what left the queue is damaged: rates may count too little for a minute"
            );
            continue;
        }
        if row.get::<_, String>(1)? != queue {
            continue;
        }
        let text = |at| -> rusqlite::Result<Option<Arc<str>>> { Ok(row.get::<_, Option<String>>(at)?.map(Arc::from)) };
        let requests: Vec<u8> = row.get(8)?;
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).unwrap_or_default();
        let taken = Departure {
            owner: row.get::<_, i64>(3)? as u64,
            tenant: Arc::from(row.get::<_, String>(4)?),
            provider: text(5)?,
            model: text(6)?,
            class: row.get(7)?,
            requests: requests.chunks_exact(16).map(|pair| (number(&pair[..8]), number(&pair[8..]))).collect(),
        };
        core.note_taken(&taken, moment(row.get(2)?));
    }
    Ok(())
}

/// The rows that are not what was written.
pub(super) fn check(connection: &Connection) -> Result<Vec<Damage>> {
    let mut select = connection.prepare(&format!("{TAKES} ORDER BY n"))?;
    let mut rows = select.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        if !is_whole(row, "takes", 9)? {
            found.push(Damage::new("takes", row.get(0)?, "it is not what was written: its checksum differs"));
        }
    }
    Ok(found)
}

/// Forgets what left long enough ago; the newest stays, so that no number is given twice.
pub(super) fn forget_before(connection: &Connection, queue: &str, before: Moment) -> Result<()> {
    let sql = "DELETE FROM takes WHERE queue = ?1 AND at < ?2 AND n < (SELECT max(n) FROM takes)";
    connection.prepare_cached(sql)?.execute(params![queue, nanos(before)])?;
    Ok(())
}
