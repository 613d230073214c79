//! Encodings: exports come as UTF-8, with or without a byte order mark, and from spreadsheets as UTF-16.

/// Turns UTF-16 into UTF-8 and takes byte order marks away; UTF-8 passes through as it is.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The first bytes, until it is known what they are.
    head: Vec<u8>,
    encoding: Option<Encoding>,
}

#[derive(Debug)]
enum Encoding {
    Utf8,
    Utf16 { big: bool, odd: Option<u8>, high: Option<u16> },
}

/// A code unit that stands alone and must not.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// Bytes that tell the encoding.
const HEAD: usize = 3;

impl Decoder {
    /// The text of the next bytes; `last` after all of them.
    ///
    /// # Errors
    /// [`Malformed`] UTF-16. UTF-8 is checked where it is read.
    pub fn decode(&mut self, bytes: &[u8], last: bool) -> Result<Vec<u8>, Malformed> {
        if let Some(encoding) = &mut self.encoding {
            return encoding.decode(bytes, last);
        }
        self.head.extend_from_slice(bytes);
        if self.head.len() < HEAD && !last {
            return Ok(Vec::new());
        }
        let head = std::mem::take(&mut self.head);
        let utf16 = |big| Encoding::Utf16 { big, odd: None, high: None };
        let (mut encoding, text) = match head.as_slice() {
            [0xEF, 0xBB, 0xBF, text @ ..] => (Encoding::Utf8, text),
            [0xFF, 0xFE, text @ ..] => (utf16(false), text),
            [0xFE, 0xFF, text @ ..] => (utf16(true), text),
            text => (Encoding::Utf8, text),
        };
        let decoded = encoding.decode(text, last);
        self.encoding = Some(encoding);
        decoded
    }
}

impl Encoding {
    fn decode(&mut self, bytes: &[u8], last: bool) -> Result<Vec<u8>, Malformed> {
        let Self::Utf16 { big, odd, high } = self else { return Ok(bytes.to_vec()) };
        let mut text = String::with_capacity(bytes.len());
        for byte in bytes {
            let Some(first) = odd.take() else {
                *odd = Some(*byte);
                continue;
            };
            let unit = if *big { u16::from_be_bytes([first, *byte]) } else { u16::from_le_bytes([first, *byte]) };
            match (high.take(), unit) {
                (None, 0xD800..=0xDBFF) => *high = Some(unit),
                (None, _) => text.extend(
                    char::decode_utf16([unit])
                        .map(|read| read.map_err(|_| Malformed))
                        .collect::<Result<Vec<_>, _>>()?,
                ),
                (Some(first), _) => text.extend(
                    char::decode_utf16([first, unit])
                        .map(|read| read.map_err(|_| Malformed))
                        .collect::<Result<Vec<_>, _>>()?,
                ),
            }
        }
        if last && (odd.is_some() || high.is_some()) {
            return Err(Malformed);
        }
        Ok(text.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8], size: usize) -> Result<String, Malformed> {
        let mut decoder = Decoder::default();
        let mut text = Vec::new();
        for chunk in bytes.chunks(size) {
            text.extend(decoder.decode(chunk, false)?);
        }
        text.extend(decoder.decode(&[], true)?);
        Ok(String::from_utf8(text).unwrap())
    }

    #[test]
    fn every_encoding_however_it_is_cut() {
        let text = "id,näme\r\n1,𝄞";
        let utf16 =
            |order: fn(u16) -> [u8; 2]| "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(order).collect();
        let files: [Vec<u8>; 4] = [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            utf16(u16::to_le_bytes),
            utf16(u16::to_be_bytes),
        ];
        for file in files {
            for size in 1..=file.len() {
                assert_eq!(decoded(&file, size).as_deref(), Ok(text));
            }
        }
        assert_eq!(decoded(b"a", 1).as_deref(), Ok("a"));
    }

    #[test]
    fn broken_utf_16() {
        for file in [
            &[0xFF, 0xFE, 0x00, 0xD8][..],
            &[0xFF, 0xFE, 0x00, 0xDC],
            &[0xFF, 0xFE, 0x41],
            &[0xFE, 0xFF, 0xD8, 0, 0, 0x41],
        ] {
            assert_eq!(decoded(file, 2), Err(Malformed));
        }
    }
}
