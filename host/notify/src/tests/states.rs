//! How routes stand, service levels and calendars.

use serde_json::json;

use super::*;

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
