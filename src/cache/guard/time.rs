//! Years, fiscal years, quarters, halves, months and days.

use super::extract::Reading;
use super::lexicon::Meaning;
use super::small_words::ASKS;
use super::text::Token;
use super::{number, quantity};

/// Month names by their first letters, in the languages that the guards know.
const MONTHS: [&[&str]; 12] = [
    &["january", "jan", "januar", "janvier", "enero", "janeiro", "gennaio", "januari"],
    &["february", "feb", "februar", "février", "febrero", "fevereiro", "febbraio", "februari"],
    &["march", "mar", "märz", "mars", "marzo", "março", "maart"],
    &["april", "apr", "avril", "abril", "aprile"],
    &["may", "mai", "mayo", "maio", "maggio", "mei"],
    &["june", "jun", "juni", "juin", "junio", "junho", "giugno"],
    &["july", "jul", "juli", "juillet", "julio", "julho", "luglio"],
    &["august", "aug", "août", "agosto", "augustus"],
    &["september", "sep", "sept", "septembre", "septiembre", "setembro", "settembre"],
    &["october", "oct", "oktober", "okt", "octobre", "octubre", "outubro", "ottobre"],
    &["november", "nov", "novembre", "noviembre", "novembro"],
    &["december", "dec", "dezember", "dez", "décembre", "diciembre", "dezembro", "dicembre"],
];
const NAMES: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// Month words that are other words too, and count only beside a number.
const AMBIGUOUS: [&str; 6] = ["may", "march", "mar", "mars", "dec", "mai"];

pub(super) fn read(reading: &mut Reading<'_>) {
    for at in 0..reading.tokens.len() {
        iso_date(reading, at);
        period(reading, at);
        month(reading, at);
        half_of_the_day(reading, at);
    }
    for at in 0..reading.tokens.len() {
        spelled_year(reading, at);
        year(reading, at);
    }
}

/// "9 am", "9pm", "9 p.m.": the hour stays a number.
fn half_of_the_day(reading: &mut Reading<'_>, at: usize) {
    let is_hour = at.checked_sub(1).is_some_and(|before| reading.tokens[before].is_number());
    let (half, count) = match (reading.lower(Some(at)), reading.lower(Some(at + 1))) {
        ("am", _) => ("am", 1),
        ("pm", _) => ("pm", 1),
        ("a", "m") => ("am", 2),
        ("p", "m") => ("pm", 2),
        _ => return,
    };
    if is_hour && reading.is_free(at) {
        reading.fact(at, "half of the day", half);
        reading.take(at, count);
    }
}

fn year_of(text: &str) -> Option<u32> {
    let value: u32 = text.parse().ok()?;
    (text.len() == 4 && (1900..2100).contains(&value)).then_some(value)
}

/// The month of one or two digits.
fn month_of(text: &str) -> Option<&'static str> {
    let month: usize = text.parse().ok().filter(|_| text.len() < 3)?;
    NAMES.get(month.checked_sub(1)?).copied()
}

/// Two digits after "FY", an apostrophe or a slash.
fn short_year(text: &str) -> Option<u32> {
    let value: u32 = text.parse().ok()?;
    (text.len() == 2).then_some(2000 + value)
}

/// "twenty twenty-three", "two thousand and twenty-three".
fn spelled_year(reading: &mut Reading<'_>, at: usize) {
    const CENTURIES: [(&str, u64); 2] = [("twenty", 2000), ("nineteen", 1900)];
    let century = CENTURIES.iter().find(|(word, _)| reading.free(at).is_some_and(|token| token.lower == *word));
    let (year, count) = if let Some((_, century)) = century
        && let Some((rest, count)) = quantity::words(reading, at + 1).filter(|(rest, _)| (10..100).contains(rest))
    {
        (century + rest, count + 1)
    } else {
        match quantity::words(reading, at) {
            Some((year, count)) if (2010..2060).contains(&year) && count > 2 => (year, count),
            _ => return,
        }
    };
    reading.fact(at, "year", year.to_string());
    reading.take(at, count);
}

/// "2023-12-31", "31.12.2023", "31/12/2023", "31/12/23", "12/2023".
fn iso_date(reading: &mut Reading<'_>, at: usize) {
    let Some(token) = reading.free(at).filter(|token| token.is_number()) else { return };
    let dotted: Vec<&str> = token.text.split('.').collect();
    let (parts, count): (Vec<&str>, usize) = if dotted.len() == 3 {
        (dotted, 1)
    } else {
        let parts: Vec<&str> = (at..at + 3)
            .filter(|&place| {
                reading.free(place).is_some_and(|token| token.is_number() && (place == at || token.hyphen))
            })
            .map(|place| reading.tokens[place].text)
            .collect();
        (parts, 3)
    };
    if let &[month, year] = parts.as_slice()
        && reading.free(at + 1).is_some_and(Token::is_number)
        && let (Some(name), Some(year)) = (month_of(month), year_of(year))
    {
        reading.fact(at, "month", name);
        reading.fact(at, "year", year.to_string());
        reading.take(at, 2);
        return;
    }
    let &[first, middle, last] = parts.as_slice() else { return };
    let (year, month, day) = match (year_of(first), year_of(last)) {
        (Some(year), None) => (year, middle, last),
        (None, Some(year)) => (year, middle, first),
        // "30/6/25"
        (None, None) if count == 3 => match short_year(last).filter(|year| (2015..2040).contains(year)) {
            Some(year) => (year, middle, first),
            None => return,
        },
        _ => return,
    };
    let (Ok(month), Ok(day)) = (month.parse::<usize>(), day.parse::<usize>()) else { return };
    // The American order is read where the other is impossible.
    let (month, day) = if month > 12 { (day, month) } else { (month, day) };
    if let Some(name) = month.checked_sub(1).and_then(|month| NAMES.get(month))
        && (1..=31).contains(&day)
    {
        reading.fact(at, "year", year.to_string());
        reading.fact(at, "month", *name);
        reading.fact(at, "day", day.to_string());
        reading.take(at, count);
    }
}

/// "Q3", "Q3 2023", "3Q23", "third quarter", "quarter 3", "H1", "first half", "FY23", "T2" after French.
fn period(reading: &mut Reading<'_>, at: usize) {
    let Some(token) = reading.free(at) else { return };
    let lower = token.lower.clone();
    let digit = |text: &str| text.parse::<u64>().ok().filter(|value| (1..=4).contains(value));
    let rest = |prefix: &str| lower.strip_prefix(prefix).map(str::to_owned);
    if let Some(rest) = rest("fy").or_else(|| rest("cy")) {
        let next = reading.tokens.get(at + 1).filter(|next| next.is_number()).map(|next| next.text.to_owned());
        let (digits, count) = if rest.is_empty() { (next.unwrap_or_default(), 2) } else { (rest, 1) };
        if let Some(year) = year_of(&digits).or_else(|| short_year(&digits)) {
            reading.fact(at, "year", year.to_string());
            reading.take(at, count);
            span_end(reading, at + count, year);
        }
        return;
    }
    for (prefix, slot) in [("q", "quarter"), ("h", "half-year")] {
        let Some(rest) = rest(prefix) else { continue };
        let next = reading
            .tokens
            .get(at + 1)
            .filter(|next| next.is_number() && rest.is_empty())
            .map(|next| next.lower.clone());
        // "Q323" is Q3 of 23, "Q3" alone is the quarter.
        let (number, year) = rest.split_at(rest.chars().next().map_or(0, char::len_utf8));
        if let Some(value) = digit(next.as_deref().unwrap_or(number)).filter(|value| slot == "quarter" || *value < 3) {
            reading.fact(at, slot, value.to_string());
            let count = if next.is_some() { 2 } else { 1 };
            reading.take(at, count);
            if let Some(year) = short_year_at(reading, at + count) {
                reading.fact(at + count, "year", year.to_string());
                reading.take(at + count, 1);
            }
            if let Some(year) = year_of(year).or_else(|| short_year(year)) {
                reading.fact(at, "year", year.to_string());
            }
            return;
        }
    }
    let is_quarter = |word: &str| matches!(word, "quarter" | "quarters" | "quartal" | "trimestre" | "kwartaal");
    let is_half = |word: &str| matches!(word, "half" | "halbjahr" | "semester" | "semestre");
    let slot = if is_quarter(&lower) {
        "quarter"
    } else if is_half(&lower) {
        "half-year"
    } else if token.is_number() && token.text.len() == 1 {
        // "3Q23", "1H".
        let next = reading.lower(Some(at + 1)).to_owned();
        let glued = reading.tokens.get(at + 1).is_some_and(|next| next.glued);
        let slot = match next.chars().next() {
            Some('q') if glued => "quarter",
            Some('h') if glued => "half-year",
            _ => return,
        };
        if !next[1..].chars().all(|letter| letter.is_ascii_digit()) {
            return;
        }
        reading.fact(at, slot, lower);
        if let Some(year) = year_of(&next[1..]).or_else(|| short_year(&next[1..])) {
            reading.fact(at, "year", year.to_string());
        }
        reading.take(at, 2);
        return;
    } else {
        return;
    };
    let before = (at > 0).then(|| at - 1).filter(|&before| reading.is_free(before));
    let named = number::ordinal(reading.lower(before));
    if let (Some(value), Some(before)) = (named, before) {
        reading.fact(at, slot, value.to_string());
        reading.take(before, 2);
    } else if let Some(value) = before.filter(|_| at > 1).and_then(|before| {
        // "1st quarter": the ending stands between.
        let ending = matches!(reading.lower(Some(before)), "st" | "nd" | "rd" | "th" | "er" | "ème" | "e" | "º" | "o");
        digit(reading.lower(Some(before.checked_sub(1)?))).filter(|_| ending)
    }) {
        reading.fact(at, slot, value.to_string());
        reading.take(at - 2, 3);
    } else if let Some(value) =
        reading.free(at + 1).and_then(|next| digit(&next.lower).or_else(|| number::word(&next.lower)))
    {
        reading.fact(at, slot, value.to_string());
        reading.take(at, 2);
    }
}

/// "24" or "'24" after a month or a quarter: the year.
fn short_year_at(reading: &Reading<'_>, at: usize) -> Option<u32> {
    let token = reading.free(at).filter(|token| token.is_number() && !token.apart)?;
    short_year(token.text).filter(|year| (2015..2040).contains(year))
}

/// "31 December 2023", "December 31", "Dec 2023", "in May".
fn month(reading: &mut Reading<'_>, at: usize) {
    let Some(token) = reading.free(at) else { return };
    let lower = token.lower.clone();
    let Some(month) = MONTHS.iter().position(|names| names.contains(&lower.as_str())) else { return };
    let number = |place: Option<usize>| {
        let token = place.and_then(|place| reading.free(place)).filter(|token| token.is_number())?;
        token.lower.parse::<u32>().ok()
    };
    let ends = ["st", "nd", "rd", "th", "of"];
    let mut before = at.checked_sub(1);
    while before.is_some_and(|place| ends.contains(&reading.lower(Some(place)))) {
        before = before.and_then(|place| place.checked_sub(1));
    }
    let ordinal = before.filter(|_| reading.lower(at.checked_sub(1)) == "of");
    let ordinal = ordinal.and_then(|place| Some((place, number::ordinal(reading.lower(Some(place)))? as u32)));
    let day_before = number(before).or(ordinal.map(|(_, day)| day)).filter(|day| (1..=31).contains(day));
    let day_after = number(Some(at + 1)).filter(|day| (1..=31).contains(day));
    let beside = day_before.is_some() || number(Some(at + 1)).is_some();
    let preposed = matches!(
        reading.lower(at.checked_sub(1)),
        "in" | "during" | "since" | "until" | "of" | "for" | "im" | "en" | "em"
    );
    // "APR" is a rate.
    let is_short_for_more =
        token.is_acronym() && reading.tokens.iter().any(|other| !other.is_acronym() && !other.is_number());
    if is_short_for_more || (AMBIGUOUS.contains(&lower.as_str()) && !beside && !(preposed && token.is_capital())) {
        return;
    }
    let has_apostrophe = reading.tokens.get(at + 1).is_some_and(|next| next.apostrophe);
    let is_short = lower.len() < 5 && !matches!(lower.as_str(), "may" | "june" | "july");
    let year = short_year_at(reading, at + 1).filter(|_| has_apostrophe || day_before.is_some() || is_short);
    reading.fact(at, "month", NAMES[month]);
    reading.take(at, 1);
    if let Some(year) = year {
        reading.fact(at + 1, "year", year.to_string());
        reading.take(at + 1, 1);
    }
    if let (Some(day), Some(place)) = (day_before, before) {
        reading.fact(at, "day", day.to_string());
        reading.take(place, at - place);
    } else if let Some(day) = day_after.filter(|_| year.is_none()) {
        reading.fact(at, "day", day.to_string());
        reading.take(at + 1, 1);
    }
}

/// "2023", "'23", "2023/24", "2020-2023".
fn year(reading: &mut Reading<'_>, at: usize) {
    let Some(token) = reading.free(at).filter(|token| token.is_number()) else { return };
    // "2023 MWh" is an amount, but where it begins the question and no other year is named, it is a year; and so it is
    // in "Lyon waste 2023 tonnes".
    let other_year = reading
        .tokens
        .iter()
        .enumerate()
        .any(|(place, other)| place != at && other.is_number() && year_of(other.text).is_some());
    let is_unit = |token: &Token<'_>| {
        matches!(
            reading.lexicon.meaning(&token.stem),
            Some(Meaning::Unit(_) | Meaning::ShortUnit(_) | Meaning::Percent)
        ) || matches!(token.lower.as_str(), "per" | "co2e" | "co2" | "/")
    };
    let ends = reading.tokens[at + 1..].iter().all(is_unit) && is_telegraphic(reading, &[]);
    let stands_apart = (at == 0 || ends) && !other_year;
    let follows_unit = !stands_apart
        && reading.tokens.get(at + 1).filter(|next| !next.apart).is_some_and(|next| {
            matches!(reading.lexicon.meaning(&next.stem), Some(Meaning::Unit(_) | Meaning::Percent))
                || matches!(next.text, "%" | "€" | "$" | "£")
        });
    // "2024 %": what is asked for is a share; a question names no share of 2,024 percent.
    let follows_unit = follows_unit && !is_year_of_share(reading, at);
    let follows_money = at > 0 && matches!(reading.tokens[at - 1].text, "€" | "$" | "£");
    if follows_unit || follows_money || (token.is_joined() && at > 0 && !reading.tokens[at - 1].is_number()) {
        return;
    }
    let short = short_year(token.text).filter(|_| token.apostrophe);
    let Some(year) = year_of(token.text).or(short) else { return };
    let decade = reading.tokens.get(at + 1).is_some_and(|next| next.glued && next.lower == "s");
    if decade {
        reading.fact(at, "decade", format!("{year}s"));
        reading.take(at, 2);
        return;
    }
    reading.fact(at, "year", year.to_string());
    reading.take(at, 1);
    span_end(reading, at + 1, year);
}

/// Whether a year stands before a sign of percent, or before a unit where nothing leads to an amount.
fn is_year_of_share(reading: &Reading<'_>, at: usize) -> bool {
    const LEADS: [&str; 12] =
        ["of", "to", "by", "than", "over", "under", "above", "below", "least", "most", "about", "exactly"];
    let Some(next) = reading.tokens.get(at + 1).filter(|next| !next.glued) else { return false };
    let is_percent = next.text == "%" || matches!(reading.lexicon.meaning(&next.stem), Some(Meaning::Percent));
    let before = reading.lower(at.checked_sub(1));
    let is_named = year_of(reading.tokens[at].text).is_some_and(|year| (2000..2060).contains(&year));
    is_named && (is_percent || (is_telegraphic(reading, &["to", "by"]) && at > 0 && !LEADS.contains(&before)))
}

/// Whether a question is a row of nouns, without a word that asks or a verb that helps.
fn is_telegraphic(reading: &Reading<'_>, allowed: &[&str]) -> bool {
    const LINKS: [&str; 16] = [
        "is", "are", "was", "were", "do", "does", "did", "has", "have", "had", "will", "would", "can", "could", "to",
        "by",
    ];
    let links = |lower: &str| ASKS.contains(&lower) || (LINKS.contains(&lower) && !allowed.contains(&lower));
    !reading.tokens.iter().any(|token| links(&token.lower))
}

/// The "24" of "2023/24" and "2023-24".
fn span_end(reading: &mut Reading<'_>, at: usize, first: u32) {
    let Some(token) = reading.free(at).filter(|token| token.hyphen && token.is_number()) else { return };
    if let Some(year) = short_year(token.text).filter(|year| *year > first) {
        reading.fact(at, "year", year.to_string());
        reading.take(at, 1);
    }
}
