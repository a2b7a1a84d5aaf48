//! A user's own prices in TOML.
//!
//! ```toml
//! [models."acme/scribe"]
//! input = "0.40"              # dollars for a million tokens; as text, so that every digit stays
//! output = "1.60"
//! context = 128000
//!
//! [[models."acme/scribe".periods]]
//! since = "2027-01-01"        # from then on; until, hours and days too, in UTC
//! input = "0.30"
//! output = "1.20"
//! "input@batch" = "0.15"      # on other terms
//! "input>200000" = "0.60"     # for calls with a longer input
//! ```

use super::{Condition, ModelPrice, PricePeriod, PriceTable, Rates};
use crate::{Error, Result};
use std::path::Path;
use toml::{Table, Value};

impl PriceTable {
    /// The built-in table with a file's models over it.
    ///
    /// # Errors
    /// `Config` where the file cannot be read, a key is unknown or a price is no amount.
    pub fn load(path: &Path) -> Result<Self> {
        let in_file = |error: &dyn std::fmt::Display| Error::Config(format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| in_file(&error))?;
        let mut table = Self::builtin();
        table.extend(Self::from_toml(&text).map_err(|error| in_file(&error))?);
        Ok(table)
    }

    /// The models of a TOML text.
    ///
    /// # Errors
    /// As [`PriceTable::load`].
    pub fn from_toml(text: &str) -> Result<Self> {
        let file: Table = text.parse().map_err(|error: toml::de::Error| Error::Config(error.to_string()))?;
        let mut table = Self::empty();
        for (key, value) in &file {
            let models = value.as_table().filter(|_| key == "models").ok_or_else(|| {
                Error::Config(format!("{key:?} is unknown: give tables such as [models.\"acme/scribe\"]"))
            })?;
            for (name, fields) in models {
                let fields =
                    fields.as_table().ok_or_else(|| Error::Config(format!("{name:?} is no table of prices")))?;
                let read = model(name, fields).and_then(|model| table.insert(model));
                read.map_err(|error| Error::Config(format!("model {name:?}: {error}")))?;
            }
        }
        Ok(table)
    }
}

fn model(name: &str, fields: &Table) -> Result<ModelPrice> {
    let (provider, bare) = super::split(name)?;
    let mut model = ModelPrice {
        source: "own".into(),
        version: "own".into(),
        ..ModelPrice::new(super::builtin::provider(provider), bare)
    };
    let mut prices = Table::new();
    for (key, value) in fields {
        match key.as_str() {
            "source" => model.source = text(key, value)?.into(),
            "mode" => model.mode = Some(text(key, value)?.to_owned()),
            "context" => model.context = Some(whole(key, value)?),
            "max_output" => model.max_output = Some(whole(key, value)?),
            "abilities" => {
                let list = value.as_array().into_iter().flatten();
                model.abilities = list.map(|name| text(key, name).map(str::to_owned)).collect::<Result<_>>()?;
            }
            "periods" => {}
            _ => {
                prices.insert(key.clone(), value.clone());
            }
        }
    }
    if !prices.is_empty() {
        model.periods.push(period(&prices)?);
    }
    for entry in fields.get("periods").and_then(Value::as_array).into_iter().flatten() {
        let entry = entry
            .as_table()
            .ok_or_else(|| Error::invalid("periods is no list of tables: write [[models.\"...\".periods]]"))?;
        let period = period(entry)?;
        // What a period leaves out is as it was before.
        let rates = model.rates(period.when.since.unwrap_or_else(jiff::Timestamp::now)).with(&period.rates);
        model.periods.push(PricePeriod { rates, ..period });
    }
    Ok(model)
}

fn period(fields: &Table) -> Result<PricePeriod> {
    let mut when = Condition::default();
    let mut words = Vec::new();
    for (key, value) in fields {
        match key.as_str() {
            "since" | "until" => when.set(
                key,
                value.as_datetime().map(ToString::to_string).as_deref().or(value.as_str()).unwrap_or_default(),
            )?,
            "hours" | "days" => when.set(key, text(key, value)?)?,
            // A whole number is exact; a float is not.
            _ => words.push(format!(
                "{key}={}",
                value
                    .as_integer()
                    .map_or_else(|| text(key, value).map(str::to_owned), |price| Ok(price.to_string()))?
            )),
        }
    }
    Ok(PricePeriod { when, rates: Rates::parse(&words.join(" "))? })
}

fn text<'a>(key: &str, value: &'a Value) -> Result<&'a str> {
    value.as_str().ok_or_else(|| {
        Error::invalid(format!(
            "{key} is {value}: give it as text in quotes, such as \"0.40\", so that every digit stays"
        ))
    })
}

fn whole(key: &str, value: &Value) -> Result<u64> {
    value
        .as_integer()
        .and_then(|count| u64::try_from(count).ok())
        .ok_or_else(|| Error::invalid(format!("{key} is {value}: give a whole number of tokens")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Usage;

    #[test]
    fn a_file_sets_prices_with_dates_and_refuses_what_it_does_not_know() {
        let table = PriceTable::from_toml(
            r#"
            [models."acme/scribe"]
            input = "0.40"
            output = 2
            context = 128000
            [[models."acme/scribe".periods]]
            since = 2027-01-01
            input = "0.30"
            "input@batch" = "0.15"
            "#,
        )
        .unwrap();
        let cost = |at: &str| {
            table
                .price("acme/scribe", &Usage::new(1_000_000, 1_000_000), at.parse().unwrap())
                .unwrap()
                .total
                .to_string()
        };
        assert_eq!([cost("2026-06-01T00:00:00Z"), cost("2027-01-01T00:00:00Z")], ["2.4", "2.3"]);
        for bad in [
            "models = 3",
            "x = 1",
            "[models.\"a/b\"]\ninput = 0.4",
            "[models.\"a/b\"]\ninputs = \"1\"",
            "[models.nameless]\ninput = \"1\"",
            "[models.\"a/b\"]",
        ] {
            assert!(matches!(PriceTable::from_toml(bad), Err(Error::Config(_))), "{bad}");
        }
    }
}
