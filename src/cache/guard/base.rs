//! Of whom a share is: "the share of women who are managers" and "the share of managers who are women".

use super::extract::Reading;
use super::small_words::HELPS;

/// Whether a share of people is one of a sex, or the share that this sex has of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    OfThem,
    OfOthers,
}

impl Reading<'_> {
    /// None where the question asks for no share, names no sex, or leaves it open: "share of women on the board".
    pub(super) fn base(&self) -> Option<Base> {
        let sex = self.anchors.iter().filter(|(_, key)| key.starts_with("gender ")).map(|(at, _)| *at).min()?;
        let share = self.tokens.iter().position(|token| {
            matches!(token.lower.as_str(), "share" | "percentage" | "percent" | "proportion" | "portion" | "fraction")
        })?;
        if matches!(self.lower(Some(0)), "of" | "among") && share > 0 {
            let ends = (1..share).find(|at| self.tokens[*at].apart).unwrap_or(share);
            return Some(if sex < ends { Base::OfThem } else { Base::OfOthers });
        }
        if self.lower(Some(share + 1)) != "of" || sex < share {
            return None;
        }
        // "of our female staff", "of promotions to director went to women"
        let carries = |at: &usize| !self.small[*at] && !HELPS.contains(&self.lower(Some(*at)));
        let is_first = !(share + 2..sex).any(|at| carries(&at));
        // "of the women we employ work part-time", "of women on our staff have", but not "of women among those who are".
        let tells = |at: usize| {
            let (lower, before) = (self.lower(Some(at)), self.lower(Some(at - 1)));
            let asks = matches!(lower, "do" | "does" | "did") || matches!(before, "we" | "who" | "that" | "which");
            (HELPS.contains(&lower) && !asks) || lower == "got" || (lower == "we" && !HELPS.contains(&before))
        };
        let ends = |at: &usize| self.tokens[*at].apart || matches!(self.lower(Some(*at)), "when" | "if" | "while");
        let rest = (sex + 1..self.tokens.len()).take_while(|at| !ends(at));
        let goes_on = rest.into_iter().any(tells) || self.lower(Some(sex + 1)) == "who";
        match (is_first, goes_on) {
            (true, true) => Some(Base::OfThem),
            (true, false) => None,
            (false, _) => Some(Base::OfOthers),
        }
    }
}
