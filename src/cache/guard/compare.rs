//! Two questions, slot by slot, and the first thing that differs.

use super::Verdict;
use super::capital;
use super::evidence::{self, Evidence};
use super::place::Relation;
use super::policy::{Policy, Rule};
use super::signature::{Fact, ProperName, Signature, Term, TermKind};
use std::iter;
use std::sync::Arc;

/// Kinds of answer that no other kind can stand for; amounts and counts are asked for in many words.
const FIRM: [&str; 8] = ["reason", "procedure", "person", "time", "place", "difference", "definition", "duration"];

pub(super) fn compare(asked: &Signature, stored: &Signature) -> Verdict {
    match evidence(asked, stored).and_then(|evidence| evidence.agreement()) {
        Ok(agreement) => Verdict::Pass { agreement },
        Err(reason) => Verdict::Blocked { reason },
    }
}

/// How the wordings compare, or what else differs.
pub(super) fn evidence<'a>(asked: &'a Signature, stored: &'a Signature) -> Result<Evidence<'a>, String> {
    let differs = language(asked, stored)
        .or_else(|| slots(asked, stored).find_map(|slot| slot.parts(slot.unread(), asked, stored)))
        .or_else(|| frames(asked, stored))
        .or_else(|| measures(asked, stored))
        .or_else(|| aims(asked, stored))
        .or_else(|| negation(asked, stored))
        .or_else(|| order(asked, stored))
        .or_else(|| capital::differs(&asked.cased, &stored.cased))
        .or_else(|| contrast(asked, stored))
        .or_else(|| relations(asked, stored))
        .or_else(|| turns(asked, stored))
        .or_else(|| asked.wording.parts(&stored.wording));
    differs.map_or_else(|| evidence::weigh(asked, stored), Err)
}

/// The same without a look at wording: only what is named.
pub(super) fn compare_facts(asked: &Signature, stored: &Signature) -> Verdict {
    let policy = Policy::standard();
    let parts = |slot: &Slot<'_>| slot.parts(policy.rule(slot.name), asked, stored);
    match slots(asked, stored)
        .find_map(|slot| parts(&slot))
        .or_else(|| names(asked, stored))
        .or_else(|| order(asked, stored))
        .or_else(|| capital::differs(&asked.cased, &stored.cased))
        .or_else(|| turns(asked, stored))
    {
        Some(reason) => Verdict::Blocked { reason },
        None => Verdict::Pass { agreement: 1.0 },
    }
}

/// Every slot in which the two differ, and how.
pub(super) fn differences(asked: &Signature, stored: &Signature) -> Vec<(String, &'static str)> {
    let mut found: Vec<_> = slots(asked, stored)
        .map(|slot| {
            let kind = match (slot.parts(Rule::Rival, asked, stored), slot.parts(Rule::Named, asked, stored)) {
                (Some(_), _) => "rival",
                (None, Some(_)) => "part",
                (None, None) => "alone",
            };
            (slot.name.to_owned(), kind)
        })
        .collect();
    found.extend(names(asked, stored).map(|_| ("name".to_owned(), "rival")));
    found.extend(order(asked, stored).map(|_| ("order".to_owned(), "rival")));
    found
}

fn language(asked: &Signature, stored: &Signature) -> Option<String> {
    let (one, other) = (asked.language?, stored.language?);
    (one != other).then(|| format!("language {one:?} differs from {other:?}"))
}

/// A slot in which two questions differ.
struct Slot<'a> {
    name: &'a str,
    mine: &'a [Fact],
    theirs: &'a [Fact],
}

/// The slots in which they differ.
fn slots<'a>(asked: &'a Signature, stored: &'a Signature) -> impl Iterator<Item = Slot<'a>> {
    let (mut one, mut other) = (asked.facts.as_slice(), stored.facts.as_slice());
    iter::from_fn(move || {
        loop {
            let name = [one.first(), other.first()].into_iter().flatten().map(|fact| &*fact.slot).min()?;
            let (mine, rest) = split(one, name);
            let (theirs, others) = split(other, name);
            (one, other) = (rest, others);
            let values = |facts: &'a [Fact]| facts.iter().map(|fact| &*fact.value);
            if !values(mine).eq(values(theirs)) {
                return Some(Slot { name, mine, theirs });
            }
        }
    })
}

fn split<'a>(facts: &'a [Fact], slot: &str) -> (&'a [Fact], &'a [Fact]) {
    facts.split_at(facts.iter().take_while(|fact| &*fact.slot == slot).count())
}

impl Slot<'_> {
    /// Why the two questions are two, by this rule.
    fn parts(&self, rule: Rule, asked: &Signature, stored: &Signature) -> Option<String> {
        let only = |of: &[Fact], not: &Signature| {
            let missing = of.iter().filter(|fact| !not.names_fact(fact)).map(|fact| &*fact.value);
            missing.collect::<Vec<_>>().join(", ")
        };
        let (name, mine, theirs) = (self.name, only(self.mine, stored), only(self.theirs, asked));
        let is_left_out = self.mine.is_empty() || self.theirs.is_empty();
        match (rule, mine.as_str(), theirs.as_str()) {
            (Rule::Wording, ..) | (_, "", "") => None,
            (_, mine, theirs) if !mine.is_empty() && !theirs.is_empty() => {
                Some(format!("{name} {mine} differs from {theirs}"))
            }
            (Rule::Rival, ..) => None,
            (Rule::Named, ..) if is_left_out => None,
            (_, mine, "") => Some(format!("{name} {mine} is asked for, the stored question does not name it")),
            (_, _, theirs) => Some(format!("{name} {theirs} is not asked for, the stored question names it")),
        }
    }

    /// The rule where nobody reads the wording: only what the lexicon says may be left out may.
    fn unread(&self) -> Rule {
        let may_lack = |fact: &Fact| fact.is_pole || fact.is_aside;
        if self.mine.iter().chain(self.theirs).any(may_lack) { Rule::Rival } else { Rule::Equal }
    }
}

/// Two names, each said by one question only, that stand in one place: "Lyon" and "Porto", "Vestra Group" and "Vestra
/// Logistics".
fn names(asked: &Signature, stored: &Signature) -> Option<String> {
    fn alone<'a>(of: &'a Signature, not: &Signature) -> Vec<&'a ProperName> {
        of.names.iter().filter(|name| !not.starts.contains(&name.start)).collect()
    }
    let (mine, theirs) = (alone(asked, stored), alone(stored, asked));
    mine.iter().find_map(|mine| {
        let theirs = theirs.iter().find(|theirs| theirs.after == mine.after)?;
        Some(format!("name “{}” differs from “{}”", mine.shown, theirs.shown))
    })
}

fn frames(asked: &Signature, stored: &Signature) -> Option<String> {
    let firm = |of: &Signature| of.frames.iter().filter(|frame| FIRM.contains(&&***frame)).cloned().collect::<Vec<_>>();
    let (one, other) = (firm(asked), firm(stored));
    // "Who approves it?" is "Which body approves it?", but not "Is it approved?".
    let open =
        |firm: &[Arc<str>], of: &Signature| firm.is_empty() && !of.frames.iter().any(|frame| &**frame == "yes or no");
    let person = |firm: &[Arc<str>]| firm.len() == 1 && &*firm[0] == "person";
    if one == other || (person(&one) && open(&other, stored)) || (person(&other) && open(&one, asked)) {
        return None;
    }
    let said = |frames: &[Arc<str>]| if frames.is_empty() { "something else".to_owned() } else { frames.join(", ") };
    Some(format!("asks for {}, the stored question for {}", said(&one), said(&other)))
}

/// Whether it asks how many or how much.
fn counts(of: &Signature) -> bool {
    of.frames.iter().any(|frame| matches!(&**frame, "count" | "quantity"))
}

/// What was aimed at, and what it cost, is not what there was: "How much water did it use?", "What was its water target?".
fn aims(asked: &Signature, stored: &Signature) -> Option<String> {
    const OTHER_FIGURES: [&[&str]; 3] = [&["=target"], &["=cost", "=pay", "=price"], &["=trend"]];
    // "A cut of 30 % by 2030" is a target, and "below EUR 5" a price, without the word.
    let tells = |of: &Signature| {
        let tells = |fact: &Fact| matches!(&*fact.slot, "change" | "percentage" | "bound" | "measure" | "gross or net");
        of.facts.iter().any(tells)
    };
    if tells(asked) || tells(stored) {
        return None;
    }
    let is_one = |term: &&Term, figures: &[&str]| figures.contains(&&*term.key);
    // Whoever earns a certificate is paid nothing.
    let is_amount = counts(asked) || counts(stored);
    let is_figure = |term: &&Term| &*term.key != "=pay" || (is_amount && term.shown.to_lowercase().starts_with("pa"));
    let only = |one: &Signature, other: &Signature, figures: &[&str]| {
        let things = one.terms.iter().filter(|term| term.is_thing());
        let said = things.filter(is_figure).find(|term| is_one(term, figures))?;
        (!other.terms.iter().any(|term| is_one(&term, figures))).then(|| said.shown.clone())
    };
    OTHER_FIGURES.into_iter().find_map(|figures| {
        let mine = only(asked, stored, figures);
        let mine = mine.map(|shown| format!("“{shown}” is asked for, the stored question does not name it"));
        let theirs = || only(stored, asked, figures);
        mine.or_else(|| Some(format!("“{}” is not asked for, the stored question names it", theirs()?)))
    })
}

/// A count is no volume, and neither is a share: "How many spills?" and "How much was spilled?".
fn measures(asked: &Signature, stored: &Signature) -> Option<String> {
    let kind = |of: &Signature| {
        let frame = |name: &str| of.frames.iter().any(|frame| &**frame == name);
        let term = |key: &str| of.terms.iter().any(|term| &*term.key == key);
        let fact = |value: &str| of.facts.iter().any(|fact| &*fact.slot == "measure" && &*fact.value == value);
        if fact("share") {
            Some("a share")
        } else if frame("count") || term("=case") {
            Some("a count")
        } else if frame("quantity") || term("=volume") {
            Some("a volume")
        } else {
            None
        }
    };
    // Emissions are amounts, whatever they are called: "the scope 2 number".
    let is_amount = |of: &Signature| of.facts.iter().any(|fact| matches!(&*fact.slot, "scope" | "chemical" | "unit"));
    let (one, other) = (kind(asked)?, kind(stored)?);
    (one != other && !(is_amount(asked) && is_amount(stored)))
        .then(|| format!("asks for {one}, the stored question for {other}"))
}

fn negation(asked: &Signature, stored: &Signature) -> Option<String> {
    if asked.negations % 2 != stored.negations % 2 || (asked.negations == 0) != (stored.negations == 0) {
        let (one, other) = if asked.negations > stored.negations { ("asked", "stored") } else { ("stored", "asked") };
        return Some(format!("negation: the {one} question negates, the {other} one does not"));
    }
    // "not ISO certified" negates what "not certified to ISO" does, so names are left out.
    let heads = |of: &Signature, negated: bool| -> Vec<Box<str>> {
        let heads = of.terms.iter().filter(|term| term.negated == negated && term.kind != TermKind::Name);
        heads.map(|term| term.key.clone()).collect()
    };
    let (mine, theirs) = (heads(asked, true), heads(stored, true));
    let moved = |from: &[Box<str>], to: &[Box<str>], plain: &[Box<str>]| {
        from.iter().find(|key| plain.contains(key) && !to.is_empty() && !to.contains(key)).cloned()
    };
    let (here, key) = moved(&mine, &theirs, &heads(stored, false))
        .map(|key| ("asked", key))
        .or_else(|| moved(&theirs, &mine, &heads(asked, false)).map(|key| ("stored", key)))?;
    Some(format!("negation: “{}” is negated in the {here} question only", key.trim_start_matches('=')))
}

/// Two things of one kind, each said by one question alone: wetland and grassland, employees and contractors.
fn contrast(asked: &Signature, stored: &Signature) -> Option<String> {
    let mine = asked.terms.iter().filter(|term| !term.contrasts.is_empty() && !stored.says(&term.key));
    mine.flat_map(|mine| stored.terms.iter().map(move |theirs| (mine, theirs)))
        .find(|(mine, theirs)| {
            theirs.contrasts.iter().any(|list| mine.contrasts.contains(list)) && !asked.says(&theirs.key)
        })
        .map(|(mine, theirs)| format!("“{}” differs from “{}”", mine.shown, theirs.shown))
}

/// What one question has before a thing and the other after it, or includes and the other excludes.
fn relations(asked: &Signature, stored: &Signature) -> Option<String> {
    let of = |question: &Signature, key: &str| -> Vec<Relation> {
        let same = question.terms.iter().filter(|term| &*term.key == key);
        same.filter_map(|term| term.place.relation).collect()
    };
    asked.terms.iter().find_map(|term| {
        let (mine, theirs) = (of(asked, &term.key), of(stored, &term.key));
        let parts = |relation: &Relation| theirs.iter().all(|other| relation.parts(*other));
        let differ = !mine.is_empty() && !theirs.is_empty() && mine.iter().all(parts);
        differ
            .then(|| format!("“{} {}” differs from “{} {}”", mine[0].name(), term.shown, theirs[0].name(), term.shown))
    })
}

/// Whether a clause has moved as a whole: "When Acme reports, how …?" and "How … when it reports?".
fn has_moved(asked: &Signature, stored: &Signature) -> bool {
    let keys = |of: &Signature, named: bool| -> Vec<Box<str>> {
        let terms = of.terms.iter().filter(|term| (term.kind == TermKind::Name) == named);
        terms.map(|term| term.key.clone()).collect()
    };
    let (mine, theirs) = (keys(asked, false), keys(stored, false));
    asked.wording.opens_with_clause() != stored.wording.opens_with_clause()
        && keys(asked, true).len().max(keys(stored, true).len()) < 2
        && (0..mine.len()).any(|by| [&mine[by..], &mine[..by]].concat() == theirs)
}

fn turns(asked: &Signature, stored: &Signature) -> Option<String> {
    asked.wording.turns(&stored.wording, || has_moved(asked, stored))
}

fn order(asked: &Signature, stored: &Signature) -> Option<String> {
    let (one, other) = (&asked.ordered, &stored.ordered);
    if one.is_empty() || other.is_empty() || one == other {
        return None;
    }
    let sorted = |list: &[Box<str>]| {
        let mut list = list.to_vec();
        list.sort();
        list
    };
    (sorted(one) == sorted(other)).then(|| format!("order: {} differs from {}", one.join(" → "), other.join(" → ")))
}
