//! Whether two wordings ask the same, once nothing that is named, said or denied differs: a weighing of how much of
//! either question the other says.

use super::align::{self, Alone, Parted, Side};
use super::signature::{Fact, SUBJECT, Signature, Term, TermKind};
use super::vector;

/// What the weighing looks at.
pub(super) const FEATURES: usize = 12;
/// Where among them the likeness of what each question says alone stands.
const LIKENESS: usize = 1;

/// The weighing: a logistic regression, fitted by `benches/quality/fit_guards.py` on pairs of questions that differ in
/// nothing but wording, and on pairs about one company and year that ask for different things.
const WEIGHTS: [f32; FEATURES] = [0.15, 9.87, 7.45, 3.47, -0.52, -1.33, -1.39, 0.49, -1.82, -6.34, 4.40, -3.33];
const OFFSET: f32 = -6.10;
/// From this chance on the wordings are taken to ask the same.
const LEAST: f32 = 0.45;

/// Words of one field are this much alike without saying the same: nitrate and phosphorus, households and communities.
const UNLIKE: f32 = 0.35;
/// Less alike than this, two things that are each said by one question only are two things.
const RIVALS: f32 = 0.15;
/// Up to this share of its words in the same order, a question is worded in another way.
const REWORDED: f32 = 0.6;
/// What a slot or a name that both questions name counts beside a word.
const HOLD: f32 = 0.4;

/// How two wordings compare.
pub(super) struct Evidence<'a> {
    pub(super) features: [f32; FEATURES],
    asked: Side<'a>,
    stored: Side<'a>,
}

/// Compares two wordings; an error says what parts them for sure.
pub(super) fn weigh<'a>(asked: &'a Signature, stored: &'a Signature) -> Result<Evidence<'a>, String> {
    let (mine, theirs) = (words(asked, stored), words(stored, asked));
    let mut one = align::side(&mine, &theirs).map_err(|parted| said(&parted, true))?;
    let mut other = align::side(&theirs, &mine).map_err(|parted| said(&parted, false))?;
    one.forgive(&other);
    other.forgive(&one);
    if let Some((mine, theirs)) = rivals(&one, &other) {
        return Err(format!("“{}” stands in the place of “{}”", mine.shown, theirs.shown));
    }
    // What is named alike holds two questions together, whatever the words.
    let held = HOLD * shared(asked, stored);
    let share = |side: &Side<'_>| (side.shared + held) / (side.weight + held).max(f32::MIN_POSITIVE);
    let [poorer, richer] = sorted(share(&one), share(&other));
    let [_, heavier] = sorted(heaviest(&one, false), heaviest(&other, false));
    let [lighter, _] = sorted(heaviest(&one, true), heaviest(&other, true));
    let [things, _] = sorted(weight(&one, Term::is_thing), weight(&other, Term::is_thing));
    let [_, words] = sorted(weight(&one, Term::is_word), weight(&other, Term::is_word));
    let [fewer, more] = sorted(weight(&one, |_| true), weight(&other, |_| true));
    // Two questions in the same words but for one differ in that one; two wordings differ all over.
    let literal = (asked.wording.literal(&stored.wording) - REWORDED).max(0.0) / (1.0 - REWORDED);
    let likeness = likeness(&one, &other);
    // Where nothing is named, the words alone say what is asked.
    let bare = 1.0 / shared(asked, stored);
    let features = [
        directions(&one, &other),
        likeness,
        poorer,
        richer,
        heavier,
        lighter,
        things,
        words,
        f32::from(asked.frame == stored.frame && lighter > 0.0),
        literal * more,
        literal * fewer,
        bare,
    ];
    Ok(Evidence { features, asked: one, stored: other })
}

/// Two words, each said by one question only and in the other's place, that are not alike: "fully" met, "partly" met.
fn rivals<'a>(one: &Side<'a>, other: &Side<'a>) -> Option<(&'a Term, &'a Term)> {
    let pairs = one.alone.iter().flat_map(|mine| other.alone.iter().map(move |theirs| (mine.term, theirs.term)));
    let is_rival = |(mine, theirs): &(&Term, &Term)| {
        mine.place.is_like(&theirs.place) && !mine.may_be(theirs) && mine.cosine(theirs).unwrap_or(0.0) < UNLIKE
    };
    pairs.into_iter().find(is_rival)
}

fn sorted(one: f32, other: f32) -> [f32; 2] {
    [one.min(other), one.max(other)]
}

/// The heaviest word that only this question says, small ones left out or not.
fn heaviest(side: &Side<'_>, with_minor: bool) -> f32 {
    let alone = side.alone.iter().filter(|alone| with_minor || !alone.term.is_minor());
    alone.map(|alone| alone.term.weight).fold(0.0, f32::max)
}

/// What such words weigh together that only this question says.
fn weight(side: &Side<'_>, counts: impl Fn(&Term) -> bool) -> f32 {
    side.alone.iter().filter(|alone| counts(alone.term)).map(|alone| alone.term.weight).sum()
}

impl Evidence<'_> {
    /// How well the wordings agree: 1 where every word has its equal, towards 0 for wordings that share little.
    pub(super) fn agreement(&self) -> Result<f32, String> {
        let is_said = |side: &Side<'_>| side.alone.is_empty() && side.shared >= side.weight;
        if is_said(&self.asked) && is_said(&self.stored) {
            return Ok(1.0);
        }
        if heaviest(&self.asked, false).min(heaviest(&self.stored, false)) > 0.0 && self.features[LIKENESS] < RIVALS {
            return Err(self.reason());
        }
        let sum = OFFSET + WEIGHTS.iter().zip(&self.features).map(|(weight, value)| weight * value).sum::<f32>();
        let chance = 1.0 / (1.0 + (-sum).exp());
        if chance >= LEAST { Ok(chance) } else { Err(self.reason()) }
    }

    fn reason(&self) -> String {
        let heaviest = |side: &Side<'_>| side.alone.first().map_or(0.0, |alone| alone.weight);
        let (side, is_asked) =
            if heaviest(&self.asked) >= heaviest(&self.stored) { (&self.asked, true) } else { (&self.stored, false) };
        match side.alone.first() {
            Some(Alone { term, .. }) if !term.is_minor() => alone("word", term, is_asked),
            _ => "words: the questions share too little".to_owned(),
        }
    }
}

/// How many slots and names two questions share, once they were found to be the same in them.
fn shared(asked: &Signature, stored: &Signature) -> f32 {
    let is_shared = |fact: &&Fact| !fact.is_aside && &*fact.slot != SUBJECT && stored.facts.contains(fact);
    let facts = asked.facts.iter().filter(is_shared).count();
    let names = |of: &Signature| of.terms.iter().filter(|term| term.kind == TermKind::Name).count();
    (facts + names(asked).min(names(stored)) + 1) as f32
}

/// A question's words, and what it says aside that the other question does not say.
fn words<'a>(own: &'a Signature, other: &Signature) -> Vec<&'a Term> {
    let asides = own.asides.iter().filter(|aside| !other.asides.iter().any(|known| known.key == aside.key));
    own.terms.iter().chain(asides).collect()
}

/// The cosine of all that the two questions say.
fn directions(one: &Side<'_>, other: &Side<'_>) -> f32 {
    if one.words.is_empty() && other.words.is_empty() {
        return 1.0;
    }
    let sum = |side: &Side<'_>| {
        let mut sum = Vec::new();
        for term in &side.words {
            if let Some(vector) = &term.vector {
                vector.add_to(&mut sum, term.weight);
            }
        }
        sum
    };
    let (a, b) = (sum(one), sum(other));
    if a.is_empty() && b.is_empty() {
        // No vectors: the words that are shared say how alike the whole is.
        return (one.shared + other.shared) / (one.weight + other.weight).max(f32::MIN_POSITIVE);
    }
    vector::cosine(&a, &b)
}

/// How much what each question says alone is alike: 0 for things of one field, towards 1 for synonyms.
fn likeness(one: &Side<'_>, other: &Side<'_>) -> f32 {
    let has_thing =
        |side: &Side<'_>| side.alone.iter().any(|alone| alone.term.is_thing() && alone.weight > align::UNSAID);
    // Two things of the lexicon are not the same for being alike: "hybrid" is near to "electric".
    if has_thing(one) && has_thing(other) {
        return 0.0;
    }
    (remainders(one, other) - UNLIKE).max(0.0) / (1.0 - UNLIKE)
}

/// The cosine of what each question says alone: near 1 for two ways to say one thing.
fn remainders(one: &Side<'_>, other: &Side<'_>) -> f32 {
    let sum = |side: &Side<'_>| {
        let mut sum = Vec::new();
        for alone in &side.alone {
            if let Some(vector) = &alone.term.vector {
                vector.add_to(&mut sum, alone.term.weight);
            }
        }
        sum
    };
    vector::cosine(&sum(one), &sum(other))
}

fn said(parted: &Parted<'_>, is_asked: bool) -> String {
    match parted {
        Parted::Name(term) => alone("name", term, is_asked),
        Parted::Opposite(term, other) => {
            format!("polarity: “{}” is the opposite of “{}”", term.shown, other.shown)
        }
    }
}

fn alone(what: &str, term: &Term, is_asked: bool) -> String {
    let shown = &term.shown;
    if is_asked {
        format!("{what} “{shown}” is asked about, the stored question does not say it")
    } else {
        format!("{what} “{shown}” is not asked about, the stored question says it")
    }
}
