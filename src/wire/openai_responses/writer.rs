//! Writes a stream, as a client of OpenAI's Responses reads it. Items may come mixed here, each under its number, so that
//! nothing waits but a call whose name nobody told yet.

use super::answer::{self, Head};
use super::input::is_custom;
use super::items::{self, Form};
use crate::chat::{Accumulator, Event, Part, Place, Reasoning, Stop, ToolCall};
use crate::usage::UsageReport;
use crate::wire::{EventWriter, Frame, ToldError, WriterOptions, now};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Writes the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Writer {
    options: WriterOptions,
    id: Option<String>,
    model: Option<String>,
    created: u64,
    /// The number of the next event.
    sequence: u64,
    /// Fields of the response that have no name here.
    extra: Map<String, Value>,
    /// The one choice that this protocol has room for.
    choice: Option<u32>,
    choice_extra: Map<String, Value>,
    has_started: bool,
    has_failed: bool,
    items: Vec<Item>,
    /// The item of each part, and its place there.
    places: BTreeMap<u32, (usize, usize)>,
    /// Calls whose id or name nobody told yet.
    waiting: BTreeMap<u32, Accumulator>,
    usage: Option<UsageReport>,
    stop: Option<Stop>,
}

/// An item that has begun.
#[derive(Debug)]
struct Item {
    id: String,
    form: Form,
    /// What it is made of, as far as it came.
    parts: Vec<Accumulator>,
    /// Whether it is a call whose arguments are free text.
    is_custom: bool,
    has_thoughts: bool,
}

impl Item {
    fn parts(&self) -> Vec<Part> {
        self.parts.iter().cloned().filter_map(grown).collect()
    }

    fn write(&self) -> Value {
        let parts = self.parts();
        items::write(self.form, &self.id, &parts.iter().collect::<Vec<_>>())
    }
}

impl Writer {
    pub(super) fn new(options: WriterOptions) -> Self {
        Self { options, created: now().as_secs(), ..Self::default() }
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
                self.beside(name, value);
            }
            Event::Usage(told) => self.usage = Some(told.clone()),
            Event::Stop { choice, stop } if self.is_ours(*choice) => {
                self.stop = Some(stop.clone());
            }
            Event::Error(error) => {
                self.start(&mut out);
                self.has_failed = true;
                self.fail(&ToldError::from_provider(error), &mut out);
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
        while let Some((part, waiting)) = self.waiting.pop_first() {
            self.open(part, Form::Call, waiting, &mut out);
        }
        let items: Vec<Value> = self.items.iter().map(Item::write).collect();
        let mut told = items.clone();
        answer::beside(&self.choice_extra, &mut told);
        for (number, item) in told.iter().enumerate() {
            self.done(number, item, &mut out);
        }
        let name = match self.stop {
            Some(Stop::End | Stop::ToolCalls) => "response.completed",
            Some(Stop::Error) => "response.failed",
            _ => "response.incomplete",
        };
        let response = self.response(told);
        self.push(name, json!({"response": response}), &mut out);
        out
    }
}

impl Writer {
    /// Whether a choice is the one that is told: the first that says something.
    fn is_ours(&mut self, choice: u32) -> bool {
        *self.choice.get_or_insert(choice) == choice
    }

    fn start(&mut self, out: &mut Vec<Frame>) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        let id = answer::id(self.id.as_deref());
        self.id = Some(id);
        for name in ["response.created", "response.in_progress"] {
            let response = self.head().write(&self.extra, Vec::new(), None, None);
            self.push(name, json!({"response": response}), out);
        }
    }

    fn head(&self) -> Head<'_> {
        let named = Some(self.options.model.as_str()).filter(|model| !model.is_empty());
        Head {
            id: self.id.as_deref().unwrap_or_default(),
            model: named.or(self.model.as_deref()).unwrap_or_default(),
            created: self.created,
        }
    }

    fn response(&self, output: Vec<Value>) -> Map<String, Value> {
        self.head().write(&self.extra, output, self.stop.as_ref(), self.usage.as_ref())
    }

    /// Fields of the choice: objects grow, lists in them too.
    fn beside(&mut self, name: &str, value: &Value) {
        // An extra is no error, so that nothing is lost here.
        let mut both = Accumulator::default();
        let told = |value: Value| Event::Extra { choice: Some(0), name: name.to_owned(), value };
        for value in self.choice_extra.remove(name).into_iter().chain([value.clone()]) {
            let _ = both.push(&told(value));
        }
        self.choice_extra.extend(both.finish().choices.into_iter().flat_map(|choice| choice.extra));
    }

    fn said(&mut self, at: Place, event: &Event, out: &mut Vec<Frame>) {
        if matches!(event, Event::Text { text, .. } if text.is_empty()) {
            return;
        }
        if let Some(&(item, content)) = self.places.get(&at.part) {
            return self.more(item, content, event, out);
        }
        let Some(form) = form(event) else { return };
        let waiting = self.waiting.entry(at.part).or_default();
        // An error is no piece of a part, so that nothing is lost here.
        let _ = waiting.push(event);
        let is_ready = form != Form::Call || grown(waiting.clone()).is_some_and(|part| is_named(&part));
        if is_ready && let Some(part) = self.waiting.remove(&at.part) {
            self.open(at.part, form, part, out);
        }
    }

    /// Begins a part with all that is known of it.
    fn open(&mut self, number: u32, form: Form, part: Accumulator, out: &mut Vec<Frame>) {
        let Some(known) = grown(part.clone()) else { return };
        let is_same = form == Form::Message && self.items.last().is_some_and(|last| last.form == Form::Message);
        if !is_same {
            let response = self.id.as_deref().unwrap_or_default();
            let id = items::id(form, Some(&known), self.items.len(), response);
            let is_custom = matches!(&known, Part::ToolCall(call) if is_custom(call));
            self.items.push(Item { id, form, parts: Vec::new(), is_custom, has_thoughts: false });
        }
        let index = self.items.len() - 1;
        let item = &mut self.items[index];
        item.parts.push(Accumulator::default());
        let content = item.parts.len() - 1;
        self.places.insert(number, (index, content));
        if !is_same {
            let body = json!({"output_index": index, "item": empty(form, &self.items[index].id, &known)});
            self.push("response.output_item.added", body, out);
        }
        if form == Form::Message {
            let part = empty_content(&known);
            self.push_in(index, "response.content_part.added", json!({"content_index": content, "part": part}), out);
        }
        let at = Place { choice: self.choice.unwrap_or_default(), part: number };
        for event in pieces(at, &known) {
            self.more(index, content, &event, out);
        }
    }

    /// A piece of a part that has begun.
    fn more(&mut self, index: usize, content: usize, event: &Event, out: &mut Vec<Frame>) {
        let item = &mut self.items[index];
        let Some(part) = item.parts.get_mut(content) else { return };
        let _ = part.push(event);
        match (item.form, event) {
            (Form::Message, Event::Text { text, .. } | Event::Part { part: Part::Text { text, .. }, .. }) => {
                let body = json!({"content_index": content, "delta": text, "logprobs": []});
                self.push_in(index, "response.output_text.delta", body, out);
                if let Event::Part { part: Part::Text { citations, .. }, .. } = event {
                    citations.iter().for_each(|citation| self.cite(index, content, citation, out));
                }
            }
            (Form::Message, Event::Citation { citation, .. }) => self.cite(index, content, citation, out),
            (Form::Message, Event::Refusal { text, .. } | Event::Part { part: Part::Refusal { text }, .. }) => {
                self.push_in(index, "response.refusal.delta", json!({"content_index": content, "delta": text}), out);
            }
            (
                Form::Thought,
                Event::Reasoning { text, .. } | Event::Part { part: Part::Reasoning(Reasoning { text, .. }), .. },
            ) if !text.is_empty() => {
                if !std::mem::replace(&mut item.has_thoughts, true) {
                    let body = json!({"summary_index": 0, "part": {"type": "summary_text", "text": ""}});
                    self.push_in(index, "response.reasoning_summary_part.added", body, out);
                }
                let body = json!({"summary_index": 0, "delta": text});
                self.push_in(index, "response.reasoning_summary_text.delta", body, out);
            }
            (Form::Call, Event::ToolCallDelta { arguments, .. }) => self.arguments(index, arguments, out),
            (Form::Call, Event::Part { part: Part::ToolCall(call), .. }) if !call.arguments.is_empty() => {
                self.arguments(index, &call.arguments, out);
            }
            _ => {}
        }
    }

    fn cite(&mut self, index: usize, content: usize, citation: &Value, out: &mut Vec<Frame>) {
        let part = self.items[index].parts.get(content).cloned().and_then(grown);
        let count = match part {
            Some(Part::Text { citations, .. }) => citations.len(),
            _ => 1,
        };
        let number = count.saturating_sub(1);
        let body = json!({"content_index": content, "annotation_index": number, "annotation": citation});
        self.push_in(index, "response.output_text.annotation.added", body, out);
    }

    fn arguments(&mut self, index: usize, arguments: &str, out: &mut Vec<Frame>) {
        let (custom, usual) = ("response.custom_tool_call_input.delta", "response.function_call_arguments.delta");
        let name = if self.items[index].is_custom { custom } else { usual };
        self.push_in(index, name, json!({"delta": arguments}), out);
    }

    /// Ends an item: its parts, and itself.
    fn done(&mut self, index: usize, item: &Value, out: &mut Vec<Frame>) {
        let parts = |name: &str| item.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        match item["type"].as_str().unwrap_or_default() {
            "message" => {
                for (content, part) in parts("content").into_iter().enumerate() {
                    let (name, field) = match part["type"].as_str() {
                        Some("refusal") => ("response.refusal.done", "refusal"),
                        _ => ("response.output_text.done", "text"),
                    };
                    if let Some(words) = part.get(field) {
                        let mut body = json!({"content_index": content, field: words});
                        if field == "text" {
                            body["logprobs"] = part.get("logprobs").cloned().unwrap_or_else(|| json!([]));
                        }
                        self.push_in(index, name, body, out);
                    }
                    let body = json!({"content_index": content, "part": part});
                    self.push_in(index, "response.content_part.done", body, out);
                }
            }
            "reasoning" => {
                for (number, part) in parts("summary").into_iter().enumerate() {
                    let body = json!({"summary_index": number, "text": part["text"]});
                    self.push_in(index, "response.reasoning_summary_text.done", body, out);
                    let body = json!({"summary_index": number, "part": part});
                    self.push_in(index, "response.reasoning_summary_part.done", body, out);
                }
            }
            "function_call" => {
                let body = json!({"name": item["name"], "arguments": item["arguments"]});
                self.push_in(index, "response.function_call_arguments.done", body, out);
            }
            "custom_tool_call" => {
                self.push_in(index, "response.custom_tool_call_input.done", json!({"input": item["input"]}), out);
            }
            _ => {}
        }
        self.push("response.output_item.done", json!({"output_index": index, "item": item}), out);
    }

    fn fail(&mut self, error: &ToldError, out: &mut Vec<Frame>) {
        let code = match error.kind.as_deref() {
            Some("rate_limit_error") => "rate_limit_exceeded",
            Some("invalid_request_error") => "invalid_request_error",
            _ => "server_error",
        };
        let code = error.code.as_deref().unwrap_or(code);
        self.push("error", json!({"code": code, "message": error.message, "param": null}), out);
        let items: Vec<Value> = self.items.iter().map(Item::write).collect();
        self.stop = Some(Stop::Error);
        let mut response = self.response(items);
        response.insert("error".into(), json!({"code": code, "message": error.message}));
        self.push("response.failed", json!({"response": response}), out);
    }

    /// An event of an item.
    fn push_in(&mut self, index: usize, name: &'static str, mut body: Value, out: &mut Vec<Frame>) {
        body["item_id"] = self.items[index].id.as_str().into();
        body["output_index"] = index.into();
        self.push(name, body, out);
    }

    fn push(&mut self, name: &'static str, mut body: Value, out: &mut Vec<Frame>) {
        body["type"] = name.into();
        body["sequence_number"] = self.sequence.into();
        self.sequence += 1;
        out.push(Frame { name: Some(name), data: body.to_string() });
    }
}

/// The item that an event's part stands in; None where the protocol has no form for it.
fn form(event: &Event) -> Option<Form> {
    match event {
        Event::Text { .. } | Event::Refusal { .. } | Event::Citation { .. } => Some(Form::Message),
        Event::Reasoning { .. } => Some(Form::Thought),
        Event::ToolCallStart { .. } | Event::ToolCallDelta { .. } => Some(Form::Call),
        Event::Part { part, .. } => items::form(part),
        _ => None,
    }
}

/// The one part that an accumulator was given pieces of.
fn grown(part: Accumulator) -> Option<Part> {
    part.finish().choices.into_iter().flat_map(|choice| choice.parts).next()
}

fn is_named(part: &Part) -> bool {
    matches!(part, Part::ToolCall(call) if !call.id.is_empty() && !call.name.is_empty())
}

/// What an item begins with, before any piece of it.
fn empty(form: Form, id: &str, known: &Part) -> Value {
    match (form, known) {
        (Form::Message, _) => {
            json!({"type": "message", "id": id, "status": "in_progress", "role": "assistant", "content": []})
        }
        (Form::Thought, _) => json!({"type": "reasoning", "id": id, "summary": []}),
        (Form::Call, Part::ToolCall(call)) => {
            let mut item = items::call(Some(id), call);
            item[if is_custom(call) { "input" } else { "arguments" }] = "".into();
            item["status"] = "in_progress".into();
            item
        }
        _ => items::write(form, id, &[known]),
    }
}

fn empty_content(known: &Part) -> Value {
    match known {
        Part::Refusal { .. } => json!({"type": "refusal", "refusal": ""}),
        Part::Other { value } => value.clone(),
        _ => json!({"type": "output_text", "text": "", "annotations": [], "logprobs": []}),
    }
}

/// A part told again in pieces that each have an event here.
fn pieces(at: Place, part: &Part) -> Vec<Event> {
    match part {
        Part::ToolCall(call) => {
            let start = Part::ToolCall(ToolCall { arguments: String::new(), ..call.clone() });
            let mut events = vec![Event::Part { at, part: start }];
            if !call.arguments.is_empty() {
                events.push(Event::ToolCallDelta { at, arguments: call.arguments.clone() });
            }
            events
        }
        whole => vec![Event::Part { at, part: whole.clone() }],
    }
}
