//! Who does what: "we audited our customers" and "our customers audited us".

use super::extract::{Reading, digest};
use super::small_words::HELPS;
use super::text::Kind;

/// A verb beside "we", "us" or "our", who does it, and to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Act {
    verb: u64,
    /// A digest, `WE` for those who ask; None where the question does not say.
    actor: Option<u64>,
    object: Option<u64>,
}

const WE: u64 = 0;

impl Act {
    /// Whether one of two does the same to the other: those who ask in one question, somebody else in the other.
    pub(super) fn is_turned(self, other: Self) -> bool {
        let differ = |one: Option<u64>, other: Option<u64>| {
            one.is_some() && other.is_some() && one != other && (one == Some(WE) || other == Some(WE))
        };
        self.verb == other.verb && (differ(self.actor, other.actor) || differ(self.object, other.object))
    }
}

impl Reading<'_> {
    pub(super) fn acts(&self) -> Vec<Act> {
        (1..self.tokens.len()).filter_map(|at| self.act(at)).collect()
    }

    /// "we VERB", "SOMEBODY VERB us", "SOMEBODY VERB our", "VERB by SOMEBODY".
    fn act(&self, at: usize) -> Option<Act> {
        let carries = |at: usize| {
            let token = self.tokens.get(at)?;
            let is_small = self.small[at] || HELPS.contains(&token.lower.as_str());
            (token.kind == Kind::Word && !is_small).then(|| digest(&token.stem))
        };
        let verb = carries(at)?;
        let is_we = |at: usize| matches!(self.lower(Some(at)), "we" | "us");
        let who = |at: usize| if is_we(at) { Some(WE) } else { carries(at) };
        let next = self.lower(Some(at + 1));
        if next == "by" {
            let by = at + 2 + usize::from(matches!(self.lower(Some(at + 2)), "our" | "the"));
            return Some(Act { verb, actor: who(by), object: None });
        }
        let object = match next {
            "us" => Some(WE),
            "our" => carries(at + 2),
            _ if is_we(at - 1) => None,
            _ => return None,
        };
        Some(Act { verb, actor: who(at - 1), object })
    }
}
