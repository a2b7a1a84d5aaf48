//! Routes: a name of the user's for several models, of which this very request takes one.

use super::Client;
use super::plan::Candidate;
use crate::chat::Request;
use crate::cost::money::Money;
use crate::cost::price::PriceTable;
use crate::cost::{Attribution, Call};
use crate::lock::Lock;
use crate::usage::{Usage, UsageReport};
use crate::{Error, ProviderError, ProviderErrorKind, Result};
use std::sync::Arc;

/// What an answer is taken to have, in tokens, before a route has seen any.
const FIRST_GUESS: f64 = 512.0;

/// How much the newest answer counts in what the next is expected to have.
const NEWEST: f64 = 0.1;

/// Needs by the names that users have for them, and what the price table calls them.
const NEEDS: [(&str, &str); 7] = [
    ("tools", "function_calling"),
    ("schema", "response_schema"),
    ("image", "vision"),
    ("audio", "audio_input"),
    ("video", "video_input"),
    ("pdf", "pdf_input"),
    ("speech", "audio_output"),
];

/// The need of a context that is known, so that it is known to be long enough.
const CONTEXT: &str = "context";

/// Which of a route's models is asked first; the others follow where it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pick {
    /// In the order given.
    #[default]
    First,
    /// By the price of this request, with as much output as such requests were answered with.
    Cheapest,
    /// By the time to the first word, as seen.
    Fastest,
}

impl Pick {
    /// Reads `first`, `cheapest` or `fastest`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [("first", Self::First), ("cheapest", Self::Cheapest), ("fastest", Self::Fastest)]
            .into_iter()
            .find_map(|(name, pick)| (name == text).then_some(pick))
    }
}

/// Several models under one name.
///
/// ```
/// use headrace::client::{ModelRoute, Pick};
/// let models = ["openai/gpt-4o-mini", "deepseek/deepseek-chat"].map(str::to_owned).to_vec();
/// let report = ModelRoute { pick: Pick::Cheapest, needs: vec!["tools".into()], ..ModelRoute::new("report", models) };
/// assert_eq!(report.models.len(), 2);
/// ```
#[derive(Debug, Clone)]
pub struct ModelRoute {
    /// The name; no model's.
    pub name: String,
    /// The models, as `provider/model`.
    pub models: Vec<String>,
    /// Which of them is asked first.
    pub pick: Pick,
    /// What a model must have by the price table: `vision`, `tools`, `schema`, `reasoning` ...; `context` leaves out models
    /// whose context is unknown.
    pub needs: Vec<String>,
}

impl ModelRoute {
    /// Models that are asked in the order given.
    #[must_use]
    pub fn new(name: &str, models: Vec<String>) -> Self {
        Self { name: name.to_owned(), models, pick: Pick::First, needs: Vec::new() }
    }

    /// What it needs, as the price table calls it.
    fn abilities(&self) -> impl Iterator<Item = &str> {
        let named = |need: &str| NEEDS.iter().find(|(name, _)| *name == need).map(|(_, ability)| *ability);
        self.needs.iter().filter(|need| *need != CONTEXT).map(move |need| named(need).unwrap_or(need))
    }

    /// Whether a model has what is needed.
    fn is_met_by(&self, prices: &PriceTable, model: &str) -> bool {
        let Ok(found) = prices.resolve(model) else { return self.needs.is_empty() };
        let knows_context = found.price.context.is_some() || !self.needs.iter().any(|need| need == CONTEXT);
        knows_context && self.abilities().all(|ability| found.price.abilities.iter().any(|has| has == ability))
    }
}

/// A route at work.
#[derive(Debug)]
pub(super) struct OpenRoute {
    pub(super) route: ModelRoute,
    /// The tokens that answers had, the newest counting most.
    output: Lock<f64>,
}

impl OpenRoute {
    pub(super) fn new(route: ModelRoute) -> Arc<Self> {
        Arc::new(Self { route, output: Lock::new(FIRST_GUESS) })
    }

    /// Takes in what an answer had.
    fn see(&self, output_tokens: u64) {
        let mut output = self.output.lock();
        *output += NEWEST * (output_tokens as f64 - *output);
    }
}

/// How a candidate came to be one.
#[derive(Debug, Clone)]
pub(super) struct Routed {
    open: Arc<OpenRoute>,
    /// All the models that could have been asked.
    rivals: Arc<[String]>,
}

impl Client {
    /// The candidates of a request: of a route those that can, the one that it picks first; then the fallbacks.
    pub(super) fn candidates(
        &self,
        request: &Request,
        stream: bool,
        make: impl Fn(&str) -> Result<Candidate>,
    ) -> Result<Vec<Candidate>> {
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut too_long = None;
        for name in self.named(&request.model) {
            let made = match self.inner.routes.iter().find(|open| open.route.name == *name) {
                Some(open) => self.of_route(open, request, stream, &make)?,
                None => vec![make(name)?],
            };
            if made.is_empty() {
                too_long = Some(name);
            }
            for candidate in made {
                if !candidates.iter().any(|known| known.model == candidate.model) {
                    candidates.push(candidate);
                }
            }
        }
        match too_long {
            Some(name) if candidates.is_empty() => Err(nobody_holds(name)),
            _ => Ok(candidates),
        }
    }

    /// A name and its fallbacks.
    fn named<'a>(&'a self, model: &'a str) -> impl Iterator<Item = &'a str> {
        std::iter::once(model).chain(self.inner.fallbacks.get(model).into_iter().flatten().map(String::as_str))
    }

    fn of_route(
        &self,
        open: &Arc<OpenRoute>,
        request: &Request,
        stream: bool,
        make: &impl Fn(&str) -> Result<Candidate>,
    ) -> Result<Vec<Candidate>> {
        let (route, prices) = (&open.route, self.inner.costs.prices());
        let holds = |candidate: &Candidate| {
            let context = prices.resolve(&candidate.model).ok().and_then(|found| found.price.context);
            context.is_none_or(|context| context >= candidate.expected.input_tokens)
        };
        let met = route.models.iter().filter(|model| route.is_met_by(&prices, model));
        let mut able = met.map(|model| make(model)).collect::<Result<Vec<_>>>()?;
        able.retain(holds);
        match route.pick {
            Pick::First => {}
            Pick::Cheapest => {
                let bound = request.limits.max_output_tokens.unwrap_or(u64::MAX);
                let output = (*open.output.lock() as u64).min(bound);
                able.sort_by_cached_key(|candidate| {
                    let usage = Usage::new(candidate.expected.input_tokens, output);
                    let known = prices.resolve(&candidate.model).is_ok_and(|found| !found.estimated);
                    (!known, self.worth(&candidate.model, &usage))
                });
            }
            Pick::Fastest => {
                let models: Vec<_> = able.iter().map(|candidate| candidate.model.clone()).collect();
                let order = self.inner.latencies.order(&models, stream);
                able.sort_by_cached_key(|candidate| order.iter().position(|model| *model == candidate.model));
            }
        }
        let rivals: Arc<[String]> = able.iter().map(|candidate| candidate.model.clone()).collect();
        for candidate in &mut able {
            candidate.routed = Some(Routed { open: Arc::clone(open), rivals: Arc::clone(&rivals) });
        }
        Ok(able)
    }

    /// What a usage costs; nothing where that cannot be said.
    fn worth(&self, model: &str, usage: &Usage) -> Money {
        let who = Arc::new(Attribution::default());
        self.inner.costs.quote(Call::new(model, usage), &who).map_or(Money::ZERO, |quote| quote.amount)
    }

    /// What the choice of a route saved against the dearest of its models that could have answered; the route learns how
    /// long such answers are.
    pub(super) fn saved_by_route(&self, candidate: &Candidate, told: &UsageReport) -> Option<Money> {
        let routed = candidate.routed.as_ref()?;
        routed.open.see(told.usage.output_tokens);
        let dearest = routed.rivals.iter().map(|model| self.worth(model, &told.usage)).max()?;
        let saved = dearest - self.worth(&candidate.model, &told.usage);
        (saved > Money::ZERO).then_some(saved)
    }

    /// The names of the routes.
    #[must_use]
    pub fn routes(&self) -> Vec<&str> {
        self.inner.routes.iter().map(|open| open.route.name.as_str()).collect()
    }

    /// Refuses names that could not be asked when they are needed.
    pub(super) fn check_names(&self) -> Result<()> {
        for (place, open) in self.inner.routes.iter().enumerate() {
            let name = &open.route.name;
            let is_twice = self.inner.routes[..place].iter().any(|other| other.route.name == *name);
            if name.is_empty() || is_twice || self.route(name).is_ok() {
                return Err(Error::Config(format!(
                    "route {name:?} has no name of its own: give each a name that no model and no other route has"
                )));
            }
            self.check_route(&open.route).map_err(|error| Error::Config(format!("route {name:?}: {error}")))?;
        }
        for (model, others) in &self.inner.fallbacks {
            for name in std::iter::once(model).chain(others).filter(|name| !self.routes().contains(&name.as_str())) {
                self.route(name).map_err(|error| Error::Config(format!("fallbacks of {model:?}: {error}")))?;
            }
        }
        Ok(())
    }

    fn check_route(&self, route: &ModelRoute) -> Result<()> {
        if route.models.is_empty() {
            return Err(Error::Config("models is empty: give at least one, as provider/model".into()));
        }
        for model in &route.models {
            self.route(model)?;
        }
        let prices = self.inner.costs.prices();
        if !route.models.iter().any(|model| route.is_met_by(&prices, model)) {
            return Err(Error::Config(format!(
                "by the price table none of its models has all of {}: leave out a need, name other models, or set their \
                 abilities in prices=",
                route.needs.join(", ")
            )));
        }
        Ok(())
    }
}

fn nobody_holds(route: &str) -> Error {
    let message = format!(
        "no model of route {route:?} holds a conversation as long as this one: shorten the messages, or name a model with a \
         longer context"
    );
    Error::from(ProviderError {
        kind: ProviderErrorKind::ContextLength,
        provider: route.to_owned(),
        message,
        status_code: None,
        retry_after: None,
        request_id: None,
        is_retryable: false,
    })
}
