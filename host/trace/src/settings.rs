//! What the environment says, in the names of the OpenTelemetry specification.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::{Resource, Sampler, sampler};

/// Why the environment cannot be followed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{name}: {problem}")]
pub struct WrongVariable {
    name: &'static str,
    problem: String,
}

/// Where something is exported to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Address of traces.
    pub traces: Option<String>,
    /// Address of metrics.
    pub metrics: Option<String>,
}

/// What is exported, where to, and how.
#[derive(Clone)]
pub struct OtelSettings {
    /// The addresses; none exports nothing.
    pub to: Exported,
    /// Headers of every request; they are secrets.
    pub headers: Vec<(String, String)>,
    /// Time for one export.
    pub timeout: Duration,
    /// File of authorities.
    pub certificate: Option<String>,
    /// Whose it is.
    pub resource: Resource,
    /// Which traces are recorded.
    pub sampler: Sampler,
    /// Longest time that a span waits.
    pub delay: Duration,
    /// Spans that may wait.
    pub queue: usize,
    /// Time between exports of metrics.
    pub interval: Duration,
}

impl fmt::Debug for OtelSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers are secrets.
        f.debug_struct("OtelSettings").field("to", &self.to).field("sampler", &self.sampler).finish_non_exhaustive()
    }
}

impl OtelSettings {
    /// Reads the variables; nothing if nothing is exported.
    ///
    /// # Errors
    /// [`WrongVariable`]: what cannot be followed is not passed over.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, WrongVariable> {
        let read = Read(&lookup);
        let to = read.addresses()?;
        if to == Exported::default() {
            return Ok(None);
        }
        if let Some(protocol) = read.set("OTEL_EXPORTER_OTLP_PROTOCOL").filter(|protocol| protocol != "http/json") {
            return Err(wrong(
                "OTEL_EXPORTER_OTLP_PROTOCOL",
                format!("`{protocol}` is not supported; it has to be http/json"),
            ));
        }
        let argument = read.set("OTEL_TRACES_SAMPLER_ARG");
        let sampler = read.set("OTEL_TRACES_SAMPLER").unwrap_or_else(|| sampler::DEFAULT.to_owned());
        Ok(Some(Self {
            to,
            headers: read.pairs("OTEL_EXPORTER_OTLP_HEADERS")?,
            timeout: read.milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000)?,
            certificate: read.set("OTEL_EXPORTER_OTLP_CERTIFICATE"),
            resource: read.resource()?,
            sampler: Sampler::named(&sampler, argument.as_deref())
                .map_err(|problem| wrong("OTEL_TRACES_SAMPLER", problem))?,
            delay: read.milliseconds("OTEL_BSP_SCHEDULE_DELAY", 5_000)?,
            queue: usize::try_from(read.whole("OTEL_BSP_MAX_QUEUE_SIZE", 2_048, 1_000_000)?).unwrap_or(2_048),
            interval: read.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 60_000)?,
        }))
    }
}

const fn wrong(name: &'static str, problem: String) -> WrongVariable {
    WrongVariable { name, problem }
}

struct Read<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Read<'_> {
    /// A variable that is set but empty is not set.
    fn set(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn addresses(&self) -> Result<Exported, WrongVariable> {
        match self.set("OTEL_SDK_DISABLED").as_deref() {
            None | Some("false") => {}
            Some("true") => return Ok(Exported::default()),
            Some(_) => return Err(wrong("OTEL_SDK_DISABLED", "must be true or false".to_owned())),
        }
        let base = self.set("OTEL_EXPORTER_OTLP_ENDPOINT");
        let address = |own: &str, exporter: &'static str, path: &str| match self.set(exporter).as_deref() {
            Some("none") => Ok(None),
            None | Some("otlp") => {
                let below = || base.as_ref().map(|base| format!("{}{path}", base.trim_end_matches('/')));
                Ok(self.set(own).or_else(below))
            }
            Some(other) => Err(wrong(exporter, format!("`{other}` is not supported; it has to be otlp or none"))),
        };
        Ok(Exported {
            traces: address("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER", "/v1/traces")?,
            metrics: address("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_METRICS_EXPORTER", "/v1/metrics")?,
        })
    }

    /// The name of the service wins over what the attributes say of it.
    fn resource(&self) -> Result<Resource, WrongVariable> {
        let mut attributes = self.pairs("OTEL_RESOURCE_ATTRIBUTES")?;
        let named = self.set("OTEL_SERVICE_NAME");
        let known = attributes.iter().position(|(name, _)| name == "service.name").map(|at| attributes.remove(at).1);
        let name = named.or(known).unwrap_or_else(|| "cavra".to_owned());
        attributes.insert(0, ("service.name".to_owned(), name));
        Ok(Resource::new(attributes))
    }

    /// `name=value`, separated by commas; what would end them is written as `%2C`.
    fn pairs(&self, name: &'static str) -> Result<Vec<(String, String)>, WrongVariable> {
        let text = self.set(name).unwrap_or_default();
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=')?;
            let (key, value) = (decoded(key.trim())?, decoded(value.trim())?);
            (!key.is_empty()).then_some((key, value))
        };
        // What is wrong is not shown: it may be a secret.
        pairs
            .map(|text| pair(text).ok_or_else(|| wrong(name, "must be name=value, separated by commas".to_owned())))
            .collect()
    }

    fn whole(&self, name: &'static str, default: u64, most: u64) -> Result<u64, WrongVariable> {
        let Some(text) = self.set(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| (1..=most).contains(number));
        number.ok_or_else(|| wrong(name, format!("must be a whole number from 1 to {most}")))
    }

    fn milliseconds(&self, name: &'static str, default: u64) -> Result<Duration, WrongVariable> {
        self.whole(name, default, 3_600_000).map(Duration::from_millis)
    }
}

/// A text without `%` and two digits in the place of a byte.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<OtelSettings>, WrongVariable> {
        OtelSettings::read(|name| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned()))
    }

    const BASE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318/");

    #[test]
    fn nothing_is_exported_unless_somebody_says_where_to() {
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[BASE, ("OTEL_SDK_DISABLED", "true")]).unwrap().is_none());
        assert!(read(&[BASE, ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none")]).unwrap().is_none());
        let settings = read(&[BASE, ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://127.0.0.1/m")]).unwrap().unwrap();
        assert_eq!(settings.to.traces.as_deref(), Some("http://127.0.0.1:4318/v1/traces"));
        assert_eq!(settings.to.metrics.as_deref(), Some("http://127.0.0.1/m"), "as it is");
        assert_eq!(settings.resource, Resource::new(vec![("service.name".to_owned(), "cavra".to_owned())]));
    }

    #[test]
    fn headers_and_attributes_are_pairs() {
        let settings = read(&[
            BASE,
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%2Cb=, x = y"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment.environment=prod"),
            ("OTEL_SERVICE_NAME", "guard"),
        ]);
        let settings = settings.unwrap().unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(settings.headers, [pair("api-key", "a,b="), pair("x", "y")]);
        let attributes = vec![pair("service.name", "guard"), pair("deployment.environment", "prod")];
        assert_eq!(settings.resource, Resource::new(attributes));
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for (name, value) in [
            ("OTEL_SDK_DISABLED", "perhaps"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "hush"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=%hush"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "-1"),
        ] {
            let error = read(&[BASE, (name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(name) && !error.contains("hush"), "{error}");
        }
    }
}
