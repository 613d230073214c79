//! Which deployment target an endpoint belongs to. Vendors know groups, tags and labels; the target's id is written into
//! one of them, or mapped from it.

use std::collections::{BTreeMap, BTreeSet};

/// Longest id of a deployment target, in characters.
const ID_LIMIT: usize = 128;

/// What stands behind `prefix` and one of `:`, `/`, `=`, at the end of a text that begins with the prefix or has it behind
/// a slash: `FalconGroupingTags/cavra-target/mac-ring-a`. The prefix's case does not matter.
pub fn tail<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let starts = std::iter::once(0).chain(text.match_indices('/').map(|(at, slash)| at + slash.len()));
    starts.filter_map(|start| text.get(start..)).find_map(|rest| {
        let head = rest.get(..prefix.len())?;
        let value = rest.get(prefix.len()..)?.strip_prefix([':', '/', '='])?;
        (head.eq_ignore_ascii_case(prefix) && is_id(value)).then_some(value)
    })
}

/// Whether a text can be the id of a target.
pub fn is_id(text: &str) -> bool {
    (1..=ID_LIMIT).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// The target that texts of a vendor mean.
#[derive(Debug, PartialEq, Eq)]
pub enum Meant {
    /// None of them means one.
    None,
    /// This one.
    One(String),
    /// Several, which contradict each other.
    Several(Vec<String>),
}

/// The target that `texts` mean: an id written as `cavra-target:ID`, else what `map` says.
pub fn meant<'a>(texts: impl Iterator<Item = &'a str> + Clone, map: &BTreeMap<String, String>) -> Meant {
    let written: BTreeSet<_> = texts.clone().filter_map(|text| tail(text, "cavra-target")).collect();
    let found =
        if written.is_empty() { texts.filter_map(|text| map.get(text).map(String::as_str)).collect() } else { written };
    match found.len() {
        0 => Meant::None,
        1 => Meant::One(found.into_iter().collect()),
        _ => Meant::Several(found.into_iter().map(ToOwned::to_owned).collect()),
    }
}
