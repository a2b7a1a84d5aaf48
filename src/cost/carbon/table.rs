//! The tables of facts: model sizes, electricity mixes by zone, data centres by provider.

use super::Range;
use crate::cost::names;
use crate::lock::Lazy;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// How large a model is and how fast it answers.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSize {
    /// All parameters, in billions.
    pub total: Range,
    /// The parameters that each token passes through, in billions; less than `total` in a mixture of experts.
    pub active: Range,
    /// Generated tokens a second, where measured.
    pub tokens_per_second: Option<f64>,
    /// Seconds to the first token, where measured.
    pub first_token_seconds: Option<f64>,
    /// Why the figure may be off: `not-released`, `multimodal`, or nothing.
    pub notes: &'static str,
}

/// What a kilowatt-hour of the zone's electricity carries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Zone {
    /// Greenhouse gases.
    pub kg_co2e_per_kwh: f64,
    /// Water evaporated in power stations.
    pub litres_per_kwh: f64,
    /// Abiotic depletion, in antimony equivalent.
    pub kg_sb_per_kwh: f64,
    /// Primary energy.
    pub mj_per_kwh: f64,
}

/// How efficient the buildings are, and where they stand.
#[derive(Debug, Clone, PartialEq)]
pub struct DataCentre {
    /// The zone of the electricity, as ISO 3166-1 alpha-3, or `WOR` for the world.
    pub zone: &'static str,
    /// Power usage effectiveness: energy of the building over energy of its computers.
    pub pue: Range,
    /// Water usage effectiveness on site, in litres a kilowatt-hour.
    pub wue: Range,
}

static MODELS: Lazy<HashMap<(&str, &str), ModelSize>> =
    Lazy::new(|| rows(include_str!("models.tsv")).filter_map(model_row).collect());

static ZONES: Lazy<HashMap<&str, Zone>> = Lazy::new(|| rows(include_str!("zones.tsv")).filter_map(zone_row).collect());

fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect())
}

fn model_row(cells: Vec<&'static str>) -> Option<((&'static str, &'static str), ModelSize)> {
    let number = |place: usize| cells.get(place).and_then(|cell| cell.parse::<f64>().ok());
    let size = ModelSize {
        total: Range { min: number(2)?, max: number(3)? },
        active: Range { min: number(4)?, max: number(5)? },
        tokens_per_second: number(6),
        first_token_seconds: number(7),
        notes: cells.get(8).copied().unwrap_or_default(),
    };
    Some(((cells[0], cells[1]), size))
}

fn zone_row(cells: Vec<&'static str>) -> Option<(&'static str, Zone)> {
    let number = |place: usize| cells.get(place).and_then(|cell| cell.parse::<f64>().ok());
    let zone = Zone {
        kg_co2e_per_kwh: number(1)?,
        litres_per_kwh: number(2)?,
        kg_sb_per_kwh: number(3)?,
        mj_per_kwh: number(4)?,
    };
    Some((cells[0], zone))
}

/// The electricity mix of a zone (ISO 3166-1 alpha-3, `WOR` for the world, `EEE` for Europe).
pub fn zone(name: &str) -> Option<Zone> {
    ZONES.get(name).copied()
}

/// The names of all zones, for error messages.
pub(crate) fn zone_count() -> usize {
    ZONES.len()
}

/// The size of a model: of the name itself, else of the nearest that it leads to, else of published weights of that name.
pub(crate) fn model_size(provider: &str, model: &str) -> Option<ModelSize> {
    let near = || {
        let mut names = names::candidates(&format!("{provider}/{model}")).into_iter();
        names.find_map(|candidate| candidate.name.split_once('/').and_then(|(maker, model)| listed(maker, model)))
    };
    listed(provider, model).or_else(near).or_else(|| WEIGHTS.get(&weights_key(model)?).cloned().flatten())
}

/// Published weights by [`weights_key`]; nothing where weights of one name differ in size.
static WEIGHTS: Lazy<HashMap<String, Option<ModelSize>>> = Lazy::new(|| {
    let mut weights: HashMap<String, Option<ModelSize>> = HashMap::new();
    for ((_, model), size) in MODELS.iter().filter(|((family, _), _)| *family == "huggingface_hub") {
        let Some(key) = weights_key(model) else { continue };
        let known = weights.entry(key).or_insert_with(|| Some(size.clone()));
        if known.as_ref().is_some_and(|known| (known.total, known.active) != (size.total, size.active)) {
            *known = None;
        }
    }
    weights
});

/// Words in the names of weights and of their services that say nothing of the size.
const WORDS: [&str; 16] = [
    "bf16",
    "chat",
    "fp16",
    "fp8",
    "free",
    "hf",
    "instant",
    "instruct",
    "it",
    "latest",
    "maas",
    "meta",
    "preview",
    "reference",
    "turbo",
    "versatile",
];

/// What names of the same weights share: `Meta-Llama-3.1-8B-Instruct`, `llama-3.1-8b-instant`, `meta.llama3-1-8b`.
/// Nothing where the name has no size in it.
fn weights_key(model: &str) -> Option<String> {
    let bare = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    let bare = bare.rsplit_once("-v1:").map_or(bare.as_str(), |(bare, _)| bare);
    let words: Vec<&str> = bare.split(|letter: char| !letter.is_ascii_alphanumeric()).collect();
    let has_size = words.iter().any(|word| {
        let digits = word.strip_suffix('b').and_then(|size| size.chars().last());
        digits.is_some_and(|last| last.is_ascii_digit())
    });
    let kept: String = words.into_iter().filter(|word| !WORDS.contains(word)).collect();
    has_size.then_some(kept)
}

/// The size by the names that the table uses.
fn listed(provider: &str, model: &str) -> Option<ModelSize> {
    let family = family(provider, model);
    let bare = model.rsplit('/').next().unwrap_or(model);
    let found = [(family, model), (family, bare), ("huggingface_hub", model)];
    found.iter().find_map(|key| MODELS.get(key).cloned()).or_else(|| open_weights(bare))
}

/// The table's name for the maker of a model that `provider` serves.
fn family<'a>(provider: &'a str, model: &str) -> &'a str {
    match provider {
        "azure" | "azure_ai" | "azure_openai" => "openai",
        "mistral" | "mistralai" => "mistralai",
        "google" | "gemini" | "vertex_ai" | "google_genai" if !model.contains("claude") => "google_genai",
        "vertex_ai" | "google" => "anthropic",
        "huggingface" | "huggingface_hub" => "huggingface_hub",
        other => other,
    }
}

/// Sizes that the makers publish for models that the table lacks under the name that their own service uses.
fn open_weights(model: &str) -> Option<ModelSize> {
    // DeepSeek-V3 technical report, arXiv:2412.19437: 671 billion parameters, 37 billion for each token; R1 is built on it.
    let model = model.to_ascii_lowercase();
    let deepseek = matches!(&*model, "deepseek-chat" | "deepseek-reasoner" | "deepseek-v3" | "deepseek-r1");
    deepseek.then_some(ModelSize {
        total: Range::exactly(671.0),
        active: Range::exactly(37.0),
        tokens_per_second: None,
        first_token_seconds: None,
        notes: "",
    })
}

/// The data centres of a provider; of others, the whole span of what providers report.
pub(crate) fn data_centre(provider: &str, model: &str) -> DataCentre {
    let known = |zone, pue: (f64, f64), wue: (f64, f64)| DataCentre {
        zone,
        pue: Range { min: pue.0, max: pue.1 },
        wue: Range { min: wue.0, max: wue.1 },
    };
    match family(provider, model) {
        "anthropic" => known("USA", (1.09, 1.14), (0.13, 0.999)),
        "cohere" | "google_genai" => known("USA", (1.09, 1.09), (0.999, 0.999)),
        "huggingface_hub" => known("USA", (1.09, 1.14), (0.13, 0.99)),
        "mistralai" => known("SWE", (1.16, 1.16), (0.09, 0.09)),
        "openai" => known("USA", (1.20, 1.20), (0.569, 0.569)),
        _ => known("WOR", (1.09, 1.20), (0.09, 0.999)),
    }
}
