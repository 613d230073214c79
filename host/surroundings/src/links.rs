//! Paths without links and dots.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Links that are followed one after the other; the system gives up at forty as well.
const MOST_LINKS: usize = 40;

/// The path without `.` and `..`, as far as its text tells.
#[must_use]
pub fn cleaned(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                cleaned.pop();
            }
            part => cleaned.push(part),
        }
    }
    cleaned
}

/// The file that opening the path would open or create: behind all links, those to nothing included. `None` if that
/// cannot be told, as in a circle of links.
#[must_use]
pub fn real_path(path: &Path) -> Option<PathBuf> {
    follow(path, MOST_LINKS)
}

fn follow(path: &Path, links: usize) -> Option<PathBuf> {
    if let Ok(real) = path.canonicalize() {
        return Some(real);
    }
    let parent = path.parent()?;
    if let Ok(target) = fs::read_link(path) {
        return follow(&cleaned(&parent.join(target)), links.checked_sub(1)?);
    }
    let name = path.file_name()?;
    Some(follow(parent, links.checked_sub(1)?)?.join(name))
}
