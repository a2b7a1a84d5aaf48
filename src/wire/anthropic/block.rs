//! One block of a reply as it comes, as events.

use crate::chat::{Event, Part, Place, Reasoning, ToolCall};
use crate::wire::heard::Out;
use serde_json::{Map, Value};

/// A block that has begun.
#[derive(Debug)]
pub(super) enum Open {
    Text,
    Thinking,
    /// The model asks for a tool.
    Call {
        has_input: bool,
    },
    /// A block that has no name here, put together until it is whole.
    Other {
        block: Map<String, Value>,
        /// Its input, which comes as pieces of JSON text.
        input: String,
    },
    /// A block that came whole.
    Whole,
}

impl Open {
    /// Begins a block with what it starts with: nothing in a stream, all in a whole reply.
    pub(super) fn start(at: Place, block: &Map<String, Value>, out: &mut Out) -> Self {
        let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        match block.get("type").and_then(Value::as_str).unwrap_or_default() {
            "text" => {
                let extra = unread(block, &["text", "citations"]);
                let text = text("text");
                if extra.is_empty() {
                    push_text(at, text, out);
                } else {
                    out.push(Ok(Event::Part { at, part: Part::Text { text, citations: Vec::new(), extra } }));
                }
                let citations = block.get("citations").and_then(Value::as_array).into_iter().flatten();
                out.extend(citations.map(|citation| Ok(Event::Citation { at, citation: citation.clone() })));
                Self::Text
            }
            "thinking" => {
                let signature = Some(text("signature")).filter(|signature| !signature.is_empty());
                let text = text("thinking");
                if !text.is_empty() || signature.is_some() {
                    out.push(Ok(Event::Reasoning { at, text, signature }));
                }
                Self::Thinking
            }
            "redacted_thinking" => {
                let reasoning = Reasoning { encrypted: Some(text("data")), ..Reasoning::default() };
                out.push(Ok(Event::Part { at, part: Part::Reasoning(reasoning) }));
                Self::Whole
            }
            "tool_use" => {
                let (id, name) = (text("id"), text("name"));
                let extra = unread(block, &["id", "name", "input"]);
                out.push(Ok(if extra.is_empty() {
                    Event::ToolCallStart { at, id, name }
                } else {
                    Event::Part { at, part: Part::ToolCall(ToolCall { id, name, arguments: String::new(), extra }) }
                }));
                let input =
                    block.get("input").filter(|input| input.as_object().is_none_or(|fields| !fields.is_empty()));
                let has_input = input.is_some_and(|input| !input.is_null());
                if let Some(input) = input.filter(|_| has_input) {
                    out.push(Ok(Event::ToolCallDelta { at, arguments: input.to_string() }));
                }
                Self::Call { has_input }
            }
            _ => Self::Other { block: block.clone(), input: String::new() },
        }
    }

    /// Adds a piece.
    pub(super) fn delta(&mut self, at: Place, delta: &Map<String, Value>, out: &mut Out) {
        let text = |name: &str| delta.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = delta.get("type").and_then(Value::as_str).unwrap_or_default();
        match (self, kind) {
            (Self::Other { block, input }, kind) => other_delta(block, input, kind, delta),
            (_, "text_delta") => push_text(at, text("text"), out),
            (_, "citations_delta") => {
                let citation = delta.get("citation").cloned().unwrap_or_default();
                out.push(Ok(Event::Citation { at, citation }));
            }
            (_, "thinking_delta") => out.push(Ok(Event::Reasoning { at, text: text("thinking"), signature: None })),
            (_, "signature_delta") => {
                out.push(Ok(Event::Reasoning { at, text: String::new(), signature: Some(text("signature")) }));
            }
            (Self::Call { has_input }, "input_json_delta") => {
                let arguments = text("partial_json");
                if !arguments.is_empty() {
                    *has_input = true;
                    out.push(Ok(Event::ToolCallDelta { at, arguments }));
                }
            }
            // A piece of a kind that is not known is no silence.
            _ => out.push(Ok(Event::Part { at, part: Part::Other { value: delta.clone().into() } })),
        }
    }

    /// Ends a block.
    pub(super) fn stop(self, at: Place, out: &mut Out) {
        match self {
            Self::Call { has_input: false } => out.push(Ok(Event::ToolCallDelta { at, arguments: "{}".into() })),
            Self::Other { mut block, input } => {
                if !input.is_empty() {
                    block.insert("input".into(), serde_json::from_str(&input).unwrap_or_else(|_| input.into()));
                }
                out.push(Ok(Event::Part { at, part: Part::Other { value: block.into() } }));
            }
            _ => {}
        }
    }
}

fn push_text(at: Place, text: String, out: &mut Out) {
    if !text.is_empty() {
        out.push(Ok(Event::Text { at, text }));
    }
}

/// A piece of a block that has no name: texts go on, lists grow, all else is set.
fn other_delta(block: &mut Map<String, Value>, input: &mut String, kind: &str, delta: &Map<String, Value>) {
    for (name, value) in delta.iter().filter(|(name, _)| *name != "type") {
        match (kind, name.as_str(), block.get_mut(name), value) {
            ("input_json_delta", "partial_json", _, Value::String(more)) => input.push_str(more),
            ("citations_delta", "citation", _, citation) => {
                if let Some(list) = block.entry("citations").or_insert_with(|| Value::Array(Vec::new())).as_array_mut()
                {
                    list.push(citation.clone());
                }
            }
            (_, _, Some(Value::String(have)), Value::String(more)) => have.push_str(more),
            (_, _, Some(Value::Array(have)), Value::Array(more)) => have.extend(more.iter().cloned()),
            _ => {
                block.insert(name.clone(), value.clone());
            }
        }
    }
}

fn unread(block: &Map<String, Value>, read: &[&str]) -> Map<String, Value> {
    let unread =
        block.iter().filter(|(name, value)| *name != "type" && !read.contains(&name.as_str()) && !value.is_null());
    unread.map(|(name, value)| (name.clone(), value.clone())).collect()
}
