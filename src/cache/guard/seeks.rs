//! Whether a question asks who does something or to whom it is done: "who audits our suppliers", "which are audited".

use super::extract::{Reading, digest};
use super::small_words::IS;

const CARRIES_OUT: [&str; 12] = [
    "perform",
    "performs",
    "performed",
    "carry",
    "carries",
    "carried",
    "conduct",
    "conducts",
    "conducted",
    "undertake",
    "undertakes",
    "undertook",
];
const UNDERGOES: [&str; 3] = ["undergo", "undergoes", "underwent"];

/// What a question with "who" or "which" asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seeks {
    /// Who does it, with a digest of what; None where that is a thing that they "carry out".
    Actor(Option<u32>),
    /// To whom it is done, with a digest of what; None where they "undergo" it.
    Patient(Option<u32>),
}

impl Reading<'_> {
    /// Whether it asks to whom something goes: "to whom does she report", "who does she report to".
    pub(super) fn seeks_goal(&self) -> Option<bool> {
        let lower = |at: usize| self.lower(Some(at));
        let asks = (0..self.tokens.len()).find(|at| matches!(lower(*at), "who" | "whom"))?;
        let is_stranded = |at: usize| {
            let next = self.tokens.get(at + 1);
            let goes_on = matches!(lower(at + 1), "by" | "on" | "in" | "about" | "for" | "regarding" | "when" | "if");
            lower(at) == "to" && (goes_on || next.is_none_or(|next| next.apart))
        };
        Some(self.lower(asks.checked_sub(1)) == "to" || (asks + 1..self.tokens.len()).any(is_stranded))
    }

    pub(super) fn seeks(&self) -> Option<Seeks> {
        let lower = |at: usize| self.lower(Some(at));
        let asks = (0..self.tokens.len()).find(|at| matches!(lower(*at), "who" | "which" | "whom"))?;
        let carries_out = (asks + 1..asks + 3).any(|at| CARRIES_OUT.contains(&lower(at)));
        if carries_out || self.lower(asks.checked_sub(1)) == "by" {
            return Some(Seeks::Actor(None));
        }
        if lower(asks) == "who"
            && let Some(done) = self.carries(asks + 1)
        {
            return Some(Seeks::Actor(Some(done as u32)));
        }
        let passive = |at: &usize| IS.contains(&lower(*at)) && lower(at + 1).ends_with("ed");
        let undergoes = |at: usize| UNDERGOES.contains(&lower(at)) || (lower(at) == "subject" && lower(at + 1) == "to");
        let mut rest = asks + 1..self.tokens.len();
        if let Some(at) = rest.clone().find(passive) {
            return Some(Seeks::Patient(Some(digest(&self.tokens[at + 1].stem) as u32)));
        }
        rest.any(undergoes).then_some(Seeks::Patient(None))
    }
}
