//! Paths without links and dots.

use std::ffi::OsStr;
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
    let mut path = path.to_owned();
    for _ in 0..=MOST_LINKS {
        match step(&path)? {
            Step::Arrived(real) => return Some(real),
            Step::Link(target) => path = target,
        }
    }
    None
}

/// One step towards the file: the real path, if no link to nothing is in the way.
enum Step {
    Arrived(PathBuf),
    Link(PathBuf),
}

fn step(path: &Path) -> Option<Step> {
    // Names of what does not exist, last first.
    let mut rest = Vec::new();
    let behind = |mut found: PathBuf, rest: &[&OsStr]| {
        found.extend(rest.iter().rev());
        found
    };
    for above in path.ancestors() {
        if let Ok(real) = above.canonicalize() {
            return Some(Step::Arrived(behind(real, &rest)));
        }
        if let Ok(target) = fs::read_link(above) {
            return Some(Step::Link(behind(cleaned(&above.parent()?.join(target)), &rest)));
        }
        rest.push(above.file_name()?);
    }
    None
}
