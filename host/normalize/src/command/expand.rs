//! The inside of words: quotes, escapes, expansions and substitutions.

use std::rc::Rc;

use super::lex::{Lexed, Lexer, Script, Trouble};
use super::word::{Expansion, ExpansionKind, Piece, Word};

impl Lexer<'_> {
    /// Reads one word. At least one character is there that no operator claims.
    pub(super) fn word(&mut self) -> Lexed<Word> {
        let start = self.at;
        let mut pieces = Vec::new();
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | ')' => break,
                '<' | '>' => {
                    if !self.rest().get(1..).is_some_and(|rest| rest.starts_with('(')) {
                        break;
                    }
                    pieces.push(self.process_substitution()?);
                }
                '(' => match array_name(&pieces) {
                    true => pieces.push(self.array()?),
                    false => break,
                },
                '\\' => {
                    self.bump();
                    match self.bump() {
                        Some('\n') => {}
                        Some(escaped) => push_quoted(&mut pieces, escaped),
                        None => return Err(Trouble("an escape at the end of the text")),
                    }
                }
                '\'' => pieces.push(self.single_quotes()?),
                '"' => self.double_quotes(&mut pieces)?,
                '$' => pieces.push(self.dollar(false)?),
                '`' => pieces.push(self.backticks(false)?),
                _ => {
                    self.bump();
                    push_plain(&mut pieces, c);
                }
            }
        }
        Ok(Word { source: self.since(start).to_owned(), pieces })
    }

    fn single_quotes(&mut self) -> Lexed<Piece> {
        self.bump();
        let length = self.rest().find('\'').ok_or(Trouble("a single quote is not closed"))?;
        let text = self.rest().get(..length).unwrap_or_default().to_owned();
        self.at += length + 1;
        Ok(Piece::Quoted(text))
    }

    fn double_quotes(&mut self, pieces: &mut Vec<Piece>) -> Lexed<()> {
        self.bump();
        let inner = self.quoted_pieces(Some('"'))?;
        // Empty quotes make a word too.
        pieces.push(Piece::Quoted(String::new()));
        pieces.extend(inner);
        Ok(())
    }

    /// The whole text, as the body of a here-document whose delimiter is not quoted.
    pub(super) fn document_pieces(&mut self) -> Lexed<Vec<Piece>> {
        self.quoted_pieces(None)
    }

    fn quoted_pieces(&mut self, quote: Option<char>) -> Lexed<Vec<Piece>> {
        let mut pieces = Vec::new();
        loop {
            match self.peek() {
                None if quote.is_none() => return Ok(pieces),
                None => return Err(Trouble("a double quote is not closed")),
                Some(c) if Some(c) == quote => {
                    self.bump();
                    return Ok(pieces);
                }
                Some('$') => pieces.push(self.dollar(true)?),
                Some('`') => pieces.push(self.backticks(quote.is_some())?),
                Some('\\') => {
                    self.bump();
                    match self.peek() {
                        Some('\n') => {
                            self.bump();
                        }
                        Some(c) if "$`\\".contains(c) || Some(c) == quote => {
                            self.bump();
                            push_quoted(&mut pieces, c);
                        }
                        _ => push_quoted(&mut pieces, '\\'),
                    }
                }
                Some(c) => {
                    self.bump();
                    push_quoted(&mut pieces, c);
                }
            }
        }
    }

    /// A dollar sign and what belongs to it.
    fn dollar(&mut self, in_quotes: bool) -> Lexed<Piece> {
        let start = self.at;
        self.bump();
        self.refuse_joined_line()?;
        let value = |scripts| (ExpansionKind::Value, scripts);
        let (kind, scripts) = match self.peek() {
            Some('\'') if !in_quotes => return self.ansi_c_quotes(),
            Some('"') if !in_quotes => return Err(Trouble("a translated string")),
            Some('[') => return Err(Trouble("`$[` is read differently by different shells")),
            Some('(') if self.eat("((") => value(self.arithmetic()?),
            Some('(') => {
                self.bump();
                self.refuse_joined_line()?;
                self.enter()?;
                let script = self.substitution()?;
                self.leave();
                (ExpansionKind::Command, vec![script])
            }
            Some('{') => {
                self.bump();
                value(self.parameter()?)
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                while self.peek().is_some_and(name) {
                    self.bump();
                }
                self.refuse_joined_line()?;
                value(Vec::new())
            }
            Some(c) if c.is_ascii_digit() || "@*#?-$!".contains(c) => {
                self.bump();
                value(Vec::new())
            }
            // A dollar sign that means itself.
            _ => return Ok(Piece::Quoted("$".to_owned())),
        };
        let source = self.since(start).to_owned();
        Ok(Piece::Expansion(Expansion { source, kind, quoted: in_quotes, scripts }))
    }

    /// After `${`: up to the closing brace.
    fn parameter(&mut self) -> Lexed<Vec<Script>> {
        let start = self.at;
        if self.peek().is_none_or(|c| c.is_whitespace() || c == '|' || c == '(') {
            return Err(Trouble("a command in `${ }`"));
        }
        self.enter()?;
        let mut scripts = Vec::new();
        loop {
            match self.peek() {
                None => return Err(Trouble("a parameter expansion is not closed")),
                Some('}') => break,
                Some('$') => self.nested_dollar(&mut scripts)?,
                Some('`') => collect_scripts(self.backticks(true)?, &mut scripts),
                Some('\'' | '"' | '\\' | '{' | '\n' | '<' | '>') => {
                    return Err(Trouble("quotes or braces inside a parameter expansion"));
                }
                Some(_) => {
                    self.bump();
                }
            }
        }
        refuse_evaluation(self.since(start))?;
        self.bump();
        self.leave();
        Ok(scripts)
    }

    /// A dollar sign inside `${ }` or an arithmetic expression.
    fn nested_dollar(&mut self, scripts: &mut Vec<Script>) -> Lexed<()> {
        // A quoted dollar sign has no quotes of its own there.
        let piece = self.dollar(true)?;
        collect_scripts(piece, scripts);
        Ok(())
    }

    /// After `((`: up to the closing `))`.
    pub(super) fn arithmetic(&mut self) -> Lexed<Vec<Script>> {
        self.enter()?;
        let start = self.at;
        let mut scripts = Vec::new();
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                None => return Err(Trouble("an arithmetic expression is not closed")),
                Some(')') if depth == 0 => {
                    if !self.eat("))") {
                        return Err(Trouble("nested subshells that look like arithmetic"));
                    }
                    // The value of a variable, or what a command prints, is an expression again, and its subscripts run
                    // the commands in them.
                    if self.since(start).contains(|c: char| c.is_alphabetic() || "_$`".contains(c)) {
                        return Err(Trouble("an arithmetic expression evaluates what is not in the text"));
                    }
                    break;
                }
                Some('$') => self.nested_dollar(&mut scripts)?,
                Some('`') => collect_scripts(self.backticks(true)?, &mut scripts),
                Some('\'' | '"' | '\\') => return Err(Trouble("quotes inside an arithmetic expression")),
                Some(c) => {
                    self.bump();
                    match c {
                        '(' => depth += 1,
                        ')' => depth -= 1,
                        _ => {}
                    }
                }
            }
        }
        self.leave();
        Ok(scripts)
    }

    fn process_substitution(&mut self) -> Lexed<Piece> {
        let start = self.at;
        self.bump();
        self.bump();
        self.enter()?;
        let script = self.substitution()?;
        self.leave();
        let source = self.since(start).to_owned();
        let kind = ExpansionKind::Process;
        Ok(Piece::Expansion(Expansion { source, kind, quoted: false, scripts: vec![script] }))
    }

    fn backticks(&mut self, in_quotes: bool) -> Lexed<Piece> {
        let start = self.at;
        self.bump();
        let mut inner = String::new();
        loop {
            match self.bump() {
                None => return Err(Trouble("a backtick is not closed")),
                Some('`') => break,
                Some('\\') => match self.bump() {
                    Some(c @ ('`' | '\\' | '$')) => inner.push(c),
                    Some('"') if in_quotes => inner.push('"'),
                    Some(c) => {
                        inner.push('\\');
                        inner.push(c);
                    }
                    None => return Err(Trouble("a backtick is not closed")),
                },
                Some(c) => inner.push(c),
            }
        }
        let script = self.inner_text(&inner)?;
        let source = self.since(start).to_owned();
        let kind = ExpansionKind::Command;
        Ok(Piece::Expansion(Expansion { source, kind, quoted: in_quotes, scripts: vec![script] }))
    }

    /// The elements of an array assignment, after `name=`.
    fn array(&mut self) -> Lexed<Piece> {
        self.bump();
        self.enter()?;
        let mut words = Vec::new();
        loop {
            match self.peek() {
                None => return Err(Trouble("an array is not closed")),
                Some(')') => break,
                Some(' ' | '\t' | '\n') => {
                    self.bump();
                }
                Some('#' | ';' | '&' | '|' | '(') => return Err(Trouble("an unexpected character in an array")),
                Some('<' | '>') if !self.rest().get(1..).is_some_and(|rest| rest.starts_with('(')) => {
                    return Err(Trouble("a redirection in an array"));
                }
                Some(_) => words.push(Rc::new(self.word()?)),
            }
        }
        self.bump();
        self.leave();
        Ok(Piece::Array(words))
    }

    /// `$'…'`, decoded.
    fn ansi_c_quotes(&mut self) -> Lexed<Piece> {
        self.bump();
        let mut text = String::new();
        loop {
            match self.bump() {
                None => return Err(Trouble("an ANSI-C quote is not closed")),
                Some('\'') => return Ok(Piece::Quoted(text)),
                Some('\\') => self.ansi_c_escape(&mut text)?,
                Some(c) => text.push(c),
            }
        }
    }

    fn ansi_c_escape(&mut self, text: &mut String) -> Lexed<()> {
        let decoded = match self.bump() {
            None => return Err(Trouble("an ANSI-C quote is not closed")),
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('a') => '\u{7}',
            Some('b') => '\u{8}',
            Some('e' | 'E') => '\u{1b}',
            Some('f') => '\u{c}',
            Some('v') => '\u{b}',
            Some(c @ ('\\' | '\'' | '"' | '?')) => c,
            Some(c @ '0'..='7') => {
                self.at -= c.len_utf8();
                self.code(8, 3, 0x7f)?
            }
            Some('x') => self.code(16, 2, 0x7f)?,
            Some('u') => self.code(16, 4, u32::from(char::MAX))?,
            Some('U') => self.code(16, 8, u32::from(char::MAX))?,
            Some(_) => return Err(Trouble("an unknown ANSI-C escape")),
        };
        text.push(decoded);
        Ok(())
    }

    /// A character given by number. NUL ends the text in bash and bytes above `limit` depend on the locale.
    fn code(&mut self, radix: u32, max_digits: usize, limit: u32) -> Lexed<char> {
        let digits: String = self.rest().chars().take(max_digits).take_while(|c| c.is_digit(radix)).collect();
        self.at += digits.len();
        let code = u32::from_str_radix(&digits, radix).ok().filter(|code| (1..=limit).contains(code));
        code.and_then(char::from_u32).ok_or(Trouble("an ANSI-C escape that is no plain character"))
    }
}

/// Refuses the inside of `${ }` where bash would evaluate a value again: as the name of another variable (`!`), as
/// arithmetic (subscripts, offsets of substrings), as a prompt (`@P`). Commands in such a value run.
fn refuse_evaluation(inside: &str) -> Lexed<()> {
    let named = inside.strip_prefix('#').filter(|rest| !rest.is_empty()).unwrap_or(inside);
    if named.len() > 1 && named.starts_with('!') {
        return Err(Trouble("a value is the name of another variable"));
    }
    let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let rest = named.trim_start_matches(in_name);
    let rest = if rest.len() == named.len() { rest.get(1..).unwrap_or_default() } else { rest };
    let rest = match rest.strip_prefix('[').map(|rest| rest.split_once(']')) {
        None => rest,
        Some(Some((index, rest))) if index.bytes().all(|b| b.is_ascii_digit()) || index == "@" || index == "*" => rest,
        Some(_) => return Err(Trouble("a subscript that is not fixed text")),
    };
    if let Some(offsets) = rest.strip_prefix(':').filter(|rest| !rest.starts_with(['-', '=', '?', '+']))
        && !offsets.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b' ' | b'-'))
    {
        return Err(Trouble("the offset of a substring is not fixed text"));
    }
    if rest.ends_with("@P") {
        return Err(Trouble("a value is expanded as a prompt"));
    }
    Ok(())
}

/// True if the pieces so far are `name=`, `name+=` or `name[…]=`: a parenthesis starts an array then.
fn array_name(pieces: &[Piece]) -> bool {
    let [Piece::Plain(text)] = pieces else { return false };
    let Some(target) = text.strip_suffix('=') else { return false };
    let name = target.strip_suffix('+').unwrap_or(target);
    let name = name.split_once('[').map_or(name, |(name, _)| name);
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn push_plain(pieces: &mut Vec<Piece>, c: char) {
    if let Some(Piece::Plain(text)) = pieces.last_mut() {
        text.push(c);
    } else {
        pieces.push(Piece::Plain(c.to_string()));
    }
}

fn push_quoted(pieces: &mut Vec<Piece>, c: char) {
    if let Some(Piece::Quoted(text)) = pieces.last_mut() {
        text.push(c);
    } else {
        pieces.push(Piece::Quoted(c.to_string()));
    }
}

fn collect_scripts(piece: Piece, scripts: &mut Vec<Script>) {
    if let Piece::Expansion(expansion) = piece {
        scripts.extend(expansion.scripts);
    }
}
