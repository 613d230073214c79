//! `find`: where it looks, what it narrows to, what it runs; and `xargs`, which is given what it prints.

use std::rc::Rc;

use cavra_model::FileUse;

use crate::effects::compose::Output;
use crate::effects::options::Parsed;
use crate::effects::programs::Call;
use crate::effects::state::State;
use crate::effects::words::{Arg, Set, Shape};
use crate::effects::{Engine, Input, paths};

/// Tests and actions without a value.
const FLAGS: [&str; 31] = [
    "!",
    "(",
    ")",
    ",",
    "-a",
    "-and",
    "-daystart",
    "-depth",
    "-d",
    "-empty",
    "-executable",
    "-false",
    "-follow",
    "-ignore_readdir_race",
    "-ls",
    "-mount",
    "-nogroup",
    "-noleaf",
    "-not",
    "-nouser",
    "-o",
    "-or",
    "-print",
    "-print0",
    "-prune",
    "-quit",
    "-readable",
    "-true",
    "-warn",
    "-writable",
    "-xdev",
];

/// Tests and actions with a value that has no effect of its own.
const VALUES: [&str; 40] = [
    "-amin",
    "-atime",
    "-cmin",
    "-context",
    "-ctime",
    "-fstype",
    "-gid",
    "-group",
    "-ilname",
    "-iname",
    "-inum",
    "-ipath",
    "-iregex",
    "-iwholename",
    "-links",
    "-lname",
    "-maxdepth",
    "-mindepth",
    "-mmin",
    "-mtime",
    "-name",
    "-path",
    "-perm",
    "-printf",
    "-regex",
    "-regextype",
    "-size",
    "-type",
    "-uid",
    "-used",
    "-user",
    "-wholename",
    "-xtype",
    "-newermt",
    "-Bmin",
    "-Btime",
    "-flags",
    "-nowarn",
    "-newerat",
    "-newerct",
];

/// Tests that look at another file.
const FILES: [&str; 4] = ["-anewer", "-cnewer", "-newer", "-samefile"];

/// What an expression says.
#[derive(Default)]
struct Expression {
    names: Vec<String>,
    alternatives: bool,
    negated: bool,
    deletes: bool,
    /// Something else than names is printed.
    prints_more: bool,
    commands: Vec<Vec<Arg>>,
}

impl Engine<'_> {
    pub(in crate::effects) fn find(&mut self, call: &Call<'_>, state: &State) -> Output {
        let mut at = 0;
        while call
            .rest
            .get(at)
            .and_then(Arg::literal)
            .is_some_and(|text| matches!(text, "-H" | "-L" | "-P" | "-E" | "-X"))
        {
            at += 1;
        }
        let mut folders = Vec::new();
        while let Some(arg) = call.rest.get(at) {
            if arg.text.starts_with(['-', '(', '!', ',']) {
                break;
            }
            if arg.may_be_option() {
                self.out.doubt(arg.shown(), "this may become a part of the expression");
            }
            folders.push(arg.clone());
            at += 1;
        }
        if folders.is_empty() {
            folders.push(Arg::fixed("."));
        }
        let expression = self.expression(call.rest.get(at..).unwrap_or_default(), state);
        let mut sets = Vec::new();
        let narrow = match expression.names.as_slice() {
            [only] if !expression.alternatives && !expression.negated => Some(only.clone()),
            _ => None,
        };
        for folder in &folders {
            self.named(FileUse::Lists, folder, true, "start of `find`", state);
            match (&folder.shape, self.path(&folder.text, state)) {
                (Shape::Fixed | Shape::Glob, Some((path, pattern))) => {
                    let pattern = pattern || folder.shape == Shape::Glob;
                    sets.push(Set { path, tree: true, pattern, names: narrow.clone(), exact: true });
                }
                _ => self.out.doubt(folder.shown(), "where `find` looks is known only when it runs"),
            }
        }
        let sets = Rc::new(sets);
        let names = Arg { text: String::new(), shape: Shape::Names(sets.clone()) };
        if expression.deletes {
            self.named(FileUse::Deletes, &names, false, "`find -delete`", state);
        }
        for command in &expression.commands {
            self.run_on(command, "{}", &names, state);
        }
        let silent = expression.commands.is_empty() && !expression.deletes;
        let prints = silent && !expression.prints_more;
        // What reads them may take their names apart.
        let loose = |set: &Set| Set { exact: false, ..set.clone() };
        prints.then(|| Rc::new(sets.iter().map(loose).collect()))
    }

    fn expression(&mut self, arguments: &[Arg], state: &State) -> Expression {
        let mut found = Expression::default();
        let mut words = arguments.iter();
        while let Some(arg) = words.next() {
            let Some(text) = arg.literal() else {
                self.out.doubt(arg.shown(), "a part of the expression is known only when the command runs");
                continue;
            };
            match text {
                "-o" | "-or" | "," => found.alternatives = true,
                "!" | "-not" => found.negated = true,
                "-delete" => found.deletes = true,
                "-print" | "-print0" => {}
                "-exec" | "-execdir" | "-ok" | "-okdir" => {
                    let inner = words.by_ref().take_while(|arg| !matches!(arg.literal(), Some(";" | "+")));
                    found.commands.push(inner.cloned().collect());
                    if text.ends_with("dir") {
                        self.out.doubt(text, "the command runs in the directory of each file");
                    }
                }
                "-fprint" | "-fprint0" | "-fls" | "-fprintf" => {
                    if let Some(file) = words.next() {
                        self.named(FileUse::Writes, file, false, "value of `find -fprint`", state);
                    }
                    if text == "-fprintf" {
                        words.next();
                    }
                }
                "-files0-from" => {
                    if let Some(file) = words.next() {
                        self.named(FileUse::Reads, file, false, "value of `find -files0-from`", state);
                    }
                    self.out.doubt(text, "where `find` looks stands in a file");
                }
                _ if FLAGS.contains(&text) => found.prints_more |= text == "-ls",
                _ if FILES.contains(&text) => {
                    if let Some(file) = words.next() {
                        self.named(FileUse::Lists, file, false, "value of a test of `find`", state);
                    }
                }
                _ if VALUES.contains(&text) => {
                    let value = words.next();
                    found.prints_more |= text == "-printf";
                    // A path ends in a name.
                    if let ("-path" | "-wholename" | "-ipath", Some(path)) = (text, value.and_then(Arg::literal)) {
                        let name = paths::base_name(path);
                        found.names.push(if text == "-ipath" { name.to_lowercase() } else { name.to_owned() });
                    }
                    if let (true, Some(name)) = (matches!(text, "-name" | "-iname"), value.and_then(Arg::literal)) {
                        // Names of protected files are hardly ever told apart by their case.
                        found.names.push(if text == "-iname" { name.to_lowercase() } else { name.to_owned() });
                    }
                }
                _ => self.out.doubt(text, "this test or action of `find` is not described"),
            }
        }
        found
    }

    /// A command with names in place of a placeholder.
    fn run_on(&mut self, command: &[Arg], placeholder: &str, names: &Arg, state: &State) {
        let filled: Vec<Arg> = command.iter().map(|arg| fill(arg, placeholder, names)).collect();
        if filled.first().is_some_and(|first| first.literal().is_none()) {
            self.out.doubt("", "names of files are run as commands");
        }
        self.invoke(&filled, None, &mut state.clone(), &Input::default());
    }

    /// `xargs`: the operands of its command come from the command before.
    pub(in crate::effects) fn xargs(&mut self, parsed: &Parsed<'_>, state: &State, input: &Input) -> Output {
        let names = match &input.names {
            Some(sets) if !parsed.has(&["a"]) => Arg { text: String::new(), shape: Shape::Names(sets.clone()) },
            _ => Arg::any(),
        };
        let placeholder = parsed.values_of(&["I", "i"]).next().map(|arg| arg.text.clone());
        let placeholder = placeholder.or_else(|| parsed.has(&["i"]).then(|| "{}".to_owned()));
        match placeholder {
            Some(placeholder) if !placeholder.is_empty() => {
                if parsed.operands.iter().all(|arg| !arg.text.contains(&placeholder)) {
                    self.invoke(&parsed.operands, None, &mut state.clone(), &Input::default());
                } else {
                    self.run_on(&parsed.operands, &placeholder, &names, state);
                }
            }
            _ if parsed.operands.is_empty() => {}
            _ => {
                let mut command = parsed.operands.clone();
                command.push(names);
                return self.invoke(&command, None, &mut state.clone(), &Input::default());
            }
        }
        None
    }
}

/// A word of a command with names in place of a placeholder.
fn fill(arg: &Arg, placeholder: &str, names: &Arg) -> Arg {
    match arg.literal() {
        Some(text) if text == placeholder => names.clone(),
        Some(text) => match text.split_once(placeholder) {
            Some((before, _)) => Arg { text: before.to_owned(), shape: Shape::Open(!before.is_empty()) },
            None => arg.clone(),
        },
        None => arg.clone(),
    }
}
