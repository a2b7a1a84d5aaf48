//! OpenAI's batches: a file of lines is handed in, a batch is made of it, and its results are two files.

use super::{BatchState, LineOutcome, count, text, unanswered};
use crate::wire::{fault, segment};
use serde_json::{Value, json};

/// The name, in a batch's metadata, of the token that it can be found by.
const MARK: &str = "headrace";

/// The states in which nothing more comes.
const OVER: [&str; 4] = ["completed", "failed", "expired", "cancelled"];

pub(super) fn write_line(id: &str, endpoint: &str, body: Value) -> Value {
    json!({"custom_id": id, "method": "POST", "url": endpoint, "body": body})
}

/// The file, as a form of two fields. The token is random, so that its boundary stands in no line.
pub(super) fn write_upload(token: &str, lines: &[&[u8]]) -> (&'static str, String, Vec<u8>) {
    let boundary = format!("headrace-{token}");
    let mut body = Vec::with_capacity(lines.iter().map(|line| line.len() + 1).sum::<usize>() + 512);
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--{boundary}\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"{token}.jsonl\"\r\n\
         Content-Type: application/jsonl\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    for line in lines {
        body.extend_from_slice(line);
        body.push(b'\n');
    }
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    ("/files", format!("multipart/form-data; boundary={boundary}"), body)
}

pub(super) fn write_batch(token: &str, endpoint: &str, file: &str) -> Vec<u8> {
    let batch = json!({
        "input_file_id": file,
        "endpoint": endpoint,
        "completion_window": "24h",
        "metadata": {MARK: token},
    });
    batch.to_string().into_bytes()
}

pub(super) fn find(token: &str, listed: &Value) -> Option<String> {
    let batches = listed.get("data")?.as_array()?;
    let is_ours = |batch: &&Value| batch.get("metadata").is_some_and(|marks| text(marks, MARK) == token);
    batches.iter().find(is_ours).map(|batch| text(batch, "id").to_owned()).filter(|id| !id.is_empty())
}

pub(super) fn read_state(batch: &Value) -> BatchState {
    let (status, counts) = (text(batch, "status"), batch.get("request_counts").unwrap_or(&Value::Null));
    // What was refused before it began tells its faults here and has no results.
    let faults = batch.get("errors").and_then(|errors| errors.get("data")).and_then(Value::as_array);
    let told = faults.and_then(|faults| faults.first()).map_or("no reason given", |fault| text(fault, "message"));
    BatchState {
        is_over: OVER.contains(&status),
        status: status.to_owned(),
        total: count(counts, "total"),
        done: count(counts, "completed"),
        failed: count(counts, "failed"),
        fault: (status == "failed").then(|| told.to_owned()),
    }
}

pub(super) fn results(batch: &Value) -> Vec<String> {
    let files = ["output_file_id", "error_file_id"].map(|name| text(batch, name));
    files.iter().filter(|file| !file.is_empty()).map(|file| format!("/files/{}/content", segment(file))).collect()
}

pub(super) fn read_outcome(line: &mut Value) -> Option<LineOutcome> {
    if let Some(response) = line.get_mut("response").filter(|response| response.is_object()) {
        let status = response.get("status_code")?.as_u64().and_then(|status| u16::try_from(status).ok())?;
        return Some(LineOutcome::Reply(status, response.get_mut("body")?.take()));
    }
    let error = line.get("error").filter(|error| error.is_object())?;
    Some(match fault::told(&json!({"error": error})) {
        Some(told) => LineOutcome::Fault(told),
        None => unanswered("batch_expired", "the provider gives no answer and no reason"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_form_of_two_fields() {
        let (path, kind, body) = write_upload("t1", &[b"{\"a\":1}", b"{\"b\":2}"]);
        assert_eq!((path, kind.as_str()), ("/files", "multipart/form-data; boundary=headrace-t1"));
        let body = String::from_utf8(body).unwrap();
        let parts: Vec<_> = body.split("--headrace-t1").collect();
        assert!(parts.len() == 4 && parts[1].ends_with("\r\n\r\nbatch\r\n") && parts[3] == "--\r\n", "{parts:?}");
        assert!(parts[2].ends_with("\r\n\r\n{\"a\":1}\n{\"b\":2}\n\r\n"), "{}", parts[2]);
    }

    #[test]
    fn a_batch_is_found_by_its_mark() {
        let listed = json!({"data": [{"id": "b1", "metadata": null}, {"id": "b2", "metadata": {MARK: "t2"}}]});
        assert_eq!(find("t2", &listed).as_deref(), Some("b2"));
        assert_eq!(find("t1", &listed), None);
    }

    #[test]
    fn results_are_of_both_files_and_stay_inside_their_folder() {
        assert_eq!(results(&json!({"output_file_id": "f1", "error_file_id": null})), ["/files/f1/content"]);
        assert_eq!(results(&json!({"error_file_id": "../x?y"})), ["/files/..%2Fx%3Fy/content"]);
        assert!(results(&json!({})).is_empty());
    }
}
