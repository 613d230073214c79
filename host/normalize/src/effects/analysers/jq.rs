//! Filters of jq: what they can reach beyond their input.

use crate::effects::Engine;
use crate::effects::compose::Output;
use crate::effects::options::Parsed;

/// Words that load other filters or show more than the input.
const REACHING: [&str; 5] = ["include", "import", "modulemeta", "get_search_list", "$__prog_args"];

impl Engine<'_> {
    pub(in crate::effects) fn jq(&mut self, parsed: &Parsed<'_>) -> Output {
        if parsed.has(&["f"]) {
            return None;
        }
        let filter = parsed.operands.first()?;
        let Some(text) = filter.literal() else {
            self.out.doubt(filter.shown(), "the filter of jq is known only when it runs");
            return None;
        };
        for word in words_outside_strings(text) {
            if word == "env" || word == "$ENV" {
                self.out.environment("*", &format!("`{word}` in a filter of jq"));
            } else if REACHING.contains(&word.as_str()) {
                self.out.doubt(text, "a filter of jq that loads other filters");
            }
        }
        None
    }
}

/// Names in a filter; those in strings count as well where the string holds a filter.
fn words_outside_strings(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut in_string = false;
    let mut depth: Vec<usize> = Vec::new();
    let mut characters = text.chars().peekable();
    let mut previous = ' ';
    while let Some(c) = characters.next() {
        if in_string {
            match c {
                '\\' if characters.peek() == Some(&'(') => {
                    characters.next();
                    depth.push(0);
                    in_string = false;
                }
                '\\' => {
                    characters.next();
                }
                '"' => in_string = false,
                _ => {}
            }
            continue;
        }
        let in_word = c.is_ascii_alphanumeric() || c == '_' || (c == '$' && word.is_empty());
        if in_word {
            // `.env` is a member, not the environment.
            if word.is_empty() && previous == '.' {
                word.push('.');
            }
            word.push(c);
        } else {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            match c {
                '"' => in_string = true,
                '(' => {
                    if let Some(open) = depth.last_mut() {
                        *open += 1;
                    }
                }
                ')' => match depth.last_mut() {
                    Some(0) => {
                        depth.pop();
                        in_string = true;
                    }
                    Some(open) => *open -= 1,
                    None => {}
                },
                '#' => while characters.next().is_some_and(|c| c != '\n') {},
                _ => {}
            }
        }
        previous = c;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
