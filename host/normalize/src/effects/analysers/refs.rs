//! Revisions and paths, as git tells them apart.

use crate::effects::Engine;
use crate::effects::paths;
use crate::effects::state::State;
use crate::effects::words::{Arg, Shape};

/// What an operand of git is.
pub(super) enum Operand {
    /// A revision or a range of them.
    Revision,
    /// A path of the work tree.
    Path(Arg),
    /// A path in a revision, from the root of the repository.
    Inside(Arg),
    /// A pathspec that takes files away.
    Excluded,
}

impl Engine<'_> {
    /// What an operand in front of `--` is.
    pub(super) fn operand_of_git(&self, arg: &Arg, state: &State) -> Operand {
        let text = arg.text.as_str();
        if arg.literal().is_none() && arg.shape != Shape::Glob {
            return Operand::Revision;
        }
        if text.starts_with(":!") || text.starts_with(":^") {
            return Operand::Excluded;
        }
        // The index: `:path` and `:0:path`.
        if let Some(path) = text.strip_prefix(':').filter(|path| !path.starts_with(['/', '('])) {
            let path = path.split_once(':').map_or(path, |(_, path)| path);
            return Operand::Inside(Arg { text: path.to_owned(), shape: arg.shape.clone() });
        }
        if text.starts_with(":(") || text.starts_with(":/") {
            return self.pathspec(arg).map_or(Operand::Excluded, Operand::Path);
        }
        if let Some((revision, path)) = text.split_once(':')
            && !path.is_empty()
            && !(path.starts_with("//") || revision.is_empty())
        {
            return Operand::Inside(Arg { text: path.to_owned(), shape: arg.shape.clone() });
        }
        let on_disk = || {
            let (path, _) = self.path(text, state)?;
            self.surroundings.disk?.kind(&path)
        };
        if arg.shape == Shape::Glob || looks_like_path(text) || on_disk().is_some() {
            Operand::Path(pathspec(arg))
        } else {
            Operand::Revision
        }
    }

    /// The path that `REV:path` names.
    pub(super) fn inside(&self, arg: &Arg, state: &State) -> Arg {
        let root = paths::root(self.surroundings);
        let is_own = self
            .path(".", state)
            .is_some_and(|(here, _)| paths::join(&here, "") == root || here.starts_with(&format!("{root}/")));
        if is_own && !arg.text.starts_with("./") {
            Arg { text: format!("{root}/{}", arg.text), shape: arg.shape.clone() }
        } else {
            arg.clone()
        }
    }
}

impl Engine<'_> {
    /// The path of a pathspec behind `--`; nothing for one that takes files away.
    pub(super) fn pathspec(&self, arg: &Arg) -> Option<Arg> {
        let text = arg.text.as_str();
        if text.starts_with(":!") || text.starts_with(":^") || text.starts_with(":(exclude)") {
            return None;
        }
        let top =
            |path: &str| Arg { text: format!("{}/{path}", paths::root(self.surroundings)), shape: arg.shape.clone() };
        if let Some(path) = text.strip_prefix(":/") {
            return Some(pathspec(&top(path)));
        }
        match text.strip_prefix(":(").and_then(|rest| rest.split_once(')')) {
            Some((magic, path)) if magic.contains("top") => Some(pathspec(&top(path))),
            Some((_, path)) => Some(pathspec(&Arg { text: path.to_owned(), shape: arg.shape.clone() })),
            None => Some(pathspec(arg)),
        }
    }
}

/// A pathspec: git takes wildcards in it although they are quoted.
pub(super) fn pathspec(arg: &Arg) -> Arg {
    let is_glob = arg.shape == Shape::Fixed && arg.text.contains(['*', '?', '[']);
    if is_glob { Arg { text: arg.text.clone(), shape: Shape::Glob } } else { arg.clone() }
}

/// True for a text that can hardly be a revision.
fn looks_like_path(text: &str) -> bool {
    if text.contains("..") && !text.starts_with("../") && !text.contains("/../") {
        return false;
    }
    if text.contains(['~', '^', '@']) {
        return text.starts_with("~/");
    }
    let name = paths::base_name(text);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let has_extension = extension.starts_with(|c: char| c.is_ascii_alphabetic())
        && extension.len() <= 12
        && extension.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    has_extension || name.starts_with('.') || text.ends_with('/') || text.starts_with(['/', '\u{1}', '\u{2}'])
}
