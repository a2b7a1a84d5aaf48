//! A provider over raw sockets: what it sends is written out byte by byte.

use futures_util::StreamExt;
use headrace::chat::{Accumulator, Event, Request};
use headrace::provider::{Answer, HttpProvider, HttpProviderConfig, Provider};
use headrace::{Error, ProviderError, Result};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

pub(crate) const KEY: &str = "sk-canary/7f3Kq+\"Zw9Lm&2";

/// Answers each connection with the next of `replies`, and the last one ever after. What was asked is kept.
pub(crate) async fn serve(replies: Vec<Vec<u8>>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    tokio::spawn(async move {
        for number in 0.. {
            let (mut socket, _) = listener.accept().await.unwrap();
            let request = read_request(&mut socket).await;
            kept.lock().push(request);
            // The client may leave before all is written.
            let _ = socket.write_all(&replies[number.min(replies.len() - 1)]).await;
            let _ = socket.shutdown().await;
        }
    });
    (format!("http://{address}/v1"), asked)
}

pub(crate) async fn read_request(socket: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = socket.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let length =
            text.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
        let is_whole = text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length.unwrap_or(0));
        if count == 0 || is_whole {
            return text.into_owned();
        }
    }
}

/// A reply with `connection: close` and no length: its body ends where the connection does.
pub(crate) fn reply(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} Status\r\nconnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

pub(crate) fn stream(body: &str) -> Vec<u8> {
    reply(200, "content-type: text/event-stream\r\n", body.as_bytes())
}

pub(crate) fn config(url: &str) -> HttpProviderConfig {
    HttpProviderConfig::new("raw", url, Some(KEY))
}

pub(crate) fn provider(url: &str) -> HttpProvider {
    HttpProvider::new(config(url)).unwrap()
}

pub(crate) fn question() -> Request {
    Request::of_prompt("m", "What were scope 2 emissions?")
}

pub(crate) async fn ask(provider: &HttpProvider) -> Result<String> {
    match provider.chat(&question(), false).await? {
        Answer::Whole(reply) => Ok(reply.text()),
        Answer::Stream(_) => panic!("a stream that was not asked for"),
    }
}

pub(crate) async fn ask_stream(provider: &HttpProvider) -> Result<Vec<Event>> {
    match provider.chat(&question(), true).await? {
        Answer::Stream(events) => Ok(events.collect().await),
        Answer::Whole(_) => panic!("no stream"),
    }
}

/// The text of a stream, and the error that ended it.
pub(crate) async fn stream_of(bytes: Vec<u8>) -> (String, Option<ProviderError>) {
    let (url, _) = serve(vec![bytes]).await;
    read_events(ask_stream(&provider(&url)).await.unwrap())
}

pub(crate) fn read_events(events: Vec<Event>) -> (String, Option<ProviderError>) {
    let mut reply = Accumulator::default();
    let mut error = None;
    for event in events {
        assert!(error.is_none(), "{event:?} after an error");
        match event {
            Event::Error(told) => error = Some(*told),
            event => reply.push(&event).unwrap(),
        }
    }
    (reply.finish().text(), error)
}

pub(crate) fn provider_error<T: std::fmt::Debug>(result: Result<T>) -> ProviderError {
    match result {
        Err(Error::Provider(error)) => *error,
        other => panic!("{other:?} is no error of a provider"),
    }
}

pub(crate) const TEXT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"1,204 t\"}}]}\n\n";
pub(crate) const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
pub(crate) const DONE: &str = "data: [DONE]\n\n";
pub(crate) const WHOLE: &str = "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"1,204 t\"},\"finish_reason\":\"stop\"}]}";
