//! One pattern against one value. docs/reference/decisions-and-policy.md, section 2.3.
//!
//! `*` and `**` stand for any run of characters, `/` and nothing included. `**/` at the start of a pattern or after a
//! `/` stands for zero or more whole directories. Everything else is literal, and the whole value has to match.

/// A piece of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'p> {
    /// These characters.
    Literal(&'p str),
    /// Any run of characters.
    Any,
    /// Nothing, or anything that ends in `/`.
    Directories,
}

/// Splits a pattern into tokens. Two literals never follow each other.
pub(crate) struct Tokens<'p> {
    pattern: &'p str,
    at: usize,
}

impl<'p> Tokens<'p> {
    pub(crate) fn new(pattern: &'p str) -> Self {
        Self { pattern, at: 0 }
    }

    fn consumed(&self) -> &'p str {
        self.pattern.get(..self.at).unwrap_or_default()
    }

    fn is_at_end(&self) -> bool {
        self.at == self.pattern.len()
    }
}

impl<'p> Iterator for Tokens<'p> {
    type Item = Token<'p>;

    fn next(&mut self) -> Option<Token<'p>> {
        let rest = self.pattern.get(self.at..).filter(|rest| !rest.is_empty())?;
        let literal = rest.find('*').unwrap_or(rest.len());
        if literal > 0 {
            self.at += literal;
            return rest.get(..literal).map(Token::Literal);
        }
        let stars = rest.bytes().take_while(|byte| *byte == b'*').count();
        let before = self.consumed();
        let opens_segment = before.is_empty() || before.ends_with('/');
        if stars == 2 && opens_segment && rest.starts_with("**/") {
            self.at += 3;
            Some(Token::Directories)
        } else {
            self.at += stars;
            Some(Token::Any)
        }
    }
}

/// What may stand between the current position and the next literal.
#[derive(Clone, Copy)]
enum Gap {
    None,
    Any,
    Directories,
}

/// Whether the pattern matches the whole value. Time is linear in their lengths.
///
/// Every literal is taken at its leftmost place and never tried again. That loses no match: what follows a literal is
/// the end, where only the last place counts; a `*`, which reaches every later place; or a `**/`, which the literal
/// precedes with a `/`, so that from the leftmost place it reaches behind every later one.
pub(crate) fn matches(pattern: &str, value: &str) -> bool {
    let mut rest = value;
    let mut gap = Gap::None;
    let mut tokens = Tokens::new(pattern);
    while let Some(token) = tokens.next() {
        match token {
            Token::Any => gap = Gap::Any,
            Token::Directories => gap = Gap::Directories,
            Token::Literal(literal) => {
                let place = Place { literal, pattern: tokens.consumed(), last: tokens.is_at_end() };
                let Some(behind) = place.take(rest, gap) else { return false };
                rest = behind;
                gap = Gap::None;
            }
        }
    }
    match gap {
        Gap::None => rest.is_empty(),
        Gap::Any => true,
        Gap::Directories => rest.is_empty() || rest.ends_with('/'),
    }
}

/// A literal to be placed in a value.
struct Place<'p> {
    literal: &'p str,
    /// The pattern up to and including the literal.
    pattern: &'p str,
    /// It is the pattern's last token.
    last: bool,
}

impl Place<'_> {
    /// What is left of `rest` behind the literal, placed leftmost, or at the end if it is the last token.
    fn take<'v>(&self, rest: &'v str, gap: Gap) -> Option<&'v str> {
        match gap {
            Gap::None => rest.strip_prefix(self.literal),
            Gap::Any if self.last => rest.ends_with(self.literal).then_some(""),
            Gap::Any => rest.split_once(self.literal).map(|(_, behind)| behind),
            Gap::Directories if self.last => {
                let skipped = rest.strip_suffix(self.literal)?;
                (skipped.is_empty() || skipped.ends_with('/')).then_some("")
            }
            Gap::Directories => rest.strip_prefix(self.literal).or_else(|| {
                // The character before the literal is the `/` of `**/`: together they are what to look for.
                let slash = self.pattern.len().checked_sub(self.literal.len() + 1)?;
                rest.split_once(self.pattern.get(slash..)?).map(|(_, behind)| behind)
            }),
        }
    }
}
