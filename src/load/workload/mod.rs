//! Questions as an ESG department asks them, seeded and labelled.
//!
//! Greenhouse gases by scope and category, energy, water, waste, buildings, suppliers, EU Taxonomy, and what ESRS, GRI,
//! ISSB, TCFD, `SBTi` and CDP ask for, over fictional companies, sites and years, in four languages. Each request carries
//! an answer key: what shares it may share an answer, everything else is a wrong answer however near it reads.

mod catalogue;
mod config;
mod document;
mod question;

pub use catalogue::WorkloadLanguage;
pub use config::{EsgConfig, tenant_names};

use crate::Result;
use crate::load::request::{HistoryMessage, LoadRequest, QuestionKind, estimate_tokens};
use crate::load::rng::{Rng, Zipf};
use catalogue::{Catalogue, TopicKind};
use question::Question;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// An endless, seeded stream of ESG requests.
///
/// ```
/// use headrace::load::workload::{Esg, EsgConfig};
/// let first: Vec<_> = Esg::new(EsgConfig { seed: 7, ..EsgConfig::default() })?.take(100).collect();
/// let again: Vec<_> = Esg::new(EsgConfig { seed: 7, ..EsgConfig::default() })?.take(100).collect();
/// assert_eq!(first, again);
/// # Ok::<(), headrace::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Esg {
    config: Arc<EsgConfig>,
    catalogue: &'static Catalogue,
    universe: Arc<[RankedQuestion]>,
    popularity: Arc<Zipf>,
    rng: Rng,
    next: u64,
    sessions: VecDeque<Session>,
    opened: u64,
}

/// A question with its place in popularity.
#[derive(Debug)]
struct RankedQuestion {
    question: Question,
    near_miss: bool,
}

/// A conversation that goes on.
#[derive(Debug, Clone)]
struct Session {
    id: u64,
    turn: u32,
    tenant: String,
    question: Question,
    near_miss: bool,
    history: Vec<HistoryMessage>,
}

impl Esg {
    /// The stream that `config` describes.
    ///
    /// # Errors
    /// A setting is out of its range.
    pub fn new(config: EsgConfig) -> Result<Self> {
        config.check()?;
        let catalogue = catalogue::catalogue()?;
        Ok(Self {
            universe: universe(&config, catalogue).into(),
            popularity: Arc::new(Zipf::new(config.questions, config.zipf)),
            rng: Rng::stream(config.seed, "esg requests"),
            config: Arc::new(config),
            catalogue,
            next: 0,
            sessions: VecDeque::new(),
            opened: 0,
        })
    }

    fn tenant(&mut self) -> String {
        self.rng.pick(&self.config.tenants).cloned().unwrap_or_default()
    }

    fn length(&mut self, (mu, sigma): (f64, f64)) -> u64 {
        (self.rng.lognormal(mu, sigma).round().max(1.0) as u64).min(self.config.max_tokens)
    }

    /// A question from the start of a conversation.
    fn fresh(&mut self) -> LoadRequest {
        let rank = self.popularity.draw(&mut self.rng).min(self.universe.len() - 1);
        let universe = Arc::clone(&self.universe);
        let RankedQuestion { question, near_miss } = &universe[rank];
        let wordings = question.wordings(self.catalogue);
        let is_paraphrase = wordings > 1 && self.rng.chance(self.config.paraphrase_share);
        let wording = if is_paraphrase { 1 + self.rng.below(wordings - 1) } else { 0 };
        let kind = if is_paraphrase { QuestionKind::Paraphrase } else { QuestionKind::Plain };
        let prompt = question.wording(self.catalogue, wording);
        let tenant = self.tenant();
        let mut request = self.request(question, prompt, tenant, kind);
        request.near_miss = *near_miss;
        if self.rng.chance(self.config.document_share) {
            self.attach(&mut request, question);
        } else if self.rng.chance(self.config.session_share)
            && self.catalogue.topics[question.topic].kind != TopicKind::Rule
        {
            request.session = Some(self.opened);
            self.opened += 1;
            self.keep_open(&request, question.clone());
        }
        request
    }

    /// The question put to a document, which becomes part of what is asked and of the key.
    fn attach(&mut self, request: &mut LoadRequest, question: &Question) {
        let tokens = self.length(self.config.input_lognormal);
        let document = document::text(&mut self.rng, self.catalogue, tokens);
        let intro = &self.catalogue.frames(question.language).document;
        request.prompt = format!("{}\n\n{intro}\n{document}", request.prompt);
        request.answer_key = format!("{}|{}", request.answer_key, &blake3::hash(document.as_bytes()).to_hex()[..12]);
        request.kind = QuestionKind::Document;
        request.input_tokens = estimate_tokens(&request.prompt);
    }

    /// Lets a conversation go on with the probability that gives the configured mean number of follow-ups.
    fn keep_open(&mut self, request: &LoadRequest, question: Question) {
        let turns = self.config.session_turns;
        if !self.rng.chance(turns / (1.0 + turns)) {
            return;
        }
        let mut history = request.history.clone();
        history.push(HistoryMessage { role: "user", content: request.prompt.clone() });
        history.push(HistoryMessage { role: "assistant", content: question.answer(self.catalogue) });
        self.sessions.push_back(Session {
            id: request.session.unwrap_or_default(),
            turn: request.turn,
            tenant: request.tenant.clone(),
            near_miss: request.near_miss,
            question,
            history,
        });
    }

    fn follow_up(&mut self, session: Session) -> LoadRequest {
        let mut question = session.question;
        let frames = self.catalogue.frames(question.language);
        let by_year = self.rng.chance(0.6);
        let forms = if by_year { &frames.year_follow_up } else { &frames.company_follow_up };
        if by_year {
            question.change_year(&mut self.rng);
        } else {
            question.change_company(&mut self.rng, self.catalogue);
        }
        let form = self.rng.pick(forms).cloned().unwrap_or_default();
        let prompt = question.fill(self.catalogue, &form);
        let mut request = self.request(&question, prompt, session.tenant, QuestionKind::FollowUp);
        request.input_tokens += session.history.iter().map(|message| estimate_tokens(&message.content)).sum::<u64>();
        request.history = session.history;
        request.session = Some(session.id);
        request.turn = session.turn + 1;
        request.near_miss = session.near_miss;
        self.keep_open(&request, question);
        request
    }

    fn request(&mut self, question: &Question, prompt: String, tenant: String, kind: QuestionKind) -> LoadRequest {
        let at = self.rng.uniform();
        LoadRequest {
            index: self.next,
            model: self.config.model.clone(),
            history: Vec::new(),
            tenant,
            priority: self.config.priority(at),
            answer_key: question.key(self.catalogue),
            kind,
            near_miss: false,
            topic: self.catalogue.topics[question.topic].id.clone(),
            language: question.language.code().into(),
            session: None,
            turn: 0,
            input_tokens: estimate_tokens(&prompt),
            output_tokens: self.length(self.config.output_lognormal),
            prompt,
        }
    }
}

impl Iterator for Esg {
    type Item = LoadRequest;

    /// The next request; there is always one. An open conversation goes on in half of the steps, the oldest first.
    fn next(&mut self) -> Option<LoadRequest> {
        let goes_on = !self.sessions.is_empty() && self.rng.chance(0.5);
        let resumed = if goes_on { self.sessions.pop_front() } else { None };
        let request = match resumed {
            Some(session) => self.follow_up(session),
            None => self.fresh(),
        };
        self.next += 1;
        Some(request)
    }
}

/// All different questions, the most popular first.
fn universe(config: &EsgConfig, catalogue: &Catalogue) -> Vec<RankedQuestion> {
    let mut rng = Rng::stream(config.seed, "esg questions");
    let mut seen = HashSet::with_capacity(config.questions);
    let mut entries: Vec<RankedQuestion> = Vec::with_capacity(config.questions);
    // The catalogue holds more than the largest allowed number; drawing again is the exception, and bounded.
    for _ in 0..config.questions * 50 {
        if entries.len() == config.questions {
            break;
        }
        let near_miss = !entries.is_empty() && rng.chance(config.near_miss_share);
        let question = match entries.get(rng.below(entries.len())) {
            Some(model) if near_miss => model.question.near_miss(&mut rng, catalogue),
            _ => Question::draw(&mut rng, catalogue, &config.languages),
        };
        if seen.insert(question.key(catalogue)) {
            entries.push(RankedQuestion { question, near_miss });
        }
    }
    entries
}

#[cfg(test)]
mod tests;
