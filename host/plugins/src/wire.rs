//! Frames between the host and its compile process: a JSON header and two blobs, each preceded by its length.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest header.
const HEADER_BYTES: usize = 1024 * 1024;

/// Writes one frame.
pub(crate) fn write(out: &mut impl Write, header: &impl Serialize, first: &[u8], second: &[u8]) -> io::Result<()> {
    let header = serde_json::to_vec(header)?;
    for part in [header.as_slice(), first, second] {
        out.write_all(&(part.len() as u64).to_le_bytes())?;
        out.write_all(part)?;
    }
    out.flush()
}

/// A frame as it was read.
pub(crate) struct Frame<T> {
    pub(crate) header: T,
    pub(crate) first: Vec<u8>,
    pub(crate) second: Vec<u8>,
}

/// Reads one frame whose blobs have at most `limit` bytes each.
pub(crate) fn read<T: DeserializeOwned>(input: &mut impl Read, limit: usize) -> io::Result<Frame<T>> {
    let header = part(input, HEADER_BYTES)?;
    let header = serde_json::from_slice(&header)?;
    Ok(Frame { header, first: part(input, limit)?, second: part(input, limit)? })
}

fn part(input: &mut impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    input.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > limit as u64 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame is too long"));
    }
    let mut bytes = Vec::new();
    let read = input.take(length).read_to_end(&mut bytes)?;
    if read as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_broken_ones_do_not() {
        let mut bytes = Vec::new();
        write(&mut bytes, &"header", b"one", b"").unwrap();
        let frame: Frame<String> = read(&mut bytes.as_slice(), 3).unwrap();
        assert_eq!((frame.header.as_str(), frame.first.as_slice(), frame.second.len()), ("header", &b"one"[..], 0));
        assert!(read::<String>(&mut bytes.as_slice(), 2).is_err(), "blob above the limit");
        for end in 0..bytes.len() {
            assert!(read::<String>(&mut &bytes[..end], 3).is_err(), "torn at {end}");
        }
    }
}
