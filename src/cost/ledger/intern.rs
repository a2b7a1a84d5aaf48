//! Values that repeat, kept once and named by a small number.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

/// A list of distinct values; a value keeps its number for good.
#[derive(Debug)]
pub(crate) struct Interner<T> {
    values: Vec<Arc<T>>,
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { values: Vec::new(), numbers: HashTable::new(), hasher: DefaultHashBuilder::default() }
    }
}

impl<T: Hash + Eq> Interner<T> {
    /// The number of a value, new or known.
    pub(crate) fn number(&mut self, value: &Arc<T>) -> u32 {
        let hash = self.hasher.hash_one(value.as_ref());
        if let Some(&number) = self.numbers.find(hash, |&number| self.values[number as usize] == *value) {
            return number;
        }
        let number = self.values.len() as u32;
        self.values.push(Arc::clone(value));
        let (values, hasher) = (&self.values, &self.hasher);
        self.numbers.insert_unique(hash, number, |&number| hasher.hash_one(values[number as usize].as_ref()));
        number
    }

    pub(crate) fn values(&self) -> &[Arc<T>] {
        &self.values
    }
}
