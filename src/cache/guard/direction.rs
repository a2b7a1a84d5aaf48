//! Which way: from where to where, what is compared with what, and what affects what.

use super::extract::Reading;
use super::text::{Kind, Token};

/// What stands before a "to" that moves nothing, by stem.
pub(super) const STILL: [&str; 21] = [
    "due",
    "ha",
    "has",
    "hav",
    "have",
    "had",
    "need",
    "attribut",
    "contribut",
    "relat",
    "accord",
    "thank",
    "compar",
    "subject",
    "link",
    "ti",
    "expos",
    "exposur",
    "ow",
    "damag",
    "respons",
];

impl Reading<'_> {
    /// Where a movement goes: what stands after "to", and what stands after "from".
    pub(super) fn ends(&self) -> [Option<Box<str>>; 2] {
        let terms = self.terms.iter().map(|(at, term)| (*at, term.key.clone()));
        let mut things: Vec<_> = self.anchors.iter().cloned().chain(terms).collect();
        things.sort();
        let after = |words: &[&str]| {
            // "due to" and "has to" move nothing.
            let moves = |at: usize| {
                let before = at.checked_sub(1).map_or("", |before| self.tokens[before].stem.as_str());
                !STILL.contains(&before)
            };
            let mark = (0..self.tokens.len())
                .rev()
                .find(|&at| words.contains(&self.tokens[at].lower.as_str()) && moves(at))?;
            // What moves stands right there, but for an article: "to find Acme's savings" is no movement.
            let near = mark + 1..=mark + 2;
            things.iter().find(|(at, _)| near.contains(at)).map(|(_, key)| key.clone())
        };
        [after(&["to", "into", "nach", "zu"]), after(&["from", "von", "aus"])]
    }

    /// What something has an effect on: "X affects Y", "the impact of X on Y", "the effect X has on Y", "Y is affected by X".
    pub(super) fn affected(&self) -> Vec<Box<str>> {
        let found = self.tokens.iter().position(|token| {
            matches!(
                token.lower.as_str(),
                "affect"
                    | "affects"
                    | "affected"
                    | "effect"
                    | "effects"
                    | "impact"
                    | "impacts"
                    | "influence"
                    | "influences"
            )
        });
        let Some(at) = found else { return Vec::new() };
        let terms = self.terms.iter().map(|(at, term)| (*at, term.key.clone()));
        // "on us as a company", "on our business"
        let ours =
            self.tokens.iter().enumerate().filter(|(_, token)| {
                matches!(token.lower.as_str(), "us" | "we" | "company" | "business" | "operations")
            });
        let mut things: Vec<_> = terms.chain(ours.map(|(at, _)| (at, "us".into()))).collect();
        things.sort();
        // A name may have two words.
        let within = |from: usize, to: usize| {
            things.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, key)| key.clone()).collect::<Vec<_>>()
        };
        let after = |mark: usize| within(mark + 1, mark + 4);
        match (self.lower(Some(at)), self.lower(Some(at + 1))) {
            ("affected", next) if next == "by" || self.small.get(at + 1) != Some(&false) => {
                within(at.saturating_sub(4), at)
            }
            ("affect" | "affects" | "affected", _) => after(at),
            _ => (at..self.tokens.len()).find(|on| self.lower(Some(*on)) == "on").map_or_else(Vec::new, after),
        }
    }

    /// What stands on the two sides of "from … to" or "than", in the order written.
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
        let pairs = anchors.windows(2).filter(|pair| between(pair[0].0, pair[1].0));
        pairs.flat_map(|pair| [pair[0].1.clone(), pair[1].1.clone()]).collect()
    }
}
