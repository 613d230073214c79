//! A guess at the commands of a text that could not be parsed, for stricter rules only.

use std::collections::HashSet;

use cavra_model::CommandPart;

use super::word::collapse_wide;

/// Most different commands guessed from one text.
const MAX_GUESSES: usize = 512;

/// Words of the grammar after which a command begins.
const OPENERS: [&str; 10] = ["!", "coproc", "do", "elif", "else", "if", "then", "time", "until", "while"];

/// The whole text and every piece of it between characters that can separate commands.
pub(super) fn commands(text: &str) -> Vec<CommandPart> {
    let mut parts = Vec::new();
    let mut known = HashSet::new();
    let mut push = |piece: &str| {
        let mut spelling = collapse_wide(piece);
        while let Some((word, rest)) = spelling.split_once(' ')
            && OPENERS.contains(&word)
        {
            spelling = rest.to_owned();
        }
        if spelling.is_empty() {
            return;
        }
        let bare: String = spelling.chars().filter(|c| !matches!(c, '\'' | '"' | '\\')).collect();
        let part = CommandPart { spellings: vec![spelling.clone()], dequoted: collapse_wide(&bare), implied: true };
        if known.len() < MAX_GUESSES && known.insert(spelling) {
            parts.push(part);
        }
    };
    push(text);
    let separators = [';', '&', '|', '\n', '(', ')', '`', '{', '}', '\'', '"'];
    for piece in text.split(separators) {
        push(piece);
    }
    // Quotes may also stand in the middle of a command.
    for piece in text.split([';', '&', '|', '\n', '(', ')', '`']) {
        push(piece);
    }
    parts
}
