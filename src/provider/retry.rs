//! When a failed call is worth another try, and after how long.

use crate::Error;
use rand::Rng;
use std::time::Duration;

/// How often and how soon a call is tried again.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// How often it is tried at the most, the first time in it.
    pub max_attempts: u32,
    /// The longest first pause.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// The most of what goes to a provider in a minute that may be retries, as a share of the calls.
    pub most_share: f64,
    /// So many retries a minute are made whatever their share.
    pub free_retries: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            most_share: 0.1,
            free_retries: 10,
        }
    }
}

impl RetryPolicy {
    /// The pause before the next try after `attempt` tries, or None where there is none: the error will not go away,
    /// the tries are used up, or the provider asks for more patience than is allowed. Without word from the provider
    /// the pause is exponential with full jitter (Brooker, AWS Architecture Blog, 2015).
    #[must_use]
    pub fn pause(&self, error: &Error, attempt: u32) -> Option<Duration> {
        let Error::Provider(error) = error else { return None };
        if !error.is_retryable || attempt >= self.max_attempts {
            return None;
        }
        match error.retry_after {
            // Told by a breaker, not by the provider: another provider may be asked meanwhile.
            Some(_) if error.status_code.is_none() => None,
            Some(wait) if wait > self.longest_pause => None,
            Some(wait) => Some(wait),
            None => {
                let longest =
                    self.first_pause.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(self.longest_pause);
                Some(longest.mul_f64(rand::rng().random()))
            }
        }
    }
}
