//! Parts of a limit.

use crate::cost::money::Money;
use crate::{Error, Result};
use std::str::FromStr;

const BILLION: i128 = 1_000_000_000;

/// A part of a limit, to nine digits: `0.8`, or more than all of it, `1.5`.
///
/// ```
/// use headrace::cost::{budget::Fraction, money::Money};
/// let most: Fraction = "0.8".parse().unwrap();
/// assert_eq!(most.of("12.5".parse().unwrap()).to_string(), "10");
/// assert!("0".parse::<Fraction>().is_err() && "NaN".parse::<Fraction>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fraction(i128);

impl Fraction {
    /// That part of an amount, rounded down to an attodollar.
    #[must_use]
    pub fn of(self, limit: Money) -> Money {
        let atto = limit.attodollars();
        Money::from_attodollars(atto / BILLION * self.0 + atto % BILLION * self.0 / BILLION)
    }
}

impl FromStr for Fraction {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.parse::<Money>().ok().map(|amount| amount.attodollars() / BILLION);
        // A thousand times a limit is no alert that anybody waits for, and keeps the product small.
        parts.filter(|parts| (1..=1000 * BILLION).contains(parts)).map(Self).ok_or_else(|| {
            Error::invalid(format!("alert at {text}: give a fraction of the limit above 0, such as 0.8"))
        })
    }
}

impl std::fmt::Display for Fraction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Money::from_attodollars(self.0 * BILLION).fmt(f)
    }
}
