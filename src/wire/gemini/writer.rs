//! Writes a stream, as a client of Gemini reads it. A call has to be whole, so that it waits until it is.

use super::PROTOCOL;
use super::answer::{self, candidate};
use crate::chat::{Accumulator, Event, Part, Place, Reasoning};
use crate::usage::UsageReport;
use crate::wire::{EventWriter, Frame, Protocol, ToldError, WriterOptions, usage};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Writes the chunks of one stream.
#[derive(Debug, Default)]
pub(super) struct Writer {
    options: WriterOptions,
    id: Option<String>,
    model: Option<String>,
    /// Calls that may not be whole yet, by choice and part.
    waiting: BTreeMap<Place, Accumulator>,
    /// Fields of the reply that no chunk has told yet.
    extra: Map<String, Value>,
    usage: Option<UsageReport>,
    /// The choices in which the model declines.
    refusing: BTreeSet<u32>,
    has_failed: bool,
}

impl Writer {
    pub(super) fn new(options: WriterOptions) -> Self {
        Self { options, ..Self::default() }
    }
}

impl EventWriter for Writer {
    fn write(&mut self, event: &Event) -> Vec<Frame> {
        let mut out = Vec::new();
        if let Event::Refusal { at, .. } | Event::Part { at, part: Part::Refusal { .. } } = event {
            self.refusing.insert(at.choice);
        }
        match event {
            Event::Start { id, model } => {
                self.id = id.clone().or_else(|| self.id.take());
                self.model = model.clone().or_else(|| self.model.take());
            }
            Event::ToolCallStart { at, .. }
            | Event::ToolCallDelta { at, .. }
            | Event::Part { at, part: Part::ToolCall(_) } => {
                self.flush(*at, false, &mut out);
                // An error is no piece of a part, so that nothing is lost here.
                let _ = self.waiting.entry(*at).or_default().push(event);
            }
            Event::Text { at, text } | Event::Refusal { at, text } => {
                self.flush(*at, false, &mut out);
                self.said(*at, &Part::text(text.as_str()), &mut out);
            }
            Event::Reasoning { at, text, signature } => {
                self.flush(*at, false, &mut out);
                let thought = Reasoning { text: text.clone(), signature: signature.clone(), encrypted: None };
                if thought != Reasoning::default() {
                    self.said(*at, &Part::Reasoning(thought), &mut out);
                }
            }
            Event::Part { at, part } => {
                self.flush(*at, false, &mut out);
                self.said(*at, part, &mut out);
            }
            // What words cite has no place among the parts here.
            Event::Citation { .. } => {}
            Event::Extra { choice: None, name, value } => {
                self.extra.insert(name.clone(), value.clone());
            }
            Event::Extra { choice: Some(choice), name, value } => {
                let field = [(name.clone(), value.clone())].into_iter().collect();
                self.chunk(candidate(*choice, Vec::new(), None, field), &mut out);
            }
            Event::Usage(told) => self.usage = Some(told.clone()),
            Event::Stop { choice, stop } => {
                self.flush(Place { choice: *choice, part: u32::MAX }, true, &mut out);
                let stop = answer::stop_of(Some(stop), self.refusing.contains(choice));
                self.chunk(candidate(*choice, Vec::new(), stop, Map::new()), &mut out);
            }
            Event::Error(error) => {
                self.has_failed = true;
                out.push(frame(&PROTOCOL.write_error(&ToldError::from_provider(error))));
            }
        }
        out
    }

    fn end(&mut self) -> Vec<Frame> {
        let mut out = Vec::new();
        if self.has_failed {
            return out;
        }
        let choices: Vec<u32> = self.waiting.keys().map(|at| at.choice).collect();
        for choice in choices {
            self.flush(Place { choice, part: u32::MAX }, true, &mut out);
        }
        let told = self.usage.take().filter(|_| self.options.include_usage);
        if told.is_some() || !self.extra.is_empty() {
            let mut body = self.head();
            if let Some(told) = told {
                body.insert("usageMetadata".into(), usage::gemini(&told));
            }
            out.push(frame(&body.into()));
        }
        out
    }
}

impl Writer {
    /// Writes the calls of a choice that are whole, once something else is told; all of them at its end.
    fn flush(&mut self, at: Place, is_end: bool, out: &mut Vec<Frame>) {
        let others = self.waiting.keys().filter(|place| place.choice == at.choice && place.part != at.part);
        for place in others.copied().collect::<Vec<_>>() {
            let Some(part) = self.waiting.get(&place).cloned().and_then(grown) else { continue };
            let is_whole = matches!(&part, Part::ToolCall(call)
                if !call.name.is_empty() && serde_json::from_str::<Map<String, Value>>(&call.arguments).is_ok());
            if is_end || is_whole {
                self.waiting.remove(&place);
                self.said(place, &part, out);
            }
        }
    }

    fn said(&mut self, at: Place, part: &Part, out: &mut Vec<Frame>) {
        if let Some(part) = answer::part(part) {
            self.chunk(candidate(at.choice, vec![part], None, Map::new()), out);
        }
    }

    fn chunk(&mut self, candidate: Value, out: &mut Vec<Frame>) {
        let mut body = self.head();
        body.insert("candidates".into(), json!([candidate]));
        out.push(frame(&body.into()));
    }

    /// What every chunk says, and what none has said yet.
    fn head(&mut self) -> Map<String, Value> {
        let mut body = std::mem::take(&mut self.extra);
        let id = self.id.get_or_insert_with(|| answer::id(None)).clone();
        let named = Some(self.options.model.as_str()).filter(|model| !model.is_empty());
        answer::head(&mut body, &id, named.or(self.model.as_deref()).unwrap_or_default());
        body
    }
}

fn grown(part: Accumulator) -> Option<Part> {
    part.finish().choices.into_iter().flat_map(|choice| choice.parts).next()
}

fn frame(body: &Value) -> Frame {
    Frame { name: None, data: body.to_string() }
}
