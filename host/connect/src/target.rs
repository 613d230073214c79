//! Where an event goes and what lets us in: the settings of one provider, resolved at the moment of sending.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cavra_fetch::Authorities;
use cavra_plugins::Origin;
use serde_json::Value;
use url::Url;

use crate::address::Grant;
use crate::callback::{self, can_call_back};
use crate::config::{Environment, SettingError, Settings, bounded};
use crate::message::SigningKey;
use crate::oauth::ClientCredentials;
use crate::plug::Plug;
use crate::{Provider, Secret};

/// Headers that belong to the connection, and are not the operator's to set.
pub(crate) const OF_THE_CONNECTION: [&str; 8] =
    ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"];

/// Headers that let somebody in.
pub(crate) const CREDENTIALS: [&str; 3] = ["authorization", "x-api-key", "dd-api-key"];

/// Largest file of authorities, in bytes.
const LARGEST_BUNDLE: u64 = 1024 * 1024;

/// A resolved provider.
pub(crate) struct Target {
    pub provider: Provider,
    pub plug: Plug,
    pub url: Url,
    pub grant: Grant,
    /// The method that the operator wants.
    pub method: Option<String>,
    /// The operator's headers, by their names in lower case.
    pub headers: BTreeMap<String, Secret>,
    /// Headers that let a message in, by their names in lower case.
    pub access: BTreeMap<String, Secret>,
    /// The header of the operator's key.
    pub key_header: Option<String>,
    /// What it gets access tokens with.
    pub client: Option<ClientCredentials>,
    /// Who may vouch for the host, besides the system's authorities.
    pub authorities: Option<Authorities>,
    /// The connector may know the path of the address.
    pub path_is_shown: bool,
    /// There is a credential.
    pub is_let_in: bool,
    /// Keys that messages are signed with, the newest first.
    pub signing_keys: Vec<SigningKey>,
    /// Secrets of the settings as they stand there, which are looked for in answers.
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
        environment: Environment<'_>,
    ) -> Result<Self, SettingError> {
        let settings = Settings::of(provider, entry)?;
        settings.check(&plug.description().settings)?;
        let url = url(&settings, environment)?;
        let Some(host) = url.host() else { return Err(settings.error("its address names no host")) };
        let grant = Grant { host: host.to_owned(), private: settings.flag("allow_private_network")? };
        let method = settings.text("method")?.map(ToOwned::to_owned);
        if method.as_ref().is_some_and(|method| !method.bytes().all(|byte| byte.is_ascii_uppercase())) {
            return Err(settings.error("`method` is no method"));
        }
        let headers = own_headers(&settings)?;
        let mut access = BTreeMap::new();
        if let Some(authorization) = authorization(&settings, plug.scheme().unwrap_or("Bearer"), environment)? {
            access.insert("authorization".to_owned(), authorization);
        }
        let mut key_header = None;
        if let Some(key) = settings.secret("api_key", environment)? {
            let name = settings.text("api_key_header")?.or(plug.key_header()).unwrap_or("x-api-key");
            let name = name.to_ascii_lowercase();
            check_header(&settings, &name, &key)?;
            access.insert(name.clone(), Secret::new(key));
            key_header = Some(name);
        }
        let authorities = authorities(&settings)?;
        let client = client(&settings, authorities.as_ref(), environment)?;
        let has = |name: &str| headers.contains_key(name) || access.contains_key(name);
        if client.is_some() && has("authorization") {
            return Err(settings.error("it has an authorization and `oauth_token_url`; one of them is enough"));
        }
        let is_let_in = key_header.is_some() || client.is_some() || CREDENTIALS.iter().any(|name| has(name));
        if plug.access().is_some_and(|access| access.required) && !is_let_in {
            return Err(settings.error("it needs a token, an authorization or an API key"));
        }
        let signing_keys = match settings.secret("signing_secret", environment)? {
            Some(secrets) => SigningKey::all(&secrets).map_err(|()| settings.error("`signing_secret` is no secret"))?,
            None => Vec::new(),
        };
        if !signing_keys.is_empty() && plug.signature().is_none() {
            return Err(settings.error("its component signs nothing, so `signing_secret` would have no effect"));
        }
        if !can_call_back(provider) && settings.secret(callback::SECRET, environment)?.is_some() {
            return Err(settings.error("nobody calls back from there, so `callback_secret` would have no effect"));
        }
        let mut secrets = Vec::new();
        for name in ["token", "api_key", "authorization", "signing_secret", "callback_secret", "oauth_client_secret"] {
            secrets.extend(settings.secret(name, environment)?.map(Secret::new));
        }
        let is_ours = plug.origin == Origin::FirstParty;
        let path_is_shown =
            plug.endpoint().is_some_and(|endpoint| endpoint.path_visible) && (is_ours || settings.flag("show_path")?);
        let settings = settings.described(&plug.description().settings)?;
        Ok(Self {
            provider,
            plug,
            url,
            grant,
            method,
            headers,
            access,
            key_header,
            client,
            authorities,
            path_is_shown,
            is_let_in,
            signing_keys,
            secrets,
            settings,
        })
    }
}

impl Target {
    /// Another address of the same system, which is sent nothing that lets a message in at the operator's.
    pub fn without_access(self, url: Url, grant: Grant) -> Self {
        Self {
            url,
            grant,
            method: None,
            headers: BTreeMap::new(),
            access: BTreeMap::new(),
            client: None,
            is_let_in: false,
            signing_keys: Vec::new(),
            ..self
        }
    }
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
fn check_header(settings: &Settings<'_>, name: &str, value: &str) -> Result<(), SettingError> {
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

fn authorization(
    settings: &Settings<'_>,
    scheme: &str,
    environment: Environment<'_>,
) -> Result<Option<Secret>, SettingError> {
    let whole = settings.secret("authorization", environment)?;
    let value = match whole {
        Some(whole) => whole,
        None => {
            let Some(token) = settings.secret("token", environment)? else { return Ok(None) };
            match settings.secret("username", environment)? {
                Some(user) => format!("Basic {}", STANDARD.encode(format!("{user}:{token}"))),
                None => format!("{} {token}", settings.text("authorization_scheme")?.unwrap_or(scheme)),
            }
        }
    };
    check_header(settings, "authorization", &value)?;
    Ok(Some(Secret::new(value)))
}

/// What access tokens are fetched with, if there is somewhere to fetch them.
fn client(
    settings: &Settings<'_>,
    authorities: Option<&Authorities>,
    environment: Environment<'_>,
) -> Result<Option<ClientCredentials>, SettingError> {
    let id = settings.secret("oauth_client_id", environment)?;
    let secret = settings.secret("oauth_client_secret", environment)?;
    let Some(address) = settings.text("oauth_token_url")? else {
        let alone = id.is_some() || secret.is_some() || settings.text("oauth_scope")?.is_some();
        return if alone { Err(settings.error("`oauth_token_url` is missing")) } else { Ok(None) };
    };
    let url: Url = address.parse().map_err(|_| settings.error("`oauth_token_url` is no address"))?;
    if !cavra_fetch::is_private(&url) {
        return Err(settings.error("`oauth_token_url` must begin with https://"));
    }
    let Some(host) = url.host() else { return Err(settings.error("`oauth_token_url` names no host")) };
    let grant = Grant { host: host.to_owned(), private: settings.flag("allow_private_network")? };
    let missing = |name: &str| settings.error(format!("`{name}` is missing"));
    let id = Secret::new(id.ok_or_else(|| missing("oauth_client_id"))?);
    let secret = Secret::new(secret.ok_or_else(|| missing("oauth_client_secret"))?);
    let scope = settings.text("oauth_scope")?.map(ToOwned::to_owned);
    Ok(Some(ClientCredentials { url, grant, id, secret, scope, authorities: authorities.cloned() }))
}

/// The authorities of a file, read each time, so that what is renewed there is used.
fn authorities(settings: &Settings<'_>) -> Result<Option<Authorities>, SettingError> {
    let Some(path) = settings.text("ca_file")? else { return Ok(None) };
    let wrong = |why: &str| settings.error(format!("the file that `ca_file` names {why}"));
    let text = bounded(Path::new(path), LARGEST_BUNDLE).map_err(wrong)?;
    Authorities::of_pem(&text).map(Some).map_err(|_| wrong("holds no certificates"))
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
        Target::resolve(provider, plug(provider), entry, &environment).map_err(|error| error.to_string())
    }

    fn header(provider: Provider, entry: &Value, name: &str) -> Option<String> {
        let Target { headers, access, .. } = resolve(provider, entry).unwrap();
        access.get(name).or(headers.get(name)).map(|value| value.expose().to_owned())
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
        assert_eq!(resolve(Provider::Webhook, &by_name).unwrap().url.as_str(), "https://env.example/");
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
