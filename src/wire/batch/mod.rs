//! Many requests as one batch, as the protocols hand it in, tell how far it is, and give its results: a line a request.

mod anthropic;
mod openai;

use super::{Protocol, ToldError, json};
use serde_json::Value;

/// How much one batch may hold.
///
/// The providers take more bytes (OpenAI 200 MB, Anthropic 256 MB); a body is made in memory and sent as a whole, so that
/// it also has to be through on a slow line before the server gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// The most requests.
    pub requests: usize,
    /// The most bytes of all their lines.
    pub bytes: usize,
}

/// How far a batch is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchState {
    /// Whether nothing more will come: its results are to be fetched.
    pub is_over: bool,
    /// The provider's word for it.
    pub status: String,
    /// Its requests.
    pub total: u64,
    /// Those that are answered.
    pub done: u64,
    /// Those that failed.
    pub failed: u64,
    /// Why it was refused as a whole.
    pub fault: Option<String>,
}

/// What became of one request of a batch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LineOutcome {
    /// The reply, with its HTTP status.
    Reply(u16, Value),
    /// It was not answered.
    Fault(ToldError),
}

/// How a protocol takes batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchForm {
    /// OpenAI's: a file of lines that all go to one endpoint.
    OpenAi(&'static str),
    /// Anthropic's: the lines in the request itself.
    Anthropic,
}

impl BatchForm {
    /// The form that goes with a protocol; None where it has no batches.
    pub(crate) fn of(protocol: &dyn Protocol) -> Option<Self> {
        match protocol.name() {
            "openai_chat" => Some(Self::OpenAi("/v1/chat/completions")),
            "openai_responses" => Some(Self::OpenAi("/v1/responses")),
            "anthropic" => Some(Self::Anthropic),
            _ => None,
        }
    }

    /// How much one batch may hold.
    pub(crate) fn limits(self) -> BatchLimits {
        let requests = match self {
            Self::OpenAi(_) => 50_000,
            Self::Anthropic => 100_000,
        };
        BatchLimits { requests, bytes: 32 << 20 }
    }

    /// A request as a line; `id` is given back with its result.
    pub(crate) fn write_line(self, id: &str, body: Value) -> Value {
        match self {
            Self::OpenAi(endpoint) => openai::write_line(id, endpoint, body),
            Self::Anthropic => anthropic::write_line(id, body),
        }
    }

    /// Where the lines are handed in before the batch is made, with the body and its type; None where they go with it.
    pub(crate) fn write_upload(self, token: &str, lines: &[&[u8]]) -> Option<(&'static str, String, Vec<u8>)> {
        match self {
            Self::OpenAi(_) => Some(openai::write_upload(token, lines)),
            Self::Anthropic => None,
        }
    }

    /// The path of all batches.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::OpenAi(_) => "/batches",
            Self::Anthropic => "/messages/batches",
        }
    }

    /// The body that makes a batch, of the file that was handed in or of the lines themselves.
    pub(crate) fn write_batch(self, token: &str, file: Option<&str>, lines: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::OpenAi(endpoint) => openai::write_batch(token, endpoint, file.unwrap_or_default()),
            Self::Anthropic => anthropic::write_batch(lines),
        }
    }

    /// The batch of a token in a list of batches. Anthropic's batches bear no mark of ours.
    pub(crate) fn find(self, token: &str, listed: &Value) -> Option<String> {
        match self {
            Self::OpenAi(_) => openai::find(token, listed),
            Self::Anthropic => None,
        }
    }

    /// Whether a batch can be found by its token.
    pub(crate) fn can_find(self) -> bool {
        matches!(self, Self::OpenAi(_))
    }

    /// The state that a batch tells.
    pub(crate) fn read_state(self, batch: &Value) -> BatchState {
        match self {
            Self::OpenAi(_) => openai::read_state(batch),
            Self::Anthropic => anthropic::read_state(batch),
        }
    }

    /// The paths of the results of a batch that is over.
    pub(crate) fn results(self, id: &str, batch: &Value) -> Vec<String> {
        match self {
            Self::OpenAi(_) => openai::results(batch),
            Self::Anthropic => vec![anthropic::results(id)],
        }
    }

    /// Reads a line of the results: the id that was given to the request, and what became of it.
    ///
    /// # Errors
    /// The line is no result of this protocol.
    pub(crate) fn read_line(self, line: &[u8]) -> Result<(String, LineOutcome), ToldError> {
        let unread = || ToldError::malformed(&String::from_utf8_lossy(line));
        let mut line = json::parse(line).map_err(|_| unread())?;
        let id = line.get("custom_id").and_then(Value::as_str).map(str::to_owned);
        let outcome = match self {
            Self::OpenAi(_) => openai::read_outcome(&mut line),
            Self::Anthropic => anthropic::read_outcome(&mut line),
        };
        id.zip(outcome).ok_or_else(unread)
    }
}

/// A text of a body; empty where it is none.
fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A count of a body; 0 where it is none.
fn count(body: &Value, name: &str) -> u64 {
    body.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// A request that was not answered, in words of ours.
fn unanswered(code: &str, message: &str) -> LineOutcome {
    LineOutcome::Fault(ToldError { message: message.into(), code: Some(code.into()), ..ToldError::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::protocols;
    use serde_json::json;

    const CHAT: BatchForm = BatchForm::OpenAi("/v1/chat/completions");

    #[test]
    fn each_protocol_has_its_form_or_none() {
        let forms: Vec<_> = protocols().iter().map(|protocol| BatchForm::of(*protocol)).collect();
        let responses = BatchForm::OpenAi("/v1/responses");
        assert_eq!(forms, [Some(CHAT), Some(responses), Some(BatchForm::Anthropic), None]);
    }

    #[test]
    fn lines_are_read_whatever_became_of_them() {
        let read = |form: BatchForm, line: Value| form.read_line(line.to_string().as_bytes());
        let reply = json!({"choices": []});
        let answered =
            json!({"id": "b1", "custom_id": "a", "response": {"status_code": 200, "body": reply}, "error": null});
        assert_eq!(read(CHAT, answered), Ok(("a".into(), LineOutcome::Reply(200, reply))));
        let expired =
            json!({"custom_id": "a", "response": null, "error": {"code": "batch_expired", "message": "late"}});
        let fault = ToldError { message: "late".into(), code: Some("batch_expired".into()), ..ToldError::default() };
        assert_eq!(read(CHAT, expired), Ok(("a".into(), LineOutcome::Fault(fault))));
        let message = json!({"type": "message", "content": []});
        let succeeded = json!({"custom_id": "b", "result": {"type": "succeeded", "message": message}});
        assert_eq!(read(BatchForm::Anthropic, succeeded), Ok(("b".into(), LineOutcome::Reply(200, message))));
        for kind in ["expired", "canceled"] {
            let line = json!({"custom_id": "b", "result": {"type": kind}});
            assert!(matches!(read(BatchForm::Anthropic, line), Ok((_, LineOutcome::Fault(_)))), "{kind}");
        }
        let error = json!({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}});
        let errored = json!({"custom_id": "b", "result": {"type": "errored", "error": error}});
        let Ok((_, LineOutcome::Fault(told))) = read(BatchForm::Anthropic, errored) else { panic!("no fault") };
        assert_eq!((told.message.as_str(), told.kind.as_deref()), ("no", Some("invalid_request_error")));
        for (form, line) in [(CHAT, json!({"custom_id": "a"})), (BatchForm::Anthropic, json!({"result": {}}))] {
            assert!(read(form, line).unwrap_err().is_malformed);
        }
        assert!(CHAT.read_line(b"<html>").unwrap_err().is_malformed);
    }

    #[test]
    fn an_unknown_state_is_not_over() {
        for form in [CHAT, BatchForm::Anthropic] {
            for body in [json!({}), json!({"status": "resting", "processing_status": "resting"}), json!([1])] {
                assert!(!form.read_state(&body).is_over, "{body}");
            }
        }
    }
}
