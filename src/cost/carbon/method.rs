//! The method: from tokens to energy, from energy to gases and water.
//!
//! Per request on a server of 8 GPUs that serves a batch of 64:
//!
//! ```text
//! GPU energy/token   = (1.1665e-6 · exp(-0.011206 · batch) · active + 4.0529e-5) Wh       active: billions of parameters
//! latency            = min(tokens · (1/speed, or 6.785e-4 · active + 3.119e-4 · batch + 0.01947) + first token, measured)
//! GPUs               = 1.2 · total · 16 bits / 8 / 80 GB, rounded up to a power of two
//! energy             = PUE · (latency/3600 · 1.2 kW · GPUs/8 / batch + GPUs · GPU energy)
//! gases, in use      = energy · mix of the zone
//! gases, embodied    = latency / (3 years · batch) · (GPUs/8 · 5700 kg + GPUs · 273 kg)
//! water              = energy/PUE · (WUE on site + PUE · WUE of the mix)
//! ```

use super::table::{DataCentre, ModelSize, Zone};
use super::{Impact, Range};
use serde::{Deserialize, Serialize};

const BATCH: f64 = 64.0;
const BITS_PER_WEIGHT: f64 = 16.0;
const MEMORY_OVERHEAD: f64 = 1.2;
const GPU_MEMORY_GB: f64 = 80.0;
const SERVER_GPUS: f64 = 8.0;
/// Without its GPUs.
const SERVER_KW: f64 = 1.2;
const LIFETIME_S: f64 = 3.0 * 365.0 * 24.0 * 3600.0;

/// The fit of GPU energy: Wh for a token, by batch size and billions of active parameters.
const ENERGY_ALPHA: f64 = 1.166_527_317_045_191_4e-6;
const ENERGY_BETA: f64 = -0.011_205_921_025_579_175;
const ENERGY_GAMMA: f64 = 4.052_928_146_734_005e-5;
/// The fit of latency: seconds for a token.
const LATENCY_ALPHA: f64 = 0.000_678_508_809_435_366_3;
const LATENCY_BETA: f64 = 0.000_311_931_031_168_825_9;
const LATENCY_GAMMA: f64 = 0.019_473_717_579_473_387;

/// What making one device caused: of the server without GPUs, of one GPU.
struct Embodied {
    server: f64,
    gpu: f64,
}

const KG_CO2E: Embodied = Embodied { server: 5700.0, gpu: 273.0 };
const KG_SB: Embodied = Embodied { server: 0.37, gpu: 0.00895 };
const MJ: Embodied = Embodied { server: 70_000.0, gpu: 3721.0 };

/// The method with all that depends on the model and its place worked out: a call then takes a few multiplications.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Footprint {
    low: Bound,
    high: Bound,
    zone: Zone,
}

/// One end of the range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Bound {
    gpus: f64,
    gpu_kwh_per_token: f64,
    seconds_per_token: f64,
    first_token_s: f64,
    pue: f64,
    wue: f64,
}

impl Footprint {
    /// For a model of this size in such a data centre, fed by the mix of this zone.
    pub fn new(size: &ModelSize, centre: &DataCentre, zone: Zone) -> Self {
        let bound = |total, active, pue, wue| Bound {
            gpus: gpus(total),
            gpu_kwh_per_token: (ENERGY_ALPHA * (ENERGY_BETA * BATCH).exp() * active + ENERGY_GAMMA) / 1000.0,
            seconds_per_token: size
                .tokens_per_second
                .map_or_else(|| LATENCY_ALPHA * active + LATENCY_BETA * BATCH + LATENCY_GAMMA, |speed| 1.0 / speed),
            first_token_s: size.first_token_seconds.unwrap_or(0.0),
            pue,
            wue,
        };
        Self {
            low: bound(size.total.min, size.active.min, centre.pue.min, centre.wue.min),
            high: bound(size.total.max, size.active.max, centre.pue.max, centre.wue.max),
            zone,
        }
    }

    /// The impacts of a call that generated `output_tokens`; `latency_s` bounds its time where it was measured.
    pub fn impact(&self, output_tokens: u64, latency_s: Option<f64>) -> Impact {
        let tokens = output_tokens as f64;
        let limit = latency_s.unwrap_or(f64::INFINITY);
        let both = |figure: fn(&Bound, f64, f64, &Zone) -> f64| Range {
            min: figure(&self.low, tokens, limit, &self.zone),
            max: figure(&self.high, tokens, limit, &self.zone),
        };
        let energy_kwh = both(|bound, tokens, limit, _| bound.pue * bound.it_kwh(tokens, limit));
        let embodied_kg = both(|bound, tokens, limit, _| bound.embodied(tokens, limit, &KG_CO2E));
        let water_l = both(|bound, tokens, limit, zone| {
            bound.it_kwh(tokens, limit) * (bound.wue + bound.pue * zone.litres_per_kwh)
        });
        let co2e_embodied_g = embodied_kg.map(|kg| kg * 1000.0);
        Impact {
            energy_wh: energy_kwh.map(|kwh| kwh * 1000.0),
            co2e_g: energy_kwh.map(|kwh| kwh * self.zone.kg_co2e_per_kwh * 1000.0) + co2e_embodied_g,
            co2e_embodied_g,
            water_l,
            depletion_kg_sb: energy_kwh.map(|kwh| kwh * self.zone.kg_sb_per_kwh)
                + both(|bound, tokens, limit, _| bound.embodied(tokens, limit, &KG_SB)),
            primary_energy_mj: energy_kwh.map(|kwh| kwh * self.zone.mj_per_kwh)
                + both(|bound, tokens, limit, _| bound.embodied(tokens, limit, &MJ)),
        }
    }

    /// Energy and gases alone, for sums over millions of calls.
    pub(crate) fn energy_and_gases(&self, output_tokens: u64, latency_s: Option<f64>) -> (Range, Range) {
        let (tokens, limit) = (output_tokens as f64, latency_s.unwrap_or(f64::INFINITY));
        let end = |bound: &Bound| {
            let kwh = bound.pue * bound.it_kwh(tokens, limit);
            let kg = kwh * self.zone.kg_co2e_per_kwh + bound.embodied(tokens, limit, &KG_CO2E);
            (kwh * 1000.0, kg * 1000.0)
        };
        let (low, high) = (end(&self.low), end(&self.high));
        (Range { min: low.0, max: high.0 }, Range { min: low.1, max: high.1 })
    }
}

impl Bound {
    fn seconds(&self, tokens: f64, limit: f64) -> f64 {
        (tokens * self.seconds_per_token + self.first_token_s).min(limit)
    }

    /// Energy of the computers, before the data centre's overhead.
    fn it_kwh(&self, tokens: f64, limit: f64) -> f64 {
        let server = self.seconds(tokens, limit) / 3600.0 * SERVER_KW * (self.gpus / SERVER_GPUS) / BATCH;
        server + self.gpus * (tokens * self.gpu_kwh_per_token)
    }

    fn embodied(&self, tokens: f64, limit: f64, of: &Embodied) -> f64 {
        let hardware = self.gpus / SERVER_GPUS * of.server + self.gpus * of.gpu;
        self.seconds(tokens, limit) * hardware / (LIFETIME_S * BATCH)
    }
}

fn gpus(total_billions: f64) -> f64 {
    let needed = (MEMORY_OVERHEAD * total_billions * BITS_PER_WEIGHT / 8.0 / GPU_MEMORY_GB).ceil().max(1.0);
    needed.log2().ceil().exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_double() {
        assert_eq!([1.0, 30.0, 34.0, 70.0, 671.0].map(|size| gpus(size) as u64), [1, 1, 2, 4, 32]);
    }
}
