//! Parameters that not every protocol has. One that a protocol has no form for is refused, or left out where it changes no
//! answer; none is sent where it means nothing.

use crate::chat::Request;
use crate::{Error, Result};
use serde_json::{Map, Value};

/// The name, in `extra`, of how long the answer is to be: that of OpenAI's chat.
pub(super) const VERBOSITY: &str = "verbosity";

/// The name, in `extra`, of how OpenAI's Responses are to sum up the model's thoughts.
pub(super) const REASONING_SUMMARY: &str = "reasoning_summary";

/// The name, in `extra`, of whether several tools may be asked for at once: OpenAI's.
pub(super) const PARALLEL: &str = "parallel_tool_calls";

/// Where a parameter is known: a letter a protocol.
#[derive(Debug, Clone, Copy)]
struct Known(&'static str);

impl Known {
    fn has(self, protocol: &str) -> bool {
        let letter = match protocol {
            "openai_chat" => 'c',
            "openai_responses" => 'r',
            "anthropic" => 'a',
            _ => 'g',
        };
        self.0.contains(letter)
    }
}

/// What becomes of a parameter in a protocol that does not know it.
#[derive(Debug, Clone, Copy)]
enum Elsewhere {
    /// It changes no answer.
    LeftOut,
    /// It changes the answer, but for the value here, which is what every provider does without a word.
    Refused(&'static str),
}

use Elsewhere::{LeftOut, Refused};

/// Parameters of `extra`. One that is not here is the provider's own, and passes through.
const PARAMETERS: [(&str, Known, Elsewhere); 42] = [
    ("audio", Known("c"), Refused("null")),
    ("background", Known("r"), Refused("false")),
    ("cachedContent", Known("g"), Refused("null")),
    ("cache_control", Known("a"), LeftOut),
    ("client_metadata", Known("r"), LeftOut),
    ("container", Known("a"), Refused("null")),
    ("context_management", Known("ar"), LeftOut),
    ("conversation", Known("r"), Refused("null")),
    ("function_call", Known("c"), Refused("null")),
    ("functions", Known("c"), Refused("[]")),
    ("generationConfig", Known("g"), Refused("{}")),
    ("include", Known("r"), LeftOut),
    ("labels", Known("g"), LeftOut),
    ("logit_bias", Known("c"), Refused("{}")),
    ("logprobs", Known("crg"), Refused("false")),
    ("max_tool_calls", Known("r"), Refused("null")),
    ("mcp_servers", Known("a"), Refused("[]")),
    ("modalities", Known("c"), Refused("[\"text\"]")),
    ("output_config", Known("a"), LeftOut),
    (PARALLEL, Known("cra"), Refused("true")),
    ("prediction", Known("c"), Refused("null")),
    ("previous_response_id", Known("r"), Refused("null")),
    ("prompt", Known("r"), Refused("null")),
    ("prompt_cache_key", Known("cr"), LeftOut),
    ("prompt_cache_retention", Known("cr"), LeftOut),
    (REASONING_SUMMARY, Known("r"), LeftOut),
    ("safetySettings", Known("g"), Refused("[]")),
    ("safety_identifier", Known("cr"), LeftOut),
    ("service_tier", Known("cra"), Refused("\"auto\"")),
    ("speed", Known("a"), Refused("\"standard\"")),
    ("store", Known("cr"), LeftOut),
    ("stream_options", Known("c"), LeftOut),
    ("text", Known("r"), LeftOut),
    ("thinking", Known("ca"), LeftOut),
    ("top_logprobs", Known("crg"), Refused("0")),
    ("truncation", Known("r"), LeftOut),
    ("user", Known("cra"), LeftOut),
    (VERBOSITY, Known("cr"), Refused("\"medium\"")),
    ("web_search_options", Known("c"), Refused("null")),
    ("betas", Known("a"), LeftOut),
    ("inference_geo", Known("a"), Refused("\"global\"")),
    ("toolConfig", Known("g"), Refused("{}")),
];

/// Parameters of `sampling`, with where they are known, and how to tell whether one is given.
const SAMPLING: [(&str, Known, fn(&Request) -> bool); 6] = [
    ("frequency_penalty", Known("cg"), |request| {
        request.sampling.frequency_penalty.is_some_and(|penalty| penalty != 0.0)
    }),
    ("presence_penalty", Known("cg"), |request| {
        request.sampling.presence_penalty.is_some_and(|penalty| penalty != 0.0)
    }),
    ("seed", Known("cg"), |request| request.sampling.seed.is_some()),
    ("top_k", Known("cag"), |request| request.sampling.top_k.is_some()),
    ("stop", Known("cag"), |request| !request.sampling.stop.is_empty()),
    ("n", Known("cg"), |request| request.sampling.choices.is_some_and(|choices| choices != 1)),
];

/// The fields of a request that have no name here, as far as a protocol may be sent them.
///
/// # Errors
/// `InvalidArgument`, naming a parameter that the protocol has no form for.
pub(super) fn extra(request: &Request, protocol: &str) -> Result<Map<String, Value>> {
    let unknown = SAMPLING.iter().find(|(_, known, is_given)| !known.has(protocol) && is_given(request));
    if let Some((name, ..)) = unknown {
        return Err(refused(name, protocol));
    }
    let mut extra = request.extra.clone();
    for (name, _, elsewhere) in PARAMETERS.iter().filter(|(_, known, _)| !known.has(protocol)) {
        let Some(value) = extra.remove(*name) else { continue };
        match elsewhere {
            Refused(usual) if !value.is_null() && serde_json::from_str(usual).ok() != Some(value) => {
                return Err(refused(name, protocol));
            }
            _ => {}
        }
    }
    Ok(extra)
}

fn refused(name: &str, protocol: &str) -> Error {
    let title = match protocol {
        "openai_chat" => "OpenAI's chat",
        "openai_responses" => "OpenAI's Responses protocol",
        "anthropic" => "Anthropic's Messages protocol",
        _ => "Gemini's protocol",
    };
    Error::invalid(format!(
        "{name} is given, for which {title} has no form: leave it out, or name a model of another provider"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_changes_the_answer_is_refused_and_what_does_not_is_left_out() {
        let asked = |name: &str, value: Value, protocol: &str| {
            let mut request = Request::of_prompt("m", "Hi");
            request.extra.insert(name.into(), value);
            extra(&request, protocol).map(|extra| extra.contains_key(name)).map_err(|error| error.to_string())
        };
        assert_eq!(asked("x_new", json!(1), "gemini"), Ok(true));
        assert_eq!(asked("user", json!("ann"), "gemini"), Ok(false));
        assert_eq!(asked("user", json!("ann"), "anthropic"), Ok(true));
        assert_eq!(asked("logit_bias", json!({}), "anthropic"), Ok(false));
        assert!(asked("logit_bias", json!({"1": 5}), "anthropic").unwrap_err().contains("logit_bias is given"));
        assert_eq!(asked("background", json!(false), "openai_chat"), Ok(false));
        assert!(asked("previous_response_id", json!("resp_1"), "openai_chat").is_err());
        let mut request = Request::of_prompt("m", "Hi");
        request.sampling.seed = Some(7);
        assert!(extra(&request, "anthropic").unwrap_err().to_string().contains("seed is given"));
        assert!(extra(&request, "gemini").is_ok());
    }

    #[test]
    fn every_usual_value_is_json() {
        for (name, _, elsewhere) in PARAMETERS {
            if let Refused(usual) = elsewhere {
                assert!(serde_json::from_str::<Value>(usual).is_ok(), "{name}");
            }
        }
    }
}
