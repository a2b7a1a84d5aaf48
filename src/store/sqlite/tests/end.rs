//! What is left when a file is closed, removed, or read by others.

use super::*;

/// How many rows a copy of the main file alone holds.
fn in_a_copy(path: &Path) -> i64 {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    std::fs::copy(path, &copy).unwrap();
    let connection = Connection::open(copy).unwrap();
    connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
}

fn beside(path: &Path) -> Vec<String> {
    let files = std::fs::read_dir(path.parent().unwrap()).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).filter(|name| name.contains('-')).collect()
}

#[test]
fn the_file_alone_holds_everything_when_the_last_one_closed_it() {
    let (directory, first) = open();
    let path = directory.path().join("t.db");
    let second = Database::open(&path, &SCHEMA).unwrap();
    for n in 0..20 {
        add(if n % 2 == 0 { &first } else { &second }, n, 5000).blocking_recv().unwrap().unwrap();
    }
    // In use for reading, so that the log cannot be moved as a whole at this moment.
    let closing = second.read(|connection| {
        connection.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0))?;
        Ok(first.close())
    });
    closing.unwrap().blocking_recv().unwrap().unwrap();
    assert!(matches!(first.write_and_wait(|_| Ok(())), Err(Error::Store(_))));
    assert!(matches!(first.read(|_| Ok(())), Err(Error::Store(_))));
    assert!(first.close_and_wait().is_ok(), "closing twice is no error");
    assert_eq!(count(&second), 20);
    second.close_and_wait().unwrap();
    assert_eq!(in_a_copy(&path), 20);
    assert!(beside(&path).is_empty(), "{:?}", beside(&path));
}

#[test]
fn the_last_two_that_close_at_once_leave_no_log() {
    for round in 0..20 {
        let (directory, first) = open();
        let path = directory.path().join("t.db");
        let second = Database::open(&path, &SCHEMA).unwrap();
        add(&first, round, 10);
        add(&second, round + 100, 10);
        std::thread::scope(|scope| {
            scope.spawn(|| first.close_and_wait().unwrap());
            scope.spawn(|| second.close_and_wait().unwrap());
        });
        assert!(beside(&path).is_empty(), "round {round}");
        assert_eq!(in_a_copy(&path), 2);
    }
}

#[test]
fn nothing_is_promised_on_a_file_that_was_removed_or_replaced() {
    for (what, suffix) in [("the file", ""), ("its log", "-wal")] {
        for replaced in [false, true] {
            let (directory, database) = open();
            add(&database, 1, 10).blocking_recv().unwrap().unwrap();
            let path = directory.path().join(format!("t.db{suffix}"));
            if replaced {
                let other = directory.path().join("other");
                std::fs::copy(&path, &other).unwrap();
                std::fs::rename(other, &path).unwrap();
            } else {
                std::fs::remove_file(&path).unwrap();
            }
            for n in 2..4 {
                let answer = add(&database, n, 10).blocking_recv().unwrap();
                assert!(matches!(answer, Err(Error::Store(_))), "{what}, replaced: {replaced}");
            }
            assert!(database.is_poisoned());
            let before = replaced.then(|| std::fs::read(&path).unwrap());
            let _ = database.close_and_wait();
            assert_eq!(replaced.then(|| std::fs::read(&path).unwrap()), before, "what took its place is not ours");
        }
    }
}

#[test]
fn what_was_erased_is_neither_in_the_file_nor_in_its_log() {
    let (directory, database) = open();
    let secret = |n: i64| format!("secret-{n}-").repeat(1 + (n as usize * 7) % 60);
    for n in 0..300 {
        let text = secret(n);
        database
            .write_and_wait(move |connection| Ok(connection.execute("INSERT INTO t VALUES (?1, ?2)", (n, text))?))
            .unwrap();
    }
    database.write_and_wait(|connection| Ok(connection.execute("DELETE FROM t WHERE n % 2 = 0", [])?)).unwrap();
    database.erase_and_wait().unwrap();
    let found: Vec<u8> =
        ["t.db", "t.db-wal"].iter().flat_map(|name| std::fs::read(directory.path().join(name)).unwrap()).collect();
    for n in (0..300).step_by(2) {
        let needle = format!("secret-{n}-").into_bytes();
        assert!(!found.windows(needle.len()).any(|window| window == needle), "{n}");
    }
    assert_eq!(count(&database), 150);
    add(&database, 1000, 10).blocking_recv().unwrap().unwrap();
    database.erase().blocking_recv().unwrap().unwrap();
}

#[test]
fn a_read_that_failed_does_not_fail_the_next() {
    let (_directory, database) = open();
    for _ in 0..3 {
        assert!(database.read(|connection| Ok(connection.execute("SELECT * FROM missing", [])?)).is_err());
        assert_eq!(count(&database), 0);
    }
}

#[test]
fn a_file_that_is_dropped_is_closed() {
    let (directory, database) = open();
    add(&database, 1, 10);
    let path = directory.path().join("t.db");
    let closing = database.open.lock().writer.when_closed();
    drop(database);
    closing.blocking_recv().unwrap().unwrap();
    assert!(beside(&path).is_empty());
    assert_eq!(in_a_copy(&path), 1);
}
