//! Faults of a provider as a table: for each, the error that a user gets, what is booked, and whether anything is cached.

use crate::line::{Step, USED, ask, good, line, once, play, records, settled, whole};
use crate::raw::{DONE, STOP, TEXT, WHOLE, reply, stream};
use headrace::Error;
use headrace::ProviderErrorKind::{self, Authentication, Billing, ContextLength, RateLimited, Rejected, Unavailable};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What the ledger has after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Booked {
    Nothing,
    /// What the provider told.
    Told,
    /// An estimate that says so.
    Guessed,
}
use Booked::{Guessed, Nothing, Told};

/// What the user gets: an answer, or an error of a kind, which may go away or not.
type Expected = Result<&'static str, (ProviderErrorKind, bool)>;

struct Fault {
    name: &'static str,
    is_stream: bool,
    script: Vec<Step>,
    expected: Expected,
    booked: Booked,
    is_cached: bool,
}

fn fault(name: &'static str, is_stream: bool, script: Vec<Step>, expected: Expected, booked: Booked) -> Fault {
    Fault { name, is_stream, script, expected, booked, is_cached: false }
}

fn sent(bytes: impl AsRef<[u8]>) -> Vec<Step> {
    vec![Step::Send(bytes.as_ref().to_vec())]
}

const DOWN: Expected = Err((Unavailable, true));

/// Refusals by status: they cost nothing, whichever way was asked.
const STATUSES: [(u16, &str, ProviderErrorKind, bool); 20] = [
    (301, "", Rejected, false),
    (307, "", Rejected, false),
    (308, "", Rejected, false),
    (400, "{\"error\":{\"message\":\"temperature is too high\"}}", Rejected, false),
    (400, "{\"error\":{\"message\":\"too long\",\"code\":\"context_length_exceeded\"}}", ContextLength, false),
    (401, "{\"error\":{\"message\":\"who are you?\"}}", Authentication, false),
    (402, "", Billing, false),
    (403, "<html>no</html>", Authentication, false),
    (404, "not found", Rejected, false),
    (408, "", Unavailable, true),
    (409, "", Unavailable, true),
    (413, "", ContextLength, false),
    (422, "{\"detail\":\"no\"}", Rejected, false),
    (429, "{\"error\":{\"message\":\"slow down\"}}", RateLimited, true),
    (429, "{\"error\":{\"message\":\"pay\",\"code\":\"insufficient_quota\"}}", Billing, false),
    (500, "oops", Unavailable, true),
    (502, "<html>Bad gateway</html>", Unavailable, true),
    (503, "", Unavailable, true),
    (504, "", Unavailable, true),
    (529, "{\"error\":{\"type\":\"overloaded_error\"}}", Unavailable, true),
];

/// Replies with HTTP 200 that are no answer.
const NO_ANSWERS: [(&str, &str); 9] = [
    ("an empty body", ""),
    ("a page", "<html>Welcome</html>"),
    ("an empty list", "[]"),
    ("an empty object", "{}"),
    ("no choices", "{\"choices\":[]}"),
    ("an error in words", "{\"error\":\"model is loading\"}"),
    ("an error", "{\"error\":{\"message\":\"model is loading\"}}"),
    ("half of an answer", "{\"choices\":[{\"index\":0,\"mess"),
    (
        "a reason that is an error",
        "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"1\"},\"finish_reason\":\"error\"}]}",
    ),
];

/// Streams that fail after the first word: what came is booked.
const BROKEN_STREAMS: [(&str, &str); 8] = [
    ("no reason to stop", ""),
    ("an end without a reason", "data: [DONE]\n\n"),
    ("an error as data", "data: {\"error\":{\"message\":\"gone\"}}\n\n"),
    ("an error as an event", "event: error\ndata: {\"message\":\"gone\"}\n\n"),
    ("an error as a text", "event: error\ndata: gone\n\n"),
    ("no JSON", "data: oops\n\n"),
    ("half an event", "data: {\"choices\":[{\"ind"),
    ("a reason that is an error", "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"error\"}]}\n\n"),
];

/// Answers that are whole, and may not answer again.
const NOT_KEPT: [&str; 2] = ["length", "content_filter"];

fn connections() -> Vec<Fault> {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"choices\"";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut faults = Vec::new();
    for is_stream in [false, true] {
        faults.extend([
            fault("no word at all", is_stream, vec![], DOWN, Nothing),
            fault("a reset", is_stream, vec![Step::Reset], DOWN, Nothing),
            fault("no HTTP", is_stream, sent("SSH-2.0-OpenSSH_9.6\r\n"), DOWN, Nothing),
            fault("half a head", is_stream, sent("HTTP/1.1 200 OK\r\ncontent-le"), DOWN, Nothing),
            fault("a status that is none", is_stream, sent("HTTP/1.1 2OO OK\r\n\r\n"), DOWN, Nothing),
            fault("less than was announced", is_stream, sent(head), DOWN, Nothing),
            fault("a chunk that is cut", is_stream, sent(format!("{chunked}40\r\nda")), DOWN, Nothing),
            fault("a chunk of no size", is_stream, sent(format!("{chunked}zz\r\n{TEXT}\r\n")), DOWN, Nothing),
            fault("no gzip", is_stream, sent(reply(200, "content-encoding: gzip\r\n", b"no gzip")), DOWN, Nothing),
            fault("silence", is_stream, vec![Step::Stall], DOWN, Nothing),
            fault("silence after the head", is_stream, [sent(stream("")), vec![Step::Stall]].concat(), DOWN, Nothing),
        ]);
    }
    let cut = |body: &str| [sent(format!("{chunked}{:x}\r\n{body}\r\n", body.len())), vec![Step::Reset]].concat();
    faults.push(fault("a reset after the first word", true, cut(TEXT), DOWN, Guessed));
    let stalled = [sent(stream(TEXT)), vec![Step::Stall]].concat();
    faults.push(fault("silence after the first word", true, stalled, DOWN, Guessed));
    faults
}

fn replies() -> Vec<Fault> {
    let mut faults = Vec::new();
    for is_stream in [false, true] {
        for (status, body, kind, may_go_away) in STATUSES {
            let script = sent(reply(status, "", body.as_bytes()));
            faults.push(fault(body, is_stream, script, Err((kind, may_go_away)), Nothing));
        }
        for (name, body) in NO_ANSWERS {
            faults.push(fault(name, is_stream, sent(reply(200, "", body.as_bytes())), DOWN, Nothing));
        }
        let billed = whole("error", "1");
        faults.push(fault("an error that is billed", is_stream, sent(reply(200, "", billed.as_bytes())), DOWN, Told));
        for reason in NOT_KEPT {
            let script = sent(reply(200, "", whole(reason, "1,204 t").as_bytes()));
            faults.push(fault(reason, is_stream, script, Ok("1,204 t"), Told));
        }
        let untold = fault("no usage", is_stream, sent(reply(200, "", WHOLE.as_bytes())), Ok("1,204 t"), Guessed);
        faults.push(Fault { is_cached: true, ..untold });
    }
    faults
}

fn streams() -> Vec<Fault> {
    let mut faults = Vec::new();
    for (name, end) in BROKEN_STREAMS {
        faults.push(fault(name, true, sent(stream(&format!("{TEXT}{end}"))), DOWN, Guessed));
        faults.push(fault(name, true, sent(stream(&format!("{TEXT}{USED}{end}"))), DOWN, Told));
    }
    let gone = "data: {\"error\":{\"message\":\"gone\"}}\n\n";
    let busy = "data: {\"error\":{\"message\":\"busy\",\"code\":429}}\n\n";
    let refused = Err((RateLimited, true));
    faults.extend([
        fault("an error at once", true, sent(stream(&format!("{gone}{DONE}"))), DOWN, Nothing),
        fault("an error that is billed at once", true, sent(stream(&format!("{USED}{gone}{DONE}"))), DOWN, Told),
        fault("a limit at once", true, sent(stream(&format!("{busy}{DONE}"))), refused, Nothing),
        fault("a limit after the first word", true, sent(stream(&format!("{TEXT}{busy}"))), refused, Guessed),
        fault("an end at once", true, sent(stream(DONE)), DOWN, Nothing),
        fault("comments alone", true, sent(stream(": keep-alive\n\n")), DOWN, Nothing),
    ]);
    for (name, end, booked) in [("no end", "", Guessed), ("no usage", DONE, Guessed), ("no end but usage", USED, Told)]
    {
        let script = sent(stream(&format!("{TEXT}{STOP}{end}")));
        faults.push(Fault { is_cached: true, ..fault(name, true, script, Ok("1,204 t"), booked) });
    }
    faults
}

async fn check(fault: Fault) {
    let Fault { name, is_stream, script, expected, booked, is_cached } = fault;
    let case = format!("{name} (stream: {is_stream})");
    let is_slow = script.iter().any(|step| matches!(step, Step::Stall));
    let (url, asked) = play(vec![script, good(is_stream)]).await;
    let client = line(&url, once(), |config| {
        if is_slow {
            config.read_timeout = Duration::from_secs(2);
        }
    });
    let question = "What were scope 2 emissions?";
    let got = ask(&client, is_stream, question).await;
    match (&got, expected) {
        (Ok(text), Ok(words)) => assert_eq!(text, words, "{case}"),
        (Err(Error::Provider(error)), Err(kind)) => {
            assert_eq!((error.kind, error.is_retryable), kind, "{case}: {error}");
            assert!(!error.message.contains("canary") && error.provider == "raw", "{case}: {error}");
        }
        _ => panic!("{case}: {got:?}"),
    }
    settled(&client).await;
    let found: Vec<_> = records(&client).await.iter().map(|record| record.card.estimated.usage).collect();
    let wanted: &[bool] = match booked {
        Nothing => &[],
        Told => &[false],
        Guessed => &[true],
    };
    assert_eq!(found, wanted, "{case}");
    // A second caller is answered by the cache, or by the provider.
    assert_eq!(ask(&client, is_stream, question).await.unwrap(), "1,204 t", "{case}");
    assert_eq!(asked.load(Ordering::SeqCst), if is_cached { 1 } else { 2 }, "{case}");
    settled(&client).await;
}

#[tokio::test]
async fn each_fault_is_the_error_that_it_is_and_books_what_it_cost_and_keeps_nothing() {
    let faults: Vec<_> = [connections(), replies(), streams()].into_iter().flatten().collect();
    assert!(faults.len() >= 40, "{}", faults.len());
    futures_util::future::join_all(faults.into_iter().map(check)).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_costs_nothing() {
    let (url, _) = play(vec![vec![]]).await;
    // Nobody listens at a port that was given back.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [format!("http://{gone}/v1"), url.replace("http:", "https:")] {
        for is_stream in [false, true] {
            let client = line(&url, once(), |_| {});
            let error = ask(&client, is_stream, "Are you there?").await.unwrap_err();
            assert!(
                matches!(&error, Error::Provider(error) if error.kind == Unavailable && error.is_retryable),
                "{error}"
            );
            settled(&client).await;
            assert!(records(&client).await.is_empty());
        }
    }
}
