//! What answers: texts, counts, pace, limits and faults, all by a seed.

use super::MODELS;
use super::fault::{Fault, FaultPlan};
use super::text::{answer, digest, pieces, tokens, vector};
use crate::chat::{Choice, Event, Message, Part, Reasoning, Reply, Request, Role, Stop, Tool, ToolCall, ToolChoice};
use crate::lock::Lock;
use crate::usage::{Usage, UsageReport};
use crate::{Error, ProviderError, ProviderErrorKind, Result};
use serde_json::{Map, json};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const DIMENSION: usize = 256;
const MAX_OUTPUT_TOKENS: u64 = 4096;
const MAX_CHOICES: u64 = 128;

/// How the simulated provider behaves.
#[derive(Debug, Clone)]
pub struct SimulatedConfig {
    /// Decides answers and faults.
    pub seed: u64,
    /// Until the first token.
    pub time_to_first_token: Duration,
    /// After the first token.
    pub tokens_per_second: f64,
    /// More than these in any minute are answered 429.
    pub requests_per_minute: Option<u64>,
    /// What a 429 asks to wait.
    pub retry_after: Duration,
    /// How long a stall lasts.
    pub stall: Duration,
    /// Which requests fail.
    pub faults: FaultPlan,
    /// Keys that the server takes; any where there is none.
    pub api_keys: Vec<String>,
}

impl Default for SimulatedConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            time_to_first_token: Duration::from_millis(20),
            tokens_per_second: 2000.0,
            requests_per_minute: None,
            retry_after: Duration::from_millis(200),
            stall: Duration::from_secs(2),
            faults: FaultPlan::default(),
            api_keys: Vec::new(),
        }
    }
}

/// What answers, in the process or behind the server.
#[derive(Debug)]
pub struct Engine {
    config: SimulatedConfig,
    faults: Lock<FaultPlan>,
    requests: AtomicU64,
    window: Lock<VecDeque<Instant>>,
}

/// How a request is answered.
#[derive(Debug)]
pub(super) struct Draft {
    /// How it fails, if it does.
    pub(super) fault: Option<Fault>,
    /// The reply.
    pub(super) reply: Reply,
    output_tokens: u64,
}

impl Engine {
    pub(super) fn new(config: SimulatedConfig) -> Self {
        Self { faults: Lock::new(config.faults.clone()), config, requests: AtomicU64::new(0), window: Lock::default() }
    }

    /// How it behaves.
    #[must_use]
    pub fn config(&self) -> &SimulatedConfig {
        &self.config
    }

    /// How many requests came.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// Changes which requests fail from now on; windows count from the next request.
    pub fn set_faults(&self, mut plan: FaultPlan) {
        let next = self.requests();
        for window in &mut plan.schedule {
            window.from += next;
            window.until += next;
        }
        *self.faults.lock() = plan;
    }

    fn count(&self) -> (u64, Option<Fault>) {
        let index = self.requests.fetch_add(1, Ordering::SeqCst);
        if let Some(limit) = self.config.requests_per_minute {
            let mut window = self.window.lock();
            while window.front().is_some_and(|at| at.elapsed() >= Duration::from_mins(1)) {
                window.pop_front();
            }
            if window.len() as u64 >= limit {
                return (index, Some(Fault::RateLimit));
            }
            window.push_back(Instant::now());
        }
        // 53 bits of the digest make a number from 0 to 1.
        let draw = (digest(self.config.seed, &index.to_string()) >> 11) as f64 / (1_u64 << 53) as f64;
        (index, self.faults.lock().of(index, draw))
    }

    /// Takes a request: refuses what a provider refuses, and decides the answer.
    pub(super) fn begin(&self, request: &Request) -> Result<Draft> {
        let (index, fault) = self.count();
        if !MODELS[..2].contains(&request.model.as_str()) {
            return Err(no_such_model(&request.model));
        }
        let input_tokens = request.messages.iter().map(|message| tokens(&content(message)) + 4).sum();
        let question = request.messages.iter().rev().find(|message| message.role == Role::User);
        let question = question.map(content).unwrap_or_default();
        let count = request.sampling.choices.unwrap_or(1).clamp(1, MAX_CHOICES);
        let choices: Vec<Choice> =
            (0..count as u32).map(|number| self.choice(request, &question, fault, (index, number))).collect();
        let mut usage = Usage::new(input_tokens, 0);
        for part in choices.iter().flat_map(|choice| &choice.parts) {
            match part {
                Part::Text { text, .. } => usage.output_tokens += tokens(text),
                Part::ToolCall(call) => usage.output_tokens += tokens(&call.arguments) + tokens(&call.name),
                Part::Reasoning(reasoning) => {
                    usage.reasoning_tokens += tokens(&reasoning.text);
                    usage.output_tokens += tokens(&reasoning.text);
                }
                _ => {}
            }
        }
        let told = (fault != Some(Fault::NoUsage)).then(|| UsageReport::told(usage));
        let reply = Reply {
            choices,
            usage: told,
            id: Some(format!("chatcmpl-sim-{}-{index}", self.config.seed)),
            model: Some(request.model.clone()),
            ..Reply::default()
        };
        Ok(Draft { fault, reply, output_tokens: usage.output_tokens })
    }

    fn choice(&self, request: &Request, question: &str, fault: Option<Fault>, (index, number): (u64, u32)) -> Choice {
        let mut parts = Vec::new();
        if request.sampling.reasoning_effort.as_deref().is_some_and(|effort| effort != "none") {
            let text = format!("What is asked is: {question}");
            parts.push(Part::Reasoning(Reasoning { text, ..Reasoning::default() }));
        }
        if let Some(name) = tool(request) {
            let arguments = json!({ "question": question }).to_string();
            let id = format!("call-sim-{}-{index}-{number}", self.config.seed);
            parts.push(Part::ToolCall(ToolCall { id, name, arguments, extra: Map::new() }));
            return Choice { index: number, parts, stop: Some(Stop::ToolCalls), extra: Map::new() };
        }
        let seed = self.config.seed.wrapping_add(u64::from(number) << 32);
        let mut text = if request.model == "echo" { question.to_owned() } else { answer(seed, question) };
        let most = request.limits.max_output_tokens.unwrap_or(MAX_OUTPUT_TOKENS);
        let kept = usize::try_from(most.saturating_mul(4)).unwrap_or(usize::MAX);
        let cut = if fault == Some(Fault::Truncate) { text.len() / 2 } else { kept };
        let mut stop = Stop::End;
        if text.len() > cut {
            text.truncate(text.floor_char_boundary(cut));
            stop = Stop::Length;
        }
        parts.push(Part::text(text));
        Choice { index: number, parts, stop: Some(stop), extra: Map::new() }
    }

    /// How long a whole answer takes.
    pub(super) fn duration(&self, draft: &Draft) -> Duration {
        let (first, gap) = self.pace();
        first + gap.saturating_mul(u32::try_from(draft.output_tokens).unwrap_or(u32::MAX))
    }

    /// The time to the first token, and from one to the next.
    pub(super) fn pace(&self) -> (Duration, Duration) {
        let gap = if self.config.tokens_per_second > 0.0 { 1.0 / self.config.tokens_per_second } else { 0.0 };
        (self.config.time_to_first_token, Duration::try_from_secs_f64(gap).unwrap_or_default())
    }

    /// Vectors, and the tokens of their texts.
    pub(super) fn embed(&self, model: &str, texts: &[String]) -> Result<(Vec<Vec<f32>>, u64)> {
        self.count();
        if model != MODELS[2] {
            return Err(no_such_model(model));
        }
        let vectors = texts.iter().map(|text| vector(self.config.seed, text, DIMENSION)).collect();
        Ok((vectors, texts.iter().map(|text| tokens(text)).sum()))
    }
}

impl Draft {
    /// The reply in pieces of about a token; with a fault that cuts it, half of them.
    pub(super) fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for event in self.reply.events() {
            match event {
                Event::Text { at, text } => {
                    events.extend(pieces(&text).into_iter().map(|text| Event::Text { at, text }));
                }
                Event::Reasoning { at, text, signature: None } => {
                    events.extend(pieces(&text).into_iter().map(|text| Event::Reasoning { at, text, signature: None }));
                }
                whole => events.push(whole),
            }
        }
        if matches!(self.fault, Some(Fault::Truncate | Fault::StreamError)) {
            events.truncate(events.len() / 2);
        }
        events
    }
}

/// The tool that the model has to ask for.
fn tool(request: &Request) -> Option<String> {
    match request.tool_choice.as_ref()? {
        ToolChoice::Function(name) => Some(name.clone()),
        ToolChoice::Required => request.tools.iter().find_map(|tool| match tool {
            Tool::Function { name, .. } => Some(name.clone()),
            Tool::Other(_) => None,
        }),
        _ => None,
    }
}

/// The words of a message, and whatever else it says as JSON.
fn content(message: &Message) -> String {
    let other = |part: &Part| serde_json::to_string(part).unwrap_or_default();
    message.parts.iter().map(|part| part.as_text().map_or_else(|| other(part), str::to_owned)).collect()
}

fn no_such_model(model: &str) -> Error {
    ProviderError {
        kind: ProviderErrorKind::Rejected,
        provider: "simulated".into(),
        message: format!("HTTP 404: model {model:?} does not exist: give simulated/{}", MODELS.join(", simulated/")),
        status_code: Some(404),
        retry_after: None,
        request_id: None,
        is_retryable: false,
    }
    .into()
}
