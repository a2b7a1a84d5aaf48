//! A question as tokens: words, numbers and the few symbols that mean something.

use super::{number, sign};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Number,
    Symbol,
}

/// A piece of the question, with what its place and writing say about it.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the writing, and none excludes another"
)]
pub(super) struct Token<'a> {
    /// As written, without a possessive ending.
    pub(super) text: &'a str,
    pub(super) kind: Kind,
    /// Lower case; of a number, its canonical decimal form.
    pub(super) lower: String,
    pub(super) stem: String,
    /// Nothing stands between it and the token before.
    pub(super) glued: bool,
    /// A hyphen, dash or slash stands between it and the token before.
    pub(super) hyphen: bool,
    /// An apostrophe stands right before it, as in "'24".
    pub(super) apostrophe: bool,
    /// It begins a sentence.
    pub(super) starts: bool,
    /// A comma, bracket or the like stands between it and the token before.
    pub(super) apart: bool,
    /// It was written with a possessive ending, so what it names ends here.
    pub(super) possessive: bool,
}

impl Token<'_> {
    pub(super) fn is_capital(&self) -> bool {
        self.kind == Kind::Word && self.text.chars().next().is_some_and(char::is_uppercase)
    }

    pub(super) fn is_number(&self) -> bool {
        self.kind == Kind::Number
    }

    /// Two letters or more, all of them upper case.
    pub(super) fn is_acronym(&self) -> bool {
        self.kind == Kind::Word
            && self.text.chars().filter(|letter| letter.is_uppercase()).count() > 1
            && !self.text.chars().any(char::is_lowercase)
    }

    /// Whether it goes on from the token before without a space.
    pub(super) fn is_joined(&self) -> bool {
        self.glued || self.hyphen
    }
}

/// A minus as it is typed.
pub(super) const MINUS: [char; 4] = ['-', '−', '–', '‒'];
const HYPHENS: [char; 7] = ['-', '‐', '‑', '‒', '–', '—', '/'];
const APOSTROPHES: [char; 3] = ['\'', '’', 'ʼ'];
/// Words before an apostrophe that stand for themselves, as in "l'eau".
const ELISIONS: [&str; 9] = ["l", "d", "qu", "n", "c", "s", "dell", "nell", "all"];

/// So many tokens are read; what stands behind them is compared as it is.
pub(super) const MOST: usize = 1000;

/// What stands behind the tokens that are read.
pub(super) fn rest<'a>(text: &'a str, tokens: &[Token<'_>]) -> &'a str {
    let end = |last: &Token<'_>| last.text.as_ptr() as usize + last.text.len() - text.as_ptr() as usize;
    let read = if tokens.len() < MOST { None } else { tokens.last().map(end) };
    read.and_then(|end| text.get(end..)).unwrap_or("")
}

pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found: Vec<Token<'_>> = Vec::with_capacity(text.len() / 5 + 1);
    let (mut at, mut end, mut starts) = (0, usize::MAX, true);
    while let Some(letter) = text[at..].chars().next()
        && found.len() < MOST
    {
        let kind = if letter.is_ascii_digit() || is_point(&text[..at], &text[at..]) {
            Kind::Number
        } else if is_letter(letter) {
            Kind::Word
        } else if sign::length(text, at) > 0 {
            Kind::Symbol
        } else {
            starts |= matches!(letter, '.' | '?' | '!' | ':' | '\n' | '"' | '“');
            at += letter.len_utf8();
            continue;
        };
        let length = match kind {
            Kind::Number => number::length(&text[at..]),
            Kind::Word => word_length(&text[at..]) + sign_length(&text[at..]),
            Kind::Symbol => sign::length(text, at),
        };
        let raw = &text[at..at + length];
        let between = text.get(end..at).unwrap_or(" ");
        let hyphen = between.len() <= 4 && between.chars().count() == 1 && between.starts_with(HYPHENS);
        let apart = between.contains([',', ';', ':', '(', ')', '.', '?', '!', '"']);
        let written = if kind == Kind::Word { without_possessive(without_contraction(raw)) } else { raw };
        let mut lower = if kind == Kind::Number { number::canonical(raw) } else { written.to_lowercase() };
        if kind == Kind::Number && is_negative(&text[..at]) {
            lower.insert(0, '-');
        }
        let stem = if kind == Kind::Word { stem(&lower) } else { lower.clone() };
        found.push(Token {
            text: written,
            kind,
            lower,
            stem,
            glued: end == at,
            hyphen,
            apostrophe: between.ends_with(['\'', '’', '‘', '`']),
            starts,
            apart,
            possessive: raw.len() > written.len() && raw.ends_with(['s', 'S', '\'', '’', 'ʼ']),
        });
        at += length;
        end = at;
        starts = false;
    }
    found
}

fn is_letter(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '°'
}

/// Whether a number begins with its point, as ".5" does.
fn is_point(before: &str, here: &str) -> bool {
    let follows = here.strip_prefix('.').is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()));
    follows && !before.ends_with(|last: char| last.is_alphanumeric() || matches!(last, '.' | ')' | ']' | '_'))
}

/// Whether a minus stands right before a number, and nothing before that: "-5 %", but not "2020-2025".
fn is_negative(before: &str) -> bool {
    let Some(rest) = before.strip_suffix(MINUS) else { return false };
    rest.chars().next_back().is_none_or(|letter| letter.is_whitespace() || letter == '(')
}

/// The sign of a grade is part of it: "A-" is no "A".
fn sign_length(text: &str) -> usize {
    let grade = text.bytes().take_while(|letter| (b'A'..=b'F').contains(letter)).count();
    let mut after = text[grade..].chars();
    let Some(sign) = after.next().filter(|sign| (1..=3).contains(&grade) && (*sign == '+' || MINUS.contains(sign)))
    else {
        return 0;
    };
    // "C++" is no grade, nor is the "A-" of "A-rated".
    if after.next().is_some_and(|next| next.is_alphanumeric() || next == sign) { 0 } else { sign.len_utf8() }
}

/// Letters and digits, apostrophes inside, and a point between two digits as in "PM2.5".
fn word_length(text: &str) -> usize {
    let mut before = ' ';
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let next = letters.peek().map_or(' ', |&(_, next)| next);
        let inside = if APOSTROPHES.contains(&letter) {
            next.is_alphabetic() && !(at <= 4 && ELISIONS.contains(&text[..at].to_lowercase().as_str()))
        } else {
            is_letter(letter) || (letter == '.' && before.is_ascii_digit() && next.is_ascii_digit())
        };
        if !inside {
            return at;
        }
        before = letter;
    }
    text.len()
}

/// "I'd", "they've": what is left is the word, and the rest carries nothing.
fn without_contraction(word: &str) -> &str {
    let Some((bare, ending)) = word.rsplit_once(APOSTROPHES) else { return word };
    let contracted = matches!(ending, "d" | "m" | "ll" | "re" | "ve") && !bare.is_empty();
    if contracted { bare } else { word }
}

fn without_possessive(word: &str) -> &str {
    let bare = word.strip_suffix(['s', 'S']).unwrap_or(word);
    bare.strip_suffix(APOSTROPHES).filter(|rest| !rest.is_empty()).unwrap_or(word)
}

/// A letter without its accent, as many write it: "Nestle", "Orsted".
pub(super) fn plain(letter: char) -> char {
    match letter {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'ç' => 'c',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ñ' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ý' | 'ÿ' => 'y',
        'ł' => 'l',
        'š' | 'ś' => 's',
        'ž' | 'ź' | 'ż' => 'z',
        other => other,
    }
}

/// The stems of a phrase's words.
pub(super) fn stems(phrase: &str) -> Box<[Box<str>]> {
    phrase.split([' ', '-']).filter(|word| !word.is_empty()).map(|word| stem(word).into()).collect()
}

/// One form for the forms of a word: plural, -ing and -ed endings go, and -ise is written for -ize.
///
/// Cuts less than Porter's stemmer does, for here two words in one stem are taken for the same.
pub(super) fn stem(lower: &str) -> String {
    let mut word = lower.replace("n't", " not").replace("n’t", " not");
    if !word.is_ascii() || word.contains(|letter: char| !letter.is_ascii_alphabetic()) {
        return word;
    }
    for ending in ["iza", "ize", "izi", "yze", "yzi"] {
        if word.len() > 5 && word.contains(ending) {
            word = word.replace(ending, &ending.replace('z', "s"));
        }
    }
    let has_vowel = |text: &str| text.contains(['a', 'e', 'i', 'o', 'u', 'y']);
    if word.len() > 4 && word.ends_with("ies") {
        word.truncate(word.len() - 3);
        word.push('y');
    } else if ["sses", "xes", "ches", "shes", "zes"].iter().any(|ending| word.ends_with(ending)) {
        word.truncate(word.len() - 2);
    } else if word.len() > 3 && word.ends_with('s') && !["ss", "us", "is"].iter().any(|ending| word.ends_with(ending)) {
        word.truncate(word.len() - 1);
    }
    for (ending, shortest) in [("ing", 6), ("ed", 5)] {
        if let Some(rest) = word.strip_suffix(ending)
            && word.len() >= shortest
            && has_vowel(rest)
        {
            word.truncate(rest.len());
            break;
        }
    }
    if word.len() > 3 && word.ends_with('e') {
        word.truncate(word.len() - 1);
    }
    let bytes = word.as_bytes();
    if let [.., before, last] = bytes
        && bytes.len() > 3
        && before == last
        && !b"aeiou".contains(last)
    {
        word.truncate(word.len() - 1);
    }
    if word.len() > 3 && word.ends_with('y') {
        word.truncate(word.len() - 1);
        word.push('i');
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_have_one_stem() {
        for (one, other) in [
            ("emits", "emitted"),
            ("reduce", "reducing"),
            ("sites", "site"),
            ("policies", "policy"),
            ("landfilled", "landfill"),
            ("decarbonize", "decarbonise"),
            ("studied", "study"),
        ] {
            assert_eq!(stem(one), stem(other), "{one} {other}");
        }
        assert_ne!(stem("organic"), stem("organisation"));
        assert_ne!(stem("employee"), stem("employer"));
    }

    #[test]
    fn tokens_keep_what_place_and_writing_say() {
        let found = tokens("Acme's CO2e, E1-6 and 1,200.5 kWh: don't (l'eau)");
        let texts: Vec<_> = found.iter().map(|token| token.text).collect();
        assert_eq!(texts, ["Acme", "CO2e", "E1", "6", "and", "1,200.5", "kWh", "don't", "l", "eau"]);
        assert!(found[3].hyphen && found[0].starts && found[7].starts && !found[1].starts);
        assert_eq!(found[5].lower, "1200.5");
    }
}
