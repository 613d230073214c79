//! Variables of the OpenTelemetry specification
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>). The server reads them by itself
//! (`cavra_trace::OtelSettings`): what they say to other programs of a shell is no reason for a command or a hook to refuse.

use super::{Setting, secret, setting, valued};

/// Every one that is read.
pub(super) static OTEL: &[Setting] = &[
    valued("OTEL_BSP_MAX_QUEUE_SIZE", "2048", "Spans that may wait; what does not fit is dropped and counted."),
    valued("OTEL_BSP_SCHEDULE_DELAY", "5000", "Longest time that a span waits to be exported, in milliseconds."),
    setting(
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        "the system's authorities",
        "PEM file of authorities that may vouch for the collector, too.",
    ),
    setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "unset: nothing is exported",
        "Collector, to which /v1/traces and /v1/metrics are appended.",
    ),
    secret("OTEL_EXPORTER_OTLP_HEADERS", "none", "Headers for the collector, `name=value` separated by commas."),
    setting("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "unset", "Address of metrics, as it is."),
    valued("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "How it is written; only `http/json`."),
    valued("OTEL_EXPORTER_OTLP_TIMEOUT", "10000", "Time for one export, in milliseconds."),
    setting("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "unset", "Address of traces, as it is."),
    valued("OTEL_METRICS_EXPORTER", "otlp", "`none` exports no metrics."),
    valued("OTEL_METRIC_EXPORT_INTERVAL", "60000", "Time between exports of metrics, in milliseconds."),
    setting(
        "OTEL_RESOURCE_ATTRIBUTES",
        "none",
        "Further attributes of this service, `name=value` separated by commas.",
    ),
    valued("OTEL_SDK_DISABLED", "false", "`true` exports nothing."),
    valued("OTEL_SERVICE_NAME", "cavra", "Name of this service."),
    valued("OTEL_TRACES_EXPORTER", "otlp", "`none` exports no traces."),
    valued("OTEL_TRACES_SAMPLER", "parentbased_always_on", "Which traces are recorded."),
    valued("OTEL_TRACES_SAMPLER_ARG", "1", "Share of traces, for the samplers by ratio."),
];
