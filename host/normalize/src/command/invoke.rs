//! One simple command: its spellings, and what it runs in turn.

use std::ops::Range;
use std::rc::Rc;

use cavra_model::CommandPart;

use super::tree::Node;
use super::word::{Word, collapse_all, collapse_wide, quote};
use super::wrappers::{self, Inner};
use super::{Context, MAX_DEPTH, Splitter, TOO_MANY, evaluators, shells};
use crate::{effects, git};

/// Variables that change how a command reports, not what it does. `LC_*` is harmless too.
const HARMLESS_VARIABLES: [&str; 22] = [
    "CI",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLUMNS",
    "DEBIAN_FRONTEND",
    "DO_NOT_TRACK",
    "FORCE_COLOR",
    "LANG",
    "LANGUAGE",
    "LINES",
    "LOG_LEVEL",
    "NODE_ENV",
    "NO_COLOR",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHASHSEED",
    "PYTHONIOENCODING",
    "PYTHONUNBUFFERED",
    "PYTHONUTF8",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "TERM",
    "TZ",
];

/// Words the shell would treat specially in front, were they not quoted.
const RESERVED: [&str; 22] = [
    "!", "{", "}", "[[", "]]", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if",
    "in", "select", "then", "time", "until", "while",
];

/// Bytes of exported assignments that are shown in front of later commands.
const MAX_EXPORTED: usize = 256;

/// Most words brace expansions may make in one text.
const MAX_BRACES: usize = 128;

/// What a command gets on standard input.
#[derive(Clone, Debug)]
pub(super) enum Stdin {
    /// Whatever its surroundings have.
    Inherited,
    /// A text; `None` if the shell computes it.
    Text(Option<String>),
    /// A file or a descriptor.
    Other,
}

/// A simple command that is run.
#[derive(Clone, Debug)]
pub(super) struct Invocation {
    /// The command and its arguments.
    pub words: Vec<Rc<Word>>,
    /// Assignments in front that change what the command does, each followed by a blank.
    pub prefix: String,
    /// Equivalent spellings known so far: as written, and of the transparent wrappers around it.
    pub spellings: Vec<String>,
    /// Its standard input.
    pub stdin: Stdin,
}

impl Invocation {
    /// A command as it stands in the text. `written` is its source, redirections included.
    /// `exported` holds the assignments of earlier commands that change what this one does.
    pub fn new(words: Vec<Rc<Word>>, assignments: &[Rc<Word>], written: &str, stdin: Stdin, exported: &str) -> Self {
        let mut prefix = if words.is_empty() { String::new() } else { exported.to_owned() };
        let written = format!("{prefix}{written}");
        if words.is_empty() || !assignments.iter().all(|word| is_harmless_assignment(word)) {
            for word in assignments {
                prefix.push_str(&word.source);
                prefix.push(' ');
            }
        }
        let harmless_only = words.is_empty() && assignments.iter().all(|word| is_harmless_assignment(word));
        if harmless_only {
            prefix.clear();
        }
        Self { words, prefix, spellings: vec![written], stdin }
    }

    /// Some of the words as a command of their own.
    pub fn inner(&self, range: Range<usize>) -> Self {
        let words = self.words.get(range).unwrap_or_default().to_vec();
        Self { words, prefix: self.prefix.clone(), spellings: Vec::new(), stdin: self.stdin.clone() }
    }

    /// The command as it may be when it runs: with what its placeholder stands for, or with more words behind it.
    fn filled(mut self, placeholder: Option<&str>) -> Self {
        match placeholder {
            Some(placeholder) => {
                self.words = self.words.iter().map(|word| Rc::new(word.filled(placeholder))).collect();
            }
            None => self.words.push(Rc::new(Word::unknown())),
        }
        self
    }

    /// The fixed text of a word.
    pub fn literal(&self, index: usize) -> Option<String> {
        self.words.get(index).and_then(|word| word.literal())
    }

    fn canonical(&self) -> String {
        let mut spelling = self.prefix.clone();
        for (index, word) in self.words.iter().enumerate() {
            if index > 0 {
                spelling.push(' ');
            }
            let text = word.canonical();
            // Quoted, `A=1` and `if` are commands; the spelling must not read as anything else.
            let is_special = index == 0 && word.plain().is_none() && (text.contains('=') || is_reserved(&text));
            spelling.push_str(&if is_special { quote(&text) } else { text });
        }
        spelling.truncate(spelling.trim_end_matches(' ').len());
        spelling
    }

    fn dequoted(&self) -> String {
        bare(self.words.iter().map(|word| word.dequoted()))
    }

    /// The words with what is known only when the command runs marked as such; `None` if all is known.
    fn with_computed(&self) -> Option<String> {
        let words: Vec<Option<String>> = self.words.iter().map(|word| word.with_computed()).collect();
        words.iter().any(Option::is_some).then(|| {
            let known = self.words.iter().zip(words);
            bare(known.map(|(word, computed)| computed.unwrap_or_else(|| word.dequoted())))
        })
    }

    /// All equivalent spellings, without repetition.
    fn all_spellings(&self) -> Vec<String> {
        let source: Vec<&str> = self.words.iter().map(|word| word.source.as_str()).collect();
        let source = collapse_all(&format!("{}{}", self.prefix, source.join(" ")));
        let mut all: Vec<String> = Vec::new();
        for spelling in self.spellings.iter().cloned().chain([source, self.canonical()]) {
            if !spelling.trim().is_empty() && !all.contains(&spelling) {
                all.push(spelling);
            }
        }
        all
    }

    fn part(&self, context: Context) -> CommandPart {
        CommandPart { spellings: self.all_spellings(), dequoted: self.dequoted(), implied: context.implied }
    }
}

impl Splitter {
    /// Adds a part that is one spelling only.
    pub(super) fn plain_part(&mut self, text: String, context: Context) {
        let dequoted = collapse_wide(&text);
        self.part(CommandPart { spellings: vec![text], dequoted, implied: context.implied });
    }

    /// Adds the parts a command amounts to.
    pub(super) fn invoke(&mut self, mut command: Invocation, context: Context) {
        if command.words.is_empty() {
            let assignments = collapse_all(&command.prefix);
            if !assignments.is_empty() {
                self.plain_part(assignments, context);
            }
            return;
        }
        if self.is_full() {
            self.cut = Some(TOO_MANY);
            return;
        }
        if context.depth > MAX_DEPTH {
            self.part(command.part(context));
            return self.unresolved("commands that run commands are nested too deeply");
        }
        command.words = self.expand_braces(&command.words);
        if let Some(reason) = evaluators::of_command(&command) {
            self.unresolved(reason);
        }
        self.run(&command, context);
        self.computed_words(&command);
        self.without_global_options(&command);
        self.exports(&command);
    }

    fn run(&mut self, command: &Invocation, context: Context) {
        let Some(name) = command.literal(0) else {
            self.part(command.part(context));
            return self.unresolved("the name of a command is not fixed text");
        };
        match wrappers::look_through(&name, command) {
            Inner::Nothing => {
                self.part(command.part(context));
                self.special(&name, command, context);
            }
            Inner::Same { first } => {
                let mut inner = command.inner(first..command.words.len());
                inner.spellings = command.all_spellings();
                self.invoke(inner, Context { depth: context.depth + 1, ..context });
            }
            Inner::Other { ranges } => {
                self.part(command.part(context));
                if !context.tails_covered {
                    for range in ranges {
                        let inner = match wrappers::fills(&name, command, range.start) {
                            Some(placeholder) => command.inner(range).filled(placeholder.as_deref()),
                            None => command.inner(range),
                        };
                        self.invoke(inner, context.deeper().implied());
                    }
                }
            }
            Inner::Somewhere => {
                self.part(command.part(context));
                self.tails(command, context);
                if base_name(&name) == "parallel" {
                    let whole = |word: &Rc<Word>| word.plain().is_none_or(|text| !text.starts_with(":::"));
                    let words = command.words.iter().take_while(|word| whole(word)).count();
                    self.tails(&command.inner(0..words).filled(Some("{}")).filled(None), context);
                }
            }
            Inner::Unclear { reason } => {
                self.part(command.part(context));
                self.tails(command, context);
                self.unresolved(reason);
            }
        }
    }

    /// The command without the options in front of its subcommand, for stricter rules: `git -C x reset --hard` is
    /// `git reset --hard`.
    fn without_global_options(&mut self, command: &Invocation) {
        let Some(name) = command.literal(0).filter(|name| effects::has_subcommands(base_name(name))) else { return };
        let words: Vec<Option<String>> = (0..command.words.len()).map(|index| command.literal(index)).collect();
        let Some(kept) = effects::without_global_options(base_name(&name), &words) else { return };
        let words = kept.into_iter().filter_map(|index| command.words.get(index)).cloned().collect();
        let shorter = Invocation { words, prefix: String::new(), spellings: Vec::new(), stdin: Stdin::Other };
        self.part(shorter.part(Context::default().implied()));
    }

    /// Remembers what the command exports to all commands behind it.
    fn exports(&mut self, command: &Invocation) {
        let name = command.literal(0);
        let declares = matches!(name.as_deref(), Some("declare" | "typeset" | "local" | "readonly"));
        let has_option = || {
            (1..command.words.len())
                .filter_map(|index| command.literal(index))
                .any(|word| word.starts_with('-') && word.contains('x'))
        };
        if name.as_deref() != Some("export") && !(declares && has_option()) {
            return;
        }
        for word in command.words.iter().skip(1) {
            let dequoted = word.dequoted();
            let is_assignment = dequoted.split_once('=').is_some_and(|(name, _)| !is_harmless_variable(name));
            if is_assignment && self.exported.len() < MAX_EXPORTED {
                self.exported.extend(word.source.chars().take(MAX_EXPORTED));
                self.exported.push(' ');
            }
        }
    }

    /// Expands braces the way the shell does before anything else.
    fn expand_braces(&mut self, words: &[Rc<Word>]) -> Vec<Rc<Word>> {
        let mut expanded = Vec::with_capacity(words.len());
        for word in words {
            if !word.has_braces() {
                expanded.push(word.clone());
                continue;
            }
            let several = (self.braces < MAX_BRACES).then(|| word.expand_braces()).flatten();
            self.braces += several.as_ref().map_or(1, Vec::len);
            match several {
                Some(several) if !expanded.is_empty() => expanded.extend(several),
                // Neither a hidden command name nor one that cannot be told.
                _ => {
                    self.unresolved("a brace expansion that cannot be told from the text");
                    expanded.push(word.clone());
                }
            }
        }
        expanded
    }

    /// What a command may turn out to be, for stricter rules: `rm $x -rf` is `rm -rf` if its expansions are empty, and
    /// anything in their place if not.
    fn computed_words(&mut self, command: &Invocation) {
        let Some(marked) = command.with_computed() else { return };
        let words = command.words.iter().map(|word| word.without_expansions()).filter(|word| !word.is_empty());
        let empty = collapse_wide(&words.collect::<Vec<_>>().join(" "));
        let has_expansion = command.words.iter().any(|word| word.has_expansion());
        let spellings: Vec<String> = [empty, marked].into_iter().skip(usize::from(!has_expansion)).collect();
        let spellings: Vec<String> = spellings.into_iter().filter(|text| !text.is_empty()).collect();
        let dequoted = spellings.first().cloned().unwrap_or_default();
        self.part(CommandPart { spellings, dequoted, implied: true });
    }

    /// Every later word may be where an inner command starts. For stricter rules.
    fn tails(&mut self, command: &Invocation, context: Context) {
        /// Characters looked at in all tails together, so that long commands cost no more than short ones.
        const BUDGET: usize = 256 * 1024;
        if context.tails_covered {
            return;
        }
        if let Stdin::Text(Some(text)) = &command.stdin {
            self.maybe_script(text, context);
        }
        let inner = Context { tails_covered: true, ..context.deeper().implied() };
        let mut left: usize = command.words.iter().map(|word| word.source.len()).sum();
        let mut spent = 0;
        for (first, word) in command.words.iter().enumerate() {
            let tail = left;
            left = left.saturating_sub(word.source.len());
            let Some(text) = word.literal().filter(|_| first > 0) else { continue };
            let is_script = text.contains([' ', '\t', '\n', ';', '&', '|']);
            if !is_script && (text.is_empty() || text.starts_with('-')) {
                continue;
            }
            spent += if is_script { text.len() } else { tail };
            if spent > BUDGET {
                self.cut = Some("a command that runs another command has too many words");
                return;
            }
            if is_script {
                self.maybe_script(&text, context);
            } else {
                let before = self.unresolved.clone();
                self.invoke(command.inner(first..command.words.len()), inner);
                // A word that only looks like the start of a command proves nothing, unless it is a shell.
                if !shells::is_evaluator(base_name(&text)) {
                    self.unresolved = before;
                }
            }
        }
    }

    /// Commands with a meaning of their own that are no wrappers.
    fn special(&mut self, name: &str, command: &Invocation, context: Context) {
        match base_name(name) {
            "git" => {
                let words: Vec<Option<String>> = command.words.iter().skip(1).map(|word| word.literal()).collect();
                let found = git::from_command(&words);
                found.operations.into_iter().for_each(|operation| self.git_operation(operation));
                if let Some(alias) = found.alias {
                    self.maybe_script(&alias, context);
                }
                if let Some(reason) = found.unresolved {
                    self.unresolved(reason);
                }
            }
            "alias" => {
                for (_, text) in (1..command.words.len())
                    .filter_map(|index| command.literal(index))
                    .filter_map(|text| text.split_once('=').map(|(name, text)| (name.to_owned(), text.to_owned())))
                {
                    self.maybe_script(&text, context);
                }
            }
            "trap" if command.words.len() > 2 => {
                let script = if command.literal(1).as_deref() == Some("--") { 2 } else { 1 };
                match command.literal(script) {
                    Some(script) if script.is_empty() || script.starts_with('-') => {}
                    Some(script) => {
                        let (nodes, _) = self.nodes_of(|this| {
                            this.text(&script, context.deeper());
                            Ok(())
                        });
                        self.nodes.push(Node::Elsewhere(nodes));
                    }
                    None => self.unresolved("the script of a trap is not fixed text"),
                }
            }
            "." | "source" if command.words.get(1).is_some_and(|word| word.has_command()) => {
                self.unresolved("a script that another command writes");
            }
            base if shells::is_evaluator(base) => self.shell(base, command, context),
            _ => {}
        }
    }

    /// Replaces the part just added, whose meaning is its script, by an implied one.
    pub(super) fn replace_last(&mut self, command: &Invocation, context: Context) {
        // An assignment such as `BASH_ENV=file` does more than the script says.
        if command.prefix.is_empty()
            && let Some(last) = self.parts.last_mut()
            && *last == command.part(context)
        {
            last.implied = true;
        }
    }
}

/// True if the text is a word that would mean something else at the start of a command.
pub(super) fn is_reserved(text: &str) -> bool {
    RESERVED.contains(&text)
}

/// True for `NAME=value` with a harmless name and a fixed value.
pub(crate) fn is_harmless_assignment(word: &Word) -> bool {
    word.literal().is_some_and(|text| text.split_once('=').is_some_and(|(name, _)| is_harmless_variable(name)))
}

/// True for a variable that changes how a command reports, not what it does.
pub(crate) fn is_harmless_variable(name: &str) -> bool {
    let is_locale = |rest: &str| rest.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    HARMLESS_VARIABLES.contains(&name) || name.strip_prefix("LC_").is_some_and(is_locale)
}

/// The last segment of a path.
pub(super) fn base_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Words without quotes, with the program under its own name.
fn bare(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.collect();
    if let Some(first) = words.first_mut()
        && first.starts_with('/')
    {
        *first = base_name(first).to_owned();
    }
    collapse_wide(&words.join(" "))
}
