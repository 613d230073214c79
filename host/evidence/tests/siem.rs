//! Exports for SIEM systems: golden files, and the published schemas of OCSF and ECS.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test helpers may fail loudly")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use cavra_evidence::{SiemError, SiemExport, siem_event};
use cavra_model::{Digest, Object, canonical};
use serde_json::{Value, json};

use support::{SESSION, assert_golden, created_at, object, seven};

fn export(decisions: &[Object]) -> SiemExport {
    SiemExport::new(siem_event(SESSION, created_at(), decisions), "main", "agents").unwrap()
}

fn files(decisions: &[Object], names: &[&str]) -> BTreeMap<&'static str, String> {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    export(decisions).files(&names).unwrap().into_iter().collect()
}

/// The seven, and one decision of every further kind.
fn all_kinds() -> Vec<Object> {
    let mut decisions = seven();
    for (decision, approval) in [
        ("warn", Value::Null),
        ("audit_only", Value::Null),
        ("allow", json!({"approval_id": "apr_0123456789ab", "state": "approved", "approver_group": "Platform"})),
        ("unheard-of", Value::Null),
    ] {
        let mut next = decisions[2].clone();
        next.insert("decision".to_owned(), json!(decision));
        if approval.is_object() {
            next.insert("approval".to_owned(), approval);
        }
        decisions.push(next);
    }
    // What somebody sends who is not cavra.
    decisions.push(object(json!({"decision": "block"})));
    decisions.push(object(json!({"target": 7, "severity": "dire", "timestamp": "soon", "action_type": "write_file"})));
    decisions
}

#[test]
fn every_format_has_its_golden_file() {
    let written = files(&seven(), &["all", "ocsf", "ecs", "cef"]);
    assert_eq!(written.len(), 7);
    for (name, text) in &written {
        // The version of the crate is not part of what is compared.
        let version = env!("CARGO_PKG_VERSION");
        let text = text.replace(&format!("\"version\":\"{version}\""), "\"version\":\"0\"");
        assert_golden(name, &text.replace(&format!("|cavra|{version}|"), "|cavra|0|"));
    }
}

#[test]
fn formats_are_chosen_by_name() {
    let names = |chosen: &[&str]| files(&[], chosen).into_keys().collect::<Vec<_>>();
    let all = ["datadog-events.json", "sentinel-log-analytics.json", "splunk-hec-events.json", "webhook-payload.json"];
    assert_eq!(names(&["all"]), all);
    assert_eq!(names(&["splunk", "splunk"]), ["splunk-hec-events.json"]);
    assert_eq!(names(&["cef", "webhook"]), ["cef-events.log", "webhook-payload.json"]);
    let refused = export(&[]).files(&["splunk".to_owned(), "elastic".to_owned()]).unwrap_err();
    assert_eq!(refused, SiemError::Unknown("elastic".to_owned()));
    assert!(refused.to_string().starts_with("unknown SIEM provider: elastic"));
    for event in [json!([]), json!({}), json!({"timestamp": "soon"})] {
        assert!(matches!(SiemExport::new(event, "", "").unwrap_err(), SiemError::Event(_)));
    }
}

/// `tests/ocsf-1.8.0` holds the JSON Schemas of three classes, made by the PyPI package `ocsf-json-schema` 1.2.0 from
/// the published schema, without descriptions. They allow no member that the schema does not have.
#[test]
fn ocsf_events_are_valid_by_the_published_schema() {
    let class = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/ocsf-1.8.0/{name}.json"));
        let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        jsonschema::validator_for(&schema).unwrap()
    };
    let classes = BTreeMap::from([
        (1001, class("file_activity")),
        (1007, class("process_activity")),
        (6003, class("api_activity")),
    ]);
    let decisions = all_kinds();
    let written = files(&decisions, &["ocsf"]);
    let events: Vec<Value> =
        written["ocsf-events.ndjson"].lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), decisions.len());
    let mut seen = BTreeMap::new();
    for (event, decision) in events.iter().zip(&decisions) {
        let uid = event["class_uid"].as_u64().unwrap();
        let errors: Vec<_> =
            classes[&uid].iter_errors(event).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:?}\n{event}");
        *seen.entry(uid).or_insert(0) += 1;
        // The event proves itself against the evidence.
        let original = canonical(&Value::Object(decision.clone()));
        assert_eq!(event["raw_data"], original);
        assert_eq!(event["raw_data_hash"]["value"], Digest::of(&original).hex());
        assert_eq!(event["type_uid"].as_u64().unwrap(), uid * 100 + event["activity_id"].as_u64().unwrap());
    }
    assert_eq!(seen.len(), classes.len(), "{seen:?}");
    // The schema would notice.
    let mut wrong = events[0].clone();
    wrong["decision"] = json!("block");
    assert!(!classes[&1001].is_valid(&wrong));
    let action =
        |index: usize| (events[index]["action"].as_str().unwrap(), events[index]["disposition"].as_str().unwrap());
    assert_eq!(action(0), ("Denied", "Blocked"));
    assert_eq!(action(1), ("Denied", "Delayed"));
    assert_eq!(action(2), ("Allowed", "Allowed"));
    assert_eq!(
        [7, 8, 9, 10].map(action),
        [("Allowed", "Alert"), ("Observed", "Logged"), ("Allowed", "Approved"), ("Denied", "Blocked")]
    );
}

/// Names of everything in a value that is not an object, joined by dots.
fn leaves(value: &Value, name: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                let dot = if name.is_empty() { "" } else { "." };
                leaves(value, &format!("{name}{dot}{member}"), found);
            }
        }
        _ => found.push(name.to_owned()),
    }
}

/// Fields that Elastic defines as beta, in `schemas/gen_ai.yml` of the schema's repository.
const BETA: [&str; 6] = [
    "gen_ai.agent.id",
    "gen_ai.agent.name",
    "gen_ai.operation.name",
    "gen_ai.tool.call.id",
    "gen_ai.tool.name",
    "gen_ai.tool.type",
];

/// `tests/ecs-9.4.0` holds the fields of the npm package `@elastic/ecs` 9.4.0 with the values it allows.
#[test]
fn ecs_events_have_only_published_fields() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ecs-9.4.0/fields.json");
    let published: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let allowed = |field: &str| published["allowed"][field].as_array().unwrap();
    let is_allowed = |field: &str, value: &Value| allowed(field).iter().any(|row| row["name"] == *value);
    let written = files(&all_kinds(), &["ecs"]);
    let mut beta = BTreeMap::new();
    for line in written["ecs-events.ndjson"].lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let mut names = Vec::new();
        leaves(&event, "", &mut names);
        for name in names {
            let is_beta = BETA.contains(&name.as_str());
            *beta.entry(is_beta).or_insert(0) += 1;
            let known = published["fields"].get(&name).is_some() || is_beta || name.starts_with("labels.");
            assert!(known, "{name} is no field: {event}");
        }
        assert_eq!(event["ecs"]["version"], "9.4.0");
        for field in ["kind", "outcome"] {
            assert!(is_allowed(&format!("event.{field}"), &event["event"][field]), "{event}");
        }
        let categories = event["event"]["category"].as_array().unwrap();
        let rows: Vec<_> = allowed("event.category").iter().filter(|row| categories.contains(&row["name"])).collect();
        assert_eq!(rows.len(), categories.len(), "{event}");
        for kind in event["event"]["type"].as_array().unwrap() {
            let expected = rows.iter().any(|row| row["types"].as_array().unwrap().contains(kind));
            assert!(is_allowed("event.type", kind) && expected, "{kind}: {event}");
        }
    }
    assert_eq!(beta.len(), 2, "both kinds of fields were seen");
}
