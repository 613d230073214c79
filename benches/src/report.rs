//! Samples and the tables made of them.

use std::time::Duration;

/// Durations of one thing, repeated.
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Calls `once` `warm_up` times unmeasured and `count` times measured.
    pub fn take<E>(warm_up: usize, count: usize, mut once: impl FnMut() -> Result<(), E>) -> Result<Self, E> {
        for _ in 0..warm_up {
            once()?;
        }
        let mut samples = Vec::with_capacity(count);
        for _ in 0..count {
            let started = std::time::Instant::now();
            once()?;
            samples.push(started.elapsed());
        }
        Ok(Self::of(samples))
    }

    /// From durations at hand.
    pub fn of(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        Self(samples)
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The duration that `share` of the samples do not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "share is between 0 and 1")]
        let at = ((self.0.len() as f64 - 1.0).max(0.0) * share) as usize;
        self.0.get(at).copied().unwrap_or_default()
    }

    /// The median.
    pub fn p50(&self) -> Duration {
        self.quantile(0.5)
    }

    /// The 99th percentile.
    pub fn p99(&self) -> Duration {
        self.quantile(0.99)
    }
}

/// What the figures were measured on.
pub fn machine() {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown", |(_, name)| name.trim());
    println!("\n{cores} cores, {model}; cavra {}\n", env!("CARGO_PKG_VERSION"));
}

/// Prints the head of a table.
pub fn head(title: &str, columns: &[&str]) {
    println!("\n### {title}\n");
    println!("| {} |", columns.join(" | "));
    println!("|{}", " --- |".repeat(columns.len()));
}

/// Prints one row.
pub fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// A duration in the unit that suits it.
pub fn show(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    if micros < 1_000.0 { format!("{micros:.1} µs") } else { format!("{:.2} ms", micros / 1_000.0) }
}

/// How many times `duration` is `of`.
pub fn ratio(duration: Duration, of: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() / of.as_secs_f64())
}
