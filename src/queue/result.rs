//! Waiting for what became of a request.

use super::{RequestId, RequestQueue};
use crate::{Error, Payload, Result};
use std::time::Duration;

impl RequestQueue {
    /// What the ack of a request was given; waits until the request is finished.
    ///
    /// # Errors
    /// `RequestFailed`, `RequestCancelled`, `Timeout`; `InvalidArgument` for an unknown id; `QueueClosed`, `Store`.
    pub async fn result_async(&self, id: RequestId, timeout: Option<Duration>) -> Result<Option<Payload>> {
        let inner = &self.inner;
        let until = timeout.map(|timeout| inner.now().plus(timeout));
        let expected = inner.outcomes.expect(id.0);
        loop {
            let notified = expected.finished.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let (outcome, next) = {
                let mut core = inner.core.lock();
                inner.settle_due(&mut core, inner.now());
                inner.check_open(&core)?;
                (core.outcome(id.0), core.next_event())
            };
            match (outcome, &inner.journal) {
                // A durable queue keeps results on disk.
                (Some(Ok(None)), Some(journal)) => return journal.result(id.0),
                (Some(outcome), _) => return outcome,
                (None, _) => {}
            }
            if until.is_some_and(|until| until <= inner.now()) {
                let waited = timeout.unwrap_or_default().as_secs_f64();
                return Err(Error::Timeout(format!("request {id} was not finished within {waited} s")));
            }
            inner.sleep(notified, next, until).await;
            inner.sync()?;
        }
    }
}
