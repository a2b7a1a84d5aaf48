//! The one typed model of a call: what is asked, what comes back, and the events that it comes in.
//!
//! Every protocol of [`wire`](crate::wire) reads into these types and writes them; nothing else in the core reads a
//! provider's JSON.
//!
//! ```text
//! Request { model, messages: [Message { role, parts }], tools, tool_choice, output, sampling, limits, metadata, extra }
//! Event   = Start | Text | Reasoning | ToolCallStart | ToolCallDelta | Refusal | Citation | Usage | Stop | Error
//! Reply   { choices: [Choice { parts, stop }], usage, provider, model, raw }
//! ```
//!
//! An [`Accumulator`] turns events into a [`Reply`], and [`Reply::events`] tells a reply again as events.

mod accumulator;
mod event;
mod merge;
mod message;
mod part;
mod reply;
mod request;
mod stop;
mod tool;
mod validate;

pub use accumulator::Accumulator;
pub use event::{Event, Place};
pub use message::{Message, Role};
pub use part::{Media, Part, Reasoning, Source, ToolCall, ToolResult};
pub use reply::{Choice, Reply};
pub use request::{Limits, Output, Request, Sampling};
pub use stop::Stop;
pub use tool::{Tool, ToolChoice};
