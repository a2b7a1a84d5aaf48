//! Every reader of bytes from outside under any bytes: none panics or runs on, and what must hold of it holds.
//!
//! Not in the library: built for the fuzzer (`make fuzz`, see `fuzz/`), and for the tests, which replay what lies in
//! `fuzz/corpus` and what the fuzzer has found before. A new reader is a row of [`TARGETS`] and a folder of examples.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a panic is how a finding is told")]

mod files;
mod models;
mod texts;
mod wires;

#[cfg(test)]
mod tests;

use crate::wire::{anthropic, gemini, openai_chat, openai_responses};

/// A reader, and how it is driven.
#[derive(Debug, Clone, Copy)]
pub struct FuzzTarget {
    /// Its name, and that of its folder of examples.
    pub name: &'static str,
    /// Reads the bytes; a panic is a finding.
    pub read: fn(&[u8]),
}

const fn target(name: &'static str, read: fn(&[u8])) -> FuzzTarget {
    FuzzTarget { name, read }
}

/// The readers.
pub const TARGETS: &[FuzzTarget] = &[
    target("openai_chat_request", |bytes| wires::request(&openai_chat::PROTOCOL, bytes)),
    target("openai_chat_reply", |bytes| wires::reply(&openai_chat::PROTOCOL, bytes)),
    target("openai_chat_stream", |bytes| wires::stream(&openai_chat::PROTOCOL, bytes)),
    target("openai_responses_request", |bytes| wires::request(&openai_responses::PROTOCOL, bytes)),
    target("openai_responses_reply", |bytes| wires::reply(&openai_responses::PROTOCOL, bytes)),
    target("openai_responses_stream", |bytes| wires::stream(&openai_responses::PROTOCOL, bytes)),
    target("anthropic_request", |bytes| wires::request(&anthropic::PROTOCOL, bytes)),
    target("anthropic_reply", |bytes| wires::reply(&anthropic::PROTOCOL, bytes)),
    target("anthropic_stream", |bytes| wires::stream(&anthropic::PROTOCOL, bytes)),
    target("gemini_request", |bytes| wires::request(&gemini::PROTOCOL, bytes)),
    target("gemini_reply", |bytes| wires::reply(&gemini::PROTOCOL, bytes)),
    target("gemini_stream", |bytes| wires::stream(&gemini::PROTOCOL, bytes)),
    target("embeddings_reply", wires::embeddings),
    target("sse", wires::sse),
    target("usage", texts::usage),
    target("prices", texts::prices),
    target("config", texts::config),
    target("trace", texts::trace),
    target("cost_record", texts::cost_record),
    target("access_key", texts::access_key),
    target("location", texts::location),
    target("amounts", texts::amounts),
    target("retry_after", texts::retry_after),
    target("questions", texts::questions),
    target("redis_entry", files::redis_entry),
    target("upstash_answer", files::upstash_answer),
    target("queue_file", |bytes| files::file(&files::QUEUE, bytes)),
    target("ledger_file", |bytes| files::file(&files::LEDGER, bytes)),
    target("cache_file", |bytes| files::file(&files::CACHE, bytes)),
    target("queue_rows", |bytes| files::rows(&files::QUEUE, bytes)),
    target("ledger_rows", |bytes| files::rows(&files::LEDGER, bytes)),
    target("cache_rows", |bytes| files::rows(&files::CACHE, bytes)),
    target("verifier_model", models::verifier),
    target("word_vectors", models::word_vectors),
    target("tokenizer", models::tokenizer),
];

/// The reader of that name.
#[must_use]
pub fn find(name: &str) -> Option<FuzzTarget> {
    TARGETS.iter().copied().find(|target| target.name == name)
}
