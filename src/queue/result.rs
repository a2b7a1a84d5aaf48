//! Waiting for what became of a request.

use super::inner::QueueInner;
use super::store::Acked;
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
        if inner.remote.is_some() {
            return inner.result_remote(id, timeout).await;
        }
        let until = timeout.map(|timeout| inner.now().plus(timeout));
        let expected = inner.outcomes.expect(id.0);
        let mut others = inner.watch()?;
        loop {
            let notified = expected.finished.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            others.iter_mut().for_each(crate::store::notice::Watch::mark_seen);
            inner.refresh().await?;
            let next = {
                let core = inner.core.lock();
                inner.check_open(&core)?;
                core.next_event()
            };
            if let Some(acked) = inner.outcome(id.0)? {
                return Ok(acked.result);
            }
            if until.is_some_and(|until| until <= inner.now()) {
                let waited = timeout.unwrap_or_default().as_secs_f64();
                return Err(Error::Timeout(format!("request {id} was not finished within {waited} s")));
            }
            inner.sleep(notified, others.as_mut(), next, until).await;
        }
    }
}

impl QueueInner {
    /// What the ack of a request was given; None while it is open.
    pub(super) fn outcome(&self, id: u64) -> Result<Option<Acked>> {
        let outcome = self.core.lock().outcome(id);
        match (outcome, &self.file) {
            (None, _) => Ok(None),
            // Results are on disk. One that is not there yet is told of when it is.
            (Some(Ok(_)), Some(file)) => file.result(id),
            (Some(outcome), _) => outcome.map(|result| Some(Acked { result })),
        }
    }
}
