//! Scripts of sed: which commands they hold, and which files those read and write.

use cavra_model::FileUse;

use crate::effects::Engine;
use crate::effects::compose::Output;
use crate::effects::options::Parsed;
use crate::effects::state::State;
use crate::effects::words::{Arg, Shape};

impl Engine<'_> {
    pub(in crate::effects) fn sed(&mut self, parsed: &Parsed<'_>, state: &State) -> Output {
        let in_place = parsed.has(&["i"]);
        let mut operands = parsed.operands.as_slice();
        // BSD's `-i ''`: no suffix.
        if in_place && operands.first().and_then(Arg::literal) == Some("") {
            operands = operands.get(1..).unwrap_or_default();
        }
        let mut scripts: Vec<&Arg> = parsed.values_of(&["e"]).collect();
        if scripts.is_empty()
            && !parsed.has(&["f"])
            && let Some((first, rest)) = operands.split_first()
        {
            scripts.push(first);
            operands = rest;
        }
        for script in scripts {
            match script.literal() {
                Some(text) => self.sed_script(text, state),
                None => self.out.doubt(script.shown(), "the script of sed is known only when it runs"),
            }
        }
        let why = "operand of `sed`";
        for file in operands.iter().filter(|arg| arg.literal() != Some("-")) {
            self.named(FileUse::Reads, file, false, why, state);
            if in_place {
                self.named(FileUse::Writes, file, false, "operand of `sed -i`", state);
                for suffix in parsed.values_of(&["i"]) {
                    self.backup(file, suffix, state);
                }
            }
        }
        None
    }

    fn backup(&mut self, file: &Arg, suffix: &Arg, state: &State) {
        match (suffix.literal(), &file.shape) {
            (Some(""), _) => {}
            (Some(suffix), Shape::Fixed | Shape::Glob) if !suffix.contains(['*', '/']) => {
                let copy = Arg { text: format!("{}{suffix}", file.text), shape: file.shape.clone() };
                self.named(FileUse::Writes, &copy, false, "copy that `sed -i` keeps", state);
            }
            _ => self.out.doubt(suffix.shown(), "where `sed -i` keeps copies is not known"),
        }
    }

    fn sed_script(&mut self, text: &str, state: &State) {
        let mut script = Script { rest: text };
        loop {
            match script.command() {
                Ok(None) => return,
                Ok(Some(Found::Nothing)) => {}
                Ok(Some(Found::Writes(file))) => {
                    self.named(FileUse::Writes, &Arg::fixed(file), false, "`w` in a script of sed", state);
                    self.out.doubt(text, "a script of sed that writes files");
                }
                Ok(Some(Found::Reads(file))) => {
                    self.named(FileUse::Reads, &Arg::fixed(file), false, "`r` in a script of sed", state);
                    self.out.doubt(text, "a script of sed that reads files");
                }
                Ok(Some(Found::Runs)) => {
                    self.out.run("inline", vec!["shell".to_owned()], "`e` in a script of sed");
                    self.out.doubt(text, "a script of sed that runs commands");
                }
                Err(()) => return self.out.doubt(text, "a script of sed that is not understood"),
            }
        }
    }
}

enum Found {
    Nothing,
    Reads(String),
    Writes(String),
    Runs,
}

/// A script, from where it is read.
struct Script<'a> {
    rest: &'a str,
}

impl<'a> Script<'a> {
    fn bump(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
        Some(c)
    }

    fn skip(&mut self, characters: &[char]) {
        self.rest = self.rest.trim_start_matches(characters);
    }

    fn line(&mut self) -> &'a str {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        let line = self.rest.get(..end).unwrap_or_default();
        self.rest = self.rest.get(end..).unwrap_or_default();
        line
    }

    /// Up to a delimiter that is not escaped, nor in brackets.
    fn until(&mut self, delimiter: char, brackets: bool) -> Result<(), ()> {
        let mut in_brackets = false;
        while let Some(c) = self.bump() {
            match c {
                '\\' => {
                    self.bump();
                }
                '[' if brackets && !in_brackets => {
                    in_brackets = true;
                    self.skip(&['^']);
                    if self.rest.starts_with(']') {
                        self.bump();
                    }
                }
                ']' => in_brackets = false,
                c if c == delimiter && !in_brackets => return Ok(()),
                _ => {}
            }
        }
        Err(())
    }

    fn address(&mut self) -> Result<bool, ()> {
        match self.rest.chars().next() {
            Some(c) if c.is_ascii_digit() => self.skip(&['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '~']),
            Some('$') => {
                self.bump();
            }
            Some('/') => {
                self.bump();
                self.until('/', true)?;
                self.skip(&['I', 'M']);
            }
            Some('\\') => {
                self.bump();
                let delimiter = self.bump().ok_or(())?;
                self.until(delimiter, true)?;
                self.skip(&['I', 'M']);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The next command; `None` at the end.
    fn command(&mut self) -> Result<Option<Found>, ()> {
        self.skip(&[' ', '\t', '\n', ';', '}']);
        if self.rest.is_empty() {
            return Ok(None);
        }
        if self.address()? {
            self.skip(&[' ', '\t']);
            if self.rest.starts_with(',') {
                self.bump();
                self.skip(&[' ', '\t', '+', '~']);
                if !self.address()? {
                    return Err(());
                }
            }
        }
        self.skip(&[' ', '\t', '!']);
        let found = match self.bump().ok_or(())? {
            '{' => return Ok(Some(Found::Nothing)),
            '=' | 'd' | 'D' | 'g' | 'G' | 'h' | 'H' | 'n' | 'N' | 'p' | 'P' | 'x' | 'z' => Found::Nothing,
            'q' | 'Q' | 'l' | 'L' => {
                self.skip(&[' ', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
                Found::Nothing
            }
            '#' | ':' => {
                self.line();
                Found::Nothing
            }
            'b' | 't' | 'T' => {
                let end = self.rest.find(['\n', ';', '}']).unwrap_or(self.rest.len());
                self.rest = self.rest.get(end..).unwrap_or_default();
                Found::Nothing
            }
            'a' | 'i' | 'c' => {
                while self.line().ends_with('\\') && self.bump().is_some() {}
                Found::Nothing
            }
            'y' => {
                let delimiter = self.bump().ok_or(())?;
                self.until(delimiter, false)?;
                self.until(delimiter, false)?;
                Found::Nothing
            }
            's' => return self.substitution().map(Some),
            'r' | 'R' => Found::Reads(self.line().trim().to_owned()),
            'w' | 'W' => Found::Writes(self.line().trim().to_owned()),
            'e' => {
                self.line();
                Found::Runs
            }
            _ => return Err(()),
        };
        if matches!(found, Found::Nothing) {
            self.end()?;
        }
        Ok(Some(found))
    }

    fn substitution(&mut self) -> Result<Found, ()> {
        let delimiter = self.bump().ok_or(())?;
        if delimiter == '\n' || delimiter == '\\' {
            return Err(());
        }
        self.until(delimiter, true)?;
        self.until(delimiter, false)?;
        loop {
            match self.rest.chars().next() {
                Some('e') => {
                    self.bump();
                    return Ok(Found::Runs);
                }
                Some('w') => {
                    self.bump();
                    return Ok(Found::Writes(self.line().trim().to_owned()));
                }
                Some(c) if c.is_ascii_digit() || "gpiImM".contains(c) => {
                    self.bump();
                }
                _ => break,
            }
        }
        self.end()?;
        Ok(Found::Nothing)
    }

    /// A command ends here.
    fn end(&mut self) -> Result<(), ()> {
        self.skip(&[' ', '\t']);
        match self.rest.chars().next() {
            None | Some('\n' | ';' | '}' | '#') => Ok(()),
            Some(_) => Err(()),
        }
    }
}
