//! Here-documents: their delimiters, and their bodies on the lines after.

use super::lex::{HereDoc, Lexed, Lexer, Script, Token, TokenKind, Trouble};
use super::state::Reading;
use super::word::Piece;

/// A here-document whose body comes after the next newline.
pub(super) struct PendingDoc {
    token: usize,
    delimiter: String,
    quoted: bool,
    strip_tabs: bool,
}

impl Lexer<'_> {
    /// The delimiter word of a here-document.
    pub(super) fn delimiter(&mut self, reading: &mut Reading, spaced: bool) -> Lexed<()> {
        let Some(strip_tabs) = reading.delimiter_next.take() else { return Ok(()) };
        if self.operator()?.is_some() {
            return Err(Trouble("a here-document has no delimiter"));
        }
        let word = self.word()?;
        let quoted = word.plain().is_none();
        let source = word.source.clone();
        let delimiter = word.literal().filter(|text| !text.is_empty() && !text.contains('\n'));
        let delimiter = delimiter.ok_or(Trouble("the delimiter of a here-document is not fixed text"))?;
        reading.pending.push(PendingDoc { token: reading.script.tokens.len(), delimiter, quoted, strip_tabs });
        self.open_docs += 1;
        reading.push(TokenKind::HereDoc(HereDoc { delimiter: source, text: None, scripts: Vec::new() }), spaced)
    }

    /// After a newline: the bodies of the here-documents of the line before.
    pub(super) fn bodies(&mut self, reading: &mut Reading) -> Lexed<()> {
        if self.open_docs > reading.pending.len() {
            return Err(Trouble("a here-document spans a substitution"));
        }
        for (index, pending) in std::mem::take(&mut reading.pending).into_iter().enumerate() {
            if index > 0 {
                // Behind the delimiter of the body before.
                self.eat("\n");
            }
            self.open_docs = self.open_docs.saturating_sub(1);
            let body = self.body_lines(&pending)?;
            let (text, scripts) = if pending.quoted { (Some(body), Vec::new()) } else { self.here_document(&body)? };
            if let Some(Token { kind: TokenKind::HereDoc(doc), .. }) = reading.script.tokens.get_mut(pending.token) {
                doc.text = text;
                doc.scripts = scripts;
            }
        }
        Ok(())
    }

    fn body_lines(&mut self, doc: &PendingDoc) -> Lexed<String> {
        let mut body = String::new();
        loop {
            let rest = self.rest();
            if rest.is_empty() {
                return Err(Trouble("a here-document is not closed"));
            }
            let line = rest.split_once('\n').map_or(rest, |(line, _)| line);
            self.at += line.len();
            let text = if doc.strip_tabs { line.trim_start_matches('\t') } else { line };
            if text == doc.delimiter {
                // The newline behind it stays: it separates commands.
                return Ok(body);
            }
            if !doc.quoted && line.ends_with('\\') {
                return Err(Trouble("a line is continued inside a here-document"));
            }
            body.push_str(text);
            body.push('\n');
            self.eat("\n");
        }
    }

    /// The body of a here-document whose delimiter is not quoted: its text, if fixed, and the scripts in it.
    fn here_document(&mut self, body: &str) -> Lexed<(Option<String>, Vec<Script>)> {
        self.enter()?;
        let mut inner = Lexer {
            text: body,
            at: 0,
            nesting: self.nesting,
            tokens_left: self.tokens_left,
            open_docs: self.open_docs,
        };
        let pieces = inner.document_pieces();
        self.tokens_left = inner.tokens_left;
        self.leave();
        let mut text = Some(String::new());
        let mut scripts = Vec::new();
        for piece in pieces? {
            match piece {
                Piece::Plain(part) | Piece::Quoted(part) => {
                    if let Some(text) = &mut text {
                        text.push_str(&part);
                    }
                }
                Piece::Expansion(expansion) => {
                    text = None;
                    scripts.extend(expansion.scripts);
                }
                Piece::Array(_) => {}
            }
        }
        Ok((text, scripts))
    }
}
