//! JSON as providers send it in a reply that is paid for.

use serde_json::Value;
use std::borrow::Cow;

/// Reads a body. What many servers get wrong does not throw the answer away: a byte order mark, bytes that are no UTF-8,
/// escapes of half a surrogate pair (each becomes U+FFFD), control characters inside a text. All else is as strict as JSON is.
///
/// # Errors
/// Where the body is no JSON; the text says what is wrong and where.
///
/// ```
/// let body = b"\xef\xbb\xbf{\"content\": \"4.2 t \\ud83d\"}\r\n";
/// assert_eq!(headrace::wire::json::parse(body).unwrap()["content"], "4.2 t \u{fffd}");
/// ```
pub fn parse(body: &[u8]) -> Result<Value, String> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(body).or_else(|error| {
        let text = String::from_utf8_lossy(body);
        let whole = mended(&text).map_or(text, Cow::Owned);
        let escaped = escaped(&whole).map_or(whole, Cow::Owned);
        if escaped.as_bytes() == body {
            return Err(error.to_string());
        }
        serde_json::from_str(&escaped).map_err(|error| error.to_string())
    })
}

/// The text with each control character inside a string escaped, such as a bare carriage return; None where there is none.
fn escaped(text: &str) -> Option<String> {
    let mut out: Option<String> = None;
    let (mut copied, mut in_string, mut after_backslash) = (0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if after_backslash => after_backslash = false,
            b'\\' => after_backslash = in_string,
            b'"' => in_string = !in_string,
            ..0x20 if in_string => {
                let out = out.get_or_insert_with(|| String::with_capacity(text.len() + 8));
                out.push_str(&text[copied..at]);
                out.push_str(&format!("\\u{byte:04x}"));
                copied = at + 1;
            }
            _ => {}
        }
    }
    let mut out = out?;
    out.push_str(&text[copied..]);
    Some(out)
}

/// The text with each escape of half a surrogate pair replaced; None where there is none.
fn mended(text: &str) -> Option<String> {
    let mut out: Option<String> = None;
    // How much of the text stands in `out`.
    let mut copied = 0;
    let mut at = 0;
    let bytes = text.as_bytes();
    while let Some(next) = bytes[at..].iter().position(|byte| *byte == b'\\') {
        let start = at + next;
        at = match unit(bytes, start) {
            Some(0xD800..0xDC00) if matches!(unit(bytes, start + 6), Some(0xDC00..0xE000)) => start + 12,
            Some(0xD800..0xE000) => {
                let out = out.get_or_insert_with(|| String::with_capacity(text.len()));
                out.push_str(&text[copied..start]);
                out.push_str("\\ufffd");
                copied = start + 6;
                copied
            }
            Some(_) => start + 6,
            // An escape of one character, which may be a backslash itself.
            None => (start + 2).min(bytes.len()),
        };
    }
    let mut out = out?;
    out.push_str(&text[copied..]);
    Some(out)
}

/// The UTF-16 unit of an escape `\uXXXX` at a place.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_servers_get_wrong_is_read() {
        for (given, expected) in [
            (&b"\xef\xbb\xbf{\"a\": 1}"[..], json!({"a": 1})),
            (b"{\"a\": 1}\r\n \t\n", json!({"a": 1})),
            (b"[\"caf\xe9\"]", json!(["caf\u{fffd}"])),
            (br#"["\ud800"]"#, json!(["\u{fffd}"])),
            (br#"["\udc00\ud800x"]"#, json!(["\u{fffd}\u{fffd}x"])),
            (br#"["\ud83d\ude00 \uD83D \ude00"]"#, json!(["\u{1f600} \u{fffd} \u{fffd}"])),
            (br#"["\\ud800 \ud800"]"#, json!(["\\ud800 \u{fffd}"])),
            (br#"["\ud800\n\"\ud800"]"#, json!(["\u{fffd}\n\"\u{fffd}"])),
            (b"[\"\\ud800 caf\xe9\"]", json!(["\u{fffd} caf\u{fffd}"])),
            (b"\r\n[\r\"a\rb\tc\\\"\nd\\\\\"\r]\r", json!(["a\rb\tc\"\nd\\"])),
            (b"[\"\\ud800\r\"]", json!(["\u{fffd}\r"])),
        ] {
            assert_eq!(parse(given).unwrap(), expected, "{given:?}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for given in [
            "",
            " ",
            "{",
            "{\"a\": 1} x",
            "[\"\\ud8\"]",
            "[\"\\ud800",
            "[NaN]",
            "['a']",
            "\\ud800",
            "[\"\\u12é\"]",
            "[1,]",
        ] {
            assert!(parse(given.as_bytes()).is_err(), "{given}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn any_escapes_are_read(units in prop::collection::vec(prop_oneof![0xD7F0..0xE010_u16, any::<u16>()], 0..12)) {
            let escapes: Vec<String> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let body = format!("[\"{}\"]", escapes.concat());
            prop_assert_eq!(parse(body.as_bytes()).unwrap(), json!([String::from_utf16_lossy(&units)]));
        }
    }
}
