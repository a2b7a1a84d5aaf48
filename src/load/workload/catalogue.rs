//! The words of the workload, from the data files beside this one.

use crate::lock::Lazy;
use crate::{Error, Result};
use serde::Deserialize;

/// What decides which slots a question about a topic has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TopicKind {
    /// A number of a company and a year.
    Figure,
    /// A number of a site of a company, and a year.
    Site,
    /// What a company does, in a year.
    Practice,
    /// What a standard asks for.
    Rule,
}

#[derive(Debug, Deserialize)]
pub(super) struct Topic {
    pub id: String,
    pub kind: TopicKind,
    #[serde(default)]
    pub units: Vec<String>,
    en: Vec<String>,
    de: Vec<String>,
    fr: Vec<String>,
    pt: Vec<String>,
}

impl Topic {
    /// Its synonymous names in a language.
    pub fn names(&self, language: WorkloadLanguage) -> &[String] {
        match language {
            WorkloadLanguage::En => &self.en,
            WorkloadLanguage::De => &self.de,
            WorkloadLanguage::Fr => &self.fr,
            WorkloadLanguage::Pt => &self.pt,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Frames {
    pub figure: Vec<String>,
    pub figure_unit: Vec<String>,
    pub site: Vec<String>,
    pub site_unit: Vec<String>,
    pub practice: Vec<String>,
    pub rule: Vec<String>,
    pub year_follow_up: Vec<String>,
    pub company_follow_up: Vec<String>,
    pub answer: [String; 2],
    pub document: String,
}

#[derive(Debug, Deserialize)]
struct AllFrames {
    en: Frames,
    de: Frames,
    fr: Frames,
    pt: Frames,
}

#[derive(Debug, Deserialize)]
struct Topics {
    topic: Vec<Topic>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CatalogueNames {
    pub company: Vec<String>,
    pub site: Vec<String>,
    pub tenant: Vec<String>,
    pub sentence: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Catalogue {
    pub topics: Vec<Topic>,
    pub names: CatalogueNames,
    frames: AllFrames,
}

impl Catalogue {
    pub fn frames(&self, language: WorkloadLanguage) -> &Frames {
        match language {
            WorkloadLanguage::En => &self.frames.en,
            WorkloadLanguage::De => &self.frames.de,
            WorkloadLanguage::Fr => &self.frames.fr,
            WorkloadLanguage::Pt => &self.frames.pt,
        }
    }
}

/// A language that the workload speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkloadLanguage {
    /// English.
    En,
    /// German.
    De,
    /// French.
    Fr,
    /// Portuguese.
    Pt,
}

impl WorkloadLanguage {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::En, Self::De, Self::Fr, Self::Pt];

    /// The ISO 639-1 code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
            Self::Pt => "pt",
        }
    }

    /// The language of an ISO 639-1 code.
    ///
    /// # Errors
    /// The workload does not speak it.
    pub fn parse(code: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|language| language.code() == code)
            .ok_or_else(|| Error::invalid(format!("language {code:?} is not spoken here: give en, de, fr or pt")))
    }
}

/// The catalogue, read once.
pub(super) fn catalogue() -> Result<&'static Catalogue> {
    static READ: Lazy<Result<Catalogue>> = Lazy::new(read);
    READ.as_ref().map_err(Clone::clone)
}

fn read() -> Result<Catalogue> {
    let bad = |error: toml::de::Error| Error::Config(format!("the workload's data files are damaged: {error}"));
    Ok(Catalogue {
        topics: toml::from_str::<Topics>(include_str!("data/topics.toml")).map_err(bad)?.topic,
        names: toml::from_str(include_str!("data/names.toml")).map_err(bad)?,
        frames: toml::from_str(include_str!("data/frames.toml")).map_err(bad)?,
    })
}
