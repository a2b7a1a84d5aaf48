//! What an item of a reply tells, as events: piece by piece as it comes, or all at once where no piece came.

use super::{items, thought};
use crate::chat::{Event, Part, Place, Reasoning, ToolCall};
use crate::wire::heard::Out;
use crate::wire::openai_chat;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// An item, and what it has told so far.
#[derive(Debug, Default)]
pub(super) struct Item {
    contents: BTreeMap<u32, Told>,
    /// Whether its call has begun, or its id as a thought was told.
    has_begun: bool,
    /// Whether its arguments or its thoughts were told, as far as they came.
    has_words: bool,
    is_over: bool,
}

/// What a part of a message's content has told.
#[derive(Debug, Default)]
struct Told {
    has_words: bool,
    citations: usize,
    has_probabilities: bool,
}

impl Item {
    /// Reads how an item begins.
    pub(super) fn begin(&mut self, number: u32, item: &Map<String, Value>, out: &mut Out) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        match kind(item) {
            "function_call" | "custom_tool_call" => {
                let (id, name, extra) = (text("call_id"), text("name"), items::call_extra(item));
                let at = at(number, 0);
                out.push(Ok(if extra.is_empty() {
                    Event::ToolCallStart { at, id, name }
                } else {
                    Event::Part { at, part: Part::ToolCall(ToolCall { id, name, arguments: String::new(), extra }) }
                }));
            }
            "reasoning" => {
                if let signature @ Some(_) = thought::signature(item) {
                    out.push(Ok(Event::Reasoning { at: at(number, 0), text: String::new(), signature }));
                }
            }
            _ => {}
        }
    }

    /// Reads more words of a message.
    pub(super) fn text(&mut self, place: Place, event: &Map<String, Value>, out: &mut Out) {
        let told = self.contents.entry(place.part).or_default();
        told.has_words = true;
        out.push(Ok(Event::Text { at: place, text: delta(event) }));
        told.probabilities(event, out);
    }

    /// Reads more words with which the model declines.
    pub(super) fn refusal(&mut self, place: Place, event: &Map<String, Value>, out: &mut Out) {
        self.contents.entry(place.part).or_default().has_words = true;
        out.push(Ok(Event::Refusal { at: place, text: delta(event) }));
    }

    /// Reads what words cite.
    pub(super) fn citation(&mut self, place: Place, event: &Map<String, Value>, out: &mut Out) {
        self.contents.entry(place.part).or_default().citations += 1;
        let citation = event.get("annotation").cloned().unwrap_or_default();
        out.push(Ok(Event::Citation { at: place, citation }));
    }

    /// Reads more of a call's arguments.
    pub(super) fn arguments(&mut self, number: u32, event: &Map<String, Value>, out: &mut Out) {
        self.has_words = true;
        out.push(Ok(Event::ToolCallDelta { at: at(number, 0), arguments: delta(event) }));
    }

    /// Reads more thoughts.
    pub(super) fn thought(&mut self, number: u32, text: String, out: &mut Out) {
        self.has_words = true;
        out.push(Ok(Event::Reasoning { at: at(number, 0), text, signature: None }));
    }

    /// Whether thoughts were told, so that more of them are a paragraph of their own.
    pub(super) fn has_thoughts(&self) -> bool {
        self.has_words
    }

    /// Reads an item that is whole: what it has not told yet.
    pub(super) fn end(&mut self, number: u32, item: &Map<String, Value>, out: &mut Out) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        match kind(item) {
            "message" => self.message(number, item, out),
            "function_call" | "custom_tool_call" => {
                self.begin(number, item, out);
                let body = item.get("arguments").or_else(|| item.get("input")).cloned();
                let arguments = body.map(openai_chat::tools::arguments).unwrap_or_default();
                if !self.has_words && !arguments.is_empty() {
                    out.push(Ok(Event::ToolCallDelta { at: at(number, 0), arguments }));
                }
            }
            "reasoning" => {
                self.begin(number, item, out);
                let text = if self.has_words { String::new() } else { thought::words(item) };
                let (signature, encrypted) = thought::proof(item);
                if encrypted.is_some() {
                    let part = Part::Reasoning(Reasoning { text, signature, encrypted });
                    out.push(Ok(Event::Part { at: at(number, 0), part }));
                } else if !text.is_empty() || signature.is_some() {
                    out.push(Ok(Event::Reasoning { at: at(number, 0), text, signature }));
                }
            }
            _ => {
                out.push(Ok(Event::Part { at: at(number, 0), part: Part::Other { value: item.clone().into() } }));
            }
        }
    }

    fn message(&mut self, number: u32, item: &Map<String, Value>, out: &mut Out) {
        let content = item.get("content").and_then(Value::as_array).into_iter().flatten();
        for (index, part) in content.enumerate() {
            let place = at(number, index as u32);
            let told = self.contents.entry(place.part).or_default();
            let Some(fields) = part.as_object() else { continue };
            let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            match kind(fields) {
                "output_text" | "text" => {
                    if !told.has_words && !text("text").is_empty() {
                        out.push(Ok(Event::Text { at: place, text: text("text") }));
                    }
                    let citations = fields.get("annotations").and_then(Value::as_array).into_iter().flatten();
                    let cite = |citation: &Value| Ok(Event::Citation { at: place, citation: citation.clone() });
                    out.extend(citations.skip(told.citations).map(cite));
                    if !told.has_probabilities {
                        told.probabilities(fields, out);
                    }
                }
                "refusal" if !told.has_words => {
                    out.push(Ok(Event::Refusal { at: place, text: text("refusal") }));
                }
                "refusal" => {}
                _ => out.push(Ok(Event::Part { at: place, part: Part::Other { value: part.clone() } })),
            }
        }
        let unread = item.iter().filter(|(name, value)| {
            !matches!(name.as_str(), "type" | "id" | "status" | "role" | "content") && !value.is_null()
        });
        let fields: Map<_, _> = unread.map(|(name, value)| (name.clone(), value.clone())).collect();
        if !fields.is_empty() {
            out.push(Ok(Event::Extra { choice: Some(0), name: "message".into(), value: fields.into() }));
        }
    }
}

impl Told {
    /// The probabilities of words, where OpenAI's chat has them.
    fn probabilities(&mut self, fields: &Map<String, Value>, out: &mut Out) {
        let told = fields.get("logprobs").and_then(Value::as_array).filter(|told| !told.is_empty());
        if let Some(told) = told {
            self.has_probabilities = true;
            let value = json!({"content": told});
            out.push(Ok(Event::Extra { choice: Some(0), name: "logprobs".into(), value }));
        }
    }
}

/// Where a part belongs that stands at a place in the content of an item.
pub(super) fn at(item: u32, content: u32) -> Place {
    Place { choice: 0, part: (item.min(1 << 20) << 8) | content.min(255) }
}

fn kind(fields: &Map<String, Value>) -> &str {
    fields.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn delta(event: &Map<String, Value>) -> String {
    event.get("delta").and_then(Value::as_str).unwrap_or_default().to_owned()
}
