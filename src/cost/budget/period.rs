//! The spans of time that a budget covers.

use crate::{Error, Result};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Unit, ZonedRound, civil::Weekday};
use std::time::Duration;

/// A rolling budget forgets in steps of its length over this.
const ROLLING_STEPS: i64 = 1440;

/// How long a budget lasts before it starts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// The hour of the clock.
    Hour,
    /// The calendar day.
    Day,
    /// The week from Monday.
    Week,
    /// The calendar month.
    Month,
    /// The time up to now, this long; a call leaves it at most a 1,440th of the length late.
    Rolling(Duration),
    /// From the first call on, without end.
    Ever,
}

impl Period {
    /// Reads `hour`, `day`, `week`, `month`, `ever`, or a rolling length such as `rolling 24h`, `rolling 7d`, `rolling 90m`.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let fixed = match text {
            "hour" => Some(Self::Hour),
            "day" => Some(Self::Day),
            "week" => Some(Self::Week),
            "month" => Some(Self::Month),
            "ever" | "total" => Some(Self::Ever),
            _ => None,
        };
        fixed.or_else(|| rolling(text)).ok_or_else(|| {
            Error::invalid(format!(
                "period {text:?} is unknown: give hour, day, week, month, ever, or a rolling one such as \"rolling 24h\""
            ))
        })
    }

    /// The start of the span that holds `time`, both in microseconds since 1970.
    pub(crate) fn bucket(self, time: i64, zone: &TimeZone) -> i64 {
        match self {
            Self::Ever => 0,
            Self::Rolling(length) => {
                let step = step(length);
                time.div_euclid(step) * step
            }
            _ => self.calendar_start(time, zone).unwrap_or(time),
        }
    }

    /// The earliest span that still counts at `now`.
    pub(crate) fn lower(self, now: i64, zone: &TimeZone) -> i64 {
        match self {
            Self::Rolling(length) => self.bucket(now - length.as_micros() as i64, zone),
            _ => self.bucket(now, zone),
        }
    }

    /// The latest span that counts at `now`: what is dated later is in no period that holds this moment.
    pub(crate) fn upper(self, now: i64, zone: &TimeZone) -> i64 {
        match self {
            Self::Rolling(length) => self.bucket(now.saturating_add(length.as_micros() as i64), zone),
            _ => self.bucket(now, zone),
        }
    }

    /// The earliest span that may count again, where the clock is set back by up to a period.
    pub(crate) fn kept(self, now: i64, zone: &TimeZone) -> i64 {
        self.lower(self.lower(now, zone).saturating_sub(1), zone)
    }

    /// When the span that holds `time` ends; `None` where it never does.
    pub(crate) fn end(self, time: i64, zone: &TimeZone) -> Option<i64> {
        let start = Timestamp::from_microsecond(self.bucket(time, zone)).ok()?.to_zoned(zone.clone());
        let span = match self {
            Self::Hour => return self.hour_end(start.timestamp().as_microsecond(), zone),
            Self::Day => 1.day(),
            Self::Week => 1.week(),
            Self::Month => 1.month(),
            Self::Rolling(_) | Self::Ever => return None,
        };
        // A day that begins at 01:00, as the clock is set at midnight, ends at 00:00 all the same.
        let end = start.checked_add(span).ok()?.start_of_day().ok()?;
        Some(end.timestamp().as_microsecond())
    }

    /// An hour in which the clock is set by half of one lasts half an hour, or one and a half.
    fn hour_end(self, start: i64, zone: &TimeZone) -> Option<i64> {
        const HOUR: i64 = 3_600_000_000;
        let later = [start + HOUR - 1, start + HOUR, start + 2 * HOUR - 1];
        later.into_iter().map(|time| self.bucket(time, zone)).find(|next| *next > start)
    }

    fn calendar_start(self, time: i64, zone: &TimeZone) -> Option<i64> {
        let local = Timestamp::from_microsecond(time).ok()?.to_zoned(zone.clone());
        let floor = |unit| ZonedRound::new().smallest(unit).mode(jiff::RoundMode::Floor);
        let start = match self {
            Self::Hour => local.round(floor(Unit::Hour)).ok()?,
            Self::Week if local.weekday() != Weekday::Monday => {
                local.nth_weekday(-1, Weekday::Monday).ok()?.start_of_day().ok()?
            }
            Self::Month => local.first_of_month().ok()?.start_of_day().ok()?,
            _ => local.start_of_day().ok()?,
        };
        Some(start.timestamp().as_microsecond())
    }
}

impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hour => f.write_str("hour"),
            Self::Day => f.write_str("day"),
            Self::Week => f.write_str("week"),
            Self::Month => f.write_str("month"),
            Self::Ever => f.write_str("ever"),
            Self::Rolling(length) => write!(f, "rolling {}s", length.as_secs()),
        }
    }
}

fn step(length: Duration) -> i64 {
    (length.as_micros() as i64 / ROLLING_STEPS).max(1)
}

fn rolling(text: &str) -> Option<Period> {
    let length = text.strip_prefix("rolling")?.trim();
    let unit = match length.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u64 = length[..length.len() - 1].trim().parse().ok()?;
    let seconds = count.checked_mul(unit).filter(|seconds| (1..=315_360_000).contains(seconds))?;
    Some(Period::Rolling(Duration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn micros(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn days_follow_the_zone_and_its_summer_time() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let time = micros("2026-03-29T12:00:00Z");
        assert_eq!(Period::Day.bucket(time, &berlin), micros("2026-03-28T23:00:00Z"));
        assert_eq!(Period::Day.end(time, &berlin), Some(micros("2026-03-29T22:00:00Z")));
        assert_eq!(Period::Month.bucket(time, &berlin), micros("2026-02-28T23:00:00Z"));
        assert_eq!(Period::Week.bucket(time, &TimeZone::UTC), micros("2026-03-23T00:00:00Z"));
    }

    /// Half hours, a clock that is set at midnight, one by half an hour, a day that was left out.
    const ZONES: [&str; 8] = [
        "UTC",
        "Asia/Kolkata",
        "America/New_York",
        "America/Havana",
        "Africa/Cairo",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Asia/Kathmandu",
    ];

    #[test]
    fn a_day_that_begins_at_one_ends_at_midnight() {
        let cairo = TimeZone::get("Africa/Cairo").unwrap();
        let start = micros("2005-04-28T22:00:00Z"); // 01:00 there
        assert_eq!(Period::Day.bucket(start, &cairo), start);
        assert_eq!(Period::Day.end(start, &cairo).unwrap() - start, 23 * 3_600_000_000);
    }

    #[test]
    fn an_hour_that_comes_twice_is_two_hours() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let starts =
            ["2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z"].map(|text| Period::Hour.bucket(micros(text), &berlin));
        assert_eq!(starts, [micros("2026-10-25T00:00:00Z"), micros("2026-10-25T01:00:00Z")]);
        let day = Period::Day.bucket(micros("2026-10-25T12:00:00Z"), &berlin);
        assert_eq!(Period::Day.end(day, &berlin).unwrap() - day, 25 * 3_600_000_000);
    }

    /// On Lord Howe Island the clock goes from 02:00 to 02:30, and back from 02:00 to 01:30.
    #[test]
    fn an_hour_in_which_the_clock_is_set_by_half_of_one_holds_its_times() {
        let island = TimeZone::get("Australia/Lord_Howe").unwrap();
        for first in ["2054-10-03T13:00:00Z", "2054-04-04T13:00:00Z"] {
            for minutes in 0..240 {
                let time = micros(first) + minutes * 60_000_000;
                let (start, end) = (Period::Hour.bucket(time, &island), Period::Hour.end(time, &island).unwrap());
                assert!(start <= time && time < end, "{first} and {minutes} minutes");
                assert_eq!(Period::Hour.bucket(start, &island), start, "{first} and {minutes} minutes");
                assert_eq!(Period::Hour.bucket(end - 1, &island), start, "{first} and {minutes} minutes");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn a_span_holds_its_times(time in 0_i64..4_000_000_000_000_000, kind in 0..4_usize, zone in 0..ZONES.len()) {
            let zone = TimeZone::get(ZONES[zone]).unwrap();
            let period = [Period::Hour, Period::Day, Period::Week, Period::Month][kind];
            let (start, end) = (period.bucket(time, &zone), period.end(time, &zone).unwrap());
            prop_assert!(start <= time && time < end);
            prop_assert_eq!(period.bucket(start, &zone), start);
            prop_assert_eq!(period.bucket(end - 1, &zone), start);
        }
    }

    #[test]
    fn names_are_read_back() {
        for text in ["hour", "day", "week", "month", "ever", "rolling 3600s"] {
            assert_eq!(Period::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "year", "rolling", "rolling 0h", "rolling -1h", "rolling 1y", "rolling é"] {
            assert!(Period::parse(text).is_err(), "{text}");
        }
    }
}
