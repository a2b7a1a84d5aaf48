//! One computation, however many ask for it at once.

use super::key::{DigestState, EntryKey};
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use std::sync::Arc;
use tokio::sync::watch;

/// Computations under way, by key.
#[derive(Debug, Clone)]
pub struct Flights<T> {
    open: Arc<DashMap<EntryKey, watch::Receiver<Option<T>>, DigestState>>,
}

/// The part of one caller.
#[derive(Debug)]
pub enum Role<T: Clone + Send + Sync + 'static> {
    /// Computes, and tells the others.
    Leader(Flight<T>),
    /// Waits for the leader.
    Waiter(Waiter<T>),
}

/// A computation under way. Dropped without [`Flight::land`], it lets a waiter take its place.
#[derive(Debug)]
pub struct Flight<T: Clone + Send + Sync + 'static> {
    key: EntryKey,
    result: watch::Sender<Option<T>>,
    flights: Flights<T>,
}

/// The wait for another's computation.
#[derive(Debug, Clone)]
pub struct Waiter<T> {
    result: watch::Receiver<Option<T>>,
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self { open: Arc::default() }
    }
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// Joins the computation of `key`, or leads it where there is none.
    ///
    /// ```
    /// use headrace::cache::{EntryKey, Flights, Role};
    /// let flights = Flights::<u32>::default();
    /// let key = EntryKey::of("default", None, "slow question");
    /// let Role::Leader(flight) = flights.join(key) else { unreachable!() };
    /// assert!(matches!(flights.join(key), Role::Waiter(_)));
    /// flight.land(42);
    /// assert!(matches!(flights.join(key), Role::Leader(_)));
    /// ```
    #[must_use]
    pub fn join(&self, key: EntryKey) -> Role<T> {
        match self.open.entry(key) {
            Entry::Occupied(open) => Role::Waiter(Waiter { result: open.get().clone() }),
            Entry::Vacant(place) => {
                let (sender, receiver) = watch::channel(None);
                place.insert(receiver);
                Role::Leader(Flight { key, result: sender, flights: self.clone() })
            }
        }
    }

    /// Waits for the computation of `key`, where there is one.
    #[must_use]
    pub fn waiter(&self, key: EntryKey) -> Option<Waiter<T>> {
        self.open.get(&key).map(|open| Waiter { result: open.clone() })
    }
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    /// Gives the result to all who wait, and ends the flight.
    pub fn land(self, result: T) {
        self.result.send_replace(Some(result));
    }
}

impl<T: Clone + Send + Sync + 'static> Drop for Flight<T> {
    fn drop(&mut self) {
        self.flights.open.remove(&self.key);
    }
}

impl<T: Clone + Send + Sync + 'static> Waiter<T> {
    /// The leader's result; None where it left without one: join again.
    pub async fn wait(&mut self) -> Option<T> {
        self.result.wait_for(Option::is_some).await.ok().and_then(|result| result.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> EntryKey {
        EntryKey::of("t", None, "p")
    }

    #[tokio::test]
    async fn all_waiters_get_what_the_leader_lands() {
        let flights = Flights::<u32>::default();
        let Role::Leader(flight) = flights.join(key()) else { panic!("first leads") };
        let waits: Vec<_> = (0..50)
            .map(|_| match flights.join(key()) {
                Role::Waiter(mut waiter) => tokio::spawn(async move { waiter.wait().await }),
                Role::Leader(_) => panic!("one leads"),
            })
            .collect();
        flight.land(7);
        for wait in waits {
            assert_eq!(wait.await.unwrap(), Some(7));
        }
    }

    #[tokio::test]
    async fn a_leader_that_leaves_is_replaced() {
        let flights = Flights::<u32>::default();
        let Role::Leader(flight) = flights.join(key()) else { panic!("first leads") };
        let Role::Waiter(mut waiter) = flights.join(key()) else { panic!("second waits") };
        drop(flight);
        assert_eq!(waiter.wait().await, None);
        assert!(matches!(flights.join(key()), Role::Leader(_)));
    }
}
