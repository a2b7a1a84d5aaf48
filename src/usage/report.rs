//! A usage with where it comes from: the provider's reply, or an estimate.

use super::place::block;
use super::response::whole_reply;
use super::{Usage, response};
use crate::Result;
use serde_json::Value;

/// A usage, whether it is an estimate, and what the provider says that the call cost.
///
/// ```
/// use headrace::usage::{Usage, UsageReport};
/// let reply = serde_json::json!({"usage": {"prompt_tokens": 3, "completion_tokens": 2, "cost": 0.00014}});
/// let report = UsageReport::from_response(&reply).unwrap();
/// assert_eq!((report.usage, report.cost_usd.as_deref()), (Usage::new(3, 2), Some("0.00014")));
/// assert!(!report.is_estimated && UsageReport::estimated(Usage::new(3, 2)).is_estimated);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageReport {
    /// The usage.
    pub usage: Usage,
    /// Whether the counts are an estimate, as the provider gave none.
    pub is_estimated: bool,
    /// What the provider says that the call cost, in US dollars: a decimal number as text, perhaps with an exponent.
    pub cost_usd: Option<Box<str>>,
}

impl UsageReport {
    /// A usage that the provider gave.
    #[must_use]
    pub fn told(usage: Usage) -> Self {
        Self { usage, is_estimated: false, cost_usd: None }
    }

    /// A usage that nobody gave.
    #[must_use]
    pub fn estimated(usage: Usage) -> Self {
        Self { usage, is_estimated: true, cost_usd: None }
    }

    /// Reads a reply, as [`Usage::from_response`] does, with the provider's own figure of the cost: `OpenRouter`'s and
    /// Perplexity's `cost`, xAI's `cost_in_usd_ticks`, `DeepInfra`'s `estimated_cost`.
    ///
    /// # Errors
    /// As [`Usage::from_response`].
    pub fn from_response(response: &Value) -> Result<Self> {
        let usage = Usage::from_response(response)?;
        let whole = whole_reply(response);
        let cost_usd = cost(block(&whole).unwrap_or(&whole));
        Ok(Self { cost_usd, ..Self::told(usage) })
    }

    /// Reads the text of a reply, as [`Usage::from_text`] does, with the provider's own figure of the cost.
    ///
    /// # Errors
    /// As [`Usage::from_text`].
    pub fn from_text(text: &str) -> Result<Self> {
        Self::from_response(&response::parse(text)?)
    }
}

/// The cost that a provider puts into its usage.
fn cost(block: &Value) -> Option<Box<str>> {
    let given = block.get("cost").map(|cost| cost.get("total_cost").unwrap_or(cost));
    if let Some(text) = given.and_then(decimal) {
        return Some(text);
    }
    // 10,000,000,000 ticks are a dollar (<https://docs.x.ai/developers/cost-tracking>).
    let ticks = block.get("cost_in_usd_ticks").and_then(decimal);
    let whole = ticks.filter(|ticks| ticks.bytes().all(|byte| byte.is_ascii_digit()));
    whole.map(|ticks| format!("{ticks}e-10").into()).or_else(|| decimal(block.get("estimated_cost")?))
}

/// The text of a number of at least 0, digit by digit as it was sent; nothing where it is something else.
fn decimal(value: &Value) -> Option<Box<str>> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    let is_number = is_digits(whole) && is_digits(part) && exponent.parse::<i16>().is_ok();
    is_number.then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cost_of(fields: &str) -> Option<String> {
        let text = format!(r#"{{"usage": {{"prompt_tokens": 1, "completion_tokens": 2, {fields}}}}}"#);
        UsageReport::from_text(&text).unwrap().cost_usd.map(String::from)
    }

    #[test]
    fn the_cost_is_read_digit_by_digit() {
        for (fields, expected) in [
            (r#""cost": 0.1"#, Some("0.1")),
            (r#""cost": 0.00014000000000000001"#, Some("0.00014000000000000001")),
            (r#""cost": 1.4e-05"#, Some("1.4e-05")),
            (r#""cost": 0"#, Some("0")),
            (r#""cost": "0.25""#, Some("0.25")),
            (r#""cost": {"total_cost": 0.045, "input_tokens_cost": 0.01}"#, Some("0.045")),
            (r#""cost_in_usd_ticks": 37756000"#, Some("37756000e-10")),
            (r#""estimated_cost": 0.5"#, Some("0.5")),
            (r#""cost": null"#, None),
            (r#""cost": -1"#, None),
            (r#""cost": "free""#, None),
            (r#""cost": ".""#, None),
            (r#""cost": {}"#, None),
            (r#""cost_in_usd_ticks": 1.5"#, None),
        ] {
            let found = cost_of(fields);
            let same = |found: &str, expected: &str| found.to_lowercase().replace('+', "") == expected;
            assert!(
                match (&found, expected) {
                    (Some(found), Some(expected)) => same(found, expected),
                    (found, expected) => found.is_none() && expected.is_none(),
                },
                "{fields}: {found:?}"
            );
        }
    }

    #[test]
    fn a_stream_tells_its_cost_in_its_last_chunk() {
        let chunks = json!([{"choices": []}, {"usage": {"prompt_tokens": 5, "completion_tokens": 7, "cost": 0.5}}]);
        assert_eq!(UsageReport::from_response(&chunks).unwrap().cost_usd.as_deref(), Some("0.5"));
    }
}
