//! The operator's directory of plugins: trust set, grants, lock, and the packages that are installed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use cavra_artifacts::{Access, Draft, FileError, Otherwise, put_directory, read_file, replace_file, unique_sibling};
use cavra_documents::{DocumentError, Language, parse_document};
use cavra_evidence::pretty;
use cavra_model::{PackName, Timestamp};
use serde_json::Value;
use thiserror::Error;

use crate::admit::{Admitted, Replacing, Rules, admit, check_locked};
use crate::{Grants, Lock, Locked, Package, Refusal, Source, TrustSet};

/// Whose signatures count.
pub const TRUST_FILE: &str = "trust.yaml";
/// What each plugin may have.
pub const GRANTS_FILE: &str = "grants.yaml";
/// What is installed.
pub const LOCK_FILE: &str = "cavra-plugins.lock";

/// Where the packages lie.
const PACKAGES: &str = "packages";
/// Held by whoever changes something.
const GUARD: &str = ".guard";
/// Largest of the three documents, in bytes.
const MAX_DOCUMENT: u64 = 4 << 20;

/// The directory cannot be used.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// One of its documents is not what it should be.
    #[error("{}: {problem}", file.display())]
    Document {
        /// The file.
        file: PathBuf,
        /// What is wrong and where in it.
        problem: String,
    },
    /// A plugin is refused; nothing was changed.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// What is installed under a name, and whether it may be loaded.
pub type Loaded = (Locked, Result<Admitted, Refusal>);

/// The operator's directory of plugins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginDirectory {
    root: PathBuf,
}

impl PluginDirectory {
    /// The directory at a path, which need not be there.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The files on which it depends what is loaded.
    #[must_use]
    pub fn documents(&self) -> [PathBuf; 3] {
        [TRUST_FILE, GRANTS_FILE, LOCK_FILE].map(|name| self.root.join(name))
    }

    /// Whether somebody says here whose signatures count.
    #[must_use]
    pub fn has_trust_set(&self) -> bool {
        self.root.join(TRUST_FILE).symlink_metadata().is_ok()
    }

    /// What the operator says. Without a trust set nobody's signature counts; without grants nothing is granted.
    ///
    /// # Errors
    /// [`DirectoryError::Document`].
    pub fn rules(&self) -> Result<Rules, DirectoryError> {
        Ok(Rules {
            trust: self.document(TRUST_FILE, Language::Yaml, TrustSet::read)?.unwrap_or_default(),
            grants: self.document(GRANTS_FILE, Language::Yaml, Grants::read)?.unwrap_or_default(),
        })
    }

    /// What is installed.
    ///
    /// # Errors
    /// [`DirectoryError::Document`].
    pub fn lock(&self) -> Result<Lock, DirectoryError> {
        Ok(self.document(LOCK_FILE, Language::Json, Lock::read)?.unwrap_or_default())
    }

    fn document<T>(
        &self,
        name: &str,
        language: Language,
        read: impl FnOnce(&Value) -> Result<T, DocumentError>,
    ) -> Result<Option<T>, DirectoryError> {
        let file = self.root.join(name);
        let bytes = match read_file(&file, MAX_DOCUMENT) {
            Ok(bytes) => bytes,
            // A link to nowhere was meant to be something.
            Err(FileError::Io(error)) if error.kind() == io::ErrorKind::NotFound && !is_link(&file) => return Ok(None),
            Err(error) => return Err(DirectoryError::Document { file, problem: error.to_string() }),
        };
        let wrong = |problem: String| DirectoryError::Document { file: file.clone(), problem };
        let document = parse_document(&bytes, language).map_err(wrong)?;
        read(&document).map(Some).map_err(|error| wrong(error.to_string()))
    }

    /// The files of an installed version, which are those that were installed. Whether they may be loaded is another question.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn installed_package(&self, locked: &Locked) -> Result<Package, Refusal> {
        let package = Package::read(&self.place(locked))?;
        check_locked(locked, &package)?;
        Ok(package)
    }

    /// The files of an installed version, admitted by what the operator says now.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn load(&self, locked: &Locked, rules: &Rules, now: Timestamp) -> Result<Admitted, Refusal> {
        admit(self.installed_package(locked)?, rules, now)
    }

    /// Everything that is installed, each admitted or with why it is not.
    ///
    /// # Errors
    /// [`DirectoryError::Document`]: without knowing what is locked and trusted, nothing can be loaded.
    pub fn load_all(&self, now: Timestamp) -> Result<Vec<Loaded>, DirectoryError> {
        let (lock, rules) = (self.lock()?, self.rules()?);
        Ok(lock.plugins().map(|locked| (locked.clone(), self.load(locked, &rules, now))).collect())
    }

    /// Installs an admitted package: writes its files, then the lock. Whoever loads plugins meanwhile finds the old version
    /// or the new one.
    ///
    /// # Errors
    /// [`DirectoryError::Refused`] if it may not replace what is installed; then nothing was changed.
    pub fn install(&self, admitted: &Admitted, source: Source, replacing: Replacing) -> Result<Locked, DirectoryError> {
        let _guard = self.guard()?;
        let mut lock = self.lock()?;
        if let Ok(installed) = lock.get(&admitted.package.manifest.name) {
            admitted.may_replace(installed, replacing)?;
        }
        let locked = Locked::of(&admitted.package, &admitted.signers, source);
        self.write_package(&locked, &admitted.package)?;
        let gone = lock.put(locked.clone());
        self.write(LOCK_FILE, &pretty(&lock.to_value()))?;
        gone.iter().for_each(|gone| drop(fs::remove_dir_all(self.place(gone))));
        Ok(locked)
    }

    /// Puts the version that was installed before back. It has to be admitted by what the operator says now.
    ///
    /// # Errors
    /// [`DirectoryError::Refused`]; then nothing was changed.
    pub fn roll_back(&self, name: &PackName, now: Timestamp) -> Result<Locked, DirectoryError> {
        let _guard = self.guard()?;
        let mut lock = self.lock()?;
        let locked = lock.roll_back(name)?.clone();
        self.load(&locked, &self.rules()?, now)?;
        self.write(LOCK_FILE, &pretty(&lock.to_value()))?;
        Ok(locked)
    }

    /// Removes a plugin and everything that is kept of it.
    ///
    /// # Errors
    /// [`DirectoryError::Refused`] if it is not installed.
    pub fn remove(&self, name: &PackName) -> Result<Locked, DirectoryError> {
        let _guard = self.guard()?;
        let mut lock = self.lock()?;
        let locked = lock.remove(name)?;
        self.write(LOCK_FILE, &pretty(&lock.to_value()))?;
        // Nothing that is not locked is loaded, so what cannot be removed is only in the way.
        let _ = fs::remove_dir_all(self.root.join(PACKAGES).join(name.as_str()));
        Ok(locked)
    }

    /// Changes the grants.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn change_grants(&self, change: impl FnOnce(&mut Grants)) -> Result<(), DirectoryError> {
        let _guard = self.guard()?;
        let mut grants = self.rules()?.grants;
        change(&mut grants);
        // JSON is YAML, and people may go on in either.
        self.write(GRANTS_FILE, &pretty(&grants.to_value()))
    }

    fn place(&self, locked: &Locked) -> PathBuf {
        self.root.join(PACKAGES).join(locked.name.as_str()).join(locked.package().hex())
    }

    fn write_package(&self, locked: &Locked, package: &Package) -> Result<(), DirectoryError> {
        let place = self.place(locked);
        let within = cavra_artifacts::parent(&place);
        let write = || -> io::Result<()> {
            fs::create_dir_all(within)?;
            let draft = unique_sibling(&place)?;
            fs::create_dir(&draft)?;
            for (name, bytes) in package.contents() {
                replace_file(&draft.join(name), &bytes, &Access::Mask, Draft::Unique)?;
            }
            let exists = place.symlink_metadata().is_ok();
            let names = [&draft, &place].map(|path| path.file_name().unwrap_or_default().to_owned());
            let [from, to] = &names;
            let put = put_directory(File::open(within)?, from.as_ref(), to.as_ref(), exists, Otherwise::InSteps);
            // The draft is what stood there before, or what could not be put there.
            let _ = fs::remove_dir_all(&draft);
            put
        };
        write().map_err(|source| DirectoryError::Io { path: place.clone(), source })
    }

    fn write(&self, name: &str, text: &str) -> Result<(), DirectoryError> {
        let path = self.root.join(name);
        let written = replace_file(&path, text.as_bytes(), &Access::Mask, Draft::Unique);
        written.map(drop).map_err(|source| DirectoryError::Io { path, source })
    }

    /// Waits until nobody else changes anything.
    fn guard(&self) -> Result<File, DirectoryError> {
        let path = self.root.join(GUARD);
        let open = || {
            cavra_artifacts::create_parents(&path, 0o755)?;
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        open().map_err(|source| DirectoryError::Io { path: path.clone(), source })
    }
}

fn is_link(file: &Path) -> bool {
    file.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink())
}
