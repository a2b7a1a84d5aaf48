//! What a target costs its machine: memory, processor time, open files, threads, sampled while it works.

use super::stats::{ConfidenceInterval, trend::theil_sen};
use crate::{Error, Result};
use parking_lot::{Condvar, Mutex};
use std::fs;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// One look at a process. What the system does not tell is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProcessSample {
    /// Since the sampling began.
    pub at: Duration,
    /// Resident memory, in bytes.
    pub rss: u64,
    /// Processor time of all threads since the process began.
    pub cpu: Duration,
    /// Open file descriptors.
    pub files: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
}

/// Ticks of `/proc/<pid>/stat` a second: `USER_HZ`, which Linux fixes at 100 for programs (proc(5)).
const TICKS: u64 = 100;

/// Looks at a process once.
///
/// ```
/// let own = headrace::load::process::look(std::process::id(), std::time::Duration::ZERO)?;
/// assert!(own.rss > 100_000);
/// # Ok::<(), headrace::Error>(())
/// ```
///
/// # Errors
/// There is no such process, or the system does not say.
pub fn look(pid: u32, at: Duration) -> Result<ProcessSample> {
    if fs::exists("/proc/self/stat").unwrap_or(false) { linux(pid, at) } else { portable(pid, at) }
        .ok_or_else(|| Error::invalid(format!("process {pid} cannot be looked at: give the id of one that runs")))
}

fn linux(pid: u32, at: Duration) -> Option<ProcessSample> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; utime and stime are the 12th and 13th fields behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    let files = fs::read_dir(format!("/proc/{pid}/fd")).ok().map(|entries| entries.count() as u64);
    Some(ProcessSample {
        at,
        rss: field("VmRSS:")? * 1024,
        cpu: Duration::from_millis(ticks * 1000 / TICKS),
        files,
        threads: field("Threads:"),
    })
}

/// By `ps`, which macOS and the BSDs have too.
fn portable(pid: u32, at: Duration) -> Option<ProcessSample> {
    let said = std::process::Command::new("ps").args(["-o", "rss=,time=", "-p", &pid.to_string()]).output().ok()?;
    parse_ps(&String::from_utf8_lossy(&said.stdout), at)
}

fn parse_ps(text: &str, at: Duration) -> Option<ProcessSample> {
    let mut fields = text.split_whitespace();
    let rss = fields.next()?.parse::<u64>().ok()? * 1024;
    // [[days-]hours:]minutes:seconds[.hundredths]
    let time = fields.next()?.replace('-', ":");
    let mut seconds = 0.0;
    for (part, unit) in time.rsplit(':').zip([1.0, 60.0, 3_600.0, 86_400.0]) {
        seconds += part.parse::<f64>().ok()? * unit;
    }
    Some(ProcessSample { at, rss, cpu: Duration::try_from_secs_f64(seconds).ok()?, files: None, threads: None })
}

/// Looks at a process again and again, on a thread of its own.
#[derive(Debug)]
pub struct Sampler {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    stopped: Mutex<bool>,
    wake: Condvar,
    samples: Mutex<Vec<ProcessSample>>,
}

impl Sampler {
    /// Begins; the first look is at once, and the last when it is stopped or the process ends.
    ///
    /// # Errors
    /// There is no such process, or no thread to be had.
    pub fn start(pid: u32, interval: Duration) -> Result<Self> {
        let begun = Instant::now();
        let shared = Arc::new(Shared::default());
        shared.samples.lock().push(look(pid, Duration::ZERO)?);
        let inside = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("headrace-process".into())
            .spawn(move || {
                let mut stopped = inside.stopped.lock();
                loop {
                    if !*stopped {
                        inside.wake.wait_for(&mut stopped, interval.max(Duration::from_millis(1)));
                    }
                    let Ok(sample) = look(pid, begun.elapsed()) else { return };
                    inside.samples.lock().push(sample);
                    if *stopped {
                        return;
                    }
                }
            })
            .map_err(|error| Error::Config(format!("no thread to look at a process: {error}")))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Ends the sampling; what was seen stays.
    pub fn stop(&self) {
        *self.shared.stopped.lock() = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }

    /// What was seen so far.
    #[must_use]
    pub fn samples(&self) -> Vec<ProcessSample> {
        self.shared.samples.lock().clone()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop();
    }
}

/// How fast memory grows, in bytes a second, after the first `warmup` share of the time.
///
/// # Errors
/// Fewer than three looks are left, or the confidence is not between 0 and 1.
pub fn leak(samples: &[ProcessSample], warmup: f64, confidence: f64) -> Result<ConfidenceInterval> {
    let end = samples.last().map_or(0.0, |last| last.at.as_secs_f64());
    let kept = samples.iter().filter(|sample| sample.at.as_secs_f64() >= end * warmup);
    let (x, y): (Vec<f64>, Vec<f64>) = kept.map(|sample| (sample.at.as_secs_f64(), sample.rss as f64)).unzip();
    theil_sen(&x, &y, confidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_is_seen_beside_a_saw() {
        // Grows by 1000 bytes a second, under a saw of 50 kB that a collector makes.
        let samples: Vec<ProcessSample> = (0..300)
            .map(|at| ProcessSample {
                at: Duration::from_secs(at),
                rss: 1_000_000 + 1_000 * at + 10_000 * (at % 5),
                cpu: Duration::ZERO,
                files: None,
                threads: None,
            })
            .collect();
        let found = leak(&samples, 0.1, 0.95).unwrap();
        assert!(found.low <= 1_000.0 && 1_000.0 <= found.high && found.low > 900.0, "{found:?}");
    }

    #[test]
    fn a_sampler_sees_its_own_process() {
        let sampler = Sampler::start(std::process::id(), Duration::from_millis(5)).unwrap();
        let held = vec![1_u8; 64 << 20];
        sampler.stop();
        let samples = sampler.samples();
        assert!(samples.len() >= 2);
        assert!(samples.last().unwrap().rss > samples[0].rss + (32 << 20), "{samples:?}");
        assert!(samples.is_sorted_by_key(|sample| sample.at) && samples.is_sorted_by_key(|sample| sample.cpu));
        assert_eq!(held.len(), 64 << 20);
    }

    #[test]
    fn what_ps_says_is_understood() {
        let read = |text| parse_ps(text, Duration::ZERO).map(|sample| (sample.rss, sample.cpu.as_millis()));
        assert_eq!(read(" 2048 01:02.50\n"), Some((2_097_152, 62_500)));
        assert_eq!(read("1 1-00:00:01"), Some((1_024, 86_401_000)));
        assert_eq!(read(""), None);
    }

    #[test]
    fn no_process_is_no_sample() {
        assert!(Sampler::start(u32::MAX, Duration::from_millis(5)).is_err());
    }
}
