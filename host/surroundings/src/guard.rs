//! What the policy in force protects, asked about single files.

use std::sync::OnceLock;

use cavra_rules::{Action, Outcome, Policy};
use serde_json::Value;

/// How the policy protects a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// It may not just be read.
    Read,
    /// It may not just be written.
    Write,
}

/// The filesystem lists of a policy. Compiled when the first file is asked about: most commands ask about none.
#[derive(Debug, Default)]
pub struct Guard {
    document: Value,
    compiled: OnceLock<Option<Policy>>,
    trusted: Vec<String>,
    ignores_case: bool,
}

impl Guard {
    /// The lists of a policy: the merged document of a pack.
    #[must_use]
    pub fn of(policy: &Value) -> Self {
        let section = |name: &str| policy.get(name).cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        let trusted = policy.get("git").and_then(|git| git.get("trusted_settings")).and_then(Value::as_array);
        let trusted = trusted.into_iter().flatten().filter_map(Value::as_str).map(str::to_lowercase).collect();
        let document = serde_json::json!({ "filesystem": section("filesystem") });
        Self { document, compiled: OnceLock::new(), trusted, ignores_case: false }
    }

    /// Where names that differ only in case are names of one file, or not.
    pub(crate) fn ignoring_case(self, ignores_case: bool) -> Self {
        Self { ignores_case, ..self }
    }

    /// How the file of that name is protected. A policy that cannot be read protects everything.
    pub(crate) fn protection(&self, name: &str) -> Option<Protection> {
        if self.document.is_null() {
            return None;
        }
        let policy = self.compiled.get_or_init(|| Policy::compile(&self.document).ok());
        let Some(policy) = policy else { return Some(Protection::Read) };
        let allowed = |action: Action<'_>| {
            let folded = if self.ignores_case { policy.evaluate_ignoring_case(&action) } else { Vec::new() };
            policy.evaluate(&action, false).iter().chain(&folded).all(|finding| finding.outcome == Outcome::Allow)
        };
        if !allowed(Action::ReadFile(name)) {
            Some(Protection::Read)
        } else if !allowed(Action::WriteFile(name)) {
            Some(Protection::Write)
        } else {
            None
        }
    }

    /// Whether the file of that name may not just be read or written.
    #[must_use]
    pub fn protects(&self, name: &str) -> bool {
        self.protection(name).is_some()
    }

    /// Whether a setting of git that names a program is trusted. `*` stands for any text.
    #[must_use]
    pub fn trusts(&self, key: &str) -> bool {
        self.trusted.iter().any(|trusted| {
            let mut pieces = trusted.split('*');
            let first = pieces.next().unwrap_or_default();
            let Some(mut rest) = key.strip_prefix(first) else { return false };
            let pieces: Vec<&str> = pieces.collect();
            let Some((last, middle)) = pieces.split_last() else { return rest.is_empty() };
            for piece in middle {
                match rest.split_once(piece) {
                    Some((_, behind)) => rest = behind,
                    None => return false,
                }
            }
            rest.ends_with(last)
        })
    }
}
