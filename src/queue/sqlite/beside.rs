//! What stands beside the requests: until when each handle lives, and which queues are paused. Every row has a sum.
//!
//! A handle whose row is damaged is taken to have fallen silent, as one whose process ended: its leases end, and it says
//! that it lives with its next act. A queue of which nobody can tell whether it is paused is: whoever resumes it writes
//! the row anew.

use super::replica::Position;
use super::rows::{is_whole, moment, nanos};
use crate::Result;
use crate::queue::core::Core;
use crate::queue::moment::Moment;
use crate::store::{Checksum, Damage};
use rusqlite::{Connection, params};

const OWNERS: &str = "SELECT owner, queue, until, sum FROM owners ORDER BY queue, owner";
const QUEUES: &str = "SELECT queue, paused, sum FROM queues ORDER BY queue";
const DIFFERS: &str = "it is not what was written: its checksum differs";

/// Takes in who lives, and whether the queue is paused.
pub(super) fn read(connection: &Connection, queue: &str, core: &mut Core, position: &mut Position) -> Result<()> {
    let mut damaged = false;
    let mut owners = connection.prepare_cached(OWNERS)?;
    let mut rows = owners.query([])?;
    while let Some(row) = rows.next()? {
        if !is_whole(row, "owners", 3)? {
            damaged = true;
        } else if row.get::<_, String>(1)? == queue {
            core.owners.renew(row.get::<_, i64>(0)? as u64, moment(row.get(2)?));
        }
    }
    let mut paused = Some(false);
    let mut queues = connection.prepare_cached(QUEUES)?;
    let mut rows = queues.query([])?;
    while let Some(row) = rows.next()? {
        if !is_whole(row, "queues", 2)? {
            // It may be this queue's: its name is under the sum as well.
            (damaged, paused) = (true, None);
        } else if row.get::<_, String>(0)? == queue {
            paused = Some(row.get(1)?);
            break;
        }
    }
    core.paused = paused.unwrap_or(true);
    if damaged && !std::mem::replace(&mut position.is_told, true) {
        tracing::error!(queue, paused = core.paused, "a row of who lives, or of what is paused, is damaged on disk");
    }
    Ok(())
}

/// Writes until when a handle lives.
pub(super) fn write_owner(connection: &Connection, queue: &str, owner: u64, until: Moment) -> Result<()> {
    let (owner, until) = (owner as i64, nanos(until));
    let sum = Checksum::of("owners").int(owner).text(queue).int(until).finish();
    let sql = "INSERT INTO owners (owner, queue, until, sum) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (queue, owner) DO UPDATE SET until = ?3, sum = ?4";
    connection.prepare_cached(sql)?.execute(params![owner, queue, until, sum])?;
    Ok(())
}

/// Forgets a handle that has fallen silent.
pub(super) fn remove_owner(connection: &Connection, queue: &str, owner: u64) -> Result<()> {
    let sql = "DELETE FROM owners WHERE queue = ?1 AND owner = ?2";
    connection.prepare_cached(sql)?.execute(params![queue, owner as i64])?;
    Ok(())
}

/// Writes whether the queue is paused.
pub(super) fn write_paused(connection: &Connection, queue: &str, paused: bool) -> Result<()> {
    let sum = Checksum::of("queues").text(queue).int(paused.into()).finish();
    let sql = "INSERT INTO queues (queue, paused, sum) VALUES (?1, ?2, ?3)
        ON CONFLICT (queue) DO UPDATE SET paused = ?2, sum = ?3";
    connection.prepare_cached(sql)?.execute(params![queue, paused, sum])?;
    Ok(())
}

/// The rows that are not what was written.
pub(super) fn check(connection: &Connection) -> Result<Vec<Damage>> {
    let mut found = Vec::new();
    for (table, select, sum) in [("owners", OWNERS, 3), ("queues", QUEUES, 2)] {
        let mut select = connection.prepare(select)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            if !is_whole(row, table, sum)? {
                found.push(Damage::of_table(table, DIFFERS));
            }
        }
    }
    Ok(found)
}

/// Does once, for `headrace doctor --repair`, what is done with damaged rows at every reading.
pub(super) fn mend(connection: &Connection) -> Result<()> {
    Ok(connection.execute_batch(
        "DELETE FROM owners WHERE sum IS NOT row_sum('owners', owner, queue, until);
        UPDATE queues SET paused = 1, sum = row_sum('queues', queue, 1)
        WHERE sum IS NOT row_sum('queues', queue, paused)",
    )?)
}

/// Puts the rows of version 3, which had none, under a sum.
pub(super) fn from_version_3(connection: &Connection) -> Result<()> {
    for (table, columns) in [("owners", "owner, queue, until"), ("queues", "queue, paused")] {
        let has_sum = "SELECT count(*) > 0 FROM pragma_table_info(?1) WHERE name = 'sum'";
        // A file of version 2 had no such tables: the step before this made them as they are now.
        if !connection.query_row(has_sum, [table], |row| row.get::<_, bool>(0))? {
            connection.execute_batch(&format!(
                "ALTER TABLE {table} ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
                UPDATE {table} SET sum = row_sum('{table}', {columns})"
            ))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::clock::ManualClock;
    use crate::doctor::diagnose;
    use crate::queue::{QueueConfig, RequestId, RequestQueue, Status};
    use crate::{Error, Payload};
    use rusqlite::Connection;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::time::Duration;

    /// 2026-11-30T21:00:00Z, after the file of version 3 was written.
    const NOW: Duration = Duration::from_hours(498_909);

    fn open(file: &Path) -> RequestQueue {
        let config = QueueConfig {
            keep_results: Duration::from_hours(24 * 3650),
            keep_keys: Duration::from_hours(24 * 3650),
            ..QueueConfig::default()
        };
        let url = format!("sqlite:///{}", file.display());
        RequestQueue::open_with_clock(&url, config, Arc::new(ManualClock::new(NOW))).unwrap()
    }

    fn lives(queue: &RequestQueue, owner: u64) -> bool {
        queue.backend.base().core.lock().owners.lives(owner, NOW.into())
    }

    fn wait<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    /// A folder, and in it a copy of the file of version 3: five requests, a queue that is paused, a handle that lives.
    fn of_version_3() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("q.db");
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/queue_version_3.db");
        std::fs::copy(data, &file).unwrap();
        (folder, file)
    }

    fn change(file: &Path, sql: &str) {
        assert_eq!(Connection::open(file).unwrap().execute(sql, []).unwrap(), 1);
    }

    #[test]
    fn a_file_of_version_3_is_brought_to_this_one() {
        let (_folder, file) = of_version_3();
        let queue = open(&file);
        assert!(queue.stats().unwrap().paused);
        let found: Vec<_> = (1..=5).map(|id| queue.status(RequestId(id)).unwrap()).collect();
        assert_eq!(found, [Status::Dead, Status::Done, Status::Waiting, Status::Waiting, Status::Scheduled]);
        assert!(lives(&queue, 77));
        assert!(matches!(wait(queue.get_async(Some(Duration::ZERO))), Err(Error::Timeout(_))));
        wait(queue.set_paused_async(false)).unwrap();
        assert_eq!(*wait(queue.get_async(None)).unwrap().payload(), Payload::bytes("three"));
        assert!(diagnose(&file, false).unwrap().is_sound());
    }

    #[test]
    fn a_damaged_pause_is_a_pause_until_somebody_resumes() {
        for sql in ["UPDATE queues SET paused = 0", "UPDATE queues SET queue = 'defaulu'", "UPDATE queues SET sum = 7"]
        {
            let (_folder, file) = of_version_3();
            drop(open(&file));
            change(&file, sql);
            let queue = open(&file);
            assert!(queue.stats().unwrap().paused, "{sql}");
            assert!(!diagnose(&file, false).unwrap().is_sound(), "{sql}");
            wait(queue.set_paused_async(false)).unwrap();
            drop(queue);
            assert!(!open(&file).stats().unwrap().paused, "{sql}");
        }
    }

    #[test]
    fn a_handle_whose_row_is_damaged_is_silent() {
        for sql in
            ["UPDATE owners SET until = until + 1", "UPDATE owners SET owner = 78", "UPDATE owners SET queue = 'q'"]
        {
            let (_folder, file) = of_version_3();
            drop(open(&file));
            change(&file, sql);
            let queue = open(&file);
            assert!(!lives(&queue, 77) && !lives(&queue, 78), "{sql}");
            assert!(!diagnose(&file, false).unwrap().is_sound(), "{sql}");
        }
    }

    #[test]
    fn the_doctor_makes_both_whole() {
        let (_folder, file) = of_version_3();
        drop(open(&file));
        change(&file, "UPDATE queues SET paused = 0");
        change(&file, "UPDATE owners SET until = 5");
        assert!(diagnose(&file, true).unwrap().is_sound());
        let queue = open(&file);
        assert!(queue.stats().unwrap().paused);
        assert!(!lives(&queue, 77));
    }
}
