//! The way out for telemetry: documents to the collector that the operator named, under the same rules for addresses as events.

use std::path::Path;
use std::time::Duration;

use cavra_fetch::{Authorities, Outgoing, SendError, Sender, is_private};
use serde_json::Value;
use thiserror::Error;
use url::Url;

use crate::address::Grant;
use crate::config::bounded;
use crate::network::Network;
use crate::secret::Secret;
use crate::send::{Attempt, wait};
use crate::target::LARGEST_BUNDLE;

/// Most of an answer that is read, in bytes.
const ANSWER_LIMIT: usize = 4096;

/// Why a collector cannot be used as it is named. Nothing of a secret is in it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct CollectorError(&'static str);

/// How a collector is spoken to.
#[derive(Clone)]
pub struct Terms<'a> {
    /// Headers of every request.
    pub headers: &'a [(String, String)],
    /// File of authorities that may vouch for it, besides those that the system trusts.
    pub certificate: Option<&'a Path>,
    /// Time for one document.
    pub timeout: Duration,
    /// Its name may lead into a network of one's own, and it may be spoken to without encryption there.
    pub private: bool,
    /// What the operator says about ways.
    pub network: &'a Network,
}

/// Takes documents.
pub struct Collector {
    url: Url,
    grant: Grant,
    headers: Vec<(String, Secret)>,
    authorities: Option<Authorities>,
    timeout: Duration,
    network: Network,
    sender: Sender,
}

/// What became of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It arrived.
    Yes,
    /// It may arrive later; the collector may say when.
    Later(Option<Duration>),
    /// It never will.
    No(&'static str),
}

impl Collector {
    /// The one at that address.
    ///
    /// # Errors
    /// [`CollectorError`].
    pub fn new(address: &str, terms: &Terms<'_>) -> Result<Self, CollectorError> {
        let url: Url = address.parse().map_err(|_| CollectorError("it is no address"))?;
        let host = url.host().ok_or(CollectorError("it is no address of a host"))?.to_owned();
        let is_http = matches!(url.scheme(), "http" | "https");
        if !is_http || !url.username().is_empty() || url.password().is_some() {
            return Err(CollectorError("it must begin with https:// or http:// and hold no credentials"));
        }
        if !(is_private(&url) || terms.private && url.scheme() == "http") {
            return Err(CollectorError(
                "it must begin with https://, unless it is on this machine or CAVRA_OTLP_PRIVATE says that it is in a network \
                 of your own",
            ));
        }
        let authorities = match terms.certificate.or(terms.network.authorities.as_deref()) {
            Some(file) => {
                let text =
                    bounded(file, LARGEST_BUNDLE).map_err(|_| CollectorError("its certificates cannot be read"))?;
                Some(Authorities::of_pem(&text).map_err(|_| CollectorError("its file holds no certificates"))?)
            }
            None => None,
        };
        let headers = terms.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), Secret::new(value.clone())));
        Ok(Self {
            grant: Grant { host, private: terms.private },
            headers: headers.collect(),
            authorities,
            timeout: terms.timeout,
            network: terms.network.clone(),
            sender: Sender::new(),
            url,
        })
    }

    /// Hands over a document.
    pub async fn take(&self, document: &Value) -> Taken {
        match tokio::time::timeout(self.timeout, self.exchange(document.to_string().into_bytes())).await {
            Ok(taken) => taken,
            Err(_) => Taken::Later(None),
        }
    }

    async fn exchange(&self, body: Vec<u8>) -> Taken {
        let route = match self.network.route(&self.url, &self.grant).await {
            Ok(route) => route,
            Err(Attempt::NotPermitted) => {
                return Taken::No("its name leads to where nothing may be sent (CAVRA_OTLP_PRIVATE)");
            }
            Err(_) => return Taken::Later(None),
        };
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
        let json = ("content-type".to_owned(), "application/json".to_owned());
        let outgoing = Outgoing {
            method: "POST".to_owned(),
            url: self.url.clone(),
            headers: headers.chain([json]).collect(),
            body,
            authorities: self.authorities.clone(),
        };
        match self.sender.send(outgoing, &route, ANSWER_LIMIT).await {
            // What is worth another attempt: <https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes>.
            Ok(answer) => match answer.status {
                200..=299 => Taken::Yes,
                429 | 502 | 503 | 504 => Taken::Later(wait(&answer)),
                _ => Taken::No("it refuses what it is sent"),
            },
            Err(SendError::NoRequest) => Taken::No("a header cannot be sent"),
            Err(_) => Taken::Later(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collectors_are_where_nobody_else_reads_along() {
        let network = Network::default();
        let new = |address: &str, private| {
            let timeout = Duration::from_secs(1);
            let terms = Terms { headers: &[], certificate: None, timeout, private, network: &network };
            Collector::new(address, &terms).map(drop)
        };
        for (address, alone, granted) in [
            ("https://otel.example/v1/traces", true, true),
            ("http://127.0.0.1:4318/v1/traces", true, true),
            ("http://localhost:4318/v1/traces", true, true),
            ("http://otel:4318/v1/traces", false, true),
            ("https://user:hush@otel.example/", false, false),
            ("ftp://otel.example/", false, false),
            ("otel:4318", false, false),
            ("unix:/run/otel", false, false),
        ] {
            assert_eq!((new(address, false).is_ok(), new(address, true).is_ok()), (alone, granted), "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_into_the_network_is_not_followed() {
        let (timeout, network) = (Duration::from_secs(5), Network::default());
        let terms = Terms { headers: &[], certificate: None, timeout, private: false, network: &network };
        let collector = Collector::new("https://169.254.169.254/v1/traces", &terms).unwrap();
        assert!(matches!(collector.take(&serde_json::json!({})).await, Taken::No(_)));
    }
}
