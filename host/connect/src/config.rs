//! The connector file: which systems events are sent to, where they are, and how they let us in.
//!
//! The file is read at the start. What it says about one provider is looked at when something is sent there: another
//! provider's broken entry does not keep an event from where it is wanted. No message repeats a value.

use std::collections::BTreeMap;
use std::path::Path;

use cavra_model::{Object, read_json};
use cavra_plugins::connector::Setting;
use serde_json::Value;
use thiserror::Error;

use crate::Provider;

/// Largest file, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// Where a connector file may hold its map of providers.
pub const CONNECTOR_KEYS: [&str; 2] = ["connectors", "providers"];

/// Where a file of approval providers may hold its map.
pub const APPROVAL_KEYS: [&str; 2] = ["approval_providers", "providers"];

/// Why a connector file cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// It is too large to be one.
    #[error("it is larger than {LARGEST} bytes")]
    TooLarge,
    /// It is neither JSON nor, by its name, YAML.
    #[error("it is not {0}, or a key stands in it twice")]
    Syntax(&'static str),
    /// A system with a component has a name that cannot be one.
    #[error("a name of a system with a `component` is not 1 to 64 of the characters a-z 0-9 -")]
    Name,
    /// It holds no object of connectors.
    #[error("it must be an object of providers, or hold one under the key for it")]
    Shape,
}

/// A connector file that was read.
#[derive(Clone, Debug, Default)]
pub struct Config {
    entries: BTreeMap<Provider, Value>,
}

impl Config {
    /// Reads a file, as YAML if its name ends like that. The map of providers lies under the first of `keys` that is there,
    /// or is the file itself.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path, keys: [&str; 2]) -> Result<Self, ConfigError> {
        let size = std::fs::metadata(path).map_err(ConfigError::Unreadable)?.len();
        if size > LARGEST {
            return Err(ConfigError::TooLarge);
        }
        let text = std::fs::read(path).map_err(ConfigError::Unreadable)?;
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        Self::parse(&text, matches!(extension, "yaml" | "yml"), keys)
    }

    fn parse(text: &[u8], is_yaml: bool, keys: [&str; 2]) -> Result<Self, ConfigError> {
        // Windows editors put a mark in front.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let value: Value = if is_yaml {
            // Read as YAML first, which refuses a key that stands twice.
            let read: Result<serde_norway::Value, _> = serde_norway::from_slice(text);
            read.and_then(serde_norway::from_value).map_err(|_| ConfigError::Syntax("YAML"))?
        } else {
            read_json(text).map_err(|_| ConfigError::Syntax("JSON"))?
        };
        let Value::Object(whole) = value else { return Err(ConfigError::Shape) };
        let inner = keys.into_iter().find_map(|key| whole.get(key));
        let map = match inner {
            Some(Value::Object(map)) => map,
            Some(_) => return Err(ConfigError::Shape),
            None => &whole,
        };
        let mut entries = BTreeMap::new();
        for (name, entry) in map {
            let known: Result<Provider, ()> = name.parse();
            let provider = match known {
                Ok(provider) if provider.component().is_some() => provider,
                // Of other names nothing is known, whichever file was read before.
                _ if entry.get("component").is_none_or(|path| path.is_null() || path == "") => continue,
                _ => Provider::own(name).ok_or(ConfigError::Name)?,
            };
            entries.insert(provider, entry.clone());
        }
        Ok(Self { entries })
    }

    /// Without providers that are not asked for approvals.
    #[must_use]
    pub fn for_approvals(mut self) -> Self {
        self.entries.retain(|provider, _| provider.takes_approvals());
        self
    }

    /// What the file says about each provider.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Value> {
        self.entries.values()
    }

    /// What the file says about a provider.
    pub(crate) fn entry(&self, provider: Provider) -> Option<&Value> {
        self.entries.get(&provider)
    }

    /// The providers that are not switched off, by name.
    pub(crate) fn enabled(&self) -> Vec<Provider> {
        let is_off = |entry: &Value| entry.get("enabled") == Some(&Value::Bool(false));
        self.entries.iter().filter(|(_, entry)| !is_off(entry)).map(|(provider, _)| *provider).collect()
    }
}

/// The settings that every provider may have, beside those that its connector describes. What may be a secret can be held by
/// a variable or a file that is named in its place.
const SETTINGS: [&str; 41] = [
    "enabled",
    "ca_file",
    "component",
    "component_digest",
    "credentials",
    "endpoints",
    "show_path",
    "method",
    "headers",
    "authorization_scheme",
    "api_key_header",
    "allow_private_network",
    "oauth_token_url",
    "oauth_scope",
    "oauth_client_id",
    "oauth_client_id_env",
    "oauth_client_id_file",
    "oauth_client_secret",
    "oauth_client_secret_env",
    "oauth_client_secret_file",
    "url",
    "url_env",
    "url_file",
    "authorization",
    "authorization_env",
    "authorization_file",
    "token",
    "token_env",
    "token_file",
    "username",
    "username_env",
    "username_file",
    "api_key",
    "api_key_env",
    "api_key_file",
    "signing_secret",
    "signing_secret_env",
    "signing_secret_file",
    "callback_secret",
    "callback_secret_env",
    "callback_secret_file",
];

/// Largest file with a secret, in bytes.
const LARGEST_SECRET: u64 = 64 * 1024;

/// What a file of at most so many bytes holds.
pub(crate) fn bounded(path: &Path, largest: u64) -> Result<Vec<u8>, &'static str> {
    let size = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).ok_or("cannot be read")?.len();
    if size > largest {
        return Err("is too large");
    }
    std::fs::read(path).map_err(|_| "cannot be read")
}

/// What a file holds, without the end of its last line.
pub(crate) fn held(path: &Path) -> Result<String, &'static str> {
    let text = String::from_utf8(bounded(path, LARGEST_SECRET)?).map_err(|_| "cannot be read")?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err("is empty") } else { Ok(text.to_owned()) }
}

/// The settings of one provider.
pub(crate) struct Settings<'a> {
    provider: Provider,
    members: &'a Object,
}

/// A setting that cannot be used; a sentence for whoever asked for the delivery, without values.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("connector {provider}: {problem}")]
pub struct SettingError {
    provider: Provider,
    problem: String,
}

/// A variable of the environment.
pub(crate) type Environment<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

impl<'a> Settings<'a> {
    pub fn of(provider: Provider, entry: &'a Value) -> Result<Self, SettingError> {
        match entry {
            Value::Object(members) => Ok(Self { provider, members }),
            _ => Err(SettingError { provider, problem: "its settings must be an object".to_owned() }),
        }
    }

    pub fn error(&self, problem: impl Into<String>) -> SettingError {
        SettingError { provider: self.provider, problem: problem.into() }
    }

    /// A text; an empty one is none.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>, SettingError> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(self.error(format!("`{name}` must be a text"))),
        }
    }

    pub fn flag(&self, name: &str) -> Result<bool, SettingError> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.error(format!("`{name}` must be true or false"))),
        }
    }

    /// A text, or what the file or the variable holds that is named in its place. Both are looked at each time, so that
    /// what is renewed there is used.
    pub fn secret(&self, name: &str, environment: Environment<'_>) -> Result<Option<String>, SettingError> {
        let (variable, file) = (format!("{name}_env"), format!("{name}_file"));
        if let Some(variable) = self.text(&variable)? {
            let value = environment(variable).filter(|value| !value.is_empty());
            let unset = || self.error(format!("the environment variable {variable} is not set or empty"));
            return value.map(Some).ok_or_else(unset);
        }
        if let Some(path) = self.text(&file)? {
            let unreadable = |why: &str| self.error(format!("the file that `{file}` names {why}"));
            return held(Path::new(path)).map(Some).map_err(unreadable);
        }
        Ok(self.text(name)?.map(ToOwned::to_owned))
    }

    /// Refuses settings that nothing reads: what is misspelt would be missed in silence.
    pub fn check(&self, described: &[Setting]) -> Result<(), SettingError> {
        let described = described.iter().map(|setting| setting.name.as_str());
        let known: Vec<&str> = SETTINGS.into_iter().chain(described).collect();
        match self.members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => Err(self.error(cavra_documents::unknown_key(unknown, &known))),
            None => Ok(()),
        }
    }

    /// What is set of the settings that a connector describes: names and values.
    pub fn described(&self, described: &[Setting]) -> Result<Vec<(String, String)>, SettingError> {
        let mut set = Vec::new();
        // A connector cannot ask for what is the host's to know.
        for Setting { name, values, .. } in described.iter().filter(|it| !SETTINGS.contains(&it.name.as_str())) {
            let Some(value) = self.text(name)? else { continue };
            if !values.is_empty() && !values.iter().any(|known| known == value) {
                return Err(self.error(format!("`{name}` is {}", values.join(" or "))));
            }
            set.push((name.clone(), value.to_owned()));
        }
        Ok(set)
    }

    /// The settings of one of the things that a connector declares, in an object of those; only these settings may stand there,
    /// under no other name than theirs.
    pub fn section(
        &self,
        of: &str,
        name: &str,
        declared: &[&str],
        known: &[&[&str]],
    ) -> Result<Option<Settings<'a>>, SettingError> {
        let Some(object) = self.object(of)? else { return Ok(None) };
        if let Some(unknown) = object.keys().find(|key| !declared.contains(&key.as_str())) {
            let what = cavra_documents::unknown_key(unknown, declared);
            return Err(self.error(format!("{of}: {what}")));
        }
        let Some(section) = object.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
        let members = section.as_object().ok_or_else(|| self.error(format!("`{of}.{name}` must be an object")))?;
        let known: Vec<&str> = known.iter().copied().flatten().copied().collect();
        if let Some(unknown) = members.keys().find(|key| !known.contains(&key.as_str())) {
            let what = cavra_documents::unknown_key(unknown, &known);
            return Err(self.error(format!("{of}.{name}: {what}")));
        }
        Ok(Some(Settings { provider: self.provider, members }))
    }

    /// Refuses what stands here although there is a section for such settings: it would have no effect.
    pub fn check_once(&self, section: &Settings<'_>, known: &[&[&str]]) -> Result<(), SettingError> {
        // Whether networks of one's own may be reached is said of each address.
        let is_beside = |name: &&str| *name != "allow_private_network" && self.members.contains_key(*name);
        match known.iter().copied().flatten().copied().find(is_beside) {
            Some(name) if section.members.contains_key(name) => {
                Err(self.error(format!("`{name}` stands there twice: in a section and beside it")))
            }
            Some(name) => Err(self.error(format!("`{name}` has no effect beside the section for it"))),
            None => Ok(()),
        }
    }

    pub fn object(&self, name: &str) -> Result<Option<&'a Object>, SettingError> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(self.error(format!("`{name}` must be an object"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(value: &Value) -> Config {
        Config::parse(value.to_string().as_bytes(), false, CONNECTOR_KEYS).unwrap()
    }

    #[test]
    fn the_map_lies_under_one_of_two_names_or_is_the_file() {
        let map = json!({"splunk": {"url": "u"}, "slack": {"enabled": false}, "teams": 5, "nobody": "x"});
        for file in [json!({"connectors": map, "splunk": 1}), json!({"providers": map}), map.clone()] {
            let config = parse(&file);
            assert_eq!(config.enabled(), [Provider::Splunk, Provider::Teams], "{file}");
            assert_eq!(config.entry(Provider::Splunk), Some(&json!({"url": "u"})));
            assert!(Settings::of(Provider::Teams, config.entry(Provider::Teams).unwrap()).is_err());
        }
        assert!(parse(&json!({"connectors": {}, "providers": map})).enabled().is_empty(), "the first one counts");
    }

    #[test]
    fn a_file_that_is_none_is_refused_without_its_contents() {
        for (text, is_yaml) in [
            ("", false),
            ("{\"splunk\": {\"token\": \"hush\"}", false),
            ("[\"hush\"]", false),
            ("{\"connectors\": [\"hush\"]}", false),
            ("{\"splunk\": {}, \"splunk\": {\"token\": \"hush\"}}", false),
            ("splunk: {token: hush", true),
            ("splunk: {token: a}\nsplunk: {token: hush}", true),
            ("hush", true),
        ] {
            let error = Config::parse(text.as_bytes(), is_yaml, CONNECTOR_KEYS).unwrap_err();
            assert!(!error.to_string().contains("hush"), "{error}");
        }
        assert!(matches!(Config::read(Path::new("/nowhere/x.json"), CONNECTOR_KEYS), Err(ConfigError::Unreadable(_))));
        let yaml = "\u{feff}connectors:\n  splunk: {url: u}\n";
        assert_eq!(Config::parse(yaml.as_bytes(), true, CONNECTOR_KEYS).unwrap().enabled(), [Provider::Splunk]);
    }
}
