//! What needs attention: what happened lately that somebody should know, as one subject that people are told about.

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::family::Family;
use crate::{Document, count, id_of};

/// Most things of a sort that an alert names.
const NAMED: usize = 10;

/// What happened lately, each the newest first.
#[derive(Clone, Debug, Default)]
pub struct Lately {
    /// Decisions that blocked an action as critical.
    pub blocks: Vec<Object>,
    /// Decisions that came of a component that failed.
    pub failures: Vec<Object>,
    /// Why logs cannot be signed.
    pub unsigned_logs: Vec<String>,
    /// Approvals that wait too long.
    pub approvals: Vec<Object>,
}

/// A sort of things that happen: its word, how grave it is, what is to be done.
struct Sort {
    category: &'static str,
    severity: &'static str,
    recommendation: &'static str,
}

const SORTS: [Sort; 4] = [
    Sort {
        category: "critical_block",
        severity: "critical",
        recommendation: "See what the agent tried, and whether it goes on trying.",
    },
    Sort {
        category: "plugin_failed",
        severity: "critical",
        recommendation: "Look at the component of the pack: what it cannot judge is blocked.",
    },
    Sort {
        category: "log_not_signed",
        severity: "critical",
        recommendation: "Read the server's log, and do not accept a log before it is known what became of it.",
    },
    Sort {
        category: "approval_late",
        severity: "warning",
        recommendation: "Ask the group that may decide, or withdraw what is not needed any more.",
    },
];

/// What happened lately, as a subject. Its id says what is newest of each sort: while nothing else happens it stays the same, though
/// what is older gets too old to be seen.
#[must_use]
pub fn attention(family: &Family, lately: &Lately, minutes: u64, now: Timestamp) -> Document {
    let ids = |records: &[Object], member: &str| -> Vec<String> {
        records.iter().map(|record| members::text(record, member).to_owned()).collect()
    };
    let found = [
        (ids(&lately.blocks, "decision_id"), "actions that were blocked as critical"),
        (ids(&lately.failures, "decision_id"), "decisions of a component that failed"),
        (lately.unsigned_logs.clone(), "logs that cannot be signed"),
        (ids(&lately.approvals, "approval_id"), "approvals that wait too long"),
    ];
    let mut alerts = Vec::new();
    let mut recommendations = Vec::new();
    for (sort, (about, sentence)) in SORTS.iter().zip(&found).filter(|(_, (about, _))| !about.is_empty()) {
        alerts.push(json!({
            "severity": sort.severity, "category": sort.category, "count": about.len(),
            "message": format!("{sentence}: {}", about.len()),
            "about": about.iter().take(NAMED).collect::<Vec<_>>(),
        }));
        recommendations.push(sort.recommendation);
    }
    let has =
        |severity: &str| alerts.iter().any(|alert| alert.get("severity").and_then(Value::as_str) == Some(severity));
    let level = ["critical", "warning"].into_iter().find(|severity| has(severity)).unwrap_or("healthy");
    let newest: Vec<_> = found.iter().map(|(about, _)| about.first()).collect();
    let id = id_of(family.health_prefix, 16, &json!([level, newest]));
    let [blocks, failures, logs, approvals] = found.each_ref().map(|(about, _)| count(about.len()));
    let content = members::built(json!({
        "schema_version": family.health_schema,
        "product": "CAVRA",
        "health_id": id,
        "generated_at": now,
        "alert_level": level,
        "looked_back_minutes": minutes,
        "critical_block_count": blocks,
        "plugin_failure_count": failures,
        "unsigned_log_count": logs,
        "late_approval_count": approvals,
        "alerts": alerts,
        "recommendations": recommendations,
    }));
    Document { id, content, counts: [blocks + failures, blocks + failures + logs, approvals], warnings: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::STANDING_ALERTS;
    use crate::{HEALTH_TAGS, health_subject};

    fn seen(lately: &Lately) -> Object {
        attention(&STANDING_ALERTS, lately, 30, Timestamp::from_micros(0)).content
    }

    fn with_id(member: &str, id: &str) -> Object {
        Object::from_iter([(member.to_owned(), json!(id))])
    }

    #[test]
    fn what_happened_is_one_subject_until_something_else_does() {
        let calm = seen(&Lately::default());
        assert_eq!((&calm["alert_level"], &calm["alerts"]), (&json!("healthy"), &json!([])));
        let late = Lately { approvals: vec![with_id("approval_id", "a")], ..Lately::default() };
        assert_eq!(
            (&seen(&late)["alert_level"], &seen(&late)["alerts"][0]["category"]),
            (&json!("warning"), &json!("approval_late"))
        );
        let both = |blocks: &[&str]| Lately {
            blocks: blocks.iter().map(|id| with_id("decision_id", id)).collect(),
            unsigned_logs: vec!["activity: cut".to_owned()],
            ..late.clone()
        };
        let (first, later, other) = (seen(&both(&["d2", "d1"])), seen(&both(&["d2"])), seen(&both(&["d3", "d2"])));
        assert_eq!(first["alert_level"], "critical");
        assert_eq!(first["health_id"], later["health_id"], "that something is long ago by now is no news");
        assert_ne!(first["health_id"], other["health_id"]);
        assert_ne!(first["health_id"], seen(&late)["health_id"]);
        let subject = health_subject(&first);
        assert_eq!(subject.tags[HEALTH_TAGS[0].0], ["critical_block", "log_not_signed", "approval_late"]);
        assert!(subject.silent_when_healthy);
    }
}
