//! Why an entry serves or does not: what each judge says, in one line each.

use super::entry::{CacheEntry, Freshness};
use super::guard::Verdict;
use super::policy::Candidate;
use super::request::LookupRequest;
use super::shortlist::{Unread, compare};
use super::verify::{Judgement, QuestionPair, Reader, UnreadPair};
use super::{CacheCore, EntryKey, SemanticCache};
use crate::Result;
use std::sync::Arc;
use std::time::Duration;

/// The entries nearest to a question.
#[derive(Debug, Clone)]
pub struct Nearest {
    /// The nearest first, of the tenant and the scope that were asked for.
    pub entries: Vec<Explanation>,
    /// How many entries the tenant has in other scopes, where none of them can serve.
    pub in_other_scopes: usize,
}

/// How near a stored entry is to a question, and what each judge says.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The entry's name.
    pub key: EntryKey,
    /// The prompt under which it is stored.
    pub prompt: String,
    /// The cosine between what was asked and what is stored.
    pub similarity: f32,
    /// Whether every judge lets it serve. Of several that may, the best verified one does.
    pub serves: bool,
    /// Why it would not, as in `threshold: 0.8211 is below 0.85`; empty where it serves.
    pub blocked: Vec<String>,
    /// What each judge says, in the order in which they are asked, as in `verifier local: same, 0.97`.
    pub judges: Vec<String>,
}

/// What the judges said so far.
#[derive(Default)]
struct Said {
    judges: Vec<String>,
    blocked: Vec<String>,
}

impl Said {
    fn pass(&mut self, line: String) {
        self.judges.push(line);
    }

    fn block(&mut self, line: String) {
        self.judges.push(line.clone());
        self.blocked.push(line);
    }

    fn say(&mut self, passes: bool, line: String) {
        if passes { self.pass(line) } else { self.block(line) }
    }
}

impl SemanticCache {
    /// The `limit` nearest entries of the same tenant and scope, and what each judge says of them. Counts nothing, and
    /// asks no verifier that costs money: of such a one it says what it has found before.
    ///
    /// # Errors
    /// As [`SemanticCache::lookup`].
    pub fn explain(&self, request: &LookupRequest<'_>, limit: usize) -> Result<Nearest> {
        self.inner.catch_up();
        let threshold = self.threshold_of(request)?;
        let query = match request.embedding {
            Some(embedding) => Some(self.query_vector(embedding)?),
            None => self.embed_prompt(request)?,
        };
        let key = EntryKey::of(request.tenant, request.scope, request.prompt);
        let mut near: Vec<(Arc<CacheEntry>, f32)> = Vec::new();
        near.extend(self.inner.entries.get(&key).map(|entry| (entry, 1.0)));
        if let (Some(query), Some(index)) = (query, self.inner.index_of(request)) {
            let others = index
                .search(&query, -2.0)
                .into_iter()
                .flatten()
                .filter_map(|(id, score)| Some((self.inner.by_id.get(&id)?, score)))
                .filter(|(entry, _)| entry.key != key);
            near.extend(others.take(limit.saturating_sub(near.len())));
        }
        let explain = |(entry, similarity): (Arc<CacheEntry>, f32)| {
            self.inner.explanation(request, threshold, &entry, similarity)
        };
        let own = super::key::PartitionKey::of(request.tenant, request.scope);
        let is_elsewhere = |entry: &CacheEntry| *entry.tenant == *request.tenant && entry.partition != own;
        Ok(Nearest {
            entries: near.into_iter().map(explain).collect::<Result<_>>()?,
            in_other_scopes: self.inner.by_id.count(|entry| is_elsewhere(entry)),
        })
    }
}

impl CacheCore {
    fn explanation(
        &self,
        request: &LookupRequest<'_>,
        threshold: f64,
        entry: &CacheEntry,
        similarity: f32,
    ) -> Result<Explanation> {
        let mut said = Said::default();
        if *entry.prompt == *request.prompt {
            said.pass("exact: it is the same prompt".to_owned());
        } else {
            self.judges(request, threshold, entry, similarity, &mut said)?;
        }
        self.end_of(entry, self.now(), &mut said);
        let Said { judges, blocked } = said;
        let (key, prompt) = (entry.key, entry.prompt.to_string());
        Ok(Explanation { key, prompt, similarity, serves: blocked.is_empty(), blocked, judges })
    }

    /// Threshold, guard, verifiers and policy, each asked whatever those before it say.
    fn judges(
        &self,
        request: &LookupRequest<'_>,
        threshold: f64,
        entry: &CacheEntry,
        similarity: f32,
        said: &mut Said,
    ) -> Result<()> {
        if f64::from(similarity) < threshold {
            said.block(format!("threshold: {similarity:.4} is below {threshold}"));
        } else {
            said.pass(format!("threshold: {similarity:.4} is at least {threshold}"));
        }
        let candidate = Candidate { entry: entry.id, similarity, agreement: 1.0, probability: None };
        let judged = if self.config.verifiers.is_empty() {
            self.by_wording(request, candidate, entry, said)
        } else {
            self.by_reading(request, candidate, entry, said)
        };
        if let Some(policy) = self.policy(request.tenant)? {
            match judged {
                Some(candidate) => {
                    let (serves, line) = policy.explain(&candidate);
                    said.say(serves, format!("policy: {line}"));
                }
                None => said.pass("policy: is asked about what passes the judges before it".to_owned()),
            }
        }
        Ok(())
    }

    fn by_wording(
        &self,
        request: &LookupRequest<'_>,
        candidate: Candidate,
        entry: &CacheEntry,
        said: &mut Said,
    ) -> Option<Candidate> {
        let Some(guards) = &self.config.guards else { return Some(candidate) };
        let asked = guards.signature(request.prompt);
        match compare(guards, request, candidate.similarity, &asked, entry.signature(guards)) {
            Verdict::Pass { agreement } => {
                said.pass(format!("guard: nothing differs; the wording agrees to {agreement:.2}"));
                Some(Candidate { agreement, ..candidate })
            }
            Verdict::Blocked { reason } => {
                said.block(format!("guard: {reason}"));
                None
            }
        }
    }

    fn by_reading(
        &self,
        request: &LookupRequest<'_>,
        candidate: Candidate,
        entry: &CacheEntry,
        said: &mut Said,
    ) -> Option<Candidate> {
        let asked = self.config.guards.as_ref().map(|guards| guards.signature(request.prompt));
        let stored = self.config.guards.as_ref().map(|guards| entry.signature(guards));
        match self.before_reading(request, asked.as_ref(), candidate.similarity, &entry.prompt, stored) {
            Err(reason) => {
                said.block(format!("guard: {reason}"));
                said.pass("verifier: is asked about what passes the guard".to_owned());
                None
            }
            Ok(unread) => {
                if asked.is_some() {
                    said.pass("guard: no fact differs".to_owned());
                }
                let Some(unread) = unread else {
                    said.pass("verifier: not asked, for the two questions were given the same vector".to_owned());
                    return Some(candidate);
                };
                self.read_one(request, candidate, entry, unread, said)
            }
        }
    }

    fn read_one(
        &self,
        request: &LookupRequest<'_>,
        candidate: Candidate,
        entry: &CacheEntry,
        unread: Unread,
        said: &mut Said,
    ) -> Option<Candidate> {
        let pair = QuestionPair { asked: request.prompt, stored: &entry.prompt };
        let mut reader = Reader::free(&self.config.verifiers);
        let judged = reader.read(&[UnreadPair { question: 0, pair, is_foreign: unread.is_foreign }]);
        let found = self.after_reading(candidate, unread, judged.into_iter().next().flatten());
        let mut lines: Vec<String> = reader
            .said
            .iter()
            .flatten()
            .map(|(name, judged)| format!("verifier {name}: {}", in_words(*judged)))
            .collect();
        let is_by_wording = found.is_some_and(|found| found.probability.is_none());
        if is_by_wording || lines.is_empty() {
            let outcome = if is_by_wording { "its wording agrees" } else { "its wording does not agree enough" };
            lines.push(format!("guard: a question in another language is judged by its wording: {outcome}"));
        }
        // The last to speak decides.
        let last = lines.pop().unwrap_or_default();
        lines.into_iter().for_each(|line| said.pass(line));
        said.say(found.is_some(), last);
        found
    }

    /// Expiry and feedback.
    fn end_of(&self, entry: &CacheEntry, now: Duration, said: &mut Said) {
        match (entry.freshness(now, self.config.stale_while_revalidate), entry.expires) {
            (Freshness::Expired, end) => {
                let over = now.saturating_sub(end.unwrap_or(now));
                said.block(format!("expiry: its time was over {:.1} s ago", over.as_secs_f64()));
            }
            (Freshness::Stale, _) => said.pass("expiry: its time is over, and it serves as stale".to_owned()),
            (Freshness::Fresh, Some(end)) => {
                said.pass(format!("expiry: it serves for {:.1} s more", end.saturating_sub(now).as_secs_f64()));
            }
            (Freshness::Fresh, None) => said.pass("expiry: it serves without an end".to_owned()),
        }
        if entry.is_rejected() {
            said.block("feedback: it was reported to answer wrongly".to_owned());
        }
    }
}

fn in_words(judged: Judgement) -> String {
    format!("{}, {:.2} probable that one answer serves both", judged.ruling.name(), judged.probability)
}
