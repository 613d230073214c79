//! What views say of records.

use serde_json::{Value, json};

use super::{Alert, Alerts, Condition, Folder, Level, Measure, Measured, measured};
use crate::Object;

fn fold(view: &'static [Measured], records: &[Value]) -> Value {
    let mut folder = Folder::new(view);
    records.iter().for_each(|record| folder.add(record.as_object().unwrap()));
    Value::Object(folder.answer())
}

static ENDPOINT: [Measured; 2] =
    [measured("endpoints", Measure::Count), measured("stale", Measure::CountIf(Condition::Is("status", "stale")))];

#[test]
fn every_measure() {
    let records = [
        json!({"id": "a", "owner": "x", "status": "stale", "n": 3, "tags": ["t1", "t2"], "at": "2031-01-02", "parts": [{"ok": true}, {}]}),
        json!({"id": "a", "owner": "x", "status": "fresh", "n": -1, "tags": ["t1"], "at": "2031-01-03", "deep": {"er": "v"}}),
        json!({"id": "b", "owner": "y", "status": "stale", "tags": "t2", "at": "2031-01-01", "due": "2030-12-31"}),
        json!({"id": "c", "status": null, "n": "4", "tags": [7, null], "deep": 4, "parts": [5]}),
    ];
    static VIEW: [Measured; 15] = [
        measured("schema_version", Measure::Constant("v1")),
        measured("total", Measure::Count),
        measured("stale", Measure::CountIf(Condition::Is("status", "stale"))),
        measured("sum", Measure::Sum("n")),
        measured(
            "stale_rate",
            Measure::Ratio { part: Condition::Is("status", "stale"), of: Condition::Present("status") },
        ),
        measured("none", Measure::Ratio { part: Condition::Always, of: Condition::Is("id", "z") }),
        measured("owners", Measure::CountBy { by: "owner", most: 1 }),
        measured("tags", Measure::CountBy { by: "tags", most: 9 }),
        measured("top", Measure::Top { by: "id", most: 1 }),
        measured("by_owner", Measure::Group { by: "owner", view: &ENDPOINT, most: 9 }),
        measured("latest", Measure::LatestBy { by: "id", time: "at", view: &ENDPOINT, most: 2 }),
        measured(
            "parts",
            Measure::Flatten { list: "parts", view: &[measured("ok", Measure::CountIf(Condition::Flag("ok", true)))] },
        ),
        measured("overdue", Measure::Where { condition: Condition::Before("due", "at"), view: &ENDPOINT }),
        measured("first", Measure::First { most: 1, members: &[("name", "id"), ("deep", "deep.er")] }),
        measured("deep", Measure::CountBy { by: "deep.er", most: 9 }),
    ];
    assert_eq!(
        fold(&VIEW, &records),
        json!({
            "schema_version": "v1", "total": 4, "stale": 2, "sum": 2, "stale_rate": 66.66, "none": 0.0,
            "owners": {"x": 2, "(others)": 1}, "tags": {"t1": 2, "t2": 2}, "top": [{"value": "a", "count": 2}],
            "by_owner": {"x": {"endpoints": 2, "stale": 1}, "y": {"endpoints": 1, "stale": 1}},
            "latest": {"endpoints": 2, "stale": 1}, "parts": {"ok": 1}, "overdue": {"endpoints": 1, "stale": 1},
            "first": [{"name": "a", "deep": null}], "deep": {"v": 1},
        })
    );
}

static LEVEL: [Measured; 1] = [measured("state", Measure::CountBy { by: "state", most: 9 })];

#[test]
fn measures_of_lists_times_and_several_members() {
    let records = [
        json!({"a": "x", "b": "p", "state": "open", "at": "2031-01-01T01:00:00Z", "files": ["f", "g"], "seen": [{"n": 1}, 2]}),
        json!({"a": "x", "b": "p", "state": "done", "at": "2031-01-01T03:30:00+02:00", "seen": [3]}),
        json!({"a": "x", "b": "q", "state": "open", "at": "soon", "files": "f"}),
    ];
    static VIEW: [Measured; 9] = [
        measured("files", Measure::Elements("files")),
        measured("pairs", Measure::Distinct { by: "a+b", most: 9 }),
        measured("bounded", Measure::Distinct { by: "a+b", most: 1 }),
        measured("newest", Measure::Newest("at")),
        measured("share", Measure::Share { part: Condition::Is("state", "open"), of: Condition::Always }),
        measured("by", Measure::CountByOr { by: "c", without: "unknown", most: 9 }),
        measured("rows", Measure::Rows { by: "b", name: "of", view: &[measured("n", Measure::Count)], most: 9 }),
        measured(super::SPREAD, Measure::LatestBy { by: "a+b", time: "at", view: &LEVEL, most: 9 }),
        measured("seen", Measure::Listed { list: "seen", most: 2 }),
    ];
    assert_eq!(
        fold(&VIEW, &records),
        json!({
            "files": 2, "pairs": 2, "bounded": 1, "newest": "2031-01-01T03:30:00+02:00", "share": 0.6667, "by": {"unknown": 3},
            "rows": [{"of": "p", "n": 2}, {"of": "q", "n": 1}], "state": {"done": 1, "open": 1},
            "seen": [{"n": 1}, 2],
        })
    );
}

static ALERTS: Alerts = Alerts {
    rows: &[
        Alert {
            when: Condition::All(&[Condition::Is("state", "failed"), Condition::AtLeast("tries", 3)]),
            level: Level::Critical,
            message: "{id} failed {tries} times{nothing}",
            members: &[("id", "id")],
        },
        Alert { when: Condition::Is("state", "failed"), level: Level::Warning, message: "{id} failed", members: &[] },
    ],
    empty: Some((Level::Warning, "nothing was tried")),
    most: 2,
};

#[test]
fn the_gravest_alert_sets_the_level() {
    static VIEW: [Measured; 2] =
        [measured("level", Measure::WorstOf(&ALERTS)), measured("alerts", Measure::Alerts(&ALERTS))];
    let failed = |id: &str, tries: u64| json!({"id": id, "state": "failed", "tries": tries});
    for (records, level, messages) in [
        (vec![], "warning", vec!["nothing was tried"]),
        (vec![json!({"state": "done"})], "healthy", vec![]),
        (vec![failed("a", 1)], "warning", vec!["a failed"]),
        (vec![failed("a", 1), failed("b", 2), failed("c", 3)], "critical", vec!["a failed", "b failed"]),
        (vec![failed("c", 3)], "critical", vec!["c failed 3 times"]),
    ] {
        let seen = fold(&VIEW, &records);
        let said: Vec<_> = seen["alerts"].as_array().unwrap().iter().map(|alert| alert["message"].clone()).collect();
        assert_eq!((seen["level"].as_str(), json!(said)), (Some(level), json!(messages)));
    }
}

/// However many records and values there are, what is remembered has a bound, and what is frequent is not lost.
#[test]
fn memory_is_bounded() {
    static VIEW: [Measured; 5] = [
        measured("values", Measure::CountBy { by: "id", most: 10 }),
        measured("groups", Measure::Group { by: "id", view: &ENDPOINT, most: 10 }),
        measured("latest", Measure::LatestBy { by: "id", time: "at", view: &ENDPOINT, most: 10 }),
        measured("top", Measure::Top { by: "id", most: 2 }),
        measured("first", Measure::First { most: 5, members: &[("id", "id")] }),
    ];
    let mut folder = Folder::new(&VIEW);
    for number in 0..20_000_u32 {
        let id = if number.is_multiple_of(4) { "often".to_owned() } else { format!("once{number}") };
        let record = json!({"id": id, "at": "2031"});
        folder.add(record.as_object().unwrap_or(&Object::new()));
    }
    let seen = folder.answer();
    assert_eq!(seen["values"].as_object().unwrap().len(), 11);
    assert_eq!(seen["values"].as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>(), 20_000);
    assert_eq!((seen["groups"].as_object().unwrap().len(), &seen["latest"]["endpoints"]), (11, &json!(10)));
    assert_eq!((&seen["top"][0]["value"], seen["first"].as_array().unwrap().len()), (&json!("often"), 5));
    assert!(seen["top"][0]["count"].as_u64().unwrap() >= 5_000);
}
