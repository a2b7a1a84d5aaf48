//! How the words of a question stand: in which order, and with which small words between them. Two questions in the same
//! words ask the same only if these agree.

use super::asks::Asks;
use super::extract::{Reading, digest};
use super::signature::TermKind;
use super::small_words::{ARTICLES, ASKS, HELPS};
use super::text::Kind;

/// So many words are compared in their order; a question with a document behind it is told by its beginning.
pub(super) const LONGEST: usize = 200;

/// Small words that say something of their own: whence, whither, by whom, until when, how many, whether it is sure.
const TELLING: [&str; 58] = [
    "to", "from", "by", "against", "until", "till", "since", "before", "after", "without", "under", "over", "above",
    "below", "than", "more", "less", "fewer", "most", "least", "only", "any", "all", "every", "some", "many", "few",
    "several", "either", "both", "neither", "nor", "or", "while", "if", "unless", "despite", "although", "will",
    "would", "shall", "should", "must", "may", "might", "not", "never", "barely", "nearly", "almost", "up", "down",
    "out", "off", "into", "onto", "per", "between",
];
/// Those that may be missing where nothing stands in their place: "risks that have", "risks to have".
const WEAK: [&str; 8] = ["to", "by", "from", "between", "up", "down", "into", "per"];
/// Words that lead to a part of the question which may as well stand elsewhere in it.
pub(super) const LEADS: [&str; 17] = [
    "in", "at", "of", "for", "by", "on", "from", "to", "under", "during", "across", "within", "per", "before", "after",
    "since", "when",
];
const JOINS: [&str; 5] = ["and", "or", "nor", "vs", "versus"];

/// What a word is in the order of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A name or a number.
    Value,
    Leads,
    Joins,
    Other,
}

/// A word, by its digest.
#[derive(Debug, Clone, Copy)]
struct Said {
    word: u32,
    role: Role,
}

/// A word that leads to the next one that is not small.
#[derive(Debug, Clone, Copy)]
struct Lead {
    word: &'static str,
    /// The place of the next one among those that are not small.
    to: usize,
    /// Whether that is a name or a number.
    to_value: bool,
}

/// The words of a question in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Wording {
    said: Box<[Said]>,
    /// Digests of the words that are not small.
    content: Box<[u32]>,
    telling: Box<[&'static str]>,
    leads: Box<[Lead]>,
    is_telegraphic: bool,
    names: usize,
    asks: Asks,
}

impl Reading<'_> {
    pub(super) fn wording(&self) -> Wording {
        let names: Vec<usize> =
            self.terms.iter().filter(|(_, term)| term.kind == TermKind::Name).map(|(at, _)| *at).collect();
        let asks = self.asks();
        let mut wording = Wording { asks, names: names.len(), ..Wording::default() };
        let bounds: Vec<usize> = self.bounds();
        let (mut said, mut content, mut telling, mut leads) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (at, token) in self.tokens.iter().take(LONGEST).enumerate() {
            let lower = token.lower.as_str();
            // What bounds an amount is a slot.
            let goes_on = matches!(lower, "more" | "less" | "fewer" | "greater" | "than" | "most" | "least");
            let bounds =
                bounds.contains(&at) || (goes_on && (1..3).any(|back| at >= back && bounds.contains(&(at - back))));
            if ARTICLES.contains(&lower) || self.idle[at] || bounds {
                continue;
            }
            let word = digest(if lower == "us" { "we" } else { &token.stem }) as u32;
            let lead = known(&LEADS, lower);
            let role = match lower {
                _ if lead.is_some() => Role::Leads,
                _ if JOINS.contains(&lower) => Role::Joins,
                _ if token.kind == Kind::Number || names.contains(&at) => Role::Value,
                _ => Role::Other,
            };
            said.push(Said { word, role });
            leads.extend(lead.map(|word| Lead { word, to: content.len(), to_value: false }));
            let asks = matches!(lower, "many" | "few") && self.lower(at.checked_sub(1)) == "how";
            let tells = known(&TELLING, lower).filter(|_| !asks && (token.starts || !token.is_capital()));
            if let Some(word) = tells {
                telling.push(word);
            } else if !self.small[at] {
                if role == Role::Value {
                    let here = leads.iter_mut().rev().take_while(|lead: &&mut Lead| lead.to == content.len());
                    here.for_each(|lead| lead.to_value = true);
                }
                content.push(word);
            }
        }
        let helps = |token: &str| HELPS.contains(&token) || ASKS.contains(&token);
        wording.is_telegraphic = !self.tokens.iter().any(|token| helps(&token.lower));
        (wording.said, wording.content) = (said.into(), content.into());
        (wording.telling, wording.leads) = (telling.into(), leads.into());
        wording
    }

    /// Where the words stand that bound an amount.
    fn bounds(&self) -> Vec<usize> {
        self.anchors.iter().filter(|(_, key)| key.starts_with("bound ")).map(|(at, _)| *at).collect()
    }
}

impl Wording {
    /// Whether the same words stand in each other's place, unless a clause `has_moved`.
    pub(super) fn turns(&self, other: &Self, has_moved: impl FnOnce() -> bool) -> Option<String> {
        let is_turned = self.is_turned(other) && !has_moved();
        is_turned.then(|| "order: the same words stand in each other's place".to_owned())
    }

    /// What a small word between the same words parts.
    pub(super) fn parts(&self, other: &Self) -> Option<String> {
        if self.content != other.content || self.content.is_empty() {
            return None;
        }
        self.small_words(other).or_else(|| self.asks.parts(other.asks))
    }

    /// Whether it begins with a word like "when" or "in".
    pub(super) fn opens_with_clause(&self) -> bool {
        self.said.first().is_some_and(|first| first.role == Role::Leads)
    }

    /// The share of the shorter question that the longer one says in the same words and order.
    pub(super) fn literal(&self, other: &Self) -> f32 {
        let mut row = vec![0_u16; other.said.len() + 1];
        for one in &self.said {
            let mut before = 0;
            for (place, two) in other.said.iter().enumerate() {
                let above = row[place + 1];
                row[place + 1] = if one.word == two.word { before + 1 } else { above.max(row[place]) };
                before = above;
            }
        }
        f32::from(row[other.said.len()]) / self.said.len().min(other.said.len()).max(1) as f32
    }

    /// The same words in another order, unless a part of the question has moved as a whole: "Did Acme acquire Globex?"
    /// and "Did Globex acquire Acme?".
    fn is_turned(&self, other: &Self) -> bool {
        let (mut one, mut two) = (&*self.said, &*other.said);
        let words = |said: &[Said]| {
            let mut words: Vec<u32> = said.iter().map(|said| said.word).collect();
            words.sort_unstable();
            words
        };
        if one.len() != two.len() || words(one) != words(two) {
            return false;
        }
        while let ([first, rest @ ..], [other, others @ ..]) = (one, two)
            && first.word == other.word
        {
            (one, two) = (rest, others);
        }
        while let ([rest @ .., last], [others @ .., other]) = (one, two)
            && last.word == other.word
        {
            (one, two) = (rest, others);
        }
        !one.is_empty() && !has_moved(one, two) && !has_moved(two, one)
    }

    fn small_words(&self, other: &Self) -> Option<String> {
        if self.telling == other.telling {
            return None;
        }
        let (mine, theirs) = (extra(&self.telling, &other.telling), extra(&other.telling, &self.telling));
        // "acquired Globex" and "acquired by Globex": with two names, who does it to whom.
        let is_weak = |word: &str| WEAK.contains(&word) && !(word == "by" && self.names > 1);
        // Who writes in catchwords leaves them out.
        let may_lack = |short: &Self, long: &Self, words: &[&str]| {
            let is_lost = |word: &&str| is_weak(word) && !short.has_another(long, word);
            let is_lead = |word: &&str| WEAK.contains(word) || LEADS.contains(word);
            (short.is_telegraphic && words.iter().all(is_lead)) || words.iter().all(is_lost)
        };
        match (mine.as_slice(), theirs.as_slice()) {
            ([], []) => Some("order: the same small words stand in each other's place".to_owned()),
            (words @ [word, ..], []) if !may_lack(other, self, words) => {
                Some(format!("“{word}” is asked, the stored question does not say it"))
            }
            ([], words @ [word, ..]) if !may_lack(self, other, words) => {
                Some(format!("“{word}” is not asked, the stored question says it"))
            }
            ([one, ..], [two, ..]) => Some(format!("“{one}” differs from “{two}”")),
            _ => None,
        }
    }

    /// Whether another word stands where the other question has this one: "invested in", "invested by". Names are led
    /// to in many ways: "emissions of Acme", "emissions by Acme".
    fn has_another(&self, other: &Self, word: &str) -> bool {
        let mut there = other.leads.iter().filter(|lead| lead.word == word && !lead.to_value);
        there.any(|lead| self.leads.iter().any(|here| here.to == lead.to))
    }
}

/// The words of one list that the other has not, each as often as it is missing.
fn extra(of: &[&'static str], not: &[&'static str]) -> Vec<&'static str> {
    let mut rest = not.to_vec();
    let is_extra = |word: &&str| match rest.iter().position(|other| other == word) {
        Some(place) => {
            rest.swap_remove(place);
            false
        }
        None => true,
    };
    of.iter().copied().filter(is_extra).collect()
}

/// A word of a list.
fn known(list: &[&'static str], word: &str) -> Option<&'static str> {
    list.iter().copied().find(|known| *known == word)
}

/// Whether one order comes from the other by a part that moved as a whole, or by two that a word like "and" joins.
fn has_moved(one: &[Said], two: &[Said]) -> bool {
    let same = |a: &[Said], b: &[Said]| a.iter().map(|said| said.word).eq(b.iter().map(|said| said.word));
    let may_move = |part: &[Said]| {
        part.first().is_some_and(|first| first.role == Role::Leads)
            || part.iter().all(|said| matches!(said.role, Role::Value | Role::Leads))
    };
    (1..one.len()).any(|cut| {
        let (left, right) = one.split_at(cut);
        let back = one.len() - cut;
        let moved = same(left, &two[back..]) && same(right, &two[..back]) && (may_move(left) || may_move(right));
        let joined = right[0].role == Role::Joins
            && right[0].word == two[back - 1].word
            && same(&right[1..], &two[..back - 1])
            && same(left, &two[back..]);
        moved || joined
    })
}
