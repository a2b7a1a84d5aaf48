//! The protocols: requests as clients send them, replies and streams as providers send them, in any pieces.

use crate::chat::Accumulator;
use crate::provider::{SseDecoder, events_of};
use crate::wire::embeddings::EmbedForm;
use crate::wire::{Protocol, Quirks, WriterOptions, json, openai_chat, protocols};
use bytes::Bytes;

type Wire = &'static dyn Protocol;

/// What is read can be sent on in every protocol, and its own reads what it writes. Another may refuse a parameter of the
/// provider's that only went through, such as `system` in OpenAI's chat.
pub(super) fn request(protocol: Wire, bytes: &[u8]) {
    let Ok(body) = json::parse(bytes) else { return };
    let Ok(incoming) = protocol.read_request(body) else { return };
    if incoming.request.validate().is_err() {
        return;
    }
    for other in protocols() {
        let Ok(written) = other.write_request(&incoming.request, incoming.stream, &Quirks::default()) else { continue };
        let again = other.read_request(written.clone());
        if let (Err(error), true) = (again, other.name() == protocol.name()) {
            panic!("{} does not read what it writes: {error}: {written}", other.name());
        }
    }
}

/// A reply says the same whole and told as events, and can be told in every protocol.
pub(super) fn reply(protocol: Wire, bytes: &[u8]) {
    let Ok(body) = json::parse(bytes) else { return };
    let _ = protocol.read_error(&body);
    let Ok(reply) = protocol.read_reply(body) else { return };
    let events = reply.events();
    let mut collected = Accumulator::default();
    for event in &events {
        collected.push(event).unwrap();
    }
    let collected = collected.finish();
    assert_eq!(collected.text(), reply.text());
    assert_eq!(collected.is_cacheable(), reply.is_cacheable());
    for other in protocols() {
        let _ = other.read_reply(other.write_reply(&reply));
        let mut writer =
            other.event_writer(WriterOptions { model: reply.model.clone().unwrap_or_default(), include_usage: true });
        let mut frames: Vec<_> = events.iter().flat_map(|event| writer.write(event)).collect();
        frames.extend(writer.end());
        let mut reader = other.event_reader();
        let mut out = Vec::new();
        for frame in frames {
            reader.read(frame.name.unwrap_or_default(), &frame.data, &mut out);
        }
    }
}

/// A stream says the same in whatever pieces it comes.
pub(super) fn stream(protocol: Wire, bytes: &[u8]) {
    let told = |pieces: Vec<Bytes>| events_of(protocol, pieces);
    let whole = told(vec![Bytes::copy_from_slice(bytes)]);
    let shown = format!("{whole:?}");
    for pieces in [cut(bytes, 1), cut(bytes, 7)] {
        assert_eq!(format!("{:?}", told(pieces.map(Bytes::copy_from_slice).collect())), shown);
    }
    let mut collected = Accumulator::default();
    for event in &whole {
        let _ = collected.push(event);
    }
    let reply = collected.finish();
    let _ = (reply.is_cacheable(), reply.text());
}

/// A reply to two texts.
pub(super) fn embeddings(bytes: &[u8]) {
    for form in [EmbedForm::OpenAi, EmbedForm::Gemini] {
        if let Ok((vectors, _)) = form.read_reply(bytes, 2, &openai_chat::PROTOCOL) {
            assert_eq!(vectors.len(), 2);
        }
    }
}

/// Server-sent events are the same in whatever pieces they come.
pub(super) fn sse(bytes: &[u8]) {
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut decoder = SseDecoder::new(1 << 20);
        for piece in pieces {
            decoder.feed(piece)?;
        }
        decoder.end()?;
        Ok::<_, crate::provider::TooLarge>(std::iter::from_fn(|| decoder.next_event()).collect::<Vec<_>>())
    };
    let whole = read(&mut std::iter::once(bytes));
    assert_eq!(read(&mut cut(bytes, 1)), whole);
    assert_eq!(read(&mut cut(bytes, 7)), whole);
}

/// The bytes in pieces of up to `most`, which end at places that the bytes themselves say.
fn cut(mut bytes: &[u8], most: usize) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = bytes.first().map(|first| usize::from(*first) % most + 1)?;
        let (piece, rest) = bytes.split_at(length.min(bytes.len()));
        bytes = rest;
        Some(piece)
    })
}
