//! The files of one version of a plugin.

use std::collections::BTreeMap;
use std::path::Path;

use cavra_artifacts::{FileError, read_file};
use cavra_model::{Digest, canonical};
use serde_json::{Value, json};

use crate::{Interfaces, Kind, Manifest, Refusal};

/// What the plugin is and asks for.
pub const MANIFEST: &str = "plugin.yaml";
/// The component.
pub const COMPONENT: &str = "plugin.wasm";
/// The policy document of a policy pack.
pub const POLICY: &str = "policy.yaml";
/// What the plugin is meant to answer.
pub const TESTS: &str = "tests.yaml";
/// The signatures. They are about the other files and not one of them.
pub const ENVELOPE: &str = "plugin.dsse.json";

/// The files that are signed, with their largest size in bytes.
const FILES: [(&str, u64); 4] = [(MANIFEST, 64 << 10), (COMPONENT, 20 << 20), (POLICY, 1 << 20), (TESTS, 1 << 20)];
/// Largest [`ENVELOPE`], in bytes.
const MAX_ENVELOPE_BYTES: u64 = 256 << 10;
/// Largest package, in bytes.
pub const MAX_PACKAGE_BYTES: u64 = 23 << 20;

/// Largest size of a file of that name, in bytes; none if a package has no such file.
#[must_use]
pub fn limit_of(name: &str) -> Option<u64> {
    let listed = FILES.iter().find(|(file, _)| *file == name).map(|(_, limit)| *limit);
    listed.or((name == ENVELOPE).then_some(MAX_ENVELOPE_BYTES))
}

/// One version of a plugin: its files, and what its manifest says.
#[derive(Clone, Debug)]
pub struct Package {
    /// What the manifest says.
    pub manifest: Manifest,
    /// The files that are signed, by name.
    files: BTreeMap<&'static str, Vec<u8>>,
    /// The digest of each of them.
    digests: BTreeMap<&'static str, Digest>,
    /// The signatures, if there are any.
    pub envelope: Option<Value>,
}

impl Package {
    /// A package of these files.
    ///
    /// # Errors
    /// [`Refusal::Strange`] for a file that no package has, [`Refusal::TooLarge`], [`Refusal::Incomplete`],
    /// [`Refusal::Document`] for a manifest or envelope that cannot be read.
    pub fn new(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<Self, Refusal> {
        let (mut kept, mut envelope) = (BTreeMap::new(), None);
        for (name, bytes) in files {
            let limit = limit_of(&name).ok_or_else(|| Refusal::strange(&name))?;
            if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
                return Err(Refusal::TooLarge { file: name, limit });
            }
            match FILES.iter().find(|(file, _)| *file == name) {
                Some((file, _)) => drop(kept.insert(*file, bytes)),
                None => envelope = Some(read_envelope(&bytes)?),
            }
        }
        let manifest = kept.get(MANIFEST).ok_or(Refusal::Incomplete { file: MANIFEST })?;
        let manifest = Manifest::read(manifest)?;
        let digests = kept.iter().map(|(name, bytes)| (*name, Digest::of(bytes))).collect();
        let package = Self { manifest, files: kept, digests, envelope };
        let needed = if package.manifest.kind == Kind::PolicyPack { &[COMPONENT, POLICY][..] } else { &[COMPONENT] };
        match needed.iter().find(|file| !package.files.contains_key(**file)) {
            Some(file) => Err(Refusal::Incomplete { file }),
            None => Ok(package),
        }
    }

    /// The package in a folder. Other files of the folder are none of its.
    ///
    /// # Errors
    /// As [`Package::new`], and [`Refusal::Unreadable`].
    pub fn read(folder: &Path) -> Result<Self, Refusal> {
        let mut files = Vec::new();
        for name in FILES.iter().map(|(name, _)| *name).chain([ENVELOPE]) {
            let limit = limit_of(name).unwrap_or_default();
            match read_file(&folder.join(name), limit) {
                Ok(bytes) => files.push((name.to_owned(), bytes)),
                Err(FileError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(FileError::TooLarge(limit)) => return Err(Refusal::TooLarge { file: name.to_owned(), limit }),
                Err(error) => return Err(Refusal::Unreadable { file: name.to_owned(), problem: error.to_string() }),
            }
        }
        Self::new(files)
    }

    /// A file of it.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// The component.
    #[must_use]
    pub fn component(&self) -> &[u8] {
        self.file(COMPONENT).unwrap_or_default()
    }

    /// Digest of the component, by which decisions name it.
    #[must_use]
    pub fn component_digest(&self) -> Digest {
        self.digests.get(COMPONENT).cloned().unwrap_or_else(|| Digest::of(self.component()))
    }

    /// The digest of each file that is signed.
    #[must_use]
    pub fn digests(&self) -> BTreeMap<&'static str, Digest> {
        self.digests.clone()
    }

    /// The digest of the package: of the digests of all files that are signed.
    #[must_use]
    pub fn digest(&self) -> Digest {
        package_digest(&self.digests)
    }

    /// What the component imports and exports.
    ///
    /// # Errors
    /// [`Refusal::NotAComponent`].
    pub fn interfaces(&self) -> Result<Interfaces, Refusal> {
        Interfaces::of(self.component())
    }

    /// Every file, the envelope among them, by name.
    #[must_use]
    pub fn contents(&self) -> Vec<(&'static str, Vec<u8>)> {
        let envelope = self.envelope.as_ref().map(|envelope| (ENVELOPE, cavra_evidence::pretty(envelope).into_bytes()));
        self.files.iter().map(|(name, bytes)| (*name, bytes.clone())).chain(envelope).collect()
    }
}

/// The digest of files with these digests.
pub(crate) fn package_digest(digests: &BTreeMap<&'static str, Digest>) -> Digest {
    Digest::of(canonical(&json!(digests)))
}

/// The name of a signed file, as it is written here.
pub(crate) fn known_file(name: &str) -> Option<&'static str> {
    FILES.iter().map(|(file, _)| *file).find(|file| *file == name)
}

fn read_envelope(bytes: &[u8]) -> Result<Value, Refusal> {
    cavra_model::read_json(bytes)
        .map_err(|error| Refusal::Document { file: ENVELOPE.to_owned(), problem: error.to_string() })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::manifest::tests::POLICY_PACK;

    /// A component of the policy world that names its types and exports its functions.
    pub(crate) fn component() -> Vec<u8> {
        let text = r#"(component (import "cavra:policy/types@1.1.0" (instance)))"#;
        wat::parse_str(text).unwrap()
    }

    pub(crate) fn files() -> Vec<(String, Vec<u8>)> {
        [
            (MANIFEST, POLICY_PACK.as_bytes().to_vec()),
            (COMPONENT, component()),
            (POLICY, b"metadata: {id: cavra-freeze}\n".to_vec()),
        ]
        .map(|(name, bytes)| (name.to_owned(), bytes))
        .to_vec()
    }

    pub(crate) fn package() -> Package {
        Package::new(files()).unwrap()
    }

    #[test]
    fn a_package_is_whole_and_nothing_else() {
        let package = package();
        assert_eq!(package.digests().len(), 3);
        for missing in 0..3 {
            let mut files = files();
            let (name, _) = files.remove(missing);
            let refused = Package::new(files).unwrap_err();
            assert!(matches!(&refused, Refusal::Incomplete { file } if *file == name), "{refused}");
        }
        for name in ["../plugin.wasm", "/etc/passwd", "plugin.wasm/", "PLUGIN.WASM", "extra", "", "a\u{1b}[2J"] {
            let mut files = files();
            files.push((name.to_owned(), vec![1]));
            let refused = Package::new(files).unwrap_err();
            assert_eq!(refused.code(), "strange_file", "{name}");
            assert!(!refused.to_string().contains('\u{1b}'));
        }
        let mut heavy = files();
        heavy[1].1 = vec![0; (20 << 20) + 1];
        assert_eq!(Package::new(heavy).unwrap_err().code(), "too_large");
    }

    #[test]
    fn a_package_is_read_from_its_folder() {
        let home = tempfile::tempdir().unwrap();
        for (name, bytes) in files() {
            std::fs::write(home.path().join(name), bytes).unwrap();
        }
        std::fs::write(home.path().join("README.md"), "not part of it").unwrap();
        let read = Package::read(home.path()).unwrap();
        assert_eq!((read.digest(), read.envelope.is_none()), (package().digest(), true));
        std::fs::write(home.path().join(ENVELOPE), "{").unwrap();
        assert_eq!(Package::read(home.path()).unwrap_err().code(), "document");
        std::fs::remove_file(home.path().join(COMPONENT)).unwrap();
        std::fs::create_dir(home.path().join(COMPONENT)).unwrap();
        assert_eq!(Package::read(home.path()).unwrap_err().code(), "unreadable");
    }
}
