//! The order in which ready requests leave: class by class, tenants in turns by weight, oldest first.
//!
//! A request that waits rises one class every `ageing`. Its place inside a class is its place in time, whatever class
//! it came from: a queue per class and tenant keeps lanes for each priority it was put with, every lane in order, and
//! the oldest head goes first. Rising moves the head of a lane, so nothing is ever scanned.

use super::flow::{FlowId, Flows};
use super::lane::{CLASSES, FlowQueue, Lane, Ready};
use super::limit::Limiter;
use super::moment::Moment;
use super::owner::{Claim, Taker, Who};
use super::timers::Timers;
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Debug, Default)]
struct TenantQueue {
    flows: Vec<(u32, FlowQueue)>,
    pass: u64,
    waiting: usize,
    /// Whether `Class::turns` has it; an empty one leaves only when its turn comes.
    has_turn: bool,
}

impl TenantQueue {
    fn flow(&mut self, flow: u32) -> &mut FlowQueue {
        let place = self.flows.iter().position(|(index, _)| *index == flow).unwrap_or_else(|| {
            self.flows.push((flow, FlowQueue::default()));
            self.flows.len() - 1
        });
        &mut self.flows[place].1
    }
}

#[derive(Debug, Default)]
struct Class {
    /// By the tenant's index; grows as tenants come.
    tenants: Vec<TenantQueue>,
    /// Tenants with work, by whose turn it is.
    turns: BTreeSet<(u64, u32)>,
    /// The turn that was served last: a tenant that comes back starts here, not where it left off.
    served: u64,
    /// When the head of a regular lane is to rise.
    lanes_rising: Timers<(u32, u32, Lane)>,
    /// When a request of an irregular lane is to rise.
    rising: Timers<(u64, u32, u32, Lane)>,
    waiting: usize,
}

impl Class {
    fn seat(&mut self, tenant: u32) -> &mut TenantQueue {
        let index = tenant as usize;
        if self.tenants.len() <= index {
            self.tenants.resize_with(index + 1, TenantQueue::default);
        }
        let queue = &mut self.tenants[index];
        if queue.waiting == 0 {
            let pass = queue.pass.max(self.served);
            if queue.has_turn && pass != queue.pass {
                self.turns.remove(&(queue.pass, tenant));
                queue.has_turn = false;
            }
            queue.pass = pass;
            if !queue.has_turn {
                self.turns.insert((pass, tenant));
                queue.has_turn = true;
            }
        }
        queue
    }

    fn find(&self, flow: FlowId, lane: Lane, order: u64) -> Option<&Ready> {
        find(&self.tenants, flow, lane, order)
    }

    fn take(&mut self, flow: FlowId, from: impl FnOnce(&mut FlowQueue) -> Option<Ready>) -> Option<Ready> {
        let queue = self.tenants.get_mut(flow.tenant as usize)?;
        let ready = from(queue.flow(flow.flow))?;
        queue.waiting -= 1;
        self.waiting -= 1;
        Some(ready)
    }

    /// Ends the turns of tenants that have nothing left.
    fn dismiss_empty(&mut self) {
        while let Some(&(_, tenant)) = self.turns.first() {
            let queue = &mut self.tenants[tenant as usize];
            if queue.waiting > 0 {
                return;
            }
            queue.has_turn = false;
            self.turns.pop_first();
        }
    }

    /// The request whose turn it is, among those that their limits let through.
    fn choose(
        &self,
        now: Moment,
        flows: &Flows,
        limiter: &mut Limiter,
        taker: Taker<'_>,
    ) -> Option<(FlowId, Lane, Ready)> {
        if flows.any_owned() {
            return self.choose_for(now, flows, limiter, taker);
        }
        if taker.who != Who::Worker {
            return None;
        }
        self.turns.iter().find_map(|&(_, tenant)| {
            let queue = &self.tenants[tenant as usize];
            if let [(flow, only)] = &queue.flows[..] {
                let (flow, (lane, ready)) = (FlowId { flow: *flow, tenant }, only.oldest()?);
                return limiter.admits(flows.gauges(flow), ready.tokens, now).then_some((flow, lane, *ready));
            }
            let heads = queue.flows.iter().filter_map(|(flow, queue)| {
                let (lane, ready) = queue.oldest()?;
                Some((FlowId { flow: *flow, tenant }, lane, *ready))
            });
            heads
                .filter(|(flow, _, ready)| limiter.admits(flows.gauges(*flow), ready.tokens, now))
                .min_by_key(|(_, _, ready)| ready.order)
        })
    }

    /// The same where some requests are for one taker only. What is another's and comes first keeps its room.
    fn choose_for(
        &self,
        now: Moment,
        flows: &Flows,
        limiter: &mut Limiter,
        taker: Taker<'_>,
    ) -> Option<(FlowId, Lane, Ready)> {
        let mut heads = Vec::new();
        for &(_, tenant) in &self.turns {
            let of_flow = |(flow, queue): &(u32, FlowQueue)| {
                let (lane, ready) = queue.oldest()?;
                Some((FlowId { flow: *flow, tenant }, lane, *ready))
            };
            heads.clear();
            heads.extend(self.tenants[tenant as usize].flows.iter().filter_map(of_flow));
            heads.sort_unstable_by_key(|(_, _, ready)| ready.order);
            for &(flow, lane, ready) in &heads {
                let claim = taker.claim(flows.owner(flow));
                if claim == Claim::Idle || !limiter.admits(flows.gauges(flow), ready.tokens, now) {
                    continue;
                }
                if claim == Claim::Mine {
                    return Some((flow, lane, ready));
                }
                limiter.hold(flows.gauges(flow), ready.tokens);
            }
        }
        None
    }

    fn turn(&mut self, tenant: u32, stride: u64) {
        let alone = self.turns.len() == 1;
        let queue = &mut self.tenants[tenant as usize];
        self.served = self.served.max(queue.pass);
        if alone {
            return;
        }
        self.turns.remove(&(queue.pass, tenant));
        queue.pass += stride;
        self.turns.insert((queue.pass, tenant));
    }

    /// The same for a tenant that may have nothing left here.
    fn note_turn(&mut self, tenant: u32, stride: u64) {
        let index = tenant as usize;
        if self.tenants.len() <= index {
            self.tenants.resize_with(index + 1, TenantQueue::default);
        }
        let queue = &mut self.tenants[index];
        let before = queue.pass;
        if queue.waiting == 0 {
            queue.pass = before.max(self.served);
        }
        self.served = self.served.max(queue.pass);
        queue.pass += stride;
        if queue.has_turn {
            self.turns.remove(&(before, tenant));
            self.turns.insert((queue.pass, tenant));
        }
    }
}

/// The ready requests of a queue.
#[derive(Debug)]
pub(super) struct Schedule {
    classes: [Class; CLASSES],
    ageing: Duration,
    waiting: usize,
    /// Nothing rises before this.
    still_until: Moment,
}

impl Schedule {
    pub(super) fn new(ageing: Duration) -> Self {
        Self { classes: Default::default(), ageing, waiting: 0, still_until: Moment::NEVER }
    }

    /// The class of a request after waiting until `now`.
    fn class_at(&self, priority: usize, ready_at: Moment, now: Moment) -> usize {
        let waited = now.since(ready_at);
        if waited < self.ageing {
            return priority;
        }
        let risen = waited.as_nanos() / self.ageing.as_nanos().max(1);
        priority.saturating_sub(usize::try_from(risen).unwrap_or(CLASSES))
    }

    pub(super) fn insert(&mut self, flow: FlowId, priority: usize, ready: Ready, now: Moment) {
        let class = self.class_at(priority, ready.ready_at, now);
        self.place(class, flow, priority, ready);
    }

    fn place(&mut self, class: usize, flow: FlowId, priority: usize, ready: Ready) {
        let ready_at = ready.ready_at;
        let target = &mut self.classes[class];
        let queue = target.seat(flow.tenant);
        queue.waiting += 1;
        let queue = queue.flow(flow.flow);
        let lane = queue.insert(priority, ready);
        let starts = class > 0 && lane.is_regular() && !queue.has_timer(lane);
        if starts {
            queue.start_timer(lane, ready_at);
        }
        target.waiting += 1;
        self.waiting += 1;
        // Most wait behind one whose timer runs.
        if !starts && (class == 0 || lane.is_regular()) {
            return;
        }
        let due = rises_at(self.ageing, priority, class, ready_at);
        self.still_until = self.still_until.min(due);
        if starts {
            target.lanes_rising.push(due, (flow.flow, flow.tenant, lane), usize::MAX, |_, _| true);
        } else {
            let Class { tenants, rising, waiting, .. } = target;
            rising.push(
                due,
                (ready.order, flow.flow, flow.tenant, lane),
                *waiting,
                |_, (order, flow, tenant, lane)| find(tenants, FlowId { flow, tenant }, lane, order).is_some(),
            );
        }
    }

    /// Moves up what has waited long enough; the lowest class first, so that one can rise several at once.
    fn rise(&mut self, now: Moment) {
        if now < self.still_until {
            return;
        }
        for class in (1..CLASSES).rev() {
            if !self.classes[class].lanes_rising.is_due(now) && !self.classes[class].rising.is_due(now) {
                continue;
            }
            while let Some((_, (flow, tenant, lane))) = self.classes[class].lanes_rising.pop_due(now, |_, _| true) {
                self.rise_lane(class, FlowId { flow, tenant }, lane, now);
            }
            while let Some((_, (order, flow, tenant, lane))) = self.classes[class].rising.pop_due(now, |_, _| true) {
                let flow = FlowId { flow, tenant };
                // A request that was tried again keeps its place in line, and may meet the timer of its first wait.
                let still = self.classes[class].find(flow, lane, order).copied();
                if still.is_some_and(|ready| self.class_at(lane.priority(), ready.ready_at, now) < class) {
                    self.lift(class, flow, lane, order);
                }
            }
        }
        let timers = |class: &Class| [class.lanes_rising.next_due(), class.rising.next_due()];
        self.still_until = self.classes.iter().flat_map(timers).flatten().min().unwrap_or(Moment::NEVER);
    }

    fn rise_lane(&mut self, class: usize, flow: FlowId, lane: Lane, now: Moment) {
        loop {
            let Some(queue) = self.classes[class].tenants.get_mut(flow.tenant as usize) else { return };
            let queue = queue.flow(flow.flow);
            let Some(&head) = queue.front(lane) else { return queue.stop_timer(lane) };
            let due = rises_at(self.ageing, lane.priority(), class, head.ready_at);
            if due > now {
                queue.start_timer(lane, head.ready_at);
                let timers = &mut self.classes[class].lanes_rising;
                return timers.push(due, (flow.flow, flow.tenant, lane), usize::MAX, |_, _| true);
            }
            self.lift(class, flow, lane, head.order);
        }
    }

    fn lift(&mut self, class: usize, flow: FlowId, lane: Lane, order: u64) {
        if let Some(ready) = self.classes[class].take(flow, |queue| queue.take(lane, order)) {
            self.waiting -= 1;
            self.place(class - 1, flow, lane.priority(), ready);
        }
    }

    /// Takes the next request that is for `taker` and that its limits let through.
    pub(super) fn pop(
        &mut self,
        now: Moment,
        flows: &Flows,
        limiter: &mut Limiter,
        taker: Taker<'_>,
    ) -> Option<(FlowId, Ready, u8)> {
        if self.waiting == 0 {
            return None;
        }
        self.rise(now);
        let found = self.find_next(now, flows, limiter, taker);
        if flows.any_owned() {
            limiter.release();
        }
        found
    }

    /// Whether there is one.
    pub(super) fn has_next(&mut self, now: Moment, flows: &Flows, limiter: &mut Limiter, taker: Taker<'_>) -> bool {
        if self.waiting == 0 {
            return false;
        }
        self.rise(now);
        let found = self.classes.iter().any(|class| class.choose(now, flows, limiter, taker).is_some());
        limiter.release();
        found
    }

    fn find_next(
        &mut self,
        now: Moment,
        flows: &Flows,
        limiter: &mut Limiter,
        taker: Taker<'_>,
    ) -> Option<(FlowId, Ready, u8)> {
        for (place, class) in self.classes.iter_mut().enumerate() {
            if class.waiting == 0 {
                continue;
            }
            class.dismiss_empty();
            if let Some((flow, lane, ready)) = class.choose(now, flows, limiter, taker) {
                class.take(flow, |queue| queue.take(lane, ready.order));
                self.waiting -= 1;
                class.turn(flow.tenant, flows.stride(flow.tenant));
                return Some((flow, ready, place as u8));
            }
        }
        None
    }

    /// Notes that a tenant had its turn in another process.
    pub(super) fn note_turn(&mut self, class: usize, tenant: u32, stride: u64) {
        if let Some(class) = self.classes.get_mut(class) {
            class.note_turn(tenant, stride);
        }
    }

    /// Takes out a request that is to leave otherwise: cancelled, expired.
    pub(super) fn remove(&mut self, flow: FlowId, priority: usize, order: u64) {
        for class in self.classes[..=priority.min(CLASSES - 1)].iter_mut().rev() {
            if class.take(flow, |queue| queue.remove(priority, order)).is_some() {
                self.waiting -= 1;
                return;
            }
        }
    }

    /// How many are ready.
    pub(super) fn len(&self) -> usize {
        self.waiting
    }
}

/// When a request put with `priority` is to leave `class` for the one above.
fn rises_at(ageing: Duration, priority: usize, class: usize, ready_at: Moment) -> Moment {
    let steps = u32::try_from(priority.saturating_sub(class) + 1).unwrap_or(u32::MAX);
    ready_at.plus(ageing.saturating_mul(steps))
}

fn find(tenants: &[TenantQueue], flow: FlowId, lane: Lane, order: u64) -> Option<&Ready> {
    let (_, queue) = tenants.get(flow.tenant as usize)?.flows.iter().find(|(index, _)| *index == flow.flow)?;
    queue.find(lane, order)
}
