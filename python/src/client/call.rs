//! The keywords of a call, as the Python package collects them.

use crate::duration::timeout;
use crate::error::Result;
use crate::payload::body_from_py;
use headrace::Error;
use headrace::chat::Request;
use headrace::client::ChatCall;
use headrace::wire::{Protocol, openai_chat};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A chat: messages and parameters as in OpenAI's chat completions, read by its protocol.
pub(super) fn chat_call(given: &Bound<'_, PyDict>) -> Result<ChatCall> {
    let messages = match item(given, "messages")? {
        text if text.is_instance_of::<PyString>() => json!([{"role": "user", "content": text.extract::<String>()?}]),
        list => match body_from_py(&list)? {
            Value::Array(messages) => Value::Array(messages),
            _ => return Err(PyTypeError::new_err("messages is neither a text nor a list of role/content dicts").into()),
        },
    };
    let mut body = match body_from_py(&item(given, "params")?)? {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    refuse_stream(&body)?;
    refuse_misspelt(&body)?;
    if let Some(more) = body.remove("extra_body").filter(|more| !more.is_null()) {
        body.extend(extra_body(more)?);
    }
    body.insert("model".into(), item(given, "model")?.extract::<String>()?.into());
    body.insert("messages".into(), messages);
    let request = openai_chat::PROTOCOL.read_request(Value::Object(body))?.request;
    with_options(given, request)
}

/// A call for vectors: all but the texts.
pub(super) fn embed_call(given: &Bound<'_, PyDict>) -> Result<ChatCall> {
    with_options(given, Request { model: item(given, "model")?.extract()?, ..Request::default() })
}

fn with_options(given: &Bound<'_, PyDict>, request: Request) -> Result<ChatCall> {
    let tags = item(given, "tags")?;
    if tags.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err("tags is one string: give a list of strings").into());
    }
    let limit = item(given, "timeout")?;
    let call = ChatCall {
        priority: crate::queue::priority(Some(&item(given, "priority")?))?,
        tenant: Arc::from(item(given, "tenant")?.extract::<String>()?),
        tags: tags.try_iter()?.map(|tag| tag?.extract()).collect::<PyResult<_>>()?,
        timeout: timeout(Some(&limit).filter(|limit| !limit.is_none()))?,
        cache: item(given, "cache")?.extract()?,
        ..ChatCall::of(request)
    };
    Ok(match item(given, "parent")?.extract::<Option<String>>()? {
        Some(traceparent) => call.within_span(&traceparent),
        None => call,
    })
}

fn item<'py>(given: &Bound<'py, PyDict>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    given.get_item(name)?.ok_or_else(|| PyValueError::new_err(format!("{name} is missing")))
}

/// What other libraries take as a keyword of a call, and what to do here.
const ELSEWHERE: [(&str, &str); 4] = [
    ("extra_headers", "give headers= to the provider, as in OpenAI(headers={...})"),
    ("extra_query", "put the query into the provider's base_url"),
    ("api_key", "give it to the provider, as in OpenAI(api_key=...)"),
    ("base_url", "give it to the provider, as in OpenAICompatible(base_url)"),
];

/// What goes into the request as it is; what the call names itself cannot be in it.
fn extra_body(given: Value) -> Result<Map<String, Value>> {
    let Value::Object(more) = given else {
        return Err(Error::invalid(format!("extra_body is {given}: give a dict of parameters")).into());
    };
    match more.keys().find(|name| ["model", "messages", "stream"].contains(&name.as_str())) {
        Some(name) => Err(Error::invalid(format!("extra_body has {name}: give it as an argument of the call")).into()),
        None => Ok(more),
    }
}

fn refuse_stream(body: &Map<String, Value>) -> Result<()> {
    if body.get("stream").is_some_and(|stream| !stream.is_null() && *stream != Value::Bool(false)) {
        return Err(Error::invalid("stream=True gives chunks: call stream() or astream() in place of chat()").into());
    }
    if let Some((name, advice)) = ELSEWHERE.iter().find(|(name, _)| body.contains_key(*name)) {
        return Err(Error::invalid(format!("{name} is no parameter of a call: {advice}")).into());
    }
    Ok(())
}

/// The parameters of OpenAI's chat completions, and what other providers take beside them.
const KNOWN: [&str; 36] = [
    "audio",
    "extra_body",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// A parameter that is nearly a known one would reach the provider as an unknown one, or nobody.
fn refuse_misspelt(body: &Map<String, Value>) -> Result<()> {
    for name in body.keys().filter(|name| !KNOWN.contains(&name.as_str())) {
        if let Some(meant) = KNOWN.iter().find(|known| is_near(name, known)) {
            return Err(Error::invalid(format!(
                "{name} is no parameter that is known: did you mean {meant}? To send it all the same, give extra_body={{{name:?}: ...}}"
            ))
            .into());
        }
    }
    Ok(())
}

/// Whether two names of some length differ by one or two letters left out, added, exchanged or swapped.
fn is_near(given: &str, known: &str) -> bool {
    let most = match known.len() {
        0..=3 => 0,
        4..=6 => 1,
        _ => 2,
    };
    given.len().abs_diff(known.len()) <= most && distance(given.as_bytes(), known.as_bytes()) <= most
}

/// Edits from one name to the other: the optimal string alignment distance (Damerau 1964), in which a swap of neighbours
/// is one edit.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let edited = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                let is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if is_swap { edited.min(rows[i - 2][j - 2] + 1) } else { edited }
            };
        }
    }
    rows[a.len()][b.len()]
}
