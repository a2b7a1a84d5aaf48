//! What must hold of the files in a folder, after what was told of some steps.

use crate::script::{Deed, MODEL, Open, SAVED, SLOTS, START, Told, is_tagged, number, question, usage};
use headrace::cache::{CacheConfig, LookupRequest, SemanticCache};
use headrace::cost::money::Money;
use headrace::cost::{Call, Filter};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// The effects of some steps together.
#[derive(Debug, Default)]
struct Effects {
    put: BTreeSet<u64>,
    acked: BTreeSet<u64>,
    booked: usize,
    budget: bool,
    saved: bool,
}

impl Effects {
    fn of(deeds: impl Iterator<Item = Deed>) -> Self {
        let mut effects = Self::default();
        for deed in deeds {
            match deed {
                Deed::Put(number) => drop(effects.put.insert(number)),
                Deed::Ack(number) => drop(effects.acked.insert(number)),
                Deed::Book => effects.booked += 1,
                Deed::Budget => effects.budget = true,
                Deed::Save => effects.saved = true,
                _ => {}
            }
        }
        effects
    }
}

/// What a question may be answered with, after steps of which some may or may not have come about.
#[derive(Debug, Clone)]
struct Answers {
    now: BTreeSet<Option<u64>>,
    saved: BTreeSet<Option<u64>>,
}

impl Answers {
    fn of(slot: u64, deeds: &[(Deed, bool)]) -> Self {
        let nothing = BTreeSet::from([None]);
        let mut answers = Self { now: nothing.clone(), saved: nothing };
        for (deed, is_sure) in deeds {
            let after = match deed {
                Deed::Keep(kept, answer) if *kept == slot => Some(*answer),
                Deed::Reject(gone) | Deed::Delete(gone) if *gone == slot => None,
                Deed::Invalidate(tag) if is_tagged(slot, *tag) => None,
                Deed::Save if *is_sure => {
                    answers.saved = answers.now.clone();
                    continue;
                }
                Deed::Save => {
                    answers.saved.extend(&answers.now);
                    continue;
                }
                _ => continue,
            };
            if *is_sure {
                answers.now.clear();
            }
            answers.now.insert(after);
        }
        answers
    }
}

impl Told {
    /// After a crash: what was done by then was promised, the step that ran may have come as far.
    pub fn check_crash(&self, folder: &Path, done: usize, what: &str) {
        let mut deeds = self.deeds[..(done + 1).min(self.deeds.len())].to_vec();
        if let Some((_, is_sure)) = deeds.get_mut(done) {
            *is_sure = false;
        }
        check(folder, &deeds, what);
    }

    /// After faults: what was answered well was promised, everything may have come as far.
    pub fn check_told(&self, folder: &Path, what: &str) {
        check(folder, &self.deeds, what);
    }
}

fn check(folder: &Path, deeds: &[(Deed, bool)], what: &str) {
    let promised = Effects::of(deeds.iter().filter(|(_, is_sure)| *is_sure).map(|(deed, _)| *deed));
    let tried = Effects::of(deeds.iter().map(|(deed, _)| *deed));
    // An hour later every lease is over.
    let open = Open::reopen(folder, START + Duration::from_hours(1)).unwrap_or_else(|error| panic!("{what}: {error}"));
    queue(&open, &promised, &tried, what);
    ledger(&open, &promised, &tried, what);
    cache(&open.cache, what, |slot| Answers::of(slot, deeds).now);
    if promised.saved || folder.join(SAVED).exists() {
        let saved = SemanticCache::open(CacheConfig::default()).unwrap();
        saved.load(&folder.join(SAVED)).unwrap_or_else(|error| panic!("{what}: {error}"));
        // What failed to be kept may be missing in the cache that was saved.
        let is_doubtful = deeds.iter().any(|(_, is_sure)| !is_sure);
        cache(&saved, &format!("{what}, saved"), |slot| {
            let mut answers = Answers::of(slot, deeds).saved;
            answers.extend(is_doubtful.then_some(None));
            answers
        });
    }
}

fn queue(open: &Open, promised: &Effects, tried: &Effects, what: &str) {
    let mut found = BTreeSet::new();
    while !open.queue.is_empty().unwrap() {
        let lease = open.wait(open.queue.get_async(None)).unwrap_or_else(|error| panic!("{what}: {error}"));
        let number = number(lease.payload());
        assert!(found.insert(number), "{what}: {number} came twice");
        open.wait(lease.ack_async(None, None)).unwrap();
    }
    let owed: BTreeSet<_> = promised.put.difference(&tried.acked).copied().collect();
    assert!(owed.is_subset(&found), "{what}: lost {:?}", owed.difference(&found));
    let known: BTreeSet<_> = tried.put.difference(&promised.acked).copied().collect();
    assert!(found.is_subset(&known), "{what}: invented, or acked before: {:?}", found.difference(&known));
}

fn ledger(open: &Open, promised: &Effects, tried: &Effects, what: &str) {
    let records = open.costs.records(&Filter::default(), None, false).wait().unwrap();
    assert!((promised.booked..=tried.booked).contains(&records.len()), "{what}: {} records", records.len());
    let one = open.costs.quote(Call::new(MODEL, &usage()), &open.who).unwrap().amount;
    let total = Money::from_attodollars(one.attodollars() * records.len() as i128);
    assert_eq!(open.costs.total(&Filter::default()).wait().unwrap(), total, "{what}");
    let budgets = open.costs.budgets().wait().unwrap();
    assert!(budgets.len() >= usize::from(promised.budget) && budgets.len() <= usize::from(tried.budget), "{what}");
    for budget in budgets {
        assert_eq!((budget.taken.spent, budget.taken.reserved), (total, Money::default()), "{what}");
    }
}

fn cache(cache: &SemanticCache, what: &str, allowed: impl Fn(u64) -> BTreeSet<Option<u64>>) {
    for slot in 0..SLOTS {
        let hit = cache.lookup_exact(&LookupRequest::new(&question(slot)));
        let (found, allowed) = (hit.map(|hit| number(hit.response())), allowed(slot));
        assert!(allowed.contains(&found), "{what}: question {slot} has {found:?} in place of one of {allowed:?}");
    }
    assert_eq!(cache.stats().damaged, 0, "{what}");
}
