//! What the doctor finds, and what he sets aside.

use super::*;

fn check(connection: &Connection) -> Result<Vec<crate::store::Damage>> {
    let mut select = connection.prepare("SELECT n FROM t WHERE b = 'bad' ORDER BY n")?;
    let rows = select.query_map([], |row| Ok(crate::store::Damage::new("t", row.get(0)?, "as a test")))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn mend(connection: &Connection) -> Result<()> {
    connection.execute("INSERT INTO t VALUES (100, 'mended')", [])?;
    Ok(())
}

const CHECKED: Schema = Schema { check: Some(check), mend: Some(mend), ..SCHEMA };

fn made(rows: &'static [&'static str]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let database = Database::open(&path, &CHECKED).unwrap();
    let write = move |connection: &Connection| {
        for row in rows {
            connection.execute("INSERT INTO t (b) VALUES (?1)", [row])?;
        }
        Ok(())
    };
    database.write_and_wait(write).unwrap();
    database.close_and_wait().unwrap();
    (folder, path)
}

#[test]
fn a_sound_file_is_told_and_left_as_it_is() {
    let (folder, path) = made(&["good", "good"]);
    let before = std::fs::read(&path).unwrap();
    let report = examine(&path, &[&CHECKED], false).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.rooms[0].room.as_str(), report.rooms[0].version), ("test", 1));
    assert!(report.tables.contains(&("t".to_owned(), Some(2))));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_damaged_row_is_set_aside_when_it_is_asked_for_and_only_then() {
    let (_folder, path) = made(&["good", "bad", "good"]);
    let before = std::fs::read(&path).unwrap();
    let report = examine(&path, &[&CHECKED], false).unwrap();
    assert!(!report.is_sound());
    assert_eq!(report.rooms[0].damaged.as_ref().unwrap()[0].rowid, Some(2));
    assert_eq!(std::fs::read(&path).unwrap(), before);

    let report = examine(&path, &[&CHECKED], true).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.set_aside, 1);
    let database = Database::open(&path, &CHECKED).unwrap();
    assert_eq!(count(&database), 3, "two good ones, and the one that mending made");
    let kept = database.read(|connection| {
        Ok(connection.query_row("SELECT content FROM headrace_damaged", [], |row| row.get::<_, String>(0))?)
    });
    assert_eq!(kept.unwrap(), r#"{"b":"bad","n":2}"#);
}

#[test]
fn what_is_not_ours_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    assert!(examine(&path, &[&CHECKED], true).is_err());
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine (n)").unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(examine(&path, &[&CHECKED], true).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_column_whose_name_is_no_text_is_set_aside_with_its_row() {
    let (_folder, path) = made(&["good", "bad"]);
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA writable_schema = ON").unwrap();
    let other = "UPDATE sqlite_schema SET sql = CAST(replace(CAST(sql AS BLOB), CAST('n INTEGER' AS BLOB), x'FF20494E5445474552') AS TEXT)
                 WHERE name = 't'";
    assert_eq!(connection.execute(other, []).unwrap(), 1);
    drop(connection);

    let told = Schema { check: Some(|_| Ok(vec![crate::store::Damage::new("t", 2, "as a test")])), ..SCHEMA };
    let _ = examine(&path, &[&told], true);
    let connection = Connection::open(&path).unwrap();
    let kept = connection.query_row("SELECT content FROM headrace_damaged", [], |row| row.get::<_, String>(0));
    assert_eq!(kept.unwrap(), "{\"b\":\"bad\",\"\u{fffd}\":2}");
}
