//! Whether a file is still the one that was read.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How old a change has to be before its stamp is trusted. File systems keep time coarsely (some to two seconds), so a
/// second change soon after the first can leave size and times as they are. Git's index has the same rule.
const SETTLING: Duration = Duration::from_secs(2);

/// What the file system says about one state of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    dev: u64,
    ino: u64,
    size: u64,
    /// Seconds and nanoseconds of the last change of the contents.
    modified: (i64, i64),
    /// The same of the contents or of anything else. Programs cannot set this one back.
    changed: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            dev: metadata.dev(),
            ino: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Same file, whatever is in it.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        (self.dev, self.ino) == (other.dev, other.ino)
    }

    /// The last change is long enough past at `now` for a later one to show. A change in the future never is.
    pub(crate) fn is_settled_at(&self, now: SystemTime) -> bool {
        let latest = self.modified.max(self.changed);
        let Ok(now) = now.duration_since(UNIX_EPOCH) else { return false };
        let Ok(seconds) = i64::try_from(now.as_secs()) else { return false };
        let settling = i64::try_from(SETTLING.as_secs()).unwrap_or(i64::MAX);
        (seconds.saturating_sub(settling), i64::from(now.subsec_nanos())) >= latest
    }
}

/// What is known of a file that is looked at again at each use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    /// It was not there.
    Absent,
    /// It was read in this state.
    Present {
        stamp: Stamp,
        /// An equal stamp proves that the contents are equal.
        settled: bool,
    },
}

impl Watched {
    /// The file that was read is the one that is there now.
    pub(crate) fn is_still(&self, now: Option<Stamp>) -> bool {
        match self {
            Self::Absent => now.is_none(),
            Self::Present { stamp, .. } => now == Some(*stamp),
        }
    }

    /// A look at the file that gave `now` proves that nothing changed.
    pub(crate) fn is_unchanged(&self, now: Option<Stamp>) -> bool {
        match (self, now) {
            (Self::Absent, None) => true,
            (Self::Present { stamp, settled: true }, Some(now)) => *stamp == now,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
