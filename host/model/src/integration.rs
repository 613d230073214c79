//! Integrations, as a table: the systems that an organisation connects, and what they want to be told.

use crate::record_schema::Fallback::{Absent, Joined, Null, Required, Slug, Text, Texts};
use crate::record_schema::{Member, RecordSchema, Shape, member};

/// Values of `category`.
const CATEGORIES: &[&str] = &[
    "source_control",
    "ci_cd",
    "siem",
    "itsm",
    "chatops",
    "identity",
    "cloud",
    "storage",
    "security",
    "observability",
];

/// Severities, the gravest first.
pub const SEVERITY_RANKS: &[&str] = &["critical", "high", "medium", "low"];

/// An integration, `cavra.integration.v1`. What it is told without being asked follows from `event_types`, `min_severity`
/// and `repositories`.
pub static INTEGRATION_SCHEMA: RecordSchema = RecordSchema {
    version: "cavra.integration.v1",
    name: "integration",
    members: &[
        member("provider", Shape::Id, Required),
        member("environment", Shape::Id, Text("global")),
        Member {
            name: "integration_id",
            aliases: &["id"],
            shape: Shape::Id,
            default: Slug(&["provider", "environment"]),
        },
        member("name", Shape::Id, Joined(&["provider"], "")),
        member("category", Shape::Choice(CATEGORIES), Text("security")),
        member("status", Shape::Choice(&["planned", "configured", "active", "paused", "disabled"]), Text("planned")),
        member(
            "health_status",
            Shape::Choice(&["unknown", "healthy", "degraded", "failed", "not_checked"]),
            Text("not_checked"),
        ),
        member("owner", Shape::Id, Text("platform-security")),
        member("auth_mode", Shape::Id, Text("not_configured")),
        member("endpoint_ref", Shape::Text, Null),
        member("capabilities", Shape::Labels, Texts(&[])),
        member("repositories", Shape::Labels, Texts(&[])),
        member("last_checked_at", Shape::Time, Null),
        member("evidence_refs", Shape::Labels, Texts(&[])),
        member("event_types", Shape::Labels, Absent),
        member("min_severity", Shape::Choice(SEVERITY_RANKS), Absent),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use serde_json::{Value, json};

    fn normalize(body: &Value) -> Result<Value, String> {
        let body = body.as_object().unwrap();
        INTEGRATION_SCHEMA
            .normalize(body, None, Timestamp::from_micros(0))
            .map(Value::Object)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn defaults() {
        let now = Timestamp::from_micros(0).to_string();
        let wanted = json!({
            "schema_version": "cavra.integration.v1", "product": "CAVRA", "integration_id": "splunk-cloud-prod",
            "name": "Splunk Cloud", "provider": "Splunk Cloud", "category": "security", "status": "planned",
            "health_status": "not_checked", "owner": "platform-security", "environment": "prod",
            "auth_mode": "not_configured", "endpoint_ref": null, "capabilities": [], "repositories": ["7"],
            "last_checked_at": null, "evidence_refs": [], "created_at": now, "updated_at": now,
        });
        let body = json!({"provider": "Splunk Cloud", "environment": "prod", "capabilities": null,
            "repositories": [null, 7], "event_types": null});
        assert_eq!(normalize(&body).unwrap(), wanted);
        let named = normalize(&json!({"provider": "p", "id": "own", "capabilities": "siem"})).unwrap();
        assert_eq!((&named["integration_id"], &named["capabilities"]), (&json!("own"), &json!(["siem"])));
    }

    #[test]
    fn wrong_records_are_refused() {
        for bad in [
            json!({}),
            json!({"provider": " "}),
            json!({"provider": "p", "category": "magic"}),
            json!({"provider": "p", "status": "on"}),
            json!({"provider": "p", "health_status": "fine"}),
            json!({"provider": "p", "capabilities": {}}),
            json!({"provider": "p", "repositories": 5}),
            json!({"provider": "p", "evidence_refs": [{}]}),
            json!({"provider": "p", "last_checked_at": "soon"}),
            json!({"provider": "p", "min_severity": "urgent"}),
        ] {
            assert!(normalize(&bad).is_err(), "{bad}");
        }
    }
}
