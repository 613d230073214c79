//! What arguments do, by their roles.

use std::borrow::Cow;

use cavra_model::{FilePlace, FileUse};

use super::collect::Change;
use super::options::Parsed;
use super::state::{Directory, State};
use super::table::{Does, Operand, Role, RoleKind, Verb};
use super::words::{Arg, Set, Shape};
use super::{Engine, glob, paths};
use crate::FileKind;

const NOT_FIXED: &str = "which file this is, is known only when the command runs";

impl Engine<'_> {
    /// The effects of options and operands, apart from what an analyser does.
    pub(super) fn apply(&mut self, program: &str, parsed: &Parsed<'_>, state: &State) {
        let Some(row) = parsed.row else { return };
        let mut operands = row.operands.as_ref();
        let mut does: Vec<&[Does]> = vec![&row.does];
        for when in row.when.iter() {
            let applies = (when.given.is_empty() || parsed.has(&when.given)) && !parsed.has(&when.without);
            if applies {
                operands = when.operands.as_deref().unwrap_or(operands);
                if when.instead {
                    does.clear();
                }
                does.push(&when.does);
            }
        }
        for (key, role, value) in &parsed.values {
            self.role(role, value, &format!("value of `{}` of `{program}`", dashed(key)), state);
        }
        let why = format!("operand of `{program}`");
        let mut before = match row.after {
            Some(_) => parsed.operands.get(..parsed.before_dashes).unwrap_or_default(),
            None => parsed.operands.as_slice(),
        };
        if let Some(inner) = row.operands.iter().position(|operand| operand.role.kind == RoleKind::Command) {
            before = before.get(..inner).unwrap_or(before);
        }
        if !row.free {
            self.operands(operands, before, &why, state);
        }
        if let Some(after) = &row.after {
            for arg in parsed.operands.get(parsed.before_dashes..).unwrap_or_default() {
                self.role(after, arg, &why, state);
            }
        }
        for effects in does {
            self.does(effects, program, parsed, state);
        }
        if parsed.operands.is_empty() {
            self.does(&row.bare, program, parsed, state);
        }
    }

    fn operands(&mut self, specified: &[Operand], operands: &[Arg], why: &str, state: &State) {
        let many = specified.iter().position(|operand| operand.many);
        let several = operands.iter().any(|arg| matches!(arg.shape, Shape::Names(_) | Shape::Glob | Shape::Any));
        let behind = many.map_or(0, |at| specified.len() - at - 1);
        for (index, arg) in operands.iter().enumerate() {
            let from_end = operands.len() - index;
            let found = match many {
                Some(at) if index < at => specified.get(index),
                Some(_) if from_end <= behind => specified.get(specified.len() - from_end),
                Some(at) => specified.get(at),
                None => specified.get(index),
            };
            match found {
                Some(operand) if operand.role.kind == RoleKind::Destination => {
                    self.destination(operands.get(..index).unwrap_or_default(), arg, why, state);
                }
                // Behind an option `-` is the standard output; a file of that name is made where it stands alone.
                Some(operand) if operand.role.kind == RoleKind::Writes => {
                    self.named(FileUse::Writes, arg, false, why, state);
                }
                Some(operand) => self.role(&operand.role, arg, why, state),
                None => {
                    self.out.doubt(arg.shown(), "there are more operands than are described");
                    // It may be any of them.
                    self.named(FileUse::Reads, arg, false, why, state);
                }
            }
            if several && many != Some(0) && specified.len() > 1 && matches!(arg.shape, Shape::Names(_) | Shape::Any) {
                self.out.doubt(arg.shown(), "how many operands this is, is known only when the command runs");
            }
        }
        let moves = |operand: &Operand| operand.role.kind == RoleKind::Moves;
        if specified.iter().any(moves) && self.out.writes_outside() {
            let moved = if specified.last().is_some_and(moves) { operands.len() } else { operands.len().max(1) - 1 };
            self.moved_away(operands.get(..moved).unwrap_or_default(), why, state);
        }
    }

    /// What is moved out of the repository is gone from it, as if it had been deleted.
    fn moved_away(&mut self, moved: &[Arg], why: &str, state: &State) {
        for arg in moved {
            let place = arg.literal().and_then(|text| self.path(text, state)).map(|(path, _)| {
                let (_, place) = paths::locate(&path, self.surroundings);
                place
            });
            if place.is_none_or(|place| place == FilePlace::Repository) {
                self.named(FileUse::Deletes, arg, true, why, state);
            }
        }
    }

    /// The effect of one argument.
    pub(super) fn role(&mut self, role: &Role, arg: &Arg, why: &str, state: &State) {
        match role.kind {
            RoleKind::Value | RoleKind::Command | RoleKind::Destination | RoleKind::Directory => {}
            RoleKind::Target | RoleKind::Pathspec | RoleKind::Run => {}
            RoleKind::Lists => self.named(FileUse::Lists, arg, false, why, state),
            RoleKind::ListsTree => self.named(FileUse::Lists, arg, true, why, state),
            RoleKind::Reads if arg.literal() == Some("-") => {}
            RoleKind::Reads => self.named(FileUse::Reads, arg, false, why, state),
            RoleKind::ReadsTree => self.tree(FileUse::Reads, arg, why, state),
            RoleKind::ReadsBelow => self.below(&[FileUse::Reads], &role.argument, arg, why, state),
            RoleKind::EditsBelow => self.below(&[FileUse::Reads, FileUse::Writes], &role.argument, arg, why, state),
            RoleKind::Writes if arg.literal() == Some("-") => {}
            RoleKind::Writes => self.named(FileUse::Writes, arg, false, why, state),
            RoleKind::WritesTree => self.named(FileUse::Writes, arg, true, why, state),
            RoleKind::Edits => {
                self.named(FileUse::Reads, arg, false, why, state);
                self.named(FileUse::Writes, arg, false, why, state);
            }
            RoleKind::Deletes => self.named(FileUse::Deletes, arg, false, why, state),
            RoleKind::DeletesTree => self.named(FileUse::Deletes, arg, true, why, state),
            RoleKind::Moves => self.named(FileUse::Writes, arg, false, why, state),
            RoleKind::Template => self.named(FileUse::Writes, &any_letters(arg), false, why, state),
            RoleKind::Url => self.url(arg, false, false, why),
            RoleKind::Data => self.data(arg, why, state),
            RoleKind::Response | RoleKind::ReadsResponse if arg.text.starts_with('@') => {
                self.data(arg, why, state);
                self.out.doubt(arg.shown(), "further arguments stand in a file");
            }
            RoleKind::Response => {
                self.data(arg, why, state);
                self.project(arg, state);
            }
            RoleKind::ReadsResponse => self.named(FileUse::Reads, arg, false, why, state),
            RoleKind::Project => self.project(arg, state),
            RoleKind::Code => {
                self.out.run("inline", vec![role.argument.clone().into_owned()], why);
                self.out.doubt("", "code in the command line is not analysed");
            }
            RoleKind::Program => {
                self.out.run("script", vec![self.shown_path(arg, state)], why);
                self.out.doubt(arg.shown(), "this names a program that is run");
            }
            RoleKind::Unknown => {
                self.named(FileUse::Reads, arg, false, why, state);
                self.out.doubt(arg.shown(), "what this does is not described");
            }
        }
    }

    /// What every call of a command does.
    fn does(&mut self, effects: &[Does], program: &str, parsed: &Parsed<'_>, state: &State) {
        let why = format!("`{program}`");
        for Does { verb, text } in effects {
            let text = &filled(text, program, parsed);
            let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
            let here = Arg::fixed(text.as_ref());
            let target = || parsed.row.map_or("", |row| self_target(&row.operands, parsed));
            let change = |loses_work, reads_only| Change {
                system: first,
                operation: rest,
                target: target(),
                loses_work,
                reads_only,
            };
            match verb {
                Verb::Run => {
                    if first.starts_with("project_") {
                        self.in_project(program, state);
                    }
                    let name = if rest.is_empty() { run_name(parsed) } else { rest.to_owned() };
                    let arguments = parsed.operands.iter().map(|arg| arg.shown().to_owned());
                    let skip = usize::from(rest.is_empty());
                    let words = std::iter::once(name).chain(arguments.skip(skip)).collect();
                    self.out.run(first, words, &why);
                }
                Verb::Network => self.out.network(first, None, rest == "write", false, &why),
                Verb::Observe => self.out.change(change(false, true), &why),
                Verb::Change => self.out.change(change(false, false), &why),
                Verb::Lose => self.out.change(change(true, false), &why),
                Verb::Lists => self.named(FileUse::Lists, &here, false, &why, state),
                Verb::ListsTree => self.named(FileUse::Lists, &here, true, &why, state),
                Verb::ReadsTree => self.tree(FileUse::Reads, &here, &why, state),
                Verb::Writes if text.contains('*') => {
                    self.named(FileUse::Writes, &Arg { text: here.text, shape: Shape::Glob }, false, &why, state);
                }
                Verb::Writes => self.named(FileUse::Writes, &here, false, &why, state),
                Verb::WritesTree => self.named(FileUse::Writes, &here, true, &why, state),
                Verb::DeletesTree => self.named(FileUse::Deletes, &here, true, &why, state),
                Verb::Environment => self.out.environment(text, &why),
                Verb::Unknown => self.out.doubt(program, text),
            }
        }
    }

    /// A file or set of files that an argument names.
    pub(super) fn named(&mut self, usage: FileUse, arg: &Arg, tree: bool, why: &str, state: &State) {
        match &arg.shape {
            Shape::Names(sets) => sets.iter().for_each(|set| self.set(usage, set, tree, why)),
            Shape::Any | Shape::Open(_) => {
                self.out.doubt(arg.shown(), NOT_FIXED);
            }
            Shape::Fixed | Shape::Glob => {
                if arg.text.is_empty() {
                    return;
                }
                let glob = arg.shape == Shape::Glob;
                match self.path(&arg.text, state) {
                    Some((path, pattern)) => {
                        self.file(usage, &path, tree, glob || pattern, why);
                        self.behind_parents(usage, arg, tree, why, state);
                    }
                    None => self.unplaced(usage, arg, tree, glob, why, state),
                }
            }
        }
    }

    /// `..` behind a link: the system goes to the parent of where the link leads.
    fn behind_parents(&mut self, usage: FileUse, arg: &Arg, tree: bool, why: &str, state: &State) {
        let Some(disk) = self.surroundings.disk.filter(|_| arg.shape == Shape::Fixed && arg.text.contains("..")) else {
            return;
        };
        let written = match &state.directory {
            _ if arg.text.starts_with('/') => arg.text.clone(),
            Directory::Known { path, pattern: false } => format!("{path}/{}", arg.text),
            _ => return,
        };
        for real in disk.behind_links(&written) {
            self.placed(usage, &real, tree, false, format!("{why}, behind a link"));
        }
    }

    /// A relative name in a directory that is not known.
    fn unplaced(&mut self, usage: FileUse, arg: &Arg, tree: bool, glob: bool, why: &str, state: &State) {
        let reason = match state.directory {
            Directory::Unknown(reason) => reason,
            Directory::Known { .. } => NOT_FIXED,
        };
        self.out.doubt(arg.shown(), reason);
        let place = FilePlace::Unknown;
        self.out.file(usage, arg.text.clone(), tree, glob, place, why.to_owned());
    }

    /// A path in the directory of a state; true if it is a glob because the directory is one.
    pub(super) fn path(&self, text: &str, state: &State) -> Option<(String, bool)> {
        if text.starts_with(['/', '\u{1}', '\u{2}']) {
            return Some((paths::join("", text), false));
        }
        match &state.directory {
            Directory::Known { path, pattern } => Some((paths::join(path, text), *pattern)),
            Directory::Unknown(_) => None,
        }
    }

    fn set(&mut self, usage: FileUse, set: &Set, tree: bool, why: &str) {
        let widest = match &set.names {
            Some(names) => {
                let narrow = format!("{}/**/{names}", set.path.trim_end_matches('/'));
                self.file(usage, &narrow, tree, true, why);
                !set.exact && matches!(usage, FileUse::Reads | FileUse::Lists)
            }
            None => true,
        };
        if widest {
            self.file(usage, &set.path, set.tree || tree, set.pattern, why);
        }
    }

    /// Files of an absolute path or glob.
    pub(super) fn file(&mut self, usage: FileUse, path: &str, tree: bool, pattern: bool, why: &str) {
        if paths::is_standard(path) {
            return;
        }
        self.placed(usage, path, tree, pattern, why.to_owned());
        if path.starts_with("/dev/tcp/") || path.starts_with("/dev/udp/") {
            let mut parts = path.split('/').skip(3);
            let (host, port) = (parts.next().unwrap_or("?"), parts.next().and_then(|port| port.parse().ok()));
            self.out.network(host, port, true, true, why);
        }
        if tree || pattern {
            self.protected(usage, path, tree, pattern, why);
        }
        let Some(disk) = self.surroundings.disk.filter(|_| !pattern) else { return };
        for real in disk.behind_links(path) {
            self.placed(usage, &real, tree, false, format!("{why}, behind a link"));
        }
    }

    /// Files under each name that policy has for them, with where they lie.
    fn placed(&mut self, usage: FileUse, path: &str, tree: bool, pattern: bool, why: String) {
        let (shown, place) = paths::locate(path, self.surroundings);
        let from_home =
            (place != FilePlace::Repository).then(|| paths::from_home(path, self.surroundings.home)).flatten();
        self.out.file(usage, shown, tree, pattern, place, why.clone());
        if let Some(shown) = from_home {
            self.out.file(usage, shown, tree, pattern, place, why);
        }
    }

    /// The protected files of a set, as far as a search takes them. Their names are shown anyway.
    fn protected(&mut self, usage: FileUse, path: &str, tree: bool, pattern: bool, why: &str) {
        let Some(disk) = self.surroundings.disk.filter(|_| usage != FileUse::Lists) else { return };
        let folder = if pattern { glob::fixed_folder(path) } else { path };
        let Some(files) = disk.protected_below(if folder.is_empty() { "/" } else { folder }) else {
            return self.out.doubt("", "there are too many files to tell whether a protected one is among them");
        };
        let filter = self.filter.clone().unwrap_or_default();
        for file in files {
            let is_meant = !pattern || glob::matches_path(path, &file, tree);
            if is_meant && filter.takes(folder, &file) {
                self.placed(usage, &file, false, false, format!("{why}, below it"));
            }
        }
    }

    /// A file, or a folder with all below.
    pub(super) fn tree(&mut self, usage: FileUse, arg: &Arg, why: &str, state: &State) {
        let tree = match &arg.shape {
            Shape::Fixed => match self.path(&arg.text, state) {
                Some((path, false)) => self.is_folder(&path),
                _ => true,
            },
            Shape::Names(_) => false,
            // The names that a glob with an extension matches are hardly folders.
            Shape::Glob => !has_extension(&arg.text),
            Shape::Open(_) | Shape::Any => true,
        };
        self.named(usage, arg, tree, why, state);
    }

    /// A file, or the files of a folder that a glob names.
    fn below(&mut self, usages: &[FileUse], names: &str, arg: &Arg, why: &str, state: &State) {
        let is_folder = match &arg.shape {
            Shape::Fixed => match self.path(&arg.text, state) {
                Some((path, _)) => self.is_folder(&path),
                None => true,
            },
            _ => false,
        };
        for usage in usages {
            if is_folder {
                let text = format!("{}/{names}", arg.text.trim_end_matches('/'));
                self.named(*usage, &Arg { text, shape: Shape::Glob }, false, why, state);
            } else {
                self.named(*usage, arg, false, why, state);
            }
        }
    }

    /// True for a folder, as far as the disk or else the name says.
    pub(super) fn is_folder(&self, path: &str) -> bool {
        match self.surroundings.disk.and_then(|disk| disk.kind(path)) {
            Some(kind) => kind == FileKind::Directory,
            None => !has_extension(path),
        }
    }

    /// The last operand of a copy: a file, or a folder in which the copies lie.
    pub(super) fn destination(&mut self, sources: &[Arg], arg: &Arg, why: &str, state: &State) {
        let Some(text) = arg.literal() else {
            return self.named(FileUse::Writes, arg, true, why, state);
        };
        let many = sources.len() > 1 || sources.iter().any(|source| source.shape != Shape::Fixed);
        let must = many || text.ends_with('/') || matches!(paths::base_name(text), "." | "..");
        if !must {
            self.named(FileUse::Writes, arg, false, why, state);
        }
        let on_disk = self
            .path(text, state)
            .and_then(|(path, _)| self.surroundings.disk.map(|disk| disk.kind(&path) == Some(FileKind::Directory)));
        let maybe = on_disk.unwrap_or_else(|| !has_extension(text));
        for source in sources.iter().filter(|source| source.shape == Shape::Fixed) {
            let folder = self.path(&source.text, state).is_some_and(|(path, _)| {
                let kind = self.surroundings.disk.map(|disk| disk.kind(&path));
                kind.map_or_else(|| source.text.ends_with(['/', '.']), |kind| kind == Some(FileKind::Directory))
            });
            if folder {
                // Whatever lies in it lies there then.
                self.named(FileUse::Writes, arg, true, why, state);
            }
        }
        if must || maybe {
            for source in sources {
                match (&source.shape, source.text.as_str()) {
                    (Shape::Fixed | Shape::Glob, name) => {
                        let name = paths::base_name(name);
                        let joined = format!("{}/{name}", text.trim_end_matches('/'));
                        let inside = Arg { text: joined, shape: source.shape.clone() };
                        self.named(FileUse::Writes, &inside, false, why, state);
                    }
                    _ => self.named(FileUse::Writes, arg, true, why, state),
                }
            }
        }
    }

    /// A text that is sent: `@file` is the file's content.
    pub(super) fn data(&mut self, arg: &Arg, why: &str, state: &State) {
        if let Some(file) = arg.text.strip_prefix('@') {
            let inner = arg.behind(arg.text.len() - file.len());
            if inner.literal() != Some("-") {
                self.named(FileUse::Reads, &inner, false, why, state);
            }
        } else if arg.text.is_empty() && arg.literal().is_none() {
            self.out.doubt(arg.shown(), "this may name a file whose content is sent");
        }
    }

    /// A text that may be a path: if it leads out of the repository, what is run there is not code of the project.
    fn project(&mut self, arg: &Arg, state: &State) {
        let may_leave = arg.text.starts_with(['/', '\u{2}']) || arg.text.contains("..");
        if may_leave && !arg.text.contains("...") && !self.is_inside(arg, state) {
            self.out.doubt(arg.shown(), "code that does not lie in the repository");
        }
    }

    /// Code of the project is what lies in the repository.
    pub(super) fn in_project(&mut self, word: &str, state: &State) {
        if !self.is_inside(&Arg::fixed("."), state) {
            self.out.doubt(word, "code that does not lie in the repository");
        }
    }

    fn is_inside(&self, arg: &Arg, state: &State) -> bool {
        match self.path(&arg.text, state) {
            Some((path, false)) => paths::locate(&path, self.surroundings).1 == FilePlace::Repository,
            _ => false,
        }
    }

    /// A file that is run, with its arguments.
    pub(super) fn script(&mut self, arg: &Arg, arguments: &[Arg], why: &str, state: &State) {
        let words = std::iter::once(self.shown_path(arg, state));
        let words = words.chain(arguments.iter().map(|arg| arg.shown().to_owned())).collect();
        self.out.run("script", words, why);
        let place = match (&arg.shape, self.path(&arg.text, state)) {
            (Shape::Fixed, Some((path, false))) => Some(paths::locate(&path, self.surroundings).1),
            _ => None,
        };
        if place != Some(FilePlace::Repository) {
            self.out.doubt(arg.shown(), "a script that does not lie in the repository");
        }
    }

    /// A path as policies see it, or the text if it has none.
    pub(super) fn shown_path(&self, arg: &Arg, state: &State) -> String {
        match self.path(&arg.text, state) {
            Some((path, _)) if arg.literal().is_some() => paths::locate(&path, self.surroundings).0,
            _ => arg.shown().to_owned(),
        }
    }
}

/// The words of an effect, with what they leave open.
fn filled<'t>(text: &'t str, program: &str, parsed: &Parsed<'_>) -> Cow<'t, str> {
    if !text.contains('{') {
        return Cow::Borrowed(text);
    }
    let operands: Vec<&str> = parsed.operands.iter().take(2).map(Arg::shown).collect();
    let text = text
        .replace("{program}", program)
        .replace("{sub}", parsed.subcommands.last().map_or("", String::as_str))
        .replace("{path}", &parsed.subcommands.join(" "))
        .replace("{operands}", &operands.join(" "))
        .replace("{operand}", operands.first().copied().unwrap_or_default());
    Cow::Owned(text)
}

/// The operand that a change is about.
fn self_target<'p>(specified: &[Operand], parsed: &'p Parsed<'_>) -> &'p str {
    let at = specified.iter().position(|operand| operand.role.kind == RoleKind::Target);
    at.and_then(|at| parsed.operands.get(at)).map_or("", |arg| arg.text.as_str())
}

/// The name of what is run: the first operand, else the subcommand.
fn run_name(parsed: &Parsed<'_>) -> String {
    let first = parsed.operands.first().map(|arg| arg.shown().to_owned());
    first.or_else(|| parsed.subcommands.last().cloned()).unwrap_or_default()
}

/// An option's key with its dashes.
pub(super) fn dashed(key: &str) -> String {
    if key.starts_with('-') { key.to_owned() } else { format!("-{key}") }
}

/// True for a name such as `a.txt`, which is hardly a folder's.
pub(super) fn has_extension(path: &str) -> bool {
    let name = paths::base_name(path);
    name.rfind('.').is_some_and(|at| at > 0 && at + 1 < name.len())
}

/// The names that a template may become.
fn any_letters(template: &Arg) -> Arg {
    let fixed = template.text.trim_end_matches('X');
    match (&template.shape, template.text.len() - fixed.len()) {
        (Shape::Fixed, 1..) if !fixed.contains(['*', '?', '[', '\\']) => {
            let letters = "?".repeat(template.text.len() - fixed.len());
            Arg { text: format!("{fixed}{letters}"), shape: Shape::Glob }
        }
        _ => template.clone(),
    }
}
