//! The known name that somebody may have meant.

use crate::yaml::shown;

/// Below this likeness (Jaro-Winkler, which weighs the beginning) a suggestion would only confuse.
const ALIKE: f64 = 0.72;

/// The name among `known` that is most like `word`, if any is like it; case, dashes and underscores do not count.
#[must_use]
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |name: &str| name.to_lowercase().replace(['-', '_', ' ', '.'], "");
    let word = plain(word);
    let likeness = known.iter().map(|name| (strsim::jaro_winkler(&word, &plain(name)), *name));
    let best = likeness.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(likeness, _)| *likeness >= ALIKE).map(|(_, name)| name)
}

/// What is said of a key that nobody knows.
#[must_use]
pub fn unknown_key(key: &str, known: &[&str]) -> String {
    let list = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match nearest(key, known) {
        Some(name) => format!("unknown key `{}`; did you mean `{name}`? Known are {list}", shown(key)),
        None => format!("unknown key `{}`; known are {list}", shown(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant() {
        let known = ["repository", "approver_group", "groups", "actions"];
        for (word, wanted) in [
            ("repo", Some("repository")),
            ("repositorys", Some("repository")),
            ("Repository", Some("repository")),
            ("approver-group", Some("approver_group")),
            ("approvergroup", Some("approver_group")),
            ("group", Some("groups")),
            ("action", Some("actions")),
            ("acitons", Some("actions")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), wanted, "{word}");
        }
        assert!(unknown_key("repo", &known).contains("did you mean `repository`"));
        assert!(unknown_key("zzz", &known).ends_with("known are `repository`, `approver_group`, `groups`, `actions`"));
        assert_eq!(nearest("x", &[]), None);
    }
}
