//! Numbers as people write them: separators, words, fractions and multiples.

use std::borrow::Cow;

/// The bytes of the number that begins a text: digits, with separators between digits.
pub(super) fn length(text: &str) -> usize {
    let mut end = 0;
    let mut digits = 0;
    for (at, letter) in text.char_indices() {
        if letter.is_ascii_digit() {
            digits += 1;
            end = at + 1;
            continue;
        }
        let rest = &text[at + letter.len_utf8()..];
        let follows = rest.bytes().take_while(u8::is_ascii_digit).count();
        let goes_on = match letter {
            '.' | ',' | '\'' | '’' | '\u{a0}' | '\u{202f}' | '\u{2009}' => follows > 0,
            // A plain space groups thousands only in full: "10 000".
            ' ' => follows == 3 && (1..=3).contains(&digits),
            _ => false,
        };
        if !goes_on || (letter != '.' && letter != ',' && follows != 3) {
            break;
        }
        if letter == ' ' {
            digits = 0;
        }
    }
    end
}

/// The same number in one form: no separators of thousands, a point for decimals, no zeros that say nothing.
pub(super) fn canonical(written: &str) -> String {
    if is_version(written) {
        return written.to_owned();
    }
    let marks: Vec<(usize, char)> = written.char_indices().filter(|(_, letter)| !letter.is_ascii_digit()).collect();
    let decimal = match *marks.as_slice() {
        [.., (_, before), (at, last)] if before != last && matches!(last, '.' | ',') => Some(at),
        // One comma before three digits groups thousands; one point is taken for decimals, as English has it.
        [(at, ',')] if written.len() - at - 1 != 3 || written.starts_with("0,") => Some(at),
        [(at, '.')] => Some(at),
        _ => None,
    };
    let digits = |part: &str| part.chars().filter(char::is_ascii_digit).collect::<String>();
    let (whole, fraction) = match decimal {
        Some(at) => (digits(&written[..at]), digits(&written[at..])),
        None => (digits(written), String::new()),
    };
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        rest => rest,
    };
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

/// Two points or more that group no thousands: "4.1.10" is no "4.11.0".
fn is_version(written: &str) -> bool {
    let parts: Vec<&str> = written.split('.').collect();
    let is_plain = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|letter| letter.is_ascii_digit()));
    parts.len() > 2 && is_plain && parts[1..].iter().any(|part| part.len() != 3)
}

/// The value of a number word; "one" and "second" have other uses and are left to the caller's context.
pub(super) fn word(lower: &str) -> Option<u64> {
    const SMALL: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    let place = |names: &[&str]| names.iter().position(|name| *name == lower);
    if let Some(value) = place(&SMALL) {
        return Some(value as u64);
    }
    if let Some(tens) = place(&TENS) {
        return Some(20 + 10 * tens as u64);
    }
    (lower == "dozen").then_some(12)
}

/// "first", "2nd" without its digits has none; "third" is 3.
pub(super) fn ordinal(lower: &str) -> Option<u64> {
    const NAMES: [&str; 10] =
        ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];
    NAMES.iter().position(|name| *name == lower).map(|place| place as u64 + 1)
}

/// Roman numerals as scopes, tiers and annexes have them.
pub(super) fn roman(text: &str) -> Option<u64> {
    const NAMES: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];
    NAMES.iter().position(|name| *name == text).map(|place| place as u64 + 1)
}

/// How many zeros a word such as "million" adds.
pub(super) fn zeros(lower: &str) -> Option<usize> {
    match lower {
        "hundred" => Some(2),
        "thousand" | "k" => Some(3),
        "million" | "millions" | "mn" | "mio" | "m" => Some(6),
        "billion" | "billions" | "bn" | "milliard" => Some(9),
        "trillion" | "trillions" | "tn" => Some(12),
        _ => None,
    }
}

/// A decimal with its point moved to the right.
pub(super) fn shifted(decimal: &str, zeros: usize) -> String {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let (moved, rest) = fraction.split_at(zeros.min(fraction.len()));
    let padding = zeros - moved.len();
    canonical(&format!("{whole}{moved}{}.{rest}0", "0".repeat(padding)))
}

/// The denominator that a word such as "thirds" names.
pub(super) fn fraction(lower: &str) -> Option<Cow<'static, str>> {
    Some(match lower {
        "half" | "halves" => "2".into(),
        "third" | "thirds" => "3".into(),
        "quarter" | "quarters" => "4".into(),
        "fifth" | "fifths" => "5".into(),
        "tenth" | "tenths" => "10".into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_one_value() {
        for (written, expected) in [
            ("1,200", "1200"),
            ("1,200.50", "1200.5"),
            ("1.200,50", "1200.5"),
            ("1.000.000", "1000000"),
            ("10 000", "10000"),
            ("0,5", "0.5"),
            ("0.50", "0.5"),
            ("007", "7"),
            ("0", "0"),
            ("1.5", "1.5"),
            ("1,5", "1.5"),
            ("4.1.10", "4.1.10"),
            ("4.11.0", "4.11.0"),
        ] {
            assert_eq!(canonical(written), expected, "{written}");
        }
        assert_eq!(shifted("1.5", 6), "1500000");
        assert_eq!(shifted("2", 3), "2000");
        assert_eq!(shifted("1.2345", 3), "1234.5");
    }

    #[test]
    fn a_number_ends_where_its_separators_do() {
        assert_eq!(length("1,200, and"), 5);
        assert_eq!(length("10 000 t"), 6);
        assert_eq!(length("1 2023"), 1);
        assert_eq!(length("2023 100"), 4);
        assert_eq!(length("3."), 1);
    }
}
