//! Who is told, and who is not.

use cavra_model::Object;
use serde_json::{Value, json};

use super::*;

fn subject(level: &str) -> Subject {
    Subject {
        id: "r".into(),
        id_member: "report_id",
        alert_level: level.into(),
        tags: [("channels", vec!["beta".to_owned()])].into(),
        untagged_matches: true,
        metrics: [("min_breached", 2)].into(),
        ..Subject::default()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "policies are written in place")]
fn rules(rules: Value) -> RoutingPolicy {
    let tags: [(&str, &[&str]); 1] = [("channels", &["channels"])];
    RoutingPolicy::read(Some(&rules), &tags, &["min_breached"]).unwrap()
}

fn plan(policy: &RoutingPolicy, facts: &Facts, asked: &Request<'_>) -> Object {
    let planning = planning(StageKind::NotificationPlan, facts, at(0));
    notification_plan(planning, FAMILY.sources.notification, &subject("critical"), policy, asked).0.content
}

#[test]
fn who_is_told() {
    let enabled = ["jira".to_owned(), "slack".to_owned(), "splunk".to_owned()];
    let asked = Request { enabled: &enabled, provider: "all", ..Request::default() };
    for (policy, expected) in [
        (json!({}), json!(["jira", "slack"])),
        (json!({"default_providers": "slack"}), json!(["slack"])),
        (json!({"rules": [{"providers": ["slack"], "channels": ["beta"]}]}), json!(["slack"])),
        (json!({"rules": [{"providers": ["slack"], "channels": "stable"}]}), json!(["jira", "slack"])),
        (json!({"rules": [{"providers": ["slack"], "min_breached": 3}]}), json!(["jira", "slack"])),
        (
            json!({"rules": [{"providers": ["slack"], "alert_levels": ["critical"], "min_breached": 2}]}),
            json!(["slack"]),
        ),
        (json!({"rules": [{"providers": ["slack"]}, {"providers": ["teams"]}]}), json!(["slack", "teams"])),
    ] {
        assert_eq!(plan(&rules(policy.clone()), &Facts::default(), &asked)["eligible_providers"], expected, "{policy}");
    }
    let owned = rules(json!({"owner": "desk", "rules": [
        {"rule_id": "one", "providers": ["slack"], "owner": "ann", "ack_required": false},
        {"name": "two", "providers": ["slack"], "owner": "bob", "ack_required": false}]}));
    let route = plan(&owned, &Facts::default(), &asked)["routes"][0].clone();
    assert_eq!((&route["owner"], &route["rule_ids"]), (&json!("bob"), &json!(["one", "two"])));
    assert_eq!(route["acknowledgement_required"], false);
    let missing = plan(&rules(json!({"rules": [{"providers": ["slack", "teams"]}]})), &Facts::default(), &asked);
    assert_eq!(missing["routes"][1]["category"], "connector_not_configured");
    assert_eq!(missing["selected_providers"], json!(["slack"]));
}

#[test]
fn only_what_arrived_is_a_duplicate() {
    let enabled = ["slack".to_owned()];
    let asked = |window, force| Request { enabled: &enabled, window, force, ..Request::default() };
    let told = |minute, success| Facts {
        deliveries: vec![delivery(FAMILY.sources.notification, "r", minute, success)],
        ..Facts::default()
    };
    for (facts, asked, suppressed) in [
        (told(-10, true), asked(None, false), 1),
        (told(-10, false), asked(None, false), 0),
        (told(-61, true), asked(None, false), 0),
        (told(-61, true), asked(Some(90), false), 1),
        (told(-10, true), asked(Some(0), false), 0),
        (told(-10, true), asked(None, true), 0),
    ] {
        let plan = plan(&RoutingPolicy::default(), &facts, &asked);
        assert_eq!(plan["suppressed_provider_count"], suppressed, "{facts:?} {asked:?}");
    }
}

#[test]
fn a_healthy_subject_may_tell_nobody_even_by_force() {
    let facts = Facts::default();
    let enabled = ["slack".to_owned()];
    let asked = Request { enabled: &enabled, force: true, ..Request::default() };
    let subject = Subject { silent_when_healthy: true, ..subject("healthy") };
    let planning = planning(StageKind::HealthAlertPlan, &facts, at(0));
    let (plan, _) = notification_plan(planning, "s", &subject, &RoutingPolicy::default(), &asked);
    assert_eq!(plan.content["selected_providers"], json!([]));
}

#[test]
fn connectors_are_named_or_all() {
    let known = FAMILY.conversations;
    assert_eq!(providers_asked(Some(&json!("all")), known).unwrap(), None);
    assert_eq!(providers_asked(Some(&json!("")), known).unwrap(), None);
    assert_eq!(providers_asked(Some(&json!(" Slack, jira ")), known).unwrap().unwrap(), ["jira", "slack"]);
    assert!(providers_asked(Some(&json!("jamf")), known).is_err());
    assert!(providers_asked(Some(&json!(7)), known).is_err());
}
