//! What an integration wants to be told without asking.

use cavra_connect::Provider;
use cavra_model::members::{filled, text, texts};
use cavra_model::{Object, SEVERITY_RANKS};

use super::event::{known_types, type_of};
use crate::{CoreError, LogEvent};

/// What an integration wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subscription {
    pub integration: String,
    pub provider: Provider,
    /// Types of events; one that ends in `*` is all that begin like it.
    patterns: Vec<String>,
    /// Repositories whose events it wants; none is all. What is about no repository is wanted too.
    repositories: Vec<String>,
    /// The least grave severity that it wants, as a rank.
    least: Option<usize>,
}

impl Subscription {
    /// What the record of an integration says, if it says anything.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] for what can never be told.
    pub fn of(record: &Object) -> Result<Option<Self>, CoreError> {
        let patterns: Vec<String> = texts(record, "event_types").into_iter().map(ToOwned::to_owned).collect();
        if patterns.is_empty() {
            return Ok(None);
        }
        let known = known_types();
        for pattern in &patterns {
            if !known.iter().any(|name| fits(pattern, name)) {
                let all = known.join(", ");
                return Err(CoreError::BadRequest(format!(
                    "event_types: there is no event {pattern}; there are {all}"
                )));
            }
        }
        let name = text(record, "provider");
        let provider = name.parse().map_err(|()| {
            let all = Provider::ALL.map(Provider::as_str).join(", ");
            CoreError::BadRequest(format!(
                "event_types: {name} is told nothing; a provider that is told events is one of {all}"
            ))
        })?;
        Ok(Some(Self {
            integration: text(record, "integration_id").to_owned(),
            provider,
            patterns,
            repositories: texts(record, "repositories").into_iter().map(ToOwned::to_owned).collect(),
            least: filled(record, "min_severity").and_then(rank),
        }))
    }

    /// Whether anything that is noted as this event may be wanted.
    pub fn may_want(&self, event: LogEvent) -> bool {
        let Some(name) = type_of(event, None) else { return false };
        let is_open = name.ends_with('.');
        self.patterns.iter().any(|pattern| fits(pattern, &name) || (is_open && may_fit(pattern, &name)))
    }

    /// Whether an event of this type about this record is wanted.
    pub fn wants(&self, event_type: &str, record: Option<&Object>) -> bool {
        if !self.patterns.iter().any(|pattern| fits(pattern, event_type)) {
            return false;
        }
        let subject =
            record.map(|record| record.get("decision").and_then(serde_json::Value::as_object).unwrap_or(record));
        let value = |member: &str| subject.and_then(|subject| filled(subject, member));
        let of_repository = match value("repository") {
            Some(repository) => {
                self.repositories.is_empty() || self.repositories.iter().any(|wanted| wanted == repository)
            }
            None => true,
        };
        let grave_enough = match (self.least, value("severity").and_then(rank)) {
            (Some(least), Some(rank)) => rank <= least,
            _ => true,
        };
        of_repository && grave_enough
    }
}

fn rank(severity: &str) -> Option<usize> {
    SEVERITY_RANKS.iter().position(|known| *known == severity)
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

/// Whether a name that begins like this may fit.
fn may_fit(pattern: &str, beginning: &str) -> bool {
    let pattern = pattern.strip_suffix('*').unwrap_or(pattern);
    pattern.starts_with(beginning) || beginning.starts_with(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cavra_model::members::built;
    use serde_json::{Value, json};

    fn of(members: Value) -> Result<Option<Subscription>, CoreError> {
        let mut record = built(json!({"integration_id": "i", "provider": "webhook"}));
        record.extend(built(members));
        Subscription::of(&record)
    }

    #[test]
    fn types_repositories_and_severities_narrow() {
        for (members, event_type, record, wanted) in [
            (json!({"event_types": ["cavra.decision.block"]}), "cavra.decision.block", json!({}), true),
            (json!({"event_types": ["cavra.decision.block"]}), "cavra.decision.allow", json!({}), false),
            (json!({"event_types": ["cavra.decision.*"]}), "cavra.decision.allow", json!({"decision": "allow"}), true),
            (json!({"event_types": ["*"]}), "cavra.policy.published", json!({}), true),
            (
                json!({"event_types": ["*"], "repositories": ["a"]}),
                "cavra.decision.block",
                json!({"repository": "b"}),
                false,
            ),
            (
                json!({"event_types": ["*"], "repositories": ["a"]}),
                "cavra.decision.block",
                json!({"repository": "a"}),
                true,
            ),
            (json!({"event_types": ["*"], "repositories": ["a"]}), "cavra.agent.changed", json!({}), true),
            (
                json!({"event_types": ["*"], "min_severity": "high"}),
                "cavra.decision.block",
                json!({"severity": "medium"}),
                false,
            ),
            (
                json!({"event_types": ["*"], "min_severity": "high"}),
                "cavra.decision.block",
                json!({"severity": "critical"}),
                true,
            ),
            (
                json!({"event_types": ["*"], "min_severity": "high"}),
                "cavra.approval.pending",
                json!({"decision": {"severity": "low"}}),
                false,
            ),
        ] {
            let subscription = of(members.clone()).unwrap().unwrap();
            assert_eq!(subscription.wants(event_type, record.as_object()), wanted, "{members} {event_type} {record}");
        }
        let blocks = of(json!({"event_types": ["cavra.decision.block"]})).unwrap().unwrap();
        assert!(blocks.may_want(LogEvent::Decision) && !blocks.may_want(LogEvent::ApprovalUsed));
        let agents = of(json!({"event_types": ["cavra.a*"]})).unwrap().unwrap();
        assert!(agents.may_want(LogEvent::AgentChanged) && !agents.may_want(LogEvent::Decision));
        assert!(!of(json!({"event_types": ["*"]})).unwrap().unwrap().may_want(LogEvent::StoreRestored));
    }

    #[test]
    fn what_can_never_be_told_is_refused() {
        assert_eq!(of(json!({})).unwrap(), None);
        assert_eq!(of(json!({"event_types": []})).unwrap(), None);
        for (members, word) in [
            (json!({"event_types": ["decision"]}), "no event decision"),
            (json!({"event_types": ["cavra.decision.block", "cavra.x*"]}), "cavra.x*"),
            (json!({"event_types": ["*"], "provider": "Splunk Cloud"}), "Splunk Cloud"),
        ] {
            assert!(of(members).unwrap_err().to_string().contains(word), "{word}");
        }
    }
}
