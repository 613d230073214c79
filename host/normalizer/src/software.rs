//! What a vendor's record says of cavra in its own places: lists of software, attributes and tags.

use std::borrow::Cow;

use cavra_json::{Members, Node};

use crate::path::{first, member, says_something, values};
use crate::target::tail;
use crate::vendors::{Software, Vendor};

/// Facts found in a vendor's places, most telling first.
#[derive(Debug, Default)]
pub struct Found<'a> {
    /// Versions of the runtime.
    pub versions: Vec<Node<'a>>,
    /// Digests of its binary.
    pub digests: Vec<Node<'a>>,
    /// Deployment targets, as an attribute names them.
    pub targets: Vec<String>,
}

/// Everything that the lists, attributes and tags of a record say.
pub fn find<'a>(record: &'a Members<'a>, vendor: &Vendor) -> Found<'a> {
    let mut found = Found::default();
    vendor.software.iter().for_each(|list| installed(record, list, &mut found));
    vendor.attributes.iter().for_each(|path| attributes(record, path, &mut found));
    for text in vendor.tags.iter().flat_map(|path| values(record, path)).filter_map(Node::as_str) {
        let of_text = |text| Node::Text(Cow::Borrowed(text));
        found.versions.extend(tail(text, "cavra-version").map(of_text));
        found.digests.extend(tail(text, "cavra-sha256").map(of_text));
    }
    found
}

/// The first entry of a software list that is cavra's and has a version.
fn installed<'a>(record: &'a Members<'a>, list: &Software, found: &mut Found<'a>) {
    let entries = values(record, list.entries).into_iter().filter_map(Node::as_object);
    let ours: Vec<_> = entries.filter(|entry| is_ours(entry, list)).collect();
    let versioned = ours.iter().find(|entry| first(entry, "version").is_some()).or(ours.first());
    if let Some(entry) = versioned {
        found.versions.extend(first(entry, "version").cloned());
        found.digests.extend(first(entry, list.digest).cloned());
    }
}

fn is_ours(entry: &Members<'_>, list: &Software) -> bool {
    let any = |paths: &[&'static str], is: fn(&str) -> bool| {
        paths.iter().any(|path| values(entry, path).into_iter().filter_map(Node::as_str).any(is))
    };
    any(list.names, is_our_name) || any(list.paths, is_our_path)
}

/// Whether a piece of software is called as the runtime is; blanks, dashes, underscores and case do not matter.
fn is_our_name(name: &str) -> bool {
    let endless = |ending: &str| {
        let at = name.len().checked_sub(ending.len())?;
        name.get(at..)?.eq_ignore_ascii_case(ending).then(|| name.get(..at)).flatten()
    };
    let stem = [".app", ".exe", ".pkg"].into_iter().find_map(endless).unwrap_or(name);
    let plain = || stem.chars().filter(|c| !matches!(c, ' ' | '-' | '_')).flat_map(char::to_lowercase);
    ["cavra", "cavraruntime", "cavragoruntime"].into_iter().any(|ours| plain().eq(ours.chars()))
}

fn is_our_path(path: &str) -> bool {
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    ["cavra-runtime", "cavra", "cavra-runtime.exe", "cavra.exe"].into_iter().any(|ours| name.eq_ignore_ascii_case(ours))
}

/// Attributes that an administrator defined, by their names without blanks, dashes and underscores.
fn attributes<'a>(record: &'a Members<'a>, path: &str, found: &mut Found<'a>) {
    for attribute in values(record, path).into_iter().filter_map(Node::as_object) {
        let name = member(attribute, "name").and_then(Node::as_str).unwrap_or_default();
        let name: String =
            name.chars().filter(|c| !matches!(c, ' ' | '-' | '_')).map(|c| c.to_ascii_lowercase()).collect();
        let list = member(attribute, "values").and_then(Node::as_array).and_then(|values| values.first());
        let Some(value) = list.or_else(|| member(attribute, "value")).filter(|value| says_something(value)) else {
            continue;
        };
        match name.as_str() {
            "cavraversion" | "cavraruntimeversion" => found.versions.push(value.clone()),
            "cavrasha256" | "cavraruntimesha256" | "cavrabinarysha256" => found.digests.push(value.clone()),
            "cavratarget" | "cavradeploymenttarget" => {
                found.targets.extend(value.as_str().map(|text| text.trim().to_owned()));
            }
            _ => {}
        }
    }
}
