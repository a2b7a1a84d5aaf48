//! Keys in a SQLite file: ids, digests and terms, no key.

use super::{AccessKey, KeyTerms};
use crate::store::Location;
use crate::store::sqlite::{Database, Schema};
use crate::{Error, Result};
use rusqlite::{Connection, Row};

/// `hrky`, the application id of a file that was made for keys.
const APPLICATION_ID: i32 = 0x6872_6b79;

/// What keys are kept in.
const SCHEMA: Schema = Schema::of(
    "keys",
    APPLICATION_ID,
    1,
    "CREATE TABLE IF NOT EXISTS access_key (
        id TEXT PRIMARY KEY NOT NULL,
        digest BLOB NOT NULL,
        terms TEXT NOT NULL,
        created INTEGER NOT NULL,
        revoked INTEGER
    ) WITHOUT ROWID",
);

/// Opens or creates the file of an address.
pub(super) fn open(url: &str) -> Result<Database> {
    match Location::parse(url)? {
        Location::Sqlite(path) => Database::open(&path, &SCHEMA),
        Location::Memory => Err(Error::Config("keys in memory end with their process: give sqlite:///FILE".into())),
        other @ Location::Redis(_) => Err(other.not_served_by("KeyRing")),
    }
}

/// All keys, the oldest first.
pub(super) fn read(connection: &Connection) -> Result<Vec<AccessKey>> {
    let mut statement =
        connection.prepare_cached("SELECT id, digest, terms, created, revoked FROM access_key ORDER BY created, id")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(key_of(row)?);
    }
    Ok(found)
}

fn key_of(row: &Row<'_>) -> Result<AccessKey> {
    let terms = KeyTerms::from_json(&row.get::<_, String>(2)?)?;
    Ok(AccessKey { id: row.get(0)?, digest: row.get(1)?, terms, created: row.get(3)?, revoked: row.get(4)? })
}

/// Keeps a key.
pub(super) fn insert(connection: &Connection, key: &AccessKey) -> Result<()> {
    let sql = "INSERT INTO access_key (id, digest, terms, created, revoked) VALUES (?1, ?2, ?3, ?4, ?5)";
    connection.execute(sql, (&key.id, key.digest, key.terms.to_json(), key.created, key.revoked))?;
    Ok(())
}

/// Revokes a key; whether there was one that was good.
pub(super) fn revoke(connection: &Connection, id: &str, now: i64) -> Result<bool> {
    let sql = "UPDATE access_key SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL";
    Ok(connection.execute(sql, (id, now))? > 0)
}
