use super::super::sqlite::{Database, Schema};
use super::*;
use std::time::Duration;

const SCHEMA: Schema = Schema::of("test", 7, 1, "CREATE TABLE IF NOT EXISTS t (n INTEGER)");

/// Waits for a notice; a bound on a test that would hang, not a measurement.
fn noticed(watch: &mut Watch) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), watch.changed()).await.is_ok() })
}

fn add(database: &Database) {
    database.write_and_wait(|connection| Ok(connection.execute("INSERT INTO t VALUES (1)", [])?)).unwrap();
}

#[test]
fn who_waits_hears_of_a_write_through_another_connection() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let (here, there) = (Database::open(&path, &SCHEMA).unwrap(), Database::open(&path, &SCHEMA).unwrap());
    let mut watch = here.notices().unwrap().watch();
    for _ in 0..3 {
        watch.mark_seen();
        add(&there);
        assert!(noticed(&mut watch));
    }
}

#[test]
fn looks_stand_in_for_notices() {
    let directory = tempfile::tempdir().unwrap();
    let notices = Notices::of(&directory.path().join("t.db"));
    // There is no log to watch.
    let mut watch = notices.watch();
    assert!(!notices.is_prompt());
    assert!(noticed(&mut watch));
    watch.mark_seen();
    assert!(noticed(&mut watch));
}
