//! Which of the similar entries may serve: by the guards, and by the verifiers where there are any.

use super::CacheCore;
use super::entry::{CacheEntry, Freshness};
use super::guard::{Guards, Signature, Verdict};
use super::index::Candidates;
use super::policy::Candidate;
use super::request::LookupRequest;
use super::stats::Counters;
use super::verify::{Judgement, QuestionPair, Reader, Ruling, UnreadPair, bounds};
use super::wording::is_one_wording;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How much less similar than the first that passes a candidate may be and still be the better one.
const RIVAL_MARGIN: f32 = 0.15;
/// How many more candidates are looked at for that.
const MOST_RIVALS: usize = 64;

/// From here on a vector is the same vector, but for its rounding.
const IDENTICAL: f32 = 1.0 - 1e-6;

/// An entry that may serve.
pub(super) struct Contender {
    pub candidate: Candidate,
    pub entry: Arc<CacheEntry>,
    /// What is left to be read; None where nothing is.
    unread: Option<Unread>,
}

/// What is known of a pair before a verifier reads it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unread {
    /// Whether one of the questions is in another language than English.
    pub is_foreign: bool,
    /// The guards' agreement where they would let it serve by its wording too: what decides where no verifier reads
    /// the language, and what helps one that is unsure.
    pub by_wording: Option<f32>,
}

impl Unread {
    /// Whether what was read and the wording let the answer serve together.
    fn lets_pass(self, judged: Option<Judgement>) -> bool {
        let Some(judged) = judged else { return self.by_wording.is_some() };
        match judged.ruling {
            Ruling::Same => true,
            Ruling::Different => false,
            Ruling::Unsure => {
                self.by_wording.is_some() && (self.is_foreign || judged.probability > bounds::SAME_BY_WORDING)
            }
        }
    }
}

impl CacheCore {
    /// The candidates that pass the guards, the most trusted first. All that are hardly less similar than the first
    /// that passes are looked at: of two that pass, the better wording need not be the nearer.
    pub(super) fn passing(
        &self,
        guards: &Guards,
        request: &LookupRequest<'_>,
        candidates: Candidates,
    ) -> Vec<(Candidate, Arc<CacheEntry>)> {
        let asked = guards.signature(request.prompt);
        let (mut passing, mut least, mut left) = (Vec::new(), f32::NEG_INFINITY, usize::MAX);
        for (candidate, entry) in self.held(candidates) {
            if candidate.similarity < least || left == 0 {
                break;
            }
            left -= 1;
            match compare(guards, request, candidate.similarity, &asked, entry.signature(guards)) {
                Verdict::Pass { agreement } => {
                    if passing.is_empty() {
                        (least, left) = (candidate.similarity - RIVAL_MARGIN, MOST_RIVALS);
                    }
                    passing.push((Candidate { agreement, ..candidate }, entry));
                }
                Verdict::Blocked { .. } => Counters::add(&self.counters.blocked),
            }
        }
        passing.sort_by(|(one, _), (other, _)| other.score().total_cmp(&one.score()));
        passing
    }

    /// The entries of these candidates, as far as they are still held.
    pub(super) fn held(&self, candidates: Candidates) -> impl Iterator<Item = (Candidate, Arc<CacheEntry>)> {
        candidates.filter_map(|(id, similarity)| {
            let entry = self.by_id.get(&id)?;
            Some((Candidate { entry: id, similarity, agreement: 1.0, probability: None }, entry))
        })
    }

    /// The few most similar entries that are alive and that the facts let pass, for a verifier to read.
    pub(super) fn shortlist(&self, request: &LookupRequest<'_>, candidates: Candidates) -> Vec<Contender> {
        let guards = self.config.guards.as_ref();
        let asked = guards.map(|guards| guards.signature(request.prompt));
        let (mut list, mut least, now) = (Vec::<Contender>::new(), f32::NEG_INFINITY, self.now());
        for (candidate, entry) in self.held(candidates).take(bounds::MOST_COMPARED) {
            if candidate.similarity < least || list.len() == bounds::MOST_READ {
                break;
            }
            if entry.is_rejected() || self.drop_if_over(&entry, now) {
                continue;
            }
            let stored = guards.map(|guards| entry.signature(guards));
            match self.before_reading(request, asked.as_ref(), candidate.similarity, &entry.prompt, stored) {
                Ok(unread) => {
                    if list.is_empty() {
                        least = candidate.similarity - bounds::RIVAL_MARGIN;
                    }
                    let is_decided = unread.is_none();
                    let found = Contender { candidate, entry, unread };
                    if is_decided {
                        return vec![found];
                    }
                    list.push(found);
                }
                Err(_reason) => Counters::add(&self.counters.blocked),
            }
        }
        list
    }

    /// What is left to be read of a pair, or what the guards have against it.
    pub(super) fn before_reading(
        &self,
        request: &LookupRequest<'_>,
        asked: Option<&Signature>,
        similarity: f32,
        prompt: &str,
        stored: Option<&Signature>,
    ) -> Result<Option<Unread>, String> {
        let is_other_script = [request.prompt, prompt].into_iter().any(is_other_script);
        let (Some(guards), Some(asked), Some(stored)) = (&self.config.guards, asked, stored) else {
            return Ok(Some(Unread { is_foreign: is_other_script, by_wording: None }));
        };
        if asked.speaks_otherwise(stored) {
            return Err("the two questions are in different languages".into());
        }
        if let Verdict::Blocked { reason } = guards.compare_facts(asked, stored) {
            return Err(reason);
        }
        if is_given_as_equal(request, similarity) || is_one_wording(request.prompt, prompt) {
            return Ok(None);
        }
        let is_foreign = is_other_script || asked.is_foreign() || stored.is_foreign();
        let guarded = request.threshold.unwrap_or_else(|| self.config.guarded_threshold());
        let by_wording = match guards.compare(asked, stored) {
            Verdict::Pass { agreement } if f64::from(similarity) >= guarded => Some(agreement),
            _ => None,
        };
        Ok(Some(Unread { is_foreign, by_wording }))
    }

    /// Lets the verifiers read the shortlists of these questions in one go, and leaves in each what may serve, the best
    /// verified first.
    pub(super) fn read(&self, requests: &[&LookupRequest<'_>], lists: &mut [Vec<Contender>]) {
        let mut pairs = Vec::new();
        for (question, (request, list)) in requests.iter().zip(&*lists).enumerate() {
            pairs.extend(list.iter().filter_map(|one| one.unread.map(|unread| (one, unread))).map(|(one, unread)| {
                let pair = QuestionPair { asked: request.prompt, stored: &one.entry.prompt };
                UnreadPair { question, pair, is_foreign: unread.is_foreign }
            }));
        }
        if pairs.is_empty() {
            return;
        }
        let mut reader = Reader::new(&self.config.verifiers);
        let judged = reader.read(&pairs);
        drop(pairs);
        judged.iter().flatten().for_each(|judged| self.counters.verified(*judged));
        let nanoseconds = u64::try_from(reader.time.as_nanos()).unwrap_or(u64::MAX);
        self.counters.verifier_nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        self.counters.verifier_failures.fetch_add(reader.failures, Ordering::Relaxed);
        let mut judged = judged.into_iter();
        for list in lists {
            let read = |mut one: Contender| {
                let Some(unread) = one.unread.take() else { return Some(one) };
                one.candidate = self.after_reading(one.candidate, unread, judged.next().flatten())?;
                Some(one)
            };
            *list = std::mem::take(list).into_iter().filter_map(read).collect();
            list.sort_by(|one, other| other.candidate.score().total_cmp(&one.candidate.score()));
        }
    }

    /// The candidate as it was read; None where it may not serve.
    pub(super) fn after_reading(
        &self,
        candidate: Candidate,
        unread: Unread,
        judged: Option<Judgement>,
    ) -> Option<Candidate> {
        let by_wording = |agreement| Candidate { agreement, ..candidate };
        let Some(judged) = judged else { return unread.by_wording.map(by_wording) };
        let verified = Candidate { probability: Some(judged.probability), ..candidate };
        if unread.lets_pass(Some(judged)) {
            let is_foreign_wording = unread.is_foreign && judged.ruling == Ruling::Unsure;
            return if is_foreign_wording { unread.by_wording.map(by_wording) } else { Some(verified) };
        }
        // A learned policy says from which probability on what serves.
        (judged.ruling == Ruling::Unsure && self.config.policy.is_some()).then_some(verified)
    }

    /// Which pairs of questions the guards and the verifiers let pass, were they similar enough.
    pub(super) fn pass(&self, pairs: &[(&str, &str)]) -> Vec<bool> {
        let guards = self.config.guards.as_ref();
        let signature = |text: &str| guards.map(|guards| guards.signature(text));
        if self.config.verifiers.is_empty() {
            let pass = |guards: &Guards, (asked, stored): &(&str, &str)| {
                guards.compare(&guards.signature(asked), &guards.signature(stored)).is_pass()
            };
            return pairs.iter().map(|pair| guards.is_none_or(|guards| pass(guards, pair))).collect();
        }
        let before = |(asked, stored): &(&str, &str)| {
            let (mine, theirs) = (signature(asked), signature(stored));
            self.before_reading(&LookupRequest::new(asked), mine.as_ref(), 1.0, stored, theirs.as_ref()).ok().flatten()
        };
        let unread: Vec<Option<Unread>> = pairs.iter().map(before).collect();
        let open: Vec<UnreadPair<'_>> = (0..pairs.len())
            .filter_map(|question| {
                let (asked, stored) = pairs[question];
                let is_foreign = unread[question]?.is_foreign;
                Some(UnreadPair { question, pair: QuestionPair { asked, stored }, is_foreign })
            })
            .collect();
        let judged = Reader::new(&self.config.verifiers).read(&open);
        let mut passing = vec![false; pairs.len()];
        for (pair, judged) in open.iter().zip(judged) {
            passing[pair.question] = unread[pair.question].is_some_and(|unread| unread.lets_pass(judged));
        }
        passing
    }

    /// Whether the time of an entry is over, so that it goes.
    pub(super) fn drop_if_over(&self, entry: &CacheEntry, now: Duration) -> bool {
        let is_over = entry.freshness(now, self.config.stale_while_revalidate) == Freshness::Expired;
        if is_over && self.remove(entry) {
            Counters::add(&self.counters.expirations);
        }
        is_over
    }
}

/// A caller who brings the vectors and gives two questions the same one has said that their wording does not matter.
fn is_given_as_equal(request: &LookupRequest<'_>, similarity: f32) -> bool {
    request.embedding.is_some() && similarity >= IDENTICAL
}

pub(super) fn compare(
    guards: &Guards,
    request: &LookupRequest<'_>,
    similarity: f32,
    asked: &Signature,
    stored: &Signature,
) -> Verdict {
    if is_given_as_equal(request, similarity) {
        return guards.compare_facts(asked, stored);
    }
    guards.compare(asked, stored)
}

/// Whether most of its letters are of another script than Latin.
fn is_other_script(text: &str) -> bool {
    let is_latin = |letter: &char| matches!(u32::from(*letter), 0..=0x24F | 0x1E00..=0x1EFF);
    let letters = || text.chars().filter(|letter| letter.is_alphabetic());
    let latin = letters().filter(is_latin).count();
    letters().count() > 2 * latin
}

#[cfg(test)]
mod tests {
    use super::super::verify::Judgement;
    use super::{Unread, is_other_script};

    #[test]
    fn the_wording_helps_a_verifier_that_leans_to_same_and_decides_where_none_reads() {
        let unsure = |probability| Some(Judgement::of(probability, 0.9, 0.1));
        for (is_foreign, by_wording, judged, passes) in [
            (false, None, unsure(0.95), true),
            (false, Some(1.0), unsure(0.05), false),
            (false, Some(1.0), unsure(0.8), true),
            (false, Some(1.0), unsure(0.7), false),
            (false, Some(1.0), unsure(0.3), false),
            (false, None, unsure(0.8), false),
            (false, Some(1.0), None, true),
            (false, None, None, false),
            (true, Some(1.0), unsure(0.3), true),
            (true, None, unsure(0.6), false),
        ] {
            let unread = Unread { is_foreign, by_wording };
            assert_eq!(unread.lets_pass(judged), passes, "{is_foreign} {by_wording:?} {judged:?}");
        }
    }

    #[test]
    fn a_script_is_told_by_most_letters() {
        for (text, is_other) in [
            ("What is scope 2?", false),
            ("Émissions de scope 2 à Zürich", false),
            ("ΔCO2 in 2023, in µg?", false),
            ("什么是范围二排放?", true),
            ("Каковы выбросы Acme?", true),
            ("2023?", false),
        ] {
            assert_eq!(is_other_script(text), is_other, "{text}");
        }
    }
}
