//! Anthropic's batches: one request holds all the others, and the results are one stream of lines.

use super::{BatchState, LineOutcome, count, text, unanswered};
use crate::wire::{fault, segment};
use serde_json::{Value, json};

pub(super) fn write_line(id: &str, params: Value) -> Value {
    json!({"custom_id": id, "params": params})
}

pub(super) fn write_batch(lines: &[&[u8]]) -> Vec<u8> {
    [b"{\"requests\":[".as_slice(), &lines.join(&b','), b"]}"].concat()
}

pub(super) fn read_state(batch: &Value) -> BatchState {
    let (status, counts) = (text(batch, "processing_status"), batch.get("request_counts").unwrap_or(&Value::Null));
    let [waiting, done, errored, canceled, expired] =
        ["processing", "succeeded", "errored", "canceled", "expired"].map(|name| count(counts, name));
    let failed = errored.saturating_add(canceled).saturating_add(expired);
    BatchState {
        is_over: status == "ended",
        status: status.to_owned(),
        total: waiting.saturating_add(done).saturating_add(failed),
        done,
        failed,
        fault: None,
    }
}

/// The address that the batch tells is not used: a key goes to the address that the user gave, and nowhere else.
pub(super) fn results(id: &str) -> String {
    format!("/messages/batches/{}/results", segment(id))
}

pub(super) fn read_outcome(line: &mut Value) -> Option<LineOutcome> {
    let result = line.get_mut("result")?;
    match text(result, "type") {
        "succeeded" => Some(LineOutcome::Reply(200, result.get_mut("message")?.take())),
        "errored" => fault::told(result.get("error")?).map(LineOutcome::Fault),
        "expired" => Some(unanswered("batch_expired", "the batch ended before it was this request's turn")),
        "canceled" => Some(unanswered("batch_cancelled", "the batch was cancelled at the provider")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_in_the_request() {
        assert_eq!(write_batch(&[b"{\"a\":1}", b"{\"b\":2}"]), b"{\"requests\":[{\"a\":1},{\"b\":2}]}");
        let line = write_line("k", json!({"model": "claude"}));
        assert_eq!(line, json!({"custom_id": "k", "params": {"model": "claude"}}));
    }

    #[test]
    fn counts_add_up() {
        let counts = json!({"processing": 1, "succeeded": 2, "errored": 3, "canceled": 4, "expired": 5});
        let state = read_state(&json!({"processing_status": "canceling", "request_counts": counts}));
        assert!((state.total, state.done, state.failed, state.is_over) == (15, 2, 12, false));
        assert!(read_state(&json!({"processing_status": "ended"})).is_over);
    }
}
