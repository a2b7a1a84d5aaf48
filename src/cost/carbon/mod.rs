//! What a call costs the planet: energy, greenhouse gases, water, by `EcoLogits`' published method.
//!
//! Where a model's size or a data centre's efficiency is a guess, every figure is a [`Range`]. Floats are right here:
//! the inputs are estimates with two or three digits. Money never passes through this module.
//!
//! Sources: method and constants, <https://ecologits.ai/latest/methodology/llm_inference/> (version 0.11.3); model
//! sizes and electricity mixes, `models.tsv` and `zones.tsv` beside this file, written by `scripts/refresh_carbon.py`.

mod factors;
mod method;
mod table;

pub use factors::{EmissionFactors, Factors, Override};
pub use method::Footprint;
pub use table::{DataCentre, ModelSize, Zone, zone};

/// A figure known to lie between two bounds.
///
/// ```
/// use headrace::cost::carbon::Range;
/// let guess = Range { min: 1.0, max: 3.0 } + Range::exactly(1.0);
/// assert_eq!((guess.min, guess.mean(), guess.max), (2.0, 3.0, 4.0));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Range {
    /// The low bound.
    pub min: f64,
    /// The high bound.
    pub max: f64,
}

impl Range {
    /// A figure without doubt.
    pub const fn exactly(value: f64) -> Self {
        Self { min: value, max: value }
    }

    /// The middle, for where one figure is needed.
    pub fn mean(self) -> f64 {
        f64::midpoint(self.min, self.max)
    }

    /// Both bounds through a function that never falls.
    pub(crate) fn map(self, change: impl Fn(f64) -> f64) -> Self {
        Self { min: change(self.min), max: change(self.max) }
    }
}

impl std::ops::Add for Range {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { min: self.min + other.min, max: self.max + other.max }
    }
}

impl std::ops::AddAssign for Range {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// The impacts of one call, or the sum of many.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Impact {
    /// Energy of the servers and their data centre, in watt-hours.
    pub energy_wh: Range,
    /// Greenhouse gases of use and manufacture together, in grams of CO2 equivalent.
    pub co2e_g: Range,
    /// The part of `co2e_g` that making the hardware caused.
    pub co2e_embodied_g: Range,
    /// Water evaporated on site and in making the electricity, in litres.
    pub water_l: Range,
    /// Abiotic resource depletion (elements), in kilograms of antimony equivalent.
    pub depletion_kg_sb: Range,
    /// Primary energy, in megajoules.
    pub primary_energy_mj: Range,
}

impl std::ops::AddAssign for Impact {
    fn add_assign(&mut self, other: Self) {
        self.energy_wh += other.energy_wh;
        self.co2e_g += other.co2e_g;
        self.co2e_embodied_g += other.co2e_embodied_g;
        self.water_l += other.water_l;
        self.depletion_kg_sb += other.depletion_kg_sb;
        self.primary_energy_mj += other.primary_energy_mj;
    }
}
