//! Documents of OTLP in JSON: `ExportTraceServiceRequest` and `ExportMetricsServiceRequest` as the protocol maps protobuf to
//! JSON (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>): names in camelCase, ids in hex, 64-bit numbers as
//! texts, enumerations as numbers.

use serde_json::{Value, json};

use crate::context::hex;
use crate::prometheus::{Family, Series, families};
use crate::tracer::EndedSpan;

/// Who recorded it.
const SCOPE: &str = "cavra";

/// Sums and histograms count from the beginning of the process on.
const CUMULATIVE: u8 = 2;
/// Status of a span that has failed.
const ERROR: u8 = 2;

/// Whose spans and metrics these are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource(Vec<(String, String)>);

impl Resource {
    /// With these attributes.
    #[must_use]
    pub const fn new(attributes: Vec<(String, String)>) -> Self {
        Self(attributes)
    }

    fn document(&self) -> Value {
        json!({ "attributes": self.0.iter().map(|(name, value)| attribute(name, &json!(value))).collect::<Vec<_>>() })
    }
}

/// Spans that have ended, for `/v1/traces`.
#[must_use]
pub fn traces(resource: &Resource, spans: &[EndedSpan]) -> Value {
    let spans: Vec<Value> = spans.iter().map(span).collect();
    json!({ "resourceSpans": [{
        "resource": resource.document(),
        "scopeSpans": [{ "scope": { "name": SCOPE }, "spans": spans }],
    }] })
}

fn span(span: &EndedSpan) -> Value {
    let mut document = json!({
        "traceId": hex(&span.context.trace),
        "spanId": hex(&span.context.span),
        "name": span.name,
        "kind": span.kind as u8,
        "startTimeUnixNano": span.began.to_string(),
        "endTimeUnixNano": span.ended.to_string(),
        "attributes": span.attributes.iter().map(|(name, value)| attribute(name, value)).collect::<Vec<_>>(),
        "status": if span.has_failed { json!({ "code": ERROR }) } else { json!({}) },
    });
    if let (Some(parent), Some(document)) = (span.parent, document.as_object_mut()) {
        document.insert("parentSpanId".to_owned(), json!(hex(&parent)));
    }
    document
}

fn attribute(name: &str, value: &Value) -> Value {
    let value = match value {
        Value::Bool(flag) => json!({ "boolValue": flag }),
        Value::Number(number) if number.is_f64() => json!({ "doubleValue": number }),
        Value::Number(number) => json!({ "intValue": number.to_string() }),
        Value::String(text) => json!({ "stringValue": text }),
        other => json!({ "stringValue": other.to_string() }),
    };
    json!({ "key": name, "value": value })
}

/// What `/metrics` shows, for `/v1/metrics`: counted since `began`, as it is at `now`, both in nanoseconds since 1970.
#[must_use]
pub fn metrics(resource: &Resource, shown: &str, began: u64, now: u64) -> Value {
    let at = Moment { began: began.to_string(), now: now.to_string() };
    let metrics: Vec<Value> = families(shown).iter().map(|family| at.metric(family)).collect();
    json!({ "resourceMetrics": [{
        "resource": resource.document(),
        "scopeMetrics": [{ "scope": { "name": SCOPE }, "metrics": metrics }],
    }] })
}

struct Moment {
    began: String,
    now: String,
}

impl Moment {
    fn metric(&self, family: &Family<'_>) -> Value {
        let points = |point: fn(&Self, &Series) -> Value| {
            family.series.iter().map(|series| point(self, series)).collect::<Vec<_>>()
        };
        let points: Vec<Value> = match family.kind {
            "histogram" => points(Self::histogram),
            _ => points(Self::number),
        };
        match family.kind {
            "counter" => json!({ "name": family.name, "sum": {
                "dataPoints": points, "aggregationTemporality": CUMULATIVE, "isMonotonic": true,
            } }),
            "histogram" => json!({ "name": family.name, "histogram": {
                "dataPoints": points, "aggregationTemporality": CUMULATIVE,
            } }),
            _ => json!({ "name": family.name, "gauge": { "dataPoints": points } }),
        }
    }

    fn number(&self, series: &Series) -> Value {
        json!({
            "attributes": labels(series), "startTimeUnixNano": self.began, "timeUnixNano": self.now,
            "asDouble": series.value,
        })
    }

    fn histogram(&self, series: &Series) -> Value {
        // Prometheus counts what is below each bound; OTLP what is between two.
        let below = series.buckets.iter().map(|(_, count)| *count);
        let between =
            below.clone().zip(std::iter::once(0).chain(below)).map(|(count, before)| count.saturating_sub(before));
        let bounds: Vec<f64> =
            series.buckets.iter().map(|(bound, _)| *bound).filter(|bound| bound.is_finite()).collect();
        json!({
            "attributes": labels(series), "startTimeUnixNano": self.began, "timeUnixNano": self.now,
            "count": series.count.to_string(), "sum": series.value,
            "bucketCounts": between.map(|count| count.to_string()).collect::<Vec<_>>(), "explicitBounds": bounds,
        })
    }
}

fn labels(series: &Series) -> Vec<Value> {
    series.labels.iter().map(|(name, value)| attribute(name, &json!(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TraceContext;
    use crate::tracer::Kind;

    #[test]
    fn spans_as_the_protocol_writes_them() {
        let context = TraceContext { trace: [0xab; 16], span: [0xcd; 8], is_sampled: true };
        let ended = EndedSpan {
            context,
            parent: Some([1; 8]),
            name: "POST /decisions".to_owned(),
            kind: Kind::Server,
            began: 1_900_000_000_000_000_001,
            ended: 1_900_000_000_000_000_002,
            attributes: vec![("a", json!("x")), ("b", json!(200)), ("c", json!(true)), ("d", json!(0.5))],
            has_failed: true,
        };
        let resource = Resource::new(vec![("service.name".to_owned(), "cavra".to_owned())]);
        let written = traces(&resource, &[ended]);
        assert_eq!(
            written,
            json!({"resourceSpans": [{
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "cavra"}}]},
                "scopeSpans": [{"scope": {"name": "cavra"}, "spans": [{
                    "traceId": "ab".repeat(16), "spanId": "cd".repeat(8), "parentSpanId": "01".repeat(8),
                    "name": "POST /decisions", "kind": 2,
                    "startTimeUnixNano": "1900000000000000001", "endTimeUnixNano": "1900000000000000002",
                    "attributes": [
                        {"key": "a", "value": {"stringValue": "x"}}, {"key": "b", "value": {"intValue": "200"}},
                        {"key": "c", "value": {"boolValue": true}}, {"key": "d", "value": {"doubleValue": 0.5}},
                    ],
                    "status": {"code": 2},
                }]}],
            }]})
        );
    }

    #[test]
    fn metrics_as_the_protocol_writes_them() {
        let shown = "# TYPE a_total counter\na_total{x=\"1\"} 3\n\n# TYPE b gauge\nb 0.5\n\n# TYPE c histogram\n\
            c_bucket{le=\"0.1\"} 1\nc_bucket{le=\"1\"} 3\nc_bucket{le=\"+Inf\"} 4\nc_sum 2.5\nc_count 4\n";
        let written = metrics(&Resource::default(), shown, 1, 2);
        let point = |more: Value| {
            let mut point = json!({"attributes": [], "startTimeUnixNano": "1", "timeUnixNano": "2"});
            point.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            point
        };
        let label = json!([{"key": "x", "value": {"stringValue": "1"}}]);
        assert_eq!(
            written["resourceMetrics"][0]["scopeMetrics"][0]["metrics"],
            json!([
                {"name": "a_total", "sum": {"aggregationTemporality": 2, "isMonotonic": true,
                    "dataPoints": [point(json!({"attributes": label, "asDouble": 3.0}))]}},
                {"name": "b", "gauge": {"dataPoints": [point(json!({"asDouble": 0.5}))]}},
                {"name": "c", "histogram": {"aggregationTemporality": 2, "dataPoints": [point(json!({
                    "count": "4", "sum": 2.5, "bucketCounts": ["1", "2", "1"], "explicitBounds": [0.1, 1.0],
                }))]}},
            ])
        );
    }
}
