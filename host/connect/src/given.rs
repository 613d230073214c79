//! Credentials: what the operator gave for each that a connector declares, under the name by which the connector asks for it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cavra_fetch::Authorities;
use cavra_plugins::connector::{Credential, CredentialKind};
use url::Url;

use crate::Secret;
use crate::address::Grant;
use crate::config::{Environment, SettingError, Settings};
use crate::message::SigningKey;
use crate::oauth::ClientCredentials;
use crate::target::check_header;

/// Settings of a credential that lets messages in, and of one that they are signed with; each may be a text, or held by a
/// variable or a file.
pub(crate) const ACCESS: [&str; 18] = [
    "authorization_scheme",
    "api_key_header",
    "oauth_token_url",
    "oauth_scope",
    "oauth_client_id",
    "oauth_client_id_env",
    "oauth_client_id_file",
    "oauth_client_secret",
    "oauth_client_secret_env",
    "oauth_client_secret_file",
    "authorization",
    "authorization_env",
    "authorization_file",
    "token",
    "token_env",
    "token_file",
    "allow_private_network",
    "username",
];
pub(crate) const MORE_ACCESS: [&str; 5] = ["username_env", "username_file", "api_key", "api_key_env", "api_key_file"];
pub(crate) const SIGNATURE: [&str; 3] = ["signing_secret", "signing_secret_env", "signing_secret_file"];

/// A credential that was given.
pub(crate) struct Given {
    /// The connector's name for it.
    pub name: String,
    /// Headers that let a message in, by their names in lower case.
    pub headers: BTreeMap<String, Secret>,
    /// The header of the operator's key.
    pub key_header: Option<String>,
    /// What it gets access tokens with.
    pub client: Option<ClientCredentials>,
    /// Keys that messages are signed with, the newest first.
    pub signing_keys: Vec<SigningKey>,
    /// Its secrets as they stand in the file, which are looked for in answers.
    pub secrets: Vec<Secret>,
}

impl Given {
    /// What `settings` give for a credential; `None` if they give nothing.
    ///
    /// # Errors
    /// A setting that cannot be used.
    pub fn resolve(
        credential: &Credential,
        settings: &Settings<'_>,
        authorities: Option<&Authorities>,
        environment: Environment<'_>,
    ) -> Result<Option<Self>, SettingError> {
        let mut given = Self {
            name: credential.name.clone(),
            headers: BTreeMap::new(),
            key_header: None,
            client: None,
            signing_keys: Vec::new(),
            secrets: Vec::new(),
        };
        if is_signature(credential) {
            if let Some(secrets) = settings.secret("signing_secret", environment)? {
                let keys = SigningKey::all(&secrets);
                given.signing_keys = keys.map_err(|()| settings.error("`signing_secret` is no secret"))?;
                given.secrets.push(Secret::new(secrets));
            }
        } else {
            given.let_in(credential, settings, authorities, environment)?;
        }
        Ok(Some(given).filter(Self::is_something))
    }

    fn let_in(
        &mut self,
        credential: &Credential,
        settings: &Settings<'_>,
        authorities: Option<&Authorities>,
        environment: Environment<'_>,
    ) -> Result<(), SettingError> {
        if let Some(authorization) = authorization(settings, scheme(credential).unwrap_or("Bearer"), environment)? {
            self.headers.insert("authorization".to_owned(), authorization);
        }
        if let Some(key) = settings.secret("api_key", environment)? {
            let name = settings.text("api_key_header")?.or(key_header(credential)).unwrap_or("x-api-key");
            let name = name.to_ascii_lowercase();
            check_header(settings, &name, &key)?;
            self.headers.insert(name.clone(), Secret::new(key));
            self.key_header = Some(name);
        }
        self.client = client(settings, authorities, environment)?;
        if self.client.is_some() && self.headers.contains_key("authorization") {
            return Err(settings.error("it has an authorization and `oauth_token_url`; one of them is enough"));
        }
        for name in ["token", "api_key", "authorization", "oauth_client_secret"] {
            self.secrets.extend(settings.secret(name, environment)?.map(Secret::new));
        }
        Ok(())
    }

    fn is_something(&self) -> bool {
        !self.headers.is_empty() || self.client.is_some() || !self.signing_keys.is_empty()
    }
}

/// Messages are signed with it.
pub(crate) fn is_signature(credential: &Credential) -> bool {
    credential.kinds.contains(&CredentialKind::StandardWebhooks)
}

/// What stands before a token.
pub(crate) fn scheme(credential: &Credential) -> Option<&str> {
    credential.kinds.iter().find_map(|kind| match kind {
        CredentialKind::Token(scheme) => Some(scheme.as_str()),
        _ => None,
    })
}

/// The header of an API key.
fn key_header(credential: &Credential) -> Option<&str> {
    credential.kinds.iter().find_map(|kind| match kind {
        CredentialKind::Header(name) => Some(name.as_str()),
        _ => None,
    })
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
