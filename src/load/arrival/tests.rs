use super::*;

fn gaps(process: Process, rate: f64, n: usize) -> Vec<f64> {
    let times: Vec<f64> =
        Arrivals::steady(process, rate).unwrap().plan(3).take(n).map(|next| next.at.as_secs_f64()).collect();
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn gaps_have_the_rate_and_the_variation_asked_for() {
    for (process, cv) in
        [(Process::Constant, 0.0), (Process::Poisson, 1.0), (Process::Gamma(3.0), 3.0), (Process::Gamma(0.5), 0.5)]
    {
        let gaps = gaps(process, 50.0, 200_000);
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let deviation = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
        assert!((mean * 50.0 - 1.0).abs() < 0.03, "{process:?} {mean}");
        assert!((deviation / mean - cv).abs() < 0.05 * (1.0 + cv), "{process:?} {}", deviation / mean);
    }
}

#[test]
fn stages_hold_as_many_requests_as_their_area() {
    let second = Duration::from_secs(1);
    let stages = vec![
        Stage::ramp(0.0, 100.0, 10 * second),
        Stage::steady(100.0, 5 * second),
        Stage::steady(0.0, 2 * second),
        Stage::ramp(100.0, 0.0, 10 * second),
    ];
    let arrivals = Arrivals::staged(Process::Constant, stages).unwrap();
    let times: Vec<f64> = arrivals.plan(0).map(|next| next.at.as_secs_f64()).collect();
    assert_eq!(arrivals.length(), Some(27 * second));
    assert_eq!(times.len(), 1500);
    let within = |from: f64, to: f64| times.iter().filter(|&&at| from <= at && at < to).count();
    assert_eq!((within(0.0, 10.0), within(10.0, 15.0), within(15.0, 17.0), within(17.0, 27.0)), (500, 500, 0, 500));
    // The k-th request of the ramp from 0 at 10/s per second is due where 5 t² = k.
    assert!(times.iter().take(500).enumerate().all(|(k, at)| (5.0 * at * at - k as f64).abs() < 1e-6));
    assert!(times.is_sorted());
}

#[test]
fn shapes_keep_the_mean_rate() {
    let length = Duration::from_mins(4);
    for stages in [day(20.0, length), season(20.0, length)] {
        let count = Arrivals::staged(Process::Constant, stages).unwrap().plan(0).count();
        assert!(count.abs_diff(4800) <= 1, "{count}");
    }
}

#[test]
fn the_seed_decides() {
    let plan = |seed| Arrivals::steady(Process::Gamma(2.0), 10.0).unwrap().plan(seed).take(100).collect::<Vec<_>>();
    assert_eq!(plan(1), plan(1));
    assert_ne!(plan(1), plan(2));
}

#[test]
fn a_trace_of_five_centuries_keeps_its_times() {
    let text = "1700-01-01 00:00:00,1,1\n2200-01-01 00:00:00,1,1\n";
    assert_eq!(Trace::parse(text).unwrap().length().as_secs() / (365 * 86_400), 500);
}

#[test]
fn traces_are_read_and_sped_up() {
    let mooncake = "{\"timestamp\": 40, \"input_length\": 7, \"output_length\": 3, \"hash_ids\": [1]}\n\
                    {\"timestamp\": 10, \"input_length\": 5, \"output_length\": 2}\n";
    let trace = Trace::parse(mooncake).unwrap();
    let plan: Vec<_> = Arrivals::replayed(trace, 3.0).unwrap().plan(0).collect();
    assert_eq!(plan.iter().map(|next| next.at.as_millis()).collect::<Vec<_>>(), [0, 10]);
    assert_eq!(plan.iter().map(|next| next.tokens.unwrap()).collect::<Vec<_>>(), [(5, 2), (7, 3)]);
    assert!(Trace::parse("").is_err() && Trace::parse("a,b,c").is_err());
}

#[test]
fn rates_out_of_range_are_refused() {
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Arrivals::steady(Process::Poisson, rate).is_err());
    }
    assert!(Arrivals::steady(Process::Gamma(0.0), 1.0).is_err());
}
