//! What kind of answer a question opens with asking for.

use super::extract::Reading;
use super::small_words::{ASKS, HELPS};
use super::wording::LEADS;

/// The kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Asks {
    #[default]
    Nothing,
    YesOrNo,
    /// "how many", "how much"
    Amount,
    How,
    /// "which", "who", "when", …
    Thing,
    What,
}

impl Asks {
    /// Whether an answer to one is none to the other, in whatever else they agree.
    pub(super) fn parts(self, other: Self) -> Option<String> {
        let differs = |one: Self, two: Self| {
            matches!(
                (one, two),
                (Self::YesOrNo, Self::Amount | Self::How | Self::Thing | Self::What) | (Self::Amount, Self::Thing)
            )
        };
        (differs(self, other) || differs(other, self))
            .then(|| format!("asks for {}, the stored question for {}", self.name(), other.name()))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Nothing | Self::What => "something",
            Self::YesOrNo => "yes or no",
            Self::Amount => "an amount",
            Self::How => "a way",
            Self::Thing => "a thing",
        }
    }
}

impl Reading<'_> {
    pub(super) fn asks_yes_or_no(&self) -> bool {
        self.asks() == Asks::YesOrNo
    }

    pub(super) fn asks(&self) -> Asks {
        let all = 0..self.tokens.len();
        let first = all.clone().find(|at| !self.idle[*at]);
        // "suppliers who declined" asks for nothing: who asks opens a clause, but for a word like "in".
        let opens = |at: usize| {
            let opens = |at: usize| at == 0 || self.tokens[at].apart || self.idle[at - 1];
            opens(at) || (opens(at - 1) && LEADS.contains(&self.lower(Some(at - 1))))
        };
        let asks = |at: &usize| match self.lower(Some(*at)) {
            "what" | "how" => true,
            lower => ASKS.contains(&lower) && opens(*at),
        };
        match all.into_iter().find(asks) {
            Some(0) | None if self.clause_asks() => Asks::YesOrNo,
            Some(at) if self.lower(Some(at)) == "what" => Asks::What,
            Some(at) if self.lower(Some(at)) != "how" => Asks::Thing,
            Some(at) if matches!(self.lower(Some(at + 1)), "many" | "much") => Asks::Amount,
            Some(_) => Asks::How,
            None if HELPS.contains(&self.lower(first)) => Asks::YesOrNo,
            None if self.opens_with_mode() => Asks::YesOrNo,
            None => Asks::Nothing,
        }
    }
}
