//! Who sends what where: the tenants of a queue, and the limits that apply to each kind of request.

use super::limit::{Flow, Gauges, Limiter};
use super::options::PutOptions;
use std::collections::HashMap;
use std::sync::Arc;

const DEFAULT_TENANT: &str = "default";
/// The step of a tenant with weight 1; a heavier one takes shorter steps and so comes round more often
/// (stride scheduling, Waldspurger and Weihl 1995).
const STRIDE: u64 = 1 << 20;

/// The places of a flow and of its tenant in `Flows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FlowId {
    pub(super) flow: u32,
    pub(super) tenant: u32,
}

#[derive(Debug)]
struct Tenant {
    name: Arc<str>,
    stride: u64,
}

/// What is known of a flow.
#[derive(Debug)]
struct Known {
    gauges: Gauges,
    owner: u64,
    provider: Option<Arc<str>>,
    model: Option<Arc<str>>,
}

/// All flows that were seen, by their place.
#[derive(Debug)]
pub(super) struct Flows {
    weights: HashMap<Arc<str>, u32>,
    ids: HashMap<Flow, FlowId>,
    /// The flow of the put before: most puts are like the one before them.
    last: Option<(Flow, FlowId)>,
    known: Vec<Known>,
    /// How many flows belong to one handle: without any, nobody is asked whose they are.
    owned: usize,
    tenants: Vec<Tenant>,
    tenant_index: HashMap<Arc<str>, u32>,
}

impl Flows {
    pub(super) fn new(weights: &[(Arc<str>, u32)]) -> Self {
        Self {
            weights: weights.iter().cloned().collect(),
            ids: HashMap::new(),
            last: None,
            known: Vec::new(),
            owned: 0,
            tenants: Vec::new(),
            tenant_index: HashMap::new(),
        }
    }

    /// The flow of a request. `owner` is the one handle that may take it, 0 where any may.
    pub(super) fn id_of(&mut self, options: &PutOptions, owner: u64, limiter: &mut Limiter) -> FlowId {
        let tenant = options.tenant.as_deref().unwrap_or(DEFAULT_TENANT);
        if let Some((flow, id)) = &self.last
            && flow.owner == owner
            && &*flow.tenant == tenant
            && flow.provider == options.provider
            && flow.model == options.model
        {
            return *id;
        }
        let (provider, model) = (options.provider.clone(), options.model.clone());
        let flow = Flow { owner, tenant: Arc::from(tenant), provider, model };
        let id = self.ids.get(&flow).copied().unwrap_or_else(|| self.add(&flow, limiter));
        self.last = Some((flow, id));
        id
    }

    fn add(&mut self, flow: &Flow, limiter: &mut Limiter) -> FlowId {
        let tenant = self.tenant_index.get(&flow.tenant).copied().unwrap_or_else(|| {
            let weight = self.weights.get(&flow.tenant).map_or(1, |weight| (*weight).max(1));
            let index = place(self.tenants.len());
            self.tenants.push(Tenant { name: flow.tenant.clone(), stride: (STRIDE / u64::from(weight)).max(1) });
            self.tenant_index.insert(flow.tenant.clone(), index);
            index
        });
        let id = FlowId { flow: place(self.known.len()), tenant };
        self.known.push(Known {
            gauges: limiter.gauges_of(flow),
            owner: flow.owner,
            provider: flow.provider.clone(),
            model: flow.model.clone(),
        });
        self.owned += usize::from(flow.owner != 0);
        self.ids.insert(flow.clone(), id);
        id
    }

    /// Looks up anew which limits each flow counts against: there is one more.
    pub(super) fn count_anew(&mut self, limiter: &mut Limiter) {
        for (flow, id) in &self.ids {
            self.known[id.flow as usize].gauges = limiter.gauges_of(flow);
        }
    }

    /// The limits that a flow counts against.
    pub(super) fn gauges(&self, id: FlowId) -> &[usize] {
        &self.known[id.flow as usize].gauges
    }

    /// The one handle that may take what is in a flow, 0 where any may.
    pub(super) fn owner(&self, id: FlowId) -> u64 {
        self.known[id.flow as usize].owner
    }

    /// The provider and the model that a flow goes to.
    pub(super) fn route(&self, id: FlowId) -> (Option<Arc<str>>, Option<Arc<str>>) {
        let known = &self.known[id.flow as usize];
        (known.provider.clone(), known.model.clone())
    }

    /// Whether any flow belongs to one handle.
    pub(super) fn any_owned(&self) -> bool {
        self.owned > 0
    }

    pub(super) fn stride(&self, tenant: u32) -> u64 {
        self.tenants[tenant as usize].stride
    }

    pub(super) fn tenant(&self, id: FlowId) -> &Arc<str> {
        &self.tenants[id.tenant as usize].name
    }

    /// All tenants, by their place.
    pub(super) fn tenants(&self) -> impl Iterator<Item = &Arc<str>> {
        self.tenants.iter().map(|tenant| &tenant.name)
    }
}

/// Memory ends long before four billion flows do.
fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
