//! Lexical clean-up of paths. docs/reference/decisions-and-policy.md, section 2.3.

use crate::Refusal;

/// Collapses `.`, `..`, doubled and trailing separators; a backslash is a separator too.
///
/// An absolute path stays absolute and cannot climb above `/`; a relative path that climbs above its start keeps its
/// leading `..`. A path of which nothing is left is `.`. Links are not followed: nothing here touches the disk.
///
/// # Errors
/// [`Refusal::EmptyPath`] for the empty text, [`Refusal::PathControl`] for a NUL, a newline or a carriage return.
pub fn clean_path(path: &str) -> Result<String, Refusal> {
    if path.is_empty() {
        return Err(Refusal::EmptyPath);
    }
    if path.contains(['\0', '\n', '\r']) {
        return Err(Refusal::PathControl);
    }
    let absolute = path.starts_with(['/', '\\']);
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => match kept.last() {
                Some(&last) if last != ".." => {
                    kept.pop();
                }
                _ if absolute => {}
                _ => kept.push(".."),
            },
            name => kept.push(name),
        }
    }
    let joined = kept.join("/");
    Ok(match (absolute, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    })
}
