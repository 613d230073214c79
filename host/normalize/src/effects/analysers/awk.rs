//! Programs of awk: known only if they can but compute and print.

use cavra_model::FileUse;

use crate::effects::Engine;
use crate::effects::compose::Output;
use crate::effects::options::Parsed;
use crate::effects::state::State;
use crate::effects::words::{Arg, Shape};

/// Words that reach beyond the input.
const REACHING: [&str; 9] = ["system", "getline", "close", "ENVIRON", "fflush", "PROCINFO", "ARGV", "ARGC", "SYMTAB"];

impl Engine<'_> {
    pub(in crate::effects) fn awk(&mut self, parsed: &Parsed<'_>, state: &State) -> Output {
        let (program, files) = parsed.operands.split_first()?;
        match program.literal() {
            Some(text) => self.awk_program(text, state),
            None => self.out.doubt(program.shown(), "the program of awk is known only when it runs"),
        }
        for file in files {
            let is_assignment = file.text.split_once('=').is_some_and(|(name, _)| {
                name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty()
            });
            if !is_assignment || !matches!(file.shape, Shape::Fixed) {
                self.named(FileUse::Reads, file, false, "operand of `awk`", state);
            }
        }
        None
    }

    fn awk_program(&mut self, text: &str, state: &State) {
        let scan = Scan::of(text);
        if scan.is_plain {
            return;
        }
        self.out.doubt(text, "a program of awk that may run commands or open files");
        for (usage, file) in scan.files {
            self.named(usage, &Arg::fixed(file), false, "a file in a program of awk", state);
        }
        if scan.runs {
            self.out.run("inline", vec!["shell".to_owned()], "a command in a program of awk");
        }
        if text.contains("ENVIRON") {
            self.out.environment("*", "`ENVIRON` in a program of awk");
        }
    }
}

/// What a program holds.
struct Scan {
    is_plain: bool,
    runs: bool,
    files: Vec<(FileUse, String)>,
}

impl Scan {
    fn of(text: &str) -> Self {
        let mut scan = Self { is_plain: true, runs: false, files: Vec::new() };
        let mut rest = text;
        // What stands before: whether a slash divides or begins an expression.
        let mut value_before = false;
        let (mut braces, mut parentheses) = (0_usize, 0_usize);
        // The operator before a string, if it opens a file.
        let mut opens: Option<FileUse> = None;
        while let Some(c) = rest.chars().next() {
            let length = c.len_utf8();
            let mut taken = length;
            match c {
                '"' => {
                    let Some((inner, length)) = quoted(rest, '"') else { return scan.unclear() };
                    if let Some(usage) = opens.take() {
                        scan.files.push((usage, inner.to_owned()));
                    }
                    taken = length;
                    value_before = true;
                }
                '/' if !value_before => {
                    let Some((_, length)) = quoted(rest, '/') else { return scan.unclear() };
                    taken = length;
                    value_before = true;
                }
                '#' => taken = rest.find('\n').unwrap_or(rest.len()),
                c if c.is_ascii_alphabetic() || c == '_' => {
                    taken = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                    let word = rest.get(..taken).unwrap_or_default();
                    if REACHING.contains(&word) {
                        scan.is_plain = false;
                        scan.runs |= word == "system";
                    }
                    value_before = !matches!(word, "print" | "printf" | "return" | "in");
                }
                c if c.is_ascii_digit() => value_before = true,
                '|' if rest.starts_with("||") => {
                    taken = 2;
                    value_before = false;
                }
                '|' => {
                    scan.is_plain = false;
                    scan.runs = true;
                    value_before = false;
                }
                '@' => scan.is_plain = false,
                '>' if braces > 0 && parentheses == 0 && !rest.starts_with(">=") => {
                    scan.is_plain = false;
                    opens = Some(FileUse::Writes);
                    value_before = false;
                }
                '<' if text.contains("getline") => {
                    opens = Some(FileUse::Reads);
                    value_before = false;
                }
                '{' => {
                    braces += 1;
                    value_before = false;
                }
                '}' => {
                    braces = braces.saturating_sub(1);
                    value_before = false;
                }
                '(' => {
                    parentheses += 1;
                    value_before = false;
                }
                ')' => {
                    parentheses = parentheses.saturating_sub(1);
                    value_before = true;
                }
                ']' | '$' => value_before = c == ']',
                ' ' | '\t' => {}
                '\\' => return scan.unclear(),
                _ => value_before = false,
            }
            if !matches!(c, ' ' | '\t' | '>' | '<' | '"') {
                opens = None;
            }
            rest = rest.get(taken.max(length)..).unwrap_or_default();
        }
        scan
    }

    fn unclear(mut self) -> Self {
        self.is_plain = false;
        self
    }
}

/// The inside of a quote that begins here, and its length with the delimiters.
fn quoted(text: &str, delimiter: char) -> Option<(&str, usize)> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => return None,
            c if c == delimiter => return Some((text.get(1..at)?, at + 1)),
            _ => {}
        }
    }
    None
}
