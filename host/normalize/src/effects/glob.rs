//! Globs for single names: `*`, `?`, `[…]`, and one level of `{a,b}`.

/// True if a name matches a glob. Work is linear in the name for each `*`.
pub(super) fn matches(glob: &str, name: &str) -> bool {
    if let (Some(open), Some(close)) = (glob.find('{'), glob.find('}'))
        && let (Some(before), Some(inside), Some(after)) =
            (glob.get(..open), glob.get(open + 1..close), glob.get(close + 1..))
    {
        return inside.split(',').any(|member| plain(&format!("{before}{member}{after}"), name));
    }
    plain(glob, name)
}

/// The folder in front of the first wildcard of a path.
pub(super) fn fixed_folder(glob: &str) -> &str {
    let fixed = glob.get(..glob.find(['*', '?', '[']).unwrap_or(glob.len())).unwrap_or_default();
    fixed.get(..fixed.rfind('/').unwrap_or(0)).unwrap_or_default()
}

/// True if a path matches a glob as a whole, or, with `tree`, lies below one that does. `*` does not match a name that
/// begins with a dot, as in the shell, unless the glob holds `**`, which stands for any number of folders.
pub(super) fn matches_path(glob: &str, path: &str, tree: bool) -> bool {
    let glob: Vec<&str> = glob.split('/').filter(|segment| !segment.is_empty()).collect();
    let path: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let hides = !glob.contains(&"**");
    // So many open ends may be anything.
    if glob.iter().filter(|segment| **segment == "**").count() > 3 {
        return true;
    }
    segments(&glob, &path, tree, hides)
}

fn segments(glob: &[&str], path: &[&str], tree: bool, hides: bool) -> bool {
    match (glob.split_first(), path.split_first()) {
        (None, None) => true,
        (None, Some(_)) => tree,
        (Some((&"**", rest)), _) => {
            (0..=path.len()).any(|skip| segments(rest, path.get(skip..).unwrap_or_default(), tree, hides))
        }
        (Some((first, rest)), Some((name, below))) => {
            let shown = !hides || !name.starts_with('.') || first.starts_with('.');
            shown && matches(first, name) && segments(rest, below, tree, hides)
        }
        (Some(_), None) => false,
    }
}

fn plain(glob: &str, name: &str) -> bool {
    let glob: Vec<char> = glob.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = name.get(read) {
        let step = match glob.get(at) {
            Some('*') => {
                star = Some((at + 1, read));
                at += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => class(glob.get(at..).unwrap_or_default(), *c),
            Some(known) if known == c => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(step), _) => {
                at += step;
                read += 1;
            }
            (None, Some((behind, start))) => {
                at = behind;
                read = start + 1;
                star = Some((behind, start + 1));
            }
            (None, None) => return false,
        }
    }
    glob.get(at..).unwrap_or_default().iter().all(|c| *c == '*')
}

/// The length of a class in brackets, if a character is in it.
fn class(glob: &[char], c: char) -> Option<usize> {
    let close = glob.iter().skip(2).position(|c| *c == ']')? + 2;
    let inside = glob.get(1..close)?;
    let (negated, inside) = match inside.split_first() {
        Some(('!' | '^', rest)) => (true, rest),
        _ => (false, inside),
    };
    let mut found = false;
    let mut at = 0;
    while let Some(first) = inside.get(at) {
        match (inside.get(at + 1), inside.get(at + 2)) {
            (Some('-'), Some(last)) => {
                found |= (*first..=*last).contains(&c);
                at += 3;
            }
            _ => {
                found |= *first == c;
                at += 1;
            }
        }
    }
    (found != negated).then_some(close + 1)
}
