//! `grants.yaml`: what each plugin may have. The operator writes it, or `cavra plugin grant` does.

use cavra_documents::{DocumentError, Section};
use cavra_model::{Object, PackName};
use semver::Version;
use serde_json::{Value, json};

use crate::manifest::{MEMORY_MIB, TIME_MS, hosts_of, name_of, version_of};
use crate::{Asks, Manifest, Refusal};

const SCHEMA: &str = "cavra.plugin-grants.v1";
const GRANT_KEYS: [&str; 7] = ["plugin", "at_least", "hosts", "secrets", "events", "memory_mib", "time_ms"];

/// What one plugin may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The plugin.
    pub plugin: PackName,
    /// The oldest version that may be loaded.
    pub at_least: Option<Version>,
    /// Hosts; `*.example.com` is any below.
    pub hosts: Vec<String>,
    /// Names of secrets.
    pub secrets: Vec<String>,
    /// Types of events.
    pub events: Vec<String>,
    /// Memory of one call, in MiB.
    pub memory_mib: Option<u64>,
    /// Time of one call, in milliseconds.
    pub time_ms: Option<u64>,
}

/// What each plugin may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(Vec<Grant>);

impl Grants {
    /// Reads `grants.yaml` strictly.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn read(document: &Value) -> Result<Self, DocumentError> {
        let section = Section::document(document, &["schema_version", "grants"])?;
        if section.required_text("schema_version")? != SCHEMA {
            return Err(section.wrong("schema_version", &format!("must be {SCHEMA}")));
        }
        let mut grants: Vec<Grant> = Vec::new();
        for item in section.sections("grants", &GRANT_KEYS)? {
            let grant = Grant::read(&item)?;
            if grants.iter().any(|known| known.plugin == grant.plugin) {
                return Err(item.wrong("plugin", "has two grants; make one of them"));
            }
            grants.push(grant);
        }
        Ok(Self(grants))
    }

    /// The document.
    #[must_use]
    pub fn to_value(&self) -> Value {
        json!({ "schema_version": SCHEMA, "grants": self.0.iter().map(Grant::to_value).collect::<Vec<_>>() })
    }

    /// The grant of a plugin.
    #[must_use]
    pub fn of(&self, plugin: &PackName) -> Option<&Grant> {
        self.0.iter().find(|grant| grant.plugin == *plugin)
    }

    /// Puts a grant in the place of the plugin's earlier one.
    pub fn put(&mut self, grant: Grant) {
        self.0.retain(|known| known.plugin != grant.plugin);
        self.0.push(grant);
        self.0.sort_by(|one, other| one.plugin.cmp(&other.plugin));
    }

    /// Takes a plugin's grant away; whether there was one.
    pub fn remove(&mut self, plugin: &PackName) -> bool {
        let before = self.0.len();
        self.0.retain(|grant| grant.plugin != *plugin);
        self.0.len() < before
    }

    /// That a plugin gets all it asks for. A plugin that asks for nothing needs no grant.
    ///
    /// # Errors
    /// [`Refusal::OverAsking`], [`Refusal::TooOld`].
    pub fn cover(&self, manifest: &Manifest) -> Result<(), Refusal> {
        let grant = self.of(&manifest.name);
        let missing = missing(&manifest.asks, grant);
        if !missing.is_empty() {
            return Err(Refusal::OverAsking { name: manifest.name.to_string(), missing: missing.join(", ") });
        }
        match grant.and_then(|grant| grant.at_least.as_ref()).filter(|at_least| manifest.version < **at_least) {
            Some(at_least) => {
                Err(Refusal::TooOld { version: manifest.version.to_string(), at_least: at_least.to_string() })
            }
            None => Ok(()),
        }
    }
}

impl Grant {
    /// All that a manifest asks for, from its version on.
    #[must_use]
    pub fn all_of(manifest: &Manifest) -> Self {
        let Asks { hosts, secrets, events, memory_mib, time_ms } = manifest.asks.clone();
        Self {
            plugin: manifest.name.clone(),
            at_least: Some(manifest.version.clone()),
            hosts,
            secrets: secrets.into_iter().map(|secret| secret.name).collect(),
            events,
            memory_mib,
            time_ms,
        }
    }

    fn read(section: &Section<'_>) -> Result<Self, DocumentError> {
        Ok(Self {
            plugin: name_of(section, "plugin")?,
            at_least: version_of(section, "at_least")?,
            hosts: hosts_of(section, true)?,
            secrets: section.texts("secrets")?.unwrap_or_default(),
            events: section.texts("events")?.unwrap_or_default(),
            memory_mib: section.whole("memory_mib", MEMORY_MIB.0, MEMORY_MIB.1)?,
            time_ms: section.whole("time_ms", TIME_MS.0, TIME_MS.1)?,
        })
    }

    fn to_value(&self) -> Value {
        let mut members = Object::new();
        let mut put = |key: &str, value: Value| members.insert(key.to_owned(), value);
        put("plugin", json!(self.plugin.as_str()));
        if let Some(at_least) = &self.at_least {
            put("at_least", json!(at_least.to_string()));
        }
        for (key, list) in [("hosts", &self.hosts), ("secrets", &self.secrets), ("events", &self.events)] {
            if !list.is_empty() {
                put(key, json!(list));
            }
        }
        for (key, number) in [("memory_mib", self.memory_mib), ("time_ms", self.time_ms)] {
            if let Some(number) = number {
                put(key, json!(number));
            }
        }
        Value::Object(members)
    }
}

/// What is asked for and not granted, each in words.
fn missing(asks: &Asks, grant: Option<&Grant>) -> Vec<String> {
    let none: Vec<String> = Vec::new();
    let granted = |list: fn(&Grant) -> &Vec<String>| grant.map_or(&none, list);
    let host = |host: &String| granted(|grant| &grant.hosts).iter().any(|pattern| covers_host(pattern, host));
    let mut missing: Vec<String> =
        asks.hosts.iter().filter(|asked| !host(asked)).map(|host| format!("the host {host}")).collect();
    let secrets = asks.secrets.iter().map(|secret| &secret.name);
    missing.extend(
        secrets
            .filter(|name| !granted(|grant| &grant.secrets).contains(name))
            .map(|name| format!("the secret `{}`", cavra_documents::shown(name))),
    );
    let events = asks.events.iter().filter(|event| !granted(|grant| &grant.events).contains(event));
    missing.extend(events.map(|event| format!("events `{}`", cavra_documents::shown(event))));
    for (asked, granted, unit) in [
        (asks.memory_mib, grant.and_then(|grant| grant.memory_mib), "MiB of memory"),
        (asks.time_ms, grant.and_then(|grant| grant.time_ms), "ms for a call"),
    ] {
        if let Some(asked) = asked.filter(|asked| granted.is_none_or(|granted| granted < *asked)) {
            missing.push(format!("{asked} {unit}"));
        }
    }
    missing
}

/// Whether a granted host, or pattern of hosts, covers one that is asked for. The port belongs to it.
fn covers_host(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(ending) => host.ends_with(ending) && host.len() > ending.len(),
        None => pattern == host,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::tests::{CONNECTOR, POLICY_PACK};

    fn grants(text: &str) -> Result<Grants, DocumentError> {
        let document = cavra_documents::parse_yaml(text).unwrap();
        Grants::read(&document)
    }

    #[test]
    fn what_is_asked_for_has_to_be_granted() {
        let manifest = Manifest::read(CONNECTOR.as_bytes()).unwrap();
        let refused = Grants::default().cover(&manifest).unwrap_err().to_string();
        for part in
            ["api.acme.example", "acme.example:8443", "`token`", "`decision`", "32 MiB", "2000 ms", "grant acme"]
        {
            assert!(refused.contains(part), "{refused}");
        }
        let mut all = Grants::default();
        all.put(Grant::all_of(&manifest));
        all.cover(&manifest).unwrap();
        assert_eq!(grants(&all.to_value().to_string()), Ok(all.clone()));
        // A plugin that asks for nothing needs none.
        Grants::default().cover(&Manifest::read(POLICY_PACK.as_bytes()).unwrap()).unwrap();
        // An older version than the granted one.
        let older = Manifest::read(CONNECTOR.replace("0.1.0", "0.0.9").as_bytes()).unwrap();
        assert!(matches!(all.cover(&older), Err(Refusal::TooOld { .. })));
        assert!(all.remove(&manifest.name) && !all.remove(&manifest.name));
        assert!(all.cover(&manifest).is_err());
    }

    #[test]
    fn hosts_are_granted_as_they_are_or_below_a_domain() {
        for (pattern, host, covered) in [
            ("a.example", "a.example", true),
            ("a.example", "b.a.example", false),
            ("*.a.example", "b.a.example", true),
            ("*.a.example", "c.b.a.example", true),
            ("*.a.example", "a.example", false),
            ("*.a.example", "xa.example", false),
            ("*.a.example", "b.a.example:8443", false),
            ("*.a.example:8443", "b.a.example:8443", true),
            ("a.example", "a.example:8443", false),
        ] {
            assert_eq!(covers_host(pattern, host), covered, "{pattern} {host}");
        }
    }

    #[test]
    fn what_is_wrong_in_grants_is_named() {
        let text = "schema_version: cavra.plugin-grants.v1\ngrants:\n- {plugin: acme, hosts: [a.example]}\n";
        grants(text).unwrap();
        for (from, to, said) in [
            ("grants:", "grant:", "did you mean `grants`"),
            ("hosts:", "host:", "grants[1]: unknown key `host`; did you mean `hosts`"),
            ("grants.v1", "grants.v2", "schema_version"),
            ("[a.example]", "[\"*\"]", "is no host"),
            ("[a.example]", "a.example", "must be a list"),
            ("plugin: acme, ", "", "plugin: is required"),
            ("- {", "- {plugin: acme}\n- {", "has two grants"),
        ] {
            let refused = grants(&text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(refused.contains(said), "{to}: {refused}");
        }
    }

    proptest! {
        /// Whatever is taken away from what is asked for, the plugin is refused.
        #[test]
        fn nothing_less_than_all_is_enough(which in 0..6_usize) {
            let manifest = Manifest::read(CONNECTOR.as_bytes()).unwrap();
            let mut grant = Grant::all_of(&manifest);
            match which {
                0 => drop(grant.hosts.pop()),
                1 => drop(grant.secrets.pop()),
                2 => drop(grant.events.pop()),
                3 => grant.memory_mib = grant.memory_mib.map(|most| most - 1),
                4 => grant.time_ms = None,
                _ => grant.plugin = PackName::new("other").unwrap(),
            }
            let mut grants = Grants::default();
            grants.put(grant);
            let refused = matches!(grants.cover(&manifest), Err(Refusal::OverAsking { .. }));
            prop_assert!(refused);
        }
    }
}
