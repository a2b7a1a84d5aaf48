//! The words of two questions beside each other: what has its equal or a synonym, and what is left alone.

use super::signature::{Term, TermKind};
use super::text;

/// Two words that share a stem of this many letters, and at least this cosine, are forms of one word.
const FAMILY_LETTERS: usize = 5;
const FAMILY: f32 = 0.3;
/// How alike two forms of one word are, and a word and a slip of the pen of it.
const SAME_WORD: f32 = 0.9;
/// How well a word stands for another that the lexicon lists with it.
const ALIKE: f32 = 0.8;
const MISSPELT: f32 = 0.95;
/// How alike a phrase and a part of it are at most.
const PART: f32 = 0.55;
/// Below this likeness to its nearest word, a word is alone.
const ALONE: f32 = 0.6;
/// How much less it says that both questions name a thing that many name.
const COMMON: f32 = 0.5;

/// One question's words beside the other's.
pub(super) struct Side<'a> {
    /// The words that were compared: all but names.
    pub(super) words: Vec<&'a Term>,
    /// What they weigh together, and how much of that the other question says too.
    pub(super) weight: f32,
    pub(super) shared: f32,
    /// Those that the other question does not say, heaviest first.
    pub(super) alone: Vec<Alone<'a>>,
}

/// A word that the other question does not say.
pub(super) struct Alone<'a> {
    pub(super) term: &'a Term,
    /// What is missing of its weight.
    pub(super) weight: f32,
}

/// What parts two questions for sure.
pub(super) enum Parted<'a> {
    /// A name of one question that is not in the other.
    Name(&'a Term),
    /// A word, and its opposite in the other question.
    Opposite(&'a Term, &'a Term),
}

/// What a word weighs that may go without saying.
pub(super) const UNSAID: f32 = 0.3;

impl Side<'_> {
    /// Makes light of words that go without saying where the other question says nothing in their place.
    pub(super) fn forgive(&mut self, other: &Self) {
        if other.alone.iter().any(|alone| !alone.term.is_minor()) {
            return;
        }
        for alone in self.alone.iter_mut().filter(|alone| alone.term.is_unsaid && alone.weight > UNSAID) {
            self.weight -= alone.weight - UNSAID;
            alone.weight = UNSAID;
        }
        self.alone.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    }
}

/// What of one question's words the other says, or what parts the two for sure.
pub(super) fn side<'a>(own: &[&'a Term], others: &[&'a Term]) -> Result<Side<'a>, Parted<'a>> {
    let mut side = Side { words: Vec::with_capacity(own.len()), weight: 0.0, shared: 0.0, alone: Vec::new() };
    for &term in own {
        let likeness = likeness(term, own, others)?;
        if term.kind == TermKind::Name {
            continue;
        }
        side.words.push(term);
        let weight = if term.is_common && likeness >= ALONE { COMMON * term.weight } else { term.weight };
        side.weight += weight;
        side.shared += weight * likeness;
        if likeness < ALONE {
            side.alone.push(Alone { term, weight: term.weight * (1.0 - likeness) });
        }
    }
    side.alone.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    Ok(side)
}

/// How well the other question says a word: 1 for its equal, towards 0 for nothing like it.
fn likeness<'a>(term: &'a Term, own: &[&'a Term], others: &[&'a Term]) -> Result<f32, Parted<'a>> {
    if others.iter().any(|other| other.key == term.key) {
        return Ok(1.0);
    }
    if let Some(opposite) = others.iter().find(|other| is_opposite(&term.shown, &other.shown)) {
        return Err(Parted::Opposite(term, opposite));
    }
    // "volunteering hours" says what "hours volunteered" says, though it is one thing of the lexicon.
    let says = |stem: &str| others.iter().any(|other| other.stems.iter().any(|known| **known == *stem));
    if term.kind != TermKind::Name && !term.stems.is_empty() && term.stems.iter().all(|stem| says(stem)) {
        return Ok(1.0);
    }
    let spelled = letters(&term.shown);
    if others.iter().any(|other| letters(&other.shown) == spelled) || is_initials(term, others, own) {
        return Ok(1.0);
    }
    if others.iter().any(|other| is_misspelt(term, other) || is_misspelt(other, term)) {
        return Ok(MISSPELT);
    }
    if term.kind == TermKind::Name {
        return Err(Parted::Name(term));
    }
    let likeness = |other: &&Term| {
        // "air travel" says more than "travel" does.
        let shares = term.stems.iter().any(|stem| other.stems.contains(stem));
        let most = if shares && term.stems.len() != other.stems.len() { PART } else { 1.0 };
        synonymy(term, other).min(most)
    };
    Ok(others.iter().map(likeness).fold(0.0, f32::max))
}

/// How well one word stands for another, by its vector and its letters.
fn synonymy(one: &Term, other: &Term) -> f32 {
    if one.may_be(other) && one.is_minor() == other.is_minor() && one.place.is_like(&other.place) {
        return ALIKE;
    }
    // Two things of the lexicon are two things.
    if one.kind == TermKind::Name || other.kind == TermKind::Name || (one.is_known() && other.is_known()) {
        return 0.0;
    }
    let stem = one.key.bytes().zip(other.key.bytes()).take_while(|(a, b)| a == b).count();
    let family = stem >= FAMILY_LETTERS && 3 * stem >= 2 * one.key.len().max(other.key.len());
    match one.cosine(other) {
        Some(cosine) if family && cosine >= FAMILY => cosine.max(SAME_WORD),
        Some(cosine) => cosine.max(0.0),
        // Without vectors only the letters can tell.
        _ if family && !one.is_thing() && !other.is_thing() => SAME_WORD,
        _ => 0.0,
    }
}

/// A word that nothing knows, written small, beside a word that is one slip of the pen away.
fn is_misspelt(unknown: &Term, other: &Term) -> bool {
    let small = unknown.shown.chars().all(char::is_lowercase);
    let known = !matches!(other.kind, TermKind::Name | TermKind::Rare);
    let (one, other) = (unknown.shown.as_bytes(), other.shown.as_bytes());
    let near = one.len().abs_diff(other.len()) <= 1 && one.len().min(other.len()) >= 5;
    matches!(unknown.kind, TermKind::Name | TermKind::Rare) && small && known && near && is_one_slip(one, other)
}

/// One letter changed, added, left out, or two neighbours swapped.
fn is_one_slip(one: &[u8], other: &[u8]) -> bool {
    let start = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[start..], &other[start..]);
    let end = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    match (&one[..one.len() - end], &other[..other.len() - end]) {
        ([_], [_] | []) | ([], [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

fn letters(text: &str) -> String {
    text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).map(text::plain).collect()
}

/// "unsafe" and "safe", "disallow" and "allow", "carbon-free" against "carbon".
fn is_opposite(one: &str, other: &str) -> bool {
    const BEFORE: [&str; 9] = ["un", "in", "im", "ir", "il", "dis", "non", "mis", "de"];
    const AFTER: [&str; 2] = ["less", "free"];
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    let made = |long: &str, short: &str| {
        short.len() > 2
            && (BEFORE
                .iter()
                .any(|prefix| long.strip_prefix(prefix).map(|rest| rest.trim_start_matches('-')) == Some(short))
                || AFTER.iter().any(|suffix| long.strip_suffix(suffix) == Some(short)))
    };
    made(&one, &other) || made(&other, &one)
}

/// "CSRD" beside the words it stands for, and those words beside it.
fn is_initials(term: &Term, others: &[&Term], own: &[&Term]) -> bool {
    let spelled_by = |acronym: &Term, words: &[&Term]| {
        let wanted = acronym.shown.chars().count();
        wanted > 2
            && acronym.shown.chars().all(char::is_uppercase)
            && words
                .windows(wanted)
                .position(|window| {
                    window.iter().zip(acronym.shown.chars()).all(|(word, letter)| {
                        word.shown.chars().next().is_some_and(|first| first.eq_ignore_ascii_case(&letter))
                    })
                })
                .is_some_and(|start| {
                    acronym.key == term.key || words[start..start + wanted].iter().any(|word| word.key == term.key)
                })
    };
    spelled_by(term, others) || others.iter().any(|other| spelled_by(other, own))
}
