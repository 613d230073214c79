//! Prometheus metrics and per-request measurements.

use std::sync::OnceLock;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use cavra_trace::{ActiveSpan, Kind, TraceContext, in_context};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::{Instrument as _, Span, info_span};

/// Upper bounds of the latency histograms, in seconds: from one decision in memory to a stalled disk.
const BUCKETS: [f64; 14] =
    [0.000_02, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// Upper bounds of the number of transactions in one commit.
const BATCHES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Counters that are shown from the beginning: one that appears with its first event is never seen to grow.
const COUNTERS: [&str; 6] = [
    "cavra_log_lines_lost_total",
    "cavra_otlp_spans_dropped_total",
    "cavra_policy_signature_blocks_total",
    "cavra_store_commit_errors_total",
    "cavra_store_units_finished_total",
    "cavra_store_units_unfinished_total",
];

/// Methods that are told apart.
const METHODS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/// Handle on the process-wide metrics.
#[derive(Clone, Debug)]
pub struct Telemetry(Option<PrometheusHandle>);

impl Telemetry {
    /// Installs the recorder, once per process; later calls share it.
    #[must_use]
    pub fn install() -> Self {
        static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
        let handle = HANDLE.get_or_init(|| {
            let sizes = Matcher::Full("cavra_store_batch_size".to_owned());
            let builder = PrometheusBuilder::new().set_buckets(&BUCKETS);
            let builder = builder.and_then(|builder| builder.set_buckets_for_metric(sizes, &BATCHES));
            let handle = builder.and_then(|builder| builder.install_recorder()).ok();
            COUNTERS.iter().for_each(|name| metrics::counter!(*name).increment(0));
            handle
        });
        Self(handle.clone())
    }

    /// The metrics in the Prometheus text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0
            .as_ref()
            .map(|handle| {
                handle.run_upkeep();
                handle.render()
            })
            .unwrap_or_default()
    }
}

/// Counts and times requests by route, never by raw path: a path can hold anything. A request that belongs to a trace, or
/// begins one, is a span of it.
pub async fn measure(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = told_apart(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let parent = parent(request.headers());
    let mut span = cavra_trace::span(format!("{method} {route}"), Kind::Server, parent);
    let context = span.as_ref().map(ActiveSpan::context).or(parent);
    let logged = context.map_or_else(Span::none, |context| info_span!("request", trace_id = context.trace_id()));
    let response = in_context(context, next.run(request).instrument(logged)).await;
    let status = response.status();
    if let Some(span) = &mut span {
        span.attribute("http.request.method", method);
        span.attribute("http.route", route.as_str());
        span.attribute("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            span.fail();
        }
    }
    let status = status.as_u16().to_string();
    metrics::histogram!("cavra_http_request_seconds", "method" => method, "route" => route, "status" => status)
        .record(started.elapsed().as_secs_f64());
    response
}

/// The method for metrics and spans. A caller can make up any number of others, and each would be kept for good
/// (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>, `_OTHER`).
fn told_apart(method: &Method) -> &'static str {
    METHODS.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

/// The trace that a caller names, if he names one. Two are none.
fn parent(headers: &HeaderMap) -> Option<TraceContext> {
    let mut named = headers.get_all("traceparent").iter();
    let (header, another) = (named.next()?, named.next());
    TraceContext::parse(header.to_str().ok()?).filter(|_| another.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_that_somebody_made_up_are_one() {
        let of = |name: &str| told_apart(&Method::from_bytes(name.as_bytes()).unwrap());
        assert_eq!(
            ["GET", "POST", "get", "MADE-UP", "MADE-UP-2"].map(of),
            ["GET", "POST", "_OTHER", "_OTHER", "_OTHER"]
        );
    }
}
