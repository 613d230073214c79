//! Several globs in one text, and the glob that leaves files out.

use std::collections::{BTreeMap, BTreeSet};

/// Most names in a glob; a longer one helps nobody.
const MOST_NAMES: usize = 200;

/// The globs of one text: blanks separate them, and commas where the glob has no braces.
pub fn globs_in(text: &str) -> Vec<String> {
    let words = text.split_whitespace();
    let globs = words.flat_map(|word| match word.contains('{') && word.contains('}') {
        true => vec![word],
        false => word.split(',').collect(),
    });
    globs.filter(|glob| !glob.is_empty()).map(ToOwned::to_owned).collect()
}

/// One glob that leaves out these files of all those that a search reads, and as few others as it can; `None` if there
/// are too many.
pub fn leaving_out(files: &[&str], all: &[String]) -> Option<String> {
    let out: BTreeSet<&str> = files.iter().copied().collect();
    let mut kept: BTreeMap<&str, bool> = BTreeMap::new();
    for file in all {
        if let Some(extension) = extension(file) {
            *kept.entry(extension).or_default() |= !out.contains(file.as_str());
        }
    }
    let mut names: BTreeSet<String> = BTreeSet::new();
    for file in out {
        names.insert(match extension(file).filter(|extension| kept.get(extension) == Some(&false)) {
            Some(extension) => format!("*.{}", literal(extension)),
            None => literal(base_name(file)),
        });
    }
    let names: Vec<String> = names.into_iter().collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("!{one}")),
        several if several.len() <= MOST_NAMES => Some(format!("!{{{}}}", several.join(","))),
        _ => None,
    }
}

fn base_name(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

fn extension(file: &str) -> Option<&str> {
    let (stem, extension) = base_name(file).rsplit_once('.')?;
    (!stem.is_empty() && !extension.is_empty()).then_some(extension)
}

/// A glob for the name. What means something in a glob or separates globs is any character.
fn literal(name: &str) -> String {
    let means_something = |c: char| c.is_whitespace() || "{}[],*?!\\".contains(c);
    name.chars().map(|c| if means_something(c) { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_may_be_several_globs() {
        for (text, globs) in [
            ("*.rs", &["*.rs"][..]),
            ("!*.rs", &["!*.rs"]),
            ("*.{rs,toml}", &["*.{rs,toml}"]),
            ("!*.{pem,key}", &["!*.{pem,key}"]),
            ("*.rs .env", &["*.rs", ".env"]),
            ("*.rs,.env", &["*.rs", ".env"]),
            ("*.rs, .env", &["*.rs", ".env"]),
            (".env !*", &[".env", "!*"]),
            ("{a,b},c d", &["{a,b},c", "d"]),
            ("{a,b", &["{a", "b"]),
            (" , ", &[]),
        ] {
            assert_eq!(globs_in(text), globs, "{text}");
        }
    }

    #[test]
    fn what_is_left_out_is_named_shortly() {
        let all =
            ["a.rs", "k/a.key", "k/b.key", "p/c.pem", "p/secrets.json", "q/d.json", ".env", "x/.env", "a b,{.key"];
        let all: Vec<String> = all.into_iter().map(ToOwned::to_owned).collect();
        for (files, glob) in [
            (&["k/a.key", "k/b.key", "a b,{.key"][..], "!*.key"),
            (&["k/a.key", "k/b.key"], "!{a.key,b.key}"),
            (&["p/secrets.json"], "!secrets.json"),
            (&["p/secrets.json", "p/c.pem", ".env", "x/.env"], "!{*.pem,.env,secrets.json}"),
            (&["a b,{.key"], "!a?b??.key"),
        ] {
            assert_eq!(leaving_out(files, &all).as_deref(), Some(glob), "{files:?}");
        }
        assert_eq!(leaving_out(&[], &all), None);
        let many: Vec<String> = (0..300).map(|number| format!("secrets.{number}x")).collect();
        let few: Vec<&str> = many.iter().map(String::as_str).collect();
        let with_others: Vec<String> = (0..300).map(|number| format!("a.{number}x")).chain(many.clone()).collect();
        assert_eq!(leaving_out(&few, &with_others), None);
    }
}
