//! Shells and other commands whose argument or input is a script.

use super::invoke::{Invocation, Stdin};
use super::{Context, Splitter};

/// Shells whose grammar is close enough to split their scripts.
const SHELLS: [&str; 7] = ["ash", "bash", "dash", "ksh", "mksh", "rbash", "sh"];

/// Shells with a grammar of their own.
const FOREIGN_SHELLS: [&str; 10] = ["csh", "elvish", "fish", "ion", "nu", "powershell", "pwsh", "tcsh", "xonsh", "zsh"];

/// Options of shells that take a value.
const VALUE_OPTIONS: [&str; 6] = ["-o", "+o", "-O", "+O", "--rcfile", "--init-file"];

/// True for the commands this file knows.
pub(super) fn is_evaluator(name: &str) -> bool {
    name == "eval" || is_shell(name) || FOREIGN_SHELLS.contains(&name)
}

fn is_shell(name: &str) -> bool {
    SHELLS.contains(&name)
}

/// What a shell was asked to run.
enum Source {
    /// The word at this position is the script.
    Word(usize),
    /// The word at this position names a file.
    File(usize),
    Stdin,
    Nothing,
    Unclear,
}

impl Splitter {
    /// The part of the command itself was added before.
    pub(super) fn shell(&mut self, name: &str, command: &Invocation, context: Context) {
        if name == "eval" {
            return self.eval(command, context);
        }
        if FOREIGN_SHELLS.contains(&name) {
            for index in 1..command.words.len() {
                if let Some(text) = command.literal(index).filter(|text| !text.starts_with('-')) {
                    self.maybe_script(&text, context);
                }
            }
            return self.unresolved("a shell with a grammar of its own");
        }
        match source(command) {
            Source::Nothing => {}
            Source::Unclear => self.unresolved("the options of a shell are not understood"),
            Source::Word(index) => match command.literal(index) {
                Some(script) => self.inner_script(&script, command, context),
                None => {
                    self.unresolved("the script given to a shell is not fixed text");
                }
            },
            // A file that is fixed text is a command like any other.
            Source::File(index) => {
                if command.literal(index).is_none() {
                    self.unresolved("the script file given to a shell is not fixed text");
                }
            }
            Source::Stdin => match &command.stdin {
                Stdin::Text(Some(script)) => self.inner_script(script, command, context),
                _ => self.unresolved("a shell reads its script from its input"),
            },
        }
    }

    fn inner_script(&mut self, script: &str, command: &Invocation, context: Context) {
        self.replace_last(command, context);
        let (nodes, _) = self.nodes_of(|this| {
            this.text(script, context.deeper());
            Ok(())
        });
        self.script = Some(nodes);
    }

    fn eval(&mut self, command: &Invocation, context: Context) {
        let first = if command.literal(1).is_some_and(|word| word == "--") { 2 } else { 1 };
        let words: Option<Vec<String>> = (first..command.words.len()).map(|index| command.literal(index)).collect();
        match words {
            Some(words) => self.inner_script(&words.join(" "), command, context),
            None => self.unresolved("the script given to eval is not fixed text"),
        }
    }
}

fn source(command: &Invocation) -> Source {
    let mut gives_script = false;
    let mut reads_stdin = false;
    let mut index = 1;
    while let Some(word) = command.words.get(index) {
        let Some(option) = word.literal() else { break };
        if option == "--" || option == "-" {
            index += 1;
            break;
        }
        if matches!(option.as_str(), "--version" | "--help") {
            return Source::Nothing;
        }
        if matches!(option.as_str(), "--rcfile" | "--init-file") {
            return Source::Unclear;
        }
        if !option.starts_with(['-', '+']) {
            break;
        }
        if !option.starts_with("--") {
            let letters = option.get(1..).unwrap_or_default();
            gives_script |= option.starts_with('-') && letters.contains('c');
            reads_stdin |= option.starts_with('-') && letters.contains('s');
            // `-euo pipefail`: the letter may stand at the end of a group.
            if letters.ends_with(['o', 'O']) || VALUE_OPTIONS.contains(&option.as_str()) {
                index += 1;
            } else if letters.contains(['o', 'O']) {
                return Source::Unclear;
            }
        }
        index += 1;
    }
    match command.words.get(index) {
        Some(_) if gives_script => Source::Word(index),
        None if gives_script => Source::Nothing,
        Some(_) if !reads_stdin => Source::File(index),
        _ => Source::Stdin,
    }
}
