use super::*;
use std::time::Duration;

const SCHEMA: Schema = Schema::of("test", 7, 1, "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, b BLOB);");

fn add(database: &Database, n: i64, size: usize) -> oneshot::Receiver<Result<()>> {
    database.write(move |connection| {
        connection.execute("INSERT INTO t VALUES (?1, zeroblob(?2))", (n, size as i64))?;
        Ok(())
    })
}

fn count(database: &Database) -> i64 {
    database.read(|connection| Ok(connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?)).unwrap()
}

fn open() -> (tempfile::TempDir, Database) {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(&directory.path().join("t.db"), &SCHEMA).unwrap();
    (directory, database)
}

#[test]
fn a_failed_write_is_undone_alone() {
    let (_directory, database) = open();
    let answers: Vec<_> = [1, 2, 1, 3, 3, 4].map(|n| add(&database, n, 10)).into();
    let held: Vec<_> = answers.into_iter().map(|answer| answer.blocking_recv().unwrap().is_ok()).collect();
    assert_eq!(held, [true, true, false, true, false, true]);
    assert_eq!(count(&database), 4);
}

#[test]
fn a_full_disk_fails_cleanly_and_can_be_mended() {
    let (_directory, database) = open();
    add(&database, 0, 100).blocking_recv().unwrap().unwrap();
    let limit = |pages: i64| {
        let set = move |connection: &Connection| {
            Ok(connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get::<_, i64>(0))?)
        };
        database.write_and_wait(set).unwrap();
    };
    limit(20);
    let answers: Vec<_> = (1..40).map(|n| add(&database, n, 8000)).collect();
    let held = answers.into_iter().filter_map(|answer| answer.blocking_recv().unwrap().ok()).count();
    assert!(held < 39);
    assert!(!database.is_poisoned());
    assert_eq!(count(&database), 1 + held as i64, "what was promised is there, and no more");
    limit(1_000_000);
    add(&database, 100, 8000).blocking_recv().unwrap().unwrap();
    assert_eq!(count(&database), 2 + held as i64);
}

#[test]
fn a_log_that_is_written_all_the_time_is_checkpointed() {
    let (directory, database) = open();
    for round in 0..8 {
        let answers: Vec<_> = (0..1000).map(|n| add(&database, round * 1000 + n, 1000)).collect();
        for answer in answers {
            answer.blocking_recv().unwrap().unwrap();
        }
    }
    // The file itself holds pages only after a checkpoint: before one, all is in the log.
    let pages = || std::fs::metadata(directory.path().join("t.db")).unwrap().len() / 4096;
    for _ in 0..500 {
        if pages() > 500 {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no checkpoint in 5 s: the file has {} pages", pages());
}

/// How long the log is: a multiple of what it grows by, where it has room.
fn log_length(directory: &tempfile::TempDir) -> u64 {
    std::fs::metadata(directory.path().join("t.db-wal")).unwrap().len()
}

#[test]
fn a_write_that_panics_is_undone_alone() {
    let (_directory, database) = open();
    let broken = || {
        database.write::<(), _>(|connection| {
            connection.execute("INSERT INTO t VALUES (100, NULL)", [])?;
            panic!("as a test");
        })
    };
    // On a thread that waits, which then commits for itself and for the two before.
    let (before, beside) = (add(&database, 1, 10), add(&database, 2, 10));
    assert!(matches!(blocking::block_on(async { broken().await }).unwrap(), Err(Error::Store(_))));
    // On the thread of the store.
    assert!(matches!(broken().blocking_recv().unwrap(), Err(Error::Store(_))));
    let answer = database.write_then(|_| Ok(()), |()| panic!("as a test"));
    let _: std::result::Result<Result<()>, _> = answer.blocking_recv();
    for answer in [before, beside, add(&database, 3, 10)] {
        answer.blocking_recv().unwrap().unwrap();
    }
    database.write_and_wait(|_| Ok(())).unwrap();
    assert_eq!(count(&database), 3);
}

#[test]
fn a_log_has_room_before_it_is_written_to() {
    let (directory, database) = open();
    add(&database, 0, 10).blocking_recv().unwrap().unwrap();
    // The next write sees that the log has grown.
    add(&database, 1, 10).blocking_recv().unwrap().unwrap();
    let room = log_length(&directory);
    assert_eq!(room % (1 << 20), 0, "{room}");
    for n in 2..50 {
        add(&database, n, 10).blocking_recv().unwrap().unwrap();
    }
    assert_eq!(log_length(&directory), room, "what it was written to was there");
    drop(database);
    let database = Database::open(&directory.path().join("t.db"), &SCHEMA).unwrap();
    assert_eq!(count(&database), 50);
}

#[test]
fn a_busy_log_is_written_over_from_its_start() {
    let (directory, database) = open();
    let (rounds, each) = (60, 1000);
    for round in 0..rounds {
        let answers: Vec<_> = (0..each).map(|n| add(&database, round * each + n, 1000)).collect();
        for answer in answers {
            answer.blocking_recv().unwrap().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let (log, written) = (log_length(&directory), (rounds * each * 1000) as u64);
    assert!(log < written / 2, "the log has {log} bytes after {written} were written");
}

mod doctor;
mod end;
mod schema;
