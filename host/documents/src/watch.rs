//! Whether a file is still the one that was read.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How old a change has to be before its stamp is trusted. File systems keep time coarsely (some to two seconds), so a
/// second change soon after the first can leave size and times as they are. Git's index has the same rule.
const SETTLING: Duration = Duration::from_secs(2);

/// What the file system says about one state of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    dev: u64,
    ino: u64,
    size: u64,
    /// Seconds and nanoseconds of the last change of the contents.
    modified: (i64, i64),
    /// The same of the contents or of anything else. Programs cannot set this one back.
    changed: (i64, i64),
}

impl Stamp {
    /// That of a file.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            dev: metadata.dev(),
            ino: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Same file, whatever is in it.
    #[must_use]
    pub fn is_same_file(&self, other: &Self) -> bool {
        (self.dev, self.ino) == (other.dev, other.ino)
    }

    /// The last change is long enough past at `now` for a later one to show. A change in the future never is.
    #[must_use]
    pub fn is_settled_at(&self, now: SystemTime) -> bool {
        let latest = self.modified.max(self.changed);
        let Ok(now) = now.duration_since(UNIX_EPOCH) else { return false };
        let Ok(seconds) = i64::try_from(now.as_secs()) else { return false };
        let settling = i64::try_from(SETTLING.as_secs()).unwrap_or(i64::MAX);
        (seconds.saturating_sub(settling), i64::from(now.subsec_nanos())) >= latest
    }
}

/// What is known of a file that is looked at again at each use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// It was not there.
    Absent,
    /// It was read in this state.
    Present {
        /// What the file system said of that state.
        stamp: Stamp,
        /// An equal stamp proves that the contents are equal.
        settled: bool,
    },
}

impl Watched {
    /// The file that was read is the one that is there now.
    #[must_use]
    pub fn is_still(&self, now: Option<Stamp>) -> bool {
        match self {
            Self::Absent => now.is_none(),
            Self::Present { stamp, .. } => now == Some(*stamp),
        }
    }

    /// A look at the file that gave `now` proves that nothing changed.
    #[must_use]
    pub fn is_unchanged(&self, now: Option<Stamp>) -> bool {
        match (self, now) {
            (Self::Absent, None) => true,
            (Self::Present { stamp, settled: true }, Some(now)) => *stamp == now,
            _ => false,
        }
    }
}

/// The state of a file, links followed; none if there is no such file.
///
/// # Errors
/// What the system said. A link to nowhere is an error, not an absence: what it should have named was meant to count.
pub fn look(path: &Path) -> io::Result<Option<Stamp>> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if is_absence(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = if metadata.is_symlink() { fs::metadata(path)? } else { metadata };
    Ok(Some(Stamp::of(&metadata)))
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Files that something was read from, as they were then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchedFiles(Vec<(PathBuf, Watched)>);

impl WatchedFiles {
    /// Looks at the files. Whoever looks before he reads finds a change between the two the next time.
    #[must_use]
    pub fn look(paths: Vec<PathBuf>) -> Self {
        let now = SystemTime::now();
        let seen = |path: &Path| match look(path) {
            Ok(Some(stamp)) => Watched::Present { stamp, settled: stamp.is_settled_at(now) },
            Ok(None) | Err(_) => Watched::Absent,
        };
        Self(
            paths
                .into_iter()
                .map(|path| {
                    let seen = seen(&path);
                    (path, seen)
                })
                .collect(),
        )
    }

    /// Whether these are the same files, and a look at them proves that none has changed.
    #[must_use]
    pub fn are_unchanged(&self, paths: &[PathBuf]) -> bool {
        self.0.len() == paths.len()
            && self
                .0
                .iter()
                .zip(paths)
                .all(|((path, seen), now)| path == now && look(path).is_ok_and(|stamp| seen.is_unchanged(stamp)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_change_appear_or_go_are_no_longer_what_they_were() {
        let home = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| home.path().join(name)).to_vec();
        fs::write(&paths[0], "one").unwrap();
        let old = SystemTime::now() - Duration::from_secs(60);
        let settle = |path: &Path| {
            let seen = Watched::Present { stamp: look(path).unwrap().unwrap(), settled: true };
            (path.to_owned(), seen)
        };
        fs::File::options().write(true).open(&paths[0]).unwrap().set_modified(old).unwrap();
        assert!(!WatchedFiles::look(paths.clone()).are_unchanged(&paths), "it was changed just now");
        let seen = WatchedFiles(vec![settle(&paths[0]), (paths[1].clone(), Watched::Absent)]);
        assert!(seen.are_unchanged(&paths));
        assert!(!seen.are_unchanged(&paths[..1]), "other files");
        fs::write(&paths[1], "two").unwrap();
        assert!(!seen.are_unchanged(&paths), "one appeared");
        fs::remove_file(&paths[1]).unwrap();
        assert!(seen.are_unchanged(&paths));
        fs::remove_file(&paths[0]).unwrap();
        assert!(!seen.are_unchanged(&paths), "one is gone");
    }

    fn stamp(modified: (i64, i64), changed: (i64, i64)) -> Stamp {
        Stamp { dev: 1, ino: 2, size: 3, modified, changed }
    }

    #[test]
    fn a_stamp_settles_two_seconds_after_its_latest_time() {
        let at = |seconds, nanos| UNIX_EPOCH + Duration::new(seconds, nanos);
        let young = stamp((90, 0), (100, 500));
        assert!(!young.is_settled_at(at(100, 500)));
        assert!(!young.is_settled_at(at(102, 499)));
        assert!(young.is_settled_at(at(102, 500)));
        assert!(young.is_settled_at(at(103, 0)));
        assert!(!stamp((900, 0), (100, 0)).is_settled_at(at(102, 0)));
    }

    #[test]
    fn only_a_settled_equal_stamp_proves_anything() {
        let (one, other) = (stamp((1, 0), (1, 0)), stamp((1, 0), (1, 1)));
        assert!(Watched::Present { stamp: one, settled: true }.is_unchanged(Some(one)));
        assert!(!Watched::Present { stamp: one, settled: false }.is_unchanged(Some(one)));
        assert!(!Watched::Present { stamp: one, settled: true }.is_unchanged(Some(other)));
        assert!(!Watched::Present { stamp: one, settled: true }.is_unchanged(None));
        assert!(Watched::Absent.is_unchanged(None));
        assert!(!Watched::Absent.is_unchanged(Some(one)));
    }
}
