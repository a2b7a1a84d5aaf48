//! Counts in a reply: whole numbers, or the reply is refused.

use crate::{Error, Result};
use serde_json::Value;

/// How the names of counts end. Rates, times and costs, which some providers put beside them, end otherwise.
const COUNTS: [&str; 8] =
    ["tokens", "Tokens", "tokenCount", "TokenCount", "token_count", "requests", "queries", "_used"];

/// A count, also where it is written as `3.0` or, as protocol buffers write long numbers, as `"3"`.
fn whole(value: &Value) -> Option<u64> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let digits = text
        .split_once('.')
        .map_or(Some(text.as_str()), |(digits, rest)| rest.bytes().all(|digit| digit == b'0').then_some(digits));
    digits?.parse().ok()
}

pub(super) fn count(block: &Value, path: &[&str]) -> Option<u64> {
    whole(path.iter().try_fold(block, |value, key| value.get(key))?)
}

/// The count at the first path that has one.
pub(super) fn any(block: &Value, paths: &[&[&str]]) -> u64 {
    paths.iter().find_map(|path| count(block, path)).unwrap_or(0)
}

/// The largest count at any of the paths.
pub(super) fn most(block: &Value, paths: &[&[&str]]) -> u64 {
    paths.iter().filter_map(|path| count(block, path)).max().unwrap_or(0)
}

/// The tokens of one kind in Gemini's list of them.
pub(super) fn modality(block: &Value, keys: &[&str], kind: &str) -> u64 {
    let list = keys.iter().find_map(|key| block.get(key)?.as_array());
    let of_kind = list.into_iter().flatten().filter(|part| {
        // An SDK's enum may come with its class in front.
        part.get("modality").and_then(Value::as_str).is_some_and(|name| name.rsplit('.').next() == Some(kind))
    });
    of_kind.map(|part| any(part, &[&["tokenCount"], &["token_count"]])).fold(0, u64::saturating_add)
}

/// Refuses a count that is negative, a fraction or no number, wherever it stands: it would be silently nothing.
pub(super) fn check(block: &Value) -> Result<()> {
    match block {
        Value::Object(fields) => fields.iter().try_for_each(|(key, value)| match value {
            Value::Object(_) | Value::Array(_) => check(value),
            Value::Null => Ok(()),
            _ if !COUNTS.iter().any(|end| key.ends_with(end)) || whole(value).is_some() => Ok(()),
            _ => Err(Error::invalid(format!(
                "the reply's {key} is {value}: a provider counts in whole numbers of at least 0, so it cannot be priced"
            ))),
        }),
        Value::Array(parts) => parts.iter().try_for_each(check),
        _ => Ok(()),
    }
}
