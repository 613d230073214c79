//! Reading below the policy directory: bounded, regular files only, and nothing that a symbolic link fetches from
//! elsewhere.
//!
//! Links that stay inside are fine; Kubernetes mounts configuration that way. Whoever may write in the policy directory
//! may write policies, so a link that is swapped between check and use gains nothing; the check is that the file that
//! was opened is the file that the canonical path inside the canonical root names.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

use cavra_documents::{Stamp, Watched, look};
use rustix::fs::OFlags;

/// Why a file was not read.
#[derive(Debug)]
pub(crate) enum ReadFault {
    /// The file is outside the policy directory.
    Outside,
    /// A directory, pipe, socket or device.
    NotAFile,
    /// Larger than this many bytes.
    TooLarge(usize),
    /// It changed each time it was read.
    Unsteady,
    /// What the operating system said.
    Io(io::Error),
}

impl From<io::Error> for ReadFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl ReadFault {
    /// What is wrong with `file`, for clients.
    pub(crate) fn problem(&self, file: &str) -> String {
        match self {
            Self::Outside => format!("{file} is a link out of the policy directory"),
            Self::NotAFile => format!("{file} is not a regular file"),
            Self::TooLarge(limit) => format!("{file} is larger than {limit} bytes"),
            Self::Unsteady => format!("{file} is being written"),
            Self::Io(error) => format!("{file}: {}", error.kind()),
        }
    }
}

/// How often a file, or all files of a pack, are read that change meanwhile.
pub(crate) const ATTEMPTS: usize = 4;

/// The file's bytes, at most `limit`, and its state while they were read; none if there is no such file. With a root,
/// the file has to lie below it.
///
/// # Errors
/// [`ReadFault`].
pub(crate) fn read(root: Option<&Path>, path: &Path, limit: usize) -> Result<(Option<Vec<u8>>, Watched), ReadFault> {
    if look(path)?.is_none() {
        return Ok((None, Watched::Absent));
    }
    for _ in 0..ATTEMPTS {
        // Opening a pipe would wait for a writer. The flag does nothing to a regular file.
        let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
        let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
        let now = SystemTime::now();
        let Some(before) = inspect(root, path, &file)? else { continue };
        let bytes = read_at_most(&file, limit)?;
        if Stamp::of(&file.metadata()?) == before {
            return Ok((Some(bytes), Watched::Present { stamp: before, settled: before.is_settled_at(now) }));
        }
    }
    Err(ReadFault::Unsteady)
}

/// The state of an open file that is regular and lies below the root, if there is one; none if another file has taken its
/// place, as when a pack is published.
fn inspect(root: Option<&Path>, path: &Path, file: &File) -> Result<Option<Stamp>, ReadFault> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(ReadFault::NotAFile);
    }
    let stamp = Stamp::of(&metadata);
    let Some(root) = root else { return Ok(Some(stamp)) };
    let canonical = path.canonicalize()?;
    if !canonical.starts_with(root.canonicalize()?) {
        return Err(ReadFault::Outside);
    }
    Ok(Some(stamp).filter(|stamp| look(&canonical).is_ok_and(|now| now.is_some_and(|now| now.is_same_file(stamp)))))
}

fn read_at_most(file: &File, limit: usize) -> Result<Vec<u8>, ReadFault> {
    let mut bytes = Vec::new();
    file.take(u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > limit { Err(ReadFault::TooLarge(limit)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use rustix::fs::{CWD, RenameFlags, renameat_with};

    #[test]
    fn a_folder_that_is_exchanged_meanwhile_is_no_link_out() {
        let root = tempfile::tempdir().unwrap();
        let (one, other) = (root.path().join("one"), root.path().join("other"));
        for folder in [&one, &other] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("file"), "text").unwrap();
        }
        std::thread::scope(|scope| {
            let exchanging = scope.spawn(|| {
                (0..2000).for_each(|_| renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap());
            });
            while !exchanging.is_finished() {
                match read(Some(root.path()), &one.join("file"), 100) {
                    Ok((Some(bytes), _)) => assert_eq!(bytes, b"text"),
                    // Whoever replaces a pack faster than it can be read has to wait.
                    Err(ReadFault::Unsteady) => {}
                    strange => panic!("{strange:?}"),
                }
            }
        });
    }
}
