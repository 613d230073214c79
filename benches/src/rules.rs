//! Rule sets of patterns for written paths, and questions about them, of every kind that matters to an index of patterns.

use serde_json::{Value, json};

/// What the patterns of a set have in common.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Each has words that no other has, at the front, at the end or in the middle.
    Distinct,
    /// All begin alike, and differ at the end.
    SharedPrefix,
    /// None begins with a word; what differs stands between wildcards.
    BetweenWildcards,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Distinct, Self::SharedPrefix, Self::BetweenWildcards];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Distinct => "distinct words",
            Self::SharedPrefix => "one prefix",
            Self::BetweenWildcards => "between wildcards",
        }
    }

    /// The `n` patterns.
    pub fn patterns(self, n: usize) -> Vec<String> {
        let pattern = |i: usize| match (self, i % 3) {
            (Self::Distinct, 0) => format!("services/team-{i}/secrets/*"),
            (Self::Distinct, 1) => format!("**/vault-{i}.yml"),
            (Self::Distinct, _) => format!("infra/*/production-{i}/*.tf"),
            (Self::SharedPrefix, _) => format!("services/payments/production/eu-west-1/component-{i}/*"),
            (Self::BetweenWildcards, _) => format!("*/*-{i}-*/*"),
        };
        (0..n).map(pattern).collect()
    }

    /// The paths that are asked about, and whether each may be written: some that no rule matches, and some that the last
    /// rules match.
    pub fn questions(self, n: usize) -> Vec<(String, bool)> {
        // The last rule of each third that exists.
        let last = |third: usize| (0..n).rev().find(|i| i % 3 == third).unwrap_or(third);
        let newest = n.saturating_sub(1);
        let harmless =
            [("src/billing/invoice/render.rs".to_owned(), true), ("docs/handbook/on-call.md".to_owned(), true)];
        let matched = match self {
            Self::Distinct => vec![
                format!("services/team-{}/secrets/token.txt", last(0)),
                format!("deploy/eu/vault-{}.yml", last(1)),
                format!("infra/eu/production-{}/main.tf", last(2)),
            ],
            Self::SharedPrefix => vec![format!("services/payments/production/eu-west-1/component-{newest}/main.rs")],
            Self::BetweenWildcards => vec![format!("deploy/host-{newest}-eu/main.tf")],
        };
        let almost = match self {
            Self::Distinct => "services/team-none/secrets/token.txt".to_owned(),
            Self::SharedPrefix => "services/payments/production/eu-west-1/other/main.rs".to_owned(),
            Self::BetweenWildcards => "deploy/host-none-eu/main.tf".to_owned(),
        };
        harmless.into_iter().chain([(almost, true)]).chain(matched.into_iter().map(|path| (path, false))).collect()
    }
}

/// A cavra policy with these patterns.
pub fn cavra(patterns: &[String]) -> Value {
    json!({
        "metadata": {"id": "cavra-bench", "title": "Benchmark", "description": "Benchmark", "version": "1"},
        "filesystem": {"block_write": patterns},
    })
}
