//! Shells and interpreters: a script in a file, or code on the command line.

use cavra_model::FileUse;

use crate::command::nodes_of;
use crate::effects::Engine;
use crate::effects::compose::Output;
use crate::effects::options;
use crate::effects::programs::Call;
use crate::effects::state::{Directory, State};
use crate::effects::table::{RoleKind, Row, Takes};
use crate::effects::words::Arg;

impl Engine<'_> {
    /// `bash`, `sh`, `eval`, `source`: the shell's own texts.
    pub(in crate::effects) fn shell(&mut self, call: &Call<'_>, state: &mut State) -> Output {
        match call.program {
            "eval" => {
                let words: Option<Vec<&str>> = call.rest.iter().map(Arg::literal).collect();
                self.shell_text(call, words.map(|words| words.join(" ")).as_deref(), state)
            }
            "source" | "." => self.source(call, state),
            _ => self.shell_program(call, state),
        }
    }

    fn source(&mut self, call: &Call<'_>, state: &mut State) -> Output {
        let (file, arguments) = call.rest.split_first()?;
        let why = "a file that the shell runs";
        self.script(file, arguments, why, state);
        if !file.text.ends_with("/bin/activate") {
            self.named(FileUse::Reads, file, false, why, state);
            state.directory = Directory::Unknown("a file that the shell ran may have changed it");
            state.variables.iter_mut().for_each(|(_, value)| *value = None);
        }
        None
    }

    fn shell_program(&mut self, call: &Call<'_>, state: &State) -> Output {
        let mut at = 0;
        let (mut gives_text, mut checks) = (false, false);
        while let Some(option) = call.rest.get(at).and_then(Arg::literal).filter(|text| text.starts_with(['-', '+'])) {
            at += 1;
            if matches!(option, "--version" | "--help") {
                return None;
            }
            if matches!(option, "-" | "--") {
                break;
            }
            let letters = option.get(1..).unwrap_or_default();
            if matches!(option, "-o" | "+o") || matches!(letters, "euo" | "eo" | "uo" | "exo" | "euxo") {
                at += 1;
            } else if matches!(option, "--norc" | "--noprofile" | "--posix" | "--login") {
                continue;
            } else if letters.contains(|c: char| !"ceflnuvx".contains(c)) {
                self.out.doubt(option, "this option of a shell is not described");
            }
            gives_text |= letters.contains('c');
            checks |= letters.contains('n');
        }
        let rest = call.rest.get(at..).unwrap_or_default();
        match rest.split_first() {
            Some((text, _)) if gives_text => self.shell_text(call, text.literal(), &mut state.clone()),
            Some((file, _)) if checks => {
                self.named(FileUse::Reads, file, false, "a script that is only checked", state);
                None
            }
            Some((file, arguments)) => {
                self.script(file, arguments, "a script that a shell runs", state);
                None
            }
            None if call.script.is_some() => self.shell_text(call, None, &mut state.clone()),
            None => {
                self.inline("shell", "a shell that reads its commands from its input");
                None
            }
        }
    }

    /// A text that a shell runs.
    fn shell_text(&mut self, call: &Call<'_>, text: Option<&str>, state: &mut State) -> Output {
        if let Some(nodes) = call.script {
            return self.list(nodes, state, call.input);
        }
        self.inline("shell", "a script that is run by a command which runs commands");
        if let Some(nodes) = text.and_then(nodes_of) {
            let outer = self.out.fixed.replace(self.out.part);
            self.list(&nodes, state, call.input);
            self.out.fixed = outer;
        }
        None
    }

    pub(in crate::effects) fn inline(&mut self, language: &str, sentence: &str) {
        self.out.run("inline", vec![language.to_owned()], sentence);
        self.out.doubt("", sentence);
    }

    /// `python`, `node` and their like.
    pub(in crate::effects) fn interpreter(&mut self, call: &Call<'_>, state: &State) -> Output {
        let language = language(call.program);
        let row = self.known_row(call.program)?;
        let mut at = 0;
        let mut only_asks = false;
        while let Some(arg) = call.rest.get(at) {
            let Some(text) = arg.literal() else {
                self.out.doubt(arg.shown(), "which script is run is known only when the command runs");
                return None;
            };
            if !text.starts_with('-') || text == "-" {
                break;
            }
            at += 1;
            if text == "-m" && language == "python" {
                return self.module(call.rest.get(at..).unwrap_or_default(), state);
            }
            let long =
                row.long(text.split('=').next().unwrap_or(text)).map(|(key, takes)| (key, takes, text.contains('=')));
            match long.or_else(|| letters(row, text)) {
                Some(("check", ..)) => {
                    for file in call.rest.get(at..).unwrap_or_default() {
                        self.named(FileUse::Reads, file, false, "a script that is only checked", state);
                    }
                    return None;
                }
                Some((key, Takes::Nothing, _)) => {
                    only_asks |= matches!(key, "version" | "help" | "V" | "h") || (key == "v" && language != "python");
                }
                Some((_, Takes::Values(roles) | Takes::Joined(roles), _))
                    if roles.iter().any(|role| role.kind == RoleKind::Code) =>
                {
                    self.inline(language, "code in the command line is not analysed");
                    self.edited(call.rest, state);
                    return None;
                }
                Some((_, Takes::Values(_), false)) => at += 1,
                Some(_) => {}
                None => self.out.doubt(text, "this option is not described"),
            }
        }
        match call.rest.get(at) {
            Some(file) if file.literal() != Some("-") => {
                self.script(file, call.rest.get(at + 1..).unwrap_or_default(), "a script that is run", state);
            }
            None if only_asks => {}
            _ => self.inline(language, "code from standard input is not analysed"),
        }
        None
    }

    /// Files behind `-i -e CODE`, which perl and ruby edit in place.
    fn edited(&mut self, rest: &[Arg], state: &State) {
        let letters = |arg: &Arg| {
            arg.literal().filter(|text| text.starts_with('-') && !text.starts_with("--")).map(str::to_owned)
        };
        let in_place = rest.iter().filter_map(letters).any(|text| text.contains('i'));
        let mut code = false;
        for arg in rest {
            if let Some(option) = letters(arg) {
                code |= option.contains(['e', 'E', 'c']);
            } else if std::mem::take(&mut code) {
                // The code itself.
            } else if in_place {
                self.named(FileUse::Reads, arg, false, "operand of code that edits in place", state);
                self.named(FileUse::Writes, arg, false, "operand of code that edits in place", state);
            }
        }
    }

    /// `python -m MODULE`.
    fn module(&mut self, rest: &[Arg], state: &State) -> Output {
        let (module, arguments) = rest.split_first()?;
        let name = format!("python -m {}", module.shown());
        match self.known_row(&name) {
            Some(row) if module.literal().is_some() => {
                let parsed = options::parse(row, arguments);
                for (word, sentence) in &parsed.doubts {
                    self.out.doubt(word, sentence);
                }
                if self.surroundings.programs.is_added(&name) {
                    // Python looks into the working directory first, and anybody may have put it there.
                    self.out.run(
                        "project_script",
                        vec![name.clone()],
                        "a module that may lie in the working directory",
                    );
                    self.in_project(&name, state);
                }
                let mut local = state.clone();
                self.directories(&name, &parsed, &mut local);
                self.apply(&name, &parsed, &local);
            }
            _ => {
                self.out.run("program", vec![name.clone()], "the module");
                self.out.doubt(&name, "this module is not described");
            }
        }
        None
    }
}

/// The last of the letters of an option that are read as such, and whether a value is joined to it.
fn letters<'r>(row: &'r Row, text: &str) -> Option<(&'r str, &'r Takes, bool)> {
    let letters = text.strip_prefix('-').filter(|letters| !letters.starts_with('-'))?;
    let mut last = None;
    for (at, letter) in letters.char_indices() {
        let (key, takes) = row.letter(letter)?;
        last = Some((key, takes, at + letter.len_utf8() < letters.len()));
        if *takes != Takes::Nothing {
            break;
        }
    }
    last
}

/// The language that an interpreter reads.
fn language(program: &str) -> &'static str {
    match program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "python" => "python",
        "node" | "nodejs" | "deno" | "bun" | "tsx" | "ts-node" | "esno" => "javascript",
        "perl" => "perl",
        "ruby" => "ruby",
        "php" => "php",
        "lua" => "lua",
        _ => "code",
    }
}
