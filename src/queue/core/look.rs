//! What the state says of itself.

use super::super::entry::{DeadLetter, RequestId, State, Status};
use super::super::flow::FlowId;
use super::super::options::PutOptions;
use super::super::owner::NOBODY;
use super::Core;
use crate::{Error, Payload, Result};
use std::sync::Arc;

impl Core {
    pub(in crate::queue) fn open_count(&self) -> usize {
        self.count(Status::Waiting) + self.count(Status::Scheduled) + self.count(Status::Leased)
    }

    /// How many may be handed out, if their limits let them through.
    pub(in crate::queue) fn ready_count(&self) -> usize {
        self.schedule.len()
    }

    pub(in crate::queue) fn count(&self, status: Status) -> usize {
        self.counts[status as usize] + self.finished.count(status)
    }

    pub(in crate::queue) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(in crate::queue) fn status(&self, id: u64) -> Option<Status> {
        self.entries.get(id).map(|entry| entry.state.status()).or_else(|| self.finished.status(id))
    }

    /// The id that a key was given, if it is remembered.
    pub(in crate::queue) fn id_of_key(&self, key: &str) -> Option<u64> {
        self.keys.get(key).copied()
    }

    /// Whether `count` more requests of `bytes` in all fit now.
    pub(in crate::queue) fn has_room(&self, count: usize, bytes: usize) -> bool {
        self.config.max_size.is_none_or(|most| self.open_count() + count <= most)
            && self.config.max_bytes.is_none_or(|most| self.bytes + bytes <= most)
    }

    /// Whether they would fit into an empty queue.
    pub(in crate::queue) fn fits_ever(&self, count: usize, bytes: usize) -> bool {
        self.config.max_size.is_none_or(|most| count <= most) && self.config.max_bytes.is_none_or(|most| bytes <= most)
    }

    /// The error of a put that found no room.
    pub(in crate::queue) fn full(&self) -> Error {
        self.full_at(self.open_count(), self.bytes)
    }

    /// The same where a server says how much it holds.
    pub(in crate::queue) fn full_at(&self, open: usize, bytes: usize) -> Error {
        Error::QueueFull(format!(
            "queue {:?} holds {open} requests and {bytes} bytes (max_size {:?}, max_bytes {:?}): wait with timeout=, get and ack some, or raise the bound",
            self.config.name, self.config.max_size, self.config.max_bytes
        ))
    }

    /// The result of a finished request: None while it is open.
    pub(in crate::queue) fn outcome(&self, id: u64) -> Option<Result<Option<Payload>>> {
        match self.status(id) {
            None => Some(Err(unknown(id))),
            Some(Status::Done) => Some(Ok(self.finished.result(id).cloned())),
            Some(Status::Cancelled) => {
                Some(Err(Error::RequestCancelled(format!("request {} was cancelled", RequestId(id)))))
            }
            Some(Status::Dead) => self.entries.get(id).map(|entry| {
                let reason = entry.history().last().map_or("unknown", |failure| failure.error.as_str());
                Err(Error::RequestFailed(format!(
                    "request {} is dead after {} attempts: {reason}; see dead(), or put it back with requeue()",
                    RequestId(id),
                    entry.attempt
                )))
            }),
            Some(_) => None,
        }
    }

    pub(in crate::queue) fn dead(&self) -> Vec<DeadLetter> {
        let dead = self.entries.iter().filter(|(_, entry)| entry.state == State::Dead);
        let mut letters: Vec<_> = dead
            .map(|(id, entry)| DeadLetter {
                id: RequestId(id),
                payload: entry.payload.clone(),
                priority: entry.priority,
                tenant: self.flows.tenant(entry.flow).clone(),
                reason: entry.history().last().map(|failure| failure.error.clone()).unwrap_or_default(),
                history: entry.history().to_vec(),
            })
            .collect();
        letters.sort_by_key(|letter| letter.id);
        letters
    }

    /// The flow of what a server keeps: of it, a handle knows the tenant alone.
    pub(in crate::queue) fn flow_of(&mut self, tenant: &str) -> FlowId {
        let options = PutOptions { tenant: Some(Arc::from(tenant)), ..PutOptions::default() };
        self.flows.id_of(&options, NOBODY, &mut self.limiter)
    }

    pub(in crate::queue) fn tenant(&self, flow: FlowId) -> Arc<str> {
        self.flows.tenant(flow).clone()
    }

    /// Open requests by priority and by tenant.
    pub(in crate::queue) fn breakdown(&self) -> ([usize; 4], Vec<(Arc<str>, usize)>) {
        let (mut priorities, mut tenants) = ([0; 4], vec![0; self.flows.tenants().count()]);
        for (_, entry) in self.entries.iter().filter(|(_, entry)| entry.state != State::Dead) {
            priorities[entry.priority.index()] += 1;
            tenants[entry.flow.tenant as usize] += 1;
        }
        let named = self.flows.tenants().cloned().zip(tenants).filter(|(_, count)| *count > 0).collect();
        (priorities, named)
    }
}

pub(in crate::queue) fn unknown(id: u64) -> Error {
    Error::invalid(format!("request {} is unknown: it was never put here, or was kept as long as set", RequestId(id)))
}
