//! How a copy follows what other processes do: what left there, and who of them lives.

use super::super::entry::State;
use super::super::moment::Moment;
use super::super::options::PutOptions;
use super::{Core, HandedOut, Status, Transition};
use std::sync::Arc;

/// Requests that left together on one way: each with the tokens that it was expected to take.
#[derive(Debug, Clone)]
pub(in crate::queue) struct Departure {
    pub(in crate::queue) owner: u64,
    pub(in crate::queue) tenant: Arc<str>,
    pub(in crate::queue) provider: Option<Arc<str>>,
    pub(in crate::queue) model: Option<Arc<str>>,
    pub(in crate::queue) class: u8,
    pub(in crate::queue) requests: Vec<(u64, u64)>,
}

impl Departure {
    /// Adds a request to those that took the same way just before it.
    pub(in crate::queue) fn add(all: &mut Vec<Self>, core: &Core, handed: &HandedOut) {
        let (provider, model) = core.flows.route(handed.flow);
        let (tenant, owner) = (core.flows.tenant(handed.flow), core.flows.owner(handed.flow));
        let request = (handed.id, handed.tokens);
        if let Some(last) = all.last_mut()
            && last.class == handed.class
            && last.owner == owner
            && last.tenant == *tenant
            && last.provider == provider
            && last.model == model
        {
            return last.requests.push(request);
        }
        let tenant = tenant.clone();
        all.push(Self { owner, tenant, provider, model, class: handed.class, requests: vec![request] });
    }
}

impl Core {
    /// Forgets all requests, to be told of them again. What this process has counted stays.
    pub(in crate::queue) fn start_anew(&mut self) {
        let (meters, closed) = (std::mem::take(&mut self.meters), self.closed);
        *self = Self { meters, closed, ..Self::new(self.config.clone()) };
    }

    /// Counts what left through another process against rates and turns.
    pub(in crate::queue) fn note_taken(&mut self, taken: &Departure, at: Moment) {
        let options = PutOptions {
            tenant: Some(taken.tenant.clone()),
            provider: taken.provider.clone(),
            model: taken.model.clone(),
            ..PutOptions::default()
        };
        let flow = self.flows.id_of(&options, taken.owner, &mut self.limiter);
        let stride = self.flows.stride(flow.tenant);
        for (id, tokens) in &taken.requests {
            self.limiter.grant(self.flows.gauges(flow), *id, *tokens, at);
            self.schedule.note_turn(usize::from(taken.class), flow.tenant, stride);
        }
    }

    /// How the leases of a handle end that has been silent for too long.
    pub(in crate::queue) fn leases_of(&self, owner: u64, now: Moment) -> Vec<Transition> {
        let leased = self
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry.state, State::Leased { .. }) && self.flows.owner(entry.flow) == owner);
        let mut ends: Vec<_> = leased
            .map(|(id, entry)| {
                let last = entry.attempt >= entry.max_attempts;
                let status = if last { Status::Dead } else { Status::Waiting };
                self.plan(id, status, Some("its process ended"), now, now.nanos() / 1_000_000)
            })
            .collect();
        ends.sort_unstable_by_key(|transition| transition.id);
        ends
    }

    /// Gives up a request for a reason.
    pub(in crate::queue) fn plan_dead(&self, id: u64, reason: &str, now: Moment) -> Transition {
        self.plan(id, Status::Dead, Some(reason), now, now.nanos() / 1_000_000)
    }

    /// Makes a leased request another handle's.
    pub(in crate::queue) fn inherit(&mut self, id: u64, heir: u64) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let (provider, model) = self.flows.route(entry.flow);
        let tenant = Some(self.flows.tenant(entry.flow).clone());
        let options = PutOptions { tenant, provider, model, ..PutOptions::default() };
        entry.flow = self.flows.id_of(&options, heir, &mut self.limiter);
    }
}
