//! Where an event goes and what lets us in: the settings of one provider, resolved at the moment of sending.

use std::collections::BTreeMap;
use std::path::Path;

use cavra_fetch::Authorities;
use cavra_plugins::Origin;
use serde_json::Value;
use url::Url;

use crate::address::Grant;
use crate::callback::{self, can_call_back};
use crate::config::{Environment, SettingError, Settings, bounded};
use crate::given::{ACCESS, Given, MORE_ACCESS, SIGNATURE, is_signature};
use crate::network::Network;
use crate::plug::Plug;
use crate::{Provider, Secret};

/// Headers that belong to the connection, and are not the operator's to set.
pub(crate) const OF_THE_CONNECTION: [&str; 8] =
    ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"];

/// Headers that let somebody in.
pub(crate) const CREDENTIALS: [&str; 3] = ["authorization", "x-api-key", "dd-api-key"];

/// Largest file of authorities, in bytes.
pub(crate) const LARGEST_BUNDLE: u64 = 1024 * 1024;

/// Where an endpoint is.
pub(crate) struct Place {
    /// The connector's name for it.
    pub name: String,
    pub url: Url,
    pub grant: Grant,
    /// The connector may know the path of the address.
    pub path_is_shown: bool,
}

/// A resolved provider.
pub(crate) struct Target {
    pub provider: Provider,
    pub plug: Plug,
    /// Where its endpoints are.
    pub places: Vec<Place>,
    /// The method that the operator wants.
    pub method: Option<String>,
    /// The operator's headers, by their names in lower case.
    pub headers: BTreeMap<String, Secret>,
    /// The credentials that he gave.
    pub given: Vec<Given>,
    /// Who may vouch for the hosts, besides the system's authorities.
    pub authorities: Option<Authorities>,
    /// Secrets of the settings that no credential holds, which are looked for in answers.
    pub secrets: Vec<Secret>,
    /// What the connector is told of the settings.
    pub settings: Vec<(String, String)>,
}

impl Target {
    /// # Errors
    /// A setting that is missing or cannot be used.
    pub fn resolve(
        provider: Provider,
        plug: Plug,
        entry: &Value,
        network: &Network,
        environment: Environment<'_>,
    ) -> Result<Self, SettingError> {
        let settings = Settings::of(provider, entry)?;
        let described = plug.description();
        settings.check(&described.settings)?;
        let places = places(&settings, &plug, environment)?;
        let method = settings.text("method")?.map(ToOwned::to_owned);
        if method.as_ref().is_some_and(|method| !method.bytes().all(|byte| byte.is_ascii_uppercase())) {
            return Err(settings.error("`method` is no method"));
        }
        let headers = own_headers(&settings)?;
        let authorities = authorities(&settings, network)?;
        let given = given(&settings, &plug, &headers, authorities.as_ref(), environment)?;
        let callback = settings.secret(callback::SECRET, environment)?.map(Secret::new);
        if !can_call_back(provider) && callback.is_some() {
            return Err(settings.error("nobody calls back from there, so `callback_secret` would have no effect"));
        }
        let settings = settings.described(&described.settings)?;
        let secrets = callback.into_iter().collect();
        Ok(Self { provider, plug, places, method, headers, given, authorities, secrets, settings })
    }

    /// The first endpoint: the address that the system is known by.
    pub fn first(&self) -> Option<&Place> {
        self.places.first()
    }

    /// The headers of operators' keys.
    pub fn key_headers(&self) -> Vec<&str> {
        self.given.iter().filter_map(|given| given.key_header.as_deref()).collect()
    }

    /// Another address of the same system, which is sent nothing that lets a message in at the operator's.
    pub fn without_access(self, url: Url, grant: Grant) -> Self {
        let name = self.first().map(|place| place.name.clone()).unwrap_or_default();
        let places = vec![Place { name, url, grant, path_is_shown: false }];
        Self { places, method: None, headers: BTreeMap::new(), given: Vec::new(), ..self }
    }
}

/// Where each endpoint is that the connector declares: in a section of its own, or, the first one, in the entry itself.
fn places(settings: &Settings<'_>, plug: &Plug, environment: Environment<'_>) -> Result<Vec<Place>, SettingError> {
    let endpoints = &plug.description().endpoints;
    let names: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    let mut places = Vec::new();
    for (number, endpoint) in endpoints.iter().enumerate() {
        let section = settings.section("endpoints", &endpoint.name, &names, &[&ENDPOINT])?;
        if let (0, Some(section)) = (number, &section) {
            settings.check_once(section, &[&ENDPOINT])?;
        }
        let own = section.as_ref().or((number == 0).then_some(settings));
        let missing = || settings.error(format!("`endpoints.{}` is missing", endpoint.name));
        let own = own.ok_or_else(missing)?;
        let url = url(own, environment)?;
        let Some(host) = url.host() else { return Err(own.error("its address names no host")) };
        let grant = Grant { host: host.to_owned(), private: own.flag("allow_private_network")? };
        let is_ours = plug.origin == Origin::FirstParty;
        let path_is_shown = endpoint.path_visible && (is_ours || own.flag("show_path")?);
        places.push(Place { name: endpoint.name.clone(), url, grant, path_is_shown });
    }
    Ok(places)
}

/// Settings of an endpoint.
const ENDPOINT: [&str; 5] = ["url", "url_env", "url_file", "allow_private_network", "show_path"];

/// What is given of each credential that the connector declares: in a section of its own; the first that lets messages in and
/// the first that signs them in the entry itself.
fn given(
    settings: &Settings<'_>,
    plug: &Plug,
    headers: &BTreeMap<String, Secret>,
    authorities: Option<&Authorities>,
    environment: Environment<'_>,
) -> Result<Vec<Given>, SettingError> {
    let credentials = &plug.description().credentials;
    let names: Vec<&str> = credentials.iter().map(|credential| credential.name.as_str()).collect();
    if credentials.is_empty() {
        // Whatever stands there would have no effect.
        settings.section("credentials", "", &names, &[])?;
    }
    let (mut all, mut lets_in, mut signs) = (Vec::new(), false, false);
    for credential in credentials {
        let seen = if is_signature(credential) { &mut signs } else { &mut lets_in };
        let is_first = !std::mem::replace(seen, true);
        let known: &[&[&str]] = if is_signature(credential) { &[&SIGNATURE] } else { &[&ACCESS, &MORE_ACCESS] };
        let section = settings.section("credentials", &credential.name, &names, known)?;
        if let (true, Some(section)) = (is_first, &section) {
            settings.check_once(section, known)?;
        }
        let Some(own) = section.as_ref().or(is_first.then_some(settings)) else {
            if credential.required {
                return Err(settings.error(format!("`credentials.{}` is missing", credential.name)));
            }
            continue;
        };
        let given = Given::resolve(credential, own, authorities, environment)?;
        // The operator's headers may let messages in as well.
        let by_header = is_first && CREDENTIALS.iter().any(|name| headers.contains_key(*name));
        if credential.required && given.is_none() && !by_header {
            return Err(own.error("it needs a token, an authorization or an API key"));
        }
        all.extend(given);
    }
    if !signs && settings.secret("signing_secret", environment)?.is_some() {
        return Err(settings.error("its component signs nothing, so `signing_secret` would have no effect"));
    }
    let access = ACCESS.iter().chain(&MORE_ACCESS).filter(|name| !lets_in && **name != "allow_private_network");
    for name in access {
        if settings.text(name)?.is_some() {
            let idle = format!("its component asks for nothing that lets it in, so `{name}` would have no effect");
            return Err(settings.error(idle));
        }
    }
    Ok(all)
}

fn url(settings: &Settings<'_>, environment: Environment<'_>) -> Result<Url, SettingError> {
    let text = settings.secret("url", environment)?.ok_or_else(|| settings.error("`url` is missing"))?;
    let url: Url = text.trim().parse().map_err(|_| settings.error("its address cannot be understood"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(settings.error("its address must begin with https:// or http://"));
    }
    Ok(url)
}

fn own_headers(settings: &Settings<'_>) -> Result<BTreeMap<String, Secret>, SettingError> {
    let mut headers = BTreeMap::new();
    for (name, value) in settings.object("headers")?.into_iter().flatten() {
        let name = name.to_ascii_lowercase();
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return Err(settings.error("a value of `headers` must be a text")),
        };
        check_header(settings, &name, &value)?;
        headers.insert(name, Secret::new(value));
    }
    Ok(headers)
}

/// Nothing in a header ends it or begins another one.
pub(crate) fn check_header(settings: &Settings<'_>, name: &str, value: &str) -> Result<(), SettingError> {
    if !is_header_name(name) || OF_THE_CONNECTION.contains(&name) {
        return Err(settings.error("a name in `headers` cannot be that of a header to be set"));
    }
    if !is_header_value(value) {
        return Err(settings.error(format!("the value of the header {name} cannot be sent")));
    }
    Ok(())
}

/// A token of RFC 9110, section 5.6.2.
pub(crate) fn is_header_name(name: &str) -> bool {
    let of_names = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(of_names)
}

/// Visible characters of ASCII, blanks and tabs.
pub(crate) fn is_header_value(value: &str) -> bool {
    value.chars().all(|c| c == '\t' || (!c.is_control() && c.is_ascii()))
}

/// The authorities of the system's file and of the one for all, read each time, so that what is renewed there is used.
fn authorities(settings: &Settings<'_>, network: &Network) -> Result<Option<Authorities>, SettingError> {
    let own = settings.text("ca_file")?.map(|path| (Path::new(path), "the file that `ca_file` names"));
    let of_all = network.authorities.as_deref().map(|path| (path, "the file that CAVRA_CONNECT_CA_FILE names"));
    let mut pem = Vec::new();
    for (path, what) in own.into_iter().chain(of_all) {
        let wrong = |why: &str| settings.error(format!("{what} {why}"));
        let text = bounded(path, LARGEST_BUNDLE).map_err(wrong)?;
        Authorities::of_pem(&text).map_err(|_| wrong("holds no certificates"))?;
        pem.extend_from_slice(&text);
        pem.push(b'\n');
    }
    if pem.is_empty() {
        return Ok(None);
    }
    Authorities::of_pem(&pem).map(Some).map_err(|_| settings.error("its authorities cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plug(provider: Provider) -> Plug {
        let executor = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
        executor.block_on(Plug::of_the_binary(&crate::delivery::tests::plugins(), provider)).unwrap()
    }

    fn resolve(provider: Provider, entry: &Value) -> Result<Target, String> {
        let environment = |name: &str| match name {
            "SET" => Some("from-env".to_owned()),
            "ADDRESS" => Some("https://env.example/".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        Target::resolve(provider, plug(provider), entry, &Network::default(), &environment)
            .map_err(|error| error.to_string())
    }

    fn header(provider: Provider, entry: &Value, name: &str) -> Option<String> {
        let Target { headers, given, .. } = resolve(provider, entry).unwrap();
        let access = given.iter().find_map(|given| given.headers.get(name));
        access.or(headers.get(name)).map(|value| value.expose().to_owned())
    }

    #[test]
    fn settings_become_headers() {
        for (provider, entry, name, value) in [
            (Provider::Webhook, json!({}), "authorization", None),
            (Provider::Webhook, json!({"token": "t"}), "authorization", Some("Bearer t")),
            (Provider::Splunk, json!({"token": "t"}), "authorization", Some("Splunk t")),
            (Provider::Splunk, json!({"token": "t", "authorization_scheme": "X"}), "authorization", Some("X t")),
            (Provider::Jira, json!({"token": "t", "username": "u"}), "authorization", Some("Basic dTp0")),
            (Provider::Jira, json!({"token": "t", "authorization": "a"}), "authorization", Some("a")),
            (Provider::Jira, json!({"token": "t", "token_env": "SET"}), "authorization", Some("Bearer from-env")),
            (Provider::Datadog, json!({"api_key": "k"}), "dd-api-key", Some("k")),
            (Provider::Webhook, json!({"api_key": "k"}), "x-api-key", Some("k")),
            (Provider::Webhook, json!({"api_key": "k", "api_key_header": "X-Mine"}), "x-mine", Some("k")),
            (Provider::Webhook, json!({"headers": {"X-One": "1", "x-two": 2}}), "x-two", Some("2")),
            (
                Provider::ServiceNow,
                json!({"token": "t", "headers": {"Authorization": "x"}}),
                "authorization",
                Some("Bearer t"),
            ),
        ] {
            let mut entry = entry;
            entry["url"] = json!("https://a.example/");
            assert_eq!(header(provider, &entry, name).as_deref(), value, "{provider} {entry}");
        }
        let by_name = json!({"url": "https://no.example", "url_env": "ADDRESS"});
        assert_eq!(resolve(Provider::Webhook, &by_name).unwrap().first().unwrap().url.as_str(), "https://env.example/");
    }

    #[test]
    fn what_cannot_be_used_is_named_without_its_value() {
        for (provider, entry, word) in [
            (Provider::Webhook, json!("hush"), "object"),
            (Provider::Webhook, json!({}), "url"),
            (Provider::Webhook, json!({"url": 5}), "url"),
            (Provider::Webhook, json!({"url": "hush"}), "address"),
            (Provider::Webhook, json!({"url": "file:///hush"}), "https://"),
            (Provider::Webhook, json!({"url_env": "UNSET"}), "UNSET"),
            (Provider::Webhook, json!({"url_env": "EMPTY"}), "EMPTY"),
            (Provider::Webhook, json!({"url": "https://a.example", "token_env": "UNSET"}), "UNSET"),
            (Provider::Webhook, json!({"url": "https://a.example", "token": "hush\nx: y"}), "authorization"),
            (Provider::Webhook, json!({"url": "https://a.example", "headers": {"a\r\nb": "hush"}}), "headers"),
            (Provider::Webhook, json!({"url": "https://a.example", "headers": {"a": "hush\r\nb: c"}}), "header a"),
            (Provider::Webhook, json!({"url": "https://a.example", "headers": {"Host": "hush"}}), "headers"),
            (Provider::Webhook, json!({"url": "https://a.example", "headers": {"a": ["hush"]}}), "headers"),
            (Provider::Webhook, json!({"url": "https://a.example", "method": "post hush"}), "method"),
            (Provider::Webhook, json!({"url": "https://a.example", "payload_style": "hush"}), "payload_style"),
            (Provider::Webhook, json!({"url": "https://a.example", "signing_secret": "whsec_hush!"}), "signing_secret"),
            (Provider::Webhook, json!({"url": "https://a.example", "token_file": "/none/hush"}), "token_file"),
            (
                Provider::Webhook,
                json!({"url": "https://a.example", "ca_file": "/none/hush"}),
                "`ca_file` names cannot be read",
            ),
            (Provider::Webhook, json!({"url": "https://a.example", "ca_file": file!()}), "ca_file"),
            (Provider::Webhook, json!({"url": "https://a.example", "tokn": "hush"}), "did you mean `token`?"),
            (Provider::Splunk, json!({"url": "https://a.example"}), "needs a token"),
            (Provider::Datadog, json!({"url": "https://a.example", "headers": {"x": "hush"}}), "needs a token"),
        ] {
            let error = resolve(provider, &entry).map(|_| ()).unwrap_err();
            assert!(error.contains(word) && !error.contains("hush"), "{entry}: {error}");
            assert!(error.starts_with(&format!("connector {provider}: ")), "{error}");
        }
        let header = json!({"url": "https://a.example", "headers": {"Authorization": "x"}});
        assert!(resolve(Provider::Splunk, &header).is_ok(), "a header will do");
    }
}
