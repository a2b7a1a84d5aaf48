//! Which factors hold for a call: the tables, and what the user knows better.

use super::table::{self, DataCentre, ModelSize, Zone};
use super::{Footprint, Range};
use crate::{Error, Result};

/// What a user replaces; `None` keeps the table's figure.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Override {
    /// Only for this provider.
    pub provider: Option<String>,
    /// Only for this model, without its provider.
    pub model: Option<String>,
    /// Zone of the electricity, as ISO 3166-1 alpha-3.
    pub zone: Option<String>,
    /// Carbon intensity of the electricity, in grams of CO2e a kilowatt-hour; wins over the zone.
    pub co2e_g_per_kwh: Option<f64>,
    /// Water of the electricity, in litres a kilowatt-hour; wins over the zone.
    pub water_l_per_kwh: Option<f64>,
    /// Power usage effectiveness of the data centre, at least 1.
    pub pue: Option<f64>,
    /// Water usage effectiveness on site, in litres a kilowatt-hour.
    pub wue: Option<f64>,
    /// All parameters of the model, in billions.
    pub total_parameters: Option<Range>,
    /// Active parameters of the model, in billions.
    pub active_parameters: Option<Range>,
}

/// The factors of a tracker: overrides in the order they were set, the last one that fits wins figure by figure.
#[derive(Debug, Clone, Default)]
pub struct EmissionFactors {
    overrides: Vec<Override>,
}

/// Everything that one model's footprint is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    /// The model's size.
    pub size: ModelSize,
    /// Where it runs.
    pub centre: DataCentre,
    /// What feeds it.
    pub zone: Zone,
    /// The zone's name, or `own` where the user gave the figures.
    pub zone_name: String,
}

impl Factors {
    /// The method with these factors.
    pub fn footprint(&self) -> Footprint {
        Footprint::new(&self.size, &self.centre, self.zone)
    }
}

impl EmissionFactors {
    /// Adds an override for the calls that follow.
    ///
    /// # Errors
    /// `InvalidArgument` where the zone is unknown or a figure is not a possible one.
    pub fn set(&mut self, change: Override) -> Result<()> {
        if let Some(zone) = &change.zone
            && table::zone(zone).is_none()
        {
            return Err(Error::invalid(format!(
                "zone {zone:?} is unknown: give one of {} ISO 3166-1 alpha-3 codes such as FRA, or WOR for the world",
                table::zone_count()
            )));
        }
        check("co2e_g_per_kwh", change.co2e_g_per_kwh, 0.0)?;
        check("water_l_per_kwh", change.water_l_per_kwh, 0.0)?;
        check("pue", change.pue, 1.0)?;
        check("wue", change.wue, 0.0)?;
        for (name, range) in
            [("total_parameters", change.total_parameters), ("active_parameters", change.active_parameters)]
        {
            check(name, range.map(|range| range.min), f64::MIN_POSITIVE)?;
            check(name, range.map(|range| range.max), range.map_or(0.0, |range| range.min))?;
        }
        self.overrides.push(change);
        Ok(())
    }

    /// The factors of a model; `None` where its size is not known: its footprint is then unknown, not zero.
    pub fn of(&self, provider: &str, model: &str) -> Option<Factors> {
        let fits = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
        let mine: Vec<&Override> = self
            .overrides
            .iter()
            .rev()
            .filter(|change| fits(&change.provider, provider) && fits(&change.model, model))
            .collect();
        let last = |figure: fn(&Override) -> Option<f64>| mine.iter().find_map(|change| figure(change));
        let total = mine.iter().find_map(|change| change.total_parameters.or(change.active_parameters));
        let active = mine.iter().find_map(|change| change.active_parameters.or(change.total_parameters));
        let mut size = table::model_size(provider, model);
        if let (Some(total), Some(active)) = (total, active) {
            let speed = size.as_ref().map(|size| (size.tokens_per_second, size.first_token_seconds));
            let (tokens_per_second, first_token_seconds) = speed.unwrap_or_default();
            size = Some(ModelSize { total, active, tokens_per_second, first_token_seconds, notes: "" });
        }
        let mut centre = table::data_centre(provider, model);
        if let Some(pue) = last(|change| change.pue) {
            centre.pue = Range::exactly(pue);
        }
        if let Some(wue) = last(|change| change.wue) {
            centre.wue = Range::exactly(wue);
        }
        let mut zone_name = mine.iter().find_map(|change| change.zone.clone()).unwrap_or_else(|| centre.zone.into());
        let mut zone = table::zone(&zone_name)?;
        if let Some(grams) = last(|change| change.co2e_g_per_kwh) {
            zone.kg_co2e_per_kwh = grams / 1000.0;
            zone_name = "own".into();
        }
        if let Some(litres) = last(|change| change.water_l_per_kwh) {
            zone.litres_per_kwh = litres;
            zone_name = "own".into();
        }
        Some(Factors { size: size?, centre, zone, zone_name })
    }
}

fn check(name: &str, value: Option<f64>, least: f64) -> Result<()> {
    match value {
        Some(value) if !value.is_finite() || value < least => {
            Err(Error::invalid(format!("{name} is {value}: give a finite number of at least {least}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn close(found: Range, expected: &Value, scale: f64) -> bool {
        let end = |place: usize| expected.get(place).unwrap_or(expected);
        [found.min, found.max].iter().zip([end(0), end(1)]).all(|(found, expected)| {
            let expected = expected.as_f64().unwrap() * scale;
            (found - expected).abs() <= 1e-9 * expected.abs()
        })
    }

    #[test]
    fn samples_of_ecologits_are_reproduced() {
        let text = std::fs::read_to_string("tests/data/ecologits_samples.json").unwrap();
        let samples: Value = serde_json::from_str(&text).unwrap();
        let cases = samples["cases"].as_array().unwrap();
        assert!(cases.len() >= 10);
        for case in cases {
            let mut factors = EmissionFactors::default();
            factors.set(Override { zone: case["zone"].as_str().map(str::to_owned), ..Override::default() }).unwrap();
            let found = factors.of(case["provider"].as_str().unwrap(), case["model"].as_str().unwrap()).unwrap();
            let tokens = case["out_tokens"].as_u64().unwrap();
            let impact = found.footprint().impact(tokens, case["latency_s"].as_f64());
            assert!(close(impact.energy_wh, &case["energy_kWh"], 1000.0), "{case}");
            assert!(close(impact.co2e_g, &case["gwp_kg"], 1000.0), "{case}");
            assert!(close(impact.co2e_embodied_g, &case["gwp_embodied_kg"], 1000.0), "{case}");
            assert!(close(impact.water_l, &case["wcf_L"], 1.0), "{case}");
            assert!(close(impact.depletion_kg_sb, &case["adpe_kgSb"], 1.0), "{case}");
            assert!(close(impact.primary_energy_mj, &case["pe_MJ"], 1.0), "{case}");
            let (energy, gases) = found.footprint().energy_and_gases(tokens, case["latency_s"].as_f64());
            assert!(close(energy, &case["energy_kWh"], 1000.0) && close(gases, &case["gwp_kg"], 1000.0), "{case}");
        }
    }

    #[test]
    fn an_unknown_size_is_unknown_until_given() {
        let mut factors = EmissionFactors::default();
        assert_eq!(factors.of("acme", "novel-1"), None);
        let size = Some(Range::exactly(7.0));
        factors.set(Override { model: Some("novel-1".into()), total_parameters: size, ..Override::default() }).unwrap();
        assert_eq!(factors.of("acme", "novel-1").unwrap().size.active, Range::exactly(7.0));
        assert_eq!(factors.of("acme", "novel-2"), None);
    }

    #[test]
    fn impossible_factors_change_nothing() {
        let mut factors = EmissionFactors::default();
        for bad in [
            Override { zone: Some("France".into()), ..Override::default() },
            Override { pue: Some(0.5), ..Override::default() },
            Override { co2e_g_per_kwh: Some(f64::NAN), ..Override::default() },
            Override { total_parameters: Some(Range { min: 2.0, max: 1.0 }), ..Override::default() },
        ] {
            assert!(matches!(factors.set(bad), Err(Error::InvalidArgument(_))));
        }
        assert_eq!(factors.of("openai", "gpt-4").unwrap().zone_name, "USA");
    }
}
