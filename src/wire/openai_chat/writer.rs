//! Writes a stream, as a client of OpenAI's chat reads it.

use super::{answer, finish, tools};
use crate::chat::{Event, Part, Place};
use crate::usage::UsageReport;
use crate::wire::{EventWriter, Frame, Protocol, ToldError, WriterOptions, now, usage};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Writes the chunks of one stream.
#[derive(Debug)]
pub(super) struct Writer {
    options: WriterOptions,
    id: Option<String>,
    model: Option<String>,
    created: u64,
    choices: BTreeMap<u32, Written>,
    /// Fields of the reply that no chunk has told yet.
    extra: Map<String, Value>,
    usage: Option<UsageReport>,
    has_failed: bool,
}

/// What was written of a choice.
#[derive(Debug, Default)]
struct Written {
    has_role: bool,
    /// The parts that are tool calls, with their number in this stream.
    calls: BTreeMap<u32, usize>,
}

impl Writer {
    pub(super) fn new(options: WriterOptions) -> Self {
        Self {
            options,
            id: None,
            model: None,
            created: now().as_secs(),
            choices: BTreeMap::new(),
            extra: Map::new(),
            usage: None,
            has_failed: false,
        }
    }
}

impl EventWriter for Writer {
    fn write(&mut self, event: &Event) -> Vec<Frame> {
        match event {
            Event::Start { id, model } => {
                self.id = id.clone().or_else(|| self.id.take());
                self.model = model.clone().or_else(|| self.model.take());
                Vec::new()
            }
            Event::Text { at, text } => self.said(*at, "content", text.as_str().into()),
            Event::Reasoning { text, .. } if text.is_empty() => Vec::new(),
            Event::Reasoning { at, text, .. } => self.said(*at, "reasoning_content", text.as_str().into()),
            Event::Refusal { at, text } => self.said(*at, "refusal", text.as_str().into()),
            Event::Citation { at, citation } => self.said(*at, "annotations", json!([answer::annotation(citation)])),
            Event::ToolCallStart { at, id, name } => self.call(*at, call_start(id, name)),
            Event::ToolCallDelta { at, arguments } => self.call(*at, json!({"function": {"arguments": arguments}})),
            Event::Part { at, part } => self.part(*at, part),
            Event::Extra { choice: None, name, value } => {
                self.extra.insert(name.clone(), value.clone());
                Vec::new()
            }
            Event::Extra { choice: Some(choice), name, value } if name == "message" => {
                self.delta(*choice, value.as_object().cloned().unwrap_or_default())
            }
            Event::Extra { choice: Some(choice), name, value } => {
                let field = [(name.clone(), value.clone())].into_iter().collect();
                self.chunk(*choice, Map::new(), field)
            }
            Event::Usage(told) => {
                self.usage = Some(told.clone());
                Vec::new()
            }
            Event::Stop { choice, stop } => {
                let reason = [("finish_reason".to_owned(), finish::write(stop).into())].into_iter().collect();
                self.chunk(*choice, Map::new(), reason)
            }
            Event::Error(error) => {
                self.has_failed = true;
                let body = super::PROTOCOL.write_error(&ToldError::from_provider(error));
                vec![frame(&body)]
            }
        }
    }

    fn end(&mut self) -> Vec<Frame> {
        if self.has_failed {
            return Vec::new();
        }
        let mut frames = Vec::new();
        let told = self.usage.take().filter(|_| self.options.include_usage);
        if told.is_some() || !self.extra.is_empty() {
            let mut body = self.head();
            body.insert("choices".into(), json!([]));
            if let Some(told) = told {
                body.insert("usage".into(), usage::openai_chat(&told));
            }
            frames.push(frame(&body.into()));
        }
        frames.push(Frame { name: None, data: "[DONE]".into() });
        frames
    }
}

impl Writer {
    fn said(&mut self, at: Place, name: &str, value: Value) -> Vec<Frame> {
        self.delta(at.choice, [(name.to_owned(), value)].into_iter().collect())
    }

    /// A piece of a tool call, which this protocol numbers among the calls of its choice.
    fn call(&mut self, at: Place, mut piece: Value) -> Vec<Frame> {
        let calls = &mut self.choices.entry(at.choice).or_default().calls;
        let next = calls.len();
        let index = *calls.entry(at.part).or_insert(next);
        piece["index"] = index.into();
        self.said(at, "tool_calls", json!([piece]))
    }

    fn part(&mut self, at: Place, part: &Part) -> Vec<Frame> {
        match part {
            Part::Text { text, citations, .. } => {
                let mut delta: Map<_, _> = [("content".to_owned(), text.as_str().into())].into_iter().collect();
                if !citations.is_empty() {
                    delta.insert("annotations".into(), citations.iter().map(answer::annotation).collect());
                }
                self.delta(at.choice, delta)
            }
            Part::Reasoning(reasoning) if reasoning.text.is_empty() => Vec::new(),
            Part::Reasoning(reasoning) => self.said(at, "reasoning_content", reasoning.text.as_str().into()),
            Part::Refusal { text } => self.said(at, "refusal", text.as_str().into()),
            Part::ToolCall(call) => {
                let is_known = self.choices.get(&at.choice).is_some_and(|choice| choice.calls.contains_key(&at.part));
                // More of a call that began has no second name.
                let piece =
                    if is_known && call.name.is_empty() { tools::write_piece(call) } else { tools::write_call(call) };
                self.call(at, piece)
            }
            Part::Other { value } => {
                let fields = answer::other(value);
                if fields.is_empty() { Vec::new() } else { self.delta(at.choice, fields) }
            }
            _ => Vec::new(),
        }
    }

    fn delta(&mut self, choice: u32, delta: Map<String, Value>) -> Vec<Frame> {
        self.chunk(choice, delta, Map::new())
    }

    fn chunk(&mut self, choice: u32, mut delta: Map<String, Value>, mut fields: Map<String, Value>) -> Vec<Frame> {
        let written = self.choices.entry(choice).or_default();
        if !std::mem::replace(&mut written.has_role, true) {
            delta.insert("role".into(), "assistant".into());
        }
        fields.insert("index".into(), choice.into());
        fields.insert("delta".into(), delta.into());
        fields.entry("finish_reason").or_insert(Value::Null);
        let mut body = self.head();
        body.insert("choices".into(), json!([fields]));
        vec![frame(&body.into())]
    }

    /// What every chunk says, and what none has said yet.
    fn head(&mut self) -> Map<String, Value> {
        let mut body = std::mem::take(&mut self.extra);
        let id = self.id.get_or_insert_with(|| answer::id(None));
        body.insert("id".into(), id.as_str().into());
        body.insert("object".into(), "chat.completion.chunk".into());
        body.insert("created".into(), self.created.into());
        let named = Some(self.options.model.as_str()).filter(|model| !model.is_empty());
        body.insert("model".into(), named.or(self.model.as_deref()).unwrap_or_default().into());
        body
    }
}

fn call_start(id: &str, name: &str) -> Value {
    let mut piece = json!({"type": "function", "function": {"arguments": ""}});
    // An id or a name that comes later is told alone: clients put pieces together.
    if !id.is_empty() {
        piece["id"] = id.into();
    }
    if !name.is_empty() {
        piece["function"]["name"] = name.into();
    }
    piece
}

fn frame(body: &Value) -> Frame {
    Frame { name: None, data: body.to_string() }
}
