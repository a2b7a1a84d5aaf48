//! Money: whole attodollars (10⁻¹⁸ USD) in 128 bits. No float can be made from it, or it from one.

#![deny(clippy::disallowed_types, clippy::float_arithmetic)]

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

const DIGITS: usize = 18;
const ATTO: i128 = 1_000_000_000_000_000_000;

/// An exact amount of US dollars. Sums saturate at 1.7 × 10²⁰ dollars.
///
/// ```
/// use headrace::cost::money::Money;
/// let price: Money = "0.00000014".parse().unwrap();
/// assert_eq!(price.times(300).to_string(), "0.000042");
/// assert_eq!("1.4e-7".parse::<Money>().unwrap(), price);
/// ```
///
/// No float becomes money:
///
/// ```compile_fail
/// let price: headrace::cost::money::Money = 0.1_f64.into();
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i128);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From attodollars.
    pub const fn from_attodollars(attodollars: i128) -> Self {
        Self(attodollars)
    }

    /// In attodollars.
    pub const fn attodollars(self) -> i128 {
        self.0
    }

    /// This price for so many units.
    #[must_use]
    pub const fn times(self, quantity: u64) -> Self {
        Self(self.0.saturating_mul(quantity as i128))
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Money {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// Dollars, with every digit that is not a trailing zero.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.unsigned_abs();
        let (whole, part) = (size / ATTO.unsigned_abs(), size % ATTO.unsigned_abs());
        let sign = if self.0 < 0 { "-" } else { "" };
        let digits = format!("{part:018}");
        match digits.trim_end_matches('0') {
            "" => write!(f, "{sign}{whole}"),
            digits => write!(f, "{sign}{whole}.{digits}"),
        }
    }
}

impl Money {
    /// Reads dollars, also with an exponent and with more digits than are kept: the nearest amount. Nothing where the text
    /// is no number, is below zero or too large.
    ///
    /// ```
    /// use headrace::cost::money::Money;
    /// assert_eq!(Money::nearest("0.00014000000000000001").unwrap().to_string(), "0.00014");
    /// assert_eq!(Money::nearest("37756000e-10").unwrap().to_string(), "0.0037756");
    /// assert_eq!((Money::nearest("-1"), Money::nearest("free")), (None, None));
    /// ```
    #[must_use]
    pub fn nearest(text: &str) -> Option<Self> {
        let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all = format!("{whole}{part}");
        if all.is_empty() || !all.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        // How many digits stand before the last one that is kept.
        let kept = i64::try_from(whole.len() + DIGITS).ok()? + exponent.parse::<i64>().ok()?;
        let Ok(kept) = usize::try_from(kept) else { return Some(Self::ZERO) };
        if kept >= all.len() {
            return parse(text);
        }
        let (kept, rest) = all.split_at(kept);
        let value = if kept.is_empty() { 0 } else { kept.parse::<i128>().ok()? };
        let is_more = rest.starts_with(['5', '6', '7', '8', '9']);
        Some(Self(value.checked_add(i128::from(is_more))?))
    }
}

/// Reads dollars, also with an exponent; refuses what it could not keep exactly.
impl FromStr for Money {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| {
            Error::invalid(format!(
                "{text:?} is not an amount of dollars with at most {DIGITS} decimal places: give one such as 0.00000014"
            ))
        })
    }
}

fn parse(text: &str) -> Option<Money> {
    let (sign, size) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let (digits, exponent) = match size.find(['e', 'E']) {
        Some(at) => (&size[..at], size[at + 1..].parse::<i32>().ok()?),
        None => (size, 0),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{part}");
    if all.is_empty() || !all.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let significant = all.trim_end_matches('0');
    if significant.trim_start_matches('0').is_empty() {
        return Some(Money::ZERO);
    }
    let dropped = (all.len() - significant.len()) as i32;
    let places = i32::try_from(part.len()).ok()?.checked_sub(exponent)?.checked_sub(dropped)?;
    let shift = u32::try_from(i32::try_from(DIGITS).ok()?.checked_sub(places)?).ok()?;
    let value = significant.parse::<i128>().ok()?.checked_mul(10_i128.checked_pow(shift)?)?;
    Some(Money(sign * value))
}

impl Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_is_read_back(atto in -ATTO * 1_000_000_000..ATTO * 1_000_000_000) {
            let money = Money(atto);
            prop_assert_eq!(money.to_string().parse::<Money>().unwrap(), money);
        }

        #[test]
        fn an_exponent_moves_the_point(digits in 1..1_000_000_i128, exponent in 0..12_u32) {
            let money: Money = format!("{digits}e-{exponent}").parse().unwrap();
            prop_assert_eq!(money.0, digits * 10_i128.pow(18 - exponent));
        }
    }

    proptest! {
        #[test]
        fn the_nearest_amount_is_half_an_attodollar_away_at_most(whole in 0..1000_u32, part in "[0-9]{1,30}", exponent in -9..9_i32) {
            let text = format!("{whole}.{part}e{exponent}");
            let found = Money::nearest(&text).unwrap().0;
            // The same number in whole 10^-40 dollars.
            let digits: i128 = format!("{whole}{part}").parse().unwrap();
            let scale = 18 - part.len() as i32 + exponent;
            if scale >= 0 {
                prop_assert_eq!(found, digits * 10_i128.pow(scale as u32));
            } else if let Some(unit) = 10_i128.checked_pow(scale.unsigned_abs()) {
                prop_assert!((digits - found * unit).abs() * 2 <= unit, "{text}: {found}");
            }
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        for text in ["", ".", "-", "nan", "inf", "1e-19", "1.5e-18", "1e30", "1,5", "0x1", "1e", "é"] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
    }
}
