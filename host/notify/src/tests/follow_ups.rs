//! Escalation, recurrence, retries, digests and passes.

use cavra_model::Object;
use serde_json::{Value, json};

use super::*;

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
pub(super) fn late() -> (Facts, Vec<RouteState>, Object) {
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
pub(super) fn recur(facts: &Facts, policy: Value) -> Value {
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

/// A document that is handed in is counted as when it was made.
#[test]
fn documents_say_what_their_records_count() {
    let (facts, states, _) = late();
    let slo = SloPolicy::read(None).unwrap();
    let recurrence = RecurrencePolicy::read(None).unwrap();
    let escalation = escalation_plan(&FAMILY, stage(StageKind::EscalationPlan), "report_id", &states, &slo, "c", at(0));
    let failed = Facts { deliveries: vec![delivery(FAMILY.sources.recurrence, "e", -20, false)], ..Facts::default() };
    let retry = retry_plan(
        stage(StageKind::RetryPlan),
        FAMILY.sources.recurrence,
        &failed,
        &Default::default(),
        &Backoff::read(None).unwrap(),
        "c",
        at(0),
    );
    let again = recurrence_plan(
        planning(StageKind::RecurrencePlan, &facts, at(0)),
        Some(&escalation.content),
        &states,
        &recurrence,
    );
    for (kind, made) in
        [(StageKind::EscalationPlan, escalation), (StageKind::RecurrencePlan, again), (StageKind::RetryPlan, retry)]
    {
        assert_ne!(made.counts, [0; 3], "{kind:?}");
        assert_eq!(stage(kind).handed_in(&made.id, made.content.clone()), made, "{kind:?}");
    }
}
