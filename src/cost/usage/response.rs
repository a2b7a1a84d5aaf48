//! Usage from a provider's reply: which family wrote it is told by its fields.

use super::{ServiceTier, Usage, count, families, stream, tools};
use crate::{Error, Result};
use serde_json::Value;

impl Usage {
    /// Reads the usage of a reply: OpenAI chat, responses and embeddings, Anthropic, Gemini, DeepSeek, Mistral, xAI,
    /// Bedrock Converse; or the usage in it alone. A streamed reply is given as the array of its chunks.
    ///
    /// # Errors
    /// `InvalidArgument` where there is no usage in it, or a count is no whole number.
    ///
    /// ```
    /// use headrace::cost::usage::Usage;
    /// let reply = serde_json::json!({"usage": {"input_tokens": 3, "cache_read_input_tokens": 5, "output_tokens": 2}});
    /// // Anthropic's input leaves the cache out; here it is in.
    /// assert_eq!(Usage::from_response(&reply).unwrap().input_tokens, 8);
    /// ```
    pub fn from_response(response: &Value) -> Result<Self> {
        let merged;
        let (response, searches) = match response {
            Value::Array(chunks) => {
                merged = stream::merge(chunks);
                (&merged, chunks.iter().map(tools::searches).max().unwrap_or(0))
            }
            whole => (whole, tools::searches(whole)),
        };
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
    /// use headrace::cost::usage::Usage;
    /// let stream = "data: {\"usage\": {\"prompt_tokens\": 3, \"completion_tokens\": 2}}\n\ndata: [DONE]\n";
    /// assert_eq!(Usage::from_text(stream).unwrap(), Usage::new(3, 2));
    /// ```
    pub fn from_text(text: &str) -> Result<Self> {
        match serde_json::from_str(text) {
            Ok(reply) => Self::from_response(&reply),
            Err(error) => {
                let chunks = stream::chunks(text).ok_or_else(|| {
                    Error::invalid(format!(
                        "the reply is no JSON ({error}) and no stream of it: give a reply of a provider"
                    ))
                })?;
                Self::from_response(&Value::Array(chunks))
            }
        }
    }
}

/// Where the usage is: at the top, or inside what an event of a stream carries.
pub(super) fn block(response: &Value) -> Option<&Value> {
    let direct = ["usage", "usageMetadata", "usage_metadata"].iter().find_map(|key| response.get(key));
    let inside = ["message", "response", "metadata", "data", "body", "result", "x_groq"];
    let nested = || inside.iter().find_map(|key| block(response.get(key)?));
    direct.filter(|usage| usage.as_object().is_some_and(|fields| !fields.is_empty())).or_else(nested)
}

/// The terms that the provider says it served on; a name that is not known is the standard.
fn tier(block: &Value, response: &Value) -> Option<ServiceTier> {
    let places = [Some(block), Some(response), response.get("response"), response.get("message")];
    let name = places.into_iter().flatten().find_map(told_tier)?;
    ServiceTier::parse(&name).ok().flatten()
}

/// `OpenAI` and Anthropic name a tier, Bedrock an object with its type, Gemini the type of the traffic.
pub(super) fn told_tier(place: &Value) -> Option<String> {
    // Anthropic's fast mode stands beside the tier, and has prices of its own.
    if place.get("speed").and_then(Value::as_str) == Some("fast") {
        return Some("fast".into());
    }
    let given = ["service_tier", "serviceTier", "trafficType", "traffic_type"].iter().find_map(|key| place.get(key))?;
    let name = given.as_str().or_else(|| given.get("type")?.as_str())?;
    // An SDK's enum may come with its class in front.
    let name = name.rsplit('.').next().unwrap_or(name);
    Some(name.strip_prefix("ON_DEMAND_").unwrap_or(name).to_lowercase())
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
    use super::*;
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
}
