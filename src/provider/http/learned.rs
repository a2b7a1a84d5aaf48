//! What a provider was found to do differently: a parameter that it refuses is left out or renamed, once and for all.

use crate::ProviderErrorKind;
use crate::lock::Lock;
use crate::wire::Quirks;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

const OLD_NAME: &str = "max_tokens";
const NEW_NAME: &str = "max_completion_tokens";

/// Words for a parameter that a server does not take.
const NOT_TAKEN: [&str; 9] = [
    "additional",
    "extra",
    "invalid",
    "not allowed",
    "not permitted",
    "not support",
    "unexpected",
    "unknown",
    "unrecognized",
];

/// What was learned of one provider.
#[derive(Debug, Default)]
pub(super) struct Learned {
    without_stream_options: AtomicBool,
    max_tokens_name: Lock<Option<&'static str>>,
}

/// A refusal, and what was asked.
pub(super) struct Refused<'a> {
    pub(super) status: u16,
    pub(super) kind: ProviderErrorKind,
    pub(super) body: &'a str,
    pub(super) sent: &'a Value,
}

impl Learned {
    /// The provider's quirks, with what was learned.
    pub(super) fn apply<'a>(&self, quirks: &'a Quirks) -> Cow<'a, Quirks> {
        let mut quirks = Cow::Borrowed(quirks);
        if self.without_stream_options.load(Ordering::Relaxed) && quirks.stream_options {
            quirks.to_mut().stream_options = false;
        }
        if let Some(name) = *self.max_tokens_name.lock()
            && quirks.max_tokens_name != name
        {
            name.clone_into(&mut quirks.to_mut().max_tokens_name);
        }
        quirks
    }

    /// Learns from a refusal. Whether the same call, asked as is now known, may be taken.
    pub(super) fn learn(&self, refused: &Refused<'_>) -> bool {
        if !matches!(refused.status, 400 | 404 | 415 | 422 | 501) || refused.kind == ProviderErrorKind::ContextLength {
            return false;
        }
        let was_sent = |name: &str| refused.sent.get(name).is_some();
        let words = refused.body.to_lowercase();
        if was_sent("stream_options") && words.contains("stream_options") {
            self.without_stream_options.store(true, Ordering::Relaxed);
            return true;
        }
        let name = if was_sent(OLD_NAME) && words.contains(NEW_NAME) {
            NEW_NAME
        } else if was_sent(NEW_NAME) && words.contains(NEW_NAME) && NOT_TAKEN.iter().any(|word| words.contains(word)) {
            OLD_NAME
        } else {
            return false;
        };
        *self.max_tokens_name.lock() = Some(name);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_parameter_that_was_sent_and_is_not_taken_is_learned() {
        let cases = [
            ("Unrecognized request argument supplied: stream_options", json!({"stream_options": {}}), true),
            ("Unrecognized request argument supplied: stream_options", json!({}), false),
            (
                "{\"detail\":[{\"loc\":[\"body\",\"stream_options\"],\"msg\":\"Extra inputs are not permitted\"}]}",
                json!({"stream_options": {}}),
                true,
            ),
            (
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
                json!({"max_tokens": 5}),
                true,
            ),
            (
                "max_tokens is too large: 5000. This model supports at most 4096 completion tokens",
                json!({"max_tokens": 5000}),
                false,
            ),
            ("Unknown parameter: max_completion_tokens", json!({"max_completion_tokens": 5}), true),
            ("max_completion_tokens is too large: 5000", json!({"max_completion_tokens": 5000}), false),
            ("temperature is too high", json!({"max_tokens": 5, "stream_options": {}}), false),
        ];
        for (body, sent, learns) in cases {
            let refused = Refused { status: 400, kind: ProviderErrorKind::Rejected, body, sent: &sent };
            assert_eq!(Learned::default().learn(&refused), learns, "{body} {sent}");
        }
    }

    #[test]
    fn a_context_that_is_too_long_teaches_nothing() {
        let refused = Refused {
            status: 400,
            kind: ProviderErrorKind::ContextLength,
            body: "'max_tokens' or 'max_completion_tokens' is too large. This model's maximum context length is 4096",
            sent: &json!({"max_tokens": 5}),
        };
        assert!(!Learned::default().learn(&refused));
    }
}
