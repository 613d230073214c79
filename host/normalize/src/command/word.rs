//! Words of a command line: what is fixed text in them, what the shell would still compute.

use std::rc::Rc;

use cavra_model::COMPUTED;

use super::lex::Script;

/// Stands for quoted or computed text in the views of a word that look for unquoted special characters.
const OPAQUE: char = COMPUTED;

/// Most words one brace expansion may make.
const MAX_BRACE_WORDS: usize = 32;

/// Most opening braces of a word that are looked at one by one.
const MAX_BRACES: usize = 12;

/// One shell word.
#[derive(Debug)]
pub(crate) struct Word {
    /// The word as written.
    pub source: String,
    /// Its pieces, in order.
    pub pieces: Vec<Piece>,
}

/// A stretch of a word that is treated in one way.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Neither quoted nor escaped: wildcards, braces and a leading tilde still mean something.
    Plain(String),
    /// Decoded text of a quote or an escape.
    Quoted(String),
    /// Something the shell computes.
    Expansion(Expansion),
    /// The elements of `name=(…)`.
    Array(Vec<Rc<Word>>),
}

/// A value that is known only when the command runs.
#[derive(Debug)]
pub(crate) struct Expansion {
    /// As written.
    pub source: String,
    /// Where the value comes from.
    pub kind: ExpansionKind,
    /// It stands in double quotes, so that its value stays one word and no wildcard in it counts.
    pub quoted: bool,
    /// The scripts that run to compute it.
    pub scripts: Vec<Script>,
}

/// Where the value of an expansion comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExpansionKind {
    /// A variable or an arithmetic expression.
    Value,
    /// The output of a command.
    Command,
    /// A file name that stands for a pipe: `<(…)` or `>(…)`.
    Process,
}

impl Piece {
    fn unknown(source: &str) -> Self {
        let kind = ExpansionKind::Value;
        Self::Expansion(Expansion { source: source.to_owned(), kind, quoted: false, scripts: Vec::new() })
    }
}

/// Adds the pieces of a text in which a placeholder stands for something unknown.
fn fill(text: &str, placeholder: &str, piece: fn(String) -> Piece, pieces: &mut Vec<Piece>) {
    for (index, part) in text.split(placeholder).enumerate() {
        if index > 0 {
            pieces.push(Piece::unknown(placeholder));
        }
        pieces.push(piece(part.to_owned()));
    }
}

impl Word {
    /// A word of plain text, as brace expansion makes it.
    fn of_plain(text: String) -> Self {
        Self { source: text.clone(), pieces: vec![Piece::Plain(text)] }
    }

    /// The text, if nothing in the word is quoted or computed: the only words that can be reserved words.
    pub fn plain(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [Piece::Plain(text)] => Some(text),
            _ => None,
        }
    }

    /// What the grammar sees: reserved words, function names and the names of assignments, nothing of what
    /// is quoted.
    pub fn grammar_text(&self) -> String {
        match self.pieces.as_slice() {
            [Piece::Plain(text)] => text.clone(),
            [Piece::Plain(text), ..] => format!("{text}{OPAQUE}"),
            _ => OPAQUE.to_string(),
        }
    }

    /// The fixed text of the word, or `None` if the shell would change it. A leading tilde counts as fixed.
    pub fn literal(&self) -> Option<String> {
        if self.has_wildcard() || self.has_braces() {
            return None;
        }
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Plain(part) | Piece::Quoted(part) => text.push_str(part),
                Piece::Expansion(_) | Piece::Array(_) => return None,
            }
        }
        Some(text)
    }

    /// The word without its quotes; what is computed stays as written.
    pub fn dequoted(&self) -> String {
        self.join(|expansion| expansion.source.as_str())
    }

    /// The word as it is if everything computed turns out empty.
    pub fn without_expansions(&self) -> String {
        self.join(|_| "")
    }

    /// The word with [`COMPUTED`] for what the shell computes: expansions, and wildcards that stand for the names of
    /// files. `None` if there is nothing of that kind.
    pub fn with_computed(&self) -> Option<String> {
        if self.pieces.iter().any(|piece| matches!(piece, Piece::Array(_))) {
            return None;
        }
        let wildcards = self.has_wildcard();
        let mut text = String::new();
        let mut in_brackets = false;
        for piece in &self.pieces {
            match piece {
                Piece::Plain(part) if wildcards => {
                    for c in part.chars() {
                        match c {
                            ']' if in_brackets => in_brackets = false,
                            _ if in_brackets => {}
                            '*' | '?' | '[' => {
                                in_brackets = c == '[';
                                text.push(COMPUTED);
                            }
                            _ => text.push(c),
                        }
                    }
                }
                Piece::Plain(_) | Piece::Quoted(_) if in_brackets => {}
                Piece::Plain(part) | Piece::Quoted(part) => text.push_str(part),
                Piece::Expansion(_) => text.push(COMPUTED),
                Piece::Array(_) => {}
            }
        }
        text.contains(COMPUTED).then_some(text)
    }

    /// The word with every occurrence of a placeholder as something that is known only when the command runs.
    pub fn filled(&self, placeholder: &str) -> Self {
        let mut pieces = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Plain(text) => fill(text, placeholder, Piece::Plain, &mut pieces),
                Piece::Quoted(text) => fill(text, placeholder, Piece::Quoted, &mut pieces),
                // The scripts in it were looked at where it stands in the text.
                Piece::Expansion(Expansion { source, kind, quoted, .. }) => {
                    pieces.push(Piece::Expansion(Expansion {
                        source: source.clone(),
                        kind: *kind,
                        quoted: *quoted,
                        scripts: Vec::new(),
                    }));
                }
                Piece::Array(words) => pieces.push(Piece::Array(words.clone())),
            }
        }
        Self { source: self.source.clone(), pieces }
    }

    /// Words that are known only when the command runs.
    pub fn unknown() -> Self {
        Self { source: String::new(), pieces: vec![Piece::unknown("")] }
    }

    fn join<'a>(&'a self, expansion_text: impl Fn(&'a Expansion) -> &'a str) -> String {
        if self.pieces.iter().any(|piece| matches!(piece, Piece::Array(_))) {
            return self.source.clone();
        }
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Plain(part) | Piece::Quoted(part) => text.push_str(part),
                Piece::Expansion(expansion) => text.push_str(expansion_text(expansion)),
                Piece::Array(_) => {}
            }
        }
        text
    }

    /// The word in the one canonical quoting.
    pub fn canonical(&self) -> String {
        match self.literal() {
            // A tilde that was not quoted has to stay unquoted.
            Some(text) if self.has_tilde() => {
                let rest = text.get(1..).unwrap_or_default();
                if is_bare(rest) || rest.is_empty() { text } else { self.source.clone() }
            }
            Some(text) => quote_if_needed(&text),
            None => self.source.clone(),
        }
    }

    /// True if the word is only partly known before it runs.
    pub fn has_expansion(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Expansion(_)))
    }

    /// True if a command's output, or a pipe to a command, is part of the word.
    pub fn has_command(&self) -> bool {
        self.pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Expansion(expansion) if expansion.kind != ExpansionKind::Value))
    }

    /// True if the word is nothing but `<(…)` or `>(…)`.
    pub fn is_process(&self) -> bool {
        matches!(self.pieces.as_slice(), [Piece::Expansion(expansion)] if expansion.kind == ExpansionKind::Process)
    }

    fn has_tilde(&self) -> bool {
        matches!(self.pieces.first(), Some(Piece::Plain(text)) if text.starts_with('~'))
    }

    /// True if a wildcard in the word is not quoted.
    fn has_wildcard(&self) -> bool {
        has_wildcard(&self.unquoted_view())
    }

    /// True if the word is subject to brace expansion.
    pub fn has_braces(&self) -> bool {
        find_braces(&self.unquoted_view()).is_some()
    }

    fn unquoted_view(&self) -> String {
        let mut view = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Plain(text) => view.push_str(text),
                _ => view.push(OPAQUE),
            }
        }
        view
    }

    /// Calls `visit` for every script that runs while this word is computed.
    pub fn scripts<'a>(&'a self, visit: &mut dyn FnMut(&'a Script)) {
        for piece in &self.pieces {
            match piece {
                Piece::Expansion(expansion) => expansion.scripts.iter().for_each(&mut *visit),
                Piece::Array(words) => words.iter().for_each(|word| word.scripts(visit)),
                Piece::Plain(_) | Piece::Quoted(_) => {}
            }
        }
    }

    /// The words a brace expansion makes of this one; `None` if that cannot be told from the text alone.
    pub fn expand_braces(&self) -> Option<Vec<Rc<Self>>> {
        let plain = self.plain()?;
        let mut done = Vec::new();
        let mut open = vec![plain.to_owned()];
        while let Some(text) = open.pop() {
            match find_braces(&text) {
                None => done.push(Rc::new(Self::of_plain(text))),
                Some(Braces { before, members: Some(members), after }) => {
                    open.extend(members.iter().rev().map(|member| format!("{before}{member}{after}")));
                }
                Some(Braces { members: None, .. }) => return None,
            }
            if done.len() + open.len() > MAX_BRACE_WORDS {
                return None;
            }
        }
        // A word that becomes empty, such as the second of `{a,}`, is dropped by the shell.
        done.retain(|word| !word.source.is_empty());
        Some(done)
    }
}

/// One brace expression and what stands around it.
struct Braces {
    before: String,
    /// `None` for a sequence such as `{1..9}`.
    members: Option<Vec<String>>,
    after: String,
}

/// Finds the first brace expression of a text without quotes.
fn find_braces(text: &str) -> Option<Braces> {
    if text.matches('{').nth(MAX_BRACES).is_some() {
        // Every opening brace costs a pass over the rest; so many are not worth it.
        return Some(Braces { before: String::new(), members: None, after: String::new() });
    }
    text.match_indices('{').find_map(|(start, _)| {
        let inner = text.get(start + 1..)?;
        let mut depth = 0_usize;
        let mut member_start = 0;
        let mut members = Vec::new();
        for (at, c) in inner.char_indices() {
            match c {
                '{' => depth += 1,
                ',' if depth == 0 => {
                    members.push(inner.get(member_start..at)?.to_owned());
                    member_start = at + 1;
                }
                '}' if depth > 0 => depth -= 1,
                '}' => {
                    let last = inner.get(member_start..at)?;
                    let is_sequence = members.is_empty() && last.contains("..");
                    if members.is_empty() && !is_sequence {
                        return None;
                    }
                    members.push(last.to_owned());
                    return Some(Braces {
                        before: text.get(..start)?.to_owned(),
                        members: (!is_sequence).then_some(members),
                        after: inner.get(at + 1..)?.to_owned(),
                    });
                }
                _ => {}
            }
        }
        None
    })
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?']) || text.find('[').is_some_and(|at| text.get(at + 1..).is_some_and(|t| t.contains(']')))
}

/// True if the shell reads this text, written without quotes, as one word of exactly this text.
fn is_bare(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(['~', '#'])
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == OPAQUE || "|&;<>()$`\\\"'".contains(c))
        && !has_wildcard(text)
        && find_braces(text).is_none()
}

/// The text as one shell word: as it is where that is safe, in single quotes otherwise.
fn quote_if_needed(text: &str) -> String {
    if is_bare(text) { text.to_owned() } else { quote(text) }
}

/// The text in single quotes.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Runs of blanks and tabs become one blank; newlines stay.
pub(super) fn collapse_blanks(text: &str) -> String {
    collapse(text, |c| c == ' ' || c == '\t')
}

/// Runs of what separates words or commands become one blank. Other white space, such as a no-break space, belongs to
/// the word it stands in, so that an allow rule may not take it for a blank.
pub(super) fn collapse_all(text: &str) -> String {
    let is_blank = |c| matches!(c, ' ' | '\t' | '\n');
    collapse(text, is_blank).trim_matches(' ').to_owned()
}

/// Runs of anything that looks like a blank become one, for stricter rules: whoever reads a rule sees no difference.
pub(super) fn collapse_wide(text: &str) -> String {
    collapse(text, char::is_whitespace).trim().to_owned()
}

fn collapse(text: &str, is_blank: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = false;
    for c in text.chars() {
        if is_blank(c) {
            blank = true;
            continue;
        }
        if std::mem::take(&mut blank) {
            out.push(' ');
        }
        out.push(c);
    }
    if blank {
        out.push(' ');
    }
    out
}
