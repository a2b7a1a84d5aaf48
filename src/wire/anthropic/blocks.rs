//! The blocks of content, both ways.

use crate::chat::{Media, Part, Reasoning, Source, ToolCall, ToolResult};
use crate::wire::fields::{Fields, expected};
use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// Reads content: text or a list of blocks.
pub(super) fn read_all(place: &str, content: Value) -> Result<Vec<Part>> {
    match content {
        Value::String(text) => Ok(vec![Part::text(text)]),
        Value::Array(items) => {
            items.into_iter().enumerate().map(|(index, item)| read(&format!("{place}[{index}]"), item)).collect()
        }
        other => Err(expected(place, &other, "a text or a list of blocks")),
    }
}

fn read(place: &str, value: Value) -> Result<Part> {
    let Some(kind) = value.get("type").and_then(Value::as_str).map(str::to_owned) else {
        return Err(expected(
            place,
            &value,
            "a block: an object with a type, such as {\"type\": \"text\", \"text\": ...}",
        ));
    };
    let mut fields = Fields::at(place, value.clone())?;
    fields.any("type");
    let known = match kind.as_str() {
        "text" => {
            let text = fields.needed_text("text", "a text")?;
            let citations = fields.list("citations", "a list of citations")?.unwrap_or_default();
            Some(Part::Text { text, citations, extra: fields.rest() })
        }
        "image" => {
            source(fields.any("source")).map(|source| Part::Image(Media { source, name: None, extra: fields.rest() }))
        }
        "document" => source(fields.any("source")).map(|source| {
            let name = fields.text_or_leave("title");
            Part::File(Media { source, name, extra: fields.rest() })
        }),
        "tool_use" => {
            let id = fields.needed_text("id", "the id of the call")?;
            let name = fields.needed_text("name", "the tool's name")?;
            let arguments = fields.object("input", "an object")?.unwrap_or_default();
            let arguments = Value::Object(arguments).to_string();
            Some(Part::ToolCall(ToolCall { id, name, arguments, extra: fields.rest() }))
        }
        "tool_result" => {
            let id = fields.needed_text("tool_use_id", "the id of the call")?;
            let content_place = fields.place("content");
            let parts = fields.any("content").map(|content| read_all(&content_place, content)).transpose()?;
            let is_error = fields.flag("is_error")?.unwrap_or(false);
            let parts = parts.unwrap_or_default();
            Some(Part::ToolResult(ToolResult { id, parts, is_error, extra: fields.rest() }))
        }
        "thinking" => thinking(&mut fields).filter(|_| fields.rest().is_empty()),
        "redacted_thinking" => {
            let encrypted = fields.text_or_leave("data");
            let reasoning = Reasoning { encrypted, ..Reasoning::default() };
            (reasoning.encrypted.is_some() && fields.rest().is_empty()).then_some(Part::Reasoning(reasoning))
        }
        _ => None,
    };
    Ok(known.unwrap_or(Part::Other { value }))
}

fn thinking(fields: &mut Fields) -> Option<Part> {
    let text = fields.text_or_leave("thinking")?;
    let signature = fields.text_or_leave("signature").filter(|signature| !signature.is_empty());
    Some(Part::Reasoning(Reasoning { text, signature, encrypted: None }))
}

/// The source of a picture or document; None where it has a form that has no name here, such as plain text.
fn source(value: Option<Value>) -> Option<Source> {
    let value = value?;
    let fields = value.as_object()?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    match (fields.get("type")?.as_str()?, fields.len()) {
        ("base64", 3) => Some(Source::Inline { media_type: text("media_type")?, data: text("data")? }),
        ("url", 2) => text("url").map(Source::Url),
        ("file", 2) => text("file_id").map(Source::Id),
        _ => None,
    }
}

/// Writes content: a single text without more is the text alone.
pub(super) fn write_all(parts: &[&Part]) -> Result<Value> {
    if let [Part::Text { text, citations, extra }] = parts
        && citations.is_empty()
        && extra.is_empty()
    {
        return Ok(text.as_str().into());
    }
    let blocks: Result<Vec<Option<Value>>> = parts.iter().map(|part| write(part)).collect();
    Ok(blocks?.into_iter().flatten().collect())
}

/// Writes a block; None is a part that says nothing to this protocol.
///
/// # Errors
/// `InvalidArgument`: the protocol has no form for it.
pub(super) fn write(part: &Part) -> Result<Option<Value>> {
    Ok(Some(match part {
        // An empty text is refused, and says nothing.
        Part::Text { text, citations, .. } if text.is_empty() && citations.is_empty() => return Ok(None),
        Part::Text { text, citations, extra } => {
            let mut block = typed("text", extra);
            block.insert("text".into(), text.as_str().into());
            if !citations.is_empty() {
                block.insert("citations".into(), citations.iter().map(citation).collect());
            }
            block.into()
        }
        Part::Image(image) => with_source("image", image),
        Part::File(file) => {
            let mut block = with_source("document", file);
            if let Some(name) = &file.name {
                block["title"] = name.as_str().into();
            }
            block
        }
        Part::Audio(_) => {
            return Err(Error::invalid(
                "a message holds audio, for which Anthropic's messages have no form: give its text",
            ));
        }
        Part::ToolCall(call) => {
            let mut block = typed("tool_use", &call.extra);
            block.insert("id".into(), call.id.as_str().into());
            block.insert("name".into(), call.name.as_str().into());
            block.insert("input".into(), input(&call.arguments));
            block.into()
        }
        Part::ToolResult(result) => {
            let mut block = typed("tool_result", &result.extra);
            block.insert("tool_use_id".into(), result.id.as_str().into());
            if !result.parts.is_empty() {
                block.insert("content".into(), write_all(&result.parts.iter().collect::<Vec<_>>())?);
            }
            if result.is_error {
                block.insert("is_error".into(), true.into());
            }
            block.into()
        }
        Part::Reasoning(Reasoning { encrypted: Some(data), .. }) => json!({"type": "redacted_thinking", "data": data}),
        Part::Reasoning(Reasoning { text, signature, .. }) => {
            json!({"type": "thinking", "thinking": text, "signature": signature.as_deref().unwrap_or_default()})
        }
        Part::Refusal { text } => json!({"type": "text", "text": text}),
        // Fields of another protocol's message are no block.
        Part::Other { value } => {
            return Ok(Some(value.clone()).filter(|value| value.get("type").is_some_and(Value::is_string)));
        }
    }))
}

/// The arguments of a call as JSON; what is none is told under the name that Anthropic gives it.
pub(in crate::wire) fn input(arguments: &str) -> Value {
    match serde_json::from_str(arguments) {
        Ok(Value::Object(fields)) => fields.into(),
        _ if arguments.trim().is_empty() => json!({}),
        _ => json!({"INVALID_JSON": arguments}),
    }
}

/// A page that OpenAI's search cites, as Anthropic cites one.
pub(super) fn citation(citation: &Value) -> Value {
    match citation.get("url_citation") {
        Some(page) if citation.get("type").is_some_and(|kind| kind == "url_citation") => json!({
            "type": "web_search_result_location", "url": page.get("url"), "title": page.get("title"), "cited_text": "", "encrypted_index": "",
        }),
        _ => citation.clone(),
    }
}

fn with_source(kind: &str, media: &Media) -> Value {
    let source = match &media.source {
        Source::Url(url) => json!({"type": "url", "url": url}),
        Source::Id(id) => json!({"type": "file", "file_id": id}),
        Source::Inline { media_type, data } => {
            let media_type = if media_type.is_empty() { "application/pdf" } else { media_type };
            json!({"type": "base64", "media_type": media_type, "data": data})
        }
    };
    let mut block = typed(kind, &media.extra);
    block.insert("source".into(), source);
    block.into()
}

/// A block with the fields that have no name, but for those of the inside of OpenAI's parts.
pub(super) fn typed(kind: &str, extra: &Map<String, Value>) -> Map<String, Value> {
    const OPENAI: [&str; 5] = ["image_url", "input_audio", "file", "function", "custom"];
    let kept = extra.iter().filter(|(name, _)| !OPENAI.contains(&name.as_str()));
    let mut block: Map<_, _> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    block.insert("type".into(), kind.into());
    block
}
