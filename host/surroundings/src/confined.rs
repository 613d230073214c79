//! What a command has to be able to use so that it can do what was decided, and no more: the profile of its sandbox.
//!
//! A sandbox grants folders as wholes, never a folder without one of its files. So a folder with a protected file in it is
//! granted piece by piece to code of the project, which can make nothing new beside that file.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use cavra_confine::{Access, Profile};
use cavra_model::{Certainty, Effects, FileEffect, FileUse};

use crate::guard::Protection;
use crate::here::Guarded;
use crate::links::real_path;
use crate::roots::common_directory;

/// Entries that are looked at to find protected files.
const MOST_ENTRIES: usize = 200_000;

/// Where programs, libraries and their settings lie.
const SYSTEM: [&str; 12] =
    ["/bin", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/opt", "/proc", "/sbin", "/sys", "/usr"];

/// Devices that hold nothing.
const DEVICES: [&str; 8] =
    ["/dev/fd", "/dev/full", "/dev/null", "/dev/ptmx", "/dev/pts", "/dev/tty", "/dev/zero", "/dev/shm"];
const RANDOM: [&str; 2] = ["/dev/random", "/dev/urandom"];

/// Where tools of developers lie below the home directory: they are read by code of the project.
const TOOLS: [&str; 14] = [
    ".asdf",
    ".bun",
    ".cargo/bin",
    ".deno",
    ".dotnet",
    ".jenv",
    ".local",
    ".nvm",
    ".pyenv",
    ".rbenv",
    ".rustup",
    ".sdkman",
    ".volta",
    "go",
];

/// What tools keep below the home directory to be faster the next time.
const CACHES: [&str; 9] = [
    ".cache",
    ".cargo/git",
    ".cargo/registry",
    ".gradle/caches",
    ".m2/repository",
    ".npm/_cacache",
    ".npm/_logs",
    ".yarn/berry/cache",
    "go/pkg",
];

/// Systems of version control.
const VERSION_CONTROL: [&str; 4] = ["git", "hg", "jj", "svn"];

/// What is being granted.
struct Grants<'a> {
    place: &'a Guarded<'a>,
    /// Code of the project runs.
    runs: bool,
    files: Vec<(PathBuf, Access)>,
    entries: usize,
}

impl Guarded<'_> {
    /// What a command with these effects has to be able to use. `None` if there are too many files to tell which of them are
    /// protected.
    #[must_use]
    pub fn profile(&self, effects: &Effects) -> Option<Profile> {
        // Of what is not understood nobody can say more than of the project's code.
        let runs = !effects.runs.is_empty() || effects.certainty.contains(&Certainty::Unknown);
        let mut grants = Grants { place: self, runs, files: Vec::new(), entries: 0 };
        grants.system();
        effects.files.iter().try_for_each(|file| grants.file(file))?;
        let of_vcs = |reads_only: bool| {
            let mut changes = effects.changes.iter();
            changes.any(|one| VERSION_CONTROL.contains(&one.system.as_str()) && one.reads_only == reads_only)
        };
        let (looks, changes) = (of_vcs(true), of_vcs(false));
        if runs {
            grants.project_code();
        }
        for root in self.roots() {
            let root = Path::new(root);
            if runs || changes {
                grants.tree(root, Access::Write)?;
            } else if looks {
                grants.tree(root, Access::Read)?;
            }
            if changes && let Some(own) = common_directory(&root.join(".git")) {
                grants.files.push((own, Access::Write));
            }
        }
        grants.files.sort_unstable();
        grants.files.dedup();
        Some(Profile { files: grants.files, network: !effects.network.is_empty() })
    }
}

impl Grants<'_> {
    fn system(&mut self) {
        let read = SYSTEM.iter().chain(&RANDOM).map(|path| (PathBuf::from(path), Access::Read));
        self.files.extend(read);
        self.files.extend(DEVICES.map(|path| (PathBuf::from(path), Access::Write)));
        let programs = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
        self.files.extend(programs.into_iter().filter(|path| path.is_absolute()).map(|path| (path, Access::Read)));
    }

    /// What code of the project needs beside the project.
    fn project_code(&mut self) {
        self.files.extend(self.place.temporary().iter().map(|folder| (PathBuf::from(folder), Access::Write)));
        let home = Path::new(self.place.home());
        if home.is_absolute() {
            self.files.extend(TOOLS.map(|folder| (home.join(folder), Access::Read)));
            self.files.extend(CACHES.map(|folder| (home.join(folder), Access::Write)));
        }
    }

    /// One file effect, below each root if it is one of the repository.
    fn file(&mut self, file: &FileEffect) -> Option<()> {
        // The same file under its name from the home directory.
        if file.path.starts_with('~') {
            return Some(());
        }
        let fixed = if file.pattern { fixed_folder(&file.path) } else { file.path.as_str() };
        let path = Path::new(fixed);
        if path.is_absolute() {
            return self.use_of(file, path);
        }
        let roots = self.place.roots().to_vec();
        roots.iter().try_for_each(|root| self.use_of(file, &Path::new(root).join(path)))
    }

    fn use_of(&mut self, file: &FileEffect, path: &Path) -> Option<()> {
        let is_there = path.exists();
        match file.usage {
            FileUse::Lists if path.is_dir() => self.files.push((path.to_owned(), Access::List)),
            FileUse::Lists => {}
            FileUse::Reads => self.tree(path, Access::Read)?,
            FileUse::Writes if is_there => self.tree(path, Access::Write)?,
            FileUse::Writes | FileUse::Deletes => {}
        }
        // To make, replace or remove something is a matter of the folder that it lies in. Where nothing but the command itself
        // runs, which was read word by word, it gets the folder; code of the project only where the file is not there yet, and
        // cannot read there by that.
        let is_made = match file.usage {
            FileUse::Lists | FileUse::Reads => false,
            FileUse::Writes => !(is_there && self.runs),
            FileUse::Deletes => true,
        };
        if is_made {
            let access = if self.runs { Access::Make } else { Access::Write };
            self.files.extend(nearest_folder(path).map(|folder| (folder.to_owned(), access)));
        }
        Some(())
    }

    /// A file, or a folder with everything below it but what is protected.
    fn tree(&mut self, path: &Path, access: Access) -> Option<()> {
        let (whole, parts) = self.parts(path, access)?;
        if whole {
            self.files.push((path.to_owned(), access));
        } else {
            self.files.extend(parts);
        }
        Some(())
    }

    /// Whether the path can be granted as a whole; its parts otherwise.
    fn parts(&mut self, path: &Path, access: Access) -> Option<(bool, Vec<(PathBuf, Access)>)> {
        self.entries += 1;
        if self.entries > MOST_ENTRIES {
            return None;
        }
        let is_link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
        if is_link || !path.is_dir() {
            let behind = if is_link { real_path(path) } else { None };
            let protection =
                [Some(path), behind.as_deref()].into_iter().flatten().filter_map(|path| self.place.protects(path));
            return Some(match (protection.min_by_key(|protection| *protection == Protection::Write), access) {
                (Some(Protection::Read), _) => (false, Vec::new()),
                (Some(Protection::Write), Access::Write) => (false, vec![(path.to_owned(), Access::Read)]),
                // What a link leads to is granted where that lies.
                _ => (true, Vec::new()),
            });
        }
        let mut whole = true;
        let mut parts = vec![(path.to_owned(), Access::List)];
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            let below = entry.path();
            let (all, some) = self.parts(&below, access)?;
            whole &= all;
            if all {
                parts.push((below, access));
            } else {
                parts.extend(some);
            }
        }
        Some((whole, parts))
    }
}

/// The folder that a path lies in, or the nearest one above that is there.
fn nearest_folder(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).find(|folder| folder.is_dir())
}

/// The part of a pattern before its first placeholder, up to a folder.
fn fixed_folder(pattern: &str) -> &str {
    let end = pattern.find(['*', '?', '[', '{']).unwrap_or(pattern.len());
    pattern.get(..end).and_then(|fixed| fixed.rfind('/').map(|at| fixed.get(..at.max(1)).unwrap_or("/"))).unwrap_or(".")
}
