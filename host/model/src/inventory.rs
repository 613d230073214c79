//! Repositories and policy rollouts, as tables. docs/reference/approvals-identity-authoring.md, sections 5 and 6.

use crate::record_schema::Fallback::{Absent, Integer, Joined, Null, Required, Text, Texts};
use crate::record_schema::{Member, RecordSchema, Shape, member};

/// A repository, `cavra.repository.v1`.
pub static REPOSITORY_SCHEMA: RecordSchema = RecordSchema {
    version: "cavra.repository.v1",
    name: "repository",
    members: &[
        Member { name: "repository", aliases: &["name", "repository_id"], shape: Shape::Id, default: Required },
        member("repository_id", Shape::Id, Joined(&["repository"], "")),
        member("provider", Shape::Id, Text("github")),
        member("default_branch", Shape::Id, Text("main")),
        member("owner", Shape::Id, Text("unassigned")),
        member("business_unit", Shape::Text, Text("engineering")),
        member("environment", Shape::Text, Text("development")),
        member("policy_pack", Shape::Id, Text("cavra-ai-agent-baseline")),
        member("risk_tier", Shape::Id, Text("medium")),
        member("status", Shape::Choice(&["active", "archived", "disabled"]), Text("active")),
        member("protected_branches", Shape::Texts, Texts(&["main"])),
        member("required_checks", Shape::Texts, Texts(&[])),
        member("evidence_refs", Shape::Texts, Texts(&[])),
        member("tenant_id", Shape::Id, Absent),
        member("workspace_id", Shape::Id, Absent),
    ],
};

/// A policy rollout, `cavra.policy_rollout.v1`.
pub static ROLLOUT_SCHEMA: RecordSchema = RecordSchema {
    version: "cavra.policy_rollout.v1",
    name: "policy rollout",
    members: &[
        Member { name: "repository", aliases: &["repository_id"], shape: Shape::Id, default: Required },
        member("policy_pack", Shape::Id, Required),
        member("rollout_id", Shape::Id, Joined(&["repository", "policy_pack"], ":")),
        member("policy_version", Shape::Id, Text("latest")),
        member("mode", Shape::Choice(&["audit_only", "enforce", "strict", "break_glass"]), Text("enforce")),
        member("state", Shape::Choice(&["planned", "active", "paused", "retired"]), Text("planned")),
        member("owner", Shape::Id, Text("platform-security")),
        member("coverage_percent", Shape::Integer(0, 100), Integer(0)),
        member("last_evaluated_at", Shape::Time, Null),
        member("evidence_refs", Shape::Texts, Texts(&[])),
        member("tenant_id", Shape::Id, Absent),
        member("workspace_id", Shape::Id, Absent),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Object, Timestamp};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn normalize(schema: &RecordSchema, body: &Value) -> Result<Value, String> {
        let body = body.as_object().unwrap();
        schema.normalize(body, None, at(0)).map(Value::Object).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_of_a_repository() {
        let now = at(0).to_string();
        let wanted = json!({
            "schema_version": "cavra.repository.v1", "product": "CAVRA", "repository": "payments/api",
            "repository_id": "payments/api", "provider": "github", "default_branch": "main", "owner": "unassigned",
            "business_unit": "engineering", "environment": "development", "policy_pack": "cavra-ai-agent-baseline",
            "risk_tier": "medium", "status": "active", "protected_branches": ["main"], "required_checks": [],
            "evidence_refs": [], "created_at": now, "updated_at": now,
        });
        for body in [
            json!({"repository": "payments/api"}),
            json!({"name": "payments/api", "owner": null, "status": " ", "unknown": 5}),
            json!({"repository_id": "payments/api"}),
        ] {
            assert_eq!(normalize(&REPOSITORY_SCHEMA, &body).unwrap(), wanted, "{body}");
        }
        let both = normalize(&REPOSITORY_SCHEMA, &json!({"name": "n", "repository_id": "id", "required_checks": "ci"}));
        let both = both.unwrap();
        assert_eq!((&both["repository"], &both["repository_id"]), (&json!("n"), &json!("id")));
        assert_eq!(both["required_checks"], json!(["ci"]));
    }

    #[test]
    fn defaults_of_a_rollout() {
        let body = json!({"repository_id": "pay", "policy_pack": "p", "coverage_percent": " 40 ", "tenant_id": "t"});
        let record = normalize(&ROLLOUT_SCHEMA, &body).unwrap();
        for (member, wanted) in [
            ("rollout_id", json!("pay:p")),
            ("mode", json!("enforce")),
            ("state", json!("planned")),
            ("coverage_percent", json!(40)),
            ("last_evaluated_at", Value::Null),
            ("tenant_id", json!("t")),
        ] {
            assert_eq!(record[member], wanted, "{member}");
        }
        assert!(record.get("workspace_id").is_none());
    }

    #[test]
    fn wrong_records_are_refused() {
        for bad in [
            json!({}),
            json!({"repository": " "}),
            json!({"repository": 5}),
            json!({"repository": "r", "status": "gone"}),
            json!({"repository": "r", "status": ["active"]}),
            json!({"repository": "r", "required_checks": {}}),
            json!({"repository": "r", "required_checks": [1]}),
            json!({"repository": "x".repeat(257)}),
            json!({"repository": "a\u{0}b"}),
        ] {
            assert!(normalize(&REPOSITORY_SCHEMA, &bad).is_err(), "{bad}");
        }
        for (member, value) in [
            ("coverage_percent", json!("lots")),
            ("coverage_percent", json!(101)),
            ("coverage_percent", json!(-1)),
            ("coverage_percent", json!(1.5)),
            ("coverage_percent", json!([])),
            ("mode", json!("loose")),
            ("state", json!("Active")),
            ("last_evaluated_at", json!("yesterday")),
        ] {
            let mut body = json!({"repository": "r", "policy_pack": "p"});
            body[member] = value.clone();
            let error = normalize(&ROLLOUT_SCHEMA, &body).unwrap_err();
            assert!(error.starts_with(member), "{error}");
        }
    }

    #[test]
    fn replacing_keeps_when_it_was_created() {
        let body = json!({"repository": "r"});
        let body = body.as_object().unwrap();
        let first = REPOSITORY_SCHEMA.normalize(body, None, at(0)).unwrap();
        let second = REPOSITORY_SCHEMA.normalize(body, Some(&first), at(9)).unwrap();
        assert_eq!((&second["created_at"], &second["updated_at"]), (&json!(at(0)), &json!(at(9))));
    }

    proptest! {
        /// What was normalised is a record already.
        #[test]
        fn normalising_twice_changes_nothing(repository in "[ -~]{1,20}", coverage in 0_i64..=100, owner in ".{0,20}") {
            let body = json!({"repository": repository, "policy_pack": "p", "coverage_percent": coverage, "owner": owner});
            let body: &Object = body.as_object().unwrap();
            if let Ok(once) = ROLLOUT_SCHEMA.normalize(body, None, at(0)) {
                prop_assert_eq!(ROLLOUT_SCHEMA.normalize(&once, Some(&once), at(0)).unwrap(), once);
            }
        }
    }
}
