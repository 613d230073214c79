//! Names of files: joined with a directory, cleaned, and told where they lie.
//!
//! Inside the stage every path begins with `/` or with a marker: [`REPOSITORY`] for the root of a repository of which
//! nothing more is known, [`HOME`] for the home directory of an unknown user.

use cavra_model::FilePlace;

use crate::Surroundings;

/// The root of the repository, where it is not known.
pub(super) const REPOSITORY: &str = "\u{1}";

/// The user's home directory, where it is not known.
pub(super) const HOME: &str = "\u{2}";

/// Folders for temporary files that every system has.
const TEMPORARY: [&str; 4] = ["/tmp", "/var/tmp", "/private/tmp", "/private/var/tmp"];

/// Folders of home directories.
const HOMES: [&str; 3] = ["/home", "/Users", "/root"];

/// Folders of the operating system.
const SYSTEM: [&str; 20] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix",
    "/opt",
    "/proc",
    "/run",
    "/sbin",
    "/snap",
    "/sys",
    "/usr",
    "/var",
    "/Applications",
    "/Library",
    "/System",
    "/private",
];

/// Files that are no files.
const STANDARD_FILES: [&str; 8] =
    ["/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/zero", "/dev/urandom", "/dev/random"];

/// True for a file that holds nothing.
pub(super) fn is_standard(path: &str) -> bool {
    STANDARD_FILES.contains(&path) || path.starts_with("/dev/fd/")
}

/// A path in a directory, clean. Both begin with `/` or a marker; a path that does is taken as it is.
pub(super) fn join(directory: &str, path: &str) -> String {
    let absolute = path.starts_with(['/', '\u{1}', '\u{2}']);
    let mut kept: Vec<&str> = Vec::with_capacity(16);
    let directory = if absolute { "" } else { directory };
    for segment in directory.split('/').chain(path.split('/')) {
        match segment {
            "" | "." => {}
            ".." => match kept.last() {
                Some(&last) if last != ".." && last != REPOSITORY && last != HOME => {
                    kept.pop();
                }
                Some(_) => kept.push(".."),
                None => {}
            },
            name => kept.push(name),
        }
    }
    match kept.first() {
        Some(first) if *first == REPOSITORY || *first == HOME => kept.join("/"),
        _ => format!("/{}", kept.join("/")),
    }
}

/// What is behind a folder's name in a path below it; empty for the folder itself.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let folder = folder.trim_end_matches('/');
    let rest = path.strip_prefix(folder)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

/// The directory a command line starts in.
pub(super) fn start(surroundings: &Surroundings<'_>) -> String {
    if surroundings.directory.is_empty() {
        surroundings.roots.first().map_or_else(|| REPOSITORY.to_owned(), |root| join("", root))
    } else if surroundings.directory.starts_with('/') {
        join("", surroundings.directory)
    } else {
        join(&root(surroundings), surroundings.directory)
    }
}

/// The root of the repository.
pub(super) fn root(surroundings: &Surroundings<'_>) -> String {
    surroundings.roots.first().map_or_else(|| REPOSITORY.to_owned(), |root| join("", root))
}

/// The home directory.
pub(super) fn home(surroundings: &Surroundings<'_>) -> String {
    if surroundings.home.is_empty() { HOME.to_owned() } else { join("", surroundings.home) }
}

/// A path as policies see it, and where it lies.
pub(super) fn locate(path: &str, surroundings: &Surroundings<'_>) -> (String, FilePlace) {
    let named = |rest: &str| if rest.is_empty() { ".".to_owned() } else { rest.to_owned() };
    if let Some(rest) = below(path, REPOSITORY) {
        let outside = rest == ".." || rest.starts_with("../");
        return (named(rest), if outside { FilePlace::Elsewhere } else { FilePlace::Repository });
    }
    if let Some(rest) = below(path, HOME) {
        let place = if rest.starts_with("..") { FilePlace::Elsewhere } else { FilePlace::Home };
        return (if rest.is_empty() { "~".to_owned() } else { format!("~/{rest}") }, place);
    }
    // The innermost of several roots counts.
    let inside = surroundings.roots.iter().filter(|root| root.len() > 1).filter_map(|root| below(path, root));
    if let Some(rest) = inside.min_by_key(|rest| rest.len()) {
        return (named(rest), FilePlace::Repository);
    }
    let is_below = |folder: &&str| below(path, folder).is_some();
    let temporary =
        surroundings.temporary.iter().map(String::as_str).chain(TEMPORARY).filter(is_below).map(str::len).max();
    // Of a home directory and a folder for temporary files the inner one counts.
    let of_user =
        Some(surroundings.home).filter(|home| home.len() > 1 && is_below(home) && temporary < Some(home.len()));
    let place = if of_user.is_some() {
        FilePlace::Home
    } else if temporary.is_some() {
        FilePlace::Temporary
    } else if HOMES.iter().any(is_below) {
        FilePlace::Home
    } else if SYSTEM.iter().any(is_below) {
        FilePlace::System
    } else {
        FilePlace::Elsewhere
    };
    (path.to_owned(), place)
}

/// The path as it is written from the home directory, for one that does not lie where rules look for it: `~/x` of
/// `/data/ada/x`. Those below `/home`, `/Users` and `/root` they tell by the text.
#[must_use]
pub fn from_home(path: &str, home: &str) -> Option<String> {
    if HOMES.iter().any(|folder| below(path, folder).is_some()) {
        return None;
    }
    let rest = Some(home).filter(|home| home.len() > 1).and_then(|home| below(path, home))?;
    Some(if rest.is_empty() { "~".to_owned() } else { format!("~/{rest}") })
}

/// The last segment of a path.
pub(super) fn base_name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}
