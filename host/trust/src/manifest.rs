//! `plugin.yaml`: what a plugin is and what it asks for. Its author writes it.

use std::fmt;

use cavra_documents::{DocumentError, Language, Section, parse_document};
use cavra_model::PackName;
use semver::Version;

use crate::Refusal;
use crate::package::MANIFEST;

/// What the document says it is.
const SCHEMA: &str = "cavra.plugin.v1";

const KEYS: [&str; 9] =
    ["schema_version", "name", "version", "kind", "world", "title", "description", "license", "asks"];
pub(crate) const ASKS: [&str; 5] = ["hosts", "secrets", "events", "memory_mib", "time_ms"];

/// Bounds of the memory and the time of one call that can be asked for and granted.
pub(crate) const MEMORY_MIB: (u64, u64) = (1, 512);
pub(crate) const TIME_MS: (u64, u64) = (1, 10_000);

/// What a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Says what it thinks of an action.
    PolicyPack,
    /// Turns an event into requests to another system.
    Connector,
    /// Reads what an endpoint-management tool exports.
    Normalizer,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::PolicyPack, Self::Connector, Self::Normalizer];

    /// The word in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PolicyPack => "policy-pack",
            Self::Connector => "connector",
            Self::Normalizer => "normalizer",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The WIT package of its world.
    #[must_use]
    pub const fn package(self) -> &'static str {
        match self {
            Self::PolicyPack => "cavra:policy",
            Self::Connector => "cavra:connector",
            Self::Normalizer => "cavra:normalizer",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A world as WIT names it: `cavra:policy@1.1.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorldName {
    /// `cavra:policy`.
    pub package: String,
    /// `1.1.0`.
    pub version: String,
}

impl WorldName {
    /// Reads `package@version`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (package, version) = text.split_once('@')?;
        let version = Version::parse(version).ok()?.to_string();
        Some(Self { package: package.to_owned(), version })
    }
}

impl fmt::Display for WorldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.package, self.version)
    }
}

/// A secret that the host is to apply to a request; the plugin never sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret {
    /// Under which name the operator provides it.
    pub name: String,
    /// What it is needed for, for whoever grants it.
    pub reason: String,
}

/// What a plugin asks for. What is not asked for is not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// Hosts that requests go to: `api.example.com`, or with a port.
    pub hosts: Vec<String>,
    /// Secrets.
    pub secrets: Vec<Secret>,
    /// Types of events.
    pub events: Vec<String>,
    /// Memory of one call, in MiB; without it the host's default.
    pub memory_mib: Option<u64>,
    /// Time of one call, in milliseconds; without it the host's default.
    pub time_ms: Option<u64>,
}

/// The manifest of one version of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its name, under which it is installed. A policy pack is found by it.
    pub name: PackName,
    /// Its version.
    pub version: Version,
    /// What it is for.
    pub kind: Kind,
    /// The world it was built for.
    pub world: WorldName,
    /// For people.
    pub title: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// SPDX expression.
    pub license: Option<String>,
    /// What it asks for.
    pub asks: Asks,
}

impl Manifest {
    /// Reads `plugin.yaml` strictly: nothing unknown, nothing twice, nothing of another type.
    ///
    /// # Errors
    /// [`Refusal::Document`] naming the file, the place in it and what is wrong there.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let wrong = |problem: String| Refusal::Document { file: MANIFEST.to_owned(), problem };
        let document = parse_document(bytes, Language::Yaml).map_err(wrong)?;
        let section = Section::document(&document, &KEYS).map_err(|error| wrong(error.to_string()))?;
        Self::of(&section).map_err(|error| wrong(error.to_string()))
    }

    fn of(section: &Section<'_>) -> Result<Self, DocumentError> {
        if section.required_text("schema_version")? != SCHEMA {
            return Err(section.wrong("schema_version", &format!("must be {SCHEMA}")));
        }
        let word = section.required_text("kind")?;
        let kinds = Kind::ALL.map(Kind::as_str).join(", ");
        let kind = Kind::of(&word).ok_or_else(|| section.wrong("kind", &format!("must be one of {kinds}")))?;
        let world = WorldName::parse(&section.required_text("world")?)
            .ok_or_else(|| section.wrong("world", "must be like cavra:policy@1.1.0"))?;
        if world.package != kind.package() {
            return Err(section.wrong("world", &format!("of a {kind} must be {}@…", kind.package())));
        }
        let asks = section.section("asks", &ASKS)?.map_or(Ok(Asks::default()), |asks| read_asks(&asks))?;
        let takes_part = !asks.hosts.is_empty() || !asks.secrets.is_empty() || !asks.events.is_empty();
        if takes_part && kind != Kind::Connector {
            return Err(section.wrong("asks", &format!("a {kind} can ask for memory_mib and time_ms only")));
        }
        Ok(Self {
            name: name_of(section, "name")?,
            version: version_of(section, "version")?.ok_or_else(|| section.wrong("version", "is required"))?,
            kind,
            world,
            title: section.text("title")?,
            description: section.text("description")?,
            license: section.text("license")?,
            asks,
        })
    }
}

fn read_asks(section: &Section<'_>) -> Result<Asks, DocumentError> {
    let mut secrets = Vec::new();
    for secret in section.sections("secrets", &["name", "reason"])? {
        secrets.push(Secret { name: secret.required_text("name")?, reason: secret.required_text("reason")? });
    }
    Ok(Asks {
        hosts: hosts_of(section, false)?,
        secrets,
        events: section.texts("events")?.unwrap_or_default(),
        memory_mib: section.whole("memory_mib", MEMORY_MIB.0, MEMORY_MIB.1)?,
        time_ms: section.whole("time_ms", TIME_MS.0, TIME_MS.1)?,
    })
}

/// A plugin's name, which becomes a folder's.
pub(crate) fn name_of(section: &Section<'_>, key: &str) -> Result<PackName, DocumentError> {
    let name = section.required_text(key)?;
    PackName::new(&name)
        .map_err(|_| section.wrong(key, "must be 1 to 128 of a-z 0-9 . _ - and begin with a letter or digit"))
}

/// A version as semantic versioning has it.
pub(crate) fn version_of(section: &Section<'_>, key: &str) -> Result<Option<Version>, DocumentError> {
    let wrong = |_| section.wrong(key, "must be a semantic version such as 1.2.0");
    section.text(key)?.map(|text| Version::parse(&text).map_err(wrong)).transpose()
}

/// Host names with an optional port; with `patterns` also `*.example.com`.
pub(crate) fn hosts_of(section: &Section<'_>, patterns: bool) -> Result<Vec<String>, DocumentError> {
    let hosts = section.texts("hosts")?.unwrap_or_default();
    match hosts.iter().find(|host| !is_host(host, patterns)) {
        None => Ok(hosts),
        Some(wrong) => {
            let wrong = cavra_documents::shown(wrong);
            Err(section
                .wrong("hosts", &format!("`{wrong}` is no host such as api.example.com or api.example.com:8443")))
        }
    }
}

fn is_host(host: &str, patterns: bool) -> bool {
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let name = if patterns { name.strip_prefix("*.").unwrap_or(name) } else { name };
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    name.len() <= 253
        && name.split('.').all(label)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const POLICY_PACK: &str = "schema_version: cavra.plugin.v1\nname: cavra-freeze\nversion: 1.2.0\n\
        kind: policy-pack\nworld: cavra:policy@1.1.0\n";

    pub(crate) const CONNECTOR: &str = "schema_version: cavra.plugin.v1\nname: acme\nversion: 0.1.0\nkind: connector\n\
        world: cavra:connector@1.0.0\ntitle: Acme\nasks:\n  hosts: [api.acme.example, \"acme.example:8443\"]\n  \
        secrets: [{name: token, reason: signs in}]\n  events: [decision]\n  memory_mib: 32\n  time_ms: 2000\n";

    #[test]
    fn manifests_read() {
        let pack = Manifest::read(POLICY_PACK.as_bytes()).unwrap();
        assert_eq!((pack.name.as_str(), pack.version.to_string().as_str()), ("cavra-freeze", "1.2.0"));
        assert_eq!((pack.kind, pack.asks), (Kind::PolicyPack, Asks::default()));
        let connector = Manifest::read(CONNECTOR.as_bytes()).unwrap();
        assert_eq!(connector.asks.hosts, ["api.acme.example", "acme.example:8443"]);
        assert_eq!(connector.asks.secrets, [Secret { name: "token".into(), reason: "signs in".into() }]);
        assert_eq!((connector.asks.memory_mib, connector.asks.time_ms), (Some(32), Some(2000)));
    }

    /// What a lenient reader would drop is a condition that nobody enforces.
    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, said) in [
            ("name: acme", "nam: acme", "did you mean `name`"),
            ("title: Acme", "titel: Acme", "did you mean `title`"),
            ("  hosts:", "  host:", "asks: unknown key `host`; did you mean `hosts`"),
            ("title: Acme", "name: acme", "twice"),
            ("cavra.plugin.v1", "cavra.plugin.v2", "schema_version: must be cavra.plugin.v1"),
            ("name: acme", "name: ../acme", "name: must be 1 to 128"),
            ("0.1.0", "0.1.0.0", "version: must be a semantic version"),
            ("kind: connector", "kind: conector", "kind: must be one of policy-pack"),
            ("kind: connector", "kind: normalizer", "world: of a normalizer must be cavra:normalizer@"),
            ("cavra:connector@1.0.0", "cavra:connector", "world: must be like"),
            ("api.acme.example", "https://api.acme.example", "is no host"),
            ("api.acme.example", "\"*.acme.example\"", "is no host"),
            ("api.acme.example", "a b", "is no host"),
            ("acme.example:8443", "acme.example:0", "is no host"),
            ("memory_mib: 32", "memory_mib: 100000", "asks.memory_mib: must be a whole number"),
            ("memory_mib: 32", "memory_mib: lots", "asks.memory_mib"),
            ("time_ms: 2000", "time_ms: 0", "asks.time_ms"),
            (", reason: signs in", "", "asks.secrets[1].reason: is required"),
            ("reason: signs in", "reson: x", "asks.secrets[1]: unknown key `reson`; did you mean `reason`"),
            ("events: [decision]", "events: decision", "asks.events: must be a list"),
        ] {
            assert!(CONNECTOR.contains(from), "{from}");
            let refused = Manifest::read(CONNECTOR.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
            assert!(refused.starts_with("plugin.yaml: ") && refused.contains(said), "{to}: {refused}");
        }
        let asking = format!("{POLICY_PACK}asks: {{hosts: [a.example]}}\n");
        assert!(Manifest::read(asking.as_bytes()).unwrap_err().to_string().contains("memory_mib and time_ms only"));
        for text in ["", "[]", "x", "a: !tag b"] {
            assert!(Manifest::read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
