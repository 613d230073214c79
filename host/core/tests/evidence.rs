//! Records that the server writes once, over both backends. docs/reference/evidence-and-promotion.md, sections 1.2, 8 and 10.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use cavra_core::{Caller, CoreError, EVIDENCE_KINDS, Evidence, Written};
use cavra_model::{EVIDENCE, EVIDENCE_METADATA, EVIDENCE_ORIGINS, Object};
use cavra_store::{Location, RecordStore};
use serde_json::{Value, json};

fn object(value: &Value) -> Object {
    value.as_object().cloned().unwrap()
}

fn stores() -> (tempfile::TempDir, [Location; 2]) {
    let directory = tempfile::tempdir().unwrap();
    let locations = [Location::Json(directory.path().join("m.json")), Location::Sqlite(directory.path().join("m.db"))];
    (directory, locations)
}

fn open(location: &Location) -> Evidence {
    Evidence::new(RecordStore::open(location.clone(), &EVIDENCE_KINDS).unwrap(), None)
}

fn execution(by: &str) -> Object {
    object(&json!({"session_id": "rpe_1", "metadata_kind": "rollout-promotion-execution", "signer": by}))
}

#[tokio::test]
async fn the_first_of_two_stays() {
    let (_directory, locations) = stores();
    for location in locations {
        let evidence = open(&location);
        let first = evidence.insert_once(execution("ann"), None).await.unwrap();
        assert!(!first.repeated);
        let second = evidence.insert_once(execution("bob"), None).await.unwrap();
        assert_eq!(second, Written { record: first.record.clone(), repeated: true, replaced: false });
        evidence.store().close().await;
        // Who wrote it is remembered.
        let evidence = open(&location);
        assert!(evidence.is_ours("rpe_1").await.unwrap());
        assert!(matches!(evidence.post(execution("eve"), &Caller::default()).await, Err(CoreError::Conflict(_))));
        assert_eq!(evidence.get(&EVIDENCE, "rpe_1").await.unwrap(), first.record);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_writes() {
    let (_directory, locations) = stores();
    for location in locations {
        let evidence = open(&location);
        let calls: Vec<_> = (0..16)
            .map(|number| {
                let evidence = evidence.clone();
                tokio::spawn(async move { evidence.insert_once(execution(&number.to_string()), None).await.unwrap() })
            })
            .collect();
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await.unwrap());
        }
        assert_eq!(answers.iter().filter(|written| !written.repeated).count(), 1);
        assert!(answers.iter().all(|written| written.record == answers[0].record));
    }
}

#[tokio::test]
async fn what_happens_once_happens_under_one_record() {
    let (_directory, locations) = stores();
    for location in locations {
        let evidence = open(&location);
        let rollback = |id: &str| object(&json!({"session_id": id, "metadata_kind": "rollout-rollback-execution"}));
        let once = || Some("rollback of rpe_1".to_owned());
        evidence.insert_once(rollback("rre_1"), once()).await.unwrap();
        assert!(evidence.insert_once(rollback("rre_1"), once()).await.unwrap().repeated);
        assert!(matches!(evidence.insert_once(rollback("rre_2"), once()).await, Err(CoreError::Conflict(_))));
        assert!(matches!(evidence.get(&EVIDENCE, "rre_2").await, Err(CoreError::NotFound(_))));
        evidence.insert_once(rollback("rre_2"), Some("rollback of rpe_2".to_owned())).await.unwrap();
    }
}

/// A client cannot put its own record where the server would later find it as the result of an earlier call, nor keep the
/// server from writing there.
#[tokio::test]
async fn what_a_client_posted_gives_way() {
    let (_directory, locations) = stores();
    for location in locations {
        let evidence = open(&location);
        let posted = evidence.post(execution("eve"), &Caller::default()).await.unwrap();
        assert!(!evidence.is_ours("rpe_1").await.unwrap());
        let once = || Some("x".to_owned());
        let written = evidence.insert_once(execution("ann"), once()).await.unwrap();
        assert!(written.replaced && !written.repeated && written.record["signer"] == "ann");
        assert_eq!(evidence.get(&EVIDENCE, "rpe_1").await.unwrap(), written.record);
        assert!(evidence.is_ours("rpe_1").await.unwrap());
        assert!(matches!(evidence.post(execution("eve"), &Caller::default()).await, Err(CoreError::Conflict(_))));
        let again = evidence.insert_once(execution("bob"), once()).await.unwrap();
        assert_eq!(again, Written { record: written.record, repeated: true, replaced: false });
        // It is not lost; each of the two has its leaf.
        let note = evidence.store().get(&EVIDENCE_ORIGINS, "record:rpe_1").await.unwrap().unwrap();
        assert_eq!(note["replaced"], Value::Object(posted));
        assert_eq!(evidence.store().log_size(&EVIDENCE_METADATA).await, Ok(2));
        // What may happen once is not undone by it: nothing gives way to what is refused.
        evidence
            .post(
                execution("eve").into_iter().chain([("session_id".to_owned(), json!("rpe_2"))]).collect(),
                &Caller::default(),
            )
            .await
            .unwrap();
        let second = object(&json!({"session_id": "rpe_2"}));
        assert!(matches!(evidence.insert_once(second, once()).await, Err(CoreError::Conflict(_))));
        assert_eq!(evidence.get(&EVIDENCE, "rpe_2").await.unwrap()["signer"], "eve");
        // Names of notes are no ids of records.
        for id in ["record:rpe_3", "once:y"] {
            evidence.post(object(&json!({"session_id": id})), &Caller::default()).await.unwrap();
        }
        assert!(!evidence.is_ours("rpe_3").await.unwrap());
    }
}
