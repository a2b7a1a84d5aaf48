//! The words of two questions beside each other: each must find its equal or a synonym.

use super::signature::{Term, TermKind};

/// From this cosine on, two common words are taken to say the same.
const SYNONYM: f32 = 0.38;
/// Two words that share a stem of this many letters, and at least this cosine, are forms of one word.
const FAMILY_LETTERS: usize = 5;
const FAMILY: f32 = 0.3;
/// What a missing minor word costs, against 1 for a word without any counterpart.
const MINOR: f32 = 0.15;

/// From this weight on, a word that only one question says tells the two apart, whatever else they share.
const TELLING: f32 = 0.9;
/// How much may be said by one question only, for each thing that both name: where there is little to hold on to,
/// small words decide what is asked.
const SLACK: f32 = 0.2;

/// The agreement of two questions' words, or why their answers differ.
///
/// `shared` is how many things they share besides words.
pub(super) fn align(asked: &[Term], stored: &[Term], shared: f32) -> Result<f32, String> {
    let (mut loss, mut alone, mut hold) = (0.0, Vec::new(), 2.0 * shared);
    for (own, others, is_asked) in [(asked, stored, true), (stored, asked, false)] {
        for term in own {
            match cost(term, own, others).map_err(|opposite| reason(term, opposite, is_asked))? {
                Match::Found(cost) => {
                    loss += cost;
                    hold += if term.kind == TermKind::Minor { 0.0 } else { 1.0 };
                }
                Match::Alone(weight) => {
                    loss += MINOR;
                    alone.push((weight, term));
                }
            }
        }
    }
    let weight: f32 = alone.iter().map(|(weight, _)| weight).sum();
    if weight > SLACK * hold / 2.0 {
        let said: Vec<String> = alone.iter().map(|(_, term)| format!("“{}”", term.shown)).collect();
        return Err(format!(
            "words: only one of the questions says {}, and they share too little else",
            said.join(", ")
        ));
    }
    let words = (asked.len() + stored.len()).max(1) as f32;
    Ok((1.0 - loss / words).max(0.0))
}

/// What became of a word in the other question.
enum Match {
    /// It is there, at this cost.
    Found(f32),
    /// It is not, and weighs this much.
    Alone(f32),
}

/// What it costs that the other side says it otherwise; an error where it does not say it, with the opposite it says.
fn cost(term: &Term, own: &[Term], others: &[Term]) -> Result<Match, Option<Box<str>>> {
    if others.iter().any(|other| other.key == term.key) {
        return Ok(Match::Found(0.0));
    }
    if let Some(opposite) = others.iter().find(|other| is_opposite(&term.shown, &other.shown)) {
        return Err(Some(opposite.shown.clone()));
    }
    if others.iter().any(|other| is_misspelt(term, other) || is_misspelt(other, term)) {
        return Ok(Match::Found(MINOR));
    }
    let spelled = |other: &&Term| letters(&other.shown) == letters(&term.shown);
    if others.iter().any(|other| spelled(&other)) || is_initials(term, others, own) {
        return Ok(Match::Found(0.0));
    }
    match term.kind {
        TermKind::Minor => Ok(Match::Alone(term.weight)),
        TermKind::Name => Err(None),
        TermKind::Word | TermKind::Concept => {
            let best = others.iter().filter_map(|other| likeness(term, other)).fold(0.0, f32::max);
            match term.kind {
                _ if best > 0.0 => Ok(Match::Found(1.0 - best)),
                // A common word that the lexicon does not know as a thing of its own.
                TermKind::Word if term.vector.is_some() && term.weight < TELLING => Ok(Match::Alone(term.weight)),
                _ => Err(None),
            }
        }
    }
}

/// The cosine of two words that may stand for each other.
fn likeness(one: &Term, other: &Term) -> Option<f32> {
    let shared = one.key.bytes().zip(other.key.bytes()).take_while(|(a, b)| a == b).count();
    let family = shared >= FAMILY_LETTERS && 3 * shared >= 2 * one.key.len().max(other.key.len());
    match (one.vector.as_deref(), other.vector.as_deref()) {
        (Some(a), Some(b)) => {
            let cosine: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            if family && cosine >= FAMILY { Some(cosine.max(0.9)) } else { (cosine >= SYNONYM).then_some(cosine) }
        }
        // Without vectors only the letters can tell, and only between plain words.
        (None, None) => (family && one.kind == TermKind::Word && other.kind == TermKind::Word).then_some(0.8),
        _ => None,
    }
}

/// A word that nothing knows, written small, beside a word that is one slip of the pen away.
fn is_misspelt(unknown: &Term, other: &Term) -> bool {
    let small = unknown.shown.chars().all(char::is_lowercase);
    let known = other.kind != TermKind::Name;
    let (one, other) = (unknown.shown.as_bytes(), other.shown.as_bytes());
    let near = one.len().abs_diff(other.len()) <= 1 && one.len().min(other.len()) >= 5;
    unknown.kind == TermKind::Name && small && known && near && is_one_slip(one, other)
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
    text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// "unsafe" and "safe", "disallow" and "allow", "carbon-free" against "carbon".
fn is_opposite(one: &str, other: &str) -> bool {
    const BEFORE: [&str; 9] = ["un", "in", "im", "ir", "il", "dis", "non", "mis", "de"];
    const AFTER: [&str; 2] = ["less", "free"];
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    let made = |long: &str, short: &str| {
        short.len() > 2
            && (BEFORE.iter().any(|prefix| long.strip_prefix(prefix) == Some(short))
                || AFTER.iter().any(|suffix| long.strip_suffix(suffix) == Some(short)))
    };
    made(&one, &other) || made(&other, &one)
}

/// "CSRD" beside the words it stands for, and those words beside it.
fn is_initials(term: &Term, others: &[Term], own: &[Term]) -> bool {
    let spelled_by = |acronym: &Term, words: &[Term]| {
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

fn reason(term: &Term, opposite: Option<Box<str>>, asked: bool) -> String {
    let shown = &term.shown;
    let what = if term.kind == TermKind::Name { "name" } else { "word" };
    match opposite {
        Some(opposite) => format!("polarity: “{shown}” is the opposite of “{opposite}”"),
        None if asked => format!("{what} “{shown}” is asked about, the stored question does not say it"),
        None => format!("{what} “{shown}” is not asked about, the stored question says it"),
    }
}
