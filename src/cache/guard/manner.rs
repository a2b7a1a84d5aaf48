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
        if HELPS.contains(&self.lower(Some(0))) {
            self.frames.push("yes or no".into());
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
        !asks_later && !(0..at).any(carries) && self.terms.iter().all(|(place, _)| *place > at)
    }
}
