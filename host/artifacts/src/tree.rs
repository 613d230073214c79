//! Directories that others may write in, read without ever leaving them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;
use thiserror::Error;

use crate::content::{Content, Hasher};

/// Entries that are looked at below one directory.
const MAX_ENTRIES: usize = 20_000;
/// Directories below each other.
const MAX_DEPTH: usize = 32;
/// Longest relative path, in bytes.
const MAX_PATH: usize = 1024;

/// A path below a directory: plain names joined by `/`. Nothing else can be opened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Inside(String);

impl Inside {
    /// The path, unless it is absolute, climbs, or is no plain text.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let plain = |c: char| c != '\\' && !c.is_control();
        let fits = !text.is_empty() && text.len() <= MAX_PATH && text.chars().all(plain);
        let mut names = text.split('/');
        let normal = Path::new(text).components().all(|part| matches!(part, Component::Normal(_)));
        (fits && normal && names.all(|name| !name.is_empty() && name != ".")).then(|| Self(text.to_owned()))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Digest and size of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// SHA-256 in hex.
    pub sha256: String,
    /// Size.
    pub bytes: u64,
}

/// Why a file was not read. Says nothing of where the directory is.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ReadError {
    /// There is no such file.
    #[error("the file is missing")]
    Missing,
    /// A directory, device, pipe or socket.
    #[error("it is no regular file")]
    NotAFile,
    /// More than what is read of such files.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// A link that leaves the directory, missing rights, or a failing disk.
    #[error("it cannot be read")]
    Unreadable,
}

/// Why a directory was not opened.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ReachError {
    /// It is not below the root.
    #[error("the directory is outside the artifact root")]
    Outside,
    /// There is no such directory.
    #[error("the directory is missing")]
    Missing,
}

/// Where directories may be.
#[derive(Clone, Debug)]
pub enum Reach {
    /// Wherever the user of the command line says.
    Anywhere,
    /// Below this directory, links followed; relative paths start from it.
    Under(PathBuf),
}

impl Reach {
    /// Opens a directory.
    ///
    /// # Errors
    /// [`ReachError`].
    pub fn open(&self, path: &Path) -> Result<Tree, ReachError> {
        match self {
            Self::Anywhere => {
                let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(|_| ReachError::Missing)?;
                let absolute = path.canonicalize().map_err(|_| ReachError::Missing)?;
                Ok(Tree::new(dir, path.display().to_string(), absolute))
            }
            Self::Under(root) => open_under(root, path),
        }
    }
}

/// The directory is resolved twice: once to see whether it is below the root, and once by opening it from the root
/// downwards, so that what is opened is below the root whatever was changed in between.
fn open_under(root: &Path, path: &Path) -> Result<Tree, ReachError> {
    let real_root = root.canonicalize().map_err(|_| ReachError::Missing)?;
    let wanted = real_root.join(path);
    let resolved = match wanted.canonicalize() {
        Ok(resolved) => resolved,
        Err(_) if lexically_below(&wanted, &[&real_root, root]) => return Err(ReachError::Missing),
        Err(_) => return Err(ReachError::Outside),
    };
    let below = resolved.strip_prefix(&real_root).map_err(|_| ReachError::Outside)?.to_owned();
    let top = Dir::open_ambient_dir(&real_root, ambient_authority()).map_err(|_| ReachError::Missing)?;
    let inner = if below.as_os_str().is_empty() { top.try_clone() } else { top.open_dir(&below) };
    Ok(Tree::new(inner.map_err(|_| ReachError::Missing)?, below.display().to_string(), resolved))
}

fn lexically_below(path: &Path, roots: &[&Path]) -> bool {
    let climbs = path.components().any(|part| part == Component::ParentDir);
    !climbs && roots.iter().any(|root| path.starts_with(root))
}

/// An open directory.
#[derive(Debug)]
pub struct Tree {
    dir: Dir,
    shown: String,
    absolute: PathBuf,
    measured: RefCell<BTreeMap<Inside, Result<Measured, ReadError>>>,
}

impl Tree {
    fn new(dir: Dir, shown: String, absolute: PathBuf) -> Self {
        Self { dir, shown, absolute, measured: RefCell::default() }
    }

    /// The path for people: as given, or relative to the root it has to be under.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The path with links resolved. Not for strangers.
    #[must_use]
    pub fn absolute(&self) -> &Path {
        &self.absolute
    }

    /// A whole file of at most `limit` bytes.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(&self, path: &Inside, limit: u64) -> Result<Vec<u8>, ReadError> {
        let file = self.open_file(path)?;
        let mut bytes = Vec::new();
        // One byte more than allowed shows that the file grew after it was measured.
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|_| ReadError::Unreadable)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit { Err(ReadError::TooLarge(limit)) } else { Ok(bytes) }
    }

    /// Hex SHA-256 of a file, however large; see [`Tree::measure`].
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn sha256(&self, path: &Inside) -> Result<String, ReadError> {
        Ok(self.measure(path)?.sha256)
    }

    /// Digest and size of a file, however large. Read once; the packages' documents all name the same few binaries.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn measure(&self, path: &Inside) -> Result<Measured, ReadError> {
        if let Some(known) = self.measured.borrow().get(path) {
            return known.clone();
        }
        let measured = self.hash(path);
        self.measured.borrow_mut().insert(path.clone(), measured.clone());
        measured
    }

    fn hash(&self, path: &Inside) -> Result<Measured, ReadError> {
        let mut hasher = Hasher::default();
        let bytes = io::copy(&mut self.open_file(path)?, &mut hasher).map_err(|_| ReadError::Unreadable)?;
        Ok(Measured { sha256: hasher.hex(), bytes })
    }

    /// A file to be sent: small ones are read at once, large ones stay open.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn content(&self, path: &Inside) -> Result<Content, ReadError> {
        Content::of(self.open_file(path)?.into_std()).map_err(|_| ReadError::Unreadable)
    }

    /// A regular file. What it is, is asked of what was opened; opening a pipe or a device does not wait.
    pub(crate) fn open_file(&self, path: &Inside) -> Result<File, ReadError> {
        let mut options = OpenOptions::new();
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        options.read(true).custom_flags(flags);
        let file = self.dir.open_with(path.as_str(), &options).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ReadError::Missing,
            _ => ReadError::Unreadable,
        })?;
        let found = file.metadata().map_err(|_| ReadError::Unreadable)?;
        if found.is_file() { Ok(file) } else { Err(ReadError::NotAFile) }
    }

    /// Whether there is a regular file.
    #[must_use]
    pub fn has(&self, path: &Inside) -> bool {
        self.open_file(path).is_ok()
    }

    /// All regular files below, sorted; links are not followed, names that are no plain text are left out. None if
    /// there is more than anybody would put there.
    #[must_use]
    pub fn files(&self) -> Option<Vec<Inside>> {
        let mut found = Vec::new();
        let mut seen = 0;
        let mut waiting = vec![(self.dir.try_clone().ok()?, String::new(), 0)];
        while let Some((dir, prefix, depth)) = waiting.pop() {
            for entry in dir.entries().ok()? {
                let entry = entry.ok()?;
                seen += 1;
                if seen > MAX_ENTRIES || depth > MAX_DEPTH {
                    return None;
                }
                let Some(path) = entry.file_name().to_str().and_then(|name| Inside::new(&format!("{prefix}{name}")))
                else {
                    continue;
                };
                let kind = entry.file_type().ok()?;
                if kind.is_dir() {
                    waiting.push((entry.open_dir().ok()?, format!("{path}/"), depth + 1));
                } else if kind.is_file() {
                    found.push(path);
                }
            }
        }
        found.sort();
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_plain_paths_are_inside() {
        for good in ["a", "a/b.json", "a b", "é", "..a", "a..b/c"] {
            assert!(Inside::new(good).is_some(), "{good}");
        }
        for bad in ["", "/", "/a", "..", "../a", "a/../b", "a/..", ".", "./a", "a/./b", "a//b", "a/", "a\\b", "a\0b"] {
            assert!(Inside::new(bad).is_none(), "{bad:?}");
        }
        assert!(Inside::new(&"a".repeat(MAX_PATH + 1)).is_none());
    }

    #[test]
    fn nothing_outside_is_read() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("root");
        fs::create_dir_all(root.join("dir/deep")).unwrap();
        fs::write(home.path().join("secret"), "s").unwrap();
        fs::write(root.join("shared"), "s").unwrap();
        fs::write(root.join("dir/plain"), "text").unwrap();
        std::os::unix::fs::symlink("../../secret", root.join("dir/out")).unwrap();
        std::os::unix::fs::symlink("../shared", root.join("dir/up")).unwrap();
        std::os::unix::fs::symlink("plain", root.join("dir/link")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", root.join("dir/zero")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, root.join("dir/pipe"), rustix::fs::Mode::RWXU).unwrap();
        let tree = Reach::Under(root.clone()).open(Path::new("dir")).unwrap();
        let read = |name: &str| tree.read(&Inside::new(name).unwrap(), 4);
        assert_eq!(read("plain").unwrap(), b"text");
        assert_eq!(read("link").unwrap(), b"text");
        assert_eq!(tree.read(&Inside::new("plain").unwrap(), 3), Err(ReadError::TooLarge(3)));
        for (name, error) in [
            ("out", ReadError::Unreadable),
            ("up", ReadError::Unreadable),
            ("zero", ReadError::Unreadable),
            ("pipe", ReadError::NotAFile),
            ("deep", ReadError::NotAFile),
            ("none", ReadError::Missing),
            ("plain/below", ReadError::Missing),
        ] {
            assert_eq!(read(name), Err(error), "{name}");
        }
        let files: Vec<_> = tree.files().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(files, ["plain"]);
    }

    #[test]
    fn directories_outside_the_root_are_out_of_reach_whether_they_exist_or_not() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("root");
        fs::create_dir_all(root.join("in")).unwrap();
        fs::create_dir_all(home.path().join("beside")).unwrap();
        std::os::unix::fs::symlink("../beside", root.join("link")).unwrap();
        let reach = Reach::Under(root.clone());
        let open = |path: &Path| reach.open(path).map(|tree| tree.shown().to_owned());
        assert_eq!(open(Path::new("in")), Ok("in".to_owned()));
        assert_eq!(open(&root.join("in")), Ok("in".to_owned()));
        assert_eq!(open(Path::new("in/../in")), Ok("in".to_owned()));
        for outside in ["../beside", "../nothing", "link", "/", "/etc", "/nothing/here"] {
            assert_eq!(open(Path::new(outside)), Err(ReachError::Outside), "{outside}");
        }
        for missing in ["none", "in/none"] {
            assert_eq!(open(Path::new(missing)), Err(ReachError::Missing), "{missing}");
        }
    }
}
