//! What is open around a token, and whether reserved words count there.

use super::here_doc::PendingDoc;
use super::lex::{Lexed, Script, Token, TokenKind, Trouble};
use super::word::Word;

/// Most open compound commands, such as `{` or `if`.
pub(super) const MAX_OPEN: usize = 40;

/// Deepest nesting of `case`. The grammar may read an item twice per level before it refuses it.
const MAX_CASES: usize = 4;

/// What is open around the current token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    Parenthesis,
    /// The parentheses of `name()`.
    FunctionParentheses,
    /// Another compound command, closed by a reserved word.
    Compound,
    /// `case … in`, at the patterns of an item: `)` does not close anything.
    CasePattern,
    /// `case … in`, in the commands of an item.
    CaseBody,
}

/// The state of one script while it is read.
pub(super) struct Reading {
    pub script: Script,
    pub open: Vec<Open>,
    pub pending: Vec<PendingDoc>,
    /// The next word is the first of a command, so that reserved words count.
    pub at_command: bool,
    /// The next word is the name after `function`.
    pub function_name: bool,
    /// The next word is the delimiter of a here-document; true if tabs are stripped.
    pub delimiter_next: Option<bool>,
}

impl Reading {
    pub fn push(&mut self, kind: TokenKind, spaced: bool) -> Lexed<()> {
        self.script.tokens.push(Token { kind, spaced });
        Ok(())
    }

    pub fn open(&mut self, what: Open) -> Lexed<()> {
        self.open.push(what);
        let cases = self.open.iter().filter(|open| matches!(open, Open::CasePattern | Open::CaseBody)).count();
        if self.open.len() > MAX_OPEN || cases > MAX_CASES {
            return Err(Trouble("commands are nested too deeply"));
        }
        Ok(())
    }

    pub fn close_parenthesis(&mut self) -> Lexed<()> {
        match self.open.last_mut() {
            Some(open @ Open::CasePattern) => {
                *open = Open::CaseBody;
                self.at_command = true;
            }
            Some(Open::Parenthesis) => {
                self.open.pop();
                self.at_command = false;
            }
            Some(Open::FunctionParentheses) => {
                self.open.pop();
                self.at_command = true;
            }
            _ => return Err(Trouble("an unbalanced parenthesis")),
        }
        Ok(())
    }

    /// Follows what a word means for the words after it.
    pub fn word_state(&mut self, word: &Word) -> Lexed<()> {
        let in_pattern = self.open.last() == Some(&Open::CasePattern);
        if std::mem::take(&mut self.function_name) {
            self.at_command = true;
            return Ok(());
        }
        let reserved = word.plain().filter(|_| self.at_command || in_pattern);
        self.at_command = match reserved {
            Some("esac") if matches!(self.open.last(), Some(Open::CasePattern | Open::CaseBody)) => {
                self.open.pop();
                true
            }
            _ if in_pattern => false,
            Some("case") => {
                // The word and `in` come first; they are no patterns, but nothing there depends on it.
                self.open(Open::CasePattern)?;
                false
            }
            Some("{" | "if" | "while" | "until" | "for" | "select") => {
                self.open(Open::Compound)?;
                matches!(word.plain(), Some("{" | "if" | "while" | "until"))
            }
            Some("}" | "fi" | "done") => {
                if self.open.last() != Some(&Open::Compound) {
                    return Err(Trouble("a compound command is closed that is not open"));
                }
                self.open.pop();
                true
            }
            Some("then" | "else" | "elif" | "do" | "!" | "time" | "coproc") => true,
            Some("function") => {
                self.function_name = true;
                false
            }
            _ => false,
        };
        Ok(())
    }
}
