//! Streams: errors in them, how they end, how their bytes are read.

use crate::raw::*;
use headrace::ProviderErrorKind;
use headrace::chat::{Event, Stop};

#[tokio::test]
async fn an_error_in_a_stream_is_an_error_with_the_providers_words() {
    let told = [
        "data: {\"error\":{\"message\":\"gone\"}}\n\n",
        "event: error\ndata: {\"error\":{\"message\":\"gone\"}}\n\n",
        "event: error\ndata: {\"message\":\"gone\"}\n\n",
        "event: error\ndata: gone\n\n",
        "data: {\"error\":\"gone\"}\n\n",
        "data: {\"choices\":[],\"error\":{\"message\":\"gone\",\"code\":502}}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"error\",\"error\":{\"message\":\"gone\"}}]}\n\n",
    ];
    for told in told {
        for rest in [DONE, "", STOP] {
            let (text, error) = stream_of(stream(&format!("{TEXT}{told}{rest}"))).await;
            let error = error.unwrap_or_else(|| panic!("no error of {told}"));
            assert_eq!(text, "1,204 t", "{told}");
            assert!(error.message.contains("gone"), "{told}: {error}");
            assert!(error.is_retryable && error.kind == ProviderErrorKind::Unavailable, "{told}: {error:?}");
        }
    }
}

#[tokio::test]
async fn the_kind_of_an_error_in_a_stream_is_known() {
    let cases = [
        ("{\"error\":{\"message\":\"slow down\",\"code\":\"rate_limit_exceeded\"}}", ProviderErrorKind::RateLimited),
        ("{\"error\":{\"message\":\"busy\",\"code\":429}}", ProviderErrorKind::RateLimited),
        ("{\"error\":{\"message\":\"no\",\"type\":\"authentication_error\"}}", ProviderErrorKind::Authentication),
        ("{\"error\":{\"message\":\"long\",\"code\":\"context_length_exceeded\"}}", ProviderErrorKind::ContextLength),
        ("{\"error\":{\"message\":\"pay\",\"code\":\"insufficient_quota\"}}", ProviderErrorKind::Billing),
        ("{\"error\":{\"message\":\"busy\",\"type\":\"overloaded_error\"}}", ProviderErrorKind::Unavailable),
    ];
    for (told, kind) in cases {
        let (_, error) = stream_of(stream(&format!("{TEXT}data: {told}\n\n{DONE}"))).await;
        assert_eq!(error.unwrap().kind, kind, "{told}");
    }
}

#[tokio::test]
async fn a_stream_is_whole_where_it_said_why_it_stopped() {
    let half = "data: {\"choices\":[{\"ind";
    for (body, is_whole) in [
        (format!("{TEXT}{STOP}{DONE}"), true),
        (format!("{TEXT}{STOP}"), true),
        (format!("{TEXT}{}", STOP.trim_end()), true),
        (format!("{TEXT}{STOP}{half}"), true),
        (format!("{TEXT}{DONE}"), false),
        (TEXT.to_owned(), false),
        (format!("{TEXT}{half}"), false),
        (format!("{TEXT}{}", TEXT.trim_end()), false),
        (DONE.to_owned(), false),
        (String::new(), false),
        (": keep-alive\n\n".to_owned(), false),
    ] {
        let (_, error) = stream_of(stream(&body)).await;
        assert_eq!(error.is_none(), is_whole, "{body:?}: {error:?}");
        if let Some(error) = error {
            assert!(error.is_retryable && error.kind == ProviderErrorKind::Unavailable, "{body:?}: {error:?}");
        }
    }
    // Two answers, of which one is whole.
    let second = TEXT.replace("\"index\":0", "\"index\":1");
    let (_, error) = stream_of(stream(&format!("{TEXT}{second}{STOP}"))).await;
    assert!(error.unwrap().message.contains("before it was whole"));
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_reason_to_stop_breaks_nothing() {
    let broken = |body: &str| {
        let chunk = format!("{:x}\r\n{body}\r\n", body.len());
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        format!("{head}{chunk}40\r\nda").into_bytes()
    };
    let (text, error) = stream_of(broken(&format!("{TEXT}{STOP}"))).await;
    assert_eq!((text.as_str(), error.is_none()), ("1,204 t", true), "{error:?}");
    let (_, error) = stream_of(broken(TEXT)).await;
    assert!(error.unwrap().is_retryable);
}

#[tokio::test]
async fn bytes_are_read_as_they_are_meant() {
    let streams = [
        format!("\u{feff}{TEXT}{STOP}{DONE}"),
        format!("{TEXT}{STOP}{DONE}").replace('\n', "\r"),
        format!("{TEXT}{STOP}{DONE}").replace('\n', "\r\n"),
        format!(": comment\n\nretry: 5\nid: 1\n{TEXT}data:\n\n{STOP}{DONE}"),
        format!("{TEXT}{STOP}{DONE}").replace("data: ", "data:"),
    ];
    for body in streams {
        let (text, error) = stream_of(stream(&body)).await;
        assert_eq!((text.as_str(), error.map(|error| error.message)), ("1,204 t", None), "{body:?}");
    }
    for (body, expected) in [
        (format!("\u{feff}{WHOLE}"), "1,204 t"),
        (format!("\r\n\r\n  {WHOLE}\r\r"), "1,204 t"),
        (WHOLE.replace("1,204 t", "1,204 t\\ud83d"), "1,204 t\u{fffd}"),
        (WHOLE.replace("1,204 t", "1,204\rt"), "1,204\rt"),
    ] {
        let (url, _) = serve(vec![reply(200, "content-type: application/json\r\n", body.as_bytes())]).await;
        assert_eq!(ask(&provider(&url)).await.unwrap(), expected, "{body:?}");
    }
}

#[tokio::test]
async fn a_whole_reply_to_a_stream_is_told_as_events() {
    let (text, error) = stream_of(reply(200, "content-type: application/json\r\n", WHOLE.as_bytes())).await;
    assert_eq!((text.as_str(), error.is_none()), ("1,204 t", true));
    let told = "{\"error\":{\"message\":\"gone\"}}";
    let (_, error) = stream_of(reply(200, "content-type: application/json\r\n", told.as_bytes())).await;
    assert!(error.unwrap().message.contains("gone"));
    let (_, error) = stream_of(reply(200, "content-type: text/html\r\n", b"<html>Welcome</html>")).await;
    assert!(error.unwrap().message.contains("Welcome"));
}

#[tokio::test]
async fn a_stream_tells_why_it_stopped() {
    let (url, _) = serve(vec![stream(&format!("{TEXT}{STOP}{DONE}"))]).await;
    let told = ask_stream(&provider(&url)).await.unwrap();
    assert!(matches!(told.last(), Some(Event::Stop { stop: Stop::End, .. })), "{told:?}");
}
