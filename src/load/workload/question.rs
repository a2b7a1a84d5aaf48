//! What is asked, apart from how: a topic with its slots filled, its key, its wordings, its answer.

use super::catalogue::{Catalogue, Topic, TopicKind, WorkloadLanguage};
use crate::load::rng::Rng;

/// The years that questions are about.
pub(super) const YEARS: std::ops::RangeInclusive<u16> = 2017..=2025;

/// A topic with its slots filled; slots that the topic does not have are `None`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub topic: usize,
    pub company: Option<usize>,
    pub site: Option<usize>,
    pub year: Option<u16>,
    /// An index into the topic's units; where none is said, the first is meant.
    pub unit: Option<usize>,
    pub language: WorkloadLanguage,
}

fn year(rng: &mut Rng) -> u16 {
    YEARS.start() + rng.below(YEARS.len()) as u16
}

/// Another index below `n` than `current`.
fn other(rng: &mut Rng, n: usize, current: usize) -> usize {
    if n < 2 { current } else { (current + 1 + rng.below(n - 1)) % n }
}

impl Question {
    /// One at random.
    pub fn draw(rng: &mut Rng, catalogue: &Catalogue, languages: &[WorkloadLanguage]) -> Self {
        let topic = rng.below(catalogue.topics.len());
        let language = rng.pick(languages).copied().unwrap_or(WorkloadLanguage::En);
        let Topic { kind, units, .. } = &catalogue.topics[topic];
        let has_company = *kind != TopicKind::Rule;
        Self {
            topic,
            company: has_company.then(|| rng.below(catalogue.names.company.len())),
            site: (*kind == TopicKind::Site).then(|| rng.below(catalogue.names.site.len())),
            year: has_company.then(|| year(rng)),
            unit: (!units.is_empty() && rng.chance(0.25)).then(|| rng.below(units.len())),
            language,
        }
    }

    /// The same question but for one slot: year, company, site, unit, or a topic of the same kind.
    pub fn near_miss(&self, rng: &mut Rng, catalogue: &Catalogue) -> Self {
        let mut changed = self.clone();
        let mut slots = vec!["topic"];
        if let (Some(_), Some(_)) = (self.company, self.year) {
            slots.extend(["year", "year", "company"]);
        }
        if self.site.is_some() {
            slots.push("site");
        }
        if self.unit.is_some() && catalogue.topics[self.topic].units.len() > 1 {
            slots.push("unit");
        }
        match rng.pick(&slots).copied() {
            Some("year") => changed.change_year(rng),
            Some("company") => changed.change_company(rng, catalogue),
            Some("site") => {
                changed.site = self.site.map(|site| other(rng, catalogue.names.site.len(), site));
            }
            Some("unit") => {
                let units = catalogue.topics[self.topic].units.len();
                changed.unit = self.unit.map(|unit| other(rng, units, unit));
            }
            _ => changed.topic = self.neighbour(rng, catalogue),
        }
        changed
    }

    /// Moves to another year.
    pub fn change_year(&mut self, rng: &mut Rng) {
        self.year = self.year.map(|year| {
            let at = other(rng, YEARS.len(), usize::from(year - YEARS.start()));
            YEARS.start() + at as u16
        });
    }

    /// Moves to another company, in half of the cases to the sister whose name differs in one word.
    pub fn change_company(&mut self, rng: &mut Rng, catalogue: &Catalogue) {
        let n = catalogue.names.company.len();
        let to_sister = rng.chance(0.5);
        self.company = self.company.map(|company| if to_sister { company ^ 1 } else { other(rng, n, company) });
    }

    /// A topic that takes the same slots and units, the next ones in the catalogue first: scope 1 → 2, E1-5 → E1-6.
    fn neighbour(&self, rng: &mut Rng, catalogue: &Catalogue) -> usize {
        let own = &catalogue.topics[self.topic];
        let mut alike: Vec<usize> = (0..catalogue.topics.len())
            .filter(|&at| at != self.topic)
            .filter(|&at| catalogue.topics[at].kind == own.kind && catalogue.topics[at].units == own.units)
            .collect();
        alike.sort_by_key(|&at| at.abs_diff(self.topic));
        alike.truncate(4);
        rng.pick(&alike).copied().unwrap_or(self.topic)
    }

    /// What tells its answer from all others.
    pub fn key(&self, catalogue: &Catalogue) -> String {
        let topic = &catalogue.topics[self.topic];
        let slot = |name: Option<&String>| name.cloned().unwrap_or_else(|| "-".into());
        format!(
            "{}|{}|{}|{}|{}|{}",
            topic.id,
            slot(self.company.map(|at| &catalogue.names.company[at])),
            slot(self.site.map(|at| &catalogue.names.site[at])),
            self.year.map_or_else(|| "-".into(), |year| year.to_string()),
            slot(topic.units.get(self.unit.unwrap_or(0))),
            self.language.code(),
        )
    }

    fn frames<'a>(&self, catalogue: &'a Catalogue) -> &'a [String] {
        let frames = catalogue.frames(self.language);
        match (catalogue.topics[self.topic].kind, self.unit) {
            (TopicKind::Figure, None) => &frames.figure,
            (TopicKind::Figure, Some(_)) => &frames.figure_unit,
            (TopicKind::Site, None) => &frames.site,
            (TopicKind::Site, Some(_)) => &frames.site_unit,
            (TopicKind::Practice, _) => &frames.practice,
            (TopicKind::Rule, _) => &frames.rule,
        }
    }

    /// In how many ways it can be put.
    pub fn wordings(&self, catalogue: &Catalogue) -> usize {
        self.frames(catalogue).len() * catalogue.topics[self.topic].names(self.language).len()
    }

    /// The `n`th wording; 0 is the plain one.
    pub fn wording(&self, catalogue: &Catalogue, n: usize) -> String {
        let frames = self.frames(catalogue);
        let names = catalogue.topics[self.topic].names(self.language);
        let name = &names[(n / frames.len()) % names.len()];
        self.fill(catalogue, &frames[n % frames.len()]).replace("{t}", name)
    }

    /// `frame` with all slots but the topic filled.
    pub fn fill(&self, catalogue: &Catalogue, frame: &str) -> String {
        let mut text = frame.to_owned();
        let topic = &catalogue.topics[self.topic];
        if let Some(company) = self.company {
            text = text.replace("{c}", &catalogue.names.company[company]);
        }
        if let Some(site) = self.site {
            text = text.replace("{s}", &catalogue.names.site[site]);
        }
        if let Some(year) = self.year {
            text = text.replace("{y}", &year.to_string());
        }
        if let Some(unit) = self.unit {
            text = text.replace("{u}", &topic.units[unit]);
        }
        text
    }

    /// The answer of this fictional world, the same each time; a figure is made from a hash of the key.
    pub fn answer(&self, catalogue: &Catalogue) -> String {
        let topic = &catalogue.topics[self.topic];
        let [with_value, without] = &catalogue.frames(self.language).answer;
        let subject = self.key(catalogue).replace("|-", "").replace('|', ", ");
        let Some(unit) = topic.units.get(self.unit.unwrap_or(0)) else {
            return without.replace("{subject}", &subject);
        };
        let hash = blake3::hash(self.key(catalogue).as_bytes());
        let raw = u32::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1], hash.as_bytes()[2], 0]);
        let value = if unit == "%" { format!("{}.{} %", raw % 100, raw / 100 % 10) } else { format!("{raw} {unit}") };
        with_value.replace("{subject}", &subject).replace("{value}", &value)
    }
}
