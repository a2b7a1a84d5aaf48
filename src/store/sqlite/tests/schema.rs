//! What is ours, what is not, and how tables of earlier versions become those of today.

use super::super::schema::rooms;
use super::*;
use std::collections::BTreeMap;

/// Every file of a folder with its content.
fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    files.map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap())).collect()
}

/// Asserts that opening is refused with these words, and leaves everything in the folder as it was.
fn refused(path: &Path, schema: &Schema, words: &str) {
    let before = content(path.parent().unwrap());
    let Err(Error::Store(message)) = Database::open(path, schema).map(drop) else { panic!("{path:?} was opened") };
    assert!(message.contains(words), "{message}");
    assert_eq!(content(path.parent().unwrap()), before);
}

#[test]
fn a_file_of_somebody_else_is_refused_and_left_as_it_is() {
    for mode in ["DELETE", "WAL"] {
        for script in ["CREATE TABLE mine (n)", "PRAGMA application_id = 99", "PRAGMA user_version = 3"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("foreign.db");
            let foreign = Connection::open(&path).unwrap();
            foreign.pragma_update(None, "journal_mode", mode).unwrap();
            foreign.execute_batch(script).unwrap();
            foreign.execute_batch("CREATE TABLE other (n)").unwrap();
            // Also while its owner has it open, with all of it in its log.
            refused(&path, &SCHEMA, "something else");
            foreign.execute_batch("INSERT INTO other VALUES (1)").unwrap();
            drop(foreign);
            refused(&path, &SCHEMA, "something else");
        }
    }
}

#[test]
fn a_file_that_is_no_sqlite_file_is_refused_and_left_as_it_is() {
    let long = "not a database, just a long enough text ".repeat(100);
    for text in ["x", "SQLite format 3\0", &long, &"\0".repeat(5000)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, text).unwrap();
        refused(&path, &SCHEMA, "no SQLite file");
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Database::open(folder.path(), &SCHEMA), Err(Error::Store(_))));
    assert!(matches!(Database::open(&folder.path().join("none/t.db"), &SCHEMA), Err(Error::Store(_))));
    assert!(content(folder.path()).is_empty());
}

#[test]
fn a_file_of_a_newer_version_is_refused_and_left_as_it_is() {
    let (directory, database) = open();
    database.close_and_wait().unwrap();
    let path = directory.path().join("t.db");
    let newer = Schema { version: 2, steps: &[Step { from: 1, change: Change::Sql("") }], ..SCHEMA };
    Database::open(&path, &newer).unwrap().close_and_wait().unwrap();
    refused(&path, &SCHEMA, "version 2");
}

#[test]
fn an_empty_file_becomes_ours_and_so_does_one_that_crashed_before_its_first_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    std::fs::write(&path, "").unwrap();
    Database::open(&path, &SCHEMA).unwrap().close_and_wait().unwrap();
    // As the first versions made it: everything that tells whose it is stands in the log alone.
    let (source, crashed) = (folder.path().join("source.db"), folder.path().join("crashed.db"));
    let connection = Connection::open(&source).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.pragma_update(None, "application_id", SCHEMA.application_id).unwrap();
    connection.execute_batch("PRAGMA user_version = 1; CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB)").unwrap();
    std::fs::copy(&source, &crashed).unwrap();
    std::fs::copy(folder.path().join("source.db-wal"), folder.path().join("crashed.db-wal")).unwrap();
    let database = Database::open(&crashed, &SCHEMA).unwrap();
    add(&database, 1, 10).blocking_recv().unwrap().unwrap();
}

const FIRST: Schema = Schema::of("test", 7, 1, "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, b BLOB);");
const STEPS: &[Step] = &[
    Step { from: 1, change: Change::Sql("ALTER TABLE t ADD COLUMN size INTEGER") },
    Step {
        from: 2,
        change: Change::Code(|connection| {
            connection.execute("UPDATE t SET size = length(b)", [])?;
            Ok(())
        }),
    },
];
const THIRD: Schema = Schema {
    version: 3,
    tables: "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, b BLOB, size INTEGER);",
    steps: STEPS,
    ..FIRST
};

fn sizes(database: &Database) -> Vec<i64> {
    let read = |connection: &Connection| {
        let mut select = connection.prepare("SELECT size FROM t ORDER BY n")?;
        let rows = select.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    };
    database.read(read).unwrap()
}

fn made(schema: &Schema) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let database = Database::open(&path, schema).unwrap();
    add(&database, 1, 10).blocking_recv().unwrap().unwrap();
    database.close_and_wait().unwrap();
    (folder, path)
}

#[test]
fn steps_lead_from_an_earlier_version_to_this_one() {
    let (_folder, path) = made(&FIRST);
    for _ in 0..2 {
        let database = Database::open(&path, &THIRD).unwrap();
        assert_eq!(sizes(&database), [10]);
        assert_eq!(database.read(rooms).unwrap(), [("test".to_owned(), 3)]);
        database.close_and_wait().unwrap();
    }
}

#[test]
fn a_step_that_fails_changes_nothing() {
    const BROKEN: &[Step] =
        &[STEPS[0], Step { from: 2, change: Change::Code(|_| Err(Error::Store("as a test".into()))) }];
    let (_folder, path) = made(&FIRST);
    let broken = Schema { steps: BROKEN, ..THIRD };
    let Err(Error::Store(message)) = Database::open(&path, &broken).map(drop) else { panic!() };
    assert!(message.contains("as a test") && message.contains("t.db"), "{message}");
    let missing = Schema { steps: &STEPS[..1], ..THIRD };
    let Err(Error::Store(message)) = Database::open(&path, &missing).map(drop) else { panic!() };
    assert!(message.contains("version 2"), "{message}");
    Database::open(&path, &FIRST).unwrap().close_and_wait().unwrap();
    assert_eq!(sizes(&Database::open(&path, &THIRD).unwrap()), [10]);
}

#[test]
fn a_file_holds_several_rooms_each_with_its_version() {
    let (_folder, path) = made(&FIRST);
    let other = Schema::of("other", 0x6872_6c64, 5, "CREATE TABLE IF NOT EXISTS o (n INTEGER);");
    let queue = Schema { application_id: 0x6872_5131, ..FIRST };
    let both = made(&queue);
    for schema in [&other, &queue, &other] {
        Database::open(&both.1, schema).unwrap().close_and_wait().unwrap();
    }
    let found = Database::open(&both.1, &queue).unwrap().read(rooms).unwrap();
    assert_eq!(found, [("other".to_owned(), 5), ("test".to_owned(), 1)]);
    // An id that no room has is somebody else's.
    refused(&path, &other, "something else");
}
