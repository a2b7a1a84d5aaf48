//! Ways through a protocol: a reply told as a stream, its pieces cut and mixed, and what is read at the other end.

use headrace::chat::{Accumulator, Event, Place, Reply, Request};
use headrace::wire::{Frame, Protocol, Quirks, WriterOptions};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The events of a reply with its texts cut at the places given.
pub fn cut(reply: &Reply, cuts: &[usize]) -> Vec<Event> {
    let mut cuts = cuts.iter().copied().cycle();
    let mut pieces = |text: &str| -> Vec<String> {
        let chars: Vec<char> = text.chars().collect();
        let (first, rest) = chars.split_at(cuts.next().unwrap_or(0).min(chars.len()));
        [first, rest].iter().map(|piece| piece.iter().collect()).collect()
    };
    let mut out = Vec::new();
    for event in reply.events() {
        match event {
            Event::Text { at, text } => out.extend(pieces(&text).into_iter().map(|text| Event::Text { at, text })),
            Event::Reasoning { at, text, signature } => {
                let proof = signature.map(|proof| Event::Reasoning { at, text: String::new(), signature: Some(proof) });
                // OpenAI tells the id of thoughts before them, all others their proof behind.
                let is_id =
                    matches!(&proof, Some(Event::Reasoning { signature: Some(id), .. }) if id.starts_with("rs_"));
                let (before, behind) = if is_id { (proof, None) } else { (None, proof) };
                out.extend(before);
                out.extend(pieces(&text).into_iter().map(|text| Event::Reasoning { at, text, signature: None }));
                out.extend(behind);
            }
            Event::ToolCallDelta { at, arguments } => {
                out.extend(pieces(&arguments).into_iter().map(|arguments| Event::ToolCallDelta { at, arguments }));
            }
            whole => out.push(whole),
        }
    }
    out
}

/// The events with those of different places mixed; those of one place keep their order.
pub fn mixed(events: Vec<Event>, order: &[usize]) -> Vec<Event> {
    let (pieces, around): (Vec<Event>, Vec<Event>) = events.into_iter().partition(|event| event.place().is_some());
    let mut queues: BTreeMap<Place, VecDeque<Event>> = BTreeMap::new();
    for piece in pieces {
        queues.entry(piece.place().unwrap()).or_default().push_back(piece);
    }
    let (stops, mut out): (Vec<Event>, Vec<Event>) =
        around.into_iter().partition(|event| matches!(event, Event::Stop { .. }));
    let mut order = order.iter().copied().cycle();
    let mut begun = BTreeSet::new();
    while !queues.is_empty() {
        // Parts of a choice begin in their order.
        let next = |choice: u32| queues.keys().find(|at| at.choice == choice && !begun.contains(*at));
        let may = |at: &&Place| begun.contains(*at) || next(at.choice) == Some(*at);
        let ready: Vec<Place> = queues.keys().filter(may).copied().collect();
        let at = ready[order.next().unwrap_or(0) % ready.len()];
        begun.insert(at);
        let queue = queues.get_mut(&at).unwrap();
        out.extend(queue.pop_front());
        if queue.is_empty() {
            queues.remove(&at);
        }
    }
    out.extend(stops);
    out
}

/// Sends events to a client as bytes, and reads them as that client does.
pub fn through(protocol: &dyn Protocol, events: &[Event]) -> Reply {
    let mut writer = protocol.event_writer(WriterOptions { model: String::new(), include_usage: true });
    let mut frames: Vec<Frame> = events.iter().flat_map(|event| writer.write(event)).collect();
    frames.extend(writer.end());
    let line = |frame: &Frame| format!("event: {}\ndata: {}\n\n", frame.name.unwrap_or_default(), frame.data);
    let bytes: String = frames.iter().map(line).collect();
    let mut reader = protocol.event_reader();
    let (mut reply, mut name) = (Accumulator::default(), "");
    for line in bytes.lines() {
        if let Some(given) = line.strip_prefix("event: ") {
            name = given;
        } else if let Some(data) = line.strip_prefix("data: ") {
            let mut out = Vec::new();
            reader.read(name, data, &mut out);
            out.into_iter().for_each(|event| reply.push(&event.unwrap()).unwrap());
        }
    }
    // A stream of Gemini's has no mark at its end.
    assert!(reader.is_done() || protocol.name() == "gemini");
    reply.finish()
}

pub fn again(protocol: &dyn Protocol, reply: &Reply) -> Reply {
    Reply { raw: Value::Null, ..protocol.read_reply(protocol.write_reply(reply)).unwrap() }
}

pub fn asked_again(protocol: &dyn Protocol, asked: &Request, stream: bool) -> Request {
    let body = protocol.write_request(asked, stream, &Quirks::default()).unwrap();
    let incoming = protocol.read_request(body).unwrap();
    let mut request = incoming.request;
    if protocol.name() == "gemini" {
        // Its path names the model, and says what is to be a stream.
        request.model.clone_from(&asked.model);
    } else {
        assert_eq!(incoming.stream, stream);
    }
    request.extra.remove("stream_options");
    request
}
