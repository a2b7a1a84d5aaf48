//! Scope: what must be equal for an answer to serve, as canonical JSON.

use crate::{Error, Result};
use serde_json::{Map, Value};
use std::fmt::Write;

/// The one text of a JSON value: keys sorted, no spaces.
///
/// ```
/// use headrace::cache::scope::canonical;
/// let a: serde_json::Value = serde_json::from_str(r#"{"b": 1, "a": [true, null]}"#).unwrap();
/// assert_eq!(canonical(&a), r#"{"a":[true,null],"b":1}"#);
/// ```
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (i, (name, item)) in fields.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                let _ = write!(out, "{}:", Value::String(name.clone()));
                write(item, out);
            }
            out.push('}');
        }
        plain => {
            let _ = write!(out, "{plain}");
        }
    }
}

/// The prompt and the scope of a conversation: the last user message is what is asked, and all the rest
/// (the turns before and after it with their roles, the model, the parameters) must be equal.
///
/// ```
/// use headrace::cache::scope::of_messages;
/// use serde_json::json;
/// let messages = [json!({"role": "system", "content": "Be brief."}), json!({"role": "user", "content": "Hi"})];
/// let (prompt, scope) = of_messages(&messages, Some("openai/gpt-4o-mini"), &json!({"temperature": 0})).unwrap();
/// assert_eq!(prompt, "Hi");
/// assert!(scope.contains("Be brief.") && !scope.contains("Hi"));
/// ```
///
/// # Errors
/// `InvalidArgument` where no message has the role `user`.
pub fn of_messages(messages: &[Value], model: Option<&str>, parameters: &Value) -> Result<(String, String)> {
    let role = |message: &Value| message.get("role").and_then(Value::as_str).map(str::to_owned);
    let last = messages
        .iter()
        .rposition(|message| role(message).as_deref() == Some("user"))
        .ok_or_else(|| Error::invalid("no message has the role \"user\": give the question as a user message"))?;
    let (prompt, rest) = split_content(&messages[last]);
    let mut scope = Map::new();
    scope.insert("model".into(), model.map_or(Value::Null, Value::from));
    scope.insert("parameters".into(), parameters.clone());
    scope.insert("before".into(), Value::Array(messages[..last].to_vec()));
    scope.insert("asked".into(), rest);
    scope.insert("after".into(), Value::Array(messages[last + 1..].to_vec()));
    Ok((prompt, canonical(&Value::Object(scope))))
}

/// The words of a message, and what else is in it (images, a name).
fn split_content(message: &Value) -> (String, Value) {
    let mut rest = message.clone();
    let mut words = String::new();
    match rest.get_mut("content") {
        Some(Value::String(text)) => words = std::mem::take(text),
        Some(Value::Array(parts)) => {
            for part in parts {
                if let Some(Value::String(text)) = part.get_mut("text") {
                    if !words.is_empty() {
                        words.push('\n');
                    }
                    words.push_str(&std::mem::take(text));
                }
            }
        }
        _ => {}
    }
    (words, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_role_is_part_of_the_scope() {
        let asked = json!({"role": "user", "content": "and then?"});
        let by = |role: &str| {
            of_messages(&[json!({"role": role, "content": "x"}), asked.clone()], None, &Value::Null).unwrap()
        };
        assert_ne!(by("user").1, by("assistant").1);
        assert_eq!(by("user").0, "and then?");
    }

    #[test]
    fn text_parts_are_the_prompt_and_an_image_is_scope() {
        let with = |image: &str| {
            let parts = json!([{"type": "text", "text": "What is"}, {"type": "text", "text": "this?"},
                {"type": "image_url", "image_url": {"url": image}}]);
            of_messages(&[json!({"role": "user", "content": parts})], None, &Value::Null).unwrap()
        };
        assert_eq!(with("a").0, "What is\nthis?");
        assert_ne!(with("a").1, with("b").1);
    }

    #[test]
    fn order_of_keys_does_not_matter() {
        let one: Value = serde_json::from_str(r#"{"x":{"b":1,"a":2},"y":[]}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"y":[],"x":{"a":2,"b":1}}"#).unwrap();
        assert_eq!(canonical(&one), canonical(&two));
    }
}
