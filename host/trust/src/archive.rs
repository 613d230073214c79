//! A package as one file: a ZIP of its files, and nothing else in it. The same package gives the same bytes.

use std::collections::BTreeSet;
use std::io::{Cursor, Read as _, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::package::{MAX_PACKAGE_BYTES, limit_of};
use crate::{Package, Refusal};

/// How the file's name ends.
pub const ARCHIVE_ENDING: &str = "cavra-plugin";

/// Bytes of the record at the end of a ZIP without a comment, and where in it the number of entries stands.
const END: usize = 22;
const ENTRIES: std::ops::Range<usize> = 10..12;

/// The archive of a package.
///
/// # Errors
/// [`Refusal::Unreadable`] if it cannot be made.
pub fn write_archive(package: &Package) -> Result<Vec<u8>, Refusal> {
    let write = || -> zip::result::ZipResult<Vec<u8>> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(zip::DateTime::default())
            .unix_permissions(0o644);
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in package.contents() {
            zip.start_file(name, options)?;
            zip.write_all(&bytes)?;
        }
        Ok(zip.finish()?.into_inner())
    };
    write().map_err(|error| unreadable(&error))
}

/// The package in an archive. Nothing is written anywhere: names that no package has are refused, and no file is read
/// further than it may be long.
///
/// # Errors
/// [`Refusal`].
pub fn read_archive(bytes: &[u8]) -> Result<Package, Refusal> {
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_PACKAGE_BYTES {
        return Err(Refusal::TooLarge { file: "the archive".to_owned(), limit: MAX_PACKAGE_BYTES });
    }
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| unreadable(&error))?;
    let (mut files, mut names) = (Vec::new(), BTreeSet::new());
    for index in 0..zip.len() {
        let entry = zip.by_index(index).map_err(|error| unreadable(&error))?;
        let name = entry.name().map_err(|error| unreadable(&error))?.into_owned();
        let limit = limit_of(&name).filter(|_| entry.is_file()).ok_or_else(|| Refusal::strange(&name))?;
        if !names.insert(name.clone()) {
            return Err(Refusal::Twice { file: name });
        }
        let mut content = Vec::new();
        entry.take(limit.saturating_add(1)).read_to_end(&mut content).map_err(|error| unreadable(&error))?;
        files.push((name, content));
    }
    // The reader keeps one entry of each name; what the archive says of their number shows whether there were more.
    let end = bytes.len().checked_sub(END).and_then(|start| bytes.get(start..));
    let counted = end.and_then(|end| <[u8; 2]>::try_from(end.get(ENTRIES)?).ok()).map(u16::from_le_bytes);
    if counted.map(usize::from) != Some(files.len()) {
        return Err(Refusal::Twice { file: "a file, or something that is no plugin's,".to_owned() });
    }
    Package::new(files)
}

fn unreadable(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::Unreadable { file: "the archive".to_owned(), problem: cavra_documents::shown(&error.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::tests::{files, package};

    fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn archives_hold_what_was_packed() {
        let archive = write_archive(&package()).unwrap();
        assert_eq!(archive, write_archive(&package()).unwrap());
        assert_eq!(read_archive(&archive).unwrap().digest(), package().digest());
    }

    #[test]
    fn hostile_archives_are_refused() {
        let files = files();
        let good: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        let code = |bytes: &[u8]| read_archive(bytes).unwrap_err().code();
        for name in ["../../plugin.wasm", "/plugin.wasm", "a/plugin.wasm", "..\\plugin.wasm", "plugin.wasm\0"] {
            assert_eq!(code(&zipped(&[&good[..], &[(name, b"x")]].concat())), "strange_file", "{name}");
        }
        // A link by the name of a file.
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.add_symlink("plugin.yaml", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        assert_eq!(code(&zip.finish().unwrap().into_inner()), "strange_file");
        // A file that unpacks to more than it may have.
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("plugin.yaml", SimpleFileOptions::default()).unwrap();
        zip.write_all(&vec![b'#'; 40 << 20]).unwrap();
        let bomb = zip.finish().unwrap().into_inner();
        assert!(bomb.len() < 1 << 20);
        assert_eq!(code(&bomb), "too_large");
        // A name twice: the second one is renamed in place, behind the writer's back.
        let mut twice = zipped(&[&good[..], &[("plugin.wasn", b"other")]].concat());
        let places: Vec<usize> = (0..twice.len() - 11).filter(|at| &twice[*at..at + 11] == b"plugin.wasn").collect();
        places.iter().for_each(|at| twice[at + 10] = b'm');
        assert_eq!(code(&twice), "twice");
        for bytes in [&b""[..], b"PK", &write_archive(&package()).unwrap()[..100]] {
            assert_eq!(code(bytes), "unreadable");
        }
        assert_eq!(code(&vec![0; 24 << 20]), "too_large");
    }
}
