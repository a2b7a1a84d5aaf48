//! The parts of a message's content, both ways.

use crate::Result;
use crate::chat::{Media, Part, Role, Source};
use crate::wire::fields::{Fields, expected};
use crate::wire::media::{address, audio_format, data_url};
use serde_json::{Map, Value, json};

/// Reads content: text or a list of parts.
pub(super) fn read_all(place: &str, content: Value) -> Result<Vec<Part>> {
    match content {
        Value::String(text) => Ok(vec![Part::text(text)]),
        Value::Array(items) => {
            let read = |(index, item)| read(&format!("{place}[{index}]"), item);
            items.into_iter().enumerate().map(read).collect()
        }
        other => Err(expected(place, &other, "a text or a list of parts")),
    }
}

fn read(place: &str, value: Value) -> Result<Part> {
    let what = "a part: an object with a type, such as {\"type\": \"input_text\", \"text\": ...}";
    let Some(kind) = value.get("type").and_then(Value::as_str).map(str::to_owned) else {
        return Err(expected(place, &value, what));
    };
    let mut fields = Fields::at(place, value.clone())?;
    fields.any("type");
    // A part of a known type in a shape that is not known is the provider's to judge.
    let known = match kind.as_str() {
        "input_text" | "output_text" | "text" => {
            let text = fields.needed_text("text", "a text")?;
            let citations = fields.list("annotations", "a list of annotations")?.unwrap_or_default();
            fields.any("logprobs");
            Some(Part::Text { text, citations, extra: fields.rest() })
        }
        "refusal" => fields.text_or_leave("refusal").map(|text| Part::Refusal { text }),
        "input_image" => image(fields),
        "input_file" => file(fields),
        "input_audio" => audio(fields),
        _ => None,
    };
    Ok(known.unwrap_or(Part::Other { value }))
}

fn image(mut fields: Fields) -> Option<Part> {
    let (id, url) = (fields.text_or_leave("file_id"), fields.text_or_leave("image_url"));
    let source = id.map(Source::Id).or_else(|| url.as_deref().map(address))?;
    let detail = fields.any("detail");
    let mut extra = fields.rest();
    // Where OpenAI's chat has it, so that it goes from one protocol to the other.
    extra.extend(detail.map(|detail| ("image_url".to_owned(), json!({"detail": detail}))));
    Some(Part::Image(Media { source, name: None, extra }))
}

fn file(mut fields: Fields) -> Option<Part> {
    let name = fields.text_or_leave("filename");
    let [id, url, data] = ["file_id", "file_url", "file_data"].map(|name| fields.text_or_leave(name));
    let here = |data: String| match address(&data) {
        inline @ Source::Inline { .. } => inline,
        _ => Source::Inline { media_type: String::new(), data },
    };
    let source = id.map(Source::Id).or_else(|| url.map(Source::Url)).or_else(|| data.map(here))?;
    Some(Part::File(Media { source, name, extra: fields.rest() }))
}

fn audio(mut fields: Fields) -> Option<Part> {
    let inner = fields.any("input_audio")?;
    let text = |name: &str| inner.get(name).and_then(Value::as_str);
    let source = Source::Inline { media_type: format!("audio/{}", text("format")?), data: text("data")?.to_owned() };
    Some(Part::Audio(Media { source, name: None, extra: fields.rest() }))
}

/// Writes content: a single text without more is the text alone. Of the model's own it is always a list.
pub(super) fn write_all(parts: &[&Part], role: Role) -> Value {
    match parts {
        [Part::Text { text, citations, extra }]
            if role != Role::Assistant && citations.is_empty() && extra.is_empty() =>
        {
            text.as_str().into()
        }
        several => several.iter().map(|part| write(part, role)).collect(),
    }
}

fn write(part: &Part, role: Role) -> Value {
    match part {
        Part::Text { text, citations, extra } => {
            let is_model = role == Role::Assistant;
            let mut fields = typed(if is_model { "output_text" } else { "input_text" }, extra);
            fields.insert("text".into(), text.as_str().into());
            if is_model {
                fields.insert("annotations".into(), citations.clone().into());
            }
            fields.into()
        }
        Part::Refusal { text } => json!({"type": "refusal", "refusal": text}),
        Part::Image(image) => {
            let mut fields = typed("input_image", &image.extra);
            let (name, value) = match &image.source {
                Source::Id(id) => ("file_id", id.clone()),
                Source::Url(url) => ("image_url", url.clone()),
                Source::Inline { media_type, data } => ("image_url", data_url(media_type, data)),
            };
            fields.insert(name.into(), value.into());
            let detail = image.extra.get("image_url").and_then(|inner| inner.get("detail"));
            fields.extend(detail.map(|detail| ("detail".to_owned(), detail.clone())));
            fields.into()
        }
        Part::File(file) => {
            let mut fields = typed("input_file", &file.extra);
            let (name, value) = match &file.source {
                Source::Id(id) => ("file_id", id.clone()),
                Source::Url(url) => ("file_url", url.clone()),
                Source::Inline { media_type, data } if media_type.is_empty() => ("file_data", data.clone()),
                Source::Inline { media_type, data } => ("file_data", data_url(media_type, data)),
            };
            fields.insert(name.into(), value.into());
            fields.extend(file.name.as_deref().map(|name| ("filename".to_owned(), name.into())));
            fields.into()
        }
        Part::Audio(audio) => {
            let (format, data) = match &audio.source {
                Source::Inline { media_type, data } => (audio_format(media_type), data.as_str()),
                Source::Url(url) | Source::Id(url) => ("", url.as_str()),
            };
            let mut fields = typed("input_audio", &audio.extra);
            fields.insert("input_audio".into(), json!({"data": data, "format": format}));
            fields.into()
        }
        Part::Other { value } => value.clone(),
        // These are items of their own; the writer of items takes them out before.
        Part::ToolCall(_) | Part::ToolResult(_) | Part::Reasoning(_) => Value::Null,
    }
}

/// A part with the fields that have no name, but for those of the inside of the parts of OpenAI's chat.
fn typed(kind: &str, extra: &Map<String, Value>) -> Map<String, Value> {
    let kept = extra.iter().filter(|(name, _)| !matches!(name.as_str(), "image_url" | "input_audio" | "file"));
    let mut fields: Map<_, _> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    fields.insert("type".into(), kind.into());
    fields
}
