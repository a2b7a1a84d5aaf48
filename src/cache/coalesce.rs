//! One computation, however many ask for it at once.
//!
//! A flight shares answers, never refusals. Its leader lands only with a whole answer (of a stream, when it has ended
//! by itself); a leader that fails, is refused or leaves drops the flight, and then each who waited goes himself, by
//! joining again: the first of them leads the next flight, under his own budget, priority and deadline.

use super::key::{DigestState, EntryKey};
use crate::lock::enter;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// Computations under way, by key.
#[derive(Debug, Clone)]
pub struct Flights<T> {
    open: Arc<DashMap<EntryKey, Underway<T>, DigestState>>,
}

/// A flight as those see it who join it.
#[derive(Debug)]
struct Underway<T> {
    number: u64,
    process: u32,
    answer: watch::Receiver<Option<T>>,
}

/// The part of one caller in a computation.
#[derive(Debug)]
pub enum Joined<T: Clone + Send + Sync + 'static> {
    /// Computes, and tells the others.
    Leader(Flight<T>),
    /// Waits for the leader.
    Waiter(Waiter<T>),
}

/// A computation under way, held by its leader; a stream keeps it until it ends.
///
/// Dropped without [`Flight::land`], it lets a waiter take its place.
#[derive(Debug)]
#[must_use = "a flight that is dropped sends those who wait away"]
pub struct Flight<T: Clone + Send + Sync + 'static> {
    key: EntryKey,
    number: u64,
    answer: watch::Sender<Option<T>>,
    flights: Flights<T>,
}

/// The wait for another's computation.
#[derive(Debug, Clone)]
pub struct Waiter<T> {
    number: u64,
    answer: watch::Receiver<Option<T>>,
}

/// Of the next flight, of whatever kind.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self { open: Arc::default() }
    }
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// Joins the computation of `key`, or leads it where there is none.
    ///
    /// ```
    /// use headrace::cache::{EntryKey, Flights, Joined};
    /// let flights = Flights::<u32>::default();
    /// let key = EntryKey::of("default", None, "slow question");
    /// let Joined::Leader(flight) = flights.join(key) else { unreachable!() };
    /// assert!(matches!(flights.join(key), Joined::Waiter(_)));
    /// flight.land(42);
    /// assert!(matches!(flights.join(key), Joined::Leader(_)));
    /// ```
    pub fn join(&self, key: EntryKey) -> Joined<T> {
        let process = crate::process::id();
        let lead = || {
            let (sender, answer) = watch::channel(None);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            (Flight { key, number, answer: sender, flights: self.clone() }, Underway { number, process, answer })
        };
        let _inside = enter();
        match self.open.entry(key) {
            Entry::Occupied(open) if open.get().process == process => {
                let Underway { number, answer, .. } = open.get();
                Joined::Waiter(Waiter { number: *number, answer: answer.clone() })
            }
            // Its leader is a thread of the process that this one was forked from.
            Entry::Occupied(mut orphaned) => {
                let (flight, underway) = lead();
                std::mem::forget(orphaned.insert(underway));
                Joined::Leader(flight)
            }
            Entry::Vacant(place) => {
                let (flight, underway) = lead();
                place.insert(underway);
                Joined::Leader(flight)
            }
        }
    }

    /// Waits for the computation of `key`, where there is one.
    pub fn waiter(&self, key: EntryKey) -> Option<Waiter<T>> {
        let _inside = enter();
        let open = self.open.get(&key).filter(|open| open.process == crate::process::id())?;
        Some(Waiter { number: open.number, answer: open.answer.clone() })
    }

    /// How many computations are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        let _inside = enter();
        self.open.len()
    }

    /// Whether none is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    /// What tells it from all other flights of this process.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Gives the whole answer to all who wait, and ends the flight.
    pub fn land(self, answer: T) {
        self.answer.send_replace(Some(answer));
    }

    /// Lands with an answer; a failure is the leader's own, and sends the others to go themselves.
    ///
    /// ```
    /// use headrace::cache::{EntryKey, Flights, Joined};
    /// let flights = Flights::<u32>::default();
    /// let key = EntryKey::of("default", None, "question");
    /// let (Joined::Leader(flight), Joined::Waiter(mut waiter)) = (flights.join(key), flights.join(key)) else { panic!() };
    /// flight.land_if(&Err::<u32, _>("over budget"));
    /// assert_eq!(headrace::blocking::block_on(waiter.wait()), None);
    /// assert!(matches!(flights.join(key), Joined::Leader(_)));
    /// ```
    pub fn land_if<E>(self, result: &Result<T, E>) {
        if let Ok(answer) = result {
            self.land(answer.clone());
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Drop for Flight<T> {
    fn drop(&mut self) {
        let _inside = enter();
        // Before the sender goes: who then finds it closed and joins again must not meet this flight.
        self.flights.open.remove_if(&self.key, |_, open| open.number == self.number);
    }
}

impl<T: Clone + Send + Sync + 'static> Waiter<T> {
    /// The number of the flight that it waits for.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The leader's answer; None where it failed or left: go yourself, by joining again.
    pub async fn wait(&mut self) -> Option<T> {
        self.answer.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    fn key() -> EntryKey {
        EntryKey::of("t", None, "p")
    }

    #[tokio::test]
    async fn all_waiters_get_what_the_leader_lands() {
        let flights = Flights::<u32>::default();
        let Joined::Leader(flight) = flights.join(key()) else { panic!("first leads") };
        let waits: Vec<_> = (0..50)
            .map(|_| match flights.join(key()) {
                Joined::Waiter(mut waiter) => tokio::spawn(async move { waiter.wait().await }),
                Joined::Leader(_) => panic!("one leads"),
            })
            .collect();
        flight.land(7);
        for wait in waits {
            assert_eq!(wait.await.unwrap(), Some(7));
        }
    }

    /// How a caller's own computation ends, if it comes to lead.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Ends {
        Answers,
        Refused,
        Leaves,
    }

    enum At {
        Outside,
        Leads(Flight<usize>),
        Waits(Pin<Box<dyn Future<Output = Option<usize>>>>),
        Done(Option<usize>),
    }

    /// One caller a step further; false where it can only wait.
    fn step(at: &mut At, own: usize, ends: Ends, flights: &Flights<usize>) -> bool {
        let place = std::mem::replace(at, At::Outside);
        *at = match place {
            At::Outside => match flights.join(key()) {
                Joined::Leader(flight) => At::Leads(flight),
                Joined::Waiter(mut waiter) => At::Waits(Box::pin(async move { waiter.wait().await })),
            },
            At::Leads(flight) => match ends {
                Ends::Answers => {
                    flight.land_if(&Ok::<_, ()>(own));
                    At::Done(Some(own))
                }
                Ends::Refused => {
                    flight.land_if(&Err(()));
                    At::Done(None)
                }
                Ends::Leaves => {
                    drop(flight);
                    At::Done(None)
                }
            },
            At::Waits(mut wait) => match wait.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Some(answer)) => At::Done(Some(answer)),
                Poll::Ready(None) => At::Outside,
                Poll::Pending => {
                    *at = At::Waits(wait);
                    return false;
                }
            },
            done @ At::Done(_) => {
                *at = done;
                return false;
            }
        };
        true
    }

    /// How all stand after a schedule; at each of its steps at most one leads, and no flight is without a leader.
    fn replay(schedule: &[usize], ends: &[Ends]) -> (Flights<usize>, Vec<At>) {
        let flights = Flights::default();
        let mut callers: Vec<At> = ends.iter().map(|_| At::Outside).collect();
        for &caller in schedule {
            step(&mut callers[caller], caller, ends[caller], &flights);
            let leads = callers.iter().filter(|at| matches!(at, At::Leads(_))).count();
            assert!(leads <= 1, "{schedule:?}: {leads} lead at once");
            assert_eq!(flights.len(), leads, "{schedule:?}: a flight without a leader");
        }
        (flights, callers)
    }

    fn can_go_on(schedule: &[usize], ends: &[Ends], caller: usize) -> bool {
        let (flights, mut callers) = replay(schedule, ends);
        step(&mut callers[caller], caller, ends[caller], &flights)
    }

    /// Every order of the steps of three callers, whatever their own computations come to.
    #[test]
    fn in_no_schedule_is_a_refusal_shared_or_anybody_left_waiting() {
        let kinds = [Ends::Answers, Ends::Refused, Ends::Leaves];
        let mut seen = 0;
        for number in 0..27 {
            let ends = [kinds[number % 3], kinds[number / 3 % 3], kinds[number / 9]];
            let mut open = vec![Vec::new()];
            while let Some(schedule) = open.pop() {
                let able: Vec<_> = (0..3).filter(|&caller| can_go_on(&schedule, &ends, caller)).collect();
                if able.is_empty() {
                    check_end(&schedule, &ends);
                    seen += 1;
                }
                open.extend(able.into_iter().map(|caller| [&schedule[..], &[caller]].concat()));
            }
        }
        assert!(seen > 1000, "{seen} schedules");
    }

    fn check_end(schedule: &[usize], ends: &[Ends]) {
        let (_, callers) = replay(schedule, ends);
        for (caller, at) in callers.iter().enumerate() {
            match (at, ends[caller]) {
                (At::Done(Some(leader)), _) => {
                    assert_eq!(ends[*leader], Ends::Answers, "{schedule:?}: {caller} was given a refusal");
                }
                // Only its own refusal reaches a caller.
                (At::Done(None), Ends::Refused | Ends::Leaves) => {}
                _ => panic!("{schedule:?}: {caller} of {ends:?} did not come to an end"),
            }
        }
    }
}
