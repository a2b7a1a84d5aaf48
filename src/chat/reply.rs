//! What comes back.

use super::{Event, Part, Place, Stop, ToolCall};
use crate::usage::UsageReport;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A reply, whole or as far as it came.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Reply {
    /// The answers, in the order of their number.
    pub choices: Vec<Choice>,
    /// What the call used, where the provider told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageReport>,
    /// The provider's id of the reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The model, as the provider named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Fields without a name here, such as `system_fingerprint`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
    /// The reply in the JSON of the provider's protocol; of a stream, as the provider would have sent it whole.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub raw: Value,
}

/// One answer of a reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Its number, from 0.
    pub index: u32,
    /// What it is made of.
    pub parts: Vec<Part>,
    /// Why the model stopped; None where the provider did not say.
    pub stop: Option<Stop>,
    /// Fields without a name here, such as `logprobs`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

impl Choice {
    /// The words of its text parts, one after the other.
    #[must_use]
    pub fn text(&self) -> String {
        self.parts.iter().filter_map(Part::as_text).collect()
    }

    /// The words of its reasoning.
    #[must_use]
    pub fn reasoning(&self) -> String {
        let words = |part: &Part| match part {
            Part::Reasoning(reasoning) => Some(reasoning.text.clone()),
            _ => None,
        };
        self.parts.iter().filter_map(words).collect()
    }

    /// The tools that it asks for.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        })
    }

    /// Whether it is an answer that can answer again: the model ended by itself, and what it said is words.
    fn is_cacheable(&self) -> bool {
        let can_serve = |part: &Part| matches!(part, Part::Text { .. } | Part::Reasoning(_));
        self.stop.as_ref().is_some_and(Stop::is_whole)
            && self.parts.iter().all(can_serve)
            && self.parts.iter().filter_map(Part::as_text).any(|text| !text.is_empty())
    }
}

impl Reply {
    /// The words of the first choice.
    #[must_use]
    pub fn text(&self) -> String {
        self.choices.first().map(Choice::text).unwrap_or_default()
    }

    /// Whether the reply may be kept to answer again: every choice is whole, ended by itself, and made of words alone; no
    /// tool call, no refusal, nothing that is not known.
    #[must_use]
    pub fn is_cacheable(&self) -> bool {
        !self.choices.is_empty() && self.choices.iter().all(Choice::is_cacheable)
    }

    /// The characters of all that the model wrote, thoughts and arguments of tools among them: what it bills for.
    #[must_use]
    pub fn written(&self) -> Vec<&str> {
        let parts = self.choices.iter().flat_map(|choice| &choice.parts);
        let texts = parts.flat_map(|part| match part {
            Part::Text { text, .. } | Part::Refusal { text } => [text.as_str(), ""],
            Part::Reasoning(reasoning) => [reasoning.text.as_str(), ""],
            Part::ToolCall(call) => [call.name.as_str(), call.arguments.as_str()],
            _ => ["", ""],
        });
        texts.filter(|text| !text.is_empty()).collect()
    }

    /// Tells the reply again as events; an [`Accumulator`](super::Accumulator) makes the same reply of them.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let mut events = vec![Event::Start { id: self.id.clone(), model: self.model.clone() }];
        extra_events(None, &self.extra, &mut events);
        for choice in &self.choices {
            for (number, part) in (0..).zip(&choice.parts) {
                part_events(Place { choice: choice.index, part: number }, part, &mut events);
            }
            extra_events(Some(choice.index), &choice.extra, &mut events);
            if let Some(stop) = &choice.stop {
                events.push(Event::Stop { choice: choice.index, stop: stop.clone() });
            }
        }
        events.extend(self.usage.clone().map(Event::Usage));
        events
    }
}

fn extra_events(choice: Option<u32>, fields: &Map<String, Value>, events: &mut Vec<Event>) {
    events.extend(fields.iter().map(|(name, value)| Event::Extra { choice, name: name.clone(), value: value.clone() }));
}

fn part_events(at: Place, part: &Part, events: &mut Vec<Event>) {
    match part {
        Part::Text { text, citations, extra } if extra.is_empty() => {
            events.push(Event::Text { at, text: text.clone() });
            events.extend(citations.iter().map(|citation| Event::Citation { at, citation: citation.clone() }));
        }
        Part::Reasoning(reasoning) if reasoning.encrypted.is_none() => {
            events.push(Event::Reasoning { at, text: reasoning.text.clone(), signature: reasoning.signature.clone() });
        }
        Part::ToolCall(call) if call.extra.is_empty() => {
            events.push(Event::ToolCallStart { at, id: call.id.clone(), name: call.name.clone() });
            if !call.arguments.is_empty() {
                events.push(Event::ToolCallDelta { at, arguments: call.arguments.clone() });
            }
        }
        Part::Refusal { text } => events.push(Event::Refusal { at, text: text.clone() }),
        whole => events.push(Event::Part { at, part: whole.clone() }),
    }
}
