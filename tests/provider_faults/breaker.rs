//! The breaker: who leaves is not who failed, and what fails counts.

use crate::raw::*;
use futures_util::StreamExt;
use headrace::provider::{Answer, BreakerConfig, BreakerState, Guarded};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

#[tokio::test]
async fn a_network_that_is_down_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = provider_error(ask(&provider(&format!("http://{address}/v1"))).await);
    assert!(error.message.contains("cannot be reached") && error.is_retryable, "{error}");
    let (url, _) = serve(vec![Vec::new()]).await;
    assert!(provider_error(ask(&provider(&url)).await).message.contains("broke the connection off"));
}

fn guarded(url: &str) -> Guarded {
    let breaker = BreakerConfig { failures: 2, open_for: Duration::from_hours(1) };
    Guarded::new(Arc::new(provider(url)), breaker)
}

async fn events(guarded: &Guarded) -> headrace::provider::EventStream {
    match guarded.chat(&question(), true).await.unwrap() {
        Answer::Stream(events) => events,
        Answer::Whole(_) => panic!("no stream"),
    }
}

#[tokio::test]
async fn who_leaves_is_not_who_failed() {
    // A server that takes the request and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let guarded_silent = guarded(&format!("http://{}/v1", listener.local_addr().unwrap()));
    for _ in 0..10 {
        let request = question();
        let mut call = Box::pin(guarded_silent.chat(&request, false));
        let (mut socket, _) = tokio::select! {
            _ = &mut call => panic!("an answer of nobody"),
            accepted = async {
                let (mut socket, address) = listener.accept().await.unwrap();
                read_request(&mut socket).await;
                (socket, address)
            } => accepted,
        };
        drop(call);
        let _ = socket.shutdown().await;
    }
    assert_eq!(guarded_silent.breaker_state(), BreakerState::Closed);
    // A stream that is left in the middle.
    let (url, _) = serve(vec![stream(&format!("{TEXT}{TEXT}{STOP}{DONE}"))]).await;
    let guarded_well = guarded(&url);
    for _ in 0..10 {
        assert!(events(&guarded_well).await.next().await.is_some());
    }
    assert_eq!(guarded_well.breaker_state(), BreakerState::Closed);
}

#[tokio::test]
async fn a_stream_that_fails_in_the_middle_counts() {
    let (url, _) = serve(vec![stream(TEXT)]).await;
    let guarded = guarded(&url);
    for _ in 0..2 {
        let (_, error) = read_events(events(&guarded).await.collect().await);
        assert!(error.is_some());
    }
    assert_eq!(guarded.breaker_state_of("m"), BreakerState::Open);
    let error = provider_error(guarded.chat(&question(), true).await);
    assert!(error.message.contains("left alone") && error.retry_after.is_some(), "{error}");
    // Another model of the same provider is asked.
    assert_eq!(guarded.breaker_state_of("other"), BreakerState::Closed);
    let mut other = question();
    other.model = "other".into();
    assert!(guarded.chat(&other, true).await.is_ok());
}

#[tokio::test]
async fn a_refusal_is_a_sign_of_life() {
    let (url, _) = serve(vec![reply(429, "retry-after: 3\r\n", b"{}")]).await;
    let guarded = guarded(&url);
    for _ in 0..5 {
        let error = provider_error(guarded.chat(&question(), false).await);
        assert_eq!(error.retry_after, Some(Duration::from_secs(3)));
    }
    assert_eq!(guarded.breaker_state(), BreakerState::Closed);
}
