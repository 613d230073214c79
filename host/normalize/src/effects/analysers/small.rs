//! Small languages: operands of dd, modes, targets of make, tests, members of archives, packages, searches.

use std::rc::Rc;

use cavra_model::FileUse;

use crate::effects::compose::Output;
use crate::effects::options::Parsed;
use crate::effects::programs::runs_project_code;
use crate::effects::roles::has_extension;
use crate::effects::state::State;
use crate::effects::table;
use crate::effects::words::{Arg, Set, Shape};
use crate::effects::{Engine, Filter, Input};

/// Tests of `[` that look at a file.
const FILE_TESTS: [&str; 17] =
    ["-a", "-b", "-c", "-d", "-e", "-f", "-g", "-h", "-k", "-L", "-p", "-r", "-s", "-S", "-u", "-w", "-x"];

impl Engine<'_> {
    /// `test` and `[`.
    pub(in crate::effects) fn test(&mut self, rest: &[Arg], state: &State) -> Output {
        for pair in rest.windows(2) {
            let [operator, name] = pair else { continue };
            match operator.literal() {
                Some(text) if FILE_TESTS.contains(&text) => match name.shape {
                    Shape::Fixed | Shape::Glob => self.named(FileUse::Lists, name, false, "operand of `test`", state),
                    _ => self.out.certainty(cavra_model::Certainty::Bounded),
                },
                _ => {}
            }
        }
        None
    }

    /// `key=value` operands.
    pub(in crate::effects) fn dd(&mut self, parsed: &Parsed<'_>, state: &State) -> Output {
        const HARMLESS: [&str; 12] =
            ["bs", "cbs", "conv", "count", "files", "ibs", "iflag", "obs", "oflag", "seek", "skip", "status"];
        for arg in &parsed.operands {
            let Some((key, _)) = arg.text.split_once('=') else {
                self.out.doubt(arg.shown(), "this operand of `dd` is not described");
                continue;
            };
            let value = arg.behind(key.len() + 1);
            match key {
                "if" => self.named(FileUse::Reads, &value, false, "`if=` of `dd`", state),
                "of" => self.named(FileUse::Writes, &value, false, "`of=` of `dd`", state),
                key if HARMLESS.contains(&key) => {}
                _ => self.out.doubt(arg.shown(), "this operand of `dd` is not described"),
            }
        }
        None
    }

    /// Modes that let others write, or lend the owner's rights.
    pub(in crate::effects) fn mode(&mut self, parsed: &Parsed<'_>) -> Output {
        let mode = parsed.operands.first()?;
        let Some(text) = mode.literal() else {
            self.out.doubt(mode.shown(), "the mode is known only when the command runs");
            return None;
        };
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let wide = if digits {
            let last = text.bytes().last().unwrap_or(b'0') - b'0';
            let special = text.len() > 3 && !text.starts_with('0');
            last & 2 != 0 || special
        } else {
            text.split(',').any(|clause| {
                let (who, what) = clause.split_at(clause.find(['+', '-', '=']).unwrap_or(0));
                let adds = what.starts_with(['+', '=']);
                adds && (what.contains('s') || (what.contains('w') && who.contains(['o', 'a'])))
            })
        };
        if wide {
            self.out.run("permission", vec![text.to_owned()], "the mode");
        }
        None
    }

    /// Targets and variables of make.
    pub(in crate::effects) fn make(&mut self, parsed: &Parsed<'_>, state: &State) -> Output {
        self.in_project("make", state);
        let mut targets = 0;
        for arg in &parsed.operands {
            match arg.literal() {
                Some(text) => match text.split_once('=') {
                    Some((name, value)) => {
                        if name.trim_end_matches([':', '?', '+']) == "SHELL" {
                            self.out.run(
                                "script",
                                vec![self.shown_path(&Arg::fixed(value), state)],
                                "`SHELL=` of make",
                            );
                        }
                        self.out.doubt(text, "a variable of make may change what it runs");
                    }
                    None => {
                        targets += 1;
                        self.out.run("project_task", vec![text.to_owned()], "target of `make`");
                    }
                },
                None => self.out.doubt(arg.shown(), "which target this is, is known only when the command runs"),
            }
        }
        if targets == 0 {
            self.out.run("project_task", vec!["default".to_owned()], "`make` without a target");
        }
        None
    }

    /// What `go run` builds, or `bun` runs: a package, a file or a script of the project.
    pub(in crate::effects) fn package(&mut self, program: &str, parsed: &Parsed<'_>, state: &State) -> Output {
        let (first, rest) = parsed.operands.split_first()?;
        let Some(text) = first.literal() else {
            self.out.doubt(first.shown(), "which package is run is known only when the command runs");
            return None;
        };
        let is_file = text.starts_with(['.', '/', '\u{2}']) || has_extension(text);
        if program == "bun" && !is_file {
            match table::built_in(text) {
                Some(row) if runs_project_code(row) => {
                    return self.invoke(&parsed.operands, None, &mut state.clone(), &Input::default());
                }
                Some(_) if parsed.subcommands.first().is_none_or(|name| name != "run") => {
                    self.out.doubt(text, "this may be a program as well as a script");
                }
                _ => {}
            }
            self.in_project(text, state);
            let words = std::iter::once(text.to_owned()).chain(rest.iter().map(|arg| arg.shown().to_owned()));
            self.out.run("project_script", words.collect(), "a script of the project");
        } else if program == "go" && text.contains('@') {
            self.out.run("install", vec!["go".to_owned()], "a package that is fetched");
            self.out.network("registry", None, false, false, "a package that is fetched");
        } else {
            self.script(first, rest, "what is run", state);
        }
        None
    }

    /// Archives of tar.
    pub(in crate::effects) fn tar(&mut self, parsed: &Parsed<'_>, state: &State) -> Output {
        let mut inside = state.clone();
        for directory in parsed.values_of(&["C"]) {
            self.enter_directory(directory, &mut inside);
        }
        let archive: Vec<Arg> = parsed.values_of(&["f"]).filter(|arg| arg.literal() != Some("-")).cloned().collect();
        let creates = parsed.has(&["c", "r", "u"]);
        for file in &archive {
            if creates {
                self.named(FileUse::Writes, file, false, "archive of `tar`", state);
            }
            if !parsed.has(&["c"]) {
                self.named(FileUse::Reads, file, false, "archive of `tar`", state);
            }
            if file.text.contains(':') {
                self.out.doubt(file.shown(), "an archive on another host");
            }
        }
        if creates {
            for member in &parsed.operands {
                self.tree(FileUse::Reads, member, "operand of `tar`", &inside);
            }
        } else if parsed.has(&["x"]) {
            self.named(FileUse::Writes, &Arg::fixed("."), true, "what `tar` unpacks", &inside);
            self.out.doubt("", "which files an archive holds is not known");
        } else if !parsed.has(&["t"]) {
            self.out.doubt("tar", "what `tar` is to do is not said");
        }
        None
    }

    /// `grep`, `rg`: a pattern, and files or folders.
    pub(in crate::effects) fn search(
        &mut self,
        program: &str,
        parsed: &Parsed<'_>,
        state: &State,
        input: &Input,
    ) -> Output {
        let has_pattern = parsed.has(&["e", "f", "--files", "--type-list"]);
        let files = parsed.operands.get(usize::from(!has_pattern)..).unwrap_or_default();
        let recursive = program == "rg" || program == "ag" || parsed.has(&["r", "R"]);
        let filter = Filter::of(program, parsed);
        let here = [Arg::fixed(".")];
        let reads_input = input.given && !parsed.has(&["r", "R"]);
        let files = if files.is_empty() && recursive && !reads_input { &here } else { files };
        let why = format!("operand of `{program}`");
        let outer = self.filter.replace(filter.clone());
        let mut sets = Vec::new();
        for file in files.iter().filter(|arg| arg.literal() != Some("-")) {
            if recursive {
                self.tree(FileUse::Reads, file, &why, state);
                for name in &filter.include {
                    self.narrowed(file, name, &why, state);
                }
            } else {
                self.named(FileUse::Reads, file, false, &why, state);
            }
            match (&file.shape, self.path(&file.text, state)) {
                (Shape::Names(names), _) => sets.extend(names.iter().cloned()),
                (Shape::Fixed | Shape::Glob, Some((path, pattern))) => {
                    let pattern = pattern || file.shape == Shape::Glob;
                    let tree = recursive && !pattern && self.is_folder(&path);
                    sets.push(Set { path, tree, pattern, names: None, exact: false });
                }
                _ => {}
            }
        }
        self.filter = outer;
        let prints_names = parsed.has(&["l", "L"]) && !sets.is_empty();
        prints_names.then(|| Rc::new(sets))
    }

    /// The files of a folder that an include option names.
    fn narrowed(&mut self, folder: &Arg, name: &str, why: &str, state: &State) {
        if let (Shape::Fixed, Some((path, false))) = (&folder.shape, self.path(&folder.text, state))
            && self.is_folder(&path)
        {
            let text = format!("{}/**/{name}", path.trim_end_matches('/'));
            self.file(FileUse::Reads, &text, false, true, why);
        }
    }
}

/// `read NAME`: lines of the input become values.
pub(in crate::effects) fn read(parsed: &Parsed<'_>, state: &mut State, input: &Input) {
    for (index, name) in parsed.operands.iter().filter_map(Arg::literal).enumerate() {
        let names = input.names.as_ref().filter(|_| index == 0 && parsed.operands.len() == 1);
        let value = names.map(|names| vec![Arg { text: String::new(), shape: Shape::Names(names.clone()) }]);
        state.set(name, value);
    }
}
