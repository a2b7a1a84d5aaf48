//! Bodies: what is no answer, what is compressed, what is too large, what embeddings must be.

use crate::raw::*;
use headrace::ProviderErrorKind;
use headrace::provider::{HttpProvider, HttpProviderConfig, Provider};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

#[tokio::test]
async fn a_200_that_is_no_answer_is_an_error() {
    for (body, words) in [
        ("{\"error\":{\"message\":\"model is loading\"}}", "model is loading"),
        ("{\"error\":\"model is loading\"}", "model is loading"),
        ("{\"choices\":[]}", "not what the API promises"),
        ("[]", "not what the API promises"),
        ("<html>Welcome</html>", "Welcome"),
        ("", "not what the API promises"),
        ("{\"choices\":[{\"index\":0,\"message\":{\"content\":\"1\"},\"finish_reason\":\"error\"}]}", "error"),
    ] {
        let (url, _) = serve(vec![reply(200, "", body.as_bytes())]).await;
        let error = provider_error(ask(&provider(&url)).await);
        assert!(error.message.contains(words), "{body}: {error}");
        assert!(error.is_retryable && error.kind == ProviderErrorKind::Unavailable, "{body}: {error:?}");
    }
}

#[tokio::test]
async fn compressed_bodies_are_read() {
    let gzip = gzip(WHOLE.as_bytes());
    let (url, asked) = serve(vec![reply(200, "content-encoding: gzip\r\n", &gzip)]).await;
    assert_eq!(ask(&provider(&url)).await.unwrap(), "1,204 t");
    let accepted = asked.lock()[0].to_lowercase();
    for coding in ["gzip", "br", "deflate"] {
        let line = accepted.lines().find(|line| line.starts_with("accept-encoding:")).unwrap();
        assert!(line.contains(coding), "{line}");
    }
    let (url, _) = serve(vec![reply(200, "content-encoding: gzip\r\n", b"no gzip")]).await;
    assert!(provider_error(ask(&provider(&url)).await).is_retryable);
}

/// One stored block a piece (RFC 1951, 3.2.4): nothing is compressed, and no crate is needed.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let length = u16::try_from(bytes.len()).unwrap();
    out.extend_from_slice(&[1]);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&(!length).to_le_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(&crc32fast::hash(bytes).to_le_bytes());
    out.extend_from_slice(&u32::from(length).to_le_bytes());
    out
}

/// A server that sends without end, until the client leaves.
async fn serve_without_end(head: &'static str, piece: &'static [u8]) -> (String, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sent = Arc::new(Mutex::new(0));
    let count = Arc::clone(&sent);
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await;
        socket.write_all(head.as_bytes()).await.unwrap();
        while socket.write_all(piece).await.is_ok() {
            *count.lock() += piece.len();
        }
    });
    (format!("http://{address}/v1"), sent)
}

#[tokio::test]
async fn no_body_is_read_without_bound() {
    const MANY: &[u8] = &[b'x'; 1 << 16];
    const HEAD: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    let bounded =
        |url: &str| HttpProvider::new(HttpProviderConfig { max_reply_bytes: 1 << 20, ..config(url) }).unwrap();
    let (url, _) = serve_without_end(HEAD, MANY).await;
    let error = provider_error(ask(&bounded(&url)).await);
    assert!(error.message.contains("1048576 bytes") && !error.is_retryable, "{error}");
    // One line without end.
    let (url, _) = serve_without_end(HEAD, MANY).await;
    let (_, error) = read_events(ask_stream(&bounded(&url)).await.unwrap());
    assert!(error.unwrap().message.contains("1048576 bytes"));
    // Events without end.
    let (url, _) = serve_without_end(HEAD, TEXT.as_bytes()).await;
    let (_, error) = read_events(ask_stream(&bounded(&url)).await.unwrap());
    assert!(error.unwrap().message.contains("bytes"));
    // An error's body without end: what was read of it is told.
    let (url, _) = serve_without_end("HTTP/1.1 500 Oh\r\nconnection: close\r\n\r\n", MANY).await;
    let error = provider_error(ask(&bounded(&url)).await);
    assert_eq!(error.status_code, Some(500));
    assert!(error.message.len() < 1000, "{}", error.message.len());
    // An announced length beyond the bound is not waited for.
    let (url, _) = serve(vec![b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{".to_vec()]).await;
    assert!(provider_error(ask(&bounded(&url)).await).message.contains("1048576 bytes"));
}

#[tokio::test]
async fn one_line_of_forty_megabytes_is_an_answer() {
    let long = "x".repeat(40 << 20);
    let (text, error) = stream_of(stream(&format!("{}{STOP}{DONE}", TEXT.replace("1,204 t", &long)))).await;
    assert_eq!((text.len(), error.is_none()), (40 << 20, true));
}

#[tokio::test]
async fn embeddings_belong_to_their_texts() {
    let body = |indexes: [i64; 3]| {
        let rows: Vec<_> =
            indexes.iter().map(|index| format!("{{\"index\":{index},\"embedding\":[{index}.0]}}")).collect();
        format!("{{\"data\":[{}],\"usage\":{{\"prompt_tokens\":6,\"total_tokens\":6}}}}", rows.join(","))
    };
    let texts = ["a", "b", "c"].map(str::to_owned);
    let (url, _) = serve(vec![reply(200, "", body([2, 0, 1]).as_bytes())]).await;
    let reply_of = provider(&url).embed("m", &texts).await.unwrap();
    assert_eq!(reply_of.vectors, [[0.0], [1.0], [2.0]]);
    assert_eq!(reply_of.usage.unwrap().usage.input_tokens, 6);
    for wrong in [[0, 0, 1], [1, 2, 3], [0, 1, 1], [-1, 0, 1]] {
        let (url, _) = serve(vec![reply(200, "", body(wrong).as_bytes())]).await;
        let error = provider_error(provider(&url).embed("m", &texts).await);
        assert!(error.message.contains("not what the API promises"), "{wrong:?}: {error}");
    }
    let (url, _) = serve(vec![reply(200, "", b"{\"error\":{\"message\":\"no such model\"}}")]).await;
    assert!(provider_error(provider(&url).embed("m", &texts).await).message.contains("no such model"));
}
