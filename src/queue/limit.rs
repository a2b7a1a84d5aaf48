//! Limits where requests leave the queue: concurrency, requests and tokens in any 60 seconds.
//!
//! Rates are counted over a sliding window, so that no 60 seconds hold more than the limit; a token bucket would let
//! twice as much through around a boundary. Tokens are reserved as estimated and corrected when the lease is settled.

use super::moment::Moment;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

const WINDOW: Duration = Duration::from_mins(1);

/// A rule of this name holds for each provider, model or tenant that has no rule of its own, also those yet unknown.
const EACH: &str = "*";

/// What a limit looks at. The name `*` is each of them: every one has the limit for itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LimitScope {
    /// Everything that leaves the queue.
    Global,
    /// What goes to one provider.
    Provider(Arc<str>),
    /// What goes to one model.
    Model(Arc<str>),
    /// What one tenant sends.
    Tenant(Arc<str>),
}

/// One rule; a `None` is no limit.
#[derive(Debug, Clone)]
pub struct LimitRule {
    /// What it looks at.
    pub scope: LimitScope,
    /// The most leases at once.
    pub concurrency: Option<u64>,
    /// The most requests in any 60 seconds.
    pub requests_per_minute: Option<u64>,
    /// The most tokens in any 60 seconds.
    pub tokens_per_minute: Option<u64>,
}

/// What a request counts against: who sends it, where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Flow {
    /// The one handle that may take it, 0 where any may.
    pub(super) owner: u64,
    pub(super) tenant: Arc<str>,
    pub(super) provider: Option<Arc<str>>,
    pub(super) model: Option<Arc<str>>,
}

/// The limits that apply to a flow, by their place in `Limiter::gauges`.
pub(super) type Gauges = Arc<[usize]>;

#[derive(Debug)]
struct Gauge {
    rule: LimitRule,
    active: u64,
    /// Kept free for requests whose turn comes before: how many, and their tokens.
    held: (u64, u64),
    grants: VecDeque<Grant>,
    tokens: u64,
}

#[derive(Debug)]
struct Grant {
    at: Moment,
    request: u64,
    tokens: u64,
}

impl LimitScope {
    /// The rule that holds where this scope has none of its own.
    fn each(&self) -> Option<Self> {
        match self {
            Self::Global => None,
            Self::Provider(_) => Some(Self::Provider(EACH.into())),
            Self::Model(_) => Some(Self::Model(EACH.into())),
            Self::Tenant(_) => Some(Self::Tenant(EACH.into())),
        }
    }
}

impl Gauge {
    fn new(rule: LimitRule) -> Self {
        Self { rule, active: 0, held: (0, 0), grants: VecDeque::new(), tokens: 0 }
    }

    fn forget_before(&mut self, now: Moment) {
        while self.grants.front().is_some_and(|grant| grant.at.plus(WINDOW) <= now) {
            if let Some(grant) = self.grants.pop_front() {
                self.tokens -= grant.tokens;
            }
        }
    }

    fn admits(&self, tokens: u64) -> bool {
        let below = |limit: Option<u64>, used: u64| limit.is_none_or(|limit| used < limit);
        // A request that alone takes more than the limit passes when it is alone: else it would wait for ever.
        let tokens_fit = self.rule.tokens_per_minute.is_none_or(|limit| {
            let used = self.tokens.saturating_add(self.held.1);
            used.saturating_add(tokens) <= limit || (self.grants.is_empty() && self.held.0 == 0 && tokens > limit)
        });
        below(self.rule.concurrency, self.active + self.held.0)
            && below(self.rule.requests_per_minute, self.grants.len() as u64 + self.held.0)
            && tokens_fit
    }

    fn is_rate(&self) -> bool {
        self.rule.requests_per_minute.is_some() || self.rule.tokens_per_minute.is_some()
    }
}

/// All rules of a queue and what counts against them now.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    gauges: Vec<Gauge>,
    by_scope: HashMap<LimitScope, usize>,
    /// Bounds that change as it goes, by provider.
    throttles: HashMap<Arc<str>, usize>,
}

impl Limiter {
    pub(super) fn new(rules: &[LimitRule]) -> Self {
        let mut limiter = Self::default();
        for rule in rules {
            limiter.by_scope.insert(rule.scope.clone(), limiter.gauges.len());
            limiter.gauges.push(Gauge::new(rule.clone()));
        }
        limiter
    }

    /// Which rules a flow counts against.
    pub(super) fn gauges_of(&mut self, flow: &Flow) -> Gauges {
        let mut scopes = vec![LimitScope::Global, LimitScope::Tenant(flow.tenant.clone())];
        scopes.extend(flow.provider.clone().map(LimitScope::Provider));
        scopes.extend(flow.model.clone().map(LimitScope::Model));
        let mut gauges: Vec<usize> = scopes.into_iter().filter_map(|scope| self.gauge_of(scope)).collect();
        gauges.extend(flow.provider.as_ref().and_then(|provider| self.throttles.get(provider)));
        gauges.into()
    }

    /// Bounds what goes to a provider at once; whether that is a new bound, which no flow counts against yet.
    pub(super) fn throttle(&mut self, provider: Arc<str>, most: u64) -> bool {
        let concurrency = Some(most);
        if let Some(&known) = self.throttles.get(&provider) {
            self.gauges[known].rule.concurrency = concurrency;
            return false;
        }
        let scope = LimitScope::Provider(Arc::clone(&provider));
        let rule = LimitRule { scope, concurrency, requests_per_minute: None, tokens_per_minute: None };
        self.throttles.insert(provider, self.gauges.len());
        self.gauges.push(Gauge::new(rule));
        true
    }

    /// The place of a scope's rule: its own, or its own copy of the one that holds for each.
    fn gauge_of(&mut self, scope: LimitScope) -> Option<usize> {
        if let Some(&own) = self.by_scope.get(&scope) {
            return Some(own);
        }
        let each = *self.by_scope.get(&scope.each()?)?;
        let rule = LimitRule { scope: scope.clone(), ..self.gauges[each].rule.clone() };
        self.by_scope.insert(scope, self.gauges.len());
        self.gauges.push(Gauge::new(rule));
        Some(self.gauges.len() - 1)
    }

    /// Whether a request with that many tokens may leave now.
    pub(super) fn admits(&mut self, gauges: &[usize], tokens: u64, now: Moment) -> bool {
        gauges.iter().all(|&index| {
            self.gauges.get_mut(index).is_none_or(|gauge| {
                gauge.forget_before(now);
                gauge.admits(tokens)
            })
        })
    }

    /// Keeps room for a request whose turn comes first, until `release`.
    pub(super) fn hold(&mut self, gauges: &[usize], tokens: u64) {
        for &index in gauges {
            if let Some(gauge) = self.gauges.get_mut(index) {
                gauge.held.0 += 1;
                gauge.held.1 = gauge.held.1.saturating_add(tokens);
            }
        }
    }

    /// Ends all that is held.
    pub(super) fn release(&mut self) {
        for gauge in &mut self.gauges {
            gauge.held = (0, 0);
        }
    }

    /// Counts a lease that another process holds.
    pub(super) fn occupy(&mut self, gauges: &[usize]) {
        for &index in gauges {
            if let Some(gauge) = self.gauges.get_mut(index) {
                gauge.active += 1;
            }
        }
    }

    /// Counts a request that left elsewhere against the rates.
    pub(super) fn grant(&mut self, gauges: &[usize], request: u64, tokens: u64, at: Moment) {
        for &index in gauges {
            if let Some(gauge) = self.gauges.get_mut(index)
                && gauge.is_rate()
            {
                gauge.tokens += tokens;
                gauge.grants.push_back(Grant { at, request, tokens });
            }
        }
    }

    /// Counts a request that leaves.
    pub(super) fn take(&mut self, gauges: &[usize], request: u64, tokens: u64, now: Moment) {
        for &index in gauges {
            if let Some(gauge) = self.gauges.get_mut(index) {
                gauge.active += 1;
                if gauge.is_rate() {
                    gauge.tokens += tokens;
                    gauge.grants.push_back(Grant { at: now, request, tokens });
                }
            }
        }
    }

    /// Ends a lease; `actual` tokens replace the estimate where they are known.
    pub(super) fn settle(&mut self, gauges: &[usize], request: u64, actual: Option<u64>) {
        for &index in gauges {
            let Some(gauge) = self.gauges.get_mut(index) else { continue };
            gauge.active = gauge.active.saturating_sub(1);
            let Some(actual) = actual else { continue };
            if let Some(grant) = gauge.grants.iter_mut().rev().find(|grant| grant.request == request) {
                gauge.tokens = gauge.tokens - grant.tokens + actual;
                grant.tokens = actual;
            }
        }
    }

    /// When the oldest grant leaves a window, and with it some room comes.
    pub(super) fn next_room(&self) -> Option<Moment> {
        self.gauges.iter().filter_map(|gauge| gauge.grants.front()).map(|grant| grant.at.plus(WINDOW)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(requests: Option<u64>, tokens: Option<u64>) -> LimitRule {
        LimitRule {
            scope: LimitScope::Global,
            concurrency: None,
            requests_per_minute: requests,
            tokens_per_minute: tokens,
        }
    }

    proptest! {
        #[test]
        fn no_sixty_seconds_hold_more_than_the_limit(
            limit in 1_u64..20,
            gaps in prop::collection::vec(0_u64..20_000, 1..200),
        ) {
            let mut limiter = Limiter::new(&[rule(Some(limit), None)]);
            let gauges = limiter.gauges_of(&Flow::default());
            let (mut now, mut left) = (0_u64, Vec::new());
            for (request, gap) in gaps.into_iter().enumerate() {
                now += gap;
                let at = Moment::from(Duration::from_millis(now));
                if limiter.admits(&gauges, 0, at) {
                    limiter.take(&gauges, request as u64, 0, at);
                    left.push(now);
                }
            }
            for &start in &left {
                let inside = left.iter().filter(|&&at| at >= start && at < start + 60_000).count();
                prop_assert!(inside as u64 <= limit);
            }
        }
    }

    #[test]
    fn a_rule_for_each_is_a_limit_a_name_and_yields_to_a_names_own() {
        let of_tenant = |name: &str, concurrency| LimitRule {
            scope: LimitScope::Tenant(name.into()),
            concurrency: Some(concurrency),
            ..rule(None, None)
        };
        let mut limiter = Limiter::new(&[of_tenant("*", 1), of_tenant("acme", 2)]);
        for (tenant, most) in [("acme", 2), ("new", 1), ("newer", 1)] {
            let flow = Flow { tenant: tenant.into(), ..Flow::default() };
            let gauges = limiter.gauges_of(&flow);
            for request in 0..most {
                assert!(limiter.admits(&gauges, 0, Moment::default()), "{tenant}");
                limiter.take(&gauges, request, 0, Moment::default());
            }
            assert!(!limiter.admits(&gauges, 0, Moment::default()), "{tenant}");
            assert_eq!(limiter.gauges_of(&flow), gauges);
        }
    }

    #[test]
    fn settling_gives_back_what_was_estimated_too_high() {
        let mut limiter = Limiter::new(&[rule(None, Some(100))]);
        let gauges = limiter.gauges_of(&Flow::default());
        limiter.take(&gauges, 1, 90, Moment::default());
        assert!(!limiter.admits(&gauges, 20, Moment::default()));
        limiter.settle(&gauges, 1, Some(10));
        assert!(limiter.admits(&gauges, 90, Moment::default()));
        assert!(!limiter.admits(&gauges, 91, Moment::default()));
    }
}
