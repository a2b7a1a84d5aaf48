//! Who gives and who takes: "hours that the team gave" and "hours given to the team", "paid to" and "received from".

use super::extract::{Reading, digest};
use super::small_words::{ARTICLES, IS};
use super::wording::LONGEST;

const GIVES: [&str; 19] = [
    "provides",
    "providing",
    "delivers",
    "donates",
    "grants",
    "give",
    "gives",
    "gave",
    "given",
    "provide",
    "provided",
    "deliver",
    "delivered",
    "donate",
    "donated",
    "donation",
    "donations",
    "grant",
    "granted",
];
const TAKES: [&str; 6] = ["receive", "receives", "received", "get", "gets", "got"];
/// How many words somebody may have.
const REACH: usize = 4;

/// Somebody in a transfer, by a digest of one of their words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Party {
    word: u64,
    takes: bool,
}

impl Party {
    /// Whether the same one gives in one question and takes in the other.
    pub(super) fn is_turned(self, other: Self) -> bool {
        self.word == other.word && self.takes != other.takes
    }
}

impl Reading<'_> {
    /// Those who give and take; empty where nothing is given.
    pub(super) fn parties(&self) -> Vec<Party> {
        let lower = |at: usize| self.lower(Some(at));
        let Some(verb) = (0..self.tokens.len())
            .find(|at| !self.idle[*at] && *at > 0 && (GIVES.contains(&lower(*at)) || TAKES.contains(&lower(*at))))
        else {
            return Vec::new();
        };
        let mut parties = Vec::new();
        let takes = TAKES.contains(&lower(verb));
        let is_noun = lower(verb).starts_with("donation");
        let is_passive = IS.contains(&lower(verb - 1));
        if !is_noun && !is_passive {
            let before = (verb.saturating_sub(REACH)..verb).rev().take_while(|at| self.is_part_of_name(*at));
            parties.extend(before.map(|at| Party { word: self.party(at), takes }));
        }
        // "gave us", "gave the Trust"
        if !takes && !is_noun && !is_passive && lower(verb) != "given" {
            parties.extend(self.named_after(verb).map(|at| Party { word: self.party(at), takes: true }));
        }
        for at in 0..self.tokens.len().min(LONGEST) {
            let takes = match lower(at) {
                "to" => true,
                "from" => false,
                "by" if is_passive || lower(verb) == "given" => false,
                _ => continue,
            };
            parties.extend(self.named_after(at).map(|at| Party { word: self.party(at), takes }));
        }
        // Who gives here and takes there does both.
        let does_both = |one: &Party| parties.iter().any(|other| one.is_turned(*other));
        let both: Vec<u64> = parties.iter().filter(|one| does_both(one)).map(|one| one.word).collect();
        parties.retain(|one| !both.contains(&one.word));
        parties
    }

    fn named_after(&self, mark: usize) -> impl Iterator<Item = usize> + '_ {
        let from = mark + 1 + usize::from(matches!(self.lower(Some(mark + 1)), "the" | "our"));
        (from..self.tokens.len().min(from + REACH))
            .take_while(|at| !self.tokens[*at].apart && self.is_part_of_name(*at))
    }

    fn is_part_of_name(&self, at: usize) -> bool {
        let lower = self.lower(Some(at));
        matches!(lower, "we" | "us") || (self.carries(at).is_some() && !ARTICLES.contains(&lower))
    }

    fn party(&self, at: usize) -> u64 {
        let token = &self.tokens[at];
        digest(if token.lower == "us" { "we" } else { &token.stem })
    }
}
