//! How a question is put: what its answer is for, and which of its words ask.

use super::extract::Reading;
use super::small_words::HELPS;
use super::text::Kind;

impl Reading<'_> {
    /// "For our annual report, …" tells what the answer is for, and nothing of what is asked; "In the BASF report, …"
    /// tells where it stands. So nothing but "for", whose it is, and one of these words is passed over.
    pub(super) fn skip_purpose(&mut self) {
        const WHOSE: [&str; 5] = ["our", "my", "an", "a", "the"];
        const WHICH: [&str; 8] =
            ["annual", "upcoming", "next", "internal", "esg", "sustainability", "investor", "social"];
        const PURPOSES: [&str; 14] = [
            "report",
            "page",
            "chapter",
            "questionnaire",
            "meeting",
            "analysis",
            "presentation",
            "dashboard",
            "newsletter",
            "slide",
            "brief",
            "briefing",
            "memo",
            "regulator",
        ];
        let says =
            |at: usize, words: &[&str]| self.tokens.get(at).is_some_and(|token| words.contains(&token.lower.as_str()));
        let last = (2..5).find(|&at| says(at, &PURPOSES));
        let Some(last) = last.filter(|_| says(0, &["for"]) && says(1, &WHOSE)) else { return };
        let plain = (2..last).all(|at| says(at, &WHICH));
        if plain && self.tokens.get(last + 1).is_some_and(|next| next.apart) {
            self.take(0, last + 1);
            self.small[..=last].fill(true);
            self.idle[..=last].fill(true);
        }
    }

    /// "Was …?" and "Does …?" ask for a yes or a no.
    pub(super) fn yes_or_no(&mut self) {
        if HELPS.contains(&self.lower(Some(0))) || self.clause_asks() {
            self.frames.push("yes or no".into());
        }
    }

    /// Whether a clause stands before what is asked: "When a plant closes, must we …?", "Under the CSRD, do we …?".
    pub(super) fn clause_asks(&self) -> bool {
        const OPENS: [&str; 10] = ["when", "if", "where", "under", "on", "in", "for", "before", "after", "during"];
        let asks = |at: usize| {
            let lower = self.lower(Some(at));
            self.tokens[at].apart && (HELPS.contains(&lower) || matches!(lower, "may" | "must"))
        };
        OPENS.contains(&self.lower(Some(0))) && (1..self.tokens.len()).any(asks)
    }

    /// Kinds of answer that are asked for without the words of the lexicon: "Explain the rise", "increase 2022 causes",
    /// "How is the rate calculated?".
    pub(super) fn unsaid_frames(&mut self) {
        let stems = |stems: &[&str]| self.tokens.iter().any(|token| stems.contains(&token.stem.as_str()));
        let has_change = self.facts.iter().any(|fact| &*fact.slot == "change");
        let last = self.tokens.last().map_or("", |token| token.lower.as_str());
        let is_reason =
            matches!(last, "causes" | "reasons" | "drivers") || (stems(&["explain", "attribut"]) && has_change);
        let is_amount = self.frames.iter().any(|frame| matches!(&**frame, "count" | "quantity"));
        let works_out = stems(&["calculat", "measur", "comput", "determin"]);
        if is_reason {
            self.frames.push("reason".into());
        } else if matches!(self.lower(Some(0)), "how" | "explain") && works_out && !is_amount {
            self.frames.push("procedure".into());
        }
    }

    /// Whether a word that can ask does so there: nothing but names and small words stand before it, and no other
    /// word that asks comes after a comma, as in "When it reports, how ...".
    pub(super) fn asks_at(&self, at: usize) -> bool {
        let carries = |before: usize| {
            let token = &self.tokens[before];
            token.kind == Kind::Word && !self.small[before] && !token.is_capital() && self.is_free(before)
        };
        let asks_later = (at + 1..self.tokens.len()).any(|later| {
            self.tokens[later].apart
                && matches!(self.lower(Some(later)), "how" | "what" | "which" | "who" | "why" | "where")
        });
        let is_clause = at == 0 && self.clause_asks();
        let is_first = self.terms.iter().all(|(place, _)| *place > at) && !(0..at).any(carries);
        is_first && !asks_later && !is_clause
    }
}
