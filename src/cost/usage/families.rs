//! How each family of providers writes usage.

use super::Usage;
use serde_json::Value;

/// The usage of a block, by the family that its fields give away.
pub(super) fn read(block: &Value) -> Option<Usage> {
    let has = |keys: &[&str]| keys.iter().any(|key| block.get(key).is_some_and(|value| !value.is_null()));
    if has(&["promptTokenCount", "prompt_token_count", "totalTokenCount", "total_token_count"]) {
        Some(gemini(block))
    } else if has(&["inputTokens", "outputTokens"]) {
        Some(bedrock(block))
    } else if has(&["prompt_tokens", "completion_tokens"]) {
        Some(chat(block))
    } else if has(&["cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation"]) {
        Some(anthropic(block))
    } else if has(&["input_tokens", "output_tokens"]) {
        Some(responses(block))
    } else {
        None
    }
}

/// A count, also where it is written as `3.0`.
pub(super) fn whole(value: &Value) -> Option<u64> {
    let text = value.as_number()?.to_string();
    let digits = text
        .split_once('.')
        .map_or(Some(text.as_str()), |(digits, rest)| rest.bytes().all(|digit| digit == b'0').then_some(digits));
    digits?.parse().ok()
}

fn count(block: &Value, path: &[&str]) -> Option<u64> {
    whole(path.iter().try_fold(block, |value, key| value.get(key))?)
}

/// The count at the first path that has one.
fn any(block: &Value, paths: &[&[&str]]) -> u64 {
    paths.iter().find_map(|path| count(block, path)).unwrap_or(0)
}

/// OpenAI chat and embeddings, and who follows them: DeepSeek, Mistral, xAI, Groq.
fn chat(block: &Value) -> Usage {
    let input_tokens = any(block, &[&["prompt_tokens"]]);
    let mut output_tokens = any(block, &[&["completion_tokens"]]);
    let (input, output) = ("prompt_tokens_details", "completion_tokens_details");
    let reasoning_tokens = any(block, &[&[output, "reasoning_tokens"], &["reasoning_tokens"]]);
    // xAI counts reasoning beside the completion; the total gives it away.
    if reasoning_tokens > 0 && count(block, &["total_tokens"]) == Some(input_tokens + output_tokens + reasoning_tokens)
    {
        output_tokens += reasoning_tokens;
    }
    let cached: [&[&str]; 5] = [
        &[input, "cached_tokens"],
        &["prompt_cache_hit_tokens"],
        &["num_cached_tokens"],
        &["cached_tokens"],
        // xAI's SDK.
        &["cached_prompt_text_tokens"],
    ];
    Usage {
        reasoning_tokens,
        cached_input_tokens: any(block, &cached),
        cache_write_tokens: any(block, &[&[input, "cache_write_tokens"], &[input, "cache_creation_tokens"]]),
        input_audio_tokens: any(block, &[&[input, "audio_tokens"]]),
        input_image_tokens: any(block, &[&[input, "image_tokens"], &["prompt_image_tokens"]]),
        output_audio_tokens: any(block, &[&[output, "audio_tokens"]]),
        output_image_tokens: any(block, &[&[output, "image_tokens"]]),
        searches: any(block, &[&["num_search_queries"], &["num_sources_used"]]),
        ..Usage::new(input_tokens, output_tokens)
    }
}

/// `OpenAI` responses, realtime, transcriptions and images, and Anthropic where it tells nothing of a cache.
fn responses(block: &Value) -> Usage {
    let detail = |side: [&str; 2], name: &str| any(block, &[&[side[0], name], &[side[1], name]]);
    let input = ["input_tokens_details", "input_token_details"];
    let output = ["output_tokens_details", "output_token_details"];
    Usage {
        cached_input_tokens: detail(input, "cached_tokens"),
        cache_write_tokens: detail(input, "cache_write_tokens"),
        input_audio_tokens: detail(input, "audio_tokens"),
        input_image_tokens: detail(input, "image_tokens"),
        output_audio_tokens: detail(output, "audio_tokens"),
        output_image_tokens: detail(output, "image_tokens"),
        reasoning_tokens: detail(output, "reasoning_tokens").max(detail(output, "thinking_tokens")),
        searches: any(block, &[&["server_tool_use", "web_search_requests"]]),
        ..Usage::new(any(block, &[&["input_tokens"]]), any(block, &[&["output_tokens"]]))
    }
}

/// Anthropic: its input leaves out what was read from and written to the cache.
fn anthropic(block: &Value) -> Usage {
    let minutes = any(block, &[&["cache_creation", "ephemeral_5m_input_tokens"]]);
    let hour = any(block, &[&["cache_creation", "ephemeral_1h_input_tokens"]]);
    let written = any(block, &[&["cache_creation_input_tokens"]]).max(minutes + hour);
    let cached = any(block, &[&["cache_read_input_tokens"]]);
    Usage {
        input_tokens: any(block, &[&["input_tokens"]]) + written + cached,
        cached_input_tokens: cached,
        cache_write_tokens: written,
        cache_write_1h_tokens: hour,
        ..responses(block)
    }
}

/// Gemini: thoughts come on top of the candidates, the results of tools on top of the prompt.
fn gemini(block: &Value) -> Usage {
    let thoughts = any(block, &[&["thoughtsTokenCount"], &["thoughts_token_count"]]);
    let prompt = any(block, &[&["promptTokenCount"], &["prompt_token_count"]]);
    let tools = any(block, &[&["toolUsePromptTokenCount"], &["tool_use_prompt_token_count"]]);
    let candidates = any(block, &[&["candidatesTokenCount"], &["candidates_token_count"]]);
    let (input, output) =
        (["promptTokensDetails", "prompt_tokens_details"], ["candidatesTokensDetails", "candidates_tokens_details"]);
    Usage {
        cached_input_tokens: any(block, &[&["cachedContentTokenCount"], &["cached_content_token_count"]]),
        reasoning_tokens: thoughts,
        input_audio_tokens: modality(block, input, "AUDIO"),
        input_image_tokens: modality(block, input, "IMAGE"),
        output_audio_tokens: modality(block, output, "AUDIO"),
        output_image_tokens: modality(block, output, "IMAGE"),
        ..Usage::new(prompt + tools, candidates + thoughts)
    }
}

/// The tokens of one kind in Gemini's list of them.
fn modality(block: &Value, keys: [&str; 2], kind: &str) -> u64 {
    let list = keys.iter().find_map(|key| block.get(key)?.as_array());
    let of_kind = list.into_iter().flatten().filter(|part| {
        // An SDK's enum may come with its class in front.
        part.get("modality").and_then(Value::as_str).is_some_and(|name| name.rsplit('.').next() == Some(kind))
    });
    of_kind.map(|part| any(part, &[&["tokenCount"], &["token_count"]])).sum()
}

/// Bedrock Converse: as Anthropic, the input leaves out the cache.
fn bedrock(block: &Value) -> Usage {
    let cached = any(block, &[&["cacheReadInputTokens"], &["cacheReadInputTokenCount"]]);
    let written = any(block, &[&["cacheWriteInputTokens"], &["cacheWriteInputTokenCount"]]);
    let details = block.get("cacheDetails").and_then(Value::as_array);
    let hour = details.into_iter().flatten().filter(|part| part.get("ttl").and_then(Value::as_str) == Some("1h"));
    Usage {
        cached_input_tokens: cached,
        cache_write_tokens: written,
        cache_write_1h_tokens: hour.map(|part| any(part, &[&["inputTokens"]])).sum(),
        ..Usage::new(any(block, &[&["inputTokens"]]) + cached + written, any(block, &[&["outputTokens"]]))
    }
}
