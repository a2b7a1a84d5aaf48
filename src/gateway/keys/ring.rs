//! All keys, read anew from their file as it changes.

use super::held::HeldKey;
use super::{AccessKey, KeyTerms, file, id_in};
use crate::cost::CostTracker;
use crate::gateway::budgets;
use crate::store::sqlite::Database;
use crate::{Error, Result};
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a key that was revoked by another process may still be taken.
const LOOK: Duration = Duration::from_secs(1);

/// The keys of an endpoint.
#[derive(Debug)]
pub struct KeyRing {
    file: Arc<Database>,
    known: RwLock<HashMap<String, Arc<HeldKey>>>,
    looked: Mutex<Option<Instant>>,
}

impl KeyRing {
    /// Opens or creates the file: `sqlite:///FILE`.
    ///
    /// # Errors
    /// `Config` where the address is none of a file, `Store` where it cannot be opened.
    pub fn open(url: &str) -> Result<Self> {
        Ok(Self { file: Arc::new(file::open(url)?), known: RwLock::default(), looked: Mutex::default() })
    }

    /// Makes a key: what is kept, and the key itself, which nobody can be shown again.
    ///
    /// # Errors
    /// `InvalidArgument` where the terms are none of a key, `Store` where the file cannot be written.
    pub fn create(&self, terms: KeyTerms) -> Result<(AccessKey, String)> {
        terms.check()?;
        let (kept, key) = AccessKey::generate(terms, jiff::Timestamp::now().as_microsecond());
        let row = kept.clone();
        self.file.write_and_wait(move |connection| file::insert(connection, &row))?;
        self.forget();
        Ok((kept, key))
    }

    /// Revokes a key by its id; whether there was one that was good.
    ///
    /// # Errors
    /// `Store` where the file cannot be written.
    pub fn revoke(&self, id: &str) -> Result<bool> {
        let (id, now) = (id.to_owned(), jiff::Timestamp::now().as_microsecond());
        let was_good = self.file.write_and_wait(move |connection| file::revoke(connection, &id, now))?;
        self.forget();
        Ok(was_good)
    }

    /// Every key that was made, the oldest first.
    ///
    /// # Errors
    /// `Store` where the file cannot be read.
    pub fn list(&self) -> Result<Vec<AccessKey>> {
        self.file.read(file::read)
    }

    /// The keys that are good, as they were last read.
    pub(in crate::gateway) fn all(&self) -> Vec<Arc<AccessKey>> {
        self.known.read().values().map(|held| Arc::clone(&held.key)).collect()
    }

    /// The key that a caller shows; None where it is unknown or revoked.
    pub(in crate::gateway) fn find(&self, key: &str) -> Option<Arc<HeldKey>> {
        let held = self.known.read().get(id_in(key)?).map(Arc::clone)?;
        held.key.is(key).then_some(held)
    }

    /// Reads the file anew where that was long ago, and sets the budgets of keys that are new.
    pub(in crate::gateway) async fn refresh(&self, costs: &CostTracker) -> Result<()> {
        {
            let mut looked = self.looked.lock();
            if looked.is_some_and(|at| at.elapsed() < LOOK) {
                return Ok(());
            }
            // One looks, the others go on with what is known; at the start nothing is.
            if looked.is_some() {
                *looked = Some(Instant::now());
            }
        }
        let file = Arc::clone(&self.file);
        let read = tokio::task::spawn_blocking(move || file.read(file::read)).await;
        let read = read.unwrap_or_else(|_| Err(Error::Store("the keys were not read: ask again".into())))?;
        let added = self.take(read);
        budgets::set(costs, &added).await?;
        *self.looked.lock() = Some(Instant::now());
        Ok(())
    }

    /// Takes over what was read; the keys that are new or changed.
    fn take(&self, read: Vec<AccessKey>) -> Vec<Arc<AccessKey>> {
        let mut known = self.known.write();
        let mut now = HashMap::new();
        let mut added = Vec::new();
        for key in read.into_iter().filter(|key| key.revoked.is_none()) {
            let before = known.remove(&key.id);
            let held = match before {
                Some(held) if *held.key == key => held,
                before => {
                    let key = Arc::new(key);
                    added.push(Arc::clone(&key));
                    Arc::new(HeldKey::new(key, before.map(|held| held.taken()).unwrap_or_default()))
                }
            };
            now.insert(held.key.id.clone(), held);
        }
        *known = now;
        added
    }

    fn forget(&self) {
        *self.looked.lock() = None;
    }
}
