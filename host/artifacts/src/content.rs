//! Bytes on their way to somebody, with the digest of exactly what is sent.
//!
//! A small file is read once; digest and body come from that one read. A large one cannot be kept in memory, and its
//! digest has to be known before its first byte is sent. So it is read twice from the same open file, and the second
//! reading is checked against the first while it is sent: if somebody changed the file in between, the last piece is
//! held back, and whoever receives sees that the body is not whole.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::ops::Range;

use sha2::{Digest as _, Sha256};

/// Files up to this size are kept in memory.
const SMALL: u64 = 1 << 20;

/// Bytes handed out at a time.
const PIECE: u64 = 64 << 10;

/// The content of a file.
#[derive(Debug)]
pub struct Content {
    source: Source,
    bytes: u64,
}

#[derive(Debug)]
enum Source {
    Memory(Vec<u8>),
    File(File),
}

/// A part of a content, with its digest.
#[derive(Debug)]
pub struct Part {
    /// Hex SHA-256 of the part.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Hands it out.
    pub reader: PartReader,
}

/// Hands out a part, piece by piece.
#[derive(Debug)]
pub struct PartReader {
    source: Source,
    at: u64,
    end: u64,
    expected: String,
    hasher: Hasher,
}

impl Content {
    /// The content of an open file, as long as it is now.
    pub(crate) fn of(mut file: File) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        if bytes > SMALL {
            return Ok(Self { source: Source::File(file), bytes });
        }
        let mut content = Vec::new();
        // One that grows meanwhile is not followed any further.
        (&mut file).take(SMALL).read_to_end(&mut content)?;
        let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
        Ok(Self { source: Source::Memory(content), bytes })
    }

    /// A file of our own, to be sent from its beginning.
    pub(crate) fn of_ours(file: File, bytes: u64) -> Self {
        Self { source: Source::File(file), bytes }
    }

    /// Size.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Hex SHA-256 of all of it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn sha256(&mut self) -> io::Result<String> {
        let all = 0..self.bytes;
        self.source.digest(&all)
    }

    /// Writes all of it; answers its digest.
    pub(crate) fn copy_to(&mut self, out: &mut impl Write) -> io::Result<String> {
        let mut hasher = Hasher::default();
        let mut at = 0;
        while at < self.bytes {
            let piece = self.source.read(at, PIECE.min(self.bytes - at))?;
            hasher.write_all(&piece)?;
            out.write_all(&piece)?;
            at += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        }
        Ok(hasher.hex())
    }

    /// The bytes of `range`, which is cut to what there is.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn part(mut self, range: Range<u64>) -> io::Result<Part> {
        let end = range.end.min(self.bytes);
        let start = range.start.min(end);
        let sha256 = self.source.digest(&(start..end))?;
        let reader =
            PartReader { source: self.source, at: start, end, expected: sha256.clone(), hasher: Hasher::default() };
        Ok(Part { sha256, bytes: end - start, reader })
    }
}

impl Source {
    /// Exactly `length` bytes from `at`; fewer are an error.
    fn read(&mut self, at: u64, length: u64) -> io::Result<Vec<u8>> {
        let (start, wanted) = (index(at)?, index(length)?);
        match self {
            Self::Memory(bytes) => bytes
                .get(start..start.saturating_add(wanted))
                .map(<[u8]>::to_vec)
                .ok_or_else(|| io::ErrorKind::UnexpectedEof.into()),
            Self::File(file) => {
                let mut piece = vec![0; wanted];
                file.seek(SeekFrom::Start(at))?;
                file.read_exact(&mut piece)?;
                Ok(piece)
            }
        }
    }

    fn digest(&mut self, range: &Range<u64>) -> io::Result<String> {
        let mut hasher = Hasher::default();
        let mut at = range.start;
        while at < range.end {
            let length = PIECE.min(range.end - at);
            hasher.write_all(&self.read(at, length)?)?;
            at += length;
        }
        Ok(hasher.hex())
    }
}

fn index(number: u64) -> io::Result<usize> {
    usize::try_from(number).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl PartReader {
    /// The next piece; nothing at the end. Blocks while it is read.
    ///
    /// # Errors
    /// If it cannot be read, or if it is not what the digest was made of. The last piece is not handed out then.
    pub fn next_piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let length = PIECE.min(self.end - self.at);
        let piece = self.source.read(self.at, length)?;
        self.at += length;
        self.hasher.write_all(&piece)?;
        if self.at == self.end && std::mem::take(&mut self.hasher).hex() != self.expected {
            return Err(io::Error::other("the file was changed while it was sent"));
        }
        Ok(Some(piece))
    }
}

/// SHA-256 of what is written to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    /// The digest in hex.
    pub(crate) fn hex(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(bytes: &[u8]) -> String {
        let mut hasher = Hasher::default();
        hasher.write_all(bytes).unwrap();
        hasher.hex()
    }

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    #[test]
    fn parts_of_small_and_large_files() {
        for size in [0, 1, 1000, 3 << 20] {
            let bytes: Vec<u8> = (0..size).map(|at: u32| at.to_le_bytes()[usize::from(at % 3 == 0)]).collect();
            let size = u64::from(size);
            for range in [0..size, 0..u64::MAX, size / 2..size, 1..2, size..size + 5] {
                let part = Content::of(file(&bytes)).unwrap().part(range.clone()).unwrap();
                let end = range.end.min(size);
                let wanted = &bytes[usize::try_from(range.start.min(end)).unwrap()..usize::try_from(end).unwrap()];
                assert_eq!((part.sha256.as_str(), part.bytes), (digest(wanted).as_str(), wanted.len() as u64));
                let mut reader = part.reader;
                let mut sent = Vec::new();
                while let Some(piece) = reader.next_piece().unwrap() {
                    sent.extend(piece);
                }
                assert!(sent == wanted, "{size} {range:?}");
            }
        }
    }

    /// The digest was promised before; a body that does not have it never arrives whole.
    #[test]
    fn a_file_that_changes_while_it_is_sent() {
        let original = file(&vec![7; 3 << 20]);
        let mut other = original.try_clone().unwrap();
        let mut reader = Content::of(original).unwrap().part(0..u64::MAX).unwrap().reader;
        let mut sent = reader.next_piece().unwrap().unwrap().len();
        other.seek(SeekFrom::Start(2 << 20)).unwrap();
        other.write_all(b"8").unwrap();
        let failed = loop {
            match reader.next_piece() {
                Ok(Some(piece)) => sent += piece.len(),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(failed && sent < 3 << 20);
        let shrunk = file(&vec![7; 2 << 20]);
        let other = shrunk.try_clone().unwrap();
        let mut reader = Content::of(shrunk).unwrap().part(0..u64::MAX).unwrap().reader;
        other.set_len(10).unwrap();
        assert!(reader.next_piece().is_err());
    }
}
