//! A text as bytes, with the few questions that all scanners ask. Positions beyond the end read as NUL.

/// The text that is looked through.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    text: &'a str,
    bytes: &'a [u8],
}

impl<'a> Text<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes() }
    }

    pub(crate) const fn len(self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn at(self, position: usize) -> u8 {
        self.bytes.get(position).copied().unwrap_or(0)
    }

    /// The byte before; NUL at the beginning.
    pub(crate) fn before(self, position: usize) -> u8 {
        position.checked_sub(1).map_or(0, |position| self.at(position))
    }

    /// A part; empty if the positions are no characters' beginnings.
    pub(crate) fn part(self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// Bytes of the character that begins there; 1 where none does.
    pub(crate) fn char_length(self, position: usize) -> usize {
        let character = self.text.get(position..).and_then(|rest| rest.chars().next());
        character.map_or(1, char::len_utf8)
    }

    pub(crate) fn has(self, position: usize, wanted: &str) -> bool {
        self.bytes.get(position..).is_some_and(|rest| rest.starts_with(wanted.as_bytes()))
    }

    /// As [`Text::has`], whatever the case. `wanted` is lower-case.
    pub(crate) fn has_word(self, position: usize, wanted: &str) -> bool {
        let end = position.saturating_add(wanted.len());
        self.bytes.get(position..end).is_some_and(|found| found.eq_ignore_ascii_case(wanted.as_bytes()))
    }

    /// The first position from `start` on whose byte does not belong.
    pub(crate) fn run(self, start: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(start..).unwrap_or_default();
        start + rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len())
    }

    /// As [`Text::run`], but no farther than `most` bytes.
    pub(crate) fn run_within(self, start: usize, most: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(start..start.saturating_add(most).min(self.len())).unwrap_or_default();
        start + rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len())
    }

    /// The first position of the run of such bytes that ends at `end`.
    pub(crate) fn run_back(self, end: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let head = self.bytes.get(..end).unwrap_or_default();
        head.iter().rposition(|byte| !belongs(*byte)).map_or(0, |position| position + 1)
    }

    /// Where `wanted` begins, from `start` on.
    pub(crate) fn find(self, start: usize, wanted: &str) -> Option<usize> {
        self.text.get(start..)?.find(wanted).map(|position| start + position)
    }

    /// Whether a token can begin here: after what is no letter or digit, after an escaped line break, or after a
    /// percent-encoded byte.
    pub(crate) fn begins_token(self, position: usize) -> bool {
        let before = self.before(position);
        if !before.is_ascii_alphanumeric() {
            return true;
        }
        let escaped = matches!(before, b'n' | b'r' | b't') && self.before(position.saturating_sub(1)) == b'\\';
        escaped || (position >= 3 && self.at(position - 3) == b'%' && before.is_ascii_hexdigit())
    }
}

/// Blanks within a line.
pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Part of a name such as `db.password` or `--client-secret`.
pub(crate) const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}
