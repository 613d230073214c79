//! Spans and metrics for OpenTelemetry, without its SDK: what is recorded, and how it is written as OTLP.
//!
//! A [`Tracer`] decides which traces are recorded, as `OTEL_TRACES_SAMPLER` says, and puts what has ended into a queue of
//! bounded length: whoever is traced never waits. A [`TraceContext`] is what travels with requests (W3C Trace Context).
//! [`traces`] and [`metrics`] are documents of OTLP/HTTP with JSON. Sending them is somebody else's work.

mod context;
mod document;
mod prometheus;
mod sampler;
mod settings;
mod tracer;

pub use context::TraceContext;
pub use document::{Resource, metrics, traces};
pub use sampler::Sampler;
pub use settings::{Exported, OtelSettings, WrongVariable};
pub use tracer::{ActiveSpan, EndedSpan, Kind, Queue, Tracer, current, in_context, install, nanos, span};
