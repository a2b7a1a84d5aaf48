//! Signs: "1+1" and "1*1", "A = B" and "A ≠ B", "C#" and "C++".
//!
//! Every sign counts that stands between two operands or right behind a word, and is no punctuation of prose. So there
//! is no list of signs to be known, but one of characters that say nothing.

use super::extract::Reading;
use super::text::Kind;

/// Punctuation, marks and bullets.
const PROSE: &str = ".,;:?!'\"“”„‘’‚‹›«»`´()[]{}…·•‣◦▪■□●○★☆✓✔–—―‐‑‒-/\\_@¿¡§¶†‡©®™℠№′″ʼ";
/// Signs that other passes read: of amounts, their bounds and their joints.
const KNOWN: &str = "%$€£¥₹&+<>≤≥";
/// So many characters a sign has at most, and so far from it an operand stands.
const LONGEST: usize = 4;
const REACH: usize = 100;
/// Signs that stand behind a word, and nowhere else: "C#".
const SUFFIXES: [&str; 2] = ["#", "++"];

/// The bytes of the sign that stands there: one character, or several that go on from each other, as in "!=". 0 where
/// none does, or where it says nothing: "emissions*", "*really*", "#3".
pub(super) fn length(text: &str, at: usize) -> usize {
    let here = &text[at..];
    let Some(first) = here.chars().next() else { return 0 };
    let pair = ["!==", "!=", "->", "-->"].iter().find(|pair| here.starts_with(**pair));
    if !is_sign(first) && pair.is_none() {
        return 0;
    }
    let goes_on = |next: &char| is_sign(*next) && !"%$€£¥₹".contains(*next);
    let run: usize = here.chars().take(LONGEST).take_while(goes_on).map(char::len_utf8).sum();
    let length = pair.map_or(run.max(first.len_utf8()), |pair| pair.len());
    let (sign, before, after) = (&here[..length], &text[..at], &here[length..]);
    let is_known = length == first.len_utf8() && KNOWN.contains(first);
    if is_known || is_suffix(sign, before, after) || is_infix(sign, before, after) { length } else { 0 }
}

/// "C#" and "C++", but neither "emissions*" nor "250+ people".
fn is_suffix(sign: &str, before: &str, after: &str) -> bool {
    let ends_word = before.chars().next_back().is_some_and(char::is_alphabetic);
    ends_word && SUFFIXES.contains(&sign) && !after.starts_with(char::is_alphanumeric)
}

/// Whether an operand stands on either side, as far from the sign: "1*1" and "a * b", but not "a *b*".
fn is_infix(sign: &str, before: &str, after: &str) -> bool {
    let is_spaced = (before.ends_with(char::is_whitespace), after.starts_with(char::is_whitespace));
    let is_even = is_spaced.0 == is_spaced.1 || sign.contains('=');
    sign != "#" && is_even && has_operand(before.chars().rev()) && has_operand(after.chars())
}

/// Whether a letter or a digit stands there on the same line, and not too far.
fn has_operand(mut side: impl Iterator<Item = char>) -> bool {
    side.by_ref().take(REACH).take_while(|letter| *letter != '\n').any(char::is_alphanumeric)
}

fn is_sign(letter: char) -> bool {
    let is_picture =
        matches!(letter, '\u{2300}'..='\u{23ff}' | '\u{2460}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{1f000}'..);
    let is_invisible =
        matches!(letter, '\u{200b}'..='\u{206f}' | '\u{fe00}'..='\u{feff}' | '\u{e000}'..='\u{f8ff}' | '\u{fffd}');
    let is_mark = matches!(letter, '\u{300}'..='\u{36f}') || letter == '°';
    !(letter.is_alphanumeric()
        || letter.is_whitespace()
        || letter.is_control()
        || PROSE.contains(letter)
        || is_picture
        || is_invisible
        || is_mark)
}

/// One form for the ways to write a sign; None for one that says what a word says: "&" for "and", "->" for "to", "="
/// for "is".
fn canonical(sign: &str) -> Option<&str> {
    Some(match sign {
        "&" | "->" | "=>" | "-->" | "→" | "⇒" | "~" | "≈" | "=" => return None,
        "!=" | "!==" | "<>" => "≠",
        "===" => "==",
        "×" => "*",
        other => other,
    })
}

impl Reading<'_> {
    /// The signs that no pass before has taken, but for those that bound an amount.
    pub(super) fn signs(&mut self) {
        for at in 0..self.tokens.len() {
            if let Some((sign, count)) = self.spoken_sign(at) {
                self.fact(at, "sign", sign);
                self.take(at, count);
            }
            let Some(token) = self.free(at).filter(|token| token.kind == Kind::Symbol) else { continue };
            let text = token.text;
            let is_operand = |at: usize| {
                let operand = self.tokens.get(at).filter(|token| token.kind != Kind::Symbol);
                operand.is_some_and(|token| token.is_number() || token.text.chars().count() == 1)
            };
            // "scope 1 + 2", "waste + water": a plus between words is "and".
            let is_and = text == "+" && !(at > 0 && is_operand(at - 1) && is_operand(at + 1));
            let is_read_later = text != "&" && text != "+" && KNOWN.contains(text);
            let sign = canonical(text).filter(|_| !is_and && !is_read_later).map(str::to_owned);
            if let Some(sign) = sign {
                self.fact(at, "sign", sign);
                self.take(at, 1);
            }
        }
    }

    /// "C sharp", "C plus plus": the sign, and in how many words.
    fn spoken_sign(&self, at: usize) -> Option<(&'static str, usize)> {
        let is_letter = at.checked_sub(1).is_some_and(|before| self.tokens[before].text.chars().count() == 1);
        let is = |at: usize, word: &str| self.free(at).is_some_and(|token| token.lower == word);
        match is_letter {
            true if is(at, "sharp") => Some(("#", 1)),
            true if is(at, "plus") && is(at + 1, "plus") => Some(("++", 2)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::length;

    #[test]
    fn a_sign_stands_between_operands_or_behind_a_word() {
        for (text, sign) in [
            ("1*1", "*"),
            ("a = b", "="),
            ("a=b", "="),
            ("a != b", "!="),
            ("a | b", "|"),
            ("a || b", "||"),
            ("x -> y", "->"),
            ("in C#?", "#"),
            ("C++ code", "++"),
            ("a ∪ b", "∪"),
            ("5 ± 1", "±"),
        ] {
            let at = text.find(sign).unwrap();
            assert_eq!(length(text, at), sign.len(), "{text}");
        }
    }

    #[test]
    fn what_prose_is_written_with_is_no_sign() {
        for text in [
            "a, b",
            "a - b",
            "a – b",
            "a / b",
            "“a”",
            "(a)",
            "a…",
            "• a",
            "a 🙂 b",
            "a\u{200b}b",
            "emissions* a",
            "a *b*",
            "#3",
            "# a",
            "- a",
            "* a",
            "x = ?",
            "a `b` c",
        ] {
            let found: usize = text.char_indices().map(|(at, _)| length(text, at)).sum();
            assert_eq!(found, 0, "{text}");
        }
    }
}
