//! What is led from where to where, and what is compared with what.

use super::extract::Reading;
use super::text::{Kind, Token};

impl Reading<'_> {
    /// What stands on the two sides of "from … to", of "than" or of a ratio's colon, in the order written.
    pub(super) fn order(&self) -> Vec<Box<str>> {
        let mut anchors = self.anchors.clone();
        anchors.sort();
        anchors.dedup();
        if anchors.len() < 2 {
            return Vec::new();
        }
        if let Some(than) = self.tokens.iter().position(|token| matches!(token.lower.as_str(), "than" | "als")) {
            // What is compared is of one kind: "Acme's fines higher than Globex's", but not "more than 45 in 2023".
            let kind = |key: &str| key.split_once(' ').map(|(slot, _)| slot.to_owned());
            let (before, after): (Vec<_>, Vec<_>) = anchors.into_iter().partition(|(at, _)| *at < than);
            let kinds = |of: &[(usize, Box<str>)]| of.iter().map(|(_, key)| kind(key)).collect::<Vec<_>>();
            let (left, right) = (kinds(&before), kinds(&after));
            let both = |key: &str| left.contains(&kind(key)) && right.contains(&kind(key));
            // "higher in 2022 than in 2019" is a rise from 2019 to 2022.
            let is_year = |(_, key): &(usize, Box<str>)| key.starts_with("year ");
            let years = before.iter().filter(|at| is_year(at)).count() == 1
                && after.iter().filter(|at| is_year(at)).count() == 1;
            let (first, last) = if years { (after, before) } else { (before, after) };
            let is_kept = |key: &str| both(key) && (!years || key.starts_with("year "));
            return first.into_iter().chain(last).map(|(_, key)| key).filter(|key| is_kept(key)).collect();
        }
        let between = |from: usize, to: usize| {
            // "Article 6 to Article 8"
            // What follows the tokens that are read has an anchor behind them.
            let number = self.tokens.get(to).is_some_and(Token::is_number);
            let is_label = to == from + 3 && number && self.tokens[to - 1].kind == Kind::Word;
            (to == from + 2 || is_label)
                && matches!(self.lower(Some(from + 1)), "to" | "into" | "bis" | "nach" | "à" | "a" | "hasta")
        };
        let is_ratio = |pair: &[(usize, Box<str>)]| {
            let [(from, one), (to, other)] = pair else { return false };
            *to == from + 1 && [one, other].iter().all(|key| key.starts_with("number ")) && self.is_one_sign_before(*to)
        };
        let pairs = anchors.windows(2).filter(|pair| between(pair[0].0, pair[1].0) || is_ratio(pair));
        pairs.flat_map(|pair| [pair[0].1.clone(), pair[1].1.clone()]).collect()
    }

    /// Whether one sign stands between a token and the one before it, and no space: "1:2".
    fn is_one_sign_before(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1).and_then(|before| self.tokens.get(before)) else { return false };
        let end = before.text.as_ptr() as usize + before.text.len();
        self.tokens.get(at).is_some_and(|token| token.text.as_ptr() as usize == end + 1) && self.tokens[at].apart
    }
}
