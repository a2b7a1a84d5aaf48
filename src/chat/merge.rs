//! Pieces of one part, put together.

use super::Part;
use serde_json::{Map, Value, json};

/// Adds what came later to what is there. Two pieces of one kind become one part; a piece of another kind is a server in
/// disorder, and what it says is kept beside, as a part that has no name here and cannot be cached.
pub(super) fn merge(part: &mut Part, more: Part) {
    match (&mut *part, more) {
        (Part::Text { text, citations, extra }, Part::Text { text: words, citations: sources, extra: fields }) => {
            text.push_str(&words);
            citations.extend(sources);
            join_all(extra, fields, Strings::Replace);
        }
        (Part::Reasoning(have), Part::Reasoning(more)) => {
            have.text.push_str(&more.text);
            append(&mut have.signature, more.signature);
            append(&mut have.encrypted, more.encrypted);
        }
        (Part::ToolCall(have), Part::ToolCall(more)) => {
            // Some servers repeat both with every piece, others send one of them in a later one.
            if !more.id.is_empty() {
                have.id = more.id;
            }
            if !more.name.is_empty() {
                have.name = more.name;
            }
            have.arguments.push_str(&more.arguments);
            join_all(&mut have.extra, more.extra, Strings::Replace);
        }
        (Part::Refusal { text }, Part::Refusal { text: words }) => text.push_str(&words),
        (Part::Other { value: Value::Object(have) }, Part::Other { value: Value::Object(more) }) => {
            join_all(have, more, Strings::Append);
        }
        (Part::Other { value: Value::Array(have) }, Part::Other { value: Value::Array(more) }) => have.extend(more),
        (Part::Other { value: Value::Array(have) }, more) => have.push(as_value(&more)),
        (before, more) => {
            let both = json!([as_value(before), as_value(&more)]);
            *part = Part::Other { value: both };
        }
    }
}

/// What a second text of the same field does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strings {
    /// The later one counts.
    Replace,
    /// It goes on, as in the pieces of a recording, but for what names something.
    Append,
}

/// Lists grow, objects join field by field; null adds nothing.
pub(super) fn join(fields: &mut Map<String, Value>, name: &str, more: Value, strings: Strings) {
    match (fields.get_mut(name), more) {
        (Some(_), Value::Null) => {}
        (Some(Value::Array(have)), Value::Array(more)) => have.extend(more),
        (Some(Value::Object(have)), Value::Object(more)) => join_all(have, more, strings),
        (Some(Value::String(have)), Value::String(more)) if strings == Strings::Append && !NAMES.contains(&name) => {
            have.push_str(&more);
        }
        (_, more) => {
            fields.insert(name.to_owned(), more);
        }
    }
}

/// Fields that say what something is, and are whole where they are repeated.
const NAMES: [&str; 9] = ["id", "type", "name", "role", "format", "model", "object", "media_type", "mime_type"];

fn join_all(fields: &mut Map<String, Value>, more: Map<String, Value>, strings: Strings) {
    for (name, value) in more {
        join(fields, &name, value, strings);
    }
}

fn append(text: &mut Option<String>, more: Option<String>) {
    if let Some(more) = more {
        text.get_or_insert_default().push_str(&more);
    }
}

fn as_value(part: &Part) -> Value {
    match part {
        Part::Other { value } => value.clone(),
        Part::Text { text, .. } => text.as_str().into(),
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_kind_without_a_name_are_joined() {
        let piece = |value: Value| Part::Other { value };
        let mut audio = piece(json!({"audio": {"id": "a1", "data": "AAA", "transcript": "Scope "}}));
        merge(&mut audio, piece(json!({"audio": {"id": "a1", "data": "BBB", "transcript": "2"}, "images": [1]})));
        merge(&mut audio, piece(json!({"audio": {"expires_at": 7}, "images": [2]})));
        let whole = json!({"audio": {"id": "a1", "data": "AAABBB", "transcript": "Scope 2", "expires_at": 7}, "images": [1, 2]});
        assert_eq!(audio, piece(whole));
    }

    #[test]
    fn words_at_the_place_of_something_else_are_kept() {
        let mut part = Part::Refusal { text: "No.".into() };
        merge(&mut part, Part::text("Yes"));
        merge(&mut part, Part::text("!"));
        assert_eq!(part, Part::Other { value: json!([{"refusal": {"text": "No."}}, "Yes", "!"]) });
    }
}
