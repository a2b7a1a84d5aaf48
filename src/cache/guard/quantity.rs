//! Amounts: numbers in digits and words, percentages, currencies, fractions.

use super::extract::Reading;
use super::lexicon::Meaning;
use super::number;

pub(super) fn read(reading: &mut Reading<'_>) {
    let mut at = 0;
    while at < reading.tokens.len() {
        at += currency(reading, at).or_else(|| fraction(reading, at)).or_else(|| amount(reading, at)).unwrap_or(1);
    }
}

/// "$5" and "5 €": the sign is a unit.
fn currency(reading: &mut Reading<'_>, at: usize) -> Option<usize> {
    let unit = match reading.free(at)?.text {
        "€" => "EUR",
        "$" => "USD",
        "£" => "GBP",
        "¥" => "JPY",
        "₹" => "INR",
        _ => return None,
    };
    reading.fact(at, "unit", unit);
    reading.take(at, 1);
    Some(1)
}

/// "two thirds", "half of", "three quarters".
fn fraction(reading: &mut Reading<'_>, at: usize) -> Option<usize> {
    let token = reading.free(at)?;
    if token.lower == "half" {
        reading.fact(at, "number", "1/2");
        reading.take(at, 1);
        return Some(1);
    }
    // "a third of", but not "a third party".
    let single = matches!(token.lower.as_str(), "a" | "one") && reading.lower(Some(at + 2)) == "of";
    let over = number::word(&token.lower).filter(|over| *over > 1).or(single.then_some(1))?;
    let below = number::fraction(&reading.free(at + 1)?.lower)?;
    reading.fact(at, "number", format!("{over}/{below}"));
    reading.take(at, 2);
    Some(2)
}

fn amount(reading: &mut Reading<'_>, at: usize) -> Option<usize> {
    let token = reading.free(at)?;
    let mut next = at + 1;
    let mut value = if token.is_number() {
        token.lower.clone()
    } else {
        let (value, count) = words(reading, at)?;
        next = at + count;
        value.to_string()
    };
    if let Some(zeros) = reading.free(next).and_then(|token| {
        let glued_only = token.lower.len() == 1 && !token.glued;
        number::zeros(&token.lower).filter(|_| !glued_only)
    }) {
        value = number::shifted(&value, zeros);
        next += 1;
    }
    // "3rd" is an ordinal, "30-day" a number.
    if reading.free(next).is_some_and(|token| token.glued && matches!(token.lower.as_str(), "st" | "nd" | "rd" | "th"))
    {
        next += 1;
    }
    let percent = reading.free(next).is_some_and(|token| {
        token.text == "%" || matches!(reading.lexicon.meaning(&token.stem), Some(Meaning::Percent))
    });
    let per_cent = reading.lower(Some(next)) == "per" && reading.lower(Some(next + 1)) == "cent";
    let slot = if percent || per_cent { "percentage" } else { "number" };
    next += usize::from(percent) + 2 * usize::from(per_cent);
    reading.fact(at, slot, value);
    reading.take(at, next - at);
    Some(next - at)
}

/// "twenty-five", "two hundred", "one million"; "one" alone counts nothing.
fn words(reading: &Reading<'_>, at: usize) -> Option<(u64, usize)> {
    let first = &reading.free(at)?.lower;
    let value = number::word(first)?;
    let next = reading.free(at + 1).map(|token| token.lower.clone()).unwrap_or_default();
    if first == "one" && number::zeros(&next).is_none() {
        return None;
    }
    match number::word(&next) {
        Some(ones) if (20..100).contains(&value) && (1..10).contains(&ones) => Some((value + ones, 2)),
        _ => Some((value, 1)),
    }
}
