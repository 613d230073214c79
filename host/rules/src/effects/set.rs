//! Sets of files, trees and globs, against patterns of rules.

use crate::action::FileEffect;
use crate::matcher::matches;
use crate::paths;

/// Whether every file of the effect matches the pattern.
///
/// The characters of a glob that stand for others are taken as they are: the pattern's literals match none of them, so
/// they fall to its `*`, which matches whatever they stand for.
pub(crate) fn is_within(effect: &FileEffect<'_>, pattern: &str) -> bool {
    if effect.pattern && pattern.contains(['?', '[', '{', '\\']) {
        return false;
    }
    forms(effect.path).any(|path| {
        if effect.tree {
            // All that lies below matches if the pattern ends in `*`; so does the folder's own name.
            pattern.ends_with('*') && matches(pattern, &[&path, "/"].concat())
        } else {
            matches(pattern, &path)
        }
    })
}

/// Whether a file of the effect matches the pattern without a doubt: the file itself, the folder that a tree begins with,
/// all that a tree holds, what it holds if the pattern begins with its path, and a name that a glob spells out.
pub(crate) fn certainly_meets(effect: &FileEffect<'_>, pattern: &str) -> bool {
    forms(effect.path).any(|path| {
        matches(pattern, &path)
            || (effect.tree && (matches(pattern, &[&path, "/"].concat()) || begins_below(pattern, &path)))
            || (effect.pattern && glob_names(&path, pattern))
    })
}

/// The same of an effect that was looked up on a disk, where what lies below a folder has effects of its own.
pub(crate) fn named_meets(effect: &FileEffect<'_>, pattern: &str) -> bool {
    forms(effect.path).any(|path| matches(pattern, &path) || (effect.pattern && glob_names(&path, pattern)))
}

/// Whether some file of the effect may match the pattern.
pub(crate) fn may_meet(effect: &FileEffect<'_>, pattern: &str) -> bool {
    if !(effect.tree || effect.pattern) {
        return forms(effect.path).any(|path| matches(pattern, &path));
    }
    forms(effect.path).any(|path| Overlap::new(&path, effect.tree, pattern).exists())
}

/// The path, and its other spelling from the home directory.
fn forms(path: &str) -> impl Iterator<Item = String> {
    [Some(path.to_owned()), paths::from_home(path)].into_iter().flatten()
}

/// The pattern's fixed beginning lies in the tree: `deploy/*` and `deploy/a.yaml` below `deploy`.
fn begins_below(pattern: &str, tree: &str) -> bool {
    if tree == "." || tree.is_empty() {
        return !pattern.starts_with(['*', '/', '~']);
    }
    let below = if tree == "/" { Some(pattern) } else { pattern.strip_prefix(tree) };
    below.is_some_and(|below| below.starts_with('/') && below.len() > 1)
}

/// A glob that is written for a name the pattern spells out: it begins as the name does (`.e*` for `**/.env`), or holds all
/// of it (`*.env*`). One that merely may match it, as `*` or `*.json` does, is not.
fn glob_names(glob: &str, pattern: &str) -> bool {
    let name = pattern.rsplit('/').next().unwrap_or(pattern);
    let last = glob.rsplit('/').next().unwrap_or(glob);
    if name.is_empty() || name.contains('*') {
        return false;
    }
    let begin = last.split(['*', '?', '[']).next().unwrap_or_default();
    let begins_alike = begin.len() >= 2 && name.starts_with(begin);
    if last.contains(name) && last.trim_matches('*') == name {
        return true;
    }
    begins_alike && Overlap::new(glob, false, pattern).exists()
}

/// A character of a glob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wild {
    Literal(u8),
    /// `?`, or a bracket with what it may hold left aside.
    One,
    /// `*`: no `/`, and no dot at the beginning of a name.
    Name,
    /// `**`, and everything below a tree.
    Any,
}

/// Do a glob and a pattern of rules share a name? All pairs of places in both are tried, each once.
struct Overlap<'p> {
    glob: Vec<Wild>,
    pattern: &'p [u8],
    seen: Vec<bool>,
}

impl<'p> Overlap<'p> {
    fn new(glob: &str, tree: bool, pattern: &'p str) -> Self {
        let glob = match (tree, glob) {
            (false, glob) => wilds(glob),
            (true, "" | ".") => vec![Wild::Any],
            (true, folder) => {
                let mut below = wilds(folder.trim_end_matches('/'));
                below.extend([Wild::Literal(b'/'), Wild::Any]);
                below
            }
        };
        let seen = vec![false; (glob.len() + 1) * (pattern.len() + 1)];
        Self { glob, pattern: pattern.as_bytes(), seen }
    }

    fn exists(mut self) -> bool {
        let mut waiting = vec![(0, 0)];
        while let Some((glob, pattern)) = waiting.pop() {
            if glob == self.glob.len() && pattern == self.pattern.len() {
                return true;
            }
            let place = glob * (self.pattern.len() + 1) + pattern;
            match self.seen.get_mut(place) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            self.follow(glob, pattern, &mut waiting);
        }
        false
    }

    /// The pairs that one more character, or the end of what stands for any, leads to.
    fn follow(&self, glob: usize, pattern: usize, waiting: &mut Vec<(usize, usize)>) {
        let wild = self.glob.get(glob).copied();
        let literal = self.pattern.get(pattern).copied();
        if literal == Some(b'*') {
            waiting.push((glob, pattern + 1));
            if self.opens_folders(pattern) {
                waiting.push((glob, pattern + 3));
            }
            // The star takes a character of the glob, whatever that is.
            match wild {
                Some(Wild::Literal(_) | Wild::One) => waiting.push((glob + 1, pattern)),
                Some(Wild::Name | Wild::Any) => waiting.push((glob + 1, pattern)),
                None => {}
            }
            return;
        }
        match (wild, literal) {
            (Some(Wild::Name | Wild::Any), None) => waiting.push((glob + 1, pattern)),
            (Some(Wild::Literal(one)), Some(other)) if one == other => waiting.push((glob + 1, pattern + 1)),
            (Some(Wild::One), Some(other)) if self.may_stand_for(glob, other) => waiting.push((glob + 1, pattern + 1)),
            (Some(Wild::Name), Some(other)) => {
                waiting.push((glob + 1, pattern));
                if self.may_stand_for(glob, other) {
                    waiting.push((glob, pattern + 1));
                }
            }
            (Some(Wild::Any), Some(_)) => waiting.extend([(glob + 1, pattern), (glob, pattern + 1)]),
            _ => {}
        }
    }

    /// `**/` where it stands for no folder at all.
    fn opens_folders(&self, pattern: usize) -> bool {
        let before = pattern.checked_sub(1).and_then(|before| self.pattern.get(before));
        before.is_none_or(|before| *before == b'/')
            && self.pattern.get(pattern..).is_some_and(|rest| rest.starts_with(b"**/"))
    }

    fn may_stand_for(&self, glob: usize, byte: u8) -> bool {
        let before = glob.checked_sub(1).and_then(|before| self.glob.get(before));
        let begins_name = before.is_none_or(|before| *before == Wild::Literal(b'/'));
        byte != b'/' && !(byte == b'.' && begins_name)
    }
}

/// The characters of a glob.
fn wilds(glob: &str) -> Vec<Wild> {
    let mut wilds = Vec::with_capacity(glob.len());
    let mut bytes = glob.bytes().peekable();
    while let Some(byte) = bytes.next() {
        wilds.push(match byte {
            b'*' if bytes.peek() == Some(&b'*') => {
                bytes.next();
                Wild::Any
            }
            b'*' => Wild::Name,
            b'?' => Wild::One,
            b'[' => {
                // The first character may be the closing bracket itself.
                bytes.next();
                let closed = bytes.by_ref().any(|byte| byte == b']');
                if closed { Wild::One } else { Wild::Any }
            }
            byte => Wild::Literal(byte),
        });
    }
    wilds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{FileUse, Place};

    fn effect(path: &str, tree: bool, pattern: bool) -> FileEffect<'_> {
        FileEffect { part: 0, used: FileUse::Reads, path, tree, pattern, place: Place::Repository, why: "" }
    }

    #[test]
    fn what_lies_within() {
        let tree = |path| effect(path, true, false);
        let glob = |path| effect(path, false, true);
        let file = |path| effect(path, false, false);
        for (inner, pattern, expected) in [
            (tree("dist"), "**/dist/*", true),
            (tree("a/dist/web"), "**/dist/*", true),
            (tree("dist"), "**/dist", false),
            (tree("distant"), "**/dist/*", false),
            (tree("."), "**/dist/*", false),
            (glob("dist/*.js"), "**/dist/*", true),
            (glob("**/*.pyc"), "*.pyc", true),
            (glob("**/*.pyc"), "**/*.pyc", true),
            (glob("*.py?"), "*.pyc", false),
            (glob("d*/x"), "**/dist/*", false),
            (file("dist/a"), "**/dist/*", true),
            (file("/home/ada/x"), "~/*", true),
        ] {
            assert_eq!(is_within(&inner, pattern), expected, "{inner:?} {pattern}");
        }
    }

    #[test]
    fn what_globs_and_trees_may_hold() {
        let tree = |path| effect(path, true, false);
        let glob = |path| effect(path, false, true);
        for (outer, pattern, may, certain) in [
            (glob(".e*"), "**/.env", true, true),
            (glob(".en[v]"), "**/.env", true, true),
            (glob("*"), "**/.env", false, false),
            (glob("*"), "**/id_rsa", true, false),
            (glob("id*"), "**/id_rsa", true, true),
            (glob("src/**/*.json"), "**/credentials.json", true, false),
            (glob("cred*.json"), "**/credentials.json", true, true),
            (tree(".claude"), "**/.claude/*", true, true),
            (tree("a/.claude/hooks"), "**/.claude/*", true, true),
            (tree("dist"), "**/.claude/*", true, false),
            (glob("src/*.ts"), "**/secrets.*", true, false),
            (glob("src/*.ts"), "*.pem", false, false),
            (glob("src/*.ts"), "**/security/*", false, false),
            (glob("src/**/*.ts"), "**/security/*", true, false),
            (tree("src"), "**/.env", true, false),
            (tree("src"), "deploy/*", false, false),
            (tree("deploy"), "deploy/*", true, true),
            (tree("deploy"), "deploy/eu/*.yml", true, true),
            (tree("."), "deploy/*", true, true),
            (tree("/"), "/etc/*", true, true),
            (tree(".git"), "**/.git", true, true),
        ] {
            assert_eq!(may_meet(&outer, pattern) || matches(pattern, outer.path), may, "{outer:?} {pattern}");
            assert_eq!(certainly_meets(&outer, pattern), certain, "{outer:?} {pattern}");
        }
    }
}
