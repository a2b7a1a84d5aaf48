//! One accumulator turns events into a reply.

use super::{Choice, Event, Part, Place, Reasoning, Reply, Stop, ToolCall};
use crate::usage::UsageReport;
use crate::{ProviderError, Result};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Collects events into a [`Reply`], in whatever order the pieces of its choices and parts come.
///
/// ```
/// use headrace::chat::{Accumulator, Event, Place, Stop};
/// let mut reply = Accumulator::default();
/// for text in ["Scope 2 emissions ", "were 1,204 t."] {
///     reply.push(&Event::Text { at: Place::default(), text: text.into() }).unwrap();
/// }
/// reply.push(&Event::Stop { choice: 0, stop: Stop::End }).unwrap();
/// assert_eq!(reply.finish().text(), "Scope 2 emissions were 1,204 t.");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Accumulator {
    id: Option<String>,
    model: Option<String>,
    choices: BTreeMap<u32, Growing>,
    usage: Option<UsageReport>,
}

#[derive(Debug, Clone, Default)]
struct Growing {
    parts: BTreeMap<u32, Part>,
    stop: Option<Stop>,
    extra: Map<String, Value>,
}

impl Accumulator {
    /// Takes one event in.
    ///
    /// # Errors
    /// `Provider`: the event is an error. What came before it stays in the accumulator.
    pub fn push(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::Start { id, model } => {
                self.id = id.clone().or_else(|| self.id.take());
                self.model = model.clone().or_else(|| self.model.take());
            }
            Event::Text { at, text: more } => {
                let part = self.part(*at, || Part::text(String::new()));
                match part {
                    Part::Text { text, .. } => text.push_str(more),
                    other => append_beside(other, more),
                }
            }
            Event::Reasoning { at, text: more, signature } => {
                if let Part::Reasoning(reasoning) = self.part(*at, || Part::Reasoning(Reasoning::default())) {
                    reasoning.text.push_str(more);
                    if let Some(proof) = signature {
                        reasoning.signature.get_or_insert_default().push_str(proof);
                    }
                }
            }
            Event::ToolCallStart { at, id, name } => {
                if let Part::ToolCall(call) = self.part(*at, tool_call) {
                    // Some servers repeat both with every piece, others send the name in a later one.
                    if !id.is_empty() {
                        call.id.clone_from(id);
                    }
                    if !name.is_empty() {
                        call.name.clone_from(name);
                    }
                }
            }
            Event::ToolCallDelta { at, arguments } => {
                if let Part::ToolCall(call) = self.part(*at, tool_call) {
                    call.arguments.push_str(arguments);
                }
            }
            Event::Refusal { at, text: more } => {
                if let Part::Refusal { text } = self.part(*at, || Part::Refusal { text: String::new() }) {
                    text.push_str(more);
                }
            }
            Event::Citation { at, citation } => {
                if let Part::Text { citations, .. } = self.part(*at, || Part::text(String::new())) {
                    citations.push(citation.clone());
                }
            }
            Event::Part { at, part } => {
                self.choice(at.choice).parts.insert(at.part, part.clone());
            }
            Event::Extra { choice, name, value } => join(&mut self.choice(*choice).extra, name, value),
            Event::Usage(told) => self.usage = Some(told.clone()),
            Event::Stop { choice, stop } => self.choice(*choice).stop = Some(stop.clone()),
            Event::Error(error) => return Err(ProviderError::clone(error).into()),
        }
        Ok(())
    }

    /// Whether every choice that began has said why it stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        !self.choices.is_empty() && self.choices.values().all(|choice| choice.stop.is_some())
    }

    /// Whether nothing was said yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.choices.values().all(|choice| choice.parts.is_empty())
    }

    /// The reply as far as it came; `raw` is left to the wire.
    #[must_use]
    pub fn finish(self) -> Reply {
        let choice = |(index, grown): (u32, Growing)| Choice {
            index,
            parts: grown.parts.into_values().filter(|part| !is_blank(part)).collect(),
            stop: grown.stop,
            extra: grown.extra,
        };
        Reply {
            choices: self.choices.into_iter().map(choice).collect(),
            usage: self.usage,
            id: self.id,
            model: self.model,
            raw: Value::Null,
        }
    }

    fn choice(&mut self, index: u32) -> &mut Growing {
        self.choices.entry(index).or_default()
    }

    fn part(&mut self, at: Place, new: impl FnOnce() -> Part) -> &mut Part {
        self.choice(at.choice).parts.entry(at.part).or_insert_with(new)
    }
}

fn tool_call() -> Part {
    Part::ToolCall(ToolCall { id: String::new(), name: String::new(), arguments: String::new(), extra: Map::new() })
}

/// Words at the place of a part that is no text: a server in disorder. They are kept, where they cannot be cached.
fn append_beside(part: &mut Part, more: &str) {
    if more.is_empty() {
        return;
    }
    let before = serde_json::to_value(&*part).unwrap_or_default();
    *part = Part::Other { value: serde_json::json!([before, more]) };
}

/// An empty text says nothing, and whether it is sent depends on the server.
fn is_blank(part: &Part) -> bool {
    match part {
        Part::Text { text, citations, extra } => text.is_empty() && citations.is_empty() && extra.is_empty(),
        Part::Reasoning(reasoning) => *reasoning == Reasoning::default(),
        Part::Refusal { text } => text.is_empty(),
        _ => false,
    }
}

/// Lists grow, objects join field by field, all else is replaced; null adds nothing.
fn join(fields: &mut Map<String, Value>, name: &str, more: &Value) {
    match (fields.get_mut(name), more) {
        (_, Value::Null) => {}
        (Some(Value::Array(have)), Value::Array(more)) => have.extend(more.iter().cloned()),
        (Some(Value::Object(have)), Value::Object(more)) => {
            for (name, value) in more {
                join(have, name, value);
            }
        }
        _ => {
            fields.insert(name.to_owned(), more.clone());
        }
    }
}
