//! Errors in the words of a provider, whatever shape they come in.

use super::fields::excerpt;
use super::{ToldError, json};
use serde_json::{Map, Value};

/// The most that is kept of a provider's words.
const MOST: usize = 2000;

/// The error that a body tells; None where it tells none. A body with an answer in it has an error only where it says so.
pub(super) fn told(body: &Value) -> Option<ToldError> {
    match body {
        Value::Array(items) => items.iter().find_map(told),
        Value::Object(fields) => ["error", "errors"]
            .iter()
            .find_map(|name| inside(fields.get(*name)?, fields))
            .or_else(|| {
                ["object", "type"]
                    .iter()
                    .any(|name| text(fields, name) == Some("error"))
                    .then(|| of_fields(fields, fields))
            })
            .or_else(|| (!has_answer(fields)).then(|| bare(fields))?),
        _ => None,
    }
}

/// The error of one choice of a reply.
pub(super) fn of_choice(choice: &Map<String, Value>) -> Option<ToldError> {
    inside(choice.get("error")?, &Map::new())
}

/// The error of an event that is an error by its name.
pub(super) fn of_event(data: &str) -> ToldError {
    let read = json::parse(data.as_bytes()).ok();
    let told = read.as_ref().and_then(|body| {
        let fields = body.as_object()?;
        told(body).or_else(|| (!fields.is_empty()).then(|| of_fields(fields, fields)))
    });
    told.unwrap_or_else(|| {
        let words = read.and_then(|body| body.as_str().map(str::to_owned)).unwrap_or_else(|| data.trim().to_owned());
        let message =
            if words.is_empty() { "the provider sent an error without words".into() } else { excerpt(&words, MOST) };
        ToldError { message, ..ToldError::default() }
    })
}

/// What is found instead of what the protocol promises.
pub(super) fn malformed(expected: &str, found: &str) -> ToldError {
    ToldError::malformed(&format!("expected {expected}, found {:?}", excerpt(found.trim(), 300)))
}

/// The kind of an error whose provider names none, in the words that OpenAI and Anthropic share.
pub(super) fn kind_of_status(status: Option<u16>) -> &'static str {
    match status {
        Some(401) => "authentication_error",
        Some(403) => "permission_error",
        Some(404) => "not_found_error",
        Some(413) => "request_too_large",
        Some(429) => "rate_limit_error",
        Some(400..500) => "invalid_request_error",
        _ => "api_error",
    }
}

fn inside(error: &Value, body: &Map<String, Value>) -> Option<ToldError> {
    match error {
        Value::String(words) if !words.is_empty() => {
            // A short name here may have its words beside it.
            let message = text(body, "message").or_else(|| text(body, "error_description")).unwrap_or(words);
            Some(ToldError { message: excerpt(message, MOST), ..of_fields(body, body) })
        }
        Value::Object(fields) if !fields.is_empty() => Some(of_fields(fields, body)),
        Value::Array(items) => items.iter().find_map(|item| inside(item, body)),
        Value::Bool(true) => Some(of_fields(body, body)),
        _ => None,
    }
}

/// Words without an answer beside them: how web frameworks and gateways tell an error.
fn bare(fields: &Map<String, Value>) -> Option<ToldError> {
    let says = ["message", "detail", "error_message", "msg"].iter().any(|name| match fields.get(*name) {
        Some(Value::String(words)) => !words.is_empty(),
        Some(Value::Array(items)) => *name == "detail" && !items.is_empty(),
        _ => false,
    });
    says.then(|| of_fields(fields, fields))
}

fn has_answer(fields: &Map<String, Value>) -> bool {
    ["choices", "content", "delta", "candidates", "output", "usage"]
        .iter()
        .any(|name| fields.get(*name).is_some_and(|value| !value.is_null()))
}

/// Reads the fields of an error; what it does not say may stand in the body around it.
fn of_fields(error: &Map<String, Value>, body: &Map<String, Value>) -> ToldError {
    let mut message = words(error);
    // A reseller's own words say that its provider failed; the provider's are beside them.
    if let Some(raw) = error.get("metadata").and_then(|metadata| metadata.get("raw")).and_then(Value::as_str) {
        message = format!("{message}: {raw}");
    }
    let of = |name: &str| error.get(name).or_else(|| body.get(name)).filter(|value| !value.is_null());
    let status = ["status", "http_status_code", "status_code", "statusCode", "code"]
        .iter()
        .find_map(|name| of(name).and_then(http_status));
    let named = |name: &str| {
        error.get(name).and_then(Value::as_str).filter(|word| !word.is_empty() && !matches!(*word, "error"))
    };
    ToldError {
        message: excerpt(&message, MOST),
        code: of("code").and_then(word),
        kind: named("type").or_else(|| named("status")).or_else(|| named("error_type")).map(str::to_owned),
        status,
        is_malformed: false,
    }
}

fn words(error: &Map<String, Value>) -> String {
    let said =
        ["message", "msg", "detail", "error_message", "error", "description"].iter().find_map(|name| {
            match error.get(*name)? {
                Value::String(words) => Some(words.clone()).filter(|words| !words.is_empty()),
                Value::Null => None,
                Value::Object(inner) => Some(words(inner)),
                other => Some(other.to_string()),
            }
        });
    said.unwrap_or_else(|| Value::Object(error.clone()).to_string())
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(word) => Some(word.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn http_status(value: &Value) -> Option<u16> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    u16::try_from(number).ok().filter(|status| (400..600).contains(status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_words_are_found_in_every_shape() {
        let read = |body: Value| {
            let error = told(&body).unwrap_or_else(|| panic!("{body}"));
            (error.message, error.code.unwrap_or_default(), error.kind.unwrap_or_default(), error.status)
        };
        let of = |message: &str, code: &str, kind: &str, status| (message.into(), code.into(), kind.into(), status);
        assert_eq!(
            read(
                json!({"error": {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded", "param": null}})
            ),
            of("too long", "context_length_exceeded", "invalid_request_error", None)
        );
        assert_eq!(read(json!({"error": "model not found"})), of("model not found", "", "", None));
        assert_eq!(read(json!({"error": ["a", "b"]})), of("a", "", "", None));
        assert_eq!(
            read(json!({"error": {"code": 502, "message": "Provider returned error", "metadata": {"raw": "gone"}}})),
            of("Provider returned error: gone", "502", "", Some(502))
        );
        assert_eq!(
            read(json!([{"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}])),
            of("bad", "400", "INVALID_ARGUMENT", Some(400))
        );
        assert_eq!(
            read(json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})),
            of("Overloaded", "", "overloaded_error", None)
        );
        assert_eq!(
            read(json!({"object": "error", "message": "no", "type": "BadRequestError", "code": 400})),
            of("no", "400", "BadRequestError", Some(400))
        );
        assert_eq!(read(json!({"detail": "Not Found"})), of("Not Found", "", "", None));
        assert_eq!(
            read(json!({"error": "Bad Request", "message": "x is wrong", "statusCode": 400})),
            of("x is wrong", "", "", Some(400))
        );
        assert_eq!(read(json!({"choices": [], "error": {"message": "gone"}})), of("gone", "", "", None));
        assert_eq!(read(json!({"error": {"weird": 1}})), of("{\"weird\":1}", "", "", None));
    }

    #[test]
    fn an_answer_is_no_error() {
        for body in [
            json!({"error": null, "choices": []}),
            json!({"error": "", "choices": [1]}),
            json!({"choices": [], "message": "hi"}),
            json!({}),
            json!("x"),
            json!([]),
        ] {
            assert_eq!(told(&body), None, "{body}");
        }
    }
}
