//! Programs: which row describes one, and commands that run others.

use std::borrow::Cow;

use cavra_model::FilePlace;

use super::compose::Output;
use super::options::{self, Parsed};
use super::roles::dashed;
use super::state::{Directory, State};
use super::table::{self, Analyser, Does, RoleKind, Row, Verb};
use super::words::{Arg, Shape};
use super::{Engine, Input, MOST_DEPTH, analysers, paths};
use crate::FileKind;
use crate::command::tree::Node;

/// What is said of a program without a row.
pub const NOT_DESCRIBED: &str = "this program is not described";

/// Folders whose programs are what their names say.
const SYSTEM_FOLDERS: [&str; 6] =
    ["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/opt/homebrew/bin/"];

/// Folders of a repository in which package managers put programs under their own names.
const PACKAGE_FOLDERS: [&str; 3] = ["node_modules/.bin/", ".venv/bin/", "venv/bin/"];

/// Beginnings, ends and whole names of variables that programs take options or programs from.
const READ_PREFIXES: [&str; 36] = [
    "ANSIBLE",
    "AWS_",
    "BASH",
    "BUN_",
    "CARGO",
    "COMPOSER_",
    "CURL_",
    "DENO_",
    "DOCKER_",
    "DYLD_",
    "GCC_",
    "GEM_",
    "GH_",
    "GIT",
    "GO",
    "GRADLE",
    "GREP_",
    "HTTP",
    "JAVA",
    "JQ_",
    "KUBE",
    "LD_",
    "LESS",
    "LUA_",
    "MAVEN",
    "NIX_",
    "NODE",
    "NPM",
    "PERL",
    "PIP_",
    "PYTEST",
    "PYTHON",
    "RUBY",
    "RUST",
    "TF_",
    "UV_",
];
const READ_SUFFIXES: [&str; 10] =
    ["_ARGS", "_CONFIG", "_EDITOR", "_FLAGS", "_HOME", "_OPTIONS", "_OPTS", "_PATH", "_PROXY", "FLAGS"];
const READ_NAMES: [&str; 24] = [
    "PATH",
    "HOME",
    "IFS",
    "CDPATH",
    "PAGER",
    "EDITOR",
    "VISUAL",
    "BROWSER",
    "SHELL",
    "ENV",
    "PS1",
    "PS2",
    "PS4",
    "PROMPT_COMMAND",
    "TMPDIR",
    "TMP",
    "TEMP",
    "MAKE",
    "CC",
    "CXX",
    "GLOBIGNORE",
    "FIGNORE",
    "RIPGREP_CONFIG_PATH",
    "XDG_CONFIG_HOME",
];

/// True for a variable that programs or the shell read by themselves, so that setting it changes what they do.
pub(super) fn is_read_by_programs(name: &str) -> bool {
    let name = name.trim_end_matches('+').to_ascii_uppercase();
    READ_NAMES.contains(&name.as_str())
        || READ_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || READ_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

impl<'a> Engine<'a> {
    /// The row of a program, built in or of the policy.
    pub(super) fn known_row(&self, program: &str) -> Option<&'a Row> {
        self.surroundings.programs.row(program)
    }

    /// A program with its arguments. `script` holds the commands of a script that it gives to a shell.
    pub(super) fn invoke(
        &mut self,
        arguments: &[Arg],
        script: Option<&[Node]>,
        state: &mut State,
        input: &Input,
    ) -> Output {
        let (first, rest) = arguments.split_first()?;
        let Some(name) = first.literal() else {
            self.out.doubt(first.shown(), "which program this is, is known only when the command runs");
            self.behind_dashes(rest, state, input);
            return None;
        };
        if self.depth > MOST_DEPTH {
            self.out.doubt(name, "commands that run commands are nested too deeply");
            return None;
        }
        let name = name.to_owned();
        self.depth += 1;
        let output = match self.row_of(&name, rest, state) {
            Some((program, row)) => self.described(&program, row, rest, script, state, input),
            None => None,
        };
        self.depth -= 1;
        output
    }

    /// The row of a program. Without one, what is known of the program is said at once.
    fn row_of(&mut self, name: &str, rest: &[Arg], state: &State) -> Option<(String, &'a Row)> {
        if !name.contains('/') {
            if let Some(row) = self.known_row(name) {
                return Some((name.to_owned(), row));
            }
            self.unknown_program(name, rest, state);
            return None;
        }
        let base = paths::base_name(name);
        if SYSTEM_FOLDERS.iter().any(|folder| name.strip_prefix(folder) == Some(base)) {
            if let Some(row) = self.known_row(base) {
                return Some((base.to_owned(), row));
            }
            self.unknown_program(base, rest, state);
            return None;
        }
        let arg = Arg::fixed(name);
        let located = self.path(name, state).map(|(path, _)| paths::locate(&path, self.surroundings));
        match located {
            Some((path, FilePlace::Repository)) => {
                let is_package = PACKAGE_FOLDERS.iter().any(|folder| path.contains(folder));
                match self.known_row(base).filter(|row| is_package && runs_project_code(row)) {
                    Some(row) => return Some((base.to_owned(), row)),
                    None => self.script(&arg, rest, "a program of the repository", state),
                }
            }
            _ => {
                self.unknown_program(name, rest, state);
            }
        }
        None
    }

    fn unknown_program(&mut self, name: &str, rest: &[Arg], state: &State) {
        self.out.run("program", vec![name.to_owned()], "the program");
        self.out.doubt(name, NOT_DESCRIBED);
        if let Some(calls) = &mut self.unknown_calls {
            calls.push(super::UnknownCall::of(name, rest));
        }
        self.behind_dashes(rest, state, &Input::default());
    }

    /// What stands behind ` -- ` may be a command: its effects count for stricter rules.
    fn behind_dashes(&mut self, rest: &[Arg], state: &State, input: &Input) {
        if let Some(at) = rest.iter().position(|arg| arg.literal() == Some("--")) {
            let inner = rest.get(at + 1..).unwrap_or_default();
            let is_command = inner.first().and_then(Arg::literal).is_some_and(|name| self.known_row(name).is_some());
            if is_command {
                self.invoke(inner, None, &mut state.clone(), input);
            }
        }
    }

    fn described(
        &mut self,
        program: &str,
        row: &Row,
        rest: &[Arg],
        script: Option<&[Node]>,
        state: &mut State,
        input: &Input,
    ) -> Output {
        let call = Call { program, rest, script, input };
        match row.analyser {
            Some(Analyser::Cd) => return self.cd(&call, state),
            Some(Analyser::Exit) => return self.exit(state),
            Some(Analyser::Declare) => return self.declare(&call, state),
            Some(Analyser::Env) => return self.env(&call, state),
            Some(Analyser::Find) => return self.find(&call, state),
            Some(Analyser::Shell) => return self.shell(&call, state),
            Some(Analyser::Interpreter) => return self.interpreter(&call, state),
            Some(Analyser::Test) => return self.test(rest, state),
            _ => {}
        }
        let mut rest = self.without_options(rest, state);
        if row.analyser == Some(Analyser::Tar) {
            rest = dashed_letters(rest);
        }
        let parsed = options::parse(row, &rest);
        for (word, sentence) in &parsed.doubts {
            self.out.doubt(word, sentence);
        }
        let mut local = state.clone();
        self.directories(program, &parsed, &mut local);
        self.apply(program, &parsed, &local);
        let analyser = parsed.row.and_then(|row| row.analyser).or(row.analyser);
        let output = match analyser {
            Some(Analyser::Awk) => self.awk(&parsed, &local),
            Some(Analyser::Curl) => self.curl(program, &parsed, &local),
            Some(Analyser::Dd) => self.dd(&parsed, &local),
            Some(Analyser::GhApi) => self.gh_api(&parsed, &local),
            Some(Analyser::GhClone) => self.gh_clone(&parsed, &local),
            Some(Analyser::Git) => self.git(&parsed, &local),
            Some(Analyser::Grep) => self.search(program, &parsed, &local, input),
            Some(Analyser::Jq) => self.jq(&parsed),
            Some(Analyser::Launch) => self.launch(&parsed, &local, input),
            Some(Analyser::Make) => self.make(&parsed, &local),
            Some(Analyser::Mode) => self.mode(&parsed),
            Some(Analyser::Package) => self.package(program, &parsed, &local),
            Some(Analyser::Read) => {
                analysers::read(&parsed, state, input);
                None
            }
            Some(Analyser::Scripts) => self.scripts(program, &parsed, &local, input),
            Some(Analyser::Sed) => self.sed(&parsed, &local),
            Some(Analyser::Tar) => self.tar(&parsed, &local),
            Some(Analyser::Xargs) => self.xargs(&parsed, &local, input),
            _ => None,
        };
        let forgets = |arg: &Arg| is_read_by_programs(&arg.text);
        if program == "unset" && parsed.operands.iter().any(forgets) {
            state.altered.get_or_insert_with(|| "unset".to_owned());
        }
        if program == "alias" {
            state.altered.get_or_insert_with(|| "alias".to_owned());
        }
        let only_asks = program == "command" && parsed.has(&["v", "V"]);
        if let Some(inner) = inner_command(&parsed).filter(|_| !only_asks) {
            let output = self.invoke(inner, script, &mut local, input);
            if program == "command" || program == "builtin" {
                *state = local;
            }
            return output;
        }
        output.or_else(|| passes_names(program, &parsed).then(|| input.names.clone()).flatten())
    }

    /// Arguments in which a glob is marked as names of files, if no name there looks like an option.
    fn without_options<'r>(&self, arguments: &'r [Arg], state: &State) -> Cow<'r, [Arg]> {
        let is_risky = |arg: &Arg| arg.shape == Shape::Glob && arg.may_be_option();
        let (Some(disk), true) = (self.surroundings.disk, arguments.iter().any(is_risky)) else {
            return Cow::Borrowed(arguments);
        };
        let Directory::Known { path, pattern: false } = &state.directory else { return Cow::Borrowed(arguments) };
        if disk.has_option_like_name(path) {
            return Cow::Borrowed(arguments);
        }
        let marked = arguments.iter().map(|arg| {
            let text = if is_risky(arg) { format!("./{}", arg.text) } else { arg.text.clone() };
            Arg { text, shape: arg.shape.clone() }
        });
        Cow::Owned(marked.collect())
    }

    /// Options that say in which directory a command works.
    pub(super) fn directories(&mut self, program: &str, parsed: &Parsed<'_>, state: &mut State) {
        for (key, role, value) in &parsed.values {
            if role.kind == RoleKind::Directory {
                self.enter_directory(value, state);
                if matches!(state.directory, Directory::Unknown(_)) {
                    self.out.doubt(value.shown(), &format!("`{}` of `{program}` is known only later", dashed(key)));
                }
            }
        }
    }

    /// Changes the directory of a state.
    pub(super) fn enter_directory(&mut self, arg: &Arg, state: &mut State) {
        let before = state.directory.clone();
        let is_missing = |path: &str| {
            self.surroundings.disk.is_some_and(|disk| disk.kind(path) != Some(FileKind::Directory))
                && !self.out.has_written(&paths::locate(path, self.surroundings).0)
        };
        state.directory = match (&arg.shape, self.path(&arg.text, state)) {
            (Shape::Fixed, Some((path, false))) if is_missing(&path) => {
                Directory::Unknown("the directory to change to is not there")
            }
            (Shape::Fixed, Some((path, pattern))) => Directory::Known { path, pattern },
            (Shape::Glob, Some((path, _))) => Directory::Known { path, pattern: true },
            (Shape::Fixed | Shape::Glob, None) => return,
            _ => Directory::Unknown("the working directory is known only when the command runs"),
        };
        state.moved |= before != state.directory;
    }

    fn cd(&mut self, call: &Call<'_>, state: &mut State) -> Output {
        let is_option = |arg: &&Arg| !matches!(arg.literal(), Some("-P" | "-L" | "-e" | "--" | "-q"));
        let operands: Vec<&Arg> = call.rest.iter().filter(is_option).collect();
        match operands.as_slice() {
            _ if call.program == "popd" => {
                state.directory = Directory::Unknown("the directory that `popd` goes back to is not followed");
                state.moved = true;
            }
            [] => self.enter_directory(&Arg::fixed(paths::home(self.surroundings)), state),
            [only] if only.literal().is_some_and(|text| text.starts_with(['-', '+'])) => {
                state.directory = Directory::Unknown("the directory before this one is not followed");
                state.moved = true;
            }
            [only] => self.enter_directory(only, state),
            _ => state.directory = Directory::Unknown("`cd` has more than one operand"),
        }
        None
    }

    fn exit(&mut self, state: &mut State) -> Output {
        state.ended = true;
        None
    }

    fn declare(&mut self, call: &Call<'_>, state: &mut State) -> Output {
        let mut exports = call.program == "export";
        let mut shows = true;
        for arg in call.rest {
            let Some(text) = arg.literal().or_else(|| arg.text.contains('=').then_some(arg.text.as_str())) else {
                self.out.doubt(arg.shown(), "a declaration that is not fixed text");
                continue;
            };
            if let Some(letters) = text.strip_prefix('-') {
                exports |= letters.contains('x');
                if letters.contains(|c: char| !"aAgrxp".contains(c)) {
                    self.out.doubt(text, "this option is not described");
                }
                continue;
            }
            shows = false;
            let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
            let harmless = crate::command::is_harmless_variable(name);
            if (exports && !harmless) || (value.is_some() && is_read_by_programs(name) && !harmless) {
                state.altered.get_or_insert_with(|| text.to_owned());
                self.out.doubt(text, "this variable may change what later programs do");
            }
            if let Some(value) = value {
                state.set(name, Some(vec![Arg { text: value.to_owned(), shape: arg.shape.clone() }]));
            }
        }
        if shows && call.program != "local" {
            self.out.environment("*", &format!("`{}` shows variables", call.program));
        }
        None
    }

    fn env(&mut self, call: &Call<'_>, state: &State) -> Output {
        let mut local = state.clone();
        let mut at = 0;
        while let Some(arg) = call.rest.get(at) {
            match arg.text.as_str() {
                "-i" | "--ignore-environment" | "-" => self.out.doubt(arg.shown(), "the program gets no environment"),
                "-0" | "--null" | "-v" | "--debug" => {}
                "-u" | "--unset" => {
                    at += 1;
                    let name = call.rest.get(at).map_or("", |arg| arg.text.as_str());
                    if is_read_by_programs(name) {
                        self.out.doubt(name, "this variable may change what the program does");
                    }
                }
                "-C" | "--chdir" => {
                    at += 1;
                    let directory = call.rest.get(at).cloned().unwrap_or_else(Arg::any);
                    self.enter_directory(&directory, &mut local);
                }
                "--" => {
                    at += 1;
                    break;
                }
                text if text.starts_with("--chdir=") => self.enter_directory(&arg.behind(8), &mut local),
                text if text.starts_with('-') || arg.may_be_option() => {
                    self.out.doubt(arg.shown(), "this option is not described");
                }
                text => match text.split_once('=') {
                    Some((name, _)) if crate::command::is_harmless_variable(name) && arg.literal().is_some() => {}
                    Some(_) => self.out.doubt(text, "this variable may change what the program does"),
                    None => break,
                },
            }
            at += 1;
        }
        let inner = call.rest.get(at..).unwrap_or_default();
        if inner.is_empty() {
            self.out.environment("*", "`env` shows all variables");
            return None;
        }
        self.invoke(inner, call.script, &mut local, call.input)
    }

    /// `pnpm NAME`: a script of the project, or a program that was installed for it.
    fn scripts(&mut self, program: &str, parsed: &Parsed<'_>, state: &State, input: &Input) -> Output {
        let (first, rest) = parsed.operands.split_first()?;
        let Some(name) = first.literal() else {
            self.out.doubt(first.shown(), "which script this is, is known only when the command runs");
            return None;
        };
        match table::built_in(name) {
            Some(row) if runs_project_code(row) => {
                return self.invoke(&parsed.operands, None, &mut state.clone(), input);
            }
            Some(_) => self.out.doubt(name, "this may be a program as well as a script"),
            None => {}
        }
        let words = std::iter::once(name.to_owned()).chain(rest.iter().map(|arg| arg.shown().to_owned()));
        self.out.run("project_script", words.collect(), &format!("script of `{program}`"));
        self.in_project(name, state);
        None
    }

    /// `npx` and its like: a tool of the project, or a package that is fetched.
    fn launch(&mut self, parsed: &Parsed<'_>, state: &State, input: &Input) -> Output {
        let Some(first) = parsed.operands.first() else {
            self.out.doubt("", "which package is run is not said");
            return None;
        };
        let is_tool = first.literal().and_then(table::built_in).is_some_and(runs_project_code);
        if is_tool && !parsed.has(&["p", "y"]) {
            return self.invoke(&parsed.operands, None, &mut state.clone(), input);
        }
        self.out.run("package", vec![first.shown().to_owned()], "a package that may be fetched");
        self.out.network("registry", None, false, false, "a package that may be fetched");
        self.out.doubt(first.shown(), "a package that may be fetched and run");
        None
    }
}

/// Arguments of which the first is a bundle of letters without a dash, as tar takes it.
fn dashed_letters(arguments: Cow<'_, [Arg]>) -> Cow<'_, [Arg]> {
    let is_bundle = |arg: &Arg| arg.literal().is_some_and(|text| text.chars().all(|c| c.is_ascii_alphabetic()));
    if !arguments.first().is_some_and(is_bundle) {
        return arguments;
    }
    let mut arguments = arguments.into_owned();
    if let Some(first) = arguments.first_mut() {
        first.text.insert(0, '-');
    }
    Cow::Owned(arguments)
}

/// A call of a program.
pub(super) struct Call<'c> {
    pub program: &'c str,
    pub rest: &'c [Arg],
    pub script: Option<&'c [Node]>,
    pub input: &'c Input,
}

/// The command among the operands.
fn inner_command<'p>(parsed: &'p Parsed<'_>) -> Option<&'p [Arg]> {
    let row = parsed.row?;
    let at = row.operands.iter().position(|operand| operand.role.kind == RoleKind::Command)?;
    parsed.operands.get(at..).filter(|inner| !inner.is_empty())
}

/// True for a row of a tool that checks, builds or tests the project.
pub(super) fn runs_project_code(row: &Row) -> bool {
    let is_run = |does: &Does| does.verb == Verb::Run && does.text.starts_with("project_");
    let runs = |row: &Row| row.does.iter().chain(row.when.iter().flat_map(|when| when.does.iter())).any(is_run);
    runs(row) || row.subcommands.iter().any(|(_, inner)| runs(inner)) || row.otherwise.as_deref().is_some_and(runs)
}

/// True if what a program prints are some of the lines that it gets, each as it is.
fn passes_names(program: &str, parsed: &Parsed<'_>) -> bool {
    let only = |keys: &[&str]| parsed.given.iter().all(|key| keys.contains(key));
    match program {
        "cat" | "uniq" => parsed.operands.is_empty() && only(&[]),
        "head" | "tail" => {
            let digits = |key: &&str| *key == "n" || key.bytes().all(|b| b.is_ascii_digit());
            parsed.operands.is_empty() && parsed.given.iter().all(digits)
        }
        "sort" => parsed.operands.is_empty() && only(&["r", "u", "n", "V", "f"]),
        "grep" | "egrep" | "fgrep" | "rg" => {
            let patterns = usize::from(!parsed.has(&["e"]));
            parsed.operands.len() <= patterns && only(&["v", "i", "E", "F", "P", "w", "x", "e", "m", "s"])
        }
        _ => false,
    }
}
