//! What lies below a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::guard::Protection;
use crate::links::real_path;

/// Entries that are looked at, and how long that may take: a search by an agent is waited for.
const MOST_ENTRIES: usize = 100_000;
const MOST_TIME: Duration = Duration::from_millis(250);

/// Protected files that are named, of those that may not be read and of those that may not be written each. More of them
/// would not change an answer.
const MOST_NAMED: usize = 32;

/// The protected files below a folder, those that may not be read first. `None` if there are too many entries to tell.
///
/// Links are not followed, as recursive programs do not, but each counts as what it leads to. What git keeps packed in its
/// `objects` is no file of anybody's.
pub(crate) fn protected(folder: &Path, protection: impl Fn(&Path) -> Option<Protection>) -> Option<Vec<String>> {
    let began = Instant::now();
    let (mut unreadable, mut unwritable) = (Vec::new(), Vec::new());
    let mut waiting = vec![folder.to_owned()];
    let mut entries = 0;
    while let Some(folder) = waiting.pop() {
        // What cannot be listed cannot be read by the command either.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            entries += 1;
            if entries > MOST_ENTRIES || (entries % 256 == 0 && began.elapsed() > MOST_TIME) {
                return None;
            }
            let path = entry.path();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                if !is_packed(&path) {
                    waiting.push(path);
                }
                continue;
            }
            let behind = if kind.is_symlink() { real_path(&path) } else { None };
            let all = [Some(&path), behind.as_ref()].into_iter().flatten();
            match all.filter_map(|path| protection(path)).min_by_key(|protection| *protection == Protection::Write) {
                Some(Protection::Read) => unreadable.push(path),
                Some(Protection::Write) if unwritable.len() < MOST_NAMED && !is_of_git(&path) => unwritable.push(path),
                _ => {}
            }
            if unreadable.len() == MOST_NAMED {
                return Some(texts(unreadable));
            }
        }
    }
    unreadable.append(&mut unwritable);
    Some(texts(unreadable))
}

fn is_packed(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name == "objects")
        && folder.parent().and_then(Path::file_name).is_some_and(|name| name == ".git")
}

/// Git's own files are protected as a whole: their folder is named where it matters.
fn is_of_git(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == ".git")
}

fn texts(paths: Vec<PathBuf>) -> Vec<String> {
    paths.into_iter().map(|path| path.to_string_lossy().into_owned()).collect()
}

/// The file system takes names that differ only in case for the same: the folder is found under another spelling.
pub(crate) fn ignores_case(folder: &Path) -> bool {
    let Some(name) = folder.file_name().and_then(|name| name.to_str()) else { return false };
    let upper = name.to_uppercase();
    let other = if upper == name { name.to_lowercase() } else { upper };
    if other == name {
        return false;
    }
    let same = |left: fs::Metadata, right: fs::Metadata| {
        use std::os::unix::fs::MetadataExt as _;
        (left.dev(), left.ino()) == (right.dev(), right.ino())
    };
    match (fs::metadata(folder), fs::metadata(folder.with_file_name(other))) {
        (Ok(one), Ok(other)) => same(one, other),
        _ => false,
    }
}
