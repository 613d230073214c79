//! Named facts about an action that policies are told and records keep: what the stores know of the repository, the
//! agent that acts, the rollout that governs the decision, and the file system.

use std::collections::BTreeMap;

use cavra_model::{AGENT_STATUS, Object};
use serde_json::Value;

use crate::At;

/// Facts by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(BTreeMap<String, String>);

/// What is told of a repository: the member of its record, and the name of the fact.
const OF_REPOSITORY: [(&str, &str); 5] = [
    ("risk_tier", "repository.risk_tier"),
    ("environment", "repository.environment"),
    ("owner", "repository.owner"),
    ("business_unit", "repository.business_unit"),
    ("status", "repository.status"),
];

/// What is told of an agent beside its status: the member of its record, and the name of the fact.
const OF_AGENT: [(&str, &str); 2] = [("owner", "agent.owner"), ("risk_tier", "agent.risk_tier")];

impl Attributes {
    /// With what is told of a repository's record.
    #[must_use]
    pub fn with_repository(self, record: &Object) -> Self {
        self.with_members(record, &OF_REPOSITORY)
    }

    /// With what is told of an agent's record. A status that cannot be read is told as one that nobody knows.
    #[must_use]
    pub fn with_agent(self, record: &Object) -> Self {
        let status = record.get("status").map_or("active", |status| status.as_str().unwrap_or_default());
        self.with_members(record, &OF_AGENT).with(AGENT_STATUS, status)
    }

    fn with_members(mut self, record: &Object, members: &[(&str, &str)]) -> Self {
        for (member, name) in members {
            if let Some(value) = record.get(*member).and_then(Value::as_str).filter(|value| !value.is_empty()) {
                self.0.insert((*name).to_owned(), value.to_owned());
            }
        }
        self
    }

    /// With further facts; what both know is as the others say.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// With one fact.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With what the place says: names that differ only in case are the same file on some file systems.
    #[must_use]
    pub fn with_place(self, at: &At) -> Self {
        match at {
            At::Here(here) if here.ignores_case() => self.with(cavra_model::IGNORES_CASE, "true"),
            _ => self,
        }
    }

    /// Sorted by name.
    pub(crate) fn sorted(self) -> Vec<(String, String)> {
        self.0.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_known_is_told_under_its_name() {
        let record = |value: Value| value.as_object().cloned().unwrap();
        let attributes = Attributes::default()
            .with_repository(&record(
                json!({"risk_tier": "high", "environment": "", "owner": "pay", "status": 5, "secret": "x"}),
            ))
            .with("rollout.mode", "audit_only");
        let expected = [("repository.owner", "pay"), ("repository.risk_tier", "high"), ("rollout.mode", "audit_only")];
        assert_eq!(attributes.sorted(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
