//! Usage from a provider's reply: which family wrote it is told by its fields.

use super::place::{block, tier};
use super::{Usage, count, families, stream, tools};
use crate::{Error, Result};
use serde_json::Value;
use std::borrow::Cow;

impl Usage {
    /// Reads the usage of a reply: OpenAI chat, responses and embeddings, Anthropic, Gemini, DeepSeek, Mistral, xAI,
    /// Bedrock Converse; or the usage in it alone. A streamed reply is given as the array of its chunks.
    ///
    /// # Errors
    /// `InvalidArgument` where there is no usage in it, or a count is no whole number.
    ///
    /// ```
    /// use headrace::usage::Usage;
    /// let reply = serde_json::json!({"usage": {"input_tokens": 3, "cache_read_input_tokens": 5, "output_tokens": 2}});
    /// // Anthropic's input leaves the cache out; here it is in.
    /// assert_eq!(Usage::from_response(&reply).unwrap().input_tokens, 8);
    /// ```
    pub fn from_response(response: &Value) -> Result<Self> {
        let searches = match response {
            Value::Array(chunks) => chunks.iter().map(tools::searches).max().unwrap_or(0),
            whole => tools::searches(whole),
        };
        let response = &*whole_reply(response);
        let block = block(response).unwrap_or(response);
        count::check(block)?;
        let mut usage = families::read(block).ok_or_else(|| no_usage(response))?;
        usage.searches = usage.searches.max(searches);
        usage.service_tier = tier(block, response);
        Ok(usage)
    }

    /// Reads the text of a reply: JSON, or a stream of server-sent events or of JSON lines as it came.
    ///
    /// # Errors
    /// As [`Usage::from_response`], and where the text is neither.
    ///
    /// ```
    /// use headrace::usage::Usage;
    /// let stream = "data: {\"usage\": {\"prompt_tokens\": 3, \"completion_tokens\": 2}}\n\ndata: [DONE]\n";
    /// assert_eq!(Usage::from_text(stream).unwrap(), Usage::new(3, 2));
    /// ```
    pub fn from_text(text: &str) -> Result<Self> {
        Self::from_response(&parse(text)?)
    }
}

/// The reply of that text; of a stream, the array of its chunks.
pub(super) fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text).or_else(|error| {
        stream::chunks(text).map(Value::Array).ok_or_else(|| {
            Error::invalid(format!("the reply is no JSON ({error}) and no stream of it: give a reply of a provider"))
        })
    })
}

/// The reply; the chunks of a stream as one.
pub(super) fn whole_reply(response: &Value) -> Cow<'_, Value> {
    match response {
        Value::Array(chunks) => Cow::Owned(stream::merge(chunks)),
        whole => Cow::Borrowed(whole),
    }
}

fn no_usage(response: &Value) -> Error {
    let keys: Vec<_> = response.as_object().into_iter().flat_map(|fields| fields.keys()).take(8).collect();
    Error::invalid(format!(
        "the reply has no usage (its keys: {keys:?}): give a whole reply of a provider, or ask for usage in the stream \
         (stream_options={{\"include_usage\": true}})"
    ))
}

#[cfg(test)]
mod tests {
    use crate::usage::{ServiceTier, Usage};
    use serde_json::json;

    #[test]
    fn a_tier_is_read_and_nonsense_refused() {
        let reply = json!({"service_tier": "flex", "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
        assert_eq!(Usage::from_response(&reply).unwrap().service_tier, Some(ServiceTier::Flex));
        let broken = [
            json!({"prompt_tokens": -1}),
            json!({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": -4}}),
            json!({"prompt_tokens": 9, "completion_tokens": "many"}),
            json!({"prompt_tokens": true}),
            json!({"promptTokenCount": 5, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 1.5}]}),
            json!({}),
        ];
        let replies = broken.into_iter().map(|usage| json!({"usage": usage}));
        for bad in replies.chain([json!({}), json!({"choices": []}), json!(3), json!([])]) {
            assert!(Usage::from_response(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn anthropic_tells_its_input_first_and_its_output_last() {
        let chunks = json!([
            {"type": "message_start", "message": {"usage": {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 1}}},
            {"type": "content_block_delta", "delta": {"text": "hello"}},
            {"type": "message_delta", "usage": {"output_tokens": 40}},
            {"type": "message_stop"},
        ]);
        let usage = Usage::from_response(&chunks).unwrap();
        assert_eq!((usage.input_tokens, usage.cached_input_tokens, usage.output_tokens), (100, 90, 40));
    }

    #[test]
    fn openai_tells_all_at_the_end() {
        let chunks = json!([
            {"choices": [{"delta": {"content": "hi"}}], "usage": null},
            {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7}},
        ]);
        assert_eq!(Usage::from_response(&chunks).unwrap(), Usage::new(5, 7));
    }
}
