//! Documents for people: the members that matter, as Markdown.

use cavra_evidence::code;
use cavra_model::Object;
use serde_json::Value;

use crate::members::object;

/// A summary under construction.
pub struct Summary<'a> {
    document: &'a Object,
    text: String,
}

impl<'a> Summary<'a> {
    /// A summary with a title.
    pub fn of(title: &str, document: &'a Object) -> Self {
        Self { document, text: format!("# {title}\n\n") }
    }

    /// One line per member that is there.
    pub fn members(mut self, names: &[&str]) -> Self {
        for name in names {
            if let Some(value) = self.document.get(*name).filter(|value| !value.is_null()) {
                let label = name.replace('_', " ");
                self.text.push_str(&format!("- {label}: {}\n", code(&plain(value))));
            }
        }
        self
    }

    /// Version, commit and repository of the release.
    pub fn release(mut self) -> Self {
        let release = object(self.document, "release").cloned().unwrap_or_default();
        for name in ["version", "commit", "ref", "repository"] {
            if let Some(value) = release.get(name).filter(|value| !value.is_null()) {
                self.text.push_str(&format!("- release {name}: {}\n", code(&plain(value))));
            }
        }
        self
    }

    /// A section with a list; none if there is nothing in it.
    pub fn list<T: AsRef<str>>(mut self, title: &str, items: impl IntoIterator<Item = T>) -> Self {
        let lines: String = items.into_iter().map(|item| format!("- {}\n", code(item.as_ref()))).collect();
        if !lines.is_empty() {
            self.text.push_str(&format!("\n## {title}\n\n{lines}"));
        }
        self
    }

    /// The Markdown.
    pub fn text(self) -> String {
        self.text
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_value_forges_a_line() {
        let document = crate::members::built(json!({"actor": "eve`\n- status: `succeeded", "status": "failed"}));
        let text = Summary::of("T", &document).members(&["actor", "status", "none"]).list("L", ["a\nb"]).text();
        assert_eq!(text.lines().filter(|line| line.starts_with("- ")).count(), 3, "{text}");
        assert!(text.contains("\n- status: `failed`\n"), "{text}");
    }
}
