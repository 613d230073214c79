//! Rules as tables, on the family of endpoint remediation.

mod follow_ups;
mod properties;
mod routing;
mod states;
mod watching;
mod year;

use cavra_model::Timestamp;

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
        audit_id: String::new(),
    }
}
