//! What may be concluded from samples, and what may not.
//!
//! Rates: [`rate`] (Wilson, Clopper-Pearson). Quantiles of independent values: [`quantile`] (order statistics). Means and
//! quantiles of values that depend on their neighbours, as latencies in a queue do: [`series`] (batch means, moving-block
//! bootstrap). Where a run has settled: [`warmup`]. Whether something grows: [`trend`].

pub mod quantile;
pub mod rate;
pub mod series;
pub mod trend;
pub mod warmup;

use crate::{Error, Result};
use serde::Serialize;

/// An estimate with its confidence interval; an end that the data do not bound is infinite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ConfidenceInterval {
    /// The estimate.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

pub(crate) fn check_share(name: &str, share: f64) -> Result<()> {
    if share > 0.0 && share < 1.0 {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} is {share}: give a share between 0 and 1, as 0.95")))
}

pub(crate) fn check_values(values: &[f64], least: usize) -> Result<()> {
    if values.len() < least {
        return Err(Error::invalid(format!("there are {} values: give at least {least}", values.len())));
    }
    if values.iter().any(|value| !value.is_finite()) {
        return Err(Error::invalid("a value is NaN or infinite: give finite numbers"));
    }
    Ok(())
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The quantile of sorted values: the smallest that at least a share `q` of them do not exceed.
pub(crate) fn sorted_quantile(sorted: &[f64], q: f64) -> f64 {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(f64::NAN)
}
