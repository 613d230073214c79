//! A file that came packed: an archive with one file in it, as vendors' portals hand exports out.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use thiserror::Error;
use zip::ZipArchive;

/// How archives begin.
const MAGIC: &[u8; 4] = b"PK\x03\x04";

/// Why a packed file cannot be read.
#[derive(Debug, Error)]
pub enum PackedError {
    /// The archive is not one file.
    #[error("the archive has {0} files; it must have one")]
    Files(usize),
    /// More comes out of it than is read.
    #[error("more than {0} bytes are packed in the archive")]
    TooLarge(u64),
    /// It is broken, or encrypted.
    #[error("the archive cannot be read")]
    Archive(#[from] zip::result::ZipError),
    /// It could not be read, or there is no place for what is in it.
    #[error("the file cannot be read")]
    Io(#[from] io::Error),
}

/// The file, at its beginning: as it is, or what is packed in it, which is at most `limit` bytes however little the archive
/// has. What was unpacked is gone when it is closed.
///
/// # Errors
/// [`PackedError`].
pub fn unpacked(mut file: File, limit: u64) -> Result<File, PackedError> {
    let mut magic = Vec::new();
    io::Read::by_ref(&mut file).take(4).read_to_end(&mut magic)?;
    file.seek(SeekFrom::Start(0))?;
    if magic != MAGIC {
        return Ok(file);
    }
    let mut archive = ZipArchive::new(file)?;
    // What macOS packs beside every file.
    let is_file = |name: &str| !name.ends_with('/') && !name.starts_with("__MACOSX/");
    let mut files = Vec::new();
    for index in 0..archive.len() {
        if is_file(&archive.by_index_raw(index)?.name()?) {
            files.push(index);
        }
    }
    let [file] = files.as_slice() else { return Err(PackedError::Files(files.len())) };
    let mut unpacked = tempfile::tempfile()?;
    let mut packed = archive.by_index(*file)?.take(limit.saturating_add(1));
    if io::copy(&mut packed, &mut unpacked)? > limit {
        return Err(PackedError::TooLarge(limit));
    }
    unpacked.seek(SeekFrom::Start(0))?;
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    fn archive(files: &[(&str, &[u8])]) -> File {
        let mut zip = ZipWriter::new(tempfile::tempfile().unwrap());
        for (name, content) in files {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        let mut file = zip.finish().unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file
    }

    fn read(file: File, limit: u64) -> Result<Vec<u8>, PackedError> {
        let mut content = Vec::new();
        unpacked(file, limit)?.read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn one_packed_file_and_any_other() {
        assert_eq!(read(archive(&[("a.csv", b"id")]), 10).unwrap(), b"id");
        assert_eq!(read(archive(&[("a.csv", b"id"), ("__MACOSX/._a.csv", b"x")]), 10).unwrap(), b"id");
        let mut plain = tempfile::tempfile().unwrap();
        plain.write_all(b"PK is how it begins").unwrap();
        plain.seek(SeekFrom::Start(0)).unwrap();
        assert_eq!(read(plain, 1).unwrap(), b"PK is how it begins");
    }

    #[test]
    fn what_unpacks_without_end_and_what_is_no_single_file() {
        let bomb = archive(&[("zeros", &vec![0; 4 << 20])]);
        assert!(bomb.metadata().unwrap().len() < 64 * 1024);
        assert!(matches!(read(bomb, 1 << 20), Err(PackedError::TooLarge(_))));
        assert!(matches!(read(archive(&[("folder/", b"")]), 10), Err(PackedError::Files(0))));
        assert!(matches!(read(archive(&[("a", b""), ("b", b"")]), 10), Err(PackedError::Files(2))));
        let mut broken = tempfile::tempfile().unwrap();
        broken.write_all(b"PK\x03\x04 and nothing more").unwrap();
        broken.seek(SeekFrom::Start(0)).unwrap();
        assert!(matches!(read(broken, 10), Err(PackedError::Archive(_))));
    }
}
