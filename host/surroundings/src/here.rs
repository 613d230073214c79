//! A working directory, the repository around it, and the disk they lie on.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use cavra_normalize::{Disk, FileKind, GitFacts, Surroundings};

use crate::guard::{Guard, Protection};
use crate::links::{cleaned, real_path};
use crate::roots::repository_roots;
use crate::{below, git};

/// Names of a folder that are looked at for one that begins with `-`.
const MOST_NAMES: usize = 20_000;

/// The place where a command would run.
#[derive(Debug)]
pub struct Here {
    directory: String,
    roots: Vec<String>,
    home: String,
    temporary: Vec<String>,
}

/// A place under a policy, which says what is protected there.
#[derive(Debug)]
pub struct Guarded<'a> {
    here: &'a Here,
    guard: Guard,
}

impl Here {
    /// The working directory, in the project that is named, else in the one that it lies in.
    #[must_use]
    pub fn at(directory: &Path, project: Option<&Path>) -> Self {
        let directory = cleaned(&absolute(directory));
        let project = project.map(|project| cleaned(&absolute(project)));
        Self {
            roots: texts(repository_roots(project.as_deref(), &directory)),
            directory: text(&directory),
            home: home_directory(),
            temporary: temporary_folders(),
        }
    }

    /// With what the policy in force protects.
    #[must_use]
    pub fn guarded(&self, guard: Guard) -> Guarded<'_> {
        Guarded { here: self, guard: guard.ignoring_case(self.ignores_case()) }
    }

    /// The working directory, absolute.
    #[must_use]
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// The repository's roots, absolute: the project's own first.
    #[must_use]
    pub fn roots(&self) -> &[String] {
        &self.roots
    }

    /// The file system takes `A` and `a` for the same name where the repository lies.
    #[must_use]
    pub fn ignores_case(&self) -> bool {
        self.roots.first().is_some_and(|root| below::ignores_case(Path::new(root)))
    }

    /// The path as the policy names it: relative inside of the repository.
    fn policy_name(&self, path: &Path) -> String {
        let inside = self.roots.iter().find_map(|root| path.strip_prefix(root).ok());
        inside.map_or_else(|| text(path), text)
    }
}

impl Guarded<'_> {
    /// The repository's roots, absolute.
    pub(crate) fn roots(&self) -> &[String] {
        &self.here.roots
    }

    /// The user's home directory; empty if it is not known.
    pub(crate) fn home(&self) -> &str {
        &self.here.home
    }

    /// Folders for temporary files.
    pub(crate) fn temporary(&self) -> &[String] {
        &self.here.temporary
    }

    /// How the policy protects a file of this disk.
    pub(crate) fn protects(&self, path: &Path) -> Option<Protection> {
        self.guard.protection(&self.here.policy_name(path))
    }

    /// What the normaliser is told.
    #[must_use]
    pub fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            directory: &self.here.directory,
            roots: &self.here.roots,
            home: &self.here.home,
            temporary: &self.here.temporary,
            disk: Some(self),
            ..Surroundings::unknown()
        }
    }
}

impl Disk for Guarded<'_> {
    fn kind(&self, path: &str) -> Option<FileKind> {
        let metadata = fs::metadata(path).ok()?;
        Some(if metadata.is_dir() { FileKind::Directory } else { FileKind::File })
    }

    fn behind_links(&self, path: &str) -> Vec<String> {
        let real = real_path(Path::new(path)).map(|real| text(&real));
        real.filter(|real| real != path).into_iter().collect()
    }

    fn protected_below(&self, folder: &str) -> Option<Vec<String>> {
        below::protected(Path::new(folder), |path| self.protects(path))
    }

    fn has_option_like_name(&self, folder: &str) -> bool {
        let Ok(entries) = fs::read_dir(folder) else { return Path::new(folder).exists() };
        let mut count = 0;
        entries.into_iter().any(|entry| {
            count += 1;
            count > MOST_NAMES || entry.map_or(true, |entry| entry.file_name().as_encoded_bytes().starts_with(b"-"))
        })
    }

    fn head(&self, directory: &str) -> Option<String> {
        git::head(Path::new(directory))
    }

    fn git(&self, directory: &str) -> Option<GitFacts> {
        git::facts(Path::new(directory), &self.here.roots, &self.here.home, |key| self.guard.trusts(key))
    }
}

/// The user's home directory, absolute and clean; empty if it is not known.
#[must_use]
pub fn home_directory() -> String {
    let home = env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    home.map(|home| text(&cleaned(&home))).unwrap_or_default()
}

/// Where the system and its programs put temporary files.
fn temporary_folders() -> Vec<String> {
    let mut folders = vec![env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")];
    let real: Vec<PathBuf> = folders.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
    folders.extend(real);
    // A folder above everything else would make a temporary file of everything.
    folders.retain(|folder| folder.is_absolute() && folder.components().count() > 1);
    let mut folders = texts(folders);
    folders.dedup();
    folders
}

fn absolute(path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_owned() } else { env::current_dir().unwrap_or_default().join(path) }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn texts(paths: Vec<PathBuf>) -> Vec<String> {
    let mut texts: Vec<String> = Vec::with_capacity(paths.len());
    for path in paths {
        let path = text(&path);
        if !texts.contains(&path) {
            texts.push(path);
        }
    }
    texts
}
