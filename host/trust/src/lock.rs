//! `cavra-plugins.lock`: which bytes are installed. What loads is what is locked.

use std::collections::BTreeMap;

use cavra_documents::{DocumentError, Section, shown};
use cavra_model::{Digest, Object, PackName, Timestamp};
use semver::Version;
use serde_json::{Value, json};

use crate::manifest::{name_of, version_of};
use crate::package::{known_file, package_digest};
use crate::statement::{digest_of, time};
use crate::{COMPONENT, Kind, Package, Refusal, Signer};

const SCHEMA: &str = "cavra.plugin-lock.v1";
const KEYS: [&str; 8] = ["name", "version", "kind", "files", "signers", "source", "installed_at", "previous"];

/// Versions before the installed one that are kept for a way back.
const KEPT: usize = 4;

/// One version of an installed plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// Its name.
    pub name: PackName,
    /// Its version.
    pub version: Version,
    /// Its kind.
    pub kind: Kind,
    /// Digests of its files.
    pub files: BTreeMap<&'static str, Digest>,
    /// Ids of the keys that vouched for it when it was installed.
    pub signers: Vec<String>,
    /// Where it came from.
    pub source: Source,
    /// The versions that were installed before, newest first.
    pub previous: Vec<Locked>,
}

/// Where and when a plugin was installed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// A path or a reference in a registry.
    pub place: String,
    /// When.
    pub installed_at: Timestamp,
}

/// What is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock(BTreeMap<PackName, Locked>);

impl Lock {
    /// Reads the lock strictly.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn read(document: &Value) -> Result<Self, DocumentError> {
        let section = Section::document(document, &["schema_version", "plugins"])?;
        if section.required_text("schema_version")? != SCHEMA {
            return Err(section.wrong("schema_version", &format!("must be {SCHEMA}")));
        }
        let mut plugins = BTreeMap::new();
        for item in section.sections("plugins", &KEYS)? {
            let mut locked = Locked::read(&item)?;
            for earlier in item.sections("previous", &KEYS)? {
                locked.previous.push(Locked::read(&earlier)?);
            }
            if plugins.insert(locked.name.clone(), locked).is_some() {
                return Err(item.wrong("name", "is there twice"));
            }
        }
        Ok(Self(plugins))
    }

    /// The document.
    #[must_use]
    pub fn to_value(&self) -> Value {
        json!({ "schema_version": SCHEMA, "plugins": self.0.values().map(Locked::to_value).collect::<Vec<_>>() })
    }

    /// Everything that is installed, by name.
    pub fn plugins(&self) -> impl Iterator<Item = &Locked> {
        self.0.values()
    }

    /// What is installed under a name.
    ///
    /// # Errors
    /// [`Refusal::NotInstalled`].
    pub fn get(&self, name: &PackName) -> Result<&Locked, Refusal> {
        self.0.get(name).ok_or_else(|| Refusal::NotInstalled { name: name.to_string() })
    }

    /// Puts a version in the place of the installed one, which becomes the newest of the previous ones. Answers the versions
    /// that are kept no longer.
    pub fn put(&mut self, mut locked: Locked) -> Vec<Locked> {
        if let Some(mut earlier) = self.0.remove(&locked.name) {
            let before = std::mem::take(&mut earlier.previous);
            let same = earlier.package() == locked.package();
            locked.previous = (!same).then_some(earlier).into_iter().chain(before).collect();
            let package = locked.package();
            locked.previous.retain(|other| other.package() != package);
        }
        let gone = locked.previous.split_off(locked.previous.len().min(KEPT));
        self.0.insert(locked.name.clone(), locked);
        gone
    }

    /// Puts the newest of the previous versions back in the place of the installed one.
    ///
    /// # Errors
    /// [`Refusal::NotInstalled`], also if there is no previous version.
    pub fn roll_back(&mut self, name: &PackName) -> Result<&Locked, Refusal> {
        let locked = self.get(name)?.clone();
        let mut previous = locked.previous.into_iter();
        let mut back = previous.next().ok_or_else(|| Refusal::NotInstalled { name: format!("an earlier {name}") })?;
        back.previous = previous.collect();
        self.0.insert(name.clone(), back);
        self.get(name)
    }

    /// Takes a plugin out.
    ///
    /// # Errors
    /// [`Refusal::NotInstalled`].
    pub fn remove(&mut self, name: &PackName) -> Result<Locked, Refusal> {
        self.0.remove(name).ok_or_else(|| Refusal::NotInstalled { name: name.to_string() })
    }
}

impl Locked {
    /// A package as it is installed.
    #[must_use]
    pub fn of(package: &Package, signers: &[Signer], source: Source) -> Self {
        let manifest = &package.manifest;
        Self {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            kind: manifest.kind,
            files: package.digests(),
            signers: signers.iter().map(|signer| signer.key_id.clone()).collect(),
            source,
            previous: Vec::new(),
        }
    }

    /// Digest of the package.
    #[must_use]
    pub fn package(&self) -> Digest {
        package_digest(&self.files)
    }

    /// Digest of the component.
    #[must_use]
    pub fn component(&self) -> Option<&Digest> {
        self.files.get(COMPONENT)
    }

    fn read(section: &Section<'_>) -> Result<Self, DocumentError> {
        let word = section.required_text("kind")?;
        let kind = Kind::of(&word).ok_or_else(|| section.wrong("kind", &format!("`{}` is no kind", shown(&word))))?;
        let mut files = BTreeMap::new();
        for file in section.sections("files", &["name", "digest"])? {
            let name = file.required_text("name")?;
            let known = known_file(&name).ok_or_else(|| file.wrong("name", "is no file of a plugin"))?;
            files.insert(known, digest_of(&file, "digest", &file.required_text("digest")?)?);
        }
        Ok(Self {
            name: name_of(section, "name")?,
            version: version_of(section, "version")?.ok_or_else(|| section.wrong("version", "is required"))?,
            kind,
            files,
            signers: section.texts("signers")?.unwrap_or_default(),
            source: Source {
                place: section.required_text("source")?,
                installed_at: time(section, "installed_at")?
                    .ok_or_else(|| section.wrong("installed_at", "is required"))?,
            },
            previous: Vec::new(),
        })
    }

    fn to_value(&self) -> Value {
        let file = |(name, digest): (&&str, &Digest)| json!({"name": name, "digest": digest});
        let mut members = Object::new();
        for (key, value) in [
            ("name", json!(self.name.as_str())),
            ("version", json!(self.version.to_string())),
            ("kind", json!(self.kind.as_str())),
            ("files", json!(self.files.iter().map(file).collect::<Vec<_>>())),
            ("signers", json!(self.signers)),
            ("source", json!(self.source.place)),
            ("installed_at", json!(self.source.installed_at)),
        ] {
            members.insert(key.to_owned(), value);
        }
        if !self.previous.is_empty() {
            members.insert("previous".to_owned(), self.previous.iter().map(Self::to_value).collect());
        }
        Value::Object(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::POLICY_PACK;
    use crate::package::tests::files;

    fn locked(version: &str) -> Locked {
        let mut files = files();
        files[0].1 = POLICY_PACK.replace("1.2.0", version).into_bytes();
        let source = Source { place: "dist".to_owned(), installed_at: Timestamp::from_micros(0) };
        Locked::of(&Package::new(files).unwrap(), &[], source)
    }

    #[test]
    fn a_lock_reads_back_with_the_way_back() {
        let mut lock = Lock::default();
        for version in ["1.0.0", "1.1.0", "1.2.0"] {
            assert_eq!(lock.put(locked(version)), vec![]);
        }
        assert_eq!(Lock::read(&lock.to_value()).unwrap(), lock);
        let name = locked("1.0.0").name;
        // Installing what is installed leaves the way back as it is.
        lock.put(locked("1.2.0"));
        assert_eq!(lock.get(&name).unwrap().previous.len(), 2);
        assert_eq!(lock.roll_back(&name).unwrap().version, Version::new(1, 1, 0));
        assert_eq!(lock.roll_back(&name).unwrap().version, Version::new(1, 0, 0));
        assert!(lock.roll_back(&name).is_err());
        lock.remove(&name).unwrap();
        assert!(lock.remove(&name).is_err() && lock.plugins().count() == 0);
        for minor in 0..7 {
            let gone = lock.put(locked(&format!("2.{minor}.0")));
            assert_eq!(gone.len(), usize::from(minor > 4));
        }
    }

    #[test]
    fn what_is_wrong_in_a_lock_is_named() {
        let mut lock = Lock::default();
        lock.put(locked("1.0.0"));
        let text = lock.to_value().to_string();
        for (from, to, said) in [
            ("\"signers\"", "\"signer\"", "did you mean `signers`"),
            ("plugin.wasm", "plugin.exe", "no file of a plugin"),
            ("sha256:", "md5:", "64 hex digits"),
            ("cavra.plugin-lock.v1", "v9", "schema_version"),
            ("policy-pack", "pack", "no kind"),
        ] {
            assert!(text.contains(from), "{text}");
            let document = serde_json::from_str(&text.replacen(from, to, 1)).unwrap();
            let refused = Lock::read(&document).unwrap_err().to_string();
            assert!(refused.contains(said), "{to}: {refused}");
        }
    }
}
