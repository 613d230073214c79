//! What a connector may send: a request it describes is taken to the operator's endpoint with the operator's credentials, or
//! it is refused. A connector is not trusted; everything that it says is checked here, and nowhere else.

use std::collections::{BTreeMap, BTreeSet};

use cavra_plugins::connector::{Header, Request};
use thiserror::Error;
use url::Url;

use crate::Secret;
use crate::address::Grant;
use crate::given::Given;
use crate::message::{self, SigningKey};
use crate::oauth::ClientCredentials;
use crate::target::{CREDENTIALS, OF_THE_CONNECTION, Target, is_header_name, is_header_value};

/// Methods that a connector may choose.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Largest body.
const MOST_BODY: usize = 16 * 1024 * 1024;

/// Headers that say on whose behalf or over which way a request comes, and others that let somebody in.
const OF_THE_HOST: [&str; 6] =
    ["cookie", "forwarded", "x-real-ip", "x-original-url", "x-http-method-override", "keep-alive"];

/// Parts of names of headers that let somebody in.
const SECRET_PARTS: [&str; 6] = ["authorization", "token", "secret", "password", "api-key", "signature"];

/// Why a request of a connector is not sent. For the log: it names nothing that the connector has chosen.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum Breach {
    #[error("it names an endpoint that it has not declared")]
    Endpoint,
    #[error("it names a credential that it has not declared, or two that say the same")]
    Credential,
    #[error("its method is none that it may use")]
    Method,
    #[error("its path leaves its endpoint, or is none")]
    Path,
    #[error("it sets a header that it may not set, or twice, or that cannot be sent")]
    Header,
    #[error("it wants a signature and names no webhook-id or webhook-timestamp")]
    Signature,
    #[error("it sends more than it may")]
    Size,
}

/// A request that may be sent.
pub(crate) struct Permitted<'a> {
    pub method: String,
    pub url: Url,
    /// What the operator allows of its host.
    pub grant: &'a Grant,
    /// All headers but those of an access token.
    pub headers: BTreeMap<String, Secret>,
    /// What an access token is fetched with.
    pub client: Option<&'a ClientCredentials>,
}

/// Takes a request to its target.
pub(crate) fn permit<'a>(target: &'a Target, request: &Request) -> Result<Permitted<'a>, Breach> {
    let place = target.places.iter().find(|place| place.name == request.endpoint).ok_or(Breach::Endpoint)?;
    let declared = &target.plug.description().credentials;
    if !request.credentials.iter().all(|name| declared.iter().any(|credential| credential.name == *name)) {
        return Err(Breach::Credential);
    }
    if request.body.len() > MOST_BODY {
        return Err(Breach::Size);
    }
    let applied: Vec<&Given> = target.given.iter().filter(|given| request.credentials.contains(&given.name)).collect();
    let mut headers = headers(target, &request.headers, &applied)?;
    let mut keys = applied.iter().map(|given| given.signing_keys.as_slice()).filter(|keys| !keys.is_empty());
    if let Some(keys) = keys.next() {
        sign(&mut headers, keys, &request.body).ok_or(Breach::Signature)?;
    }
    let mut clients = applied.iter().filter_map(|given| given.client.as_ref());
    let client = clients.next();
    // Only one can sign, and only one can say who is asking.
    if keys.next().is_some() || clients.next().is_some() {
        return Err(Breach::Credential);
    }
    Ok(Permitted {
        method: method(target, &request.method)?,
        url: within(&place.url, &request.path).ok_or(Breach::Path)?,
        grant: &place.grant,
        headers,
        client,
    })
}

/// The operator's method, else the connector's.
fn method(target: &Target, chosen: &str) -> Result<String, Breach> {
    if !METHODS.contains(&chosen) {
        return Err(Breach::Method);
    }
    Ok(target.method.clone().unwrap_or_else(|| chosen.to_owned()))
}

/// The connector's headers, the operator's, which win, and those that let a message in. What a body is, only the connector
/// knows.
fn headers(target: &Target, own: &[Header], applied: &[&Given]) -> Result<BTreeMap<String, Secret>, Breach> {
    let mut headers = BTreeMap::new();
    let mut names = BTreeSet::new();
    for Header { name, value } in own {
        let name = name.to_ascii_lowercase();
        let lets_in = CREDENTIALS.contains(&name.as_str())
            || target.key_headers().contains(&name.as_str())
            || SECRET_PARTS.iter().any(|part| name.contains(part));
        let is_of_the_host = OF_THE_CONNECTION.contains(&name.as_str())
            || OF_THE_HOST.contains(&name.as_str())
            || name.starts_with("proxy-")
            || name.starts_with("x-forwarded-");
        let sendable = is_header_name(&name) && is_header_value(value);
        if lets_in || is_of_the_host || !sendable || !names.insert(name.clone()) {
            return Err(Breach::Header);
        }
        headers.insert(name, Secret::new(value.as_str()));
    }
    let content_type = headers.remove("content-type");
    headers.extend(target.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    let mut given = BTreeSet::new();
    for (name, value) in applied.iter().flat_map(|given| &given.headers) {
        if !given.insert(name) {
            return Err(Breach::Credential);
        }
        headers.insert(name.clone(), value.clone());
    }
    headers.extend(content_type.map(|value| ("content-type".to_owned(), value)));
    Ok(headers)
}

/// Signs a message; `None` for one that cannot be signed.
fn sign(headers: &mut BTreeMap<String, Secret>, keys: &[SigningKey], body: &[u8]) -> Option<()> {
    let of = |name: &str| headers.get(name).map(|value| value.expose().to_owned());
    let (id, time) = (of("webhook-id")?, of("webhook-timestamp")?);
    let signature = message::signature(keys, &id, &time, body)?;
    headers.insert("webhook-signature".to_owned(), Secret::new(signature));
    Some(())
}

/// The address of a path below an endpoint; `None` for what could lead elsewhere, whoever reads it.
fn within(endpoint: &Url, path: &str) -> Option<Url> {
    if path.is_empty() {
        return Some(endpoint.clone());
    }
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let mut url = endpoint.clone();
    if !path.is_empty() {
        let path = path.strip_prefix('/').unwrap_or(path);
        if !path.split('/').all(is_segment) {
            return None;
        }
        let base = endpoint.path().trim_end_matches('/');
        let whole = format!("{base}/{path}");
        url.set_path(&whole);
        // The parser would have changed what has another meaning than it seems.
        if url.path() != whole {
            return None;
        }
    }
    if let Some(query) = query {
        if !query.chars().all(|c| is_of_segments(c) || matches!(c, '/' | '?')) || !are_escapes_whole(query) {
            return None;
        }
        let whole = endpoint.query().map_or_else(|| query.to_owned(), |own| format!("{own}&{query}"));
        url.set_query(Some(&whole));
    }
    (url.origin() == endpoint.origin()).then_some(url)
}

/// Characters of RFC 3986, section 3.3.
fn is_of_segments(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~%!$&'()*+,;=:@".contains(c)
}

/// A part of a path that is a name and nothing else, also once it is decoded.
fn is_segment(text: &str) -> bool {
    if text.is_empty() || !text.chars().all(is_of_segments) || !are_escapes_whole(text) {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    // Some servers leave parameters out before they look for dots.
    let decoded = lower.replace("%2e", ".").replace("%3b", ";");
    let name = decoded.split(';').next().unwrap_or_default();
    // A slash, a backslash, control characters, an escape of an escape, and an ASCII character in two bytes.
    let hides = ["%2f", "%5c", "%0", "%1", "%7f", "%25", "%c0", "%c1"].iter().any(|escape| lower.contains(escape));
    !hides && !matches!(name, "" | "." | "..")
}

fn are_escapes_whole(text: &str) -> bool {
    let digits = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    text.split('%').skip(1).all(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_stays_below_its_endpoint() {
        let within = |endpoint: &str, path: &str| {
            within(&endpoint.parse().unwrap(), path).map(|url| url.to_string()).unwrap_or_default()
        };
        for (endpoint, path, whole) in [
            ("https://a.example/api?v=1", "", "https://a.example/api?v=1"),
            ("https://a.example/api", "issues/SEC-1", "https://a.example/api/issues/SEC-1"),
            ("https://a.example/api/", "/issues", "https://a.example/api/issues"),
            ("https://a.example", "x", "https://a.example/x"),
            ("https://a.example/api", "?q=a%20b", "https://a.example/api?q=a%20b"),
            ("https://a.example/api?k=v", "x?q=/", "https://a.example/api/x?k=v&q=/"),
            ("https://a.example/api", "a%20b", "https://a.example/api/a%20b"),
            ("https://a.example/api", "user@host:80", "https://a.example/api/user@host:80"),
        ] {
            assert_eq!(within(endpoint, path), whole, "{endpoint} {path}");
        }
        for path in [
            "..",
            "../x",
            "x/..",
            "x/../y",
            ".",
            "x/./y",
            "%2e%2e/x",
            ".%2E/x",
            "x/%2e",
            "//evil.example/x",
            "x//y",
            "x/",
            "https://evil.example",
            "http:/evil",
            "\\\\evil.example",
            "x\\..\\y",
            "..;/x",
            "..;a=b/x",
            "%2e.%3bx/y",
            "x/.;",
            ";/x",
            "%c0%ae%c0%ae/x",
            "%2f..",
            "x%2F..%2fy",
            "%5c",
            "%252e%252e",
            "a b",
            "a\r\nb",
            "a\0b",
            "%00",
            "%0d%0a",
            "#x",
            "x#y",
            "é",
            "%",
            "%2",
            "%zz",
            "?a b",
            "?\r\n",
            "?%",
            "?#",
        ] {
            let found = within("https://a.example/api", path);
            let stays = path == "http:/evil" || found.is_empty();
            assert!(stays, "{path:?} leads to {found}");
        }
        assert_eq!(within("https://a.example/api", "http:/evil"), "https://a.example/api/http:/evil");
    }

    proptest! {
        /// Whatever a connector asks for, it is asked of its endpoint.
        #[test]
        fn no_path_leaves_its_endpoint(path in "[a-z./\\\\%25eE2fF?#@:&;= -]{0,24}") {
            let endpoint: Url = "https://a.example:8443/base/api".parse().unwrap();
            if let Some(url) = within(&endpoint, &path) {
                prop_assert_eq!(url.origin(), endpoint.origin());
                prop_assert!(url.username().is_empty() && url.fragment().is_none());
                let rest = url.path().strip_prefix("/base/api");
                prop_assert!(rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')), "{}", url);
                let decoded = url.path().to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/");
                prop_assert!(!decoded.split('/').any(|part| part.split(';').next() == Some("..")), "{}", url);
            }
        }
    }
}
