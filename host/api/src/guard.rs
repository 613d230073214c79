//! Defence against web pages of others. One may reach a loopback server through a name of its own (DNS rebinding): while
//! listening on loopback only requests that name loopback are served. And any page may send a plain POST without asking
//! (cross-site request forgery): what changes something is taken from a page only if its origin may call.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// Which `Host` values are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostGuard {
    /// Only names of the loopback interface.
    LoopbackOnly,
    /// Any: the operator listens on another address on purpose.
    Any,
}

impl HostGuard {
    /// The guard that fits a listening address.
    #[must_use]
    pub fn for_address(address: IpAddr) -> Self {
        if address.is_loopback() { Self::LoopbackOnly } else { Self::Any }
    }

    fn admits(self, host: &str) -> bool {
        self == Self::Any || names_loopback(host)
    }
}

fn names_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What a page of another site is told by browsers to say of itself. Fetch Metadata, section 2.1.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Headers that decide something: of two, somebody in front of this server may have believed the other one.
static ONCE: [HeaderName; 9] = [
    header::HOST,
    header::ORIGIN,
    FETCH_SITE,
    header::AUTHORIZATION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::RANGE,
    header::IF_RANGE,
    header::EXPECT,
];

/// Whose requests are served.
#[derive(Clone)]
pub struct Guard {
    hosts: HostGuard,
    /// Origins of pages that may call besides the server's own; `*` is any.
    origins: Arc<[String]>,
}

impl Guard {
    /// A guard for `hosts`; `public` is the address under which browsers reach the server, if it is another.
    pub fn new(hosts: HostGuard, origins: &[String], public: &str) -> Self {
        let public = public.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        Self { hosts, origins: origins.iter().cloned().chain([public]).collect() }
    }

    /// Why a request is refused, if it is.
    fn refusal(&self, method: &Method, headers: &HeaderMap) -> Option<(StatusCode, String)> {
        // A request without a host (HTTP/1.0) comes from no browser.
        let twice = ONCE.iter().find(|name| headers.get_all(*name).iter().nth(1).is_some());
        if let Some(name) = twice {
            return Some((StatusCode::BAD_REQUEST, format!("the header {name} stands there twice")));
        }
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let host = text(&header::HOST);
        if host.is_some_and(|host| !self.hosts.admits(host)) {
            return Some((StatusCode::FORBIDDEN, "this server only answers requests for localhost".to_owned()));
        }
        let harmless = [Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
        let admitted = match (text(&header::ORIGIN), text(&FETCH_SITE)) {
            (Some(origin), _) => self.admits_origin(origin, host),
            (None, Some(site)) => matches!(site, "same-origin" | "none"),
            // No page: the command line, a hook, another server.
            (None, None) => true,
        };
        let foreign = || (StatusCode::FORBIDDEN, "this server takes no changes from pages of other origins".to_owned());
        (!harmless && !admitted).then(foreign)
    }

    fn admits_origin(&self, origin: &str, host: Option<&str>) -> bool {
        let own = ["http://", "https://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
        own.is_some() && own == host
            || self.origins.iter().any(|allowed| allowed == "*" || (allowed == origin && !origin.is_empty()))
    }
}

/// Refuses what the guard does not admit.
pub async fn check_caller(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.refusal(request.method(), request.headers()) {
        Some((status, reason)) => Problem::new(status, reason).into_response(),
        None => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_pass() {
        for good in ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "127.1.2.3", "[::1]:8000"] {
            assert!(HostGuard::LoopbackOnly.admits(good), "{good}");
        }
        for bad in ["evil.example", "localhost.evil.example", "10.0.0.1:8000", "[2001:db8::1]:80", ""] {
            assert!(!HostGuard::LoopbackOnly.admits(bad), "{bad}");
        }
        assert!(HostGuard::Any.admits("cavra.example"));
    }

    #[test]
    fn what_decides_stands_there_once() {
        let guard = Guard::new(HostGuard::Any, &[], "");
        for name in &ONCE {
            let mut headers = HeaderMap::new();
            headers.append(name, "a".parse().unwrap());
            assert_eq!(guard.refusal(&Method::GET, &headers), None, "{name}");
            headers.append(name, "a".parse().unwrap());
            let (status, reason) = guard.refusal(&Method::GET, &headers).unwrap();
            assert!(status == StatusCode::BAD_REQUEST && reason.contains(name.as_str()), "{reason}");
        }
        let mut headers = HeaderMap::new();
        for value in ["a", "b"] {
            headers.append(header::ACCEPT, value.parse().unwrap());
        }
        assert_eq!(guard.refusal(&Method::GET, &headers), None, "lists may be split");
    }

    #[test]
    fn pages_of_others_change_nothing() {
        let guard = |origins: &[&str]| {
            let origins: Vec<_> = origins.iter().map(ToString::to_string).collect();
            Guard::new(HostGuard::LoopbackOnly, &origins, "https://cavra.example/base/")
        };
        let (none, listed, any) = (guard(&[]), guard(&["https://a.example"]), guard(&["*"]));
        let own = "http://localhost:8000";
        for (guard, origin, site, taken) in [
            (&none, None, None, true),
            (&none, None, Some("same-origin"), true),
            (&none, None, Some("none"), true),
            (&none, None, Some("cross-site"), false),
            (&none, None, Some("same-site"), false),
            (&none, Some(own), Some("same-origin"), true),
            (&none, Some("https://localhost:8000"), None, true),
            (&none, Some("http://localhost:3000"), Some("same-site"), false),
            (&none, Some("http://localhost"), None, false),
            (&none, Some("null"), None, false),
            (&none, Some(""), None, false),
            (&none, Some("https://cavra.example"), Some("cross-site"), true),
            (&none, Some("localhost:8000"), None, false),
            (&none, Some("https://a.example"), Some("cross-site"), false),
            (&listed, Some("https://a.example"), Some("cross-site"), true),
            (&listed, Some("http://a.example"), None, false),
            (&listed, Some("https://a.example.evil"), None, false),
            (&listed, Some(own), None, true),
            (&any, Some("https://b.example"), Some("cross-site"), true),
        ] {
            let mut headers = HeaderMap::from_iter([(header::HOST, "localhost:8000".parse().unwrap())]);
            for (name, value) in [(header::ORIGIN, origin), (FETCH_SITE, site)] {
                headers.extend(value.map(|value| (name, value.parse().unwrap())));
            }
            assert_eq!(guard.refusal(&Method::POST, &headers).is_none(), taken, "{origin:?} {site:?}");
            assert_eq!(guard.refusal(&Method::GET, &headers), None, "reading is what CORS is for");
        }
    }
}
