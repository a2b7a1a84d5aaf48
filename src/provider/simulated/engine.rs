//! What answers: texts, counts, pace, limits and faults, all by a seed.

use super::MODELS;
use super::fault::{Fault, FaultPlan};
use super::text::{answer, digest, pieces, tokens, vector};
use crate::provider::ChatRequest;
use crate::{Error, ProviderError, ProviderErrorKind, Result};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const DIMENSION: usize = 256;
const MAX_OUTPUT_TOKENS: u64 = 4096;

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
    faults: Mutex<FaultPlan>,
    requests: AtomicU64,
    window: Mutex<VecDeque<Instant>>,
}

/// One request on its way.
#[derive(Debug)]
pub struct Turn {
    /// Its number, from 0.
    pub index: u64,
    /// How it fails, if it does.
    pub fault: Option<Fault>,
    model: String,
    text: String,
    input_tokens: u64,
    output_tokens: u64,
    finish_reason: &'static str,
}

impl Engine {
    pub(super) fn new(config: SimulatedConfig) -> Self {
        Self {
            faults: Mutex::new(config.faults.clone()),
            config,
            requests: AtomicU64::new(0),
            window: Mutex::default(),
        }
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
    pub(super) fn begin(&self, request: &ChatRequest) -> Result<Turn> {
        let (index, fault) = self.count();
        if !MODELS[..2].contains(&request.model.as_str()) {
            return Err(no_such_model(&request.model));
        }
        let content = |message: &Value| match message.get("content") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let input_tokens = request.messages.iter().map(|message| tokens(&content(message)) + 4).sum();
        let question =
            request.messages.iter().rev().find(|message| message.get("role").and_then(Value::as_str) == Some("user"));
        let question = question.map(content).unwrap_or_default();
        let mut text = if request.model == "echo" { question } else { answer(self.config.seed, &question) };
        let most = ["max_completion_tokens", "max_tokens"]
            .iter()
            .find_map(|name| request.parameters.get(*name)?.as_u64())
            .unwrap_or(MAX_OUTPUT_TOKENS);
        let mut finish_reason = "stop";
        let kept = usize::try_from(most.saturating_mul(4)).unwrap_or(usize::MAX);
        let cut = if fault == Some(Fault::Truncate) { text.len() / 2 } else { kept };
        if text.len() > cut {
            let end = (0..=cut).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            text.truncate(end);
            finish_reason = "length";
        }
        let output_tokens = tokens(&text);
        Ok(Turn { index, fault, model: request.model.clone(), text, input_tokens, output_tokens, finish_reason })
    }

    /// How long a whole answer takes.
    pub(super) fn duration(&self, turn: &Turn) -> Duration {
        let (first, gap) = self.pace();
        first + gap.saturating_mul(u32::try_from(turn.output_tokens).unwrap_or(u32::MAX))
    }

    /// The time to the first token, and from one to the next.
    pub(super) fn pace(&self) -> (Duration, Duration) {
        let gap = if self.config.tokens_per_second > 0.0 { 1.0 / self.config.tokens_per_second } else { 0.0 };
        (self.config.time_to_first_token, Duration::try_from_secs_f64(gap).unwrap_or_default())
    }

    fn usage(turn: &Turn) -> Value {
        json!({
            "prompt_tokens": turn.input_tokens,
            "completion_tokens": turn.output_tokens,
            "total_tokens": turn.input_tokens + turn.output_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
        })
    }

    fn id(&self, turn: &Turn) -> String {
        format!("chatcmpl-sim-{}-{}", self.config.seed, turn.index)
    }

    /// The reply in OpenAI's shape.
    pub(super) fn completion(&self, turn: &Turn) -> Value {
        json!({
            "id": self.id(turn),
            "object": "chat.completion",
            "created": created(),
            "model": turn.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": turn.text},
                "finish_reason": turn.finish_reason,
            }],
            "usage": Self::usage(turn),
        })
    }

    /// The reply in chunks, the usage in the last one.
    pub(super) fn chunks(&self, turn: &Turn) -> Vec<Value> {
        let (id, created) = (self.id(turn), created());
        let chunk = |choices: Value, usage: Value| {
            json!({
                "id": id, "object": "chat.completion.chunk", "created": created, "model": turn.model,
                "choices": choices, "usage": usage,
            })
        };
        let delta = |delta: Value, reason: Value| json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
        let mut chunks = vec![chunk(delta(json!({"role": "assistant", "content": ""}), Value::Null), Value::Null)];
        chunks.extend(
            pieces(&turn.text)
                .into_iter()
                .map(|piece| chunk(delta(json!({"content": piece}), Value::Null), Value::Null)),
        );
        chunks.push(chunk(delta(json!({}), turn.finish_reason.into()), Value::Null));
        chunks.push(chunk(json!([]), Self::usage(turn)));
        chunks
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

fn created() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
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
