//! Asking the verifiers, cheap to dear: each about the pairs that those before it are unsure of.

use super::{Judgement, QuestionPair, Ruling, Verifier};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A pair that is to be read.
#[derive(Debug, Clone, Copy)]
pub(in crate::cache) struct UnreadPair<'a> {
    /// Which question of this reading is asked: pairs of one question follow one another.
    pub question: usize,
    pub pair: QuestionPair<'a>,
    /// Whether one of the two is in another language than English.
    pub is_foreign: bool,
}

/// The verifiers of a cache on their way through one batch of pairs.
pub(in crate::cache) struct Reader<'a> {
    verifiers: &'a [Arc<dyn Verifier>],
    /// Only what costs no money.
    is_free: bool,
    /// What each said of each pair, in the order in which they were asked.
    pub said: Vec<Vec<(&'a str, Judgement)>>,
    /// How often a verifier failed.
    pub failures: u64,
    /// How long they took together.
    pub time: Duration,
}

impl<'a> Reader<'a> {
    pub fn new(verifiers: &'a [Arc<dyn Verifier>]) -> Self {
        Self { verifiers, is_free: false, said: Vec::new(), failures: 0, time: Duration::ZERO }
    }

    /// One that spends no money, for explaining.
    pub fn free(verifiers: &'a [Arc<dyn Verifier>]) -> Self {
        Self { is_free: true, ..Self::new(verifiers) }
    }

    /// A judgement for each pair; None where no verifier reads it.
    pub fn read(&mut self, pairs: &[UnreadPair<'_>]) -> Vec<Option<Judgement>> {
        let mut judged: Vec<Option<Judgement>> = vec![None; pairs.len()];
        self.said = vec![Vec::new(); pairs.len()];
        for verifier in self.verifiers {
            let open = open(&**verifier, pairs, &judged);
            for batch in batches(&open, pairs, verifier.most_at_once().max(1)) {
                for (&place, found) in batch.iter().zip(self.ask(&**verifier, batch, pairs)) {
                    self.said[place].push((verifier.name(), found));
                    // Of two that are unsure, the first has read it at less cost, and has a probability.
                    if judged[place].is_none() || found.ruling != Ruling::Unsure {
                        judged[place] = Some(found);
                    }
                }
            }
        }
        judged
    }

    fn ask(&mut self, verifier: &dyn Verifier, batch: &[usize], pairs: &[UnreadPair<'_>]) -> Vec<Judgement> {
        let asked: Vec<QuestionPair<'_>> = batch.iter().map(|&place| pairs[place].pair).collect();
        let begun = Instant::now();
        let answered = if self.is_free { verifier.recall(&asked) } else { verifier.verify(&asked) };
        self.time += begun.elapsed();
        match answered {
            Ok(judged) if judged.len() == asked.len() => return judged,
            Ok(judged) => {
                let (name, given, expected) = (verifier.name(), judged.len(), asked.len());
                tracing::warn!(name, given, expected, "a verifier gave another number of judgements than of pairs");
            }
            Err(error) => tracing::warn!(name = verifier.name(), %error, "a verifier failed: its pairs are unsure"),
        }
        self.failures += 1;
        vec![Judgement::UNSURE; asked.len()]
    }
}

/// The pairs that a verifier is asked about: those unsure yet, of questions for which nothing is found yet.
fn open(verifier: &dyn Verifier, pairs: &[UnreadPair<'_>], judged: &[Option<Judgement>]) -> Vec<usize> {
    let is = |place: usize, ruling| judged[place].is_some_and(|judged| judged.ruling == ruling);
    let is_found =
        |question| pairs.iter().enumerate().any(|(i, pair)| pair.question == question && is(i, Ruling::Same));
    let mut of_question = (usize::MAX, false);
    (0..pairs.len())
        .filter(|&place| {
            let question = pairs[place].question;
            if of_question.0 != question {
                of_question = (question, is_found(question));
            }
            let is_unread = judged[place].is_none() || is(place, Ruling::Unsure);
            is_unread && !of_question.1 && !(pairs[place].is_foreign && verifier.is_english_only())
        })
        .collect()
}

/// The places in runs of at most `most`, cut between questions where those are no longer.
fn batches<'b>(open: &'b [usize], pairs: &[UnreadPair<'_>], most: usize) -> Vec<&'b [usize]> {
    let (mut found, mut start, mut end) = (Vec::new(), 0, 0);
    for run in open.chunk_by(|&one, &other| pairs[one].question == pairs[other].question) {
        if end + run.len() - start > most && end > start {
            found.push(&open[start..end]);
            start = end;
        }
        end += run.len();
        while end - start > most {
            found.push(&open[start..start + most]);
            start += most;
        }
    }
    if end > start {
        found.push(&open[start..end]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    /// Says what stands in the stored question, and writes down what it was asked.
    #[derive(Debug, Default)]
    struct Scripted {
        english_only: bool,
        most: usize,
        asked: Mutex<Vec<Vec<String>>>,
    }

    impl Verifier for Scripted {
        fn name(&self) -> &'static str {
            "scripted"
        }
        fn verify(&self, pairs: &[QuestionPair<'_>]) -> crate::Result<Vec<Judgement>> {
            self.asked.lock().push(pairs.iter().map(|pair| pair.stored.to_owned()).collect());
            if pairs.iter().any(|pair| pair.stored == "fail") {
                return Err(crate::Error::invalid("no"));
            }
            Ok(pairs.iter().map(|pair| Judgement::of(pair.stored.parse().unwrap_or(0.5), 0.9, 0.1)).collect())
        }
        fn is_english_only(&self) -> bool {
            self.english_only
        }
        fn most_at_once(&self) -> usize {
            self.most
        }
    }

    fn pairs<'a>(stored: &[(usize, &'a str, bool)]) -> Vec<UnreadPair<'a>> {
        let pair = |&(question, stored, is_foreign): &(usize, &'a str, bool)| UnreadPair {
            question,
            pair: QuestionPair { asked: "asked", stored },
            is_foreign,
        };
        stored.iter().map(pair).collect()
    }

    #[test]
    fn the_second_is_asked_only_about_what_the_first_leaves_open() {
        let cheap = Arc::new(Scripted { english_only: true, most: 64, ..Scripted::default() });
        let dear = Arc::new(Scripted { most: 64, ..Scripted::default() });
        let verifiers: Vec<Arc<dyn Verifier>> = vec![cheap.clone(), dear.clone()];
        let all = pairs(&[(0, "0.95", false), (0, "x", false), (1, "y", false), (1, "0.05", false), (2, "z", true)]);
        let mut reader = Reader::new(&verifiers);
        let judged = reader.read(&all);
        assert_eq!(*cheap.asked.lock(), [["0.95", "x", "y", "0.05"]]);
        assert_eq!(*dear.asked.lock(), [["y", "z"]], "not where a question has its answer, and not what is different");
        assert_eq!(judged[0].map(|one| one.ruling), Some(Ruling::Same));
        assert_eq!(judged[3].map(|one| one.ruling), Some(Ruling::Different));
        assert_eq!(reader.said.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 2, 1, 1]);
    }

    #[test]
    fn a_foreign_pair_that_nobody_reads_has_no_judgement() {
        let verifiers: Vec<Arc<dyn Verifier>> =
            vec![Arc::new(Scripted { english_only: true, most: 64, ..Scripted::default() })];
        assert_eq!(Reader::new(&verifiers).read(&pairs(&[(0, "0.95", true)])), [None]);
    }

    #[test]
    fn a_failure_is_unsure_and_counted() {
        let verifiers: Vec<Arc<dyn Verifier>> = vec![Arc::new(Scripted { most: 1, ..Scripted::default() })];
        let mut reader = Reader::new(&verifiers);
        let judged = reader.read(&pairs(&[(0, "fail", false), (1, "0.95", false)]));
        assert_eq!(judged, [Some(Judgement::UNSURE), Some(Judgement::of(0.95, 0.9, 0.1))]);
        assert_eq!(reader.failures, 1);
    }

    #[test]
    fn batches_hold_every_place_once_and_cut_between_questions() {
        for most in 1..9 {
            let all: Vec<_> = (0..23).map(|i| (i / 4, "x", false)).collect();
            let all = pairs(&all);
            let open: Vec<usize> = (0..23).collect();
            let cut = batches(&open, &all, most);
            assert_eq!(cut.concat(), open);
            assert!(cut.iter().all(|batch| (1..=most).contains(&batch.len())));
            if most >= 4 {
                assert!(cut.iter().all(|batch| batch[0] % 4 == 0), "{most}: {cut:?}");
            }
        }
    }
}
