//! A map by request id, in pages of neighbours.
//!
//! Ids are counted up, and requests leave much as they came: neighbours lie side by side in memory, and a page is
//! forgotten as a whole.

use super::id_map::IdMap;

/// A map from ids to values, `N` neighbours a page.
#[derive(Debug)]
pub(super) struct IdPages<T, const N: usize> {
    pages: IdMap<Box<Page<T, N>>>,
    /// The page that is filled: it is kept when it runs empty.
    newest: u64,
}

#[derive(Debug)]
struct Page<T, const N: usize> {
    slots: [Option<T>; N],
    used: usize,
}

impl<T, const N: usize> Default for IdPages<T, N> {
    fn default() -> Self {
        Self { pages: IdMap::default(), newest: 0 }
    }
}

impl<T, const N: usize> IdPages<T, N> {
    fn place(id: u64) -> (u64, usize) {
        (id / N as u64, (id % N as u64) as usize)
    }

    pub(super) fn get(&self, id: u64) -> Option<&T> {
        let (page, slot) = Self::place(id);
        self.pages.get(&page)?.slots[slot].as_ref()
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        let (page, slot) = Self::place(id);
        self.pages.get_mut(&page)?.slots[slot].as_mut()
    }

    /// Puts a value in the place of whatever was there.
    pub(super) fn insert(&mut self, id: u64, value: T) {
        let (page, slot) = Self::place(id);
        if page > self.newest {
            let before = std::mem::replace(&mut self.newest, page);
            self.let_go(before);
        }
        let empty = || Box::new(Page { slots: [const { None }; N], used: 0 });
        let page = self.pages.entry(page).or_insert_with(empty);
        page.used += usize::from(page.slots[slot].is_none());
        page.slots[slot] = Some(value);
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<T> {
        let (place, slot) = Self::place(id);
        let page = self.pages.get_mut(&place)?;
        let value = page.slots[slot].take()?;
        page.used -= 1;
        if page.used == 0 && place != self.newest {
            self.pages.remove(&place);
        }
        Some(value)
    }

    fn let_go(&mut self, page: u64) {
        if self.pages.get(&page).is_some_and(|page| page.used == 0) {
            self.pages.remove(&page);
        }
    }

    /// All of them with their ids, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.pages.iter().flat_map(|(page, neighbours)| {
            let ids = page * N as u64..;
            ids.zip(&neighbours.slots).filter_map(|(id, value)| Some((id, value.as_ref()?)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn pages_are_a_map_and_keep_no_more_than_one_that_is_empty(
            steps in prop::collection::vec((0..200_u64, prop::option::of(0..9)), 1..2000),
        ) {
            let (mut pages, mut map) = (IdPages::<i32, 16>::default(), BTreeMap::new());
            for (id, value) in steps {
                if let Some(value) = value {
                    pages.insert(id, value);
                    map.insert(id, value);
                } else {
                    prop_assert_eq!(pages.remove(id), map.remove(&id));
                }
                prop_assert_eq!(pages.get(id), map.get(&id));
                prop_assert_eq!(pages.get_mut(id), map.get_mut(&id));
                let full = pages.pages.values().filter(|page| page.used > 0).count();
                prop_assert!(pages.pages.len() <= full + 1);
            }
            let mut all: Vec<_> = pages.iter().collect();
            all.sort_unstable();
            prop_assert!(all.into_iter().eq(map.iter().map(|(id, value)| (*id, value))));
        }
    }
}
