//! The parts of a message's `content`, both ways.

use crate::Result;
use crate::chat::{Media, Part, Reasoning, Source};
use crate::wire::fields::{Fields, expected};
use crate::wire::media::{address, audio_format, data_url};
use serde_json::{Map, Value, json};

/// Reads `content`: text or a list of parts.
pub(super) fn read(place: &str, content: Value) -> Result<Vec<Part>> {
    match content {
        Value::String(text) => Ok(vec![Part::text(text)]),
        Value::Array(items) => {
            let read = |(index, item)| read_part(&format!("{place}[{index}]"), item);
            items.into_iter().enumerate().map(read).collect()
        }
        other => Err(expected(place, &other, "a text or a list of parts")),
    }
}

fn read_part(place: &str, value: Value) -> Result<Part> {
    let Some(kind) = value.get("type").and_then(Value::as_str).map(str::to_owned) else {
        return if value.is_object() {
            Ok(Part::Other { value })
        } else {
            Err(expected(place, &value, "a part: an object with a type, such as {\"type\": \"text\", \"text\": ...}"))
        };
    };
    // A part of a known type in a shape that is not known is the provider's to judge.
    let known = match kind.as_str() {
        "text" => {
            let mut fields = Fields::at(place, value)?;
            fields.any("type");
            let text = fields.needed_text("text", "a text")?;
            return Ok(Part::Text { text, citations: Vec::new(), extra: fields.rest() });
        }
        "image_url" => image(&value),
        "input_audio" => audio(&value),
        "file" => file(&value),
        "refusal" => sole_text(&value, "refusal").map(|text| Part::Refusal { text }),
        "thinking" => thinking(&value),
        _ => None,
    };
    Ok(known.unwrap_or(Part::Other { value }))
}

/// Mistral's `thinking`: a text, or a list of parts that have one.
pub(super) fn thinking(part: &Value) -> Option<Part> {
    let text = match part.get("thinking")? {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let text = |item: &Value| item.get("text")?.as_str().map(str::to_owned);
            items.iter().map(text).collect::<Option<String>>()?
        }
        _ => return None,
    };
    let signature = part.get("signature").and_then(Value::as_str).map(str::to_owned);
    Some(Part::Reasoning(Reasoning { text, signature, encrypted: None }))
}

fn image(part: &Value) -> Option<Part> {
    let given = part.get("image_url")?;
    let url = given.as_str().or_else(|| given.get("url")?.as_str())?;
    let inner = given.as_object().map(|fields| without(fields, &["url"])).unwrap_or_default();
    Some(Part::Image(media(address(url), None, part, "image_url", inner)))
}

fn audio(part: &Value) -> Option<Part> {
    let given = part.get("input_audio")?.as_object()?;
    let (data, format) = (given.get("data")?.as_str()?, given.get("format")?.as_str()?);
    let source = Source::Inline { media_type: format!("audio/{format}"), data: data.to_owned() };
    Some(Part::Audio(media(source, None, part, "input_audio", without(given, &["data", "format"]))))
}

fn file(part: &Value) -> Option<Part> {
    let given = part.get("file")?.as_object()?;
    let text = |name: &str| given.get(name).and_then(Value::as_str);
    let source = match (text("file_id"), text("file_data")) {
        (Some(id), None) => Source::Id(id.to_owned()),
        (None, Some(data)) if data.starts_with("data:") || data.contains("://") => address(data),
        (None, Some(data)) => Source::Inline { media_type: String::new(), data: data.to_owned() },
        _ => return None,
    };
    let name = text("filename").map(str::to_owned);
    Some(Part::File(media(source, name, part, "file", without(given, &["file_id", "file_data", "filename"]))))
}

/// A media whose unknown fields are kept: those beside the type by their names, those inside under the type's.
fn media(source: Source, name: Option<String>, part: &Value, kind: &str, inner: Map<String, Value>) -> Media {
    let mut extra = part.as_object().map(|fields| without(fields, &["type", kind])).unwrap_or_default();
    if !inner.is_empty() {
        extra.insert(kind.to_owned(), inner.into());
    }
    Media { source, name, extra }
}

fn without(fields: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    fields
        .iter()
        .filter(|(name, _)| !names.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The text of a part that has nothing else.
fn sole_text(part: &Value, name: &str) -> Option<String> {
    let fields = part.as_object().filter(|fields| fields.len() == 2)?;
    fields.get(name)?.as_str().map(str::to_owned)
}

/// Writes the parts of `content`; a single text without more is the text alone. None where there is no part.
pub(super) fn write(parts: &[&Part]) -> Option<Value> {
    match parts {
        [] => None,
        [Part::Text { text, extra, .. }] if extra.is_empty() => Some(text.as_str().into()),
        several => Some(several.iter().map(|part| write_part(part)).collect()),
    }
}

fn write_part(part: &Part) -> Value {
    match part {
        Part::Text { text, extra, .. } => typed("text", "text", text.as_str().into(), extra),
        Part::Image(image) => {
            let url = match &image.source {
                Source::Url(url) | Source::Id(url) => url.clone(),
                Source::Inline { media_type, data } => data_url(media_type, data),
            };
            with_inner("image_url", json!({"url": url}), &image.extra)
        }
        Part::Audio(audio) => {
            let (format, data) = match &audio.source {
                Source::Inline { media_type, data } => (audio_format(media_type), data.as_str()),
                Source::Url(url) | Source::Id(url) => ("", url.as_str()),
            };
            with_inner("input_audio", json!({"data": data, "format": format}), &audio.extra)
        }
        Part::File(file) => {
            let mut inner = match &file.source {
                Source::Id(id) => json!({"file_id": id}),
                Source::Url(url) => json!({"file_data": url}),
                Source::Inline { media_type, data } if media_type.is_empty() => json!({"file_data": data}),
                Source::Inline { media_type, data } => json!({"file_data": data_url(media_type, data)}),
            };
            if let Some(name) = &file.name {
                inner["filename"] = name.as_str().into();
            }
            with_inner("file", inner, &file.extra)
        }
        Part::Refusal { text } => json!({"type": "refusal", "refusal": text}),
        Part::Reasoning(reasoning) => {
            json!({"type": "thinking", "thinking": [{"type": "text", "text": reasoning.text}]})
        }
        Part::Other { value } => value.clone(),
        // Neither stands in content; the writer of messages takes them out before.
        Part::ToolCall(call) => json!({"type": "text", "text": call.arguments}),
        Part::ToolResult(result) => write(&result.parts.iter().collect::<Vec<_>>()).unwrap_or_default(),
    }
}

fn with_inner(kind: &str, mut inner: Value, extra: &Map<String, Value>) -> Value {
    let mut extra = extra.clone();
    if let (Some(Value::Object(more)), Some(fields)) = (extra.remove(kind), inner.as_object_mut()) {
        for (name, value) in more {
            fields.entry(name).or_insert(value);
        }
    }
    typed(kind, kind, inner, &extra)
}

fn typed(kind: &str, name: &str, value: Value, extra: &Map<String, Value>) -> Value {
    let mut fields = extra.clone();
    fields.insert("type".into(), kind.into());
    fields.insert(name.into(), value);
    fields.into()
}
