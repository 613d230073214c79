use proptest::prelude::*;

use super::*;
use crate::{KnownBy, action_digest};

fn at(hour: i64) -> Timestamp {
    Timestamp::from_micros(hour * 3_600_000_000)
}

fn request(quorum: u64) -> ApprovalRequest {
    let decision = json!({
        "decision_id": "dec_1", "session_id": "s", "action_type": "execute_command", "target": "terraform apply",
        "requested_operation": "terraform apply", "repository": "r", "reason": "why", "evidence_refs": ["evidence://s/dec_1"],
    });
    let decision = built(decision);
    ApprovalRequest {
        action_digest: action_digest(&decision),
        decision,
        approver_group: "IAM".into(),
        requested_by: "ai-agent".into(),
        requester: Person::named("ai-agent"),
        note: None,
        unverified: false,
        ttl_hours: 24,
        quorum,
    }
}

fn by(person: &str) -> DecidedBy {
    DecidedBy {
        actor: person.into(),
        person: Person::described(Some("i".into()), Some(person.into()), [], KnownBy::Token),
        reason: "fine".into(),
        external_ref: Some("CHG-1".into()),
    }
}

#[test]
fn a_new_approval_waits() {
    let record = request_approval(request(1), at(0)).unwrap();
    assert_eq!(state(&record), Some(ApprovalState::Pending));
    let id = record["approval_id"].as_str().unwrap();
    assert!(id.len() == 16 && id.starts_with("apr_"), "{id}");
    assert_eq!(record["evidence_refs"], json!([format!("approval://{id}"), "evidence://s/dec_1"]));
    assert_eq!(record["expires_at"], json!(at(24)));
    assert_eq!(
        record["history"],
        json!([{"event": "requested", "actor": "ai-agent", "timestamp": at(0), "reason": "why"}])
    );
    for member in ["decided_by", "external_ref", "required_approvals", "break_glass"] {
        assert!(!record.contains_key(member), "{member}");
    }
}

#[test]
fn rulings_are_final() {
    for (ruling, wanted) in [(Ruling::Approve, "approved"), (Ruling::Deny, "denied"), (Ruling::Expire, "expired")] {
        let mut record = request_approval(request(1), at(0)).unwrap();
        rule_on(&mut record, ruling, &by("ann"), at(1)).unwrap();
        assert_eq!((record["state"].as_str(), record["decided_by"].as_str()), (Some(wanted), Some("ann")));
        assert_eq!(record["history"][1]["external_ref"], "CHG-1");
        let before = record.clone();
        assert!(rule_on(&mut record, Ruling::Approve, &by("bob"), at(2)).is_err());
        assert_eq!(record, before);
    }
}

#[test]
fn the_clock_expires_what_nobody_decides() {
    let mut record = request_approval(request(1), at(0)).unwrap();
    assert!(!expire_if_lapsed(&mut record, at(23)));
    assert_eq!(rule_on(&mut record, Ruling::Approve, &by("ann"), at(24)), Err(ApprovalConflict::NotPending("expired")));
    assert!(expire_if_lapsed(&mut record, at(30)));
    assert_eq!((record["state"].as_str(), record["decided_by"].as_str()), (Some("expired"), Some("system")));
    assert_eq!(record["decided_at"], json!(at(24)));
    assert!(!expire_if_lapsed(&mut record, at(31)));
}

#[test]
fn a_grant_that_ran_out_authorizes_nothing() {
    let mut record = request_approval(request(1), at(0)).unwrap();
    assert!(!authorizes(&record, at(1)));
    rule_on(&mut record, Ruling::Approve, &by("ann"), at(1)).unwrap();
    assert!(authorizes(&record, at(23)) && !authorizes(&record, at(24)));
    record.insert("expires_at".into(), json!("soon"));
    assert!(!authorizes(&record, at(1)));
}

#[test]
fn a_quorum_needs_different_people() {
    let mut record = request_approval(request(2), at(0)).unwrap();
    rule_on(&mut record, Ruling::Approve, &by("ann"), at(1)).unwrap();
    assert_eq!(state(&record), Some(ApprovalState::Pending));
    assert_eq!(rule_on(&mut record, Ruling::Approve, &by("ann"), at(2)), Err(ApprovalConflict::SamePerson));
    rule_on(&mut record, Ruling::Approve, &by("bob"), at(3)).unwrap();
    assert_eq!(state(&record), Some(ApprovalState::Approved));
    assert_eq!(record["approvals"].as_array().unwrap().len(), 2);
    let mut denied = request_approval(request(3), at(0)).unwrap();
    rule_on(&mut denied, Ruling::Deny, &by("ann"), at(1)).unwrap();
    assert_eq!(state(&denied), Some(ApprovalState::Denied));
}

/// One person has one vote, whatever tokens, claims or names they come with; two people have two.
#[test]
fn a_person_votes_once() {
    let described = |subject: &str, name: &str, known_by| {
        let subject = Some(subject.to_owned()).filter(|subject| !subject.is_empty());
        Person::described(Some("i".into()), subject, [name.to_owned()], known_by)
    };
    let ann = described("u1", "ann@x", KnownBy::Token);
    for (other, same) in [
        (described("u1", "", KnownBy::Token), true),
        (described("u1", "renamed@x", KnownBy::Token), true),
        (described("u2", "ann@x", KnownBy::Token), false),
        (described("", "ANN@x", KnownBy::Claims), true),
        (described("u2", "bob@x", KnownBy::Claims), false),
        (Person::named("Ann@X"), true),
        (Person::named("bob"), false),
    ] {
        for (first, second) in [(&ann, &other), (&other, &ann)] {
            let vote = |person: &Person| {
                let named = person.to_value().is_none();
                let actor = if named { person.key() } else { "whoever".to_owned() };
                DecidedBy { person: person.clone(), ..by(&actor) }
            };
            let mut record = request_approval(request(2), at(0)).unwrap();
            rule_on(&mut record, Ruling::Approve, &vote(first), at(1)).unwrap();
            let again = rule_on(&mut record, Ruling::Approve, &vote(second), at(2));
            assert_eq!(again.is_err(), same, "{first:?} {second:?}");
        }
    }
    // Counted before identities were written down.
    let mut record = request_approval(request(2), at(0)).unwrap();
    record.insert("approvals".into(), json!([{"actor": "ann@x", "person": "i|u1"}]));
    let again = DecidedBy { person: described("u1", "", KnownBy::Token), ..by("u1") };
    assert_eq!(rule_on(&mut record, Ruling::Approve, &again, at(1)), Err(ApprovalConflict::SamePerson));
}

#[test]
fn who_asked_and_who_decided_is_written_down() {
    let person = |subject: &str| Person::described(Some("i".into()), Some(subject.into()), [], KnownBy::Token);
    let asked = ApprovalRequest { requester: person("u1"), note: Some("please".into()), ..request(1) };
    let mut record = request_approval(asked, at(0)).unwrap();
    rule_on(&mut record, Ruling::Approve, &DecidedBy { person: person("u2"), ..by("bob") }, at(1)).unwrap();
    for (member, subject) in [("requested_by", "u1"), ("decided_by", "u2")] {
        assert_eq!(Person::noted(&record, member), Some(person(subject)));
    }
    assert_eq!(
        (&record["history"][1]["actor_identity"]["subject"], &record["request_note"]),
        (&json!("u2"), &json!("please"))
    );
    assert_eq!((&record["decided_via"], record.get("unverified")), (&json!("token"), None));
}

#[test]
fn what_nobody_vouches_for_says_so() {
    let mut record = request_approval(ApprovalRequest { unverified: true, ..request(1) }, at(0)).unwrap();
    rule_on(&mut record, Ruling::Approve, &by("ann"), at(1)).unwrap();
    mark_used(&mut record, "dec_2", None, at(2));
    assert!(is_unverified(&record) && is_unverified(approval_summary(&record).as_object().unwrap()));
    assert!(!is_unverified(&request_approval(request(1), at(0)).unwrap()));
}

#[test]
fn breaking_the_glass_tells_its_story() {
    let record = break_glass_approval(request(1), &by("ann"), at(0)).unwrap();
    let events: Vec<_> = record["history"].as_array().unwrap().iter().map(|event| event["event"].clone()).collect();
    assert_eq!(events, ["requested", "approved", "break_glass"]);
    assert_eq!((&record["history"][0]["reason"], &record["break_glass_reason"]), (&json!("why"), &json!("fine")));
    assert_eq!((record["state"].as_str(), record["break_glass"].as_bool()), (Some("break_glass"), Some(true)));
    assert!(authorizes(&record, at(1)));
}

#[test]
fn a_decision_takes_the_approval_along() {
    let record = request_approval(request(1), at(0)).unwrap();
    let decision = built(json!({"decision_id": "dec_1", "evidence_refs": ["evidence://s/dec_1"]}));
    let attached = attach_approval(decision, &record).unwrap();
    assert_eq!(attached["approval"]["break_glass"], json!(false));
    assert_eq!(attached["approval"]["decided_by"], Value::Null);
    assert_eq!(attached["evidence_refs"].as_array().unwrap().len(), 2);
    for id in [json!("dec_2"), json!(1), json!(["dec_1"])] {
        let other = built(json!({"decision_id": id}));
        assert_eq!(attach_approval(other, &record), Err(ApprovalConflict::OtherDecision));
    }
    // With the right id, or none, it still has to be what was approved.
    for other in
        [json!({"decision_id": "dec_1", "target": "ls"}), json!({"reason": "harmless"}), json!({"severity": "low"})]
    {
        let refused = attach_approval(built(other.clone()), &record);
        assert!(matches!(refused, Err(ApprovalConflict::OtherContent(_))), "{other}");
    }
}

#[test]
fn the_digest_is_of_what_approvers_see() {
    let decision = request(1).decision;
    let digest = action_digest(&decision).unwrap();
    for (member, value) in [
        ("target", "terraform apply -auto-approve"),
        ("action_type", "write_file"),
        ("requested_operation", "x"),
        ("repository", "other"),
        ("content_digest", "sha256:0"),
        ("agent_id", "other"),
    ] {
        let mut changed = decision.clone();
        changed.insert(member.into(), json!(value));
        assert_ne!(action_digest(&changed).unwrap(), digest, "{member}");
    }
    let mut later = decision;
    later.insert("decision_id".into(), json!("dec_2"));
    assert_eq!(action_digest(&later).unwrap(), digest);
    assert_eq!(action_digest(&Object::new()), None);
}

proptest! {
    /// However rulings follow each other, a settled approval never changes, and only approvals by `quorum`
    /// different people end in `approved`.
    #[test]
    fn settled_is_settled(quorum in 1_u64..4, rulings in prop::collection::vec((0_u8..3, 0_u8..4, 0_i64..40), 0..12)) {
        let mut record = request_approval(request(quorum), at(0)).unwrap();
        let mut people = std::collections::BTreeSet::new();
        for (ruling, person, hour) in rulings {
            let ruling = [Ruling::Approve, Ruling::Deny, Ruling::Expire][usize::from(ruling)];
            let before = record.clone();
            let settled = state(&before) != Some(ApprovalState::Pending);
            match rule_on(&mut record, ruling, &by(&person.to_string()), at(hour)) {
                Ok(()) => {
                    prop_assert!(!settled && hour < 24);
                    if ruling == Ruling::Approve {
                        people.insert(person);
                    }
                }
                Err(_) => prop_assert_eq!(&record, &before),
            }
        }
        if state(&record) == Some(ApprovalState::Approved) {
            prop_assert_eq!(people.len() as u64, quorum);
        }
    }
}

#[test]
fn a_broken_glass_ends_once() {
    let mut record = break_glass_approval(request(1), &by("ann"), at(0)).unwrap();
    assert!(!end_break_glass(&mut record, at(23)));
    assert!(end_break_glass(&mut record, at(30)));
    assert_eq!((&record["state"], &record["break_glass_ended_at"]), (&json!("break_glass"), &json!(at(24))));
    assert_eq!(record["history"].as_array().unwrap().last().unwrap()["event"], "break_glass_ended");
    assert!(!end_break_glass(&mut record, at(31)), "once");
    // An end is final: the clock may go back, and nothing else makes it begin again.
    for (hour, expires) in [(1, at(24)), (25, at(100)), (0, at(100))] {
        record.insert("expires_at".into(), json!(expires));
        assert!(has_lapsed(&record, at(hour)) && !authorizes(&record, at(hour)));
        assert!(!end_break_glass(&mut record, at(hour)));
    }
    let mut pending = request_approval(request(1), at(0)).unwrap();
    assert!(!end_break_glass(&mut pending, at(30)));
}
