//! What a question denies.

use super::extract::Reading;
use super::lexicon::Language;
use super::text::Token;

/// What is left out.
struct Exclusion {
    /// From this place on, what comes first is denied.
    from: usize,
    /// Where the words stand that say so.
    said: Vec<usize>,
}

impl Reading<'_> {
    pub(super) fn negate(&mut self) {
        for at in 0..self.tokens.len() {
            if let Some(count) = self.alternative(at) {
                self.take(at + 1 - count, count);
                self.small[at + 1 - count..=at].fill(true);
                self.idle[at + 1 - count..=at].fill(true);
                continue;
            }
            if let Some(exclusion) = self.exclusion(at) {
                self.negations.push(exclusion.from);
                for said in exclusion.said {
                    self.take(said, 1);
                    (self.small[said], self.idle[said]) = (true, true);
                }
                continue;
            }
            let token = &self.tokens[at];
            let mut negates = token.stem.ends_with(" not")
                || token.lower == "missing"
                || self.prevents(at)
                || self.denies_in(&token.stem);
            let next = self.lower(Some(at + 1));
            // "not only" asserts, "no. 5" numbers, and "no" is an article in Portuguese.
            negates &= !(matches!(next, "only" | "just")
                || (token.lower == "non" && !self.denies(at))
                || (token.lower == "no" && next.starts_with(|c: char| c.is_ascii_digit())));
            // "no later than" bounds.
            let bounds = matches!(
                next,
                "later"
                    | "more"
                    | "less"
                    | "fewer"
                    | "greater"
                    | "earlier"
                    | "longer"
                    | "higher"
                    | "lower"
                    | "exceeding"
            ) && (next == "exceeding" || self.lower(Some(at + 2)) == "than");
            let stem = self.tokens.get(at + 1).map_or("", |next| next.stem.as_str());
            // "did not pass" is one thing of the lexicon.
            negates &= !bounds && self.lexicon.meaning(&format!("not {stem}")).is_none();
            let pair = ["fail to", "refus to", "unabl to"]
                .iter()
                .any(|pair| pair.split_once(' ').is_some_and(|(first, second)| token.stem == first && next == second));
            if negates || pair {
                self.negations.push(at + 1);
                self.take(at, 1);
            }
        }
    }

    /// Where the language is open, a word that denies in any of them does, but for short ones that mean more.
    fn denies_in(&self, stem: &str) -> bool {
        const ANY: [Language; 4] = [Language::German, Language::French, Language::Spanish, Language::Portuguese];
        match self.language {
            Some(language) => self.lexicon.is_negation(stem, language),
            None => {
                self.lexicon.is_negation(stem, Language::English)
                    || (stem.chars().count() > 3
                        && ANY.iter().any(|&language| self.lexicon.is_negation(stem, language)))
            }
        }
    }

    /// "CO2e that was prevented", but not "measures that prevent accidents".
    fn prevents(&self, at: usize) -> bool {
        let emits = |token: &Token<'_>| token.lower.starts_with("co2") || token.lower.starts_with("emission");
        matches!(self.lower(Some(at)), "prevent" | "prevented" | "avert" | "averted") && self.tokens.iter().any(emits)
    }

    /// "Excluding offsets", "offsets excluded", "leaving offsets out", "other than offsets".
    fn exclusion(&self, at: usize) -> Option<Exclusion> {
        const PAIRS: [(&str, &str); 5] =
            [("other", "than"), ("apart", "from"), ("asid", "from"), ("net", "of"), ("left", "out")];
        /// How many words a thing may have.
        const REACH: usize = 3;
        if !matches!(self.language, None | Some(Language::English)) || !self.is_free(at) {
            return None;
        }
        let stem = |at: usize| self.tokens.get(at).map_or("", |token| token.stem.as_str());
        let ends = |at: usize| {
            self.tokens.get(at).is_none_or(|next| next.apart || matches!(next.lower.as_str(), "in" | "for" | "at"))
        };
        // Where the thing stands before the word that leaves it out.
        let before = || {
            let begins = (at.saturating_sub(REACH)..at).rev().take_while(|from| !self.tokens[from + 1].apart);
            begins.last().unwrap_or(at)
        };
        let (from, said) = match stem(at) {
            "exclud" if self.lower(Some(at)) == "excluded" && ends(at + 1) => (before(), vec![at]),
            "exclud" | "except" | "excl" | "omit" | "minu" | "minus" => (at + 1, vec![at]),
            "left" if stem(at + 1) == "out" && ends(at + 2) => (before(), vec![at, at + 1]),
            one if PAIRS.contains(&(one, stem(at + 1))) => (at + 1, vec![at, at + 1]),
            "outsid" if (at + 1..at + 4).any(|scope| matches!(stem(scope), "scop" | "boundari" | "boundary")) => {
                (at, vec![at])
            }
            "out" if stem(at + 1) == "of" && (at + 2..at + 4).any(|scope| stem(scope) == "scop") => {
                (at, vec![at, at + 1])
            }
            "leav" => (at + 1, vec![at, (at + 1..=at + 1 + REACH).find(|&out| stem(out) == "out")?]),
            _ => return None,
        };
        Some(Exclusion { from, said })
    }

    /// How many words up to here leave open what they name: "yes or no", "whether or not", and "or not" at an end.
    fn alternative(&self, at: usize) -> Option<usize> {
        let before = |back: usize| self.lower(at.checked_sub(back));
        if !matches!(self.lower(Some(at)), "no" | "not") || before(1) != "or" {
            return None;
        }
        let ends = self.tokens.get(at + 1).is_none_or(|next| next.apart);
        if matches!(before(2), "yes" | "whether") { Some(3) } else { ends.then_some(2) }
    }

    /// Whether "non" before a word of the lexicon denies it: "non-members", but not "non-financial", a thing of its own.
    fn denies(&self, at: usize) -> bool {
        if !matches!(self.language, None | Some(Language::English)) {
            return true;
        }
        let next = self.tokens.get(at + 1).filter(|next| next.hyphen);
        next.is_some_and(|next| {
            self.lexicon.meaning(&next.stem).is_some() && self.lexicon.meaning(&format!("non {}", next.stem)).is_none()
        })
    }
}
