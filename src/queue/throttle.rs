//! A bound that changes as it goes: how many requests to a provider may be leased at once, besides the limits of the queue.

use super::RequestQueue;
use std::sync::Arc;

impl RequestQueue {
    /// Bounds how many requests to a provider this handle has leased at once, from now on. The limits that the queue was
    /// made with hold all the same.
    ///
    /// ```
    /// use headrace::Payload;
    /// use headrace::queue::{PutOptions, QueueConfig, RequestQueue};
    /// let queue = RequestQueue::open("memory://", QueueConfig::default()).unwrap();
    /// queue.throttle("openai", 1);
    /// let to_openai = PutOptions { provider: Some("openai".into()), ..PutOptions::default() };
    /// for _ in 0..2 {
    ///     queue.put(Payload::bytes("work"), &to_openai).unwrap();
    /// }
    /// let first = queue.try_get().unwrap();
    /// assert!(first.is_some() && queue.try_get().unwrap().is_none());
    /// queue.throttle("openai", 2);
    /// assert!(queue.try_get().unwrap().is_some());
    /// ```
    pub fn throttle(&self, provider: &str, most: u64) {
        self.backend.base().core.lock().throttle(Arc::from(provider), most);
        Arc::clone(&self.backend).dispatch();
        self.backend.base().ready.wake_all();
    }
}
