//! The one text of a JSON value, by RFC 8785: keys in the order of their UTF-16 units, no spaces, one form a number.
//!
//! Numbers go further than the RFC, which rounds them to doubles: two seeds of twenty digits would share a key there.
//! Here a number that is no double's shortest form keeps all its digits; every other one reads as the RFC says.
//! (That, and `serde_json`'s numbers of any precision, are why the crate `serde_jcs` does not do.)

use serde_json::{Map, Value};
use std::fmt::Write;

/// The most zeros that are written out for an integer that is no double: enough for every integer that Python prints.
const MOST_ZEROS: i64 = 5_000;

/// The one text of a JSON value.
///
/// ```
/// use headrace::cache::scope::canonical;
/// let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
/// assert_eq!(canonical(&read(r#"{"b": 1.0, "a": [true, null, -0.0]}"#)), r#"{"a":[true,null,0],"b":1}"#);
/// assert_eq!(canonical(&read("1e2")), canonical(&read("100")));
/// assert_ne!(canonical(&read("12345678901234567890")), canonical(&read("12345678901234567891")));
/// ```
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_value(value, &mut text);
    text
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => write_object(map, out),
        Value::Number(number) => write_number(number.as_str(), out),
        Value::Null | Value::Bool(_) | Value::String(_) => {
            let _ = write!(out, "{value}");
        }
    }
}

fn write_object(map: &Map<String, Value>, out: &mut String) {
    let mut fields: Vec<_> = map.iter().collect();
    fields.sort_unstable_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
    out.push('{');
    for (i, (name, item)) in fields.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        let _ = write!(out, "{}:", Value::String(name.clone()));
        write_value(item, out);
    }
    out.push('}');
}

/// A decimal number: 0.DIGITS times ten to the power of `point`, with neither leading nor trailing zeros.
#[derive(PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    digits: String,
    point: i64,
}

impl Decimal {
    /// Reads a JSON number; None where its exponent is beyond all reason.
    fn read(text: &str) -> Option<Self> {
        let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        let leading = (all.len() - digits.len()) as i64;
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() {
            return Some(Self { is_negative: false, digits: String::new(), point: 0 });
        }
        let point = exponent.parse::<i64>().ok()?.checked_add(whole.len() as i64 - leading)?;
        Some(Self { is_negative, digits: digits.to_owned(), point })
    }

    /// Whether the double nearest to it has these digits as its shortest form.
    fn is_shortest_of_a_double(&self, text: &str) -> bool {
        let double = text.parse::<f64>().ok().filter(|double| double.is_finite());
        double.is_some_and(|double| Self::read(&format!("{double:e}")).as_ref() == Some(self))
    }
}

/// As ECMAScript writes a double, so as the RFC does; one that is none with all its digits.
fn write_number(text: &str, out: &mut String) {
    let Some(decimal) = Decimal::read(text) else {
        out.push_str(text);
        return;
    };
    let Decimal { is_negative, digits, point } = &decimal;
    if digits.is_empty() {
        out.push('0');
        return;
    }
    if *is_negative {
        out.push('-');
    }
    let count = digits.len() as i64;
    // An integer of many digits that is no double stays an integer: with an exponent it would be read as a double.
    let most = if decimal.is_shortest_of_a_double(text) { 21 } else { count.max(21) + MOST_ZEROS };
    if count <= *point && *point <= most {
        out.push_str(digits);
        out.extend(std::iter::repeat_n('0', (point - count) as usize));
    } else if 0 < *point && *point < count {
        let (whole, fraction) = digits.split_at(*point as usize);
        let _ = write!(out, "{whole}.{fraction}");
    } else if -6 < *point && *point <= 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', -point as usize));
        out.push_str(digits);
    } else {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        let _ = write!(out, "{first}{dot}{rest}e{:+}", point - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> String {
        canonical(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn numbers_read_as_the_rfc_says() {
        // Appendix B of RFC 8785.
        for (given, expected) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0e7", "0"),
            ("5e-324", "5e-324"),
            ("-5e-324", "-5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("9007199254740992", "9007199254740992"),
            ("-9007199254740992", "-9007199254740992"),
            ("295147905179352830000", "295147905179352830000"),
            ("9.999999999999997e22", "9.999999999999997e+22"),
            ("1e23", "1e+23"),
            ("1.0000000000000001e23", "1.0000000000000001e+23"),
            ("999999999999999700000", "999999999999999700000"),
            ("1e21", "1e+21"),
            ("9.999999999999997e-7", "9.999999999999997e-7"),
            ("0.000001", "0.000001"),
            ("333333333.33333329", "333333333.33333329"),
            ("1E30", "1e+30"),
            ("4.50", "4.5"),
            ("2e-3", "0.002"),
            ("0.000000000000000000000000001", "1e-27"),
        ] {
            assert_eq!(of(given), expected, "{given}");
        }
    }

    #[test]
    fn what_no_double_holds_keeps_its_digits() {
        assert_eq!(of("12345678901234567891"), "12345678901234567891");
        assert_eq!(of("1234567890123456789012345678901"), "1234567890123456789012345678901");
        assert_eq!(of("0.1000000000000000055511151231257827"), "0.1000000000000000055511151231257827");
        assert_eq!(of("1e400"), format!("1{}", "0".repeat(400)));
        assert_eq!(of("1e999999999999"), "1e+999999999999");
        assert_eq!(of("1e99999999999999999999"), "1e+99999999999999999999");
    }

    #[test]
    fn keys_are_sorted_by_utf_16_and_texts_escaped_as_the_rfc_says() {
        // Section 3.2.3: U+1F600 sorts before U+FB33, though its code point is larger.
        let sorted = of(r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#);
        assert_eq!(sorted, "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}");
        assert_eq!(of(r#""\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"\/""#), r#""€$\u000f\nA'B\"\\\\\"/""#);
    }

    proptest! {
        #[test]
        fn equal_numbers_have_one_form_and_others_another(a in -1000_i64..1000, b in -1000_i64..1000, zeros in 0..4_usize) {
            let spread = format!("{a}.{}", "0".repeat(zeros + 1));
            prop_assert_eq!(of(&spread), of(&a.to_string()));
            prop_assert_eq!(of(&format!("{a}e0")), of(&a.to_string()));
            prop_assert_eq!(of(&a.to_string()) == of(&b.to_string()), a == b);
        }

        #[test]
        fn a_double_comes_back(number in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            let text = of(&serde_json::Value::from(number).to_string());
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), number.to_bits());
        }

        #[test]
        fn the_form_is_its_own_form(number in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?") {
            let once = of(&number);
            prop_assert_eq!(of(&once), once);
        }
    }
}
