//! The cases beside a pack: what it is meant to decide, in a `tests.yaml`.

use std::collections::HashSet;
use std::path::Path;

use cavra_model::{ActionType, Outcome};
use serde::Deserialize;
use serde_json::Value;

use crate::error::{PackError, shown};
use crate::parse::{MAX_POLICY_BYTES, parse_policy};
use crate::read::read;
use crate::shelf::POLICY;

/// The file of cases beside `policy.yaml`.
pub const CASES_FILE: &str = "tests.yaml";

/// One action and what the pack is meant to decide about it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Kind of action.
    pub action_type: ActionType,
    /// Path, command line, or remote and branch.
    pub target: Option<String>,
    /// Git operation.
    pub operation: Option<String>,
    /// MCP server.
    pub server: Option<String>,
    /// Tool of the server.
    pub tool: Option<String>,
    /// What the tool can do.
    pub capability: Option<String>,
    /// The decision.
    pub expect: Outcome,
    /// The rule that decides.
    pub rule_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Suite {
    cases: Vec<Value>,
}

/// The cases beside the policy at a path, a file or a folder; none if there is no such file.
///
/// # Errors
/// [`PackError::Unreadable`], and [`PackError::Invalid`] for a file with anything that is not understood: a case that is
/// passed over would look like one that passes.
pub fn read_cases(path: &Path) -> Result<Vec<Case>, PackError> {
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let is_pack = path.is_dir() || path.file_name().is_some_and(|name| name == POLICY);
    match folder.filter(|_| is_pack) {
        Some(folder) => cases_in(None, &path.display().to_string(), &folder.join(CASES_FILE)),
        None => Ok(Vec::new()),
    }
}

/// The cases of a pack of the policy directory.
pub(crate) fn cases_of(root: &Path, name: &str) -> Result<Vec<Case>, PackError> {
    cases_in(Some(root), name, &root.join(name).join(CASES_FILE))
}

fn cases_in(root: Option<&Path>, name: &str, file: &Path) -> Result<Vec<Case>, PackError> {
    let (bytes, _) = read(root, file, MAX_POLICY_BYTES).map_err(|fault| PackError::Unreadable {
        name: name.to_owned(),
        problem: fault.problem(CASES_FILE),
        source: None,
    })?;
    let Some(bytes) = bytes else { return Ok(Vec::new()) };
    parse_cases(&bytes).map_err(|errors| PackError::Invalid {
        name: name.to_owned(),
        errors: errors.into_iter().map(|error| format!("{CASES_FILE}: {error}")).collect(),
    })
}

/// The cases in the bytes of a [`CASES_FILE`].
///
/// # Errors
/// Everything in it that is not understood.
pub fn parse_cases(bytes: &[u8]) -> Result<Vec<Case>, Vec<String>> {
    let text = std::str::from_utf8(bytes).map_err(|_| vec!["is not UTF-8".to_owned()])?;
    let suite: Suite = parse_policy(text)
        .and_then(|document| serde_json::from_value(document).map_err(|error| error.to_string()))
        .map_err(|problem| vec![problem])?;
    let mut names = HashSet::new();
    let mut cases = Vec::new();
    let mut errors = Vec::new();
    for (position, case) in suite.cases.into_iter().enumerate() {
        match serde_json::from_value::<Case>(case) {
            Ok(case) if !names.insert(case.name.clone()) => {
                errors.push(format!("cases.{position}: the name `{}` is there twice", shown(&case.name)));
            }
            Ok(case) => cases.push(case),
            Err(error) => errors.push(format!("cases.{position}: {}", shown(&error.to_string()))),
        }
    }
    if errors.is_empty() { Ok(cases) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<usize, Vec<String>> {
        parse_cases(text.as_bytes()).map(|cases| cases.len())
    }

    #[test]
    fn a_case_that_is_not_understood_is_an_error() {
        let fine = "{name: a, action_type: read_file, target: x, expect: block}";
        assert_eq!(parsed(&format!("cases: [{fine}]")), Ok(1));
        assert_eq!(parsed("cases: []"), Ok(0));
        for (text, part) in [
            ("", "invalid type"),
            ("[]", "invalid length"),
            ("cases: {}", "invalid type"),
            ("case: []", "unknown field `case`"),
            ("cases: [x]", "cases.0: invalid type"),
            ("cases: [{name: a, action_type: read_file, target: x}]", "missing field `expect`"),
            ("cases: [{name: a, action_type: read_file, expct: block, expect: block}]", "unknown field `expct`"),
            ("cases: [{name: a, action_type: delete_file, target: x, expect: block}]", "unknown variant `delete_file`"),
            ("cases: [{name: a, action_type: read_file, target: x, expect: deny}]", "unknown variant `deny`"),
            (&format!("cases: [{fine}, {fine}]"), "cases.1: the name `a` is there twice"),
            ("cases: [{name: a, name: b, action_type: read_file, expect: block}]", "twice"),
        ] {
            let errors = parsed(text).expect_err(text);
            assert!(errors.iter().any(|error| error.contains(part)), "{text}: {errors:?}");
        }
    }
}
