//! Words as arguments: what the shell makes of them before a program sees them, as far as that is known.

use std::rc::Rc;

use super::paths;
use super::state::{Directory, State};
use crate::Surroundings;
use crate::command::word::{Expansion, ExpansionKind, Piece, Word};

/// Most arguments that one word may become.
const MOST_VALUES: usize = 64;

/// An argument of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arg {
    /// Its text; the beginning that is known, if it is open.
    pub text: String,
    /// What is known about it.
    pub shape: Shape,
}

/// What is known about an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The text is the argument.
    Fixed,
    /// The text is a glob; the argument is any number of names that it matches. Quoted wildcards stand in brackets.
    Glob,
    /// The text is a beginning; what follows is not known. True if it is certain that no option begins so.
    Open(bool),
    /// Any number of names of files in these sets.
    Names(Rc<Vec<Set>>),
    /// Nothing, or any number of arguments.
    Any,
}

/// A set of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Set {
    /// Absolute path of a file or folder, or a glob.
    pub path: String,
    /// Everything below it.
    pub tree: bool,
    /// The path is a glob.
    pub pattern: bool,
    /// A glob for the names of the files in the tree.
    pub names: Option<String>,
    /// No other file of the tree is meant than those with such names.
    pub exact: bool,
}

impl Arg {
    pub fn fixed(text: impl Into<String>) -> Self {
        Self { text: text.into(), shape: Shape::Fixed }
    }

    pub fn any() -> Self {
        Self { text: String::new(), shape: Shape::Any }
    }

    /// The text, if it is all of the argument.
    pub fn literal(&self) -> Option<&str> {
        matches!(self.shape, Shape::Fixed).then_some(self.text.as_str())
    }

    /// The argument may begin with a dash although its text does not show it.
    pub fn may_be_option(&self) -> bool {
        match &self.shape {
            Shape::Fixed | Shape::Names(_) => false,
            Shape::Glob => self.text.is_empty() || self.text.starts_with(['*', '?', '[']),
            Shape::Open(safe) => !safe && self.text.is_empty(),
            Shape::Any => true,
        }
    }

    /// The argument without the first bytes of its text.
    pub fn behind(&self, bytes: usize) -> Self {
        Self { text: self.text.get(bytes..).unwrap_or_default().to_owned(), shape: self.shape.clone() }
    }

    /// For people.
    pub fn shown(&self) -> &str {
        self.text.strip_prefix(paths::HOME).unwrap_or(&self.text)
    }
}

/// Names of variables whose values are secrets.
fn is_secret(name: &str) -> bool {
    const PARTS: [&str; 9] =
        ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "PRIVATE", "CREDENTIAL", "ACCESS_KEY"];
    PARTS.iter().any(|part| name.contains(part)) || name.ends_with("_KEY") || name.ends_with("_PASS")
}

/// What words become in a state.
pub(super) struct Reader<'a> {
    pub state: &'a State,
    pub surroundings: &'a Surroundings<'a>,
    /// Variables with secret values that were put in.
    pub secrets: Vec<String>,
}

impl Reader<'_> {
    /// Adds the arguments that a word becomes.
    pub fn word(&mut self, word: &Word, into: &mut Vec<Arg>) {
        if word.has_braces() {
            match word.expand_braces() {
                Some(words) => words.iter().for_each(|word| self.pieces(&word.pieces, into)),
                None => into.push(Arg::any()),
            }
        } else {
            self.pieces(&word.pieces, into);
        }
    }

    /// The value of an assignment: no splitting, no globs.
    pub fn value(&mut self, pieces: &[Piece], skip: usize) -> Option<Vec<Arg>> {
        if let [Piece::Plain(_), Piece::Array(words)] = pieces {
            let mut values = Vec::new();
            words.iter().for_each(|word| self.word(word, &mut values));
            return Some(values);
        }
        let mut builder = Builder::default();
        for (index, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Plain(text) | Piece::Quoted(text) => {
                    let text = if index == 0 { text.get(skip..).unwrap_or_default() } else { text };
                    let is_start = index == 0 && matches!(piece, Piece::Plain(_));
                    self.plain(text, is_start, false, &mut builder);
                }
                Piece::Expansion(expansion) => self.expansion(expansion, true, &mut builder),
                Piece::Array(_) => return None,
            }
        }
        Some(builder.finish())
    }

    fn pieces(&mut self, pieces: &[Piece], into: &mut Vec<Arg>) {
        let mut builder = Builder { wildcards: has_wildcards(pieces), ..Builder::default() };
        for (index, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Plain(text) => self.plain(text, index == 0, true, &mut builder),
                Piece::Quoted(text) => self.plain(text, false, false, &mut builder),
                Piece::Expansion(expansion) => self.expansion(expansion, expansion.quoted, &mut builder),
                Piece::Array(_) => builder.any = true,
            }
        }
        if into.len() < MOST_VALUES * MOST_VALUES {
            into.extend(builder.finish());
        }
    }

    fn plain(&self, text: &str, may_be_home: bool, wildcards: bool, builder: &mut Builder) {
        if may_be_home && let Some(rest) = text.strip_prefix('~') {
            if rest.is_empty() || rest.starts_with('/') {
                builder.push(&paths::home(self.surroundings));
                builder.push(rest);
            } else {
                builder.any = true;
            }
            return;
        }
        if !wildcards && builder.wildcards {
            builder.push(&escaped(text));
        } else {
            builder.push(text);
        }
        builder.glob |= wildcards && builder.wildcards;
    }

    fn expansion(&mut self, expansion: &Expansion, quoted: bool, builder: &mut Builder) {
        let source = expansion.source.as_str();
        match expansion.kind {
            ExpansionKind::Process => builder.push("/dev/fd/63"),
            ExpansionKind::Command => self.output(source, quoted, builder),
            ExpansionKind::Value => {
                let name = source.trim_start_matches('$').trim_start_matches('{').trim_end_matches('}');
                self.variable(name, quoted, builder);
            }
        }
    }

    fn variable(&mut self, name: &str, quoted: bool, builder: &mut Builder) {
        match (self.state.variable(name), name) {
            (Some(Some(values)), _) => builder.values(values, quoted),
            (Some(None), _) => builder.open(quoted, false),
            (None, "HOME") => builder.push(&paths::home(self.surroundings)),
            (None, "PWD") => match &self.state.directory {
                Directory::Known { path, pattern: false } => builder.push(path),
                _ => builder.open(quoted, true),
            },
            (None, "?" | "#" | "$" | "!" | "PPID" | "UID" | "RANDOM" | "SECONDS" | "LINENO" | "EUID") => {
                builder.open(true, true);
            }
            (None, _) => {
                if is_secret(name) {
                    self.secrets.push(name.to_owned());
                }
                let list = name.contains(['@', '*', '[']);
                builder.open(quoted && !list, name == "TMPDIR");
            }
        }
    }

    /// What a few commands print is known.
    fn output(&self, source: &str, quoted: bool, builder: &mut Builder) {
        let inner = source.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')'));
        let inner = inner.or_else(|| source.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')));
        let words: Vec<&str> = inner.unwrap_or_default().split_whitespace().collect();
        match words.as_slice() {
            ["pwd"] => match &self.state.directory {
                Directory::Known { path, pattern: false } => builder.push(path),
                _ => builder.open(quoted, true),
            },
            ["git", "rev-parse", "--show-toplevel"] if !self.state.moved => {
                builder.push(&paths::root(self.surroundings));
            }
            ["git", "rev-parse", "--show-toplevel"] => builder.open(quoted, true),
            ["git", "branch", "--show-current"] | ["git", "rev-parse", "--abbrev-ref", "HEAD"] => {
                let head = match (&self.state.directory, self.surroundings.disk) {
                    (Directory::Known { path, pattern: false }, Some(disk)) => disk.head(path),
                    _ => None,
                };
                match head {
                    Some(branch) => builder.push(&branch),
                    None => builder.open(true, true),
                }
            }
            ["git", "rev-parse", ..] => builder.open(true, true),
            ["date", ..] | ["seq", ..] | ["nproc"] | ["whoami"] | ["hostname"] => builder.open(quoted, true),
            ["mktemp"] | ["mktemp", "-d"] => {
                builder.push("/tmp/*");
                builder.set = true;
            }
            _ => builder.open(quoted, false),
        }
    }
}

/// Collects the arguments that one word becomes.
#[derive(Default)]
struct Builder {
    done: Vec<Arg>,
    text: String,
    /// The word has wildcards that count.
    wildcards: bool,
    glob: bool,
    /// The text is a glob that stands for one of a set.
    set: bool,
    open: Option<bool>,
    any: bool,
    names: Option<Shape>,
    pushed: bool,
}

impl Builder {
    fn push(&mut self, text: &str) {
        self.pushed = true;
        if self.open.is_none() {
            self.text.push_str(text);
        }
    }

    /// What follows is not known.
    fn open(&mut self, one_word: bool, safe: bool) {
        self.pushed = true;
        if !one_word {
            // It may become several words, or none.
            let known = self.text.clone();
            self.any |= known.is_empty() && !safe;
        }
        if self.open.is_none() {
            self.open = Some(safe);
        }
    }

    fn values(&mut self, values: &[Arg], quoted: bool) {
        match values {
            [only] => self.one(only, quoted),
            [] => {}
            _ if quoted && self.text.is_empty() => self.one_of(values),
            _ => self.open(quoted, false),
        }
    }

    fn one_of(&mut self, values: &[Arg]) {
        self.pushed = true;
        self.done.extend(values.iter().take(MOST_VALUES).cloned());
    }

    fn one(&mut self, value: &Arg, quoted: bool) {
        match &value.shape {
            Shape::Fixed if quoted || !value.text.contains([' ', '\t', '\n', '*', '?', '[', '\\']) => {
                if quoted || !value.text.is_empty() {
                    self.push(&value.text);
                }
            }
            Shape::Fixed => {
                // The shell splits it, and takes its words for globs.
                let mut words = value.text.split_whitespace().peekable();
                while let Some(word) = words.next() {
                    self.push(word);
                    self.glob |= word.contains(['*', '?', '[']);
                    if words.peek().is_some() {
                        self.flush();
                    }
                }
            }
            Shape::Glob => {
                self.push(&value.text);
                self.set = true;
            }
            Shape::Open(safe) => {
                self.push(&value.text);
                let safe = *safe || !self.text.is_empty();
                self.open(quoted, safe);
            }
            Shape::Names(_) => {
                self.pushed = true;
                self.names = Some(value.shape.clone());
            }
            Shape::Any => self.any = true,
        }
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        let shape =
            if std::mem::take(&mut self.glob) || std::mem::take(&mut self.set) { Shape::Glob } else { Shape::Fixed };
        self.done.push(Arg { text, shape });
        self.pushed = false;
    }

    fn finish(mut self) -> Vec<Arg> {
        if self.any {
            self.done.push(Arg::any());
        } else if let Some(names) = self.names {
            let plain = self.text.is_empty() && self.open.is_none();
            self.done.push(if plain { Arg { text: String::new(), shape: names } } else { Arg::any() });
        } else if let Some(safe) = self.open {
            let safe = safe || !(self.text.is_empty() || self.text.starts_with('-'));
            self.done.push(Arg { text: self.text, shape: Shape::Open(safe) });
        } else if self.pushed {
            self.flush();
        }
        self.done
    }
}

fn has_wildcards(pieces: &[Piece]) -> bool {
    let mut open = false;
    pieces.iter().any(|piece| match piece {
        Piece::Plain(text) => {
            let found = text.contains(['*', '?'])
                || text.find('[').is_some_and(|at| text.get(at..).is_some_and(|rest| rest.contains(']')));
            let closes = open && text.contains(']');
            open |= text.contains('[');
            found || closes
        }
        _ => false,
    })
}

/// Text in which no wildcard counts.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[') {
            escaped.push('[');
            escaped.push(c);
            escaped.push(']');
        } else {
            escaped.push(c);
        }
    }
    escaped
}
