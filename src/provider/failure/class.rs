//! What a failure is, by its status and the provider's words: a table, with what providers were seen to send.

use crate::ProviderErrorKind::{self, Authentication, Billing, ContextLength, RateLimited, Rejected, Unavailable};
use crate::wire::ToldError;

/// What a failure is, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) kind: ProviderErrorKind,
    pub(super) is_retryable: bool,
    pub(super) advice: &'static str,
}

const CONTEXT: Class = Class {
    kind: ContextLength,
    is_retryable: false,
    advice: "shorten the messages, lower max_tokens, or name a model with a longer context in fallbacks=",
};
const BILLING: Class =
    Class { kind: Billing, is_retryable: false, advice: "check the account's credit and limits at the provider" };
const AUTHENTICATION: Class =
    Class { kind: Authentication, is_retryable: false, advice: "check the API key and what it may do" };
const BUSY: Class =
    Class { kind: RateLimited, is_retryable: true, advice: "wait, or set limits= below what the provider allows" };
const DOWN: Class = Class { kind: Unavailable, is_retryable: true, advice: "try again later, or name fallbacks=" };
const UNMADE: Class = Class {
    kind: Unavailable,
    is_retryable: true,
    advice: "it was not answered and is not billed: call again, and it is submitted anew",
};
const NO_MODEL: Class = Class { kind: Rejected, is_retryable: false, advice: "check the model's name and base_url" };
const REFUSED: Class = Class { kind: Rejected, is_retryable: false, advice: "change the request" };

/// Codes and kinds of errors, in lower case.
const CODES: [(&str, Class); 46] = [
    ("context_length_exceeded", CONTEXT),
    ("context_window_exceeded", CONTEXT),
    ("string_above_max_length", CONTEXT),
    ("exceed_context_size_error", CONTEXT),
    ("request_too_large", CONTEXT),
    ("model_context_window_exceeded", CONTEXT),
    ("insufficient_quota", BILLING),
    ("insufficient_balance", BILLING),
    ("insufficient_credits", BILLING),
    ("billing_error", BILLING),
    ("billing_not_active", BILLING),
    ("billing_hard_limit_reached", BILLING),
    ("payment_required", BILLING),
    ("invalid_api_key", AUTHENTICATION),
    ("incorrect_api_key", AUTHENTICATION),
    ("authentication_error", AUTHENTICATION),
    ("invalid_authentication", AUTHENTICATION),
    ("unauthenticated", AUTHENTICATION),
    ("unauthorized", AUTHENTICATION),
    ("permission_error", AUTHENTICATION),
    ("permission_denied", AUTHENTICATION),
    ("account_deactivated", AUTHENTICATION),
    ("rate_limit_exceeded", BUSY),
    ("rate_limit_error", BUSY),
    ("rate_limited", BUSY),
    ("too_many_requests", BUSY),
    ("resource_exhausted", BUSY),
    ("throttling_error", BUSY),
    ("overloaded_error", DOWN),
    ("overloaded", DOWN),
    ("engine_overloaded", DOWN),
    ("server_error", DOWN),
    ("internal_error", DOWN),
    ("internal_server_error", DOWN),
    ("api_error", DOWN),
    ("service_unavailable", DOWN),
    ("unavailable", DOWN),
    ("timeout_error", DOWN),
    ("deadline_exceeded", DOWN),
    ("model_not_found", NO_MODEL),
    ("not_found_error", NO_MODEL),
    ("invalid_request_error", REFUSED),
    ("invalid_argument", REFUSED),
    ("content_filter", REFUSED),
    ("batch_expired", UNMADE),
    ("batch_cancelled", UNMADE),
];

/// Words that tell what a failure is where neither its code nor its status does: all of a row must be there.
const WORDS: [(&[&str], Class); 20] = [
    (&["maximum context length"], CONTEXT),
    (&["context length", "exceed"], CONTEXT),
    (&["context window", "exceed"], CONTEXT),
    (&["context size", "exceed"], CONTEXT),
    (&["context limit", "exceed"], CONTEXT),
    (&["context length of only"], CONTEXT),
    (&["maximum prompt length"], CONTEXT),
    (&["maximum model length"], CONTEXT),
    (&["maximum number of tokens allowed"], CONTEXT),
    (&["prompt is too long"], CONTEXT),
    (&["input is too long"], CONTEXT),
    (&["too many tokens"], CONTEXT),
    (&["too large for model", "tokens"], CONTEXT),
    (&["reduce the length of the"], CONTEXT),
    (&["tokens", "max_new_tokens", "must be <="], CONTEXT),
    (&["credit balance"], BILLING),
    (&["insufficient balance"], BILLING),
    (&["insufficient credits"], BILLING),
    (&["incorrect api key"], AUTHENTICATION),
    (&["api key not valid"], AUTHENTICATION),
];

/// What a failure is: by its status where that says it, by the provider's code, by its words; `status` is that of the
/// HTTP reply, None where the reply began as a success.
pub(super) fn classify(status: Option<u16>, told: &ToldError) -> Class {
    // A code may be a status, as OpenRouter tells it.
    let in_code = told.code.as_deref().and_then(|code| code.parse().ok());
    let status = status.or(told.status).or(in_code).filter(|status| (400..600).contains(status));
    let code = by_code(told.code.as_deref());
    if status == Some(413) {
        return CONTEXT;
    }
    if let Some(class @ (CONTEXT | BILLING)) = code.or(by_code(told.kind.as_deref())) {
        return class;
    }
    if matches!(status, None | Some(400 | 402 | 422 | 500))
        && let Some(class) = by_words(&told.message)
    {
        return class;
    }
    match status {
        Some(401 | 403) => AUTHENTICATION,
        Some(402) => BILLING,
        Some(404) => NO_MODEL,
        Some(429) => BUSY,
        Some(408 | 409 | 425 | 500..) => DOWN,
        Some(_) => REFUSED,
        None if told.is_malformed => DOWN,
        None => code.or_else(|| by_code(told.kind.as_deref())).unwrap_or(DOWN),
    }
}

fn by_code(code: Option<&str>) -> Option<Class> {
    let code = code?.to_ascii_lowercase();
    CODES.iter().find(|(known, _)| *known == code).map(|(_, class)| *class)
}

fn by_words(message: &str) -> Option<Class> {
    let message = message.to_lowercase();
    WORDS.iter().find(|(words, _)| words.iter().all(|word| message.contains(word))).map(|(_, class)| *class)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(message: &str, code: &str, kind: &str) -> ToldError {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        ToldError { message: message.into(), code: some(code), kind: some(kind), ..ToldError::default() }
    }

    #[test]
    fn what_providers_send_is_known() {
        // Status (0 inside a stream), code, kind, words, what it is, whether the same call may succeed later.
        let seen = [
            (
                400,
                "context_length_exceeded",
                "invalid_request_error",
                "This model's maximum context length is 8192 tokens. However, your messages resulted in 10000 tokens.",
                ContextLength,
                false,
            ),
            (400, "", "", "Your input exceeds the context window of this model.", ContextLength, false),
            (
                400,
                "",
                "invalid_request_error",
                "prompt is too long: 210000 tokens > 200000 maximum",
                ContextLength,
                false,
            ),
            (
                400,
                "",
                "invalid_request_error",
                "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
                ContextLength,
                false,
            ),
            (
                413,
                "",
                "request_too_large",
                "Request exceeds the maximum allowed number of bytes.",
                ContextLength,
                false,
            ),
            (
                413,
                "rate_limit_exceeded",
                "tokens",
                "Request too large for model `llama` in organization",
                ContextLength,
                false,
            ),
            (
                400,
                "3051",
                "invalid_request_error",
                "Prompt contains 40012 tokens, too large for model with 32768 maximum context length",
                ContextLength,
                false,
            ),
            (
                422,
                "",
                "",
                "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193",
                ContextLength,
                false,
            ),
            (
                400,
                "INVALID_ARGUMENT",
                "",
                "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).",
                ContextLength,
                false,
            ),
            (
                400,
                "",
                "",
                "too many tokens: total number of tokens in the prompt cannot exceed 4081",
                ContextLength,
                false,
            ),
            (
                400,
                "",
                "",
                "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
                ContextLength,
                false,
            ),
            (
                400,
                "400",
                "exceed_context_size_error",
                "the request exceeds the available context size, try increasing it",
                ContextLength,
                false,
            ),
            (500, "", "", "input length exceeds the context length", ContextLength, false),
            (
                400,
                "",
                "BadRequestError",
                "The decoder prompt (length 9000) is longer than the maximum model length of 4096.",
                ContextLength,
                false,
            ),
            (400, "", "", "Please reduce the length of the messages or completion.", ContextLength, false),
            (400, "", "ValidationException", "Input is too long for requested model.", ContextLength, false),
            (0, "context_length_exceeded", "invalid_request_error", "", ContextLength, false),
            (0, "", "", "This model's maximum context length is 4096 tokens", ContextLength, false),
            (
                400,
                "invalid_value",
                "invalid_request_error",
                "max_tokens is too large: 5000. This model supports at most 4096 completion tokens",
                Rejected,
                false,
            ),
            (
                429,
                "insufficient_quota",
                "insufficient_quota",
                "You exceeded your current quota, please check your plan",
                Billing,
                false,
            ),
            (402, "", "", "Insufficient Balance", Billing, false),
            (402, "", "", "", Billing, false),
            (
                400,
                "",
                "invalid_request_error",
                "Your credit balance is too low to access the Anthropic API.",
                Billing,
                false,
            ),
            (0, "", "billing_error", "", Billing, false),
            (
                429,
                "RESOURCE_EXHAUSTED",
                "",
                "You exceeded your current quota, please check your plan",
                RateLimited,
                true,
            ),
            (429, "", "ThrottlingException", "Too many tokens, please wait before trying again.", RateLimited, true),
            (
                429,
                "rate_limit_exceeded",
                "tokens",
                "Rate limit reached for gpt-4o on tokens per min",
                RateLimited,
                true,
            ),
            (0, "rate_limit_exceeded", "requests", "", RateLimited, true),
            (0, "429", "", "Provider returned error", RateLimited, true),
            (401, "invalid_api_key", "invalid_request_error", "Incorrect API key provided", Authentication, false),
            (403, "", "", "Country not supported", Authentication, false),
            (400, "", "", "Incorrect API key provided: xai-1***", Authentication, false),
            (400, "400", "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", Authentication, false),
            (0, "", "authentication_error", "invalid x-api-key", Authentication, false),
            (404, "model_not_found", "invalid_request_error", "The model `x` does not exist", Rejected, false),
            (408, "", "", "", Unavailable, true),
            (409, "", "", "", Unavailable, true),
            (425, "", "", "", Unavailable, true),
            (500, "server_error", "server_error", "The server had an error", Unavailable, true),
            (529, "", "overloaded_error", "Overloaded", Unavailable, true),
            (0, "", "overloaded_error", "Overloaded", Unavailable, true),
            (0, "", "", "gone", Unavailable, true),
            (0, "502", "", "Provider returned error", Unavailable, true),
            (0, "", "invalid_request_error", "no", Rejected, false),
            (422, "", "", "temperature is too high", Rejected, false),
            (418, "", "", "", Rejected, false),
        ];
        for (status, code, kind, message, is, is_retryable) in seen {
            let class = classify((status != 0).then_some(status), &told(message, code, kind));
            assert_eq!((class.kind, class.is_retryable), (is, is_retryable), "{status} {code} {kind} {message}");
        }
    }
}
