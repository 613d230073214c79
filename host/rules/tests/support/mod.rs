//! What the tests share: owned commands, and the slow but obvious reference of the matcher.
#![allow(dead_code, reason = "each test file uses its part")]

use cavra_rules::{Action, Command, Effects, Finding, Git, Part, Policy, Spelling};
use serde_json::Value;

/// A part that owns its strings.
#[derive(Clone, Debug, Default)]
pub struct OwnedPart {
    pub spellings: Vec<String>,
    pub dequoted: String,
    pub implied: bool,
}

/// Stands in spellings of cases for text that is known only when the command runs.
const COMPUTED: char = '\u{F0000}';

/// A spelling without those marks, and where they stood.
fn unmarked(spelling: &str) -> (String, Vec<u32>) {
    let (mut text, mut computed) = (String::new(), Vec::new());
    for (index, stretch) in spelling.split(COMPUTED).enumerate() {
        if index > 0 {
            computed.push(u32::try_from(text.len()).unwrap());
        }
        text.push_str(stretch);
    }
    (text, computed)
}

/// A git operation that owns its strings.
#[derive(Clone, Debug, Default)]
pub struct OwnedGit {
    pub operation: String,
    pub branch: String,
    pub branch_path: String,
    pub is_push: bool,
    pub removes_branch: bool,
}

impl OwnedGit {
    pub fn borrowed(&self) -> Git<'_> {
        Git {
            operation: &self.operation,
            branch: &self.branch,
            branch_path: &self.branch_path,
            is_push: self.is_push,
            removes_branch: self.removes_branch,
        }
    }
}

/// A command line that owns its strings.
#[derive(Clone, Debug, Default)]
pub struct OwnedCommand {
    pub text: String,
    pub parts: Vec<OwnedPart>,
    pub reads: Vec<String>,
    pub writes: Vec<String>,
    pub git: Vec<OwnedGit>,
    pub unresolved: Option<String>,
}

impl OwnedCommand {
    pub fn evaluate(&self, policy: &Policy) -> Vec<Finding> {
        self.evaluate_with(policy, Effects::default())
    }

    /// The findings if that is what the command line does.
    pub fn evaluate_with(&self, policy: &Policy, effects: Effects<'_>) -> Vec<Finding> {
        self.with(effects, |command| policy.evaluate(&Action::Command(*command), false))
    }

    /// Asks something about the command line as rules see it.
    pub fn with<T>(&self, effects: Effects<'_>, ask: impl FnOnce(&Command<'_>) -> T) -> T {
        let unmarked: Vec<Vec<(String, Vec<u32>)>> =
            self.parts.iter().map(|part| part.spellings.iter().map(|text| unmarked(text)).collect()).collect();
        let spellings: Vec<Vec<Spelling<'_>>> = unmarked
            .iter()
            .map(|of_part| of_part.iter().map(|(text, computed)| Spelling { text, computed }).collect())
            .collect();
        let parts: Vec<Part<'_>> = self
            .parts
            .iter()
            .zip(&spellings)
            .map(|(part, spellings)| Part { spellings, dequoted: &part.dequoted, implied: part.implied })
            .collect();
        let git: Vec<Git<'_>> = self.git.iter().map(OwnedGit::borrowed).collect();
        let command = Command {
            text: &self.text,
            parts: &parts,
            reads: &self.reads,
            writes: &self.writes,
            git: &git,
            unresolved: self.unresolved.as_deref(),
            effects,
        };
        ask(&command)
    }
}

/// The finding that counts, as the host combines them.
pub fn strictest(findings: &[Finding]) -> Option<&Finding> {
    let mut best: Option<&Finding> = None;
    for finding in findings {
        if best.is_none_or(|best| (finding.outcome, finding.severity) > (best.outcome, best.severity)) {
            best = Some(finding);
        }
    }
    best
}

/// docs/reference/decisions-and-policy.md, section 2.3, by trying everything: `table[i][j]` says whether `pattern[i..]` matches `value[j..]`.
pub fn reference_matches(pattern: &str, value: &str) -> bool {
    let (pattern, value) = (pattern.as_bytes(), value.as_bytes());
    let mut table = vec![vec![false; value.len() + 1]; pattern.len() + 1];
    table[pattern.len()][value.len()] = true;
    for i in (0..pattern.len()).rev() {
        let opens_segment = i == 0 || pattern[i - 1] == b'/';
        for j in (0..=value.len()).rev() {
            table[i][j] = if opens_segment && pattern[i..].starts_with(b"**/") {
                table[i + 3][j] || (j + 1..=value.len()).any(|k| value[k - 1] == b'/' && table[i + 3][k])
            } else if pattern[i] == b'*' {
                (j..=value.len()).any(|k| table[i + 1][k])
            } else {
                j < value.len() && value[j] == pattern[i] && table[i + 1][j + 1]
            };
        }
    }
    table[0][0]
}

/// The list at `section.key` of a document.
pub fn list(document: &Value, section: &str, key: &str) -> Vec<String> {
    let items = document[section][key].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}
