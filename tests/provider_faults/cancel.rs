//! A call that is left, at each of its awaits: no slot, no lease and no money is left behind.

use crate::line::{Step, ask, good, line, play, records, settled};
use crate::raw::reply;
use headrace::provider::RetryPolicy;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// So many calls are left, unless `HEADRACE_CANCELS` says otherwise.
const CANCELS: usize = 2000;

/// A call that is left once it has been looked at so often.
struct Left<T> {
    call: Pin<Box<dyn Future<Output = T>>>,
    looks: usize,
}

impl<T> Future for Left<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        match self.call.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if self.looks == 0 => Poll::Ready(None),
            Poll::Pending => {
                self.looks -= 1;
                Poll::Pending
            }
        }
    }
}

#[tokio::test]
async fn a_call_that_is_left_at_any_await_leaves_nothing_behind() {
    let cancels = std::env::var("HEADRACE_CANCELS").ok().and_then(|text| text.parse().ok()).unwrap_or(CANCELS);
    let retry = RetryPolicy { most_share: 1.0, ..RetryPolicy::default() };
    for is_stream in [false, true] {
        let busy = vec![Step::Send(reply(503, "retry-after: 0\r\n", b"{}"))];
        let scripts = (0..20_000).map(|number| if number % 2 == 0 { busy.clone() } else { good(is_stream) });
        let (url, asked) = play(scripts.collect()).await;
        let client = line(&url, retry, |_| {});
        let (mut left, mut whole, mut looks) = (0, 0, 0);
        while left < cancels / 2 {
            let (mine, prompt) = (client.clone(), format!("{left} {whole}?"));
            let call = Box::pin(async move { ask(&mine, is_stream, &prompt).await });
            let end = tokio::time::timeout(Duration::from_mins(1), Left { call, looks }).await.unwrap();
            if let Some(answer) = end {
                assert_eq!(answer.unwrap(), "1,204 t");
                (whole, looks) = (whole + 1, 0);
            } else {
                (left, looks) = (left + 1, looks + 1);
            }
            settled(&client).await;
        }
        assert!(whole > 10 && asked.load(std::sync::atomic::Ordering::SeqCst) > cancels / 10, "{whole}");
        // Somebody who stays is served, and what was sent for the others was booked.
        let end = tokio::time::timeout(Duration::from_mins(1), ask(&client, is_stream, "And now?")).await;
        assert_eq!(end.unwrap().unwrap(), "1,204 t");
        assert!(records(&client).await.len() > whole);
    }
}
