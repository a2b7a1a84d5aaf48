//! When prices hold: from a date on, up to one, at some hours, on some days of the week.

use super::Rates;
use crate::{Error, Result};
use jiff::Timestamp;

const MICROS_A_MINUTE: i64 = 60_000_000;
const MINUTES_A_DAY: i64 = 24 * 60;
/// 1970-01-01 was a Thursday, the fourth day.
const FIRST_WEEKDAY: i64 = 3;

/// A condition on the time of a call; all times are UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Condition {
    /// The first moment.
    pub since: Option<Timestamp>,
    /// The moment after the last.
    pub until: Option<Timestamp>,
    /// Minutes of the day; where the second is not after the first, the span goes through midnight.
    hours: Option<(u16, u16)>,
    /// A bit a day, Monday the lowest; none is every day.
    days: u8,
}

/// Prices and when they hold.
#[derive(Debug, Clone, PartialEq)]
pub struct PricePeriod {
    /// When.
    pub when: Condition,
    /// Which.
    pub rates: Rates,
}

impl Condition {
    /// Whether the moment, in microseconds since 1970, is in it.
    pub fn holds(&self, micros: i64) -> bool {
        let minutes = micros.div_euclid(MICROS_A_MINUTE);
        let minute = minutes.rem_euclid(MINUTES_A_DAY) as u16;
        let weekday = (minutes.div_euclid(MINUTES_A_DAY) + FIRST_WEEKDAY).rem_euclid(7);
        self.since.is_none_or(|since| since.as_microsecond() <= micros)
            && self.until.is_none_or(|until| micros < until.as_microsecond())
            && self.hours.is_none_or(|(start, end)| {
                if start < end { start <= minute && minute < end } else { start <= minute || minute < end }
            })
            && (self.days == 0 || self.days >> weekday & 1 == 1)
    }

    /// Sets one of `since:2026-09-10`, `until:…`, `hours:10:00-00:00`, `days:12345` (Monday is 1).
    ///
    /// # Errors
    /// `InvalidArgument` where it is none of these.
    pub fn set(&mut self, field: &str, value: &str) -> Result<()> {
        let wrong = || {
            Error::invalid(format!(
                "{field}:{value} is no time: write since or until as 2026-09-10 or 2026-09-10T08:00:00Z, hours as \
                 10:00-16:30, days as 12345 (Monday is 1), all in UTC"
            ))
        };
        match field {
            "since" => self.since = Some(moment(value).ok_or_else(wrong)?),
            "until" => self.until = Some(moment(value).ok_or_else(wrong)?),
            "hours" => self.hours = Some(hours(value).ok_or_else(wrong)?),
            "days" => self.days = days(value).ok_or_else(wrong)?,
            _ => return Err(wrong()),
        }
        Ok(())
    }

    /// The hours of the day, such as `10:00-16:30`.
    pub fn hours(&self) -> Option<String> {
        let text = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        self.hours.map(|(start, end)| format!("{}-{}", text(start), text(end)))
    }

    /// The days of the week, Monday is 1, such as `12345`.
    pub fn days(&self) -> Option<String> {
        (self.days > 0)
            .then(|| (0..7).filter(|day| self.days >> day & 1 == 1).map(|day| (b'1' + day) as char).collect())
    }
}

impl PricePeriod {
    /// Reads `since:… hours:… kind=dollars …`.
    ///
    /// # Errors
    /// As [`Condition::set`] and [`Rates::parse`].
    pub fn parse(text: &str) -> Result<Self> {
        let mut when = Condition::default();
        let mut rates = text;
        while let Some((word, rest)) = rates.split_once(' ').filter(|(word, _)| !word.contains('=')) {
            let (field, value) = word.split_once(':').unwrap_or((word, ""));
            when.set(field, value)?;
            rates = rest;
        }
        Ok(Self { when, rates: Rates::parse(rates)? })
    }
}

/// The place of the period that holds: the last of those that do. Before the first date that is known, the first.
pub(crate) fn place(periods: &[PricePeriod], micros: i64) -> usize {
    if periods.len() < 2 {
        return 0;
    }
    periods.iter().rposition(|period| period.when.holds(micros)).unwrap_or(0)
}

fn moment(text: &str) -> Option<Timestamp> {
    let day =
        || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|day| day.timestamp());
    text.parse().ok().or_else(day)
}

fn hours(text: &str) -> Option<(u16, u16)> {
    let minute = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let (start, end) = text.split_once('-')?;
    Some((minute(start)?, minute(end)?))
}

fn days(text: &str) -> Option<u8> {
    let bit = |day: u8| (b'1'..=b'7').contains(&day).then(|| 1_u8 << (day - b'1'));
    text.bytes().try_fold(0, |days, day| Some(days | bit(day)?)).filter(|days| *days > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_period_that_holds_is_taken() {
        let texts = [
            "input=1",
            "since:2026-09-10 input=2",
            "since:2026-09-10 hours:22:00-02:00 days:15 input=3",
            "until:2020-01-01 input=4",
        ];
        let periods: Vec<_> = texts.iter().map(|text| PricePeriod::parse(text).unwrap()).collect();
        let at = |text: &str| place(&periods, text.parse::<Timestamp>().unwrap().as_microsecond());
        assert_eq!(at("2026-09-09T23:59:59.999999Z"), 0);
        assert_eq!(at("2026-09-10T00:00:00Z"), 1);
        // 2026-11-23 is a Monday, the 27th a Friday.
        assert_eq!([at("2026-11-23T22:00:00Z"), at("2026-11-23T01:59:00Z"), at("2026-11-23T02:00:00Z")], [2, 2, 1]);
        assert_eq!([at("2026-11-24T22:00:00Z"), at("2026-11-27T23:00:00Z"), at("2019-01-01T00:00:00Z")], [1, 2, 3]);
        for bad in ["since:soon input=1", "hours:24:00-01:00 input=1", "days:8 input=1", "when:now input=1"] {
            assert!(PricePeriod::parse(bad).is_err(), "{bad}");
        }
    }
}
