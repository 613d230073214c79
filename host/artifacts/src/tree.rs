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

    /// The name of something directly in the directory, unless it is a path or no plain text.
    #[must_use]
    pub fn bare(name: &str) -> Option<Self> {
        Self::new(name).filter(|path| !path.0.contains('/'))
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
    #[error("there is no such file")]
    Missing,
    /// A link that leaves the directory, or that has no end.
    #[error("leads out of the directory, or nowhere")]
    Outside,
    /// A directory, device, pipe or socket.
    #[error("no regular file")]
    NotAFile,
    /// More than what is read of such files.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    /// Missing rights, or a failing disk.
    #[error("cannot be read: {0}")]
    Unreadable(io::ErrorKind),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error.kind())
    }
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
    /// It is no directory, or rights are missing.
    #[error("the directory cannot be opened: {0}")]
    Unreadable(io::ErrorKind),
}

impl From<io::Error> for ReachError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            kind => Self::Unreadable(kind),
        }
    }
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
                let dir = Dir::open_ambient_dir(path, ambient_authority())?;
                let absolute = path.canonicalize()?;
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

    /// Another handle of the same directory.
    ///
    /// # Errors
    /// [`ReachError::Unreadable`] if there are no more handles.
    pub fn try_clone(&self) -> Result<Self, ReachError> {
        Ok(Self::new(self.dir.try_clone()?, self.shown.clone(), self.absolute.clone()))
    }

    /// A whole file of at most `limit` bytes.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(&self, path: &Inside, limit: u64) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        self.copy(path, limit, &mut bytes)?;
        Ok(bytes)
    }

    /// Hex SHA-256 of a file, however large; see [`Tree::measure`].
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn sha256(&self, path: &Inside) -> Result<String, ReadError> {
        Ok(self.measure(path, u64::MAX)?.sha256)
    }

    /// Digest and size of a file of at most `limit` bytes. Read once; the packages' documents all name the same few
    /// binaries.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn measure(&self, path: &Inside, limit: u64) -> Result<Measured, ReadError> {
        let known = self.measured.borrow().get(path).cloned();
        let measured = known.unwrap_or_else(|| self.hash(path, limit))?;
        if measured.bytes > limit { Err(ReadError::TooLarge(limit)) } else { Ok(measured) }
    }

    fn hash(&self, path: &Inside, limit: u64) -> Result<Measured, ReadError> {
        let mut hasher = Hasher::default();
        let measured = self.copy(path, limit, &mut hasher).map(|bytes| Measured { sha256: hasher.hex(), bytes });
        if !matches!(measured, Err(ReadError::TooLarge(_))) {
            self.measured.borrow_mut().insert(path.clone(), measured.clone());
        }
        measured
    }

    fn copy(&self, path: &Inside, limit: u64, to: &mut impl io::Write) -> Result<u64, ReadError> {
        let file = self.open_file(path)?;
        if file.metadata()?.len() > limit {
            return Err(ReadError::TooLarge(limit));
        }
        // It may grow while it is read; one byte more than allowed shows it.
        let bytes = io::copy(&mut file.take(limit.saturating_add(1)), to)?;
        if bytes > limit { Err(ReadError::TooLarge(limit)) } else { Ok(bytes) }
    }

    /// A file to be sent: small ones are read at once, large ones stay open.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn content(&self, path: &Inside) -> Result<Content, ReadError> {
        Ok(Content::of(self.open_file(path)?.into_std())?)
    }

    /// A regular file. What it is, is asked of what was opened; opening a pipe or a device does not wait.
    pub(crate) fn open_file(&self, path: &Inside) -> Result<File, ReadError> {
        let mut options = OpenOptions::new();
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        options.read(true).custom_flags(flags);
        let file = self.dir.open_with(path.as_str(), &options).map_err(|error| self.fault(path, error))?;
        if file.metadata()?.is_file() { Ok(file) } else { Err(ReadError::NotAFile) }
    }

    /// What a failed opening means. A link is what can lead out; the handle refuses to follow it there.
    fn fault(&self, path: &Inside, error: io::Error) -> ReadError {
        let mut at = PathBuf::new();
        let mut ends_in_file = true;
        for name in path.as_str().split('/') {
            at.push(name);
            match (self.dir.symlink_metadata(&at), self.dir.metadata(&at)) {
                (Ok(found), Err(_)) if found.is_symlink() => return ReadError::Outside,
                (Ok(_), Ok(found)) => ends_in_file = found.is_file(),
                (Err(error), _) if is_absence(&error) => return ReadError::Missing,
                _ => return error.into(),
            }
        }
        if ends_in_file { error.into() } else { ReadError::NotAFile }
    }

    /// Whether there is anything of this name, be it usable or not.
    #[must_use]
    pub fn holds(&self, path: &Inside) -> bool {
        self.dir.symlink_metadata(path.as_str()).is_ok()
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

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
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
        assert!(Inside::bare("a b").is_some() && Inside::bare("a/b").is_none() && Inside::bare("..").is_none());
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
        std::os::unix::fs::symlink("nowhere", root.join("dir/dangling")).unwrap();
        std::os::unix::fs::symlink("circle", root.join("dir/circle")).unwrap();
        std::os::unix::fs::symlink("..", root.join("dir/parent")).unwrap();
        std::os::unix::fs::symlink("deep", root.join("dir/deeper")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, root.join("dir/pipe"), rustix::fs::Mode::RWXU).unwrap();
        let tree = Reach::Under(root).open(Path::new("dir")).unwrap();
        let read = |name: &str| tree.read(&Inside::new(name).unwrap(), 4);
        assert_eq!(read("plain").unwrap(), b"text");
        assert_eq!(read("link").unwrap(), b"text");
        assert_eq!(tree.read(&Inside::new("plain").unwrap(), 3), Err(ReadError::TooLarge(3)));
        for (name, error) in [
            ("out", ReadError::Outside),
            ("up", ReadError::Outside),
            ("zero", ReadError::Outside),
            ("dangling", ReadError::Outside),
            ("circle", ReadError::Outside),
            ("parent/shared", ReadError::Outside),
            ("deeper", ReadError::NotAFile),
            ("deeper/none", ReadError::Missing),
            ("pipe", ReadError::NotAFile),
            ("deep", ReadError::NotAFile),
            ("none", ReadError::Missing),
            ("plain/below", ReadError::Missing),
        ] {
            assert_eq!(read(name), Err(error), "{name}");
        }
        let measure = |limit| tree.measure(&Inside::new("plain").unwrap(), limit);
        assert_eq!(measure(3), Err(ReadError::TooLarge(3)));
        assert_eq!(measure(4).unwrap().bytes, 4);
        assert_eq!(measure(3), Err(ReadError::TooLarge(3)), "although it is known");
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
