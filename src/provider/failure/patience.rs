//! How long a provider asks to wait.

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use std::time::Duration;

/// How long a server asks to wait: in so many words, or by when a limit that is used up is filled again.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(millis) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(millis / 1000.0).ok();
    }
    if let Some(text) = text("retry-after") {
        return moment(text, now);
    }
    // Limits of requests and of tokens, by OpenAI's and Anthropic's names; the one that is used up counts, and where
    // nothing says which, the one that is filled again soonest.
    let limits = ["requests", "tokens", "input-tokens", "output-tokens"].into_iter().flat_map(|of| {
        [
            (format!("x-ratelimit-remaining-{of}"), format!("x-ratelimit-reset-{of}")),
            (format!("anthropic-ratelimit-{of}-remaining"), format!("anthropic-ratelimit-{of}-reset")),
        ]
    });
    let plain = ["x-ratelimit-reset", "ratelimit-reset"].map(|reset| (String::new(), reset.to_owned()));
    let known: Vec<(bool, Duration)> = limits
        .chain(plain)
        .filter_map(|(remaining, reset)| Some((text(&remaining) == Some("0"), moment(text(&reset)?, now)?)))
        .collect();
    let used_up = known.iter().filter(|(is_used_up, _)| *is_used_up).map(|(_, wait)| *wait).max();
    used_up.or_else(|| known.iter().map(|(_, wait)| *wait).min())
}

/// From now until what a header says: seconds, a Unix time in seconds or milliseconds, a length of time as in `6m0.5s`, or
/// a date (RFC 9110, 10.2.3, or RFC 3339).
fn moment(text: &str, now: Timestamp) -> Option<Duration> {
    let until = |at: Timestamp| Duration::try_from(at.duration_since(now)).unwrap_or_default();
    if let Ok(number) = text.parse::<f64>() {
        return match number {
            1e12.. => Timestamp::from_millisecond(number as i64).ok().map(until),
            1e9.. => Timestamp::from_second(number as i64).ok().map(until),
            _ => Duration::try_from_secs_f64(number).ok(),
        };
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(until(at));
    }
    if let Ok(date) = jiff::fmt::rfc2822::parse(text) {
        return Some(until(date.timestamp()));
    }
    text.parse::<jiff::SignedDuration>().ok().and_then(|length| Duration::try_from(length).ok())
}

/// What a text says as each of the headers that are read, where it may stand in one.
#[cfg(any(test, fuzzing))]
pub(crate) fn waits_of(text: &str) -> Vec<Option<Duration>> {
    let Ok(value) = text.parse::<reqwest::header::HeaderValue>() else { return Vec::new() };
    let names = ["retry-after-ms", "retry-after", "x-ratelimit-reset-requests", "ratelimit-reset"];
    let read = |name| retry_after(&HeaderMap::from_iter([(name, value.clone())]), Timestamp::UNIX_EPOCH);
    names.map(reqwest::header::HeaderName::from_static).into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn read(pairs: &[(&str, &str)]) -> Option<Duration> {
        let header = |(name, value): &(&str, &str)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        retry_after(&pairs.iter().map(header).collect(), "2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn every_form_is_read() {
        let seconds = |seconds: f64| Some(Duration::from_secs_f64(seconds));
        let cases: [(&[(&str, &str)], Option<Duration>); 16] = [
            (&[("retry-after", "7")], seconds(7.0)),
            (&[("retry-after", "0.5")], seconds(0.5)),
            (&[("retry-after-ms", "250"), ("retry-after", "1")], seconds(0.25)),
            (&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")], seconds(0.0)),
            (&[("retry-after", "Thu, 01 Jan 2026 00:01:00 GMT")], seconds(60.0)),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "-3")], None),
            (&[("retry-after", "NaN")], None),
            (&[("retry-after", "inf")], None),
            (&[("x-ratelimit-reset-requests", "1s"), ("x-ratelimit-reset-tokens", "6m0s")], seconds(1.0)),
            (
                &[
                    ("x-ratelimit-reset-requests", "20ms"),
                    ("x-ratelimit-remaining-tokens", "0"),
                    ("x-ratelimit-reset-tokens", "1m0.5s"),
                ],
                seconds(60.5),
            ),
            (
                &[
                    ("anthropic-ratelimit-tokens-remaining", "0"),
                    ("anthropic-ratelimit-tokens-reset", "2026-01-01T00:00:09Z"),
                ],
                seconds(9.0),
            ),
            (&[("x-ratelimit-reset", "1767225605000")], seconds(5.0)),
            (&[("x-ratelimit-reset", "1767225604")], seconds(4.0)),
            (&[("ratelimit-reset", "30")], seconds(30.0)),
            (&[], None),
        ];
        for (headers, expected) in cases {
            assert_eq!(read(headers), expected, "{headers:?}");
        }
    }
}
