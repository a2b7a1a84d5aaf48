//! `generationConfig`, both ways: how the answer is made, and its form.

use crate::chat::{Limits, Output, Request, Sampling};
use crate::wire::effort;
use crate::wire::fields::Fields;
use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// The name of a schema, which has none in this protocol.
const NAME: &str = "response";

/// Models that take a number of tokens for their thoughts, and no word.
const BY_BUDGET: [&str; 2] = ["gemini-2", "gemini-1"];

/// What `generationConfig` says.
pub(super) struct Config {
    pub(super) output: Output,
    pub(super) sampling: Sampling,
    pub(super) limits: Limits,
    /// Parameters that have OpenAI's name in `extra`.
    pub(super) named: Vec<(String, Value)>,
    /// Fields without a name here.
    pub(super) rest: Map<String, Value>,
}

/// Reads `generationConfig`.
pub(super) fn read(given: Map<String, Value>) -> Result<Config> {
    let mut fields = Fields::at("generationConfig", given.into())?;
    let whole = "a whole number, 0 or more";
    let is_json = fields.any("responseMimeType").is_some_and(|kind| kind == "application/json");
    let schema = fields.any("responseJsonSchema").or_else(|| fields.any("responseSchema"));
    let output = match schema {
        Some(schema) => Output::Schema { name: NAME.into(), schema, description: None, strict: None },
        None if is_json => Output::Json,
        None => Output::Text,
    };
    let (level, budget) = read_thinking(&mut fields)?;
    let sampling = Sampling {
        temperature: fields.number("temperature", "a number from 0 to 2")?,
        top_p: fields.number("topP", "a number from 0 to 1")?,
        top_k: fields.count("topK", whole)?,
        frequency_penalty: fields.number("frequencyPenalty", "a number from -2 to 2")?,
        presence_penalty: fields.number("presencePenalty", "a number from -2 to 2")?,
        seed: fields.integer("seed", "a whole number")?,
        stop: fields.texts("stopSequences", "a list of texts")?.unwrap_or_default(),
        choices: fields.count("candidateCount", "a whole number, 1 or more")?,
        reasoning_effort: level,
    };
    let max_output_tokens = fields.count("maxOutputTokens", "a whole number, 1 or more")?;
    let named = [("responseLogprobs", "logprobs"), ("logprobs", "top_logprobs")];
    let named = named.into_iter().filter_map(|(theirs, ours)| Some((ours.to_owned(), fields.any(theirs)?))).collect();
    let limits = Limits { max_output_tokens, max_reasoning_tokens: budget };
    Ok(Config { output, sampling, limits, named, rest: fields.rest() })
}

fn read_thinking(fields: &mut Fields) -> Result<(Option<String>, Option<u64>)> {
    let Some(given) = fields.object("thinkingConfig", "an object")? else { return Ok((None, None)) };
    let mut given = Fields::at("generationConfig.thinkingConfig", given.into())?;
    let level = given.text("thinkingLevel", "low, medium or high")?.map(|level| level.to_ascii_lowercase());
    // A number below 0 leaves it to the model, which is what no number does.
    let budget = given.integer("thinkingBudget", "a whole number")?.and_then(|budget| u64::try_from(budget).ok());
    let shows = given.any("includeThoughts").filter(|_| level.is_none() && budget.is_none());
    let mut rest = given.rest();
    rest.extend(shows.map(|shows| ("includeThoughts".to_owned(), shows)));
    if !rest.is_empty() {
        fields.leave("thinkingConfig", rest.into());
    }
    Ok((level, budget))
}

/// Writes `generationConfig` over what `extra` has of it.
///
/// # Errors
/// `InvalidArgument`: a form of the answer in the words of another protocol.
pub(super) fn write(request: &Request, extra: &mut Map<String, Value>) -> Result<Map<String, Value>> {
    let mut config = match extra.remove("generationConfig") {
        Some(Value::Object(config)) => config,
        _ => Map::new(),
    };
    let sampling = &request.sampling;
    let logprobs = extra.remove("logprobs");
    let top_logprobs = extra.remove("top_logprobs");
    let thinking = thinking(request, config.remove("thinkingConfig"));
    let mut set = |name: &str, value: Option<Value>| value.map(|value| config.insert(name.to_owned(), value));
    set("temperature", sampling.temperature.map(Value::from));
    set("topP", sampling.top_p.map(Value::from));
    set("topK", sampling.top_k.map(Value::from));
    set("frequencyPenalty", sampling.frequency_penalty.map(Value::from));
    set("presencePenalty", sampling.presence_penalty.map(Value::from));
    set("seed", sampling.seed.map(Value::from));
    set("stopSequences", (!sampling.stop.is_empty()).then(|| sampling.stop.clone().into()));
    set("candidateCount", sampling.choices.map(Value::from));
    set("maxOutputTokens", request.limits.max_output_tokens.map(Value::from));
    set("responseLogprobs", logprobs);
    set("logprobs", top_logprobs);
    set("thinkingConfig", thinking);
    match &request.output {
        Output::Text => {}
        Output::Json => {
            set("responseMimeType", Some("application/json".into()));
        }
        Output::Schema { schema, .. } => {
            set("responseMimeType", Some("application/json".into()));
            set("responseJsonSchema", Some(schema.clone()));
        }
        Output::Other(value) => {
            return Err(Error::invalid(format!(
                "response_format is {value}, for which Gemini has no form: give json_object or a json_schema"
            )));
        }
    }
    Ok(config)
}

/// How hard to think: a number where one was given or the model takes no word. Thoughts that are asked for are shown.
fn thinking(request: &Request, given: Option<Value>) -> Option<Value> {
    let effort = request.sampling.reasoning_effort.as_deref();
    let by_budget = BY_BUDGET.iter().any(|models| request.model.starts_with(models));
    let of_word = |word: &str| effort::budget(word).filter(|budget| by_budget || *budget == 0);
    let (name, value): (_, Value) = match (request.limits.max_reasoning_tokens, effort) {
        (Some(budget), _) => ("thinkingBudget", budget.into()),
        (None, Some(word)) => match of_word(word) {
            Some(budget) => ("thinkingBudget", budget.into()),
            None => ("thinkingLevel", word.into()),
        },
        (None, None) => return given,
    };
    let mut fields = given.and_then(|given| given.as_object().cloned()).unwrap_or_default();
    fields.entry("includeThoughts").or_insert_with(|| json!(value != 0));
    fields.insert(name.into(), value);
    Some(fields.into())
}
