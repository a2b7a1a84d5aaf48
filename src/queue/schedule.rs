//! The order in which ready requests leave: class by class, tenants in turns by weight, oldest first.
//!
//! A request that waits rises one class every `ageing`. Its place inside a class is its place in time, whatever class
//! it came from: a queue per class and tenant keeps a lane for each priority it was put with, every lane in order, and
//! the oldest head goes first. Rising moves the head of a lane, so nothing is ever scanned.

use super::lazy_heap::LazyHeap;
use super::limit::{Gauges, Limiter};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

const CLASSES: usize = 4;
/// The step of a tenant with weight 1; a heavier one takes shorter steps and so comes round more often
/// (stride scheduling, Waldspurger and Weihl 1995).
const STRIDE: u64 = 1 << 20;

/// A ready request as the schedule sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ready {
    /// The place in time: smaller is older.
    pub(super) order: u64,
    pub(super) id: u64,
    pub(super) tokens: u64,
    /// Where its flow is in `Schedule::flows`.
    pub(super) flow: usize,
    pub(super) tenant: usize,
    /// The class it was put with.
    pub(super) priority: usize,
    pub(super) ready_at: Duration,
}

#[derive(Debug, Default)]
struct FlowQueue {
    lanes: [VecDeque<Ready>; CLASSES],
}

impl FlowQueue {
    fn oldest(&self) -> Option<&Ready> {
        self.lanes.iter().filter_map(VecDeque::front).min_by_key(|ready| ready.order)
    }

    fn insert(&mut self, ready: Ready) {
        let lane = &mut self.lanes[ready.priority];
        match (lane.front(), lane.back()) {
            (_, Some(back)) if back.order < ready.order => lane.push_back(ready),
            (Some(front), _) if front.order > ready.order => lane.push_front(ready),
            (None, _) => lane.push_back(ready),
            _ => {
                let place = lane.partition_point(|other| other.order < ready.order);
                lane.insert(place, ready);
            }
        }
    }
}

#[derive(Debug, Default)]
struct TenantQueue {
    flows: Vec<(usize, FlowQueue)>,
    pass: u64,
    waiting: usize,
}

impl TenantQueue {
    fn flow(&mut self, flow: usize) -> &mut FlowQueue {
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
    turns: BTreeSet<(u64, usize)>,
    /// The turn that was served last: a tenant that comes back starts here, not where it left off.
    served: u64,
    rising: LazyHeap<(u64, usize, usize, usize)>,
    waiting: usize,
}

/// What the schedule must know of a tenant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    stride: u64,
}

/// The ready requests of a queue.
#[derive(Debug)]
pub(super) struct Schedule {
    classes: [Class; CLASSES],
    shares: Vec<Share>,
    flows: Vec<Gauges>,
    ageing: Duration,
    waiting: usize,
}

impl Schedule {
    pub(super) fn new(ageing: Duration) -> Self {
        Self { classes: Default::default(), shares: Vec::new(), flows: Vec::new(), ageing, waiting: 0 }
    }

    pub(super) fn add_tenant(&mut self, weight: u32) -> usize {
        self.shares.push(Share { stride: (STRIDE / u64::from(weight.max(1))).max(1) });
        self.shares.len() - 1
    }

    pub(super) fn add_flow(&mut self, gauges: Gauges) -> usize {
        self.flows.push(gauges);
        self.flows.len() - 1
    }

    pub(super) fn gauges(&self, flow: usize) -> Gauges {
        self.flows[flow].clone()
    }

    /// The class of a request after waiting until `now`.
    pub(super) fn class_at(&self, ready: &Ready, now: Duration) -> usize {
        let waited = now.saturating_sub(ready.ready_at).as_nanos();
        let risen = waited / self.ageing.as_nanos().max(1);
        ready.priority.saturating_sub(usize::try_from(risen).unwrap_or(CLASSES))
    }

    pub(super) fn insert(&mut self, ready: Ready, now: Duration) {
        let class = self.class_at(&ready, now);
        self.place(class, ready);
    }

    fn place(&mut self, class: usize, ready: Ready) {
        let ageing = self.ageing;
        let target = &mut self.classes[class];
        if target.tenants.len() <= ready.tenant {
            target.tenants.resize_with(ready.tenant + 1, TenantQueue::default);
        }
        let tenant = &mut target.tenants[ready.tenant];
        if tenant.waiting == 0 {
            tenant.pass = tenant.pass.max(target.served);
            target.turns.insert((tenant.pass, ready.tenant));
        }
        tenant.waiting += 1;
        tenant.flow(ready.flow).insert(ready);
        target.waiting += 1;
        self.waiting += 1;
        if class > 0 {
            let steps = u32::try_from(ready.priority - class + 1).unwrap_or(u32::MAX);
            let due = ready.ready_at.saturating_add(ageing.saturating_mul(steps));
            let Class { tenants, rising, waiting, .. } = target;
            let waiting = *waiting;
            rising.push(due, (ready.order, ready.tenant, ready.flow, ready.priority), waiting, |_, item| {
                is_in_lane(tenants, item)
            });
        }
    }

    /// Moves up what has waited long enough; the lowest class first, so that one can rise several at once.
    fn rise(&mut self, now: Duration) {
        for class in (1..CLASSES).rev() {
            loop {
                let Class { tenants, rising, .. } = &mut self.classes[class];
                let due = rising.pop_due(now, |_, item| is_in_lane(tenants, item));
                let Some((_, (order, tenant, flow, priority))) = due else { break };
                // A request that was tried again keeps its place in line, and may meet the timer of its first wait.
                let item = (order, tenant, flow, priority);
                let still = find(&self.classes[class].tenants, item).copied();
                if still.is_none_or(|ready| self.class_at(&ready, now) >= class) {
                    continue;
                }
                if let Some(ready) = self.take_from(class, tenant, flow, priority, order) {
                    self.place(class - 1, ready);
                }
            }
        }
    }

    /// Takes the next request that its limits let through.
    pub(super) fn pop(&mut self, now: Duration, limiter: &mut Limiter) -> Option<Ready> {
        if self.waiting == 0 {
            return None;
        }
        self.rise(now);
        for class in 0..CLASSES {
            let chosen = self.classes[class].turns.iter().find_map(|&(_, tenant)| {
                let queue = self.classes[class].tenants.get(tenant)?;
                queue
                    .flows
                    .iter()
                    .filter_map(|(flow, queue)| queue.oldest().map(|ready| (*flow, *ready)))
                    .filter(|(flow, ready)| limiter.admits(&self.flows[*flow], ready.tokens, now))
                    .map(|(_, ready)| ready)
                    .min_by_key(|ready| ready.order)
            });
            if let Some(ready) = chosen {
                self.take_from(class, ready.tenant, ready.flow, ready.priority, ready.order);
                self.turn(class, ready.tenant);
                return Some(ready);
            }
        }
        None
    }

    /// Takes out a request that is to leave otherwise: cancelled, expired.
    pub(super) fn remove(&mut self, ready: &Ready, now: Duration) {
        for class in (0..=self.class_at(ready, now).max(ready.priority)).rev() {
            if self.take_from(class, ready.tenant, ready.flow, ready.priority, ready.order).is_some() {
                return;
            }
        }
    }

    fn take_from(&mut self, class: usize, tenant: usize, flow: usize, priority: usize, order: u64) -> Option<Ready> {
        let Class { tenants, turns, waiting, .. } = &mut self.classes[class];
        let queue = tenants.get_mut(tenant)?;
        let lane = &mut queue.flow(flow).lanes[priority];
        let ready = if lane.front().is_some_and(|front| front.order == order) {
            lane.pop_front()
        } else {
            let place = lane.binary_search_by_key(&order, |ready| ready.order).ok()?;
            lane.remove(place)
        }?;
        queue.waiting -= 1;
        *waiting -= 1;
        self.waiting -= 1;
        if queue.waiting == 0 {
            turns.remove(&(queue.pass, tenant));
        }
        Some(ready)
    }

    fn turn(&mut self, class: usize, tenant: usize) {
        let stride = self.shares[tenant].stride;
        let Class { tenants, turns, served, .. } = &mut self.classes[class];
        let Some(queue) = tenants.get_mut(tenant) else { return };
        *served = (*served).max(queue.pass);
        let was = queue.pass;
        queue.pass += stride;
        if queue.waiting > 0 {
            turns.remove(&(was, tenant));
            turns.insert((queue.pass, tenant));
        }
    }

    /// How many are ready.
    pub(super) fn len(&self) -> usize {
        self.waiting
    }
}

fn is_in_lane(tenants: &[TenantQueue], item: (u64, usize, usize, usize)) -> bool {
    find(tenants, item).is_some()
}

fn find(tenants: &[TenantQueue], item: (u64, usize, usize, usize)) -> Option<&Ready> {
    let (order, tenant, flow, priority) = item;
    let (_, queue) = tenants.get(tenant)?.flows.iter().find(|(index, _)| *index == flow)?;
    let lane = &queue.lanes[priority];
    if lane.front()?.order > order {
        return None;
    }
    lane.get(lane.binary_search_by_key(&order, |ready| ready.order).ok()?)
}
