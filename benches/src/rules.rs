//! The same rule set in the languages of cavra and of its peers: `n` patterns for written paths, a third of them
//! anchored at the front, a third at the end, a third in the middle.

use serde_json::{Value, json};

/// The paths that are asked about: one that no rule matches, one for each kind of pattern.
pub fn questions(n: usize) -> Vec<String> {
    // The last rule of each kind that exists.
    let last = |kind: usize| (0..n).rev().find(|i| i % 3 == kind).unwrap_or(kind);
    vec![
        "src/billing/invoice/render.rs".to_owned(),
        format!("services/team-{}/secrets/token.txt", last(0)),
        format!("deploy/eu/vault-{}.yml", last(1)),
        "docs/handbook/on-call.md".to_owned(),
    ]
}

/// The patterns.
pub fn patterns(n: usize) -> Vec<String> {
    (0..n)
        .map(|i| match i % 3 {
            0 => format!("services/team-{i}/secrets/*"),
            1 => format!("**/vault-{i}.yml"),
            _ => format!("infra/*/production-{i}/*.tf"),
        })
        .collect()
}

/// A cavra policy.
pub fn cavra(n: usize) -> Value {
    json!({
        "metadata": {"id": "cavra-bench", "title": "Benchmark", "description": "Benchmark", "version": "1"},
        "filesystem": {"block_write": patterns(n)},
    })
}

/// A Cedar policy set.
pub fn cedar(n: usize) -> String {
    let mut policies = String::from("permit(principal, action, resource);\n");
    for pattern in patterns(n) {
        let pattern = pattern.replace("**/", "*");
        policies.push_str(&format!(
            "forbid(principal, action == Action::\"write_file\", resource) when {{ context.path like \"{pattern}\" }};\n"
        ));
    }
    policies
}

/// A Rego module; the patterns are data.
pub const REGO: &str = r#"package cavra
import rego.v1
default decision := "allow"
decision := "block" if {
    some pattern in data.patterns
    glob.match(pattern, null, input.path)
}
"#;

/// The data of the Rego module.
pub fn rego_data(n: usize) -> Value {
    let patterns: Vec<String> = patterns(n).into_iter().map(|pattern| pattern.replace("**/", "*")).collect();
    json!({ "patterns": patterns })
}
