//! What scripts are given: texts, numbers, bodies.

use crate::{Error, Payload, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis::{RedisWrite, ToRedisArgs};
use std::borrow::Cow;
use std::fmt::Display;
use std::time::Duration;

/// Arguments of a script, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arguments(Vec<Vec<u8>>);

impl Arguments {
    pub(crate) fn text(mut self, text: impl AsRef<str>) -> Self {
        self.0.push(text.as_ref().as_bytes().to_vec());
        self
    }

    pub(crate) fn int(mut self, number: impl Display) -> Self {
        self.0.push(number.to_string().into_bytes());
        self
    }

    /// Empty where there is none.
    pub(crate) fn maybe(self, number: Option<impl Display>) -> Self {
        match number {
            Some(number) => self.int(number),
            None => self.text(""),
        }
    }

    pub(crate) fn flag(self, is_set: bool) -> Self {
        self.text(if is_set { "1" } else { "0" })
    }

    pub(crate) fn body(mut self, body: Vec<u8>) -> Self {
        self.0.push(body);
        self
    }

    /// How many bytes they are.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    pub(crate) fn all(mut self, others: &Self) -> Self {
        self.0.extend(others.0.iter().cloned());
        self
    }
}

impl ToRedisArgs for Arguments {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        self.0.iter().for_each(|argument| out.write_arg(argument));
    }

    fn num_of_args(&self) -> usize {
        self.0.len()
    }
}

/// A payload with its kind before it: JSON, bytes, or where only text may be sent, bytes in base64.
pub(crate) fn body_of(payload: &Payload, is_binary: bool) -> Vec<u8> {
    let bytes = payload.as_bytes();
    if !is_binary && std::str::from_utf8(bytes).is_err() {
        return format!("x{}", STANDARD.encode(bytes)).into_bytes();
    }
    let mut body = Vec::with_capacity(bytes.len() + 1);
    body.push(if matches!(payload, Payload::Json(_)) { b'j' } else { b'b' });
    body.extend_from_slice(bytes);
    body
}

/// What was put, from a body.
pub(crate) fn payload_of(body: &[u8]) -> Result<Payload> {
    match body.split_first() {
        Some((b'j', json)) => Ok(Payload::Json(bytes::Bytes::copy_from_slice(json))),
        Some((b'b', bytes)) => Ok(Payload::bytes(bytes)),
        Some((b'x', text)) => STANDARD
            .decode(text)
            .map(|bytes| Payload::Bytes(bytes.into()))
            .map_err(|_| Error::Store("a payload in Redis is not what was written".into())),
        _ => Err(Error::Store("a payload in Redis has no kind: is another program at work in it?".into())),
    }
}

/// Microseconds, which the scripts count in.
pub(crate) fn micros(duration: Duration) -> u64 {
    // A double holds them exactly up to the year 2255; what is meant to last for ever lasts so long.
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).min(1 << 52)
}

/// A name as scripts keep it: what separates names there stands in none.
pub(crate) fn escaped(name: &str) -> Cow<'_, str> {
    if !name.bytes().any(|byte| byte < b' ' || byte == b'%') {
        return Cow::Borrowed(name);
    }
    let mut text = String::with_capacity(name.len() + 8);
    for character in name.chars() {
        if character < ' ' || character == '%' {
            text.push_str(&format!("%{:02x}", u32::from(character)));
        } else {
            text.push(character);
        }
    }
    Cow::Owned(text)
}

/// The name that was escaped.
pub(crate) fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split('%');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok()).unwrap_or(b'%');
        name.push(char::from(code));
        name.push_str(part.get(2..).unwrap_or_default());
    }
    Cow::Owned(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_name_comes_back_as_it_went_in_and_has_no_separator(name in "[\\x00-\\x7f%é]{0,12}") {
            let text = escaped(&name);
            prop_assert!(text.bytes().all(|byte| byte >= b' '));
            prop_assert_eq!(unescaped(&text), name.as_str());
        }

        #[test]
        fn a_body_comes_back_as_it_went_in(bytes: Vec<u8>, text: String, is_binary: bool) {
            for payload in [Payload::bytes(bytes), Payload::Json(text.into())] {
                let body = body_of(&payload, is_binary);
                prop_assert!(is_binary || std::str::from_utf8(&body).is_ok());
                prop_assert_eq!(payload_of(&body).unwrap(), payload);
            }
        }
    }
}
