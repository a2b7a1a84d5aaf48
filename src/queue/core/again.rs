//! A turn of one's own: how its holder pauses it, and how it ends with its holder.

use super::super::entry::State;
use super::super::moment::Moment;
use super::super::options::PutOptions;
use super::super::owner::{NOBODY, Taker, Who};
use super::Core;
use super::leave::lost;
use crate::Result;
use std::sync::Arc;
use std::time::Duration;

/// Where a request goes when it is tried again; None: where it went before.
#[derive(Debug, Clone, Default)]
pub(in crate::queue) struct Route {
    pub(in crate::queue) provider: Option<Arc<str>>,
    pub(in crate::queue) model: Option<Arc<str>>,
    pub(in crate::queue) tokens: Option<u64>,
}

impl Core {
    /// Makes a leased request wait again, in its place in line; that counts against nothing but the limits.
    pub(in crate::queue) fn wait_again(
        &mut self,
        id: u64,
        attempt: u32,
        delay: Duration,
        route: &Route,
        used_tokens: Option<u64>,
        now: Moment,
    ) -> Result<()> {
        self.check_lease(id, attempt, now)?;
        let Some(mut entry) = self.take_open(id, used_tokens, now) else { return Err(lost(id, attempt)) };
        entry.max_attempts = entry.max_attempts.saturating_add(1);
        entry.ready_at = now.plus(delay);
        entry.tokens = route.tokens.unwrap_or(entry.tokens);
        if route.provider.is_some() || route.model.is_some() {
            let (provider, model) = self.flows.route(entry.flow);
            let options = PutOptions {
                tenant: Some(self.flows.tenant(entry.flow).clone()),
                provider: route.provider.clone().or(provider),
                model: route.model.clone().or(model),
                ..PutOptions::default()
            };
            entry.flow = self.flows.id_of(&options, self.flows.owner(entry.flow), &mut self.limiter);
        }
        self.meters.retried += 1;
        self.make_ready(id, &mut entry, now);
        self.entries.insert(id, entry);
        Ok(())
    }

    /// Whether a turn could be given to `who` now.
    pub(in crate::queue) fn has_turn(&mut self, now: Moment, who: Who) -> bool {
        let taker = Taker { who, owners: &self.owners, now };
        !self.paused && self.schedule.has_next(now, &self.flows, &mut self.limiter, taker)
    }

    /// Whether a handle has open requests of its own.
    pub(in crate::queue) fn has_owned(&self, owner: u64) -> bool {
        self.entries.iter().any(|(_, entry)| entry.state != State::Dead && self.flows.owner(entry.flow) == owner)
    }

    /// Cancels an open request whose caller left, wherever it is; whether it was open.
    pub(in crate::queue) fn leave(&mut self, id: u64, used_tokens: Option<u64>, now: Moment) -> bool {
        let Some(entry) = self.take_open(id, used_tokens, now) else { return false };
        self.finish(id, entry, super::Status::Cancelled, None, now);
        true
    }

    /// Cancels what another process put for itself: a forked child has a copy of it, and none of its callers.
    pub(in crate::queue) fn leave_all_but(&mut self, owner: u64, now: Moment) {
        let inherited: Vec<u64> = self
            .entries
            .iter()
            .filter(|(_, entry)| ![NOBODY, owner].contains(&self.flows.owner(entry.flow)))
            .map(|(id, _)| id)
            .collect();
        for id in inherited {
            self.leave(id, None, now);
        }
    }
}
