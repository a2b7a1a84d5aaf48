//! Amounts: numbers in digits and words, percentages, currencies, fractions.

use super::extract::Reading;
use super::lexicon::Meaning;
use super::number;
use super::text::{Kind, Token};

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
    let percent = reading.free(next).filter(|token| !token.apart).is_some_and(|token| {
        token.text == "%" || matches!(reading.lexicon.meaning(&token.stem), Some(Meaning::Percent))
    });
    let per = |whole: &str| reading.lower(Some(next)) == "per" && reading.lower(Some(next + 1)) == whole;
    let (per_cent, per_mille) = (per("cent"), per("mille"));
    let slot = if percent || per_cent || per_mille { "percentage" } else { "number" };
    next += usize::from(percent) + 2 * usize::from(per_cent || per_mille);
    if per_mille {
        value.push('‰');
    }
    if next == at + 1 && is_version(reading, at) {
        reading.tokens[at].text.clone_into(&mut value);
    }
    reading.fact(at, slot, value);
    reading.take(at, next - at);
    Some(next - at)
}

/// A decimal without a unit may name an edition: "4.10" is not "4.1". Money and measures keep no zeros that say nothing.
fn is_version(reading: &Reading<'_>, at: usize) -> bool {
    let token = &reading.tokens[at];
    let is_unit = |token: &Token<'_>| {
        token.kind == Kind::Symbol
            || matches!(
                reading.lexicon.meaning(&token.stem),
                Some(Meaning::Unit(_) | Meaning::ShortUnit(_) | Meaning::Gas(_) | Meaning::Percent)
            )
    };
    let is_measured = reading.tokens.get(at + 1).is_some_and(is_unit) || at > 0 && is_unit(&reading.tokens[at - 1]);
    token.text.matches('.').count() == 1 && !token.text.contains(',') && !is_measured
}

/// "twenty-five", "twelve hundred fifty", "two thousand and one"; "one" alone counts nothing.
pub(super) fn words(reading: &Reading<'_>, at: usize) -> Option<(u64, usize)> {
    let lower = |place: usize| reading.free(place).map_or("", |token| token.lower.as_str());
    let (mut total, mut part, mut next) = (0_u64, number::word(lower(at))?, at + 1);
    loop {
        let joined = next + usize::from(lower(next) == "and" && (total > 0 || part >= 100));
        if let Some(value) = number::word(lower(joined)) {
            let fits = part % 100 == 0 || (part % 10 == 0 && part % 100 >= 20 && value < 10);
            if !fits || value == 0 || (part == 0 && total == 0) {
                break;
            }
            part += value;
            next = joined + 1;
        } else if let Some(zeros) = number::zeros(lower(next)).filter(|_| lower(next).len() > 3) {
            let factor = 10_u64.pow(zeros as u32);
            if zeros == 2 {
                part = part.min(99) * factor;
            } else {
                total = total.saturating_add(part.saturating_mul(factor));
                part = 0;
            }
            next += 1;
        } else {
            break;
        }
    }
    let is_article = lower(at) == "one" && next == at + 1;
    (!is_article).then_some((total.saturating_add(part), next - at))
}
