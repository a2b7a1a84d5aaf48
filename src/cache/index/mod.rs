//! Vectors of one partition, and the exact search among them.

use parking_lot::RwLock;
use std::collections::BTreeMap;

/// Rows of unit length, each with an id.
pub(crate) struct Index {
    rows: RwLock<BTreeMap<u64, Vec<f32>>>,
}

/// What a search found, nearest first.
pub(crate) struct Candidates {
    sorted: std::vec::IntoIter<(u64, f32)>,
}

impl Iterator for Candidates {
    type Item = (u64, f32);

    fn next(&mut self) -> Option<Self::Item> {
        self.sorted.next()
    }
}

impl Index {
    pub fn new(_dimension: usize) -> Self {
        Self { rows: RwLock::default() }
    }

    pub fn insert_many(&self, ids: &[u64], dimension: usize, mut fill: impl FnMut(usize, &mut [f32])) {
        for (place, &id) in ids.iter().enumerate() {
            let mut row = vec![0.0; dimension];
            fill(place, &mut row);
            self.rows.write().insert(id, row);
        }
    }

    pub fn remove(&self, id: u64) {
        self.rows.write().remove(&id);
    }

    pub fn len(&self) -> usize {
        self.rows.read().len()
    }

    pub fn search(&self, query: &[f32], threshold: f32) -> Candidates {
        let rows = self.rows.read();
        let dot = |row: &[f32]| row.iter().zip(query).map(|(a, b)| a * b).sum::<f32>();
        let mut found: Vec<_> =
            rows.iter().map(|(&id, row)| (id, dot(row))).filter(|(_, score)| *score >= threshold).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Candidates { sorted: found.into_iter() }
    }

    pub fn search_many(&self, queries: &[&[f32]], threshold: f32) -> Vec<Candidates> {
        queries.iter().map(|query| self.search(query, threshold)).collect()
    }

    /// The row of an id, as it was given.
    pub fn row(&self, id: u64) -> Option<Vec<f32>> {
        self.rows.read().get(&id).cloned()
    }
}
