//! Records of deliveries to integrations: what was sent, what could not be, and what somebody decided about that.

use cavra_model::members::{built, text};
use cavra_model::{Digest, Object, Timestamp};
use serde_json::{Value, json};

use super::feed::{Step, Wanted};
use super::subscription::Subscription;
use crate::CoreError;

/// It arrived.
pub(super) const DELIVERED: &str = "delivered";
/// It was given up. Somebody can have it sent again, or drop it.
pub(super) const DEAD_LETTER: &str = "dead_letter";
/// It was given up and is to be sent again.
pub(super) const PENDING: &str = "pending";
/// Somebody decided that it is not sent.
pub(super) const DROPPED: &str = "dropped";

/// The id of the delivery of what a leaf notes to an integration: the same whoever makes it and however often, so receivers
/// know what they have already.
pub(super) fn delivery_id(integration: &str, step: &Step) -> String {
    let digest = Digest::of(format!("{integration}\n{}\n{}\n{}", step.log, step.index, step.text));
    let short: String = digest.hex().chars().take(24).collect();
    format!("dlv_{short}")
}

/// The record of an event before it is sent.
pub(super) fn record(subscription: &Subscription, step: &Step, wanted: &Wanted) -> Object {
    built(json!({
        "schema_version": "cavra.integration_delivery.v1",
        "product": "CAVRA",
        "delivery_id": delivery_id(&subscription.integration, step),
        "integration_id": subscription.integration,
        "provider": subscription.provider.as_str(),
        "event_type": wanted.event_type,
        "record_id": wanted.leaf.id,
        "log": { "name": step.log, "index": step.index },
        "state": PENDING,
        "queued_at": wanted.leaf.time,
        "attempt_count": 0,
        "status_code": null,
        "error": null,
        "delivered_at": null,
        "event": wanted.event,
    }))
}

/// What came of the last attempt stands in the record.
pub(super) fn settle(record: &mut Object, state: &str, attempt: &Object, attempts: u32, now: Timestamp) {
    let before = record.get("attempt_count").and_then(Value::as_u64).unwrap_or(0);
    let member = |name: &str| attempt.get(name).cloned().unwrap_or(Value::Null);
    let settled = [
        ("state", json!(state)),
        ("attempt_count", json!(before + u64::from(attempts))),
        ("status_code", member("status_code")),
        ("error", member("error")),
        ("request", member("request")),
        ("updated_at", json!(now)),
    ];
    record.extend(settled.map(|(name, value)| (name.to_owned(), value)));
    record.remove("pending_for");
    if state == DELIVERED {
        // The record it is about and the log have it.
        record.remove("event");
        record.insert("delivered_at".to_owned(), json!(now));
    }
}

/// Whether what came of an attempt is written over what stands there: what has arrived stays so, and what somebody dropped is
/// only overruled by its arrival.
pub(super) fn is_news(stored: Option<&Object>, record: &Object) -> bool {
    let is_over = stored.is_some_and(|stored| [DELIVERED, DROPPED].contains(&text(stored, "state")));
    !is_over || (text(record, "state") == DELIVERED && stored.is_some_and(|stored| text(stored, "state") == DROPPED))
}

/// A dead letter is to be sent again.
pub(super) fn retry(record: &mut Object, now: Timestamp) -> Result<(), CoreError> {
    if text(record, "state") != DEAD_LETTER {
        return Err(CoreError::Conflict(format!(
            "this delivery is {}; only dead letters are retried",
            text(record, "state")
        )));
    }
    let integration = text(record, "integration_id").to_owned();
    record.extend([
        ("state".to_owned(), json!(PENDING)),
        ("pending_for".to_owned(), json!(integration)),
        ("retried_at".to_owned(), json!(now)),
        ("updated_at".to_owned(), json!(now)),
    ]);
    Ok(())
}

/// A delivery that has not arrived is not made any more.
pub(super) fn drop_it(record: &mut Object, now: Timestamp) -> Result<(), CoreError> {
    let state = text(record, "state");
    if ![DEAD_LETTER, PENDING].contains(&state) {
        return Err(CoreError::Conflict(format!("this delivery is {state}; there is nothing to drop")));
    }
    record.remove("pending_for");
    record.remove("event");
    record.extend([("state".to_owned(), json!(DROPPED)), ("updated_at".to_owned(), json!(now))]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_not_arrived_is_retried_or_dropped() {
        let now = Timestamp::from_micros(0);
        for (state, retried, dropped) in
            [(DELIVERED, false, false), (DEAD_LETTER, true, true), (PENDING, false, true), (DROPPED, false, false)]
        {
            let record = built(json!({"state": state, "integration_id": "i", "event": {}}));
            let (mut again, mut gone) = (record.clone(), record);
            assert_eq!(retry(&mut again, now).is_ok(), retried, "{state}");
            assert_eq!(again.get("pending_for").is_some(), retried, "{state}");
            assert_eq!(drop_it(&mut gone, now).is_ok(), dropped, "{state}");
            assert_eq!(gone.contains_key("event"), !dropped, "{state}");
        }
    }

    #[test]
    fn what_is_over_stays_so() {
        for (stored, came, written) in [
            (None, DEAD_LETTER, true),
            (Some(PENDING), DEAD_LETTER, true),
            (Some(DROPPED), DEAD_LETTER, false),
            (Some(DROPPED), DELIVERED, true),
            (Some(DELIVERED), DEAD_LETTER, false),
            (Some(DELIVERED), DELIVERED, false),
        ] {
            let of = |state: &str| built(json!({ "state": state }));
            assert_eq!(is_news(stored.map(of).as_ref(), &of(came)), written, "{stored:?} {came}");
        }
    }
}
