//! The parts of content, both ways.

use super::result;
use crate::chat::{Media, Part, Reasoning, Source, ToolCall};
use crate::wire::anthropic::input;
use crate::wire::fields::{Fields, expected};
use crate::wire::openai_responses::is_openais;
use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// Gemini's proof of what it thought, which it wants back with the part.
const SIGNATURE: &str = "thoughtSignature";

/// Where Google puts that proof in OpenAI's protocol, so that it goes through OpenAI's clients
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>).
const EXTRA: &str = "extra_content";

/// Kinds of files by the end of their address.
const KINDS: [(&str, &str); 16] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("csv", "text/csv"),
    ("md", "text/markdown"),
    ("html", "text/html"),
    ("json", "application/json"),
    ("wav", "audio/wav"),
    ("mp3", "audio/mpeg"),
    ("ogg", "audio/ogg"),
    ("flac", "audio/flac"),
];

/// Reads a part at a place.
pub(super) fn read(place: &str, value: Value) -> Result<Part> {
    if !value.is_object() {
        return Err(expected(place, &value, "a part: an object, such as {\"text\": ...}"));
    }
    let whole = value.clone();
    let mut fields = Fields::at(place, value)?;
    let is_thought = fields.flag("thought")?.unwrap_or(false);
    let signature = fields.text(SIGNATURE, "a text")?;
    if let Some(text) = fields.text_or_leave("text") {
        return Ok(if is_thought {
            Part::Reasoning(Reasoning { text, signature, encrypted: None })
        } else {
            Part::Text { text, citations: Vec::new(), extra: proof(signature) }
        });
    }
    if let Some(call) = fields.any("functionCall") {
        return read_call(&fields.place("functionCall"), call, signature);
    }
    if let Some(given) = fields.any("functionResponse") {
        return result::read(&fields.place("functionResponse"), given);
    }
    let media =
        fields.any("inlineData").as_ref().and_then(inline).or_else(|| fields.any("fileData").as_ref().and_then(file));
    Ok(match media {
        Some((kind, mut media)) => {
            media.extra.extend(fields.rest());
            of_kind(&kind, media)
        }
        None => Part::Other { value: whole },
    })
}

fn read_call(place: &str, call: Value, signature: Option<String>) -> Result<Part> {
    let mut call = Fields::at(place, call)?;
    let name = call.needed_text("name", "the function's name")?;
    // Where nobody told an id, its result is told under the name.
    let id = call.text("id", "a text")?.unwrap_or_else(|| name.clone());
    let arguments = call.object("args", "an object")?.unwrap_or_default();
    Ok(Part::ToolCall(ToolCall { id, name, arguments: Value::Object(arguments).to_string(), extra: proof(signature) }))
}

fn inline(value: &Value) -> Option<(String, Media)> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let (media_type, data) = (text("mimeType")?, text("data")?);
    let source = Source::Inline { media_type: media_type.clone(), data };
    Some((media_type, Media { source, name: text("displayName"), extra: Map::new() }))
}

fn file(value: &Value) -> Option<(String, Media)> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let uri = text("fileUri")?;
    let media_type = text("mimeType").unwrap_or_else(|| by_name(&uri).unwrap_or_default().to_owned());
    let source = if uri.contains("://") { Source::Url(uri) } else { Source::Id(uri) };
    Some((media_type, Media { source, name: text("displayName"), extra: Map::new() }))
}

fn of_kind(media_type: &str, media: Media) -> Part {
    match media_type.split('/').next() {
        Some("image") => Part::Image(media),
        Some("audio") => Part::Audio(media),
        _ => Part::File(media),
    }
}

fn by_name(uri: &str) -> Option<&'static str> {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let (_, end) = path.rsplit_once('.')?;
    KINDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(end)).map(|(_, kind)| *kind)
}

/// The fields without a name of a part that Gemini proves to be its own.
pub(super) fn proof(signature: Option<String>) -> Map<String, Value> {
    let inner = signature.map(|signature| (EXTRA.to_owned(), json!({"google": {"thought_signature": signature}})));
    inner.into_iter().collect()
}

fn signature_of(extra: &Map<String, Value>) -> Option<Value> {
    extra.get(EXTRA)?.get("google")?.get("thought_signature").filter(|signature| signature.is_string()).cloned()
}

/// Writes a part; None is one that says nothing to this protocol.
///
/// # Errors
/// `InvalidArgument`: the protocol has no form for it.
pub(super) fn write(part: &Part) -> Result<Option<Value>> {
    let with_proof = |mut value: Value, extra: &Map<String, Value>| {
        if let Some(signature) = signature_of(extra) {
            value[SIGNATURE] = signature;
        }
        value
    };
    Ok(Some(match part {
        Part::Text { text, extra, .. } if text.is_empty() && signature_of(extra).is_none() => return Ok(None),
        Part::Text { text, extra, .. } => with_proof(json!({"text": text}), extra),
        Part::Refusal { text } => json!({"text": text}),
        // Another provider's thoughts are nothing to this one.
        Part::Reasoning(thought) => match &thought.signature {
            Some(proof) if !is_openais(thought) => {
                json!({"thought": true, "text": thought.text, SIGNATURE: proof})
            }
            _ => return Ok(None),
        },
        Part::ToolCall(call) => {
            let value = json!({"functionCall": {"id": call.id, "name": call.name, "args": input(&call.arguments)}});
            with_proof(value, &call.extra)
        }
        Part::Image(media) => write_media(media, "image/jpeg"),
        Part::Audio(media) => write_media(media, "audio/mpeg"),
        Part::File(media) => write_media(media, "application/pdf"),
        Part::ToolResult(given) => result::write(given, &given.id)?,
        // A part of this protocol says what it is by its one field.
        Part::Other { value } if value.get("type").is_none() => value.clone(),
        Part::Other { value } => {
            return Err(Error::invalid(format!(
                "a message holds a part of type {}, for which Gemini has no form: give text, an image or a file",
                value.get("type").unwrap_or(&Value::Null)
            )));
        }
    }))
}

fn write_media(media: &Media, usual: &str) -> Value {
    // What stands inside in OpenAI's protocols, or is meant for another cache, is not known here.
    const OTHERS: [&str; 4] = ["image_url", "input_audio", "file", "cache_control"];
    let kept = media.extra.iter().filter(|(name, _)| !OTHERS.contains(&name.as_str()));
    let mut fields: Map<_, _> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    let (name, mut value) = match &media.source {
        Source::Inline { media_type, data } => {
            let kind = if media_type.is_empty() { usual } else { media_type };
            ("inlineData", json!({"mimeType": kind, "data": data}))
        }
        Source::Url(uri) | Source::Id(uri) => {
            let kind =
                by_name(uri).filter(|kind| kind.split('/').next() == usual.split('/').next() || usual.ends_with("pdf"));
            ("fileData", json!({"mimeType": kind.unwrap_or(usual), "fileUri": uri}))
        }
    };
    if let Some(name) = &media.name {
        value["displayName"] = name.as_str().into();
    }
    fields.insert(name.into(), value);
    fields.into()
}
