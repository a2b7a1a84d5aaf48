//! One accumulator turns events into a reply.

use super::merge::{Strings, join, merge};
use super::{Choice, Event, Part, Place, Reasoning, Reply, Stop, ToolCall};
use crate::usage::UsageReport;
use crate::{ProviderError, Result};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

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
    extra: Map<String, Value>,
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
            // What comes most often costs no copy more than it must.
            Event::Text { at, text: more } => match self.part(*at, || Part::text(String::new())) {
                Part::Text { text, .. } => text.push_str(more),
                _ if more.is_empty() => {}
                other => merge(other, Part::text(more)),
            },
            Event::ToolCallDelta { at, arguments } => match self.part(*at, || tool_call("", "")) {
                Part::ToolCall(call) => call.arguments.push_str(arguments),
                other => merge(other, Part::Other { value: arguments.as_str().into() }),
            },
            Event::Reasoning { at, text, signature } => {
                let more = Reasoning { text: text.clone(), signature: signature.clone(), encrypted: None };
                self.add(*at, Part::Reasoning(more));
            }
            Event::ToolCallStart { at, id, name } => self.add(*at, tool_call(id, name)),
            Event::Refusal { at, text } => self.add(*at, Part::Refusal { text: text.clone() }),
            Event::Citation { at, citation } => {
                self.add(*at, Part::Text { text: String::new(), citations: vec![citation.clone()], extra: Map::new() });
            }
            Event::Part { at, part } => self.add(*at, part.clone()),
            Event::Extra { choice: Some(choice), name, value } => {
                join(&mut self.choice(*choice).extra, name, value.clone(), Strings::Replace);
            }
            Event::Extra { choice: None, name, value } => {
                self.extra.insert(name.clone(), value.clone());
            }
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
            extra: self.extra,
            id: self.id,
            model: self.model,
            raw: Value::Null,
        }
    }

    fn choice(&mut self, index: u32) -> &mut Growing {
        self.choices.entry(index).or_default()
    }

    fn add(&mut self, at: Place, more: Part) {
        match self.choice(at.choice).parts.entry(at.part) {
            Entry::Vacant(place) => {
                place.insert(more);
            }
            Entry::Occupied(place) => merge(place.into_mut(), more),
        }
    }

    fn part(&mut self, at: Place, new: impl FnOnce() -> Part) -> &mut Part {
        self.choice(at.choice).parts.entry(at.part).or_insert_with(new)
    }
}

fn tool_call(id: &str, name: &str) -> Part {
    Part::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: String::new(), extra: Map::new() })
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
