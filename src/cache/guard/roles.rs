//! Who does what to whom: what a name does, who acts beside "we" and "us", who is asked for, of whom a share is.

use super::actor::Act;
use super::asks::Asks;
use super::base::Base;
use super::extract::Reading;
use super::seeks::Seeks;
use super::small_words::HELPS;
use super::text::Kind;
use super::transfer::Party;

/// What the name in a question does, where its words say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Part {
    #[default]
    Unsaid,
    /// "did Acme audit", "audited by Acme"
    Acts,
    /// "which suppliers audited Acme"
    Undergoes,
}

/// The roles that the words of a question give.
#[derive(Debug, Clone, Default)]
pub(super) struct Roles {
    part: Part,
    acts: Box<[Act]>,
    seeks: Option<Seeks>,
    /// Whether it asks to whom something goes, where it asks for a person.
    seeks_goal: Option<bool>,
    base: Option<Base>,
    parties: Box<[Party]>,
    /// Whether it asks when something will be, where it asks when.
    will_be: Option<bool>,
}

impl Reading<'_> {
    pub(super) fn roles(&self, asks: Asks, names: &[usize]) -> Roles {
        Roles {
            part: self.part(asks, names),
            acts: self.acts().into(),
            seeks: self.seeks(),
            seeks_goal: self.seeks_goal(),
            base: self.base(),
            parties: self.parties().into(),
            will_be: self.will_be(),
        }
    }

    /// None where it does not ask when, or leaves the tense open.
    fn will_be(&self) -> Option<bool> {
        let says = |words: &[&str]| self.tokens.iter().any(|token| words.contains(&token.lower.as_str()));
        let asks = self.lower(Some(0)) == "when" || self.frames.iter().any(|frame| &**frame == "time");
        match (says(&["will", "next", "upcoming"]), says(&["did", "was", "were", "has", "latest", "last"])) {
            (true, false) if asks => Some(true),
            (false, true) if asks => Some(false),
            _ => None,
        }
    }

    fn part(&self, asks: Asks, names: &[usize]) -> Part {
        let leads = |to: &usize| matches!(self.lower(to.checked_sub(1)), "do" | "does" | "did" | "by");
        // Right after a word: "audited Acme", but neither "sites of Acme" nor "which Acme sites".
        let follows = |at: &usize| {
            at.checked_sub(1).is_some_and(|before| {
                let token = &self.tokens[before];
                let is_word = !self.small[before] && token.kind == Kind::Word && !token.is_capital();
                is_word && !token.apart && !self.tokens[*at].apart && !self.tokens[*at].possessive
            })
        };
        let has_verb = self.tokens.iter().any(|token| HELPS.contains(&token.lower.as_str()));
        match asks {
            _ if names.iter().any(leads) => Part::Acts,
            Asks::Thing | Asks::Amount if !has_verb && names.iter().any(follows) => Part::Undergoes,
            _ => Part::Unsaid,
        }
    }
}

impl Roles {
    /// What parts two questions with these words; the digests are those of the words that are not small.
    pub(super) fn parts(&self, other: &Self, words: &[u32], others: &[u32]) -> Option<&'static str> {
        let turned = |act: &Act| other.acts.iter().any(|other| act.is_turned(*other));
        if self.acts.iter().any(turned) {
            return Some("order: who acts in one question undergoes in the other");
        }
        let turned = |party: &Party| other.parties.iter().any(|other| party.is_turned(*other));
        if self.parties.iter().any(turned) {
            return Some("direction: who gives in one question takes in the other");
        }
        if matches!((self.will_be, other.will_be), (Some(one), Some(two)) if one != two) {
            return Some("tense: one question asks when it was, the other when it will be");
        }
        if self.base.is_some() && other.base.is_some() && self.base != other.base {
            return Some("share: what it is a share of is another thing");
        }
        if matches!((self.seeks_goal, other.seeks_goal), (Some(one), Some(two)) if one != two) {
            return Some("direction: one question asks to whom it goes");
        }
        if self.seeks_actor_of(other, words, others) || other.seeks_actor_of(self, others, words) {
            return Some("asks who does it, where the other question asks to whom it is done");
        }
        // Which companies Unilever supplies, and which supply Unilever.
        let is_turned =
            matches!((self.part, other.part), (Part::Acts, Part::Undergoes) | (Part::Undergoes, Part::Acts));
        (is_turned && sorted(words) == sorted(others))
            .then_some("order: the name acts in one question, and undergoes in the other")
    }

    fn seeks_actor_of(&self, other: &Self, words: &[u32], others: &[u32]) -> bool {
        match (self.seeks, other.seeks) {
            (Some(Seeks::Actor(Some(done))), Some(Seeks::Patient(Some(verb)))) => done == verb,
            (Some(Seeks::Actor(Some(done))), Some(Seeks::Patient(None))) => others.contains(&done),
            (Some(Seeks::Actor(None)), Some(Seeks::Patient(Some(verb)))) => words.contains(&verb),
            (Some(Seeks::Actor(None)), Some(Seeks::Patient(None))) => true,
            _ => false,
        }
    }
}

fn sorted(words: &[u32]) -> Vec<u32> {
    let mut words = words.to_vec();
    words.sort_unstable();
    words
}
