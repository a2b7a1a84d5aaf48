//! What a call used, with one meaning for every provider.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The terms on which a provider serves a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceTier {
    /// Answers within hours, at about half the price.
    Batch,
    /// Slower, cheaper.
    Flex,
    /// Faster, dearer.
    Priority,
}

impl ServiceTier {
    /// Reads `batch`, `flex` or `priority`; what means the standard terms is `None`.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else.
    pub fn parse(text: &str) -> Result<Option<Self>> {
        Ok(Some(match text {
            "batch" => Self::Batch,
            "flex" => Self::Flex,
            "priority" | "fast" => Self::Priority,
            "" | "auto" | "default" | "standard" | "on_demand" | "scale" => return Ok(None),
            _ => {
                return Err(Error::invalid(format!(
                    "service tier {text:?} is unknown: give batch, flex, priority, or default"
                )));
            }
        }))
    }

    /// The word that `parse` reads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
        }
    }
}

/// What a call used. Input holds all input (cached, written to a cache, audio), output all output (reasoning, audio).
///
/// ```
/// use headrace::cost::usage::Usage;
/// let usage = Usage { input_tokens: 1000, cached_input_tokens: 800, ..Usage::default() };
/// assert_eq!(usage.requests, 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// All input.
    pub input_tokens: u64,
    /// All output.
    pub output_tokens: u64,
    /// Input that was read from the provider's prompt cache.
    pub cached_input_tokens: u64,
    /// Input that was written to it for five minutes.
    pub cache_write_tokens: u64,
    /// Input that was written to it for an hour.
    pub cache_write_1h_tokens: u64,
    /// Output that the model thought.
    pub reasoning_tokens: u64,
    /// Input that was sound.
    pub input_audio_tokens: u64,
    /// Output that was sound.
    pub output_audio_tokens: u64,
    /// Images made.
    pub images: u64,
    /// Web searches made.
    pub searches: u64,
    /// Calls.
    pub requests: u64,
    /// The terms; `None` is the standard.
    pub service_tier: Option<ServiceTier>,
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            input_tokens: 0,
            output_tokens: 0,
            cached_input_tokens: 0,
            cache_write_tokens: 0,
            cache_write_1h_tokens: 0,
            reasoning_tokens: 0,
            input_audio_tokens: 0,
            output_audio_tokens: 0,
            images: 0,
            searches: 0,
            requests: 1,
            service_tier: None,
        }
    }
}

impl Usage {
    /// Refuses parts that are larger than their whole.
    ///
    /// # Errors
    /// `InvalidArgument` where the parts of input or output add up to more than it.
    pub fn check(&self) -> Result<()> {
        let written = self.cache_write_tokens.saturating_add(self.cache_write_1h_tokens);
        let parts = [
            ("input", self.input_tokens, "cached and cache-written", self.cached_input_tokens.saturating_add(written)),
            ("input", self.input_tokens, "audio", self.input_audio_tokens),
            ("output", self.output_tokens, "reasoning", self.reasoning_tokens),
            ("output", self.output_tokens, "audio", self.output_audio_tokens),
        ];
        match parts.iter().find(|(_, whole, _, part)| part > whole) {
            None => Ok(()),
            Some((whole_name, whole, part_name, part)) => Err(Error::invalid(format!(
                "{part} {part_name} tokens are more than the {whole} {whole_name} tokens that hold them: \
                 {whole_name}_tokens is all {whole_name}"
            ))),
        }
    }
}

use serde_json::Value;

impl Usage {
    /// Reads the usage of a reply: OpenAI chat, responses and embeddings, Anthropic, Gemini, DeepSeek, Mistral, xAI,
    /// Bedrock Converse. A streamed reply is given as the array of its chunks.
    ///
    /// # Errors
    /// `InvalidArgument` where there is no usage in it.
    ///
    /// ```
    /// use headrace::cost::usage::Usage;
    /// let reply = serde_json::json!({"usage": {"input_tokens": 3, "cache_read_input_tokens": 5, "output_tokens": 2}});
    /// // Anthropic's input leaves the cache out; here it is in.
    /// assert_eq!(Usage::from_response(&reply).unwrap().input_tokens, 8);
    /// ```
    pub fn from_response(response: &Value) -> Result<Self> {
        if let Value::Array(chunks) = response {
            return from_chunks(chunks);
        }
        let found = block(response).and_then(|usage| read(usage, response));
        found.ok_or_else(|| {
            let keys: Vec<_> = response.as_object().into_iter().flat_map(|map| map.keys()).take(8).collect();
            Error::invalid(format!(
                "the reply has no usage (its keys: {keys:?}): give a whole reply of a provider, or ask for usage in the stream (stream_options include_usage)"
            ))
        })
    }
}

/// Where the usage is: at the top, or inside what an event of a stream carries.
fn block(response: &Value) -> Option<&Value> {
    let direct = ["usage", "usageMetadata", "usage_metadata"].iter().find_map(|key| response.get(key));
    let nested = || ["message", "response", "metadata"].iter().find_map(|key| block(response.get(key)?));
    direct.filter(|usage| usage.is_object()).or_else(nested)
}

fn count(value: &Value, path: &[&str]) -> Option<u64> {
    let found = path.iter().try_fold(value, |value, key| value.get(key))?;
    found.as_u64().or_else(|| found.as_f64().filter(|count| *count >= 0.0).map(|count| count as u64))
}

fn any(value: &Value, paths: &[&[&str]]) -> u64 {
    paths.iter().find_map(|path| count(value, path)).unwrap_or(0)
}

fn read(usage: &Value, response: &Value) -> Option<Usage> {
    let mut read = if usage.get("promptTokenCount").is_some() || usage.get("prompt_token_count").is_some() {
        gemini(usage)
    } else if usage.get("inputTokens").is_some() {
        bedrock(usage)
    } else if usage.get("prompt_tokens").is_some() {
        chat(usage)
    } else if ["cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation"]
        .iter()
        .any(|key| usage.get(key).is_some())
    {
        anthropic(usage)
    } else if usage.get("input_tokens").is_some() || usage.get("output_tokens").is_some() {
        responses(usage)
    } else {
        return None;
    };
    let tier = [usage, response].iter().find_map(|place| place.get("service_tier")?.as_str());
    read.service_tier = tier.and_then(|tier| ServiceTier::parse(tier).ok()).flatten();
    Some(read)
}

/// OpenAI chat and embeddings, and who follows them: DeepSeek, Mistral, xAI.
fn chat(usage: &Value) -> Usage {
    let input_tokens = any(usage, &[&["prompt_tokens"]]);
    let reasoning_tokens = any(usage, &[&["completion_tokens_details", "reasoning_tokens"]]);
    let mut output_tokens = any(usage, &[&["completion_tokens"]]);
    // xAI counts reasoning beside the completion; the total gives it away.
    if any(usage, &[&["total_tokens"]]) == input_tokens + output_tokens + reasoning_tokens {
        output_tokens += reasoning_tokens;
    }
    Usage {
        input_tokens,
        output_tokens,
        reasoning_tokens,
        cached_input_tokens: any(
            usage,
            &[&["prompt_tokens_details", "cached_tokens"], &["prompt_cache_hit_tokens"], &["cached_tokens"]],
        ),
        cache_write_tokens: any(usage, &[&["prompt_tokens_details", "cache_write_tokens"]]),
        input_audio_tokens: any(usage, &[&["prompt_tokens_details", "audio_tokens"]]),
        output_audio_tokens: any(usage, &[&["completion_tokens_details", "audio_tokens"]]),
        ..Usage::default()
    }
}

/// OpenAI responses: details hang below input and output.
fn responses(usage: &Value) -> Usage {
    Usage {
        input_tokens: any(usage, &[&["input_tokens"]]),
        output_tokens: any(usage, &[&["output_tokens"]]),
        cached_input_tokens: any(usage, &[&["input_tokens_details", "cached_tokens"]]),
        cache_write_tokens: any(usage, &[&["input_tokens_details", "cache_write_tokens"]]),
        input_audio_tokens: any(usage, &[&["input_tokens_details", "audio_tokens"]]),
        output_audio_tokens: any(usage, &[&["output_tokens_details", "audio_tokens"]]),
        reasoning_tokens: any(
            usage,
            &[&["output_tokens_details", "reasoning_tokens"], &["output_tokens_details", "thinking_tokens"]],
        ),
        ..Usage::default()
    }
}

/// Anthropic: its input leaves out what was read from and written to the cache.
fn anthropic(usage: &Value) -> Usage {
    let five_minutes = any(usage, &[&["cache_creation", "ephemeral_5m_input_tokens"]]);
    let hour = any(usage, &[&["cache_creation", "ephemeral_1h_input_tokens"]]);
    let written = any(usage, &[&["cache_creation_input_tokens"]]).max(five_minutes + hour);
    let cached = any(usage, &[&["cache_read_input_tokens"]]);
    Usage {
        input_tokens: any(usage, &[&["input_tokens"]]) + written + cached,
        cached_input_tokens: cached,
        cache_write_tokens: written,
        cache_write_1h_tokens: hour,
        ..responses(usage)
    }
}

/// Gemini: thoughts come on top of the candidates, tool prompts on top of the prompt.
fn gemini(usage: &Value) -> Usage {
    let thoughts = any(usage, &[&["thoughtsTokenCount"], &["thoughts_token_count"]]);
    let modality = |keys: [&str; 2], modality: &str| {
        let details = keys.iter().find_map(|key| usage.get(key)?.as_array());
        details
            .into_iter()
            .flatten()
            .filter(|part| part.get("modality").and_then(Value::as_str) == Some(modality))
            .map(|part| any(part, &[&["tokenCount"], &["token_count"]]))
            .sum()
    };
    let (prompt, candidates) =
        (["promptTokensDetails", "prompt_tokens_details"], ["candidatesTokensDetails", "candidates_tokens_details"]);
    Usage {
        input_tokens: any(usage, &[&["promptTokenCount"], &["prompt_token_count"]])
            + any(usage, &[&["toolUsePromptTokenCount"], &["tool_use_prompt_token_count"]]),
        output_tokens: any(usage, &[&["candidatesTokenCount"], &["candidates_token_count"]]) + thoughts,
        cached_input_tokens: any(usage, &[&["cachedContentTokenCount"], &["cached_content_token_count"]]),
        reasoning_tokens: thoughts,
        input_audio_tokens: modality(prompt, "AUDIO"),
        output_audio_tokens: modality(candidates, "AUDIO"),
        ..Usage::default()
    }
}

/// Bedrock Converse: as Anthropic, the input leaves out the cache.
fn bedrock(usage: &Value) -> Usage {
    let cached = any(usage, &[&["cacheReadInputTokens"], &["cacheReadInputTokenCount"]]);
    let written = any(usage, &[&["cacheWriteInputTokens"], &["cacheWriteInputTokenCount"]]);
    Usage {
        input_tokens: any(usage, &[&["inputTokens"]]) + cached + written,
        output_tokens: any(usage, &[&["outputTokens"]]),
        cached_input_tokens: cached,
        cache_write_tokens: written,
        ..Usage::default()
    }
}

/// A stream tells its usage at the end, and Anthropic's input at the beginning; later figures replace earlier ones.
fn from_chunks(chunks: &[Value]) -> Result<Usage> {
    let mut merged = Value::Object(serde_json::Map::new());
    let mut tier = Value::Null;
    for chunk in chunks {
        if let Some(found) = chunk.get("service_tier") {
            tier = found.clone();
        }
        let Some(Value::Object(usage)) = block(chunk) else { continue };
        for (key, value) in usage.iter().filter(|(_, value)| !value.is_null()) {
            merged[key] = value.clone();
        }
    }
    Usage::from_response(&serde_json::json!({"usage": merged, "service_tier": tier}))
}

impl Usage {
    /// Input and output.
    #[must_use]
    pub fn total_tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}
