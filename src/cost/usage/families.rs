//! How each family of providers writes usage.

use super::Usage;
use super::count::{any, count, modality, most};
use serde_json::Value;

/// The usage of a block, by the family that its fields give away.
pub(super) fn read(block: &Value) -> Option<Usage> {
    let has = |keys: &[&str]| keys.iter().any(|key| block.get(key).is_some_and(|value| !value.is_null()));
    let usage = if has(&["promptTokenCount", "prompt_token_count", "totalTokenCount", "total_token_count"]) {
        gemini(block)
    } else if has(&["inputTokens", "outputTokens"]) {
        bedrock(block)
    } else if has(&["prompt_tokens", "completion_tokens"]) {
        chat(block)
    } else if has(&["cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation", "iterations"]) {
        anthropic(block)
    } else if has(&["input_tokens", "output_tokens"]) {
        responses(block)
    } else if has(&["total_tokens"]) {
        // Embeddings, where there is nothing else to tell apart.
        Usage::new(any(block, &[&["total_tokens"]]), 0)
    } else {
        return None;
    };
    Some(with_parts_beside(usage))
}

/// A part that is larger than its whole cannot be in it: who tells it so counts it beside, and it is added.
fn with_parts_beside(mut usage: Usage) -> Usage {
    usage.cache_write_tokens = usage.cache_write_tokens.max(usage.cache_write_1h_tokens);
    let stored = usage.cached_input_tokens.saturating_add(usage.cache_write_tokens);
    if stored > usage.input_tokens {
        usage.input_tokens = usage.input_tokens.saturating_add(stored);
    }
    if usage.reasoning_tokens > usage.output_tokens {
        usage.output_tokens = usage.output_tokens.saturating_add(usage.reasoning_tokens);
    }
    usage.input_tokens = usage.input_tokens.max(usage.input_audio_tokens).max(usage.input_image_tokens);
    usage.output_tokens = usage.output_tokens.max(usage.output_audio_tokens).max(usage.output_image_tokens);
    usage
}

/// All output: xAI counts reasoning beside it, and the total gives it away.
fn all_output(block: &Value, input: u64, output: u64, reasoning: u64) -> u64 {
    let with_reasoning = output.saturating_add(reasoning);
    let is_beside = reasoning > 0 && count(block, &["total_tokens"]) == Some(input.saturating_add(with_reasoning));
    if is_beside { with_reasoning } else { output }
}

/// What is left of a part when what was read from the cache is taken off: that is charged as cached already.
fn uncached(part: u64, cached: u64) -> u64 {
    part.saturating_sub(cached)
}

/// OpenAI chat and embeddings, and who follows them: DeepSeek, Mistral, xAI, Groq, `OpenRouter`.
fn chat(block: &Value) -> Usage {
    let input_tokens = any(block, &[&["prompt_tokens"]]);
    let (input, output) = ("prompt_tokens_details", "completion_tokens_details");
    let reasoning_tokens = any(block, &[&[output, "reasoning_tokens"], &["reasoning_tokens"]]);
    // Several may be told at once, and zero by one that does not know.
    let cached: [&[&str]; 6] = [
        &[input, "cached_tokens"],
        &["prompt_cache_hit_tokens"],
        &["num_cached_tokens"],
        &["cached_tokens"],
        // xAI's SDK.
        &["cached_prompt_text_tokens"],
        // Who puts OpenAI's form before Anthropic.
        &["cache_read_input_tokens"],
    ];
    let written: [&[&str]; 3] =
        [&[input, "cache_write_tokens"], &[input, "cache_creation_tokens"], &["cache_creation_input_tokens"]];
    let cached_part = |name| any(block, &[&[input, "cached_tokens_details", name]]);
    let output_tokens = any(block, &[&["completion_tokens"]]);
    let (cached, written) = (most(block, &cached), most(block, &written));
    let hidden = any(block, &[&["total_tokens"]]).saturating_sub(input_tokens.saturating_add(output_tokens));
    let stored = cached.saturating_add(written);
    // What the total has more is what is told beside the two: the cache where it is just that, else reasoning, which
    // Gemini in this form tells nowhere else.
    let (input_tokens, thought) = match hidden {
        0 => (input_tokens, 0),
        _ if hidden == reasoning_tokens => (input_tokens, hidden),
        _ if hidden >= stored && stored > 0 && [0, reasoning_tokens].contains(&(hidden - stored)) => {
            (input_tokens.saturating_add(stored), hidden - stored)
        }
        _ => (input_tokens, hidden),
    };
    Usage {
        reasoning_tokens: reasoning_tokens.max(thought),
        cached_input_tokens: cached,
        cache_write_tokens: written,
        input_audio_tokens: uncached(any(block, &[&[input, "audio_tokens"]]), cached_part("audio_tokens")),
        input_image_tokens: uncached(
            any(block, &[&[input, "image_tokens"], &["prompt_image_tokens"]]),
            cached_part("image_tokens"),
        ),
        output_audio_tokens: any(block, &[&[output, "audio_tokens"]]),
        output_image_tokens: any(block, &[&[output, "image_tokens"]]),
        searches: any(block, &[&["num_search_queries"], &["num_sources_used"]]),
        ..Usage::new(input_tokens, output_tokens.saturating_add(thought))
    }
}

/// `OpenAI` responses, realtime, transcriptions and images, and Anthropic where it tells nothing of a cache.
fn responses(block: &Value) -> Usage {
    let detail = |side: [&str; 2], name: &str| any(block, &[&[side[0], name], &[side[1], name]]);
    let input = ["input_tokens_details", "input_token_details"];
    let output = ["output_tokens_details", "output_token_details"];
    let cached_part = |name: &str| {
        let inside = "cached_tokens_details";
        any(block, &[&[input[0], inside, name], &[input[1], inside, name]])
    };
    let input_tokens = any(block, &[&["input_tokens"]]);
    let reasoning_tokens = detail(output, "reasoning_tokens").max(detail(output, "thinking_tokens"));
    let output_tokens = all_output(block, input_tokens, any(block, &[&["output_tokens"]]), reasoning_tokens);
    Usage {
        cached_input_tokens: detail(input, "cached_tokens"),
        cache_write_tokens: detail(input, "cache_write_tokens"),
        input_audio_tokens: uncached(detail(input, "audio_tokens"), cached_part("audio_tokens")),
        input_image_tokens: uncached(detail(input, "image_tokens"), cached_part("image_tokens")),
        output_audio_tokens: detail(output, "audio_tokens"),
        output_image_tokens: detail(output, "image_tokens"),
        reasoning_tokens,
        searches: any(block, &[&["server_tool_use", "web_search_requests"]]),
        ..Usage::new(input_tokens, output_tokens)
    }
}

/// Anthropic: its input leaves out what was read from and written to the cache, and its counts leave out the calls that
/// compacted a long conversation, which are told one by one.
fn anthropic(block: &Value) -> Usage {
    let minutes = any(block, &[&["cache_creation", "ephemeral_5m_input_tokens"]]);
    let hour = any(block, &[&["cache_creation", "ephemeral_1h_input_tokens"]]);
    let written = any(block, &[&["cache_creation_input_tokens"]]).max(minutes.saturating_add(hour));
    let cached = any(block, &[&["cache_read_input_tokens"]]);
    let own = Usage {
        input_tokens: any(block, &[&["input_tokens"]]).saturating_add(written).saturating_add(cached),
        cached_input_tokens: cached,
        cache_write_tokens: written,
        cache_write_1h_tokens: hour,
        ..responses(block)
    };
    let steps = block.get("iterations").and_then(Value::as_array).into_iter().flatten();
    let compactions = steps.filter(|step| step.get("type").and_then(Value::as_str) == Some("compaction"));
    compactions.map(anthropic).fold(own, |sum, step| Usage {
        input_tokens: sum.input_tokens.saturating_add(step.input_tokens),
        output_tokens: sum.output_tokens.saturating_add(step.output_tokens),
        cached_input_tokens: sum.cached_input_tokens.saturating_add(step.cached_input_tokens),
        cache_write_tokens: sum.cache_write_tokens.saturating_add(step.cache_write_tokens),
        cache_write_1h_tokens: sum.cache_write_1h_tokens.saturating_add(step.cache_write_1h_tokens),
        ..sum
    })
}

/// Gemini: thoughts come on top of the candidates (the response, where it is live), the results of tools on top of the
/// prompt.
fn gemini(block: &Value) -> Usage {
    let thoughts = any(block, &[&["thoughtsTokenCount"], &["thoughts_token_count"]]);
    let prompt = any(block, &[&["promptTokenCount"], &["prompt_token_count"]]);
    let tools = any(block, &[&["toolUsePromptTokenCount"], &["tool_use_prompt_token_count"]]);
    let answers: [&[&str]; 4] =
        [&["candidatesTokenCount"], &["candidates_token_count"], &["responseTokenCount"], &["response_token_count"]];
    let input = ["promptTokensDetails", "prompt_tokens_details"];
    let cached = ["cacheTokensDetails", "cache_tokens_details"];
    let output =
        ["candidatesTokensDetails", "candidates_tokens_details", "responseTokensDetails", "response_tokens_details"];
    let answer = any(block, &answers).saturating_add(thoughts);
    let read = match prompt.saturating_add(tools) {
        0 if answer == 0 => any(block, &[&["totalTokenCount"], &["total_token_count"]]),
        read => read,
    };
    Usage {
        cached_input_tokens: any(block, &[&["cachedContentTokenCount"], &["cached_content_token_count"]]),
        reasoning_tokens: thoughts,
        input_audio_tokens: uncached(modality(block, &input, "AUDIO"), modality(block, &cached, "AUDIO")),
        input_image_tokens: uncached(modality(block, &input, "IMAGE"), modality(block, &cached, "IMAGE")),
        output_audio_tokens: modality(block, &output, "AUDIO"),
        output_image_tokens: modality(block, &output, "IMAGE"),
        ..Usage::new(read, answer)
    }
}

/// Bedrock Converse: as Anthropic, the input leaves out the cache.
fn bedrock(block: &Value) -> Usage {
    let cached = any(block, &[&["cacheReadInputTokens"], &["cacheReadInputTokenCount"]]);
    let written = any(block, &[&["cacheWriteInputTokens"], &["cacheWriteInputTokenCount"]]);
    let details = block.get("cacheDetails").and_then(Value::as_array);
    let hour = details.into_iter().flatten().filter(|part| part.get("ttl").and_then(Value::as_str) == Some("1h"));
    let read = any(block, &[&["inputTokens"]]).saturating_add(cached).saturating_add(written);
    Usage {
        cached_input_tokens: cached,
        cache_write_tokens: written,
        cache_write_1h_tokens: hour.map(|part| any(part, &[&["inputTokens"]])).fold(0, u64::saturating_add),
        ..Usage::new(read, any(block, &[&["outputTokens"]]))
    }
}
