//! Export of spans and metrics to a collector of OpenTelemetry (`docs/operations.md`). Whoever is traced never waits for it:
//! what cannot be exported in time is dropped and counted.

use std::path::Path;
use std::time::Duration;

use cavra_connect::{Collector, CollectorError, Taken, Terms};
use cavra_trace::{EndedSpan, OtelSettings, Queue, Resource, Tracer, install};
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::{CoreError, Settings};

/// Most spans of one document.
const BATCH: usize = 512;
/// Attempts to hand a document over, and the pauses between them: from the first to the longest.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Time for what waits when the server ends.
const LAST: Duration = Duration::from_secs(2);

/// Exports what the tracer of this process records, and its metrics.
pub struct Exporter {
    traces: Option<Spans>,
    metrics: Option<Metrics>,
}

struct Spans {
    collector: Collector,
    resource: Resource,
    queue: Queue,
    delay: Duration,
}

struct Metrics {
    collector: Collector,
    resource: Resource,
    interval: Duration,
    began: u64,
}

impl Exporter {
    /// As the variables of OpenTelemetry say; nothing if nothing is exported. Traces are recorded from now on.
    ///
    /// # Errors
    /// [`CoreError::Configuration`] naming the variable that cannot be followed.
    pub fn read(settings: &Settings, lookup: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, CoreError> {
        let wrong = |error: &dyn std::fmt::Display| {
            CoreError::Configuration(format!("{error} (OTEL_SDK_DISABLED=true exports nothing)"))
        };
        let Some(read) = OtelSettings::read(lookup).map_err(|error| wrong(&error))? else { return Ok(None) };
        let terms = Terms {
            headers: &read.headers,
            certificate: read.certificate.as_deref().map(Path::new),
            timeout: read.timeout,
            private: settings.otlp_private,
            network: &settings.network,
        };
        let collector = |address: &Option<String>| {
            let named = |error: CollectorError| wrong(&format!("OTEL_EXPORTER_OTLP_ENDPOINT: {error}"));
            address.as_deref().map(|address| Collector::new(address, &terms)).transpose().map_err(named)
        };
        let (traces, metrics) = (collector(&read.to.traces)?, collector(&read.to.metrics)?);
        let traces = traces.map(|collector| {
            let (tracer, queue) = Tracer::new(read.sampler, read.queue);
            install(tracer);
            Spans { collector, resource: read.resource.clone(), queue, delay: read.delay }
        });
        let (resource, interval) = (read.resource, read.interval);
        let metrics = metrics.map(|collector| Metrics { collector, resource, interval, began: cavra_trace::nanos() });
        Ok(Some(Self { traces, metrics }))
    }

    /// Exports until the future is dropped. `shown` is what `/metrics` shows.
    pub async fn run(&mut self, shown: impl Fn() -> String) {
        let Self { traces, metrics } = self;
        let traces = async {
            match traces {
                Some(traces) => traces.run().await,
                None => std::future::pending().await,
            }
        };
        let metrics = async {
            match metrics {
                Some(metrics) => metrics.run(&shown).await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(traces, metrics);
    }

    /// Exports what waits; for a moment only.
    pub async fn finish(mut self, shown: impl Fn() -> String) {
        let rest = async {
            if let Some(traces) = &mut self.traces {
                let mut spans = Vec::new();
                while let Ok(span) = traces.queue.try_recv() {
                    spans.push(span);
                }
                for spans in spans.chunks(BATCH) {
                    traces.collector.take(&cavra_trace::traces(&traces.resource, spans)).await;
                }
            }
            if let Some(metrics) = &self.metrics {
                metrics.collector.take(&metrics.document(&shown())).await;
            }
        };
        if timeout(LAST, rest).await.is_err() {
            tracing::warn!("the collector did not take the last spans and metrics in time");
        }
    }
}

impl Spans {
    async fn run(&mut self) {
        loop {
            let batch = self.batch().await;
            let arrived = hand_over(&self.collector, &cavra_trace::traces(&self.resource, &batch), "traces").await;
            let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            if arrived {
                metrics::counter!("cavra_otlp_spans_exported_total").increment(count);
            } else {
                metrics::counter!("cavra_otlp_spans_dropped_total").increment(count);
            }
        }
    }

    /// Waits for spans: as many as fit, or those that have come when the first has waited long enough.
    async fn batch(&mut self) -> Vec<EndedSpan> {
        let first = match self.queue.recv().await {
            Some(span) => span,
            None => std::future::pending().await,
        };
        let (mut batch, until) = (vec![first], Instant::now() + self.delay);
        while batch.len() < BATCH {
            tokio::select! {
                span = self.queue.recv() => match span {
                    Some(span) => batch.push(span),
                    None => break,
                },
                () = sleep_until(until) => break,
            }
        }
        batch
    }
}

impl Metrics {
    async fn run(&self, shown: &impl Fn() -> String) {
        loop {
            sleep(self.interval).await;
            hand_over(&self.collector, &self.document(&shown()), "metrics").await;
        }
    }

    fn document(&self, shown: &str) -> Value {
        cavra_trace::metrics(&self.resource, shown, self.began, cavra_trace::nanos())
    }
}

/// Hands a document over, some attempts long; answers whether it arrived.
async fn hand_over(collector: &Collector, document: &Value, signal: &'static str) -> bool {
    let mut pause = FIRST_PAUSE;
    let mut problem = "it does not answer";
    for attempt in 1..=ATTEMPTS {
        match collector.take(document).await {
            Taken::Yes => {
                count(signal, "completed");
                return true;
            }
            Taken::No(why) => {
                problem = why;
                break;
            }
            Taken::Later(wish) if attempt < ATTEMPTS => {
                sleep(wish.unwrap_or(pause).min(LONGEST_PAUSE)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Taken::Later(_) => {}
        }
    }
    count(signal, "failed");
    tracing::warn!(signal, problem, "the collector does not take what is exported");
    false
}

fn count(signal: &'static str, outcome: &'static str) {
    metrics::counter!("cavra_otlp_exports_total", "signal" => signal, "outcome" => outcome).increment(1);
}
