//! Rules as tables, on the family of endpoint remediation.

use cavra_model::{Object, Timestamp, members::built};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::families::ENDPOINT_REMEDIATION as FAMILY;

fn at(minute: i64) -> Timestamp {
    // A Wednesday at noon.
    let noon: Timestamp = "2031-05-07T12:00:00Z".parse().unwrap();
    Timestamp::from_micros(noon.as_micros() + minute * 60_000_000)
}

fn stage(kind: StageKind) -> &'static Stage {
    FAMILY.stage(kind).unwrap()
}

fn planning(kind: StageKind, facts: &Facts, now: Timestamp) -> Planning<'_> {
    Planning { family: &FAMILY, stage: stage(kind), facts, generated_by: "console", now }
}

fn notice(minute: i64) -> Notice {
    Notice {
        subject: "r".into(),
        provider: "slack".into(),
        at: at(minute),
        owner: "ann".into(),
        alert_level: "critical".into(),
        plan_id: format!("p{minute}"),
        acknowledgement_required: true,
    }
}

fn answered(minute: i64, state: &str) -> Answer {
    Answer {
        subject: "r".into(),
        provider: "slack".into(),
        at: at(minute),
        state: state.into(),
        id: format!("a{minute}"),
        more: Default::default(),
    }
}

fn state(notices: &[i64], answers: &[(i64, &str)]) -> RouteState {
    let facts = Facts {
        notices: notices.iter().map(|minute| notice(*minute)).collect(),
        answers: answers.iter().map(|(minute, state)| answered(*minute, state)).collect(),
        ..Facts::default()
    };
    routes(&facts).pop().unwrap()
}

#[test]
fn the_state_of_a_route_is_a_fold_over_notices_and_answers() {
    type Row = (&'static [i64], &'static [(i64, &'static str)], i64, i64, &'static str, bool, bool);
    let rows: [Row; 9] = [
        // Notices, answers → since when acknowledgement and resolution are waited for, last answer, acknowledged, resolved.
        (&[0], &[], 0, 0, "pending", false, false),
        (&[0, 30, 60], &[], 0, 0, "pending", false, false),
        (&[0], &[(-5, "acknowledged")], 0, 0, "pending", false, false),
        (&[0], &[(5, "acknowledged")], 0, 0, "acknowledged", true, false),
        (&[0, 60], &[(5, "acknowledged")], 60, 0, "pending", false, false),
        (&[0, 60], &[(5, "resolved")], 60, 60, "pending", false, false),
        (&[0], &[(5, "dismissed")], 0, 0, "dismissed", false, false),
        (&[0], &[(5, "acknowledged"), (6, "escalated")], 0, 0, "escalated", false, false),
        (&[0, 5], &[(5, "resolved")], 0, 0, "resolved", true, true),
    ];
    for (notices, answers, acknowledgement, resolution, answer, acknowledged, resolved) in rows {
        let got = state(notices, answers);
        let what = format!("{notices:?} {answers:?}");
        assert_eq!(got.acknowledgement_since, at(acknowledgement), "{what}");
        assert_eq!(got.resolution_since, at(resolution), "{what}");
        assert_eq!(got.answer, answer, "{what}");
        assert_eq!((got.is_acknowledged(), got.is_resolved()), (acknowledged, resolved), "{what}");
    }
}

#[test]
fn clocks() {
    for (age, answered, expected) in [
        (0, false, ClockState::WithinSlo),
        (47, false, ClockState::WithinSlo),
        (48, false, ClockState::AtRisk),
        (60, false, ClockState::AtRisk),
        (61, false, ClockState::Breached),
        (61, true, ClockState::Met),
    ] {
        assert_eq!(ClockState::of(answered, at(0), 60, at(age)), expected, "{age}");
    }
}

#[test]
fn service_levels_and_ladders() {
    let policy = json!({"default_slo": {"ack_minutes": 10}, "owner_slos": [
        {"owners": ["ANN"], "resolution_minutes": 30}, {"providers": ["slack"], "ack_minutes": 0}],
        "ladders": [{"level": "one", "after": 5}, {"name": "two", "after_minutes": 20, "providers": ["Micro-soft"]},
            {"level": "other", "after": 1, "owners": ["bob"]}]});
    let policy = SloPolicy::read(Some(&policy)).unwrap();
    assert_eq!(policy.targets("ann", "slack", "critical"), Targets { acknowledgement: 1, resolution: 30 });
    assert_eq!(policy.targets("bob", "jira", "critical"), Targets { acknowledgement: 10, resolution: 240 });
    let rung = |age: f64| policy.ladder.rung("ann", "slack", "critical", age).map(|rung| rung.level.clone());
    assert_eq!(rung(4.9), None);
    assert_eq!(rung(5.0).as_deref(), Some("one"));
    assert_eq!(rung(99.0).as_deref(), Some("two"));
}

#[test]
fn policies_that_cannot_be_used_are_refused() {
    for wrong in [
        json!([]),
        json!("x"),
        json!({"maintenance_windows": {}}),
        json!({"maintenance_windows": [7]}),
        json!({"maintenance_windows": [{"start_at": "soon", "end_at": "2031-01-01T00:00:00Z"}]}),
        json!({"maintenance_windows": [{"start_at": "2031-01-02T00:00:00Z", "end_at": "2031-01-01T00:00:00Z"}]}),
        json!({"maintenance_windows": [{"start_at": "2031-01-02T00:00:00Z"}]}),
        json!({"recurrence_interval_minutes": "60"}),
        json!({"recurrence_interval_minutes": 1.5}),
        json!({"max_recurrences": null}),
        json!({"owner_calendars": {"ann": {"business_hours": [{"start": "25:00"}]}}}),
        json!({"owner_calendars": {"ann": {"business_hours": [{"days": ["someday"]}]}}}),
        json!({"owner_calendars": {"ann": 7}}),
        json!({"owner_calendars": {"ann": {"available": "no"}}}),
    ] {
        assert!(RecurrencePolicy::read(Some(&wrong)).is_err(), "{wrong}");
    }
    let fine = json!({"recurrence_interval_minutes": -5, "unknown": 1});
    let policy = RecurrencePolicy::read(Some(&fine)).unwrap();
    assert_eq!((policy.interval_minutes, policy.maximum), (1, 3));
    for wrong in [json!({"backoff_multiplier": "2"}), json!({"max_retries": true}), json!(7)] {
        assert!(Backoff::read(Some(&wrong)).is_err(), "{wrong}");
    }
    for wrong in [json!({"rules": {}}), json!({"rules": [1]}), json!({"rules": [{"min_breached": "1"}]})] {
        assert!(RoutingPolicy::read(Some(&wrong), &[], &["min_breached"]).is_err(), "{wrong}");
    }
}

#[test]
fn calendars() {
    let calendar = |policy: Value| RecurrencePolicy::read(Some(&json!({"owner_calendars": policy}))).unwrap().calendars;
    for (hours, minute, expected) in [
        (json!({"days": ["wednesday"], "start": "09:00", "end": "12:00"}), 0, true),
        (json!({"days": ["wednesday"], "start": "09:00", "end": "12:00"}), 1, false),
        (json!({"days": ["Thu"]}), 0, false),
        (json!({}), 0, true),
        // A shift over midnight belongs to the day on which it begins.
        (json!({"days": ["wed"], "start": "22:00", "end": "06:00"}), 10 * 60, true),
        (json!({"days": ["wed"], "start": "22:00", "end": "06:00"}), 18 * 60, true),
        (json!({"days": ["wed"], "start": "22:00", "end": "06:00"}), 18 * 60 + 1, false),
        (json!({"days": ["thu"], "start": "22:00", "end": "06:00"}), 17 * 60, false),
    ] {
        let calendars = calendar(json!({"ann": {"business_hours": [hours]}}));
        assert_eq!(calendars.availability("ann", at(minute)).available, expected, "{hours} {minute}");
    }
    assert!(!calendar(json!([{"owners": ["ANN"], "available": false}])).availability("ann", at(0)).available);
    assert!(calendar(json!([{"owners": ["bob"], "available": false}])).availability("ann", at(0)).available);
    let away = json!({"ann": {"out_of_office": [{"id": "w", "start_at": "2031-05-07T11:00:00Z",
        "end_at": "2031-05-07T12:00:00Z", "reason": "dentist"}]}});
    let availability = calendar(away.clone()).availability("Ann", at(0));
    assert_eq!((availability.available, availability.reason.as_str()), (false, "dentist"));
    assert!(calendar(away).availability("ann", at(1)).available);
}

fn delivery(source: &str, event: &str, minute: i64, success: bool) -> Delivery {
    Delivery {
        source: source.into(),
        event_id: event.into(),
        provider: "slack".into(),
        success,
        at: at(minute),
        id: format!("d{minute}"),
        status_code: Some(if success { 200 } else { 503 }),
        route_keys: Vec::new(),
    }
}

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
fn backoff() {
    let policy = Backoff::read(Some(&json!({"max_retries": 4, "retry_delay_minutes": 10, "multiplier": 3}))).unwrap();
    assert_eq!([1, 2, 3].map(|failures| policy.delay_minutes(failures)), [10, 30, 90]);
    assert_eq!(policy.delay_minutes(u64::MAX), 10_080);
    assert_eq!(policy.verdict(1, at(0), at(9)).0, Verdict::Wait);
    assert_eq!(policy.verdict(1, at(0), at(10)), (Verdict::Retry, at(10)));
    assert_eq!(policy.verdict(4, at(0), at(9999)).0, Verdict::Suppress);
}

/// The escalation plan of one late route, and the facts behind it.
fn late() -> (Facts, Vec<RouteState>, Object) {
    let facts = Facts { notices: vec![notice(-120)], ..Facts::default() };
    let states = routes(&facts);
    let policy = SloPolicy::read(None).unwrap();
    let plan =
        escalation_plan(&FAMILY, stage(StageKind::EscalationPlan), "report_id", &states, &policy, "console", at(0));
    (facts, states, plan.content)
}

#[test]
fn late_routes_escalate_and_resolved_ones_never_do() {
    let (_, states, plan) = late();
    assert_eq!(plan["active_escalation_count"], 1);
    assert_eq!(plan["owners"][0]["owner"], "ann");
    assert_eq!(plan["route_statuses"][0]["acknowledgement_slo_state"], "breached");
    let ladder = json!({"ladders": [{"level": "boss", "after": 0, "action": "call"}]});
    let policy = SloPolicy::read(Some(&ladder)).unwrap();
    let escalate = |states: &[RouteState]| {
        let stage = stage(StageKind::EscalationPlan);
        escalation_plan(&FAMILY, stage, "report_id", states, &policy, "console", at(0)).content
    };
    assert_eq!(escalate(&states)["route_statuses"][0]["recommended_action"], "call");
    let resolved = state(&[-120], &[(-5, "resolved")]);
    assert_eq!(escalate(&[resolved])["active_escalation_count"], 0);
    let taken_on = state(&[-120], &[(-5, "acknowledged")]);
    assert_eq!(escalate(&[taken_on])["active_escalation_count"], 1, "it still climbs the ladder");
}

#[expect(clippy::needless_pass_by_value, reason = "policies are written in place")]
fn recur(facts: &Facts, policy: Value) -> Value {
    let (_, _, escalation) = late();
    let states = routes(&Facts { notices: vec![notice(-120)], answers: facts.answers.clone(), ..Facts::default() });
    let policy = RecurrencePolicy::read(Some(&policy)).unwrap();
    let plan = recurrence_plan(planning(StageKind::RecurrencePlan, facts, at(0)), Some(&escalation), &states, &policy);
    plan.content["route_decisions"][0].clone()
}

#[test]
fn gates_in_their_order() {
    let key = FAMILY.route_key("r", "slack", "ann");
    let told = |minutes: &[(i64, bool)]| Facts {
        deliveries: minutes
            .iter()
            .map(|(minute, success)| Delivery {
                route_keys: vec![key.clone()],
                ..delivery(FAMILY.sources.recurrence, "erp", *minute, *success)
            })
            .collect(),
        ..Facts::default()
    };
    let reviewed = |state: &str, minute: i64| Facts {
        reviews: vec![Review { route_key: key.clone(), at: at(minute), state: state.into(), id: "v".into() }],
        ..Facts::default()
    };
    let window = json!({"maintenance_windows": [{"start_at": "2031-05-07T11:00:00Z", "end_at": "2031-05-07T13:00:00Z"}],
        "owner_calendars": {"ann": {"available": false}}});
    for (facts, policy, category) in [
        (Facts::default(), json!({}), "deliver"),
        (told(&[(-30, true)]), json!({}), "recurrence_interval_wait"),
        (told(&[(-30, true)]), json!({"recurrence_interval_minutes": 30}), "deliver"),
        (told(&[(-90, true), (-80, true), (-70, true)]), json!({}), "maximum_recurrence"),
        (told(&[(-90, false), (-80, false), (-70, false)]), json!({}), "deliver"),
        (told(&[(-130, true), (-129, true), (-128, true)]), json!({}), "deliver"),
        (Facts::default(), json!({"owner_calendars": {"ann": {"available": false}}}), "owner_calendar"),
        (Facts::default(), window.clone(), "maintenance_window"),
        (reviewed("resolved", -5), window, "owner_review"),
        (reviewed("false_positive", -5), json!({}), "owner_review"),
        (reviewed("accepted", -5), json!({}), "deliver"),
        (reviewed("resolved", -500), json!({}), "deliver"),
    ] {
        let decision = recur(&facts, policy.clone());
        assert_eq!(decision["category"], category, "{policy} {facts:?}");
    }
}

#[test]
fn failures_are_tried_again_until_they_succeed() {
    let source = FAMILY.sources.recurrence;
    let policy = Backoff::read(None).unwrap();
    let retry = |deliveries: Vec<Delivery>| {
        let facts = Facts { deliveries, ..Facts::default() };
        retry_plan(stage(StageKind::RetryPlan), source, &facts, &Default::default(), &policy, "console", at(0)).content
    };
    let failed = |minute| delivery(source, "erp", minute, false);
    assert_eq!(retry(vec![failed(-20)])["retryable_count"], 1);
    assert_eq!(retry(vec![failed(-10)])["waiting_count"], 1);
    assert_eq!(retry(vec![failed(-300), failed(-200), failed(-100)])["suppressed_count"], 1);
    let closed = retry(vec![failed(-300), delivery(source, "erp", -200, true)]);
    assert_eq!(closed["decision_count"], 0);
    let anew = retry(vec![failed(-300), failed(-290), delivery(source, "erp", -200, true), failed(-100)]);
    assert_eq!(anew["retry_decisions"][0]["retry_count"], 1);
}

#[test]
fn audits_and_trends_say_the_same_twice() {
    let facts = Facts::default();
    let (_, _, escalation) = late();
    let policy = RecurrencePolicy::read(Some(&json!({"owner_calendars": {"ann": {"available": false}}}))).unwrap();
    let planning = planning(StageKind::RecurrencePlan, &facts, at(0));
    let plan = recurrence_plan(planning, Some(&escalation), &[], &policy).content;
    let audit = |now| suppression_audit(stage(StageKind::SuppressionAudit), &plan, "console", now);
    assert_eq!(audit(at(0)).id, audit(at(60)).id);
    assert_eq!(audit(at(0)).content["summary"]["calendar_suppressed_count"], 1);
    let trend = |audits: &[&Object], now| {
        let mut seen = Suppressions::default();
        seen.add_plan(&plan);
        audits.iter().for_each(|audit| seen.add_audit(audit));
        seen.trend(stage(StageKind::SuppressionTrend), "console", now)
    };
    let seen = audit(at(0)).content;
    assert_eq!(trend(&[], at(0)).content["suppression_event_count"], 1);
    assert_eq!(trend(&[&seen], at(9)).content["suppression_event_count"], 1, "an audit of a known plan adds nothing");
    assert_eq!(trend(&[], at(0)).id, trend(&[&seen], at(9)).id);
    assert_eq!(trend(&[], at(0)).content["category_counts"], json!({"owner_calendar": 1}));
}

#[test]
fn digests_are_by_owner() {
    let facts = Facts::default();
    let (_, _, escalation) = late();
    let policy = RecurrencePolicy::read(None).unwrap();
    let planning = planning(StageKind::RecurrencePlan, &facts, at(0));
    let plan = recurrence_plan(planning, Some(&escalation), &[], &policy).content;
    let about = Digest { plan: &plan, retry: None, title: "t", event_type: "e", generated_by: "console" };
    let digest = owner_digest(stage(StageKind::OwnerDigest), about, at(0)).content;
    assert_eq!(digest["owners"][0]["owner"], "ann");
    assert_eq!(digest["unresolved_route_count"], 1);
    assert_eq!(digest["alert_level"], "critical");
}

#[test]
fn passes_have_windows() {
    let schedule = Schedule::read(Some(&json!({"interval_minutes": 45}))).unwrap();
    let (start, end) = window_of(schedule, at(7));
    assert!(start <= at(7) && at(7) < end);
    assert_eq!(end.as_micros() - start.as_micros(), 45 * 60_000_000);
    assert_eq!(window_of(schedule, start), (start, end));
    let stage = stage(StageKind::AutomationRun);
    let id = |dry_run| run_id(stage, start, "console", dry_run, &[], &[]);
    assert_eq!(id(true), id(true));
    assert_ne!(id(true), id(false));
}

#[test]
fn health_keeps_its_id_while_the_condition_does() {
    let limits = HealthLimits { expected_interval_minutes: 30, stale_metadata_minutes: 1 };
    let check = |watched: &Watched<'_>, now| health(&FAMILY, watched, &Facts::default(), limits, now);
    let none = check(&Watched::default(), at(0));
    assert_eq!(none.content["alert_level"], "critical");
    assert_eq!(none.content["stale_metadata_minutes"], 30, "raised to the interval");
    assert_eq!(none.content["stale_metadata_count"], 4);
    assert_eq!(none.id, check(&Watched::default(), at(500)).id);
    let run = |status: &str, enabled: bool| {
        built(json!({"metadata_kind": "x", "automation_run": {"run_id": "u", "generated_at": at(-10), "status": status,
            "schedule": {"enabled": enabled}}}))
    };
    let (good, bad, off) = (run("completed", true), run("failed", true), run("completed", false));
    let categories = |runs: Vec<&Object>| {
        let watched = Watched { runs, newest: Vec::new() };
        let content = check(&watched, at(0)).content;
        let alerts = content["alerts"].as_array().unwrap().clone();
        alerts.iter().map(|alert| alert["category"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(categories(vec![&good, &bad]), ["stale_metadata"], "a good pass ends a row of bad ones");
    assert_eq!(categories(vec![&bad, &good]), ["failed_job", "stale_metadata"]);
    assert_eq!(categories(vec![&off]), ["stale_metadata", "disabled_schedule"]);
}

#[test]
fn work_is_measured_from_its_hand_off() {
    let handoff = |id: &str, minutes: i64| {
        built(json!({"handoff_id": id, "providers": ["jira"], "created_at": at(-minutes), "channel": "beta"}))
    };
    let status = |word: &str, minutes: i64| {
        built(json!({"handoff_id": "h", "provider": "jira", "handoff_status": word, "created_at": at(-minutes)}))
    };
    let limits = WorkLimits { warning_hours: 24, critical_hours: 48 };
    let report = |handoffs: &[Object], statuses: &[Object]| {
        work_report(&FAMILY, stage(StageKind::Report), handoffs, statuses, limits, "console", at(0))
    };
    for (age, statuses, expected) in [
        (23, vec![], "met"),
        (24, vec![], "at_risk"),
        (48, vec![], "breached"),
        (1, vec![status("failed", 30)], "breached"),
        (1, vec![status("blocked", 30)], "breached"),
        (99, vec![status("completed", 30)], "met"),
        (99, vec![status("cancelled", 30)], "met"),
        (99, vec![status("completed", 60), status("in_progress", 30)], "breached"),
    ] {
        let made = report(&[handoff("h", age * 60)], &statuses);
        assert_eq!(made.content["work_items"][0]["sla_state"], expected, "{age} {statuses:?}");
    }
    let made = report(&[handoff("young", 60), handoff("old", 99 * 60), handoff("older", 100 * 60)], &[]);
    let order: Vec<_> = made.content["work_items"].as_array().unwrap().iter().map(|item| &item["handoff_id"]).collect();
    assert_eq!(order, ["older", "old", "young"]);
    assert_eq!(made.counts, [3, 2, 0]);
    let unusable = built(json!({"handoff_id": "x", "providers": ["jira"]}));
    assert_eq!(report(&[unusable], &[]).warnings.len(), 1);
    let none = report(&[], &[]);
    assert_eq!((none.warnings.len(), &none.content["alert_level"]), (1, &json!("healthy")));
    let record = stage(StageKind::Report).record(&made, "t", "console");
    assert_eq!(record["breached_count"], 2);
    assert_eq!(record["release_channels"], json!(["beta"]));
}

#[test]
fn answers_are_of_known_words() {
    let reply = |state: Option<&'static str>, provider: &'static str| Reply {
        subject_member: "report_id",
        subject: "r",
        provider,
        state,
        by: "ann",
        ..Reply::default()
    };
    let known = FAMILY.conversations;
    let ack = |reply: &Reply<'_>| acknowledgement(stage(StageKind::Acknowledgement), reply, known, at(0));
    assert_eq!(ack(&reply(None, " Slack ")).unwrap().content["acknowledgement_state"], "acknowledged");
    assert!(ack(&reply(Some("seen"), "slack")).is_err());
    assert!(ack(&reply(None, "splunk")).is_err());
    let long = "x".repeat(513);
    assert!(ack(&Reply { external_ref: Some(&long), ..reply(None, "slack") }).is_err());
    let reviewed = review(stage(StageKind::Review), &reply(Some("False-Positive"), "slack"), known, at(0)).unwrap();
    assert_eq!((reviewed.counts, &reviewed.content["review_state"]), ([1, 0, 0], &json!("false_positive")));
    let escalated = review(stage(StageKind::Review), &reply(Some("escalated"), "slack"), known, at(0)).unwrap();
    assert_eq!(escalated.counts, [1, 1, 1]);
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

proptest! {
    /// The order in which facts are read does not matter, and an answer never leaves a clock that started later behind it.
    #[test]
    fn folds_do_not_depend_on_the_order_of_records(
        notices in prop::collection::btree_set(0_i64..100, 1..6),
        answers in prop::collection::btree_map(0_i64..100, 0_usize..4, 0..6),
        seed in any::<u64>(),
    ) {
        let words = ["acknowledged", "resolved", "dismissed", "escalated"];
        let mut facts = Facts {
            notices: notices.iter().map(|minute| notice(*minute)).collect(),
            answers: answers.iter().map(|(minute, word)| answered(*minute, words[*word])).collect(),
            ..Facts::default()
        };
        let expected = routes(&facts);
        let turn = usize::try_from(seed % 5).unwrap();
        let (left, right) = (turn % facts.notices.len().max(1), turn % facts.answers.len().max(1));
        facts.notices.rotate_left(left);
        facts.answers.rotate_left(right);
        facts.sort();
        prop_assert_eq!(&routes(&facts), &expected);
        let state = &expected[0];
        prop_assert!(state.resolution_since <= state.acknowledgement_since && state.acknowledgement_since <= state.noticed_at);
    }

    /// More deliveries never let a route through that fewer kept back for being told too often.
    #[test]
    fn gates_are_monotone(told in prop::collection::vec(-119_i64..0, 0..8), more in -119_i64..0) {
        let key = FAMILY.route_key("r", "slack", "ann");
        let facts = |minutes: &[i64]| Facts {
            deliveries: minutes.iter().enumerate().map(|(index, minute)| Delivery {
                route_keys: vec![key.clone()], id: format!("d{index}"),
                ..delivery(FAMILY.sources.recurrence, "erp", *minute, true)
            }).collect(),
            ..Facts::default()
        };
        let rank = |decision: &Value| ["deliver", "wait", "suppress"].iter().position(|action| decision["action"] == *action);
        let before = recur(&facts(&told), json!({}));
        let after = recur(&facts(&[told, vec![more]].concat()), json!({}));
        prop_assert!(rank(&after) >= rank(&before));
    }
}
