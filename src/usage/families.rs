//! How each family of providers writes usage.

use super::Usage;
use super::count::{any, count, modality, most};
use super::whole::Counts;
use serde_json::Value;

/// The usage of a block, by the family that its fields give away.
pub(super) fn read(block: &Value) -> Option<Usage> {
    let has = |keys: &[&str]| keys.iter().any(|key| block.get(key).is_some_and(|value| !value.is_null()));
    Some(if has(&["promptTokenCount", "prompt_token_count", "totalTokenCount", "total_token_count"]) {
        gemini(block)
    } else if has(&["inputTokens", "outputTokens"]) {
        bedrock(block)
    } else if has(&["prompt_tokens", "completion_tokens"]) {
        chat(block)
    } else if has(&["cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation", "iterations"]) {
        anthropic(block)
    } else if has(&["input_tokens", "output_tokens"]) {
        responses(block).whole()
    } else if has(&["total_tokens"]) {
        // Embeddings, where there is nothing else to tell apart.
        Usage::new(any(block, &[&["total_tokens"]]), 0)
    } else {
        return None;
    })
}

/// What is left of a part when what was read from the cache is taken off: that is charged as cached already.
fn uncached(part: u64, cached: u64) -> u64 {
    part.saturating_sub(cached)
}

/// OpenAI chat and embeddings, and those who follow them: DeepSeek, Mistral, xAI (which counts reasoning beside the output),
/// Groq, `OpenRouter`, Gemini in this form (whose reasoning only the total has).
fn chat(block: &Value) -> Usage {
    let (input, output) = ("prompt_tokens_details", "completion_tokens_details");
    // Several may be there at once, with zero from one that does not know.
    let cached: [&[&str]; 6] = [
        &[input, "cached_tokens"],
        &["prompt_cache_hit_tokens"],
        &["num_cached_tokens"],
        &["cached_tokens"],
        // xAI's SDK.
        &["cached_prompt_text_tokens"],
        // Proxies that put OpenAI's form before Anthropic.
        &["cache_read_input_tokens"],
    ];
    let written: [&[&str]; 3] =
        [&[input, "cache_write_tokens"], &[input, "cache_creation_tokens"], &["cache_creation_input_tokens"]];
    let cached_part = |name| any(block, &[&[input, "cached_tokens_details", name]]);
    let usage = Usage {
        reasoning_tokens: any(block, &[&[output, "reasoning_tokens"], &["reasoning_tokens"]]),
        cached_input_tokens: most(block, &cached),
        cache_write_tokens: most(block, &written),
        input_audio_tokens: uncached(any(block, &[&[input, "audio_tokens"]]), cached_part("audio_tokens")),
        input_image_tokens: uncached(
            any(block, &[&[input, "image_tokens"], &["prompt_image_tokens"]]),
            cached_part("image_tokens"),
        ),
        output_audio_tokens: any(block, &[&[output, "audio_tokens"]]),
        output_image_tokens: any(block, &[&[output, "image_tokens"]]),
        searches: any(block, &[&["num_search_queries"], &["num_sources_used"]]),
        ..Usage::new(any(block, &[&["prompt_tokens"]]), any(block, &[&["completion_tokens"]]))
    };
    // Perplexity's research charges for reasoning beside the output, and leaves it out of the total.
    let is_research = ["citation_tokens", "num_search_queries"].iter().any(|key| count(block, &[key]).is_some());
    let total = count(block, &["total_tokens"]).filter(|_| !is_research);
    Counts { usage, total, hides_reasoning: true, ..Counts::default() }.whole()
}

/// `OpenAI` responses, realtime, transcriptions and images, and Anthropic where it tells nothing of a cache.
fn responses(block: &Value) -> Counts {
    let detail = |side: [&str; 2], name: &str| any(block, &[&[side[0], name], &[side[1], name]]);
    let input = ["input_tokens_details", "input_token_details"];
    let output = ["output_tokens_details", "output_token_details"];
    let cached_part = |name: &str| {
        let inside = "cached_tokens_details";
        any(block, &[&[input[0], inside, name], &[input[1], inside, name]])
    };
    let usage = Usage {
        cached_input_tokens: detail(input, "cached_tokens"),
        cache_write_tokens: detail(input, "cache_write_tokens"),
        input_audio_tokens: uncached(detail(input, "audio_tokens"), cached_part("audio_tokens")),
        input_image_tokens: uncached(detail(input, "image_tokens"), cached_part("image_tokens")),
        output_audio_tokens: detail(output, "audio_tokens"),
        output_image_tokens: detail(output, "image_tokens"),
        reasoning_tokens: detail(output, "reasoning_tokens").max(detail(output, "thinking_tokens")),
        searches: any(block, &[&["server_tool_use", "web_search_requests"]]),
        ..Usage::new(any(block, &[&["input_tokens"]]), any(block, &[&["output_tokens"]]))
    };
    Counts { usage, total: count(block, &["total_tokens"]), hides_reasoning: true, ..Counts::default() }
}

/// Anthropic: its input leaves out what was read from and written to the cache, and its counts leave out the calls that
/// compacted a long conversation, which are told one by one.
fn anthropic(block: &Value) -> Usage {
    let minutes = any(block, &[&["cache_creation", "ephemeral_5m_input_tokens"]]);
    let hour = any(block, &[&["cache_creation", "ephemeral_1h_input_tokens"]]);
    let written = any(block, &[&["cache_creation_input_tokens"]]).max(minutes.saturating_add(hour));
    let told = responses(block);
    let usage = Usage {
        cached_input_tokens: any(block, &[&["cache_read_input_tokens"]]),
        cache_write_tokens: written,
        cache_write_1h_tokens: hour,
        ..told.usage
    };
    let own = Counts { usage, is_cache_beside: true, ..told }.whole();
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
    let total = count(block, &["totalTokenCount"]).or_else(|| count(block, &["total_token_count"]));
    let answers: [&[&str]; 4] =
        [&["candidatesTokenCount"], &["candidates_token_count"], &["responseTokenCount"], &["response_token_count"]];
    let input = ["promptTokensDetails", "prompt_tokens_details"];
    let cached = ["cacheTokensDetails", "cache_tokens_details"];
    let output =
        ["candidatesTokensDetails", "candidates_tokens_details", "responseTokensDetails", "response_tokens_details"];
    let (prompt, answer, total) = match (prompt, any(block, &answers), total) {
        // Embeddings, where there is nothing else.
        (0, 0, Some(total)) if tools == 0 && thoughts == 0 => (total, 0, None),
        counts => counts,
    };
    let usage = Usage {
        cached_input_tokens: any(block, &[&["cachedContentTokenCount"], &["cached_content_token_count"]]),
        reasoning_tokens: thoughts,
        input_audio_tokens: uncached(modality(block, &input, "AUDIO"), modality(block, &cached, "AUDIO")),
        input_image_tokens: uncached(modality(block, &input, "IMAGE"), modality(block, &cached, "IMAGE")),
        output_audio_tokens: modality(block, &output, "AUDIO"),
        output_image_tokens: modality(block, &output, "IMAGE"),
        ..Usage::new(prompt, answer)
    };
    Counts { usage, tools, total, is_reasoning_beside: true, hides_reasoning: true, ..Counts::default() }.whole()
}

/// Bedrock Converse: as Anthropic, the input leaves out the cache.
fn bedrock(block: &Value) -> Usage {
    let details = block.get("cacheDetails").and_then(Value::as_array);
    let hour = details.into_iter().flatten().filter(|part| part.get("ttl").and_then(Value::as_str) == Some("1h"));
    let usage = Usage {
        cached_input_tokens: any(block, &[&["cacheReadInputTokens"], &["cacheReadInputTokenCount"]]),
        cache_write_tokens: any(block, &[&["cacheWriteInputTokens"], &["cacheWriteInputTokenCount"]]),
        cache_write_1h_tokens: hour.map(|part| any(part, &[&["inputTokens"]])).fold(0, u64::saturating_add),
        ..Usage::new(any(block, &[&["inputTokens"]]), any(block, &[&["outputTokens"]]))
    };
    Counts { usage, total: count(block, &["totalTokens"]), is_cache_beside: true, ..Counts::default() }.whole()
}
