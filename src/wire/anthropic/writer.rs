//! Writes a stream, as a client of Anthropic's Messages reads it: one block after the other.

use super::answer;
use crate::chat::{Accumulator, Event, Part, Place, Stop};
use crate::usage::{Usage, UsageReport};
use crate::wire::{EventWriter, Frame, Protocol, ToldError, WriterOptions, usage};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Writes the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Writer {
    options: WriterOptions,
    id: Option<String>,
    model: Option<String>,
    /// Fields of the message that have no name here.
    extra: Map<String, Value>,
    /// The one choice that this protocol has room for.
    choice: Option<u32>,
    has_started: bool,
    has_failed: bool,
    blocks: u64,
    open: Option<OpenBlock>,
    /// Parts whose pieces came while another one was open, or that cannot begin yet.
    waiting: BTreeMap<u32, Accumulator>,
    /// Calls that were whole: no piece can add to them.
    whole_calls: BTreeSet<u32>,
    usage: Option<UsageReport>,
    stop: Option<Stop>,
    /// Fields of the choice that have no name here.
    choice_extra: Map<String, Value>,
    has_refusal: bool,
}

/// The block that is being written.
#[derive(Debug)]
struct OpenBlock {
    part: u32,
    kind: Kind,
    /// The arguments of a call so far, which say when it is whole.
    arguments: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    Call,
}

impl Writer {
    pub(super) fn new(options: WriterOptions) -> Self {
        Self { options, ..Self::default() }
    }
}

impl EventWriter for Writer {
    fn write(&mut self, event: &Event) -> Vec<Frame> {
        let mut out = Vec::new();
        if let Some(at) = event.place().filter(|at| self.is_ours(at.choice)) {
            self.start(&mut out);
            self.said(at, event, &mut out);
        }
        match event {
            Event::Start { id, model } => {
                self.id = id.clone().or_else(|| self.id.take());
                self.model = model.clone().or_else(|| self.model.take());
            }
            Event::Extra { choice: None, name, value } => {
                self.extra.insert(name.clone(), value.clone());
            }
            Event::Extra { choice: Some(choice), name, value } if self.is_ours(*choice) => {
                self.choice_extra.insert(name.clone(), value.clone());
            }
            Event::Usage(told) => self.usage = Some(told.clone()),
            Event::Stop { choice, stop } if self.is_ours(*choice) => {
                self.stop = Some(stop.clone());
                self.flush(&mut out);
            }
            Event::Error(error) => {
                self.has_failed = true;
                out.push(frame("error", super::PROTOCOL.write_error(&ToldError::from_provider(error))));
            }
            _ => {}
        }
        out
    }

    fn end(&mut self) -> Vec<Frame> {
        let mut out = Vec::new();
        if self.has_failed {
            return out;
        }
        self.start(&mut out);
        self.flush(&mut out);
        let mut body = json!({
            "type": "message_delta",
            "delta": answer::end(self.stop.as_ref(), &self.choice_extra, self.has_refusal),
        });
        if let Some(told) = &self.usage {
            body["usage"] = usage::anthropic(told).into();
        }
        out.push(frame("message_delta", body));
        out.push(frame("message_stop", json!({"type": "message_stop"})));
        out
    }
}

impl Writer {
    /// Whether a choice is the one that is told: the first that says something.
    fn is_ours(&mut self, choice: u32) -> bool {
        *self.choice.get_or_insert(choice) == choice
    }

    /// Clients add up from what `message_start` counts, so that it must be there.
    fn start(&mut self, out: &mut Vec<Frame>) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        let mut message = std::mem::take(&mut self.extra);
        let named = Some(self.options.model.as_str()).filter(|model| !model.is_empty());
        answer::head(&mut message, self.id.as_deref(), named.or(self.model.as_deref()).unwrap_or_default());
        let nothing = UsageReport::told(Usage::new(0, 0));
        message.insert("content".into(), json!([]));
        message.insert("stop_reason".into(), Value::Null);
        message.insert("stop_sequence".into(), Value::Null);
        message.insert("usage".into(), usage::anthropic(self.usage.as_ref().unwrap_or(&nothing)).into());
        out.push(frame("message_start", json!({"type": "message_start", "message": message})));
    }

    fn said(&mut self, at: Place, event: &Event, out: &mut Vec<Frame>) {
        let is_silent = matches!(event, Event::Text { text, .. } if text.is_empty());
        if is_silent || self.whole_calls.contains(&at.part) {
            return;
        }
        self.has_refusal |= matches!(event, Event::Refusal { .. } | Event::Part { part: Part::Refusal { .. }, .. });
        if let Some(open) = &self.open {
            if open.part == at.part && goes_on(open.kind, event) {
                return self.piece(event, out);
            }
            // A call that is not whole keeps its block open, since its block cannot be opened again.
            let is_whole = open.kind != Kind::Call || (self.waiting.is_empty() && is_object(&open.arguments));
            if open.part == at.part || !is_whole {
                return self.wait(at, event);
            }
            self.close(out);
        }
        if self.waiting.contains_key(&at.part) {
            return self.wait(at, event);
        }
        match (event, begins(event)) {
            (Event::Part { part, .. }, _) if !is_nameless(part) => self.whole(at.part, part, out),
            (_, Some((kind, block))) => {
                self.open_block(&block, out);
                self.open = Some(OpenBlock { part: at.part, kind, arguments: String::new() });
                self.piece(event, out);
            }
            _ => self.wait(at, event),
        }
    }

    /// A piece of the open block.
    fn piece(&mut self, event: &Event, out: &mut Vec<Frame>) {
        let Some(open) = &mut self.open else { return };
        let delta = match event {
            Event::Text { text, .. } | Event::Refusal { text, .. } => json!({"type": "text_delta", "text": text}),
            Event::Citation { citation, .. } => {
                json!({"type": "citations_delta", "citation": super::blocks::citation(citation)})
            }
            Event::ToolCallDelta { arguments, .. } => {
                open.arguments.push_str(arguments);
                json!({"type": "input_json_delta", "partial_json": arguments})
            }
            Event::Reasoning { text, signature, .. } => {
                if !text.is_empty() {
                    self.delta(json!({"type": "thinking_delta", "thinking": text}), out);
                }
                match signature {
                    Some(signature) => json!({"type": "signature_delta", "signature": signature}),
                    None => return,
                }
            }
            Event::Part { part: Part::ToolCall(call), .. } if !call.arguments.is_empty() => {
                open.arguments.push_str(&call.arguments);
                json!({"type": "input_json_delta", "partial_json": call.arguments})
            }
            _ => return,
        };
        self.delta(delta, out);
    }

    fn wait(&mut self, at: Place, event: &Event) {
        // An error is no piece of a part, so that nothing is lost here.
        let _ = self.waiting.entry(at.part).or_default().push(event);
    }

    fn flush(&mut self, out: &mut Vec<Frame>) {
        self.close(out);
        while let Some((part, waiting)) = self.waiting.pop_first() {
            for whole in waiting.finish().choices.into_iter().flat_map(|choice| choice.parts) {
                self.whole(part, &whole, out);
                self.close(out);
            }
        }
    }

    /// A part that is known as far as it came. What can grow stays open, and is told in pieces, which is how clients read
    /// it.
    fn whole(&mut self, number: u32, part: &Part, out: &mut Vec<Frame>) {
        let Some(mut block) = answer::block(part) else { return };
        let mut take = |name: &str, empty: Value| std::mem::replace(&mut block[name], empty);
        let (mut deltas, mut arguments) = (Vec::new(), String::new());
        let kind =
            match part {
                Part::Text { citations, .. } => {
                    deltas.push(json!({"type": "text_delta", "text": take("text", "".into())}));
                    take("citations", Value::Null);
                    deltas.extend(citations.iter().map(
                        |citation| json!({"type": "citations_delta", "citation": super::blocks::citation(citation)}),
                    ));
                    Some(Kind::Text)
                }
                Part::Refusal { .. } => {
                    deltas.push(json!({"type": "text_delta", "text": take("text", "".into())}));
                    Some(Kind::Text)
                }
                Part::ToolCall(call) => {
                    take("input", json!({}));
                    arguments.clone_from(&call.arguments);
                    deltas.push(json!({"type": "input_json_delta", "partial_json": arguments}));
                    Some(Kind::Call)
                }
                Part::Reasoning(reasoning) if reasoning.encrypted.is_none() => {
                    deltas.push(json!({"type": "thinking_delta", "thinking": take("thinking", "".into())}));
                    deltas.push(json!({"type": "signature_delta", "signature": take("signature", "".into())}));
                    Some(Kind::Thinking)
                }
                _ => None,
            };
        self.open_block(&block, out);
        deltas.into_iter().for_each(|delta| self.delta(delta, out));
        match kind {
            Some(kind) => self.open = Some(OpenBlock { part: number, kind, arguments }),
            None => self.close_block(out),
        }
    }

    fn open_block(&mut self, block: &Value, out: &mut Vec<Frame>) {
        let body = json!({"type": "content_block_start", "index": self.blocks, "content_block": block});
        out.push(frame("content_block_start", body));
    }

    fn delta(&mut self, delta: Value, out: &mut Vec<Frame>) {
        let body = json!({"type": "content_block_delta", "index": self.blocks, "delta": delta});
        out.push(frame("content_block_delta", body));
    }

    fn close(&mut self, out: &mut Vec<Frame>) {
        if let Some(open) = self.open.take() {
            if open.kind == Kind::Call {
                self.whole_calls.insert(open.part);
            }
            self.close_block(out);
        }
    }

    fn close_block(&mut self, out: &mut Vec<Frame>) {
        out.push(frame("content_block_stop", json!({"type": "content_block_stop", "index": self.blocks})));
        self.blocks += 1;
    }
}

/// The block that an event begins; None where it must wait for more.
fn begins(event: &Event) -> Option<(Kind, Value)> {
    match event {
        Event::Text { .. } | Event::Refusal { .. } | Event::Citation { .. } => {
            Some((Kind::Text, json!({"type": "text", "text": ""})))
        }
        Event::Reasoning { .. } => Some((Kind::Thinking, json!({"type": "thinking", "thinking": "", "signature": ""}))),
        Event::ToolCallStart { id, name, .. } if !id.is_empty() && !name.is_empty() => {
            Some((Kind::Call, json!({"type": "tool_use", "id": id, "name": name, "input": {}})))
        }
        _ => None,
    }
}

/// Whether a part is a tool call whose name nobody told yet, so that its block cannot begin.
fn is_nameless(part: &Part) -> bool {
    matches!(part, Part::ToolCall(call) if call.id.is_empty() || call.name.is_empty())
}

/// Whether an event is a piece of a block of a kind.
fn goes_on(kind: Kind, event: &Event) -> bool {
    match event {
        Event::Text { .. } | Event::Refusal { .. } | Event::Citation { .. } => kind == Kind::Text,
        Event::Reasoning { .. } => kind == Kind::Thinking,
        Event::ToolCallStart { .. } | Event::ToolCallDelta { .. } => kind == Kind::Call,
        // More of a call that began: its block has begun without it.
        Event::Part { part: Part::ToolCall(call), .. } => kind == Kind::Call && call.name.is_empty(),
        _ => false,
    }
}

/// Whether arguments are whole: a JSON object, to which nothing can be added.
fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn frame(name: &'static str, body: Value) -> Frame {
    Frame { name: Some(name), data: body.to_string() }
}
