//! How quiet the machine is: the same work over and over, which a quiet machine does in the same time.

use super::rng::Rng;
use serde::Serialize;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How the same work took different times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Noise {
    /// How often it was done.
    pub loops: u64,
    /// The shortest time, in microseconds.
    pub fastest_us: f64,
    /// The median.
    pub median_us: f64,
    /// One in a hundred took longer.
    pub p99_us: f64,
    /// The longest.
    pub slowest_us: f64,
    /// The share of the time that others took: what was spent beyond the fastest, of all.
    pub lost_share: f64,
}

/// Draws of one piece of work: about 50 to 100 microseconds.
const DRAWS: u32 = 50_000;

/// Does the same work for `length`, at least ten times.
///
/// ```
/// let noise = headrace::load::noise::measure(std::time::Duration::from_millis(20));
/// assert!(noise.fastest_us <= noise.median_us && noise.lost_share < 1.0);
/// ```
#[must_use]
pub fn measure(length: Duration) -> Noise {
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.len() < 10 || begun.elapsed() < length {
        let start = Instant::now();
        let mut rng = Rng::new(black_box(1));
        black_box((0..DRAWS).fold(0_u64, |sum, _| sum.wrapping_add(rng.next_u64())));
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    let at = |q| super::stats::sorted_quantile(&times, q);
    let (fastest, total) = (times[0], times.iter().sum::<f64>());
    Noise {
        loops: times.len() as u64,
        fastest_us: fastest,
        median_us: at(0.5),
        p99_us: at(0.99),
        slowest_us: at(1.0),
        lost_share: 1.0 - fastest * times.len() as f64 / total,
    }
}
