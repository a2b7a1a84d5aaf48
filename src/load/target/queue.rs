//! A request queue with workers of its own: what a request waits for when nothing but the queue is there.

use super::Target;
use crate::Payload;
use crate::load::observation::Observation;
use crate::load::request::LoadRequest;
use crate::queue::{PutOptions, RequestQueue};
use async_trait::async_trait;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Puts each request into a queue, from which workers take it, and waits until it was acked.
///
/// An observation's `extra` has `enqueue_ms`, how long the put took, and `queue_wait_ms`, from the put to the worker.
#[derive(Debug)]
pub struct QueueTarget {
    queue: RequestQueue,
    workers: usize,
    service: Duration,
    /// Started with the first request, as they need its runtime; aborted when dropped.
    running: OnceLock<JoinSet<()>>,
}

impl QueueTarget {
    /// A target with so many workers, each busy for `service` with a request.
    #[must_use]
    pub fn new(queue: RequestQueue, workers: usize, service: Duration) -> Self {
        Self { queue, workers, service, running: OnceLock::new() }
    }

    fn start(&self) -> JoinSet<()> {
        let mut workers = JoinSet::new();
        for _ in 0..self.workers {
            workers.spawn(work(self.queue.clone(), self.service));
        }
        workers
    }

    async fn ask(&self, request: &LoadRequest, observation: &mut Observation) -> crate::Result<()> {
        let options = PutOptions {
            priority: request.priority,
            tenant: Some(request.tenant.as_str().into()),
            estimated_tokens: request.input_tokens + request.output_tokens,
            ..PutOptions::default()
        };
        let payload = Payload::bytes(&request.prompt);
        let begun = Instant::now();
        let id = self.queue.put_async(payload, options, None).await?;
        observation.extra.push(("enqueue_ms".into(), begun.elapsed().as_secs_f64() * 1e3));
        let waited = self.queue.result_async(id, None).await?;
        let nanos = waited.and_then(|waited| Some(u64::from_le_bytes(waited.as_bytes()[..].try_into().ok()?)));
        if let Some(nanos) = nanos {
            observation.extra.push(("queue_wait_ms".into(), nanos as f64 / 1e6));
        }
        Ok(())
    }
}

/// Takes requests until the queue is closed; the result of each is how long it waited.
async fn work(queue: RequestQueue, service: Duration) {
    while let Ok(lease) = queue.get_async(None).await {
        let waited = lease.waited().as_nanos() as u64;
        if !service.is_zero() {
            tokio::time::sleep(service).await;
        }
        // A lease that was lost is with another worker now.
        let _ = lease.ack_async(Some(Payload::bytes(waited.to_le_bytes())), None).await;
    }
}

#[async_trait]
impl Target for QueueTarget {
    async fn send(&self, request: &LoadRequest) -> Observation {
        self.running.get_or_init(|| self.start());
        let mut observation = Observation::ok();
        if let Err(error) = self.ask(request, &mut observation).await {
            observation.fail(&error);
        }
        observation
    }
}
