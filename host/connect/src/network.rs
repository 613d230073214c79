//! The way to a host: straight to an address that was looked at, or through the operator's proxy where he says that the host
//! is behind it.

use std::net::SocketAddr;
use std::path::PathBuf;

use cavra_fetch::{Proxy, Route};
use thiserror::Error;
use url::{Host, Url};

use crate::address::Grant;
use crate::send::Attempt;

/// What the operator says about ways, once for all systems.
#[derive(Clone, Debug, Default)]
pub struct Network {
    proxy: Option<Proxy>,
    behind: Vec<Behind>,
    /// Certificates of authorities that may vouch for every host, besides those that the system trusts.
    pub(crate) authorities: Option<PathBuf>,
}

/// Why a way cannot be taken. The sentences repeat no value.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkError {
    /// The proxy has no address.
    #[error("CAVRA_CONNECT_PROXY must be an address such as http://proxy.example:3128")]
    Proxy,
    /// Nobody is behind it.
    #[error("CAVRA_CONNECT_PROXY needs CAVRA_CONNECT_PROXY_HOSTS: the hosts that are reached through it")]
    NoHosts,
    /// There is none that they could be behind.
    #[error("CAVRA_CONNECT_PROXY_HOSTS needs CAVRA_CONNECT_PROXY")]
    NoProxy,
    /// They are no hosts.
    #[error("CAVRA_CONNECT_PROXY_HOSTS must be names with commas between them, such as hooks.slack.com,*.example.com")]
    Hosts,
}

/// Hosts behind the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Behind {
    /// This one.
    Host(String),
    /// All below this name.
    Below(String),
}

impl Behind {
    fn parse(text: &str) -> Option<Self> {
        let (name, below) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        // A whole top-level domain is everybody.
        match Host::parse(name).ok()? {
            Host::Domain(name) if below && name.contains('.') => Some(Self::Below(name)),
            Host::Domain(name) if !below && !name.contains('*') => Some(Self::Host(name)),
            _ => None,
        }
    }

    fn has(&self, host: &str) -> bool {
        match self {
            Self::Host(name) => host == name,
            Self::Below(name) => host.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.')),
        }
    }
}

impl Network {
    /// The operator's: the proxy, the hosts that are reached through it, and a file of authorities.
    ///
    /// # Errors
    /// [`NetworkError`].
    pub fn new(proxy: Option<&str>, hosts: Option<&str>, authorities: Option<PathBuf>) -> Result<Self, NetworkError> {
        let proxy = proxy.map(|address| Proxy::at(address).ok_or(NetworkError::Proxy)).transpose()?;
        let names = hosts.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
        let behind: Vec<_> =
            names.map(|name| Behind::parse(name).ok_or(NetworkError::Hosts)).collect::<Result<_, _>>()?;
        match (&proxy, behind.is_empty()) {
            (Some(_), true) => Err(NetworkError::NoHosts),
            (None, false) => Err(NetworkError::NoProxy),
            _ => Ok(Self { proxy, behind, authorities }),
        }
    }

    /// The way to a host, if the operator's grant covers all that its name leads to: one address that is not covered says that
    /// the name cannot be trusted. A name that leads nowhere here may lead somewhere behind the proxy.
    pub(crate) async fn route(&self, url: &Url, grant: &Grant) -> Result<Route, Attempt> {
        let through = self.proxy.as_ref().filter(|_| self.is_behind(url));
        // What is not encrypted would be the proxy's to read.
        if through.is_some() && url.scheme() != "https" {
            return Err(Attempt::NotPermitted);
        }
        let found = addresses(url).await;
        let known = found.as_deref().unwrap_or_default();
        if !known.iter().all(|address| grant.permits(address.ip())) {
            return Err(Attempt::NotPermitted);
        }
        match (through, found) {
            (Some(proxy), _) => Ok(Route::Through(proxy.clone())),
            (None, Some(addresses)) if !addresses.is_empty() => Ok(Route::Direct(addresses)),
            _ => Err(Attempt::Unreachable),
        }
    }

    /// Only names are behind a proxy: an address is where it is.
    fn is_behind(&self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Domain(name)) => self.behind.iter().any(|behind| behind.has(name)),
            _ => false,
        }
    }
}

/// The addresses of a host; `None` where its name leads nowhere.
async fn addresses(url: &Url) -> Option<Vec<SocketAddr>> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    Some(tokio::net::lookup_host((host, port)).await.ok()?.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(hosts: &str) -> Network {
        Network::new(Some("http://user:hush@proxy.example:3128"), Some(hosts), None).unwrap()
    }

    #[test]
    fn hosts_are_behind_the_proxy_by_name() {
        let network = network("hooks.slack.com, *.Example.com");
        for (url, is_behind) in [
            ("https://hooks.slack.com/services", true),
            ("https://HOOKS.slack.com/", true),
            ("https://slack.com/", false),
            ("https://x.hooks.slack.com/", false),
            ("https://a.example.com:8443/", true),
            ("https://a.b.example.com/", true),
            ("https://example.com/", false),
            ("https://badexample.com/", false),
            ("https://example.com.evil.example/", false),
            ("https://127.0.0.1/", false),
            ("https://[::1]/", false),
        ] {
            assert_eq!(network.is_behind(&url.parse().unwrap()), is_behind, "{url}");
        }
        assert!(!format!("{network:?}").contains("hush"));
    }

    #[test]
    fn settings_that_would_mean_something_else_are_refused() {
        let refused = |proxy: Option<&str>, hosts: Option<&str>| Network::new(proxy, hosts, None).unwrap_err();
        let proxy = Some("http://proxy.example:3128");
        assert_eq!(refused(Some("hush"), Some("a.example")), NetworkError::Proxy);
        assert_eq!(refused(proxy, None), NetworkError::NoHosts);
        assert_eq!(refused(proxy, Some(" , ")), NetworkError::NoHosts);
        assert_eq!(refused(None, Some("a.example")), NetworkError::NoProxy);
        for hosts in ["*", "*.com", "a b", "127.0.0.1", "*.10.0.0.1", "a.*.example", "https://a.example"] {
            assert_eq!(refused(proxy, Some(hosts)), NetworkError::Hosts, "{hosts}");
        }
    }

    #[tokio::test]
    async fn a_proxy_opens_nothing_that_is_closed() {
        let grant = |url: &Url, private| Grant { host: url.host().unwrap().to_owned(), private };
        let network = network("localhost,behind.invalid");
        let route = async |url: &str, private| {
            let url: Url = url.parse().unwrap();
            network.route(&url, &grant(&url, private)).await
        };
        let through = Ok(Route::Through(Proxy::at("http://user:hush@proxy.example:3128").unwrap()));
        assert_eq!(route("https://behind.invalid/", false).await, through, "whose name leads nowhere here");
        assert_eq!(route("http://behind.invalid/", false).await, Err(Attempt::NotPermitted), "the proxy would read it");
        assert_eq!(route("https://elsewhere.invalid/", false).await, Err(Attempt::Unreachable));
        assert_eq!(route("https://localhost/", false).await, through);
        assert_eq!(route("https://169.254.169.254/", true).await, Err(Attempt::NotPermitted));
        let direct = Network::default();
        let url: Url = "https://127.0.0.1:1/".parse().unwrap();
        assert!(matches!(direct.route(&url, &grant(&url, false)).await, Ok(Route::Direct(_))));
    }
}
