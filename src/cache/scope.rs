//! Scope: what must be equal for an answer to serve, as canonical JSON.

pub use super::canonical::canonical;

use crate::{Error, Result};
use serde_json::{Map, Value};

/// The prompt and the scope of a conversation: the last user message is what is asked, and all the rest
/// (the turns before and after it with their roles, the model, the parameters) must be equal.
///
/// Of a message in parts the last text is what is asked, and the parts before it (a document, an image, other texts)
/// must be equal: which part a word stands in makes a difference, and no two conversations share prompt and scope.
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
    let is_asked = |message: &Value| message.get("role").and_then(Value::as_str) == Some("user");
    let last = messages
        .iter()
        .rposition(is_asked)
        .ok_or_else(|| Error::invalid("no message has the role \"user\": give the question as a user message"))?;
    let asked = QuestionParts::of(&messages[last]);
    let mut scope = Map::new();
    scope.insert("model".into(), model.map_or(Value::Null, Value::from));
    scope.insert("parameters".into(), parameters.clone());
    scope.insert("before".into(), Value::Array(messages[..last].to_vec()));
    scope.insert("asked".into(), asked.rest);
    if let Some(part) = asked.part {
        scope.insert("part".into(), part.into());
    }
    scope.insert("after".into(), Value::Array(messages[last + 1..].to_vec()));
    Ok((asked.words, canonical(&Value::Object(scope))))
}

/// A message taken apart, so that it could be put together again.
struct QuestionParts {
    words: String,
    /// The message without the words.
    rest: Value,
    /// From which part they are; None where the content is a text.
    part: Option<usize>,
}

impl QuestionParts {
    fn of(message: &Value) -> Self {
        let mut rest = message.clone();
        let (mut words, mut part) = (String::new(), None);
        match rest.get_mut("content") {
            Some(Value::String(text)) => {
                words = std::mem::take(text);
            }
            Some(Value::Array(parts)) => {
                let has_words = |part: &Value| part.get("text").and_then(Value::as_str).is_some_and(|t| !t.is_empty());
                part = parts.iter().rposition(has_words);
                if let Some(Value::String(text)) = part.and_then(|place| parts[place].get_mut("text")) {
                    words = std::mem::take(text);
                }
            }
            _ => {}
        }
        Self { words, rest, part }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
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

    fn of_parts(parts: &Value) -> (String, String) {
        of_messages(&[json!({"role": "user", "content": parts})], None, &Value::Null).unwrap()
    }

    fn texts(texts: &[&str]) -> Value {
        texts.iter().map(|text| json!({"type": "text", "text": text})).collect()
    }

    #[test]
    fn the_last_text_is_the_prompt_and_the_parts_beside_it_are_scope() {
        let with = |document: &str, image: &str| {
            of_parts(&json!([{"type": "text", "text": document}, {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": image}}]))
        };
        assert_eq!(with("A report.", "a").0, "What is this?");
        assert_ne!(with("A report.", "a").1, with("A report.", "b").1);
        assert_ne!(with("A report.", "a").1, with("Another.", "a").1);
    }

    proptest! {
        #[test]
        fn no_two_lists_of_parts_share_prompt_and_scope(
            one in proptest::collection::vec("[a\n ]{0,3}", 0..4),
            other in proptest::collection::vec("[a\n ]{0,3}", 0..4),
            with_null in 0..5_usize,
        ) {
            let borrow = |list: &[String]| texts(&list.iter().map(String::as_str).collect::<Vec<_>>());
            let mut parts = [borrow(&one), borrow(&other)];
            if let Some(part) = parts[0].get_mut(with_null) {
                part["text"] = Value::Null;
            }
            let same = parts[0] == parts[1];
            prop_assert_eq!(of_parts(&parts[0]) == of_parts(&parts[1]), same);
        }
    }

    #[test]
    fn a_text_and_one_part_of_it_are_told_apart() {
        assert_ne!(of_parts(&json!("ab")), of_parts(&texts(&["ab"])));
        assert_ne!(of_parts(&texts(&["", "ab"])), of_parts(&texts(&["ab", ""])));
        assert_ne!(of_parts(&texts(&["a\nb", "c"])), of_parts(&texts(&["a", "b\nc"])));
    }

    #[test]
    fn order_of_keys_does_not_matter() {
        let one: Value = serde_json::from_str(r#"{"x":{"b":1,"a":2},"y":[]}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"y":[],"x":{"a":2,"b":1}}"#).unwrap();
        assert_eq!(canonical(&one), canonical(&two));
    }
}
