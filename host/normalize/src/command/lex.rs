//! Splits shell text into tokens, the way bash does.
//!
//! Quotes, escapes, expansions and here-documents end here: the grammar behind only sees words, operators and the
//! tokens that stand for whole constructs. Wherever shells disagree, or the text leans on a corner that is hard to
//! be sure about, the answer is [`Trouble`] and not a guess: whoever hides a command needs exactly those corners.
//! Work is linear in the text; nesting is limited.

use std::rc::Rc;

use super::evaluators;
use super::state::{Open, Reading};
use super::word::{Piece, Word};

/// How deep expansions may nest.
pub(super) const MAX_NESTING: usize = 12;

/// Most tokens of one text.
pub(super) const MAX_TOKENS: usize = 8192;

/// Why a text cannot be understood with certainty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trouble(pub &'static str);

/// The result of a step of the lexer.
pub(super) type Lexed<T> = Result<T, Trouble>;

/// A shell script as tokens.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// In the order of the text.
    pub tokens: Vec<Token>,
}

/// A token and how it stands in the text.
#[derive(Debug)]
pub(crate) struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// A blank stands before it.
    pub spaced: bool,
}

/// What a token is.
#[derive(Debug)]
pub(crate) enum TokenKind {
    /// A word, reserved words and assignments included.
    Word(Rc<Word>),
    /// The digits right before a redirection operator.
    IoNumber(String),
    /// An operator or a newline.
    Operator(&'static str),
    /// `[[ … ]]` or `(( … ))`, as one.
    Test(Test),
    /// The body of a here-document; its operator was turned into `<<<`.
    HereDoc(HereDoc),
}

/// A test or an arithmetic command.
#[derive(Debug)]
pub(crate) struct Test {
    /// As written.
    pub source: String,
    /// Scripts that run to compute it.
    pub scripts: Vec<Script>,
    /// Why it is not certain what it evaluates.
    pub uncertain: Option<&'static str>,
}

/// The body of a here-document.
#[derive(Debug)]
pub(crate) struct HereDoc {
    /// The delimiter as written.
    pub delimiter: String,
    /// The text; `None` if the shell computes some of it.
    pub text: Option<String>,
    /// Scripts that run to compute it.
    pub scripts: Vec<Script>,
}

/// Where a script ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Text,
    Parenthesis,
}

/// Reads a text from left to right.
pub(super) struct Lexer<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) nesting: usize,
    pub(super) tokens_left: usize,
    pub(super) open_docs: usize,
}

/// Splits a whole text.
pub(super) fn lex(text: &str) -> Lexed<Script> {
    Lexer { text, at: 0, nesting: 0, tokens_left: MAX_TOKENS, open_docs: 0 }.script(End::Text)
}

impl<'a> Lexer<'a> {
    /// The script of a command substitution, up to its closing parenthesis.
    pub(super) fn substitution(&mut self) -> Lexed<Script> {
        self.script(End::Parenthesis)
    }

    /// Another text inside this one, such as the unescaped content of backticks.
    pub(super) fn inner_text(&mut self, text: &str) -> Lexed<Script> {
        self.enter()?;
        let mut inner =
            Lexer { text, at: 0, nesting: self.nesting, tokens_left: self.tokens_left, open_docs: self.open_docs };
        let script = inner.script(End::Text);
        self.tokens_left = inner.tokens_left;
        self.leave();
        script
    }

    pub(super) fn enter(&mut self) -> Lexed<()> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING { Err(Trouble("expansions are nested too deeply")) } else { Ok(()) }
    }

    pub(super) fn leave(&mut self) {
        self.nesting = self.nesting.saturating_sub(1);
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub(super) fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Joined lines inside an operator or an expansion are legal, and only ever used to hide it.
    pub(super) fn refuse_joined_line(&self) -> Lexed<()> {
        if self.rest().starts_with("\\\n") { Err(Trouble("a line is continued inside an operator")) } else { Ok(()) }
    }

    fn script(&mut self, end: End) -> Lexed<Script> {
        let mut reading = Reading {
            script: Script::default(),
            open: Vec::new(),
            pending: Vec::new(),
            at_command: true,
            function_name: false,
            delimiter_next: None,
        };
        loop {
            let spaced = self.skip_blanks();
            match self.peek() {
                None if end == End::Text => break,
                None => return Err(Trouble("a command substitution is not closed")),
                Some(')') if end == End::Parenthesis && reading.open.is_empty() => {
                    self.bump();
                    break;
                }
                Some('#') => self.comment()?,
                Some(_) => {
                    self.tokens_left = self.tokens_left.checked_sub(1).ok_or(Trouble("the text has too many words"))?;
                    self.token(&mut reading, spaced)?;
                }
            }
        }
        if !reading.pending.is_empty() || reading.delimiter_next.is_some() {
            return Err(Trouble("a here-document has no body"));
        }
        if !reading.open.is_empty() {
            return Err(Trouble("a compound command or parenthesis is not closed"));
        }
        Ok(reading.script)
    }

    fn skip_blanks(&mut self) -> bool {
        let mut spaced = false;
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' => {
                    self.bump();
                    spaced = true;
                }
                '\\' if self.eat("\\\n") => {}
                _ => break,
            }
        }
        spaced
    }

    fn comment(&mut self) -> Lexed<()> {
        // Older shells look for the closing parenthesis inside comments too.
        if self.nesting > 0 {
            return Err(Trouble("a comment inside a substitution"));
        }
        let line = self.rest().find('\n').unwrap_or(self.rest().len());
        self.at += line;
        Ok(())
    }

    fn token(&mut self, reading: &mut Reading, spaced: bool) -> Lexed<()> {
        if reading.delimiter_next.is_some() {
            return self.delimiter(reading, spaced);
        }
        let follows_for = matches!(
            reading.script.tokens.last(),
            Some(Token { kind: TokenKind::Word(word), .. }) if word.plain() == Some("for")
        );
        if (reading.at_command || follows_for) && self.rest().starts_with("((") {
            let test = self.arithmetic_command()?;
            reading.at_command = follows_for;
            return reading.push(TokenKind::Test(test), spaced);
        }
        if reading.at_command && self.starts_test() {
            let test = self.test_command()?;
            reading.at_command = false;
            return reading.push(TokenKind::Test(test), spaced);
        }
        match self.operator()? {
            Some(operator) => self.after_operator(reading, operator, spaced),
            None => {
                let word = self.word()?;
                self.after_word(reading, word, spaced)
            }
        }
    }

    /// Takes the operator at this place, if there is one.
    pub(super) fn operator(&mut self) -> Lexed<Option<&'static str>> {
        const OPERATORS: [&str; 23] = [
            "&>>", "<<<", "<<-", ";;&", "&&", "||", "|&", "&>", ";;", ";&", ">>", ">|", ">&", "<>", "<&", "<<", "\n",
            "&", "|", ";", "(", ")", ">",
        ];
        let rest = self.rest();
        if rest.starts_with("<(") || rest.starts_with(">(") {
            return Ok(None);
        }
        let found = OPERATORS.into_iter().find(|operator| rest.starts_with(operator));
        let found = found.or_else(|| rest.starts_with('<').then_some("<"));
        if let Some(operator) = found {
            self.at += operator.len();
            if operator != "\n" {
                self.refuse_joined_line()?;
            }
        }
        Ok(found)
    }

    fn after_operator(&mut self, reading: &mut Reading, operator: &'static str, spaced: bool) -> Lexed<()> {
        match operator {
            "<<" | "<<-" => {
                reading.delimiter_next = Some(operator == "<<-");
                reading.at_command = false;
                return reading.push(TokenKind::Operator("<<<"), spaced);
            }
            "\n" => {
                reading.push(TokenKind::Operator(operator), spaced)?;
                reading.at_command = reading.open.last() != Some(&Open::CasePattern);
                return self.bodies(reading);
            }
            "(" => self.open_parenthesis(reading)?,
            ")" => reading.close_parenthesis()?,
            ";;" | ";&" | ";;&" => {
                if let Some(open @ Open::CaseBody) = reading.open.last_mut() {
                    *open = Open::CasePattern;
                }
                reading.at_command = false;
            }
            "|" if reading.open.last() == Some(&Open::CasePattern) => reading.at_command = false,
            ";" | "&" | "&&" | "|" | "||" | "|&" => reading.at_command = true,
            // Redirections.
            _ => reading.at_command = false,
        }
        reading.push(TokenKind::Operator(operator), spaced)
    }

    fn open_parenthesis(&mut self, reading: &mut Reading) -> Lexed<()> {
        let in_pattern = reading.open.last() == Some(&Open::CasePattern);
        if in_pattern {
            // `(pattern)`: the closing one is that of any pattern.
            return Ok(());
        }
        let follows_word = matches!(reading.script.tokens.last(), Some(Token { kind: TokenKind::Word(_), .. }));
        if follows_word && self.rest().trim_start_matches([' ', '\t']).starts_with(')') {
            reading.open(Open::FunctionParentheses)?;
        } else if reading.at_command {
            reading.open(Open::Parenthesis)?;
        } else {
            return Err(Trouble("an unexpected parenthesis"));
        }
        Ok(())
    }

    fn after_word(&mut self, reading: &mut Reading, word: Word, spaced: bool) -> Lexed<()> {
        if let Some(digits) = word.plain()
            && digits.bytes().all(|b| b.is_ascii_digit())
            && matches!(self.peek(), Some('<' | '>'))
        {
            if digits.len() > 4 {
                return Err(Trouble("a file descriptor with too many digits"));
            }
            return reading.push(TokenKind::IoNumber(digits.to_owned()), spaced);
        }
        reading.word_state(&word)?;
        reading.push(TokenKind::Word(Rc::new(word)), spaced)
    }

    fn arithmetic_command(&mut self) -> Lexed<Test> {
        let start = self.at;
        self.eat("((");
        let scripts = self.arithmetic()?;
        Ok(Test { source: self.since(start).to_owned(), scripts, uncertain: None })
    }

    fn starts_test(&self) -> bool {
        self.rest().strip_prefix("[[").is_some_and(|rest| rest.starts_with([' ', '\t', '\n']))
    }

    /// `[[ … ]]`: only words, and the operators that are legal there.
    fn test_command(&mut self) -> Lexed<Test> {
        let start = self.at;
        self.eat("[[");
        let mut words = Vec::new();
        loop {
            self.skip_blanks();
            self.tokens_left = self.tokens_left.checked_sub(1).ok_or(Trouble("the text has too many words"))?;
            if self.peek().is_none() {
                return Err(Trouble("a test is not closed"));
            }
            match self.operator()? {
                Some("&&" | "||" | "(" | ")" | "<" | ">" | "|" | "\n") => {}
                Some(_) => return Err(Trouble("an unexpected operator in a test")),
                None => {
                    let word = self.word()?;
                    if word.plain() == Some("]]") {
                        let uncertain = evaluators::of_test(&words);
                        let pieces = words.into_iter().flat_map(|word| word.pieces);
                        let scripts = pieces.filter_map(|piece| match piece {
                            Piece::Expansion(expansion) => Some(expansion.scripts),
                            _ => None,
                        });
                        let scripts = scripts.flatten().collect();
                        return Ok(Test { source: self.since(start).to_owned(), scripts, uncertain });
                    }
                    words.push(word);
                }
            }
        }
    }
}
