//! Splits arguments into options, their values and operands, as a row says.

use super::table::{Role, RoleKind, Row, Takes};
use super::words::{Arg, Shape};

/// The arguments of a command, by what they are.
#[derive(Debug, Default)]
pub(super) struct Parsed<'r> {
    /// The row of the innermost subcommand.
    pub row: Option<&'r Row>,
    /// Names of the subcommands on the way to it.
    pub subcommands: Vec<String>,
    /// Keys of the options that are given.
    pub given: Vec<&'r str>,
    /// Values of options: key, meaning, value.
    pub values: Vec<(&'r str, &'r Role, Arg)>,
    /// Operands, in order.
    pub operands: Vec<Arg>,
    /// How many of the operands stand in front of `--`; all if there is none.
    pub before_dashes: usize,
    /// `--` is there.
    pub has_dashes: bool,
    /// What is not understood: word and sentence.
    pub doubts: Vec<(String, &'static str)>,
}

const UNKNOWN_OPTION: &str = "this option is not described";
const MAYBE_OPTION: &str = "this may become an option when the command runs";
const UNKNOWN_SUBCOMMAND: &str = "this subcommand is not described";
const NO_VALUE: &str = "this option lacks its value";

impl Parsed<'_> {
    pub fn has(&self, keys: &[impl AsRef<str>]) -> bool {
        self.given.iter().any(|given| keys.iter().any(|key| key.as_ref() == *given))
    }

    /// The values of an option.
    pub fn values_of<'s>(&'s self, keys: &'s [&str]) -> impl Iterator<Item = &'s Arg> {
        self.values.iter().filter(|(key, ..)| keys.contains(key)).map(|(.., arg)| arg)
    }

    fn doubt(&mut self, word: &Arg, sentence: &'static str) {
        self.doubts.push((word.shown().to_owned(), sentence));
    }
}

/// Splits the arguments behind the name of a program.
pub(super) fn parse<'r>(row: &'r Row, arguments: &[Arg]) -> Parsed<'r> {
    let mut parser = Parser {
        rows: vec![row],
        single_dash: row.single_dash,
        parsed: Parsed { row: Some(row), ..Parsed::default() },
        arguments,
        at: 0,
    };
    parser.run();
    if !parser.parsed.has_dashes {
        parser.parsed.before_dashes = parser.parsed.operands.len();
    }
    parser.parsed
}

struct Parser<'r, 'a> {
    /// The row that counts, and the outer ones whose options count as well.
    rows: Vec<&'r Row>,
    parsed: Parsed<'r>,
    /// Options of several letters have one dash.
    single_dash: bool,
    arguments: &'a [Arg],
    at: usize,
}

impl<'r> Parser<'r, '_> {
    fn row(&self) -> Option<&'r Row> {
        self.rows.last().copied()
    }

    fn run(&mut self) {
        while let Some(arg) = self.arguments.get(self.at) {
            self.at += 1;
            let Some(row) = self.row() else { return };
            if row.free {
                self.parsed.operands.push(arg.clone());
                continue;
            }
            let is_option = arg.text.starts_with('-') && arg.text.len() > 1;
            let ends = self.parsed.has_dashes || (row.options_first && !self.parsed.operands.is_empty());
            if ends {
                self.parsed.operands.push(arg.clone());
            } else if arg.literal() == Some("--") {
                self.parsed.has_dashes = true;
                self.parsed.before_dashes = self.parsed.operands.len();
            } else if is_option {
                self.option(arg);
            } else if arg.may_be_option() {
                self.parsed.doubt(arg, MAYBE_OPTION);
                self.parsed.operands.push(arg.clone());
            } else {
                self.operand(arg, row);
            }
        }
    }

    fn operand(&mut self, arg: &Arg, row: &'r Row) {
        let nests = !row.subcommands.is_empty() || row.otherwise.is_some();
        if !nests || !self.parsed.operands.is_empty() {
            return self.parsed.operands.push(arg.clone());
        }
        let Some(name) = arg.literal() else {
            return self.parsed.doubt(arg, "the subcommand is not fixed text");
        };
        let found = row.subcommand(name);
        match found {
            Some(inner) => {
                let is_named = row.subcommands.iter().any(|(known, _)| known == name);
                if !row.inherits {
                    self.rows.clear();
                }
                self.rows.push(inner);
                self.single_dash |= inner.single_dash;
                self.parsed.row = Some(inner);
                self.parsed.subcommands.push(name.to_owned());
                if !is_named {
                    self.parsed.operands.push(arg.clone());
                }
            }
            None => {
                self.parsed.doubt(arg, UNKNOWN_SUBCOMMAND);
                self.parsed.subcommands.push(name.to_owned());
                self.parsed.operands.push(arg.clone());
            }
        }
    }

    fn find_long(&self, name: &str) -> Option<(&'r str, &'r Takes)> {
        self.rows.iter().rev().find_map(|row| row.long(name))
    }

    fn find_letter(&self, letter: char) -> Option<(&'r str, &'r Takes)> {
        self.rows.iter().rev().find_map(|row| row.letter(letter))
    }

    fn option(&mut self, arg: &Arg) {
        let text = arg.text.as_str();
        let dashes = if text.starts_with("--") { 2 } else { 1 };
        let single = self.single_dash;
        if dashes == 2 || single {
            let equals = text.find('=');
            let name = text.get(..equals.unwrap_or(text.len())).unwrap_or(text);
            // `go test --run` is `go test -run`.
            let shorter = name.get(1..).filter(|_| single && dashes == 2);
            let found = self.find_long(name).or_else(|| shorter.and_then(|name| self.find_long(name)));
            let is_whole = equals.is_some() || arg.literal().is_some();
            if let Some((key, takes)) = found.filter(|_| is_whole) {
                let joined = equals.map(|at| arg.behind(at + 1));
                return self.take(key, takes, joined, arg);
            }
            if dashes == 2 || !is_short(text) {
                return self.parsed.doubt(arg, UNKNOWN_OPTION);
            }
        } else if let Some((key, takes)) = self.find_long(text).filter(|_| arg.literal().is_some()) {
            return self.take(key, takes, None, arg);
        }
        self.letters(arg);
    }

    fn letters(&mut self, arg: &Arg) {
        for (at, letter) in arg.text.char_indices().skip(1) {
            let Some((key, takes)) = self.find_letter(letter) else {
                return self.parsed.doubt(arg, UNKNOWN_OPTION);
            };
            let rest = at + letter.len_utf8();
            match takes {
                Takes::Nothing => self.parsed.given.push(key),
                Takes::Values(_) | Takes::Joined(_) => {
                    let is_empty = rest >= arg.text.len() && arg.literal().is_some();
                    return self.take(key, takes, (!is_empty).then(|| arg.behind(rest)), arg);
                }
            }
        }
        if arg.literal().is_none() {
            self.parsed.doubt(arg, MAYBE_OPTION);
        }
    }

    /// Takes the values of an option.
    fn take(&mut self, key: &'r str, takes: &'r Takes, joined: Option<Arg>, option: &Arg) {
        self.parsed.given.push(key);
        match takes {
            Takes::Nothing if joined.is_some() => self.parsed.doubt(option, "this option takes no value"),
            Takes::Nothing => {}
            Takes::Joined(roles) => {
                if let (Some(role), Some(value)) = (roles.first(), joined) {
                    self.value(key, role, value);
                }
            }
            Takes::Values(roles) => {
                let mut joined = joined;
                for role in roles.iter() {
                    let value = joined.take().or_else(|| {
                        self.at += 1;
                        self.arguments.get(self.at - 1).cloned()
                    });
                    match value {
                        // What may become several words shifts all that follows.
                        Some(value) if matches!(value.shape, Shape::Any | Shape::Names(_)) => {
                            self.parsed.doubt(option, "the value of this option is not one word");
                        }
                        Some(value) => self.value(key, role, value),
                        None => self.parsed.doubt(option, NO_VALUE),
                    }
                }
            }
        }
    }

    fn value(&mut self, key: &'r str, role: &'r Role, value: Arg) {
        if role.kind == RoleKind::Unknown {
            self.parsed.doubt(&value, "the value of this option may be anything");
        }
        self.parsed.values.push((key, role, value));
    }
}

/// A dash and one letter, with or without more.
fn is_short(text: &str) -> bool {
    text.len() >= 2
}
