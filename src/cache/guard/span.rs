//! Spans of years: "2019-2021" and "from 2019 to 2021" are three years, "2019 and 2021" are two.

use super::extract::Reading;
use super::signature::Fact;

/// Words that join the two ends of a span.
const JOINS: [&str; 5] = ["to", "through", "till", "until", "bis"];

impl Reading<'_> {
    /// Adds a fact for each two years that are the ends of a span. A change between two years is one of the two alone:
    /// "the rise from 2019 to 2022" is "higher in 2022 than in 2019".
    pub(super) fn spans(&mut self) {
        if self.facts.iter().any(|fact| &*fact.slot == "change") {
            return;
        }
        let mut years: Vec<(usize, &str)> =
            self.anchors.iter().filter_map(|(at, key)| Some((*at, key.strip_prefix("year ")?))).collect();
        years.sort_unstable();
        years.dedup();
        let is_span = |from: usize, to: usize| match to.checked_sub(from) {
            Some(1) => self.tokens[to].hyphen,
            Some(2) => {
                let between = self.lower(Some(from + 1));
                JOINS.contains(&between) || (between == "and" && self.lower(from.checked_sub(1)) == "between")
            }
            _ => false,
        };
        let spans = years.windows(2).filter(|pair| pair[0].1 != pair[1].1 && is_span(pair[0].0, pair[1].0));
        let spans: Vec<_> = spans.map(|pair| format!("{} to {}", pair[0].1, pair[1].1)).collect();
        // They are no anchors: what they are made of is.
        self.facts.extend(spans.into_iter().map(|span| Fact {
            slot: "span".into(),
            value: span.into(),
            is_pole: false,
            is_aside: false,
        }));
    }
}
