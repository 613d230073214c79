//! Several files as one ZIP. The same files give the same bytes: times and modes are fixed.

use std::io;

use thiserror::Error;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::content::Content;

/// Bytes that one archive takes in. It is made on disk before it is sent.
const MAX_BYTES: u64 = 2 << 30;

/// Why there is no archive.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// A member is not what it should be; the name says which.
    #[error("`{0}` does not match its checksum")]
    Mismatch(String),
    /// Too much for one archive.
    #[error("the files are too large for one archive")]
    TooLarge,
    /// It could not be read or written.
    #[error("the archive cannot be made")]
    Io(#[from] io::Error),
}

impl From<zip::result::ZipError> for ArchiveError {
    fn from(error: zip::result::ZipError) -> Self {
        Self::Io(io::Error::other(error))
    }
}

/// An archive that is being made.
pub struct Archive {
    zip: ZipWriter<std::fs::File>,
    taken: u64,
}

impl Archive {
    /// An empty archive, in a file that has no name and goes when it is closed.
    ///
    /// # Errors
    /// [`ArchiveError::Io`].
    pub fn create() -> Result<Self, ArchiveError> {
        Ok(Self { zip: ZipWriter::new(tempfile::tempfile()?), taken: 0 })
    }

    /// Adds a file under a flat name. What is packed is what is hashed: `expected` is compared with the digest of the
    /// packed bytes.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn add(&mut self, name: &str, mut content: Content, expected: Option<&str>) -> Result<(), ArchiveError> {
        self.taken = self.taken.saturating_add(content.bytes());
        if self.taken > MAX_BYTES {
            return Err(ArchiveError::TooLarge);
        }
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(6))
            .last_modified_time(zip::DateTime::DEFAULT)
            .unix_permissions(0o644);
        self.zip.start_file(name, options)?;
        let sha256 = content.copy_to(&mut self.zip)?;
        if expected.is_some_and(|expected| expected != sha256) {
            return Err(ArchiveError::Mismatch(name.to_owned()));
        }
        Ok(())
    }

    /// The finished archive.
    ///
    /// # Errors
    /// [`ArchiveError::Io`].
    pub fn finish(self) -> Result<Content, ArchiveError> {
        let file = self.zip.finish()?;
        let bytes = file.metadata()?.len();
        Ok(Content::of_ours(file, bytes))
    }
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("taken", &self.taken).finish_non_exhaustive()
    }
}
