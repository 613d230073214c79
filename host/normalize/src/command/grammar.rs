//! From tokens to a syntax tree, with the bash grammar of `brush-parser`.
//!
//! The grammar gets the tokens of our own lexer, in which a word shows nothing but its unquoted text. So it decides
//! about compound commands, pipelines and redirections, and never about quoting. Three of its habits are worked
//! around: it takes `( (` for arithmetic, it reads a `case` item without `;;` twice, and it knows no `select`.

use std::sync::Arc;

use brush_parser::ast::{Program, Word as TreeWord};
use brush_parser::{ParserOptions, SourcePosition, SourceSpan, Token as GrammarToken};

use super::lex::{Script, Token, TokenKind, Trouble};
use super::state::MAX_OPEN;

/// Stack for the parser, and more for each open compound command. Measured in the dev profile.
const STACK_BASE: usize = 256 * 1024;
const STACK_PER_LEVEL: usize = 64 * 1024;

/// A script with its syntax tree.
pub(super) struct Parsed<'a> {
    /// The tree. Its words refer to tokens by position.
    pub program: Program,
    tokens: Vec<Option<&'a Token>>,
}

impl<'a> Parsed<'a> {
    /// The position of the token a word of the tree came from.
    pub fn position(word: &TreeWord) -> Option<usize> {
        word.loc.as_ref().map(|span| span.start.index / 2)
    }

    /// The token at a position; `None` for one that is not in the text.
    pub fn token(&self, position: usize) -> Option<&'a Token> {
        self.tokens.get(position).copied().flatten()
    }

    /// The source text of the tokens from `first` to `last`, with one blank where there was any.
    pub fn source(&self, first: usize, last: usize) -> String {
        let mut text = String::new();
        let mut tokens = self.tokens.get(first..=last).unwrap_or_default().iter().flatten().enumerate().peekable();
        while let Some((index, token)) = tokens.next() {
            if index > 0 && token.spaced {
                text.push(' ');
            }
            match &token.kind {
                TokenKind::Word(word) => text.push_str(&word.source),
                TokenKind::IoNumber(digits) => text.push_str(digits),
                TokenKind::Operator("<<<")
                    if matches!(tokens.peek(), Some((_, Token { kind: TokenKind::HereDoc(_), .. }))) =>
                {
                    text.push_str("<<");
                }
                TokenKind::Operator(operator) => text.push_str(operator),
                TokenKind::Test(test) => text.push_str(&test.source),
                TokenKind::HereDoc(document) => text.push_str(&document.delimiter),
            }
        }
        text
    }
}

/// The tokens in the form of the grammar, and which of ours each came from.
#[derive(Default)]
struct Emitted<'a> {
    grammar: Vec<GrammarToken>,
    origin: Vec<Option<&'a Token>>,
}

impl<'a> Emitted<'a> {
    fn span(&self, touches_next: bool) -> SourceSpan {
        let start = self.grammar.len() * 2;
        let at = |index| Arc::new(SourcePosition { index, line: 1, column: 1 });
        SourceSpan { start: at(start), end: at(start + if touches_next { 2 } else { 1 }) }
    }

    fn word(&mut self, text: String, origin: Option<&'a Token>, touches_next: bool) {
        let span = self.span(touches_next);
        self.grammar.push(GrammarToken::Word(text, span));
        self.origin.push(origin);
    }

    fn operator(&mut self, text: &str, origin: Option<&'a Token>) {
        let span = self.span(false);
        self.grammar.push(GrammarToken::Operator(text.to_owned(), span));
        self.origin.push(origin);
    }

    fn last_is(&self, text: &str) -> bool {
        self.grammar.last().is_some_and(|token| token.to_str() == text)
    }
}

/// A word that can be nothing but a word.
const OPAQUE_WORD: &str = "\u{F0000}";

/// Parses a script.
pub(super) fn parse(script: &Script) -> Result<Parsed<'_>, Trouble> {
    let depth = nesting(script);
    let Emitted { grammar, origin } = emit(script);
    let options = ParserOptions { enable_extended_globbing: false, ..ParserOptions::default() };
    let stack = STACK_BASE + depth * STACK_PER_LEVEL;
    let result = stacker::maybe_grow(stack, stack * 2, || brush_parser::parse_tokens(&grammar, &options));
    let program = result.map_err(|_| Trouble("the text does not follow the shell grammar"))?;
    Ok(Parsed { program, tokens: origin })
}

/// An upper bound of how deep the compound commands nest.
fn nesting(script: &Script) -> usize {
    let mut open = 0_usize;
    for token in &script.tokens {
        match &token.kind {
            TokenKind::Operator("(") => open += 1,
            // Closing words are not counted: as mere arguments they would hide what is open.
            TokenKind::Word(word)
                if matches!(word.plain(), Some("{" | "if" | "while" | "until" | "for" | "select" | "case")) =>
            {
                open += 1;
            }
            _ => {}
        }
    }
    open.min(MAX_OPEN)
}

fn emit(script: &Script) -> Emitted<'_> {
    let mut out = Emitted::default();
    let mut tokens = script.tokens.iter().peekable();
    while let Some(token) = tokens.next() {
        match &token.kind {
            TokenKind::Operator("(") => {
                if out.last_is("(") {
                    out.operator("\n", None);
                }
                out.operator("(", Some(token));
            }
            TokenKind::Operator(operator) => out.operator(operator, Some(token)),
            TokenKind::IoNumber(digits) => out.word(digits.clone(), Some(token), true),
            TokenKind::HereDoc(_) => out.word(OPAQUE_WORD.to_owned(), Some(token), false),
            TokenKind::Test(_) if out.last_is("for") => {
                // `for ((…))` becomes a loop over one word.
                out.word("x".to_owned(), None, false);
                out.word("in".to_owned(), None, false);
                out.word(OPAQUE_WORD.to_owned(), Some(token), false);
                out.operator(";", None);
                if matches!(tokens.peek(), Some(Token { kind: TokenKind::Operator(";"), .. })) {
                    tokens.next();
                }
            }
            TokenKind::Test(_) => out.word(OPAQUE_WORD.to_owned(), Some(token), false),
            TokenKind::Word(word) => {
                let text = match word.plain() {
                    // The keyword only times what follows; as a word it can be a command with options.
                    Some("time") if !compound_follows(tokens.peek().copied()) => OPAQUE_WORD.to_owned(),
                    Some("select") => "for".to_owned(),
                    _ => word.grammar_text(),
                };
                if text == "esac" && !out.last_is(";;") && !out.last_is("in") {
                    end_case_item(&mut out);
                }
                out.word(text, Some(token), false);
            }
        }
    }
    out
}

/// Gives the last item of a `case` the `;;` it may lack.
fn end_case_item(out: &mut Emitted<'_>) {
    let last = out.grammar.iter().rev().find(|token| token.to_str() != "\n");
    if !last.is_some_and(|token| matches!(token.to_str(), ";;" | ";&" | ";;&" | "in")) {
        out.operator(";;", None);
    }
}

fn compound_follows(next: Option<&Token>) -> bool {
    match next.map(|token| &token.kind) {
        Some(TokenKind::Operator("(") | TokenKind::Test(_)) => true,
        Some(TokenKind::Word(word)) => {
            matches!(word.plain(), Some("{" | "if" | "while" | "until" | "for" | "case" | "select" | "!"))
        }
        _ => false,
    }
}
