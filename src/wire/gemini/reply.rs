//! Reads a reply, whole or as a stream.

use super::{parts, stop};
use crate::chat::{Event, Part, Place, Reasoning, Reply, Stop, ToolCall};
use crate::wire::heard::{BodyReader, Out, collect};
use crate::wire::{ToldError, fault, usage};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Fields of a reply that have a name here.
const READ: [&str; 5] = ["candidates", "usageMetadata", "modelVersion", "responseId", "error"];

/// Fields of a candidate that have a name here.
const READ_OF_CHOICE: [&str; 5] = ["content", "finishReason", "index", "logprobsResult", "tokenCount"];

/// Reads a whole reply.
pub(super) fn read(body: Value) -> Result<Reply, ToldError> {
    let (mut reader, mut out) = (Reader::default(), Vec::new());
    reader.chunk(&body, &mut out);
    let reply = collect(out)?;
    if reader.choices.is_empty() {
        return Err(fault::malformed("a reply with candidates", &body.to_string()));
    }
    Ok(Reply { raw: body, ..reply })
}

/// Reads the events of a stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    choices: BTreeMap<u32, Growing>,
    id: Option<String>,
    has_model: bool,
}

/// What is known of a choice.
#[derive(Debug, Default)]
struct Growing {
    /// The kind and the number of the part that comes.
    current: Option<(Kind, u32)>,
    next: u32,
    calls: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thought,
}

impl BodyReader for Reader {
    fn body(&mut self, _name: &str, body: &Value, out: &mut Out) {
        self.chunk(body, out);
    }
}

impl Reader {
    fn chunk(&mut self, chunk: &Value, out: &mut Out) {
        if let Some(error) = fault::told(chunk) {
            return out.push(Err(error));
        }
        let Some(fields) = chunk.as_object() else {
            return out.push(Err(fault::malformed("an object", &chunk.to_string())));
        };
        self.start(fields, out);
        match fields.get("candidates") {
            Some(Value::Array(candidates)) => {
                for (position, candidate) in candidates.iter().enumerate() {
                    match candidate.as_object() {
                        Some(candidate) => self.candidate(position, candidate, out),
                        None => return out.push(Err(fault::malformed("a candidate", &candidate.to_string()))),
                    }
                }
            }
            None | Some(Value::Null) => {}
            Some(other) => return out.push(Err(fault::malformed("a list of candidates", &other.to_string()))),
        }
        extra(fields, &READ, None, out);
        // A question that the filter held back has no answer at all.
        let blocked = fields.get("promptFeedback").and_then(|told| told.get("blockReason")).is_some();
        if blocked && self.choices.is_empty() {
            self.choices.insert(0, Growing::default());
            out.push(Ok(Event::Stop { choice: 0, stop: Stop::ContentFilter }));
        }
        if fields.get("usageMetadata").is_some_and(Value::is_object) {
            out.extend(usage::told(chunk).map(|told| Ok(Event::Usage(told))));
        }
    }

    /// Every chunk names the reply and its model.
    fn start(&mut self, fields: &Map<String, Value>, out: &mut Out) {
        let text =
            |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let id = if self.id.is_some() { None } else { text("responseId") };
        let model = if self.has_model { None } else { text("modelVersion") };
        self.has_model |= model.is_some();
        if id.is_some() || model.is_some() {
            self.id = id.clone().or(self.id.take());
            out.push(Ok(Event::Start { id, model }));
        }
    }

    fn candidate(&mut self, position: usize, candidate: &Map<String, Value>, out: &mut Out) {
        let told = candidate.get("index").and_then(Value::as_u64).and_then(|index| u32::try_from(index).ok());
        let choice = told.unwrap_or(position as u32);
        let grown = self.choices.entry(choice).or_default();
        let content = candidate.get("content").and_then(|content| content.get("parts")).and_then(Value::as_array);
        for part in content.into_iter().flatten() {
            grown.part(choice, part, self.id.as_deref(), out);
        }
        extra(candidate, &READ_OF_CHOICE, Some(choice), out);
        if let Some(value) = candidate.get("logprobsResult").and_then(probabilities) {
            out.push(Ok(Event::Extra { choice: Some(choice), name: "logprobs".into(), value }));
        }
        if let Some(word) = candidate.get("finishReason").and_then(Value::as_str).filter(|word| !word.is_empty()) {
            out.push(Ok(Event::Stop { choice, stop: stop::read(word, grown.calls > 0) }));
        }
    }
}

impl Growing {
    fn part(&mut self, choice: u32, value: &Value, reply: Option<&str>, out: &mut Out) {
        let is_called = value.get("functionCall").is_some_and(|call| call.get("id").is_none_or(Value::is_null));
        let part = parts::read("part", value.clone()).unwrap_or_else(|_| Part::Other { value: value.clone() });
        match part {
            Part::Reasoning(Reasoning { text, signature, .. }) => {
                let at = self.piece(choice, Kind::Thought);
                if !text.is_empty() || signature.is_some() {
                    out.push(Ok(Event::Reasoning { at, text, signature }));
                }
            }
            Part::Text { text, extra, .. } if extra.is_empty() => {
                if !text.is_empty() {
                    out.push(Ok(Event::Text { at: self.piece(choice, Kind::Text), text }));
                }
            }
            part @ Part::Text { .. } => out.push(Ok(Event::Part { at: self.piece(choice, Kind::Text), part })),
            Part::ToolCall(mut call) => {
                let at = self.whole(choice);
                if is_called {
                    // Unlike any other call's, since a conversation may go on at a provider that wants it so.
                    call.id = format!("call_{}_{choice}_{}", reply.unwrap_or("0"), self.calls);
                }
                self.calls += 1;
                let ToolCall { id, name, arguments, extra } = call;
                out.push(Ok(if extra.is_empty() {
                    Event::ToolCallStart { at, id, name }
                } else {
                    Event::Part { at, part: Part::ToolCall(ToolCall { id, name, arguments: String::new(), extra }) }
                }));
                out.push(Ok(Event::ToolCallDelta { at, arguments }));
            }
            part => out.push(Ok(Event::Part { at: self.whole(choice), part })),
        }
    }

    /// Where a piece of a kind belongs: with the last one, if that is of its kind.
    fn piece(&mut self, choice: u32, kind: Kind) -> Place {
        match self.current {
            Some((known, part)) if known == kind => Place { choice, part },
            _ => {
                let at = self.whole(choice);
                self.current = Some((kind, at.part));
                at
            }
        }
    }

    fn whole(&mut self, choice: u32) -> Place {
        self.current = None;
        self.next += 1;
        Place { choice, part: self.next - 1 }
    }
}

fn extra(fields: &Map<String, Value>, read: &[&str], choice: Option<u32>, out: &mut Out) {
    let unread = fields.iter().filter(|(name, value)| !read.contains(&name.as_str()) && !value.is_null());
    out.extend(unread.map(|(name, value)| Ok(Event::Extra { choice, name: name.clone(), value: value.clone() })));
}

/// The probabilities of words, as OpenAI's chat tells them.
fn probabilities(told: &Value) -> Option<Value> {
    let one = |token: &Value| json!({"token": token["token"], "logprob": token["logProbability"], "bytes": null});
    let others = |place: usize| -> Vec<Value> {
        let top = told.get("topCandidates").and_then(|top| top.get(place)?.get("candidates")?.as_array());
        top.into_iter().flatten().map(one).collect()
    };
    let chosen = told.get("chosenCandidates")?.as_array()?.iter().enumerate();
    let with_others = |(place, token): (usize, &Value)| {
        let mut token = one(token);
        token["top_logprobs"] = others(place).into();
        token
    };
    Some(json!({"content": chosen.map(with_others).collect::<Vec<_>>()}))
}
