//! Who does what: "we audited our customers" and "our customers audited us".

use super::extract::{Reading, digest};
use super::small_words::ARTICLES;
use super::wording::LONGEST;

/// A word between two others, as a verb is between who acts and who undergoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Act {
    verb: u64,
    /// A digest, `WE` for those who ask; None where none stands right there.
    actor: Option<u64>,
    object: Option<u64>,
    /// Whether one of the two is "we", "us" or "our", or "by" leads to who acts.
    is_told: bool,
}

const WE: u64 = 0;
/// Verbs that ask as well as say who has something of whom: "give me", "tenants give landlords notice".
const HANDS_OVER: [&str; 10] =
    ["give", "gives", "gave", "provide", "provides", "provided", "report", "reports", "show", "shows"];
/// Those of "ours" who may act themselves, by stem.
const PARTIES: [&str; 9] =
    ["supplier", "customer", "employe", "contractor", "auditor", "client", "vendor", "investor", "tenant"];

impl Act {
    /// Whether the two change places, or those who ask act in one question and somebody else in the other.
    pub(super) fn is_turned(self, other: Self) -> bool {
        let differ = |one: Option<u64>, other: Option<u64>| {
            one.is_some() && other.is_some() && one != other && (one == Some(WE) || other == Some(WE))
        };
        let swapped = self.actor.is_some()
            && self.object.is_some()
            && self.actor != self.object
            && (self.actor, self.object) == (other.object, other.actor);
        self.verb == other.verb
            && (swapped
                || (self.is_told
                    && other.is_told
                    && (differ(self.actor, other.actor) || differ(self.object, other.object))))
    }
}

impl Reading<'_> {
    pub(super) fn acts(&self) -> Vec<Act> {
        let acts: Vec<Act> = (1..self.tokens.len().min(LONGEST)).filter_map(|at| self.act(at)).collect();
        // "Do customers trust us and do we trust customers?"
        let is_both = |act: &Act| acts.iter().any(|other| act.is_turned(*other));
        acts.iter().filter(|act| !is_both(act)).copied().collect()
    }

    /// "we VERB", "SOMEBODY VERB us", "SOMEBODY VERB the OTHER", "VERB by SOMEBODY".
    fn act(&self, at: usize) -> Option<Act> {
        let hands_over = HANDS_OVER.contains(&self.lower(Some(at)));
        let verb = if hands_over { digest(&self.tokens[at].stem) } else { self.carries(at)? };
        let is_we = |at: usize| matches!(self.lower(Some(at)), "we" | "us");
        let who = |at: usize| if is_we(at) { Some(WE) } else { self.carries(at) };
        let next = self.lower(Some(at + 1));
        if next == "by" {
            let by = at + 2 + usize::from(matches!(self.lower(Some(at + 2)), "our" | "the"));
            return Some(Act { verb, actor: who(by), object: None, is_told: true });
        }
        let after = at + 1 + usize::from(ARTICLES.contains(&next) || next == "our");
        let is_party = |at: usize| self.tokens.get(at).is_some_and(|token| PARTIES.contains(&token.stem.as_str()));
        let is_told = is_we(at - 1) || next == "us" || (next == "our" && is_party(at + 2));
        let act = Act { verb, actor: who(at - 1), object: who(after), is_told };
        (act.actor.is_some() || act.object == Some(WE)).then_some(act)
    }
}
