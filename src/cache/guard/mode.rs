//! Whether a question asks for a duty or for a permission: "Must we …?", "Is it mandatory …?", "May we …?", "Is it allowed …?".

use super::extract::Reading;

/// The keys of what says so.
const SAYS: [&str; 4] = ["=require", "=allow", "let", "=requirement mandatory"];
/// Whom a question asks for help: "Can you tell me …?"
const ASKED: [&str; 5] = ["you", "u", "i", "anyone", "someone"];

impl Reading<'_> {
    /// "Must we …?", "Do we have to …?" and "May we …?", but not "May 2023".
    pub(super) fn opens_with_mode(&self) -> bool {
        let word = |at: usize| self.lower(Some(at));
        let opens = matches!(word(0), "may" | "must") && self.tokens.get(1).is_some_and(|next| !next.is_number());
        opens || (word(0) == "do" && word(2) == "have" && word(3) == "to")
    }

    /// Makes a duty or a permission a slot where a question asks for a yes or a no, in whatever words it is said.
    pub(super) fn mode(&mut self) {
        if !self.asks_yes_or_no() {
            return;
        }
        let all = 0..self.tokens.len();
        let mode = if all.clone().any(|at| self.obliges(at)) {
            "must"
        } else if all.clone().any(|at| self.permits(at)) {
            "may"
        } else {
            return;
        };
        self.terms.retain(|(_, term)| !SAYS.contains(&&*term.key));
        self.asides.retain(|(_, term)| !SAYS.contains(&&*term.key));
        self.facts.retain(|fact| !matches!(&*fact.slot, "duty" | "requirement"));
        self.aside(0, &"mode".into(), &mode.into(), mode.into());
    }

    fn obliges(&self, at: usize) -> bool {
        match self.lower(Some(at)) {
            "must" | "oblige" | "obliges" | "obliged" | "require" | "requires" => true,
            "have" | "has" => self.lower(Some(at + 1)) == "to",
            "need" | "needs" => {
                matches!(self.lower(Some(at + 1)), "to" | "a" | "an")
                    && self.lower(at.checked_sub(1)) != "i"
                    && !self.idle[at]
            }
            "required" if self.lower(Some(at + 1)) == "to" => true,
            // "mandatory training" is a kind of training.
            "required" | "mandatory" | "compulsory" | "obligatory" | "necessary" => {
                self.tokens.get(at + 1).is_none_or(|next| next.apart || self.small[at + 1])
            }
            _ => false,
        }
    }

    fn permits(&self, at: usize) -> bool {
        let next = self.lower(Some(at + 1));
        match self.lower(Some(at)) {
            "may" | "allow" | "allows" | "allowed" | "permitted" | "permissible" | "let" | "lets" => true,
            // "a channel that people can use", "can it be recycled"
            "can" | "could" => {
                let is_passive = (at + 1..at + 6).any(|be| self.lower(Some(be)) == "be");
                (at == 0 || self.tokens[at].apart) && !self.idle[at] && !ASKED.contains(&next) && !is_passive
            }
            // "the permit limit"
            "permit" | "permits" => {
                let before = self.lower(at.checked_sub(1));
                next != "limit" && !["the", "a", "its", "our", "discharge", "water"].contains(&before)
            }
            _ => false,
        }
    }
}
