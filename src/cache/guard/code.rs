//! Numbered things: scopes, categories and articles by their label, standards and datapoints by their code.

use super::extract::Reading;
use super::lexicon::Meaning;
use super::number;
use super::text::{Kind, MINUS, Token};

/// Labels whose numbers are a slot of their own, by stem.
const LABELS: [(&str, &str); 22] = [
    ("scop", "scope"),
    ("périmètre", "scope"),
    ("ambito", "scope"),
    ("alcance", "scope"),
    ("âmbito", "scope"),
    ("categori", "category"),
    ("cat", "category"),
    ("kategorie", "category"),
    ("catégorie", "category"),
    ("tier", "tier"),
    ("level", "level"),
    ("phas", "phase"),
    ("articl", "article"),
    ("art", "article"),
    ("annex", "annex"),
    ("section", "section"),
    ("chapter", "chapter"),
    ("principl", "principle"),
    ("pillar", "pillar"),
    ("version", "version"),
    ("question", "question"),
    ("pai", "PAI"),
];

/// Families of codes that many write small.
const FAMILIES: [&str; 8] = ["iso", "esrs", "gri", "ifrs", "sasb", "en", "din", "ohsas"];

/// "scope 1", "Scopes 1, 2 and 3", "scope one", "Scope-3-Emissionen", "category 11", "Annex II".
pub(super) fn labels(reading: &mut Reading<'_>) {
    let mut at = 0;
    while at < reading.tokens.len() {
        let label = LABELS.iter().find(|(stem, _)| reading.free(at).is_some_and(|token| token.stem == *stem));
        let short = scope(reading, at);
        let Some(slot) = label.map(|(_, slot)| *slot).or(short.map(|_| "scope")) else {
            at += 1;
            continue;
        };
        let mut next = at + 1;
        let mut read: Vec<(usize, String)> = short.map(|number| (at, number.to_owned())).into_iter().collect();
        loop {
            let joint = !read.is_empty()
                && matches!(
                    reading.lower(Some(next)),
                    "and" | "&" | "+" | "or" | "und" | "et" | "y" | "e" | "en" | "to" | "vs" | "versus"
                );
            let place = if joint { next + 1 } else { next };
            let Some(value) = small(reading, place)
                .filter(|_| joint || read.is_empty() || reading.tokens[place].hyphen || comma(reading, place))
            else {
                break;
            };
            if reading.lower(Some(next)) == "to" || (!joint && !read.is_empty() && reading.tokens[place].hyphen) {
                let last: Option<u64> = read.last().and_then(|(_, last)| last.parse().ok());
                if let (Some(first), Ok(last)) = (last, value.parse::<u64>())
                    && last > first
                    && last - first < 20
                {
                    read.extend((first + 1..last).map(|between| (place, between.to_string())));
                }
            }
            read.push((place, value));
            next = place + 1;
        }
        if read.is_empty() {
            at += 1;
            continue;
        }
        // "vs" and "and" between two numbers go with them, except where they ask for a comparison.
        let compares = (at..next).find(|&at| matches!(reading.lower(Some(at)), "vs" | "versus"));
        let last = next;
        for (place, value) in read {
            reading.fact(place, slot, value);
        }
        for place in at..last {
            if Some(place) != compares {
                reading.take(place, 1);
            }
        }
        at = last;
    }
}

/// "S1" where emissions are asked for, and no standard.
fn scope(reading: &Reading<'_>, at: usize) -> Option<&'static str> {
    const EMITS: [&str; 15] = [
        "emission",
        "emit",
        "emitt",
        "co2",
        "co2e",
        "tco2e",
        "ghg",
        "carbon",
        "footprint",
        "target",
        "goal",
        "mb",
        "lb",
        "mkt",
        "scop",
    ];
    const STANDARDS: [&str; 7] = ["ifrs", "esrs", "issb", "efrag", "standard", "aws", "bucket"];
    let says = |words: &[&str]| reading.tokens.iter().any(|token| words.contains(&token.stem.as_str()));
    let number = match reading.free(at)?.lower.as_str() {
        "s1" => "1",
        "s2" => "2",
        "s3" => "3",
        _ => return None,
    };
    let is_code = reading.tokens.get(at + 1).is_some_and(|next| next.hyphen && next.is_number());
    (!is_code && says(&EMITS) && !says(&STANDARDS)).then_some(number)
}

/// A number that counts things of a list, not a year nor an amount.
fn small(reading: &Reading<'_>, at: usize) -> Option<String> {
    let token = reading.free(at)?;
    let value = if token.is_number() {
        token.lower.parse::<u64>().ok().filter(|_| token.text.len() < 4)?
    } else {
        number::word(&token.lower).or_else(|| number::roman(token.text))?
    };
    Some(value.to_string())
}

/// Numbers of a list may follow each other: "scopes 1, 2 and 3".
fn comma(reading: &Reading<'_>, at: usize) -> bool {
    let follows = reading
        .tokens
        .get(at + 1)
        .is_some_and(|next| next.is_number() || matches!(next.lower.as_str(), "and" | "&" | "+"));
    reading.tokens[at].text.len() < 3 && follows
}

/// "GRI 305-1", "E1-6", "IFRS S2", "ISO 14001", "EM-EP-110a.1": the code; the family stays a name.
pub(super) fn codes(reading: &mut Reading<'_>) {
    let mut at = 0;
    while at < reading.tokens.len() {
        if is_mark(reading, at) || is_point(reading, at) {
            let letter: Box<str> = reading.tokens[at].text.to_uppercase().replace(MINUS, "-").into();
            reading.fact(at, "letter", letter);
            reading.take(at, 1);
        }
        let count = chain(reading, at);
        let after_family = at > 0 && (!reading.tokens[at].starts || reading.tokens[at].hyphen) && {
            let family = &reading.tokens[at - 1];
            (family.is_acronym() || FAMILIES.contains(&family.lower.as_str()))
                && !family.text.chars().any(|letter| letter.is_ascii_digit())
                && !is_unit(reading, at - 1)
        };
        if count == 0 || !is_code(reading, at, count, after_family) {
            at += 1;
            continue;
        }
        let parts: Vec<_> = reading.tokens[at..at + count].iter().map(|token| token.text.to_lowercase()).collect();
        let mut code = String::new();
        for (place, part) in parts.iter().enumerate() {
            if place > 0 && reading.tokens[at + place].hyphen {
                code.push('-');
            }
            code.push_str(part);
        }
        let code = code.to_uppercase();
        // "R-410A" and "R410A", "ISO-14001" and "ISO 14001"
        let code = code.strip_prefix("R-").map_or_else(|| code.clone(), |rest| format!("R{rest}"));
        let family = code.split_once('-').filter(|(family, _)| FAMILIES.contains(&family.to_lowercase().as_str()));
        let code = family.map_or(code.as_str(), |(_, rest)| rest).to_owned();
        reading.fact(at, "code", code);
        reading.take(at, count);
        at += count;
    }
}

/// A capital that stands alone is a mark, and so is a grade: "rated A", "class B", "AA", "BBB+"; but not "I",
/// and not one of several, as in "U.S.". A small letter is one behind what is told apart by letters: "site b".
fn is_mark(reading: &Reading<'_>, at: usize) -> bool {
    const LETTERED: [&str; 12] =
        ["sit", "plant", "block", "phas", "option", "clas", "typ", "zon", "lin", "build", "unit", "group"];
    let letter = |at: usize| reading.free(at).filter(|token| token.text.len() == 1 && token.kind == Kind::Word);
    let single = |at: usize| letter(at).is_some_and(Token::is_capital);
    let is_word = |at: usize| reading.tokens.get(at).is_some_and(Token::is_joined);
    let token = &reading.tokens[at];
    let is_grade = || token.text.ends_with(MINUS) || token.text.ends_with('+') || is_doubled(token.text);
    if reading.is_free(at) && token.kind == Kind::Word && is_grade() {
        return true;
    }
    let lettered = at > 0 && LETTERED.contains(&reading.tokens[at - 1].stem.as_str()) && !token.apart;
    // "w/o", "a plant a": small letters that are words.
    let is_word_of_one = matches!(token.text, "a" | "i" | "o" | "s" | "t" | "w");
    let alone = !is_word_of_one && !token.is_joined() && !token.possessive && !is_word(at + 1);
    alone
        && if lettered {
            letter(at).is_some()
        } else {
            single(at) && token.text != "I" && at > 0 && !single(at + 1) && !single(at - 1)
        }
}

/// One of the letters of grades, twice or three times: "AA", "BBB".
fn is_doubled(word: &str) -> bool {
    let first = word.bytes().next().filter(|letter| (b'A'..=b'D').contains(letter));
    (2..=3).contains(&word.len()) && first.is_some_and(|first| word.bytes().all(|letter| letter == first))
}

/// A small letter behind a number is a point of it: "305-1-a", "Article 19a", "Article 8(1)(a)".
fn is_point(reading: &Reading<'_>, at: usize) -> bool {
    let Some(token) = reading.free(at).filter(|token| token.text.len() == 1 && token.kind == Kind::Word) else {
        return false;
    };
    let before = at.checked_sub(1).map(|before| reading.tokens[before].text).unwrap_or_default();
    let numbered = before.ends_with(|letter: char| letter.is_ascii_digit());
    let bracketed = token.apart && reading.tokens.get(at + 1).is_none_or(|next| next.apart || next.lower == "of");
    numbered && (token.is_joined() || bracketed) && !is_unit(reading, at)
}

/// How many tokens go on from each other without a space, all of them capitals or digits.
fn chain(reading: &Reading<'_>, from: usize) -> usize {
    let part = |at: usize| {
        reading.free(at).is_some_and(|token| {
            token.is_number()
                || (token.text.len() <= 6
                    && token
                        .text
                        .chars()
                        .all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '.'))
                || (at > from && reading.tokens[at - 1].is_number() && token.glued && token.text.len() <= 4)
        })
    };
    let mut at = from;
    while part(at) && (at == from || reading.tokens[at].is_joined()) {
        at += 1;
    }
    at - from
}

fn is_code(reading: &Reading<'_>, at: usize, count: usize, after_family: bool) -> bool {
    let chained = &reading.tokens[at..at + count];
    let digits = |text: &str| text.chars().any(|letter| letter.is_ascii_digit());
    let letters = |text: &str| text.chars().any(|letter| letter.is_ascii_uppercase());
    let has_digits = chained.iter().any(|token| digits(token.text));
    let has_letters = chained.iter().any(|token| letters(token.text));
    let is_known = count == 1 && reading.lexicon.meaning(&chained[0].stem).is_some();
    let is_year = chained
        .iter()
        .all(|token| token.text.len() == 4 && (token.text.starts_with("19") || token.text.starts_with("20")));
    // "GWP-100" is a thing with a number.
    let is_thing = |token: &Token<'_>| matches!(reading.lexicon.meaning(&token.stem), Some(Meaning::Concept(_)));
    let of_thing = after_family && is_thing(&reading.tokens[at - 1]) && !chained[0].starts;
    if is_known
        || (count > 1 && is_thing(&chained[0]))
        || (of_thing && chained[0].hyphen)
        || (is_year && chained[0].is_number())
    {
        return false;
    }
    match count {
        1 if chained[0].is_number() => after_family,
        1 => has_digits && has_letters && chained[0].text.len() <= 5,
        _ if after_family => has_digits || has_letters,
        _ => {
            has_digits
                && (has_letters || chained.iter().all(|token| token.is_number() && token.text.len() <= 3))
                && chained.iter().any(|token| token.hyphen)
        }
    }
}

fn is_unit(reading: &Reading<'_>, at: usize) -> bool {
    matches!(
        reading.lexicon.meaning(&reading.tokens[at].stem),
        Some(Meaning::Unit(_) | Meaning::ShortUnit(_) | Meaning::Gas(_))
    )
}
