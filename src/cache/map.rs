//! A map that many threads use at once, and that a forked child finds free.

use super::key::DigestState;
use crate::lock::enter;
use dashmap::DashMap;
use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};

/// What it gives are clones: nobody holds a part of it while doing something else.
pub(super) struct HeldMap<K, V, S = DigestState> {
    inner: DashMap<K, V, S>,
}

impl<K: Eq + Hash, V, S: BuildHasher + Clone + Default> Default for HeldMap<K, V, S> {
    fn default() -> Self {
        Self { inner: DashMap::default() }
    }
}

impl<K: Eq + Hash + Clone, V: Clone, S: BuildHasher + Clone> HeldMap<K, V, S> {
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let _inside = enter();
        self.inner.get(key).map(|value| value.clone())
    }

    pub fn contains_key(&self, key: &K) -> bool {
        let _inside = enter();
        self.inner.contains_key(key)
    }

    /// The value that was there before.
    pub fn insert(&self, key: K, value: V) -> Option<V> {
        let _inside = enter();
        self.inner.insert(key, value)
    }

    /// The value that is there afterwards: what stands there and is `fit`, or else a new one.
    pub fn get_or_insert(&self, key: K, is_fit: impl FnOnce(&V) -> bool, make: impl Fn() -> V) -> V {
        let _inside = enter();
        let mut place = self.inner.entry(key).or_insert_with(&make);
        if !is_fit(&place) {
            *place = make();
        }
        place.clone()
    }

    pub fn remove(&self, key: &K) -> Option<V> {
        let _inside = enter();
        self.inner.remove(key).map(|(_, value)| value)
    }

    pub fn remove_if(&self, key: &K, is_it: impl FnOnce(&V) -> bool) {
        let _inside = enter();
        self.inner.remove_if(key, |_, value| is_it(value));
    }

    pub fn clear(&self) {
        let _inside = enter();
        self.inner.clear();
    }

    pub fn retain(&self, is_kept: impl Fn(&K) -> bool) {
        let _inside = enter();
        self.inner.retain(|key, _| is_kept(key));
    }

    pub fn len(&self) -> usize {
        let _inside = enter();
        self.inner.len()
    }

    /// How many values are so.
    pub fn count(&self, is_so: impl Fn(&V) -> bool) -> usize {
        let _inside = enter();
        self.inner.iter().filter(|entry| is_so(entry)).count()
    }

    /// The values that are so.
    pub fn values(&self, is_so: impl Fn(&V) -> bool) -> Vec<V> {
        let _inside = enter();
        self.inner.iter().filter(|entry| is_so(entry)).map(|entry| entry.value().clone()).collect()
    }

    /// All of it.
    pub fn pairs(&self) -> Vec<(K, V)> {
        let _inside = enter();
        self.inner.iter().map(|entry| (entry.key().clone(), entry.value().clone())).collect()
    }
}
