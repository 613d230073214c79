//! One suite over both backends: they must answer alike.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::redundant_clone,
    clippy::needless_pass_by_value,
    reason = "tests"
)]

use cavra_model::{DECISIONS, Kind, MCP_SERVERS, Object, SESSIONS};
use cavra_store::{Location, Mode, Query, RecordStore, StoreError, Walk};
use proptest::prelude::*;
use serde_json::{Value, json};

static ONLY_SESSIONS: [&Kind; 1] = [&SESSIONS];
static KINDS: [&Kind; 3] = [&DECISIONS, &SESSIONS, &MCP_SERVERS];

struct Fixture {
    store: RecordStore,
    location: Location,
    _directory: tempfile::TempDir,
}

fn fixtures() -> Vec<Fixture> {
    // Every engine as it is, and with commits that meet others at random: units of work are run again then.
    let contended = [None, Some(0x5eed)];
    let modes = [Mode::Json, Mode::Sqlite];
    modes
        .into_iter()
        .flat_map(|mode| contended.map(|seed| (mode, seed)))
        .map(|(mode, seed)| {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("deep/er/store");
            let location = if mode == Mode::Json { Location::Json(path) } else { Location::Sqlite(path) };
            let store = match seed {
                None => RecordStore::open(location.clone(), &KINDS).unwrap(),
                Some(seed) => RecordStore::open_contended(&[(location.clone(), &KINDS)], seed).unwrap(),
            };
            assert_eq!(store.mode(&DECISIONS), Ok(mode));
            Fixture { store, location, _directory: directory }
        })
        .collect()
}

fn object(value: Value) -> Object {
    value.as_object().cloned().unwrap()
}

fn decision(id: &str, second: u32, members: Value) -> Object {
    let mut record = object(json!({
        "decision_id": id, "session_id": "s1", "agent_id": "claude", "repository": "pay/api", "policy_pack": "base",
        "action_type": "command", "decision": "allow", "severity": "low", "evidence_refs": [format!("evidence://{id}")],
        "timestamp": format!("2031-01-01T00:00:{second:02}.000000+00:00"),
    }));
    record.extend(object(members));
    record
}

fn decisions() -> Vec<Object> {
    vec![
        decision("d3", 1, json!({})),
        decision("d1", 5, json!({"decision": "block", "severity": "high"})),
        decision("d2", 5, json!({"agent_id": "codex", "decision": "block"})),
        decision("d9", 9, json!({"session_id": "s2", "repository": "web/ui"})),
        decision("d4", 2, json!({"session_id": "s2", "decision": "warn", "agent_id": "naïve ✓ \"quote\" 'single'"})),
        decision("d5", 2, json!({"session_id": "S2", "decision": "warn", "agent_id": null})),
        decision("d6", 5, json!({"session_id": "s3", "evidence_refs": [null, "a", "b"], "action_type": "git_push"})),
        decision("d7", 7, json!({"session_id": "s3", "evidence_refs": "one", "action_type": "git_push"})),
    ]
}

async fn put_all(store: &RecordStore, kind: &'static Kind, records: Vec<Object>) {
    store.transact(move |tx| records.iter().try_for_each(|record| tx.put(kind, record.clone()))).await.unwrap();
}

async fn ids(store: &RecordStore, kind: &'static Kind, query: Query) -> (Vec<String>, u64) {
    let page = store.list(kind, query).await.unwrap();
    (page.items.iter().map(|item| item[kind.id].as_str().unwrap().to_owned()).collect(), page.total)
}

fn query(filters: &[(&'static str, &str)], limit: u64, offset: u64) -> Query {
    let filters = filters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Query { filters, limit, offset, ..Query::default() }
}

#[tokio::test]
async fn lists() {
    type Case = (&'static [(&'static str, &'static str)], u64, u64, &'static [&'static str], u64);
    let cases: &[Case] = &[
        (&[], 50, 0, &["d9", "d7", "d1", "d2", "d6", "d4", "d5", "d3"], 8),
        (&[], 3, 0, &["d9", "d7", "d1"], 8),
        (&[], 3, 3, &["d2", "d6", "d4"], 8),
        (&[], 3, 7, &["d3"], 8),
        (&[], 3, 8, &[], 8),
        (&[], 500, u64::MAX, &[], 8),
        (&[("decision", "block")], 50, 0, &["d1", "d2"], 2),
        (&[("decision", "block")], 1, 1, &["d2"], 2),
        (&[("decision", "block"), ("agent_id", "codex")], 50, 0, &["d2"], 1),
        (&[("decision", "block"), ("agent_id", "nobody")], 50, 0, &[], 0),
        (&[("session_id", "s2")], 50, 0, &["d9", "d4"], 2),
        (&[("session_id", "S2")], 50, 0, &["d5"], 1),
        (&[("session_id", "s2"), ("decision", "warn")], 50, 0, &["d4"], 1),
        (&[("session_id", "s1"), ("session_id", "s2")], 50, 0, &[], 0),
        (&[("agent_id", "naïve ✓ \"quote\" 'single'")], 50, 0, &["d4"], 1),
        (&[("severity", "LOW")], 50, 0, &[], 0),
        (&[("severity", "low"), ("repository", "pay/api"), ("action_type", "git_push")], 1, 0, &["d7"], 2),
    ];
    for fixture in fixtures() {
        let store = &fixture.store;
        put_all(store, &DECISIONS, decisions()).await;
        for reopened in [false, true] {
            let store = if reopened {
                store.close().await;
                &RecordStore::open(fixture.location.clone(), &KINDS).unwrap()
            } else {
                store
            };
            for (filters, limit, offset, wanted, total) in cases {
                let found = ids(store, &DECISIONS, query(filters, *limit, *offset)).await;
                let wanted = wanted.iter().map(ToString::to_string).collect::<Vec<_>>();
                assert_eq!(found, (wanted, *total), "{:?} {filters:?} {limit} {offset}", store.mode(&DECISIONS));
            }
        }
    }
}

#[tokio::test]
async fn one_of_several_values() {
    for fixture in fixtures() {
        put_all(&fixture.store, &DECISIONS, decisions()).await;
        let any = |filters: &[(&'static str, &str)], values: &[&str], limit, offset| {
            let values = values.iter().map(ToString::to_string).collect();
            Query { any_of: Some(("decision", values)), ..query(filters, limit, offset) }
        };
        let found = ids(&fixture.store, &DECISIONS, any(&[], &["warn", "block", "warn", "none"], 50, 0)).await;
        assert_eq!(
            found,
            (["d1", "d2", "d4", "d5"].map(String::from).to_vec(), 4),
            "{:?}",
            fixture.store.mode(&DECISIONS)
        );
        let found = ids(&fixture.store, &DECISIONS, any(&[], &["warn", "block"], 2, 1)).await;
        assert_eq!(found, (["d2", "d4"].map(String::from).to_vec(), 4));
        let found = ids(&fixture.store, &DECISIONS, any(&[("session_id", "s2")], &["warn", "block"], 50, 0)).await;
        assert_eq!(found, (vec!["d4".to_owned()], 1));
        let found = ids(&fixture.store, &DECISIONS, any(&[("decision", "allow")], &["warn"], 50, 0)).await;
        assert_eq!(found, (vec![], 0));
        assert_eq!(ids(&fixture.store, &DECISIONS, any(&[], &[], 50, 0)).await, (vec![], 0));
    }
}

#[tokio::test]
async fn kinds_ordered_by_their_key_ascending_with_slashes_in_it() {
    for fixture in fixtures() {
        let server = |id: &str| object(json!({"server_id": id, "name": "same", "trust_tier": "t"}));
        put_all(&fixture.store, &MCP_SERVERS, ["b/c", "a/z/1", "b"].map(server).to_vec()).await;
        for filters in [&[][..], &[("name", "same")], &[("name", "same"), ("trust_tier", "t")]] {
            let found = ids(&fixture.store, &MCP_SERVERS, query(filters, 50, 0)).await;
            assert_eq!(found, (["a/z/1", "b", "b/c"].map(String::from).to_vec(), 3), "{filters:?}");
        }
        assert!(fixture.store.get(&MCP_SERVERS, "a/z/1").await.unwrap().is_some());
        let names = fixture.store.gather(&MCP_SERVERS, ("name", "same".into()), "server_id", 9).await.unwrap();
        assert_eq!(names, ["a/z/1", "b", "b/c"]);
    }
}

#[tokio::test]
async fn records_come_back_as_they_were() {
    let record = decision(
        "d",
        1,
        json!({
            "text": "line\nbreak \u{1} \u{2028} \u{1f600} \\u0041 \"", "deep": {"z": [1, -2, 0.5, {"y": null}], "a": {}},
            "large": u64::MAX, "_internal": true, "empty": [], "actor": 7,
        }),
    );
    for fixture in fixtures() {
        put_all(&fixture.store, &DECISIONS, vec![record.clone()]).await;
        assert_eq!(fixture.store.get(&DECISIONS, "d").await.unwrap(), Some(record.clone()));
        assert_eq!(fixture.store.get(&DECISIONS, "D").await.unwrap(), None);
        fixture.store.close().await;
        let store = RecordStore::open(fixture.location.clone(), &KINDS).unwrap();
        assert_eq!(store.get(&DECISIONS, "d").await.unwrap(), Some(record.clone()));
        assert_eq!(store.list(&DECISIONS, query(&[], 1, 0)).await.unwrap().items, std::slice::from_ref(&record));
        store.check().await.unwrap();
    }
}

#[tokio::test]
async fn a_replaced_record_moves_in_every_list() {
    for fixture in fixtures() {
        let store = &fixture.store;
        put_all(store, &DECISIONS, decisions()).await;
        put_all(store, &DECISIONS, vec![decision("d3", 30, json!({"decision": "block", "session_id": "s9"}))]).await;
        assert_eq!(ids(store, &DECISIONS, query(&[("decision", "block")], 1, 0)).await, (vec!["d3".into()], 3));
        assert_eq!(ids(store, &DECISIONS, query(&[("decision", "allow")], 1, 0)).await.1, 3);
        assert_eq!(ids(store, &DECISIONS, query(&[("session_id", "s1")], 9, 0)).await.0, ["d1", "d2"]);
        assert_eq!(ids(store, &DECISIONS, query(&[], 9, 0)).await.1, 8);
    }
}

#[tokio::test]
async fn gathers_in_ascending_order_and_flattens() {
    for fixture in fixtures() {
        put_all(&fixture.store, &DECISIONS, decisions()).await;
        let gather =
            |session: &str, member| fixture.store.gather(&DECISIONS, ("session_id", session.to_owned()), member, 9);
        let refs = gather("s1", "evidence_refs").await.unwrap();
        assert_eq!(refs, ["evidence://d3", "evidence://d1", "evidence://d2"]);
        assert_eq!(gather("s3", "evidence_refs").await.unwrap(), [Value::Null, "a".into(), "b".into(), "one".into()]);
        assert_eq!(gather("s3", "missing").await.unwrap(), [] as [Value; 0]);
        assert_eq!(gather("none", "evidence_refs").await.unwrap(), [] as [Value; 0]);
        let newest = fixture.store.gather(&DECISIONS, ("session_id", "s1".to_owned()), "evidence_refs", 2);
        assert_eq!(newest.await.unwrap(), ["evidence://d1", "evidence://d2"]);
    }
}

/// Walks through a list by cursors, while `write` writes between the pages.
async fn walk_pages(store: &RecordStore, first: Query, mut write: impl AsyncFnMut(usize)) -> Vec<String> {
    let (mut seen, mut query) = (Vec::new(), first);
    for page_number in 0..100 {
        let page = store.list(&DECISIONS, query.clone()).await.unwrap();
        assert!(page.items.len() as u64 <= query.limit);
        seen.extend(page.items.iter().map(|record| record["decision_id"].as_str().unwrap().to_owned()));
        match page.next_cursor {
            Some(cursor) if !page.items.is_empty() => query.cursor = Some(cursor),
            _ => return seen,
        }
        write(page_number).await;
    }
    panic!("the walk does not end");
}

/// Each record that was there comes once and in order, whatever is written during the walk.
#[tokio::test]
async fn cursors() {
    for fixture in fixtures() {
        let store = &fixture.store;
        put_all(store, &DECISIONS, decisions()).await;
        let listed = ["d9", "d7", "d1", "d2", "d6", "d4", "d5", "d3"];
        let committed = ["d3", "d1", "d2", "d9", "d4", "d5", "d6", "d7"];
        let mut late = 0;
        for limit in [1, 2, 3, 8, 9] {
            for filtered in [false, true] {
                let filters = if filtered { vec![("session_id", "s1".to_owned())] } else { Vec::new() };
                let query = Query { filters, limit, ..Query::default() };
                let wanted: Vec<&str> =
                    listed.into_iter().filter(|id| !filtered || ["d1", "d2", "d3"].contains(id)).collect();
                let first_late = late;
                let seen = walk_pages(store, query, async |_| {
                    // Before, between and after those that are there.
                    late += 1;
                    let record = decision(
                        &format!("late{late:03}"),
                        late % 11,
                        json!({"timestamp":
                        format!("{}-01-01T00:00:{:02}.000000+00:00", 2030 + late % 3, late % 60)}),
                    );
                    put_all(store, &DECISIONS, vec![record]).await;
                })
                .await;
                let seen: Vec<_> = seen.iter().filter(|id| !id.starts_with("late")).map(String::as_str).collect();
                assert_eq!(seen, wanted, "{:?} {limit} {filtered} {first_late}", store.mode(&DECISIONS));
            }
        }
        // In the order of commits everything comes, also what came during the walk, and the walk can go on later.
        let query = Query { limit: 3, committed: true, ..Query::default() };
        let seen = walk_pages(store, query.clone(), async |page| {
            if page == 0 {
                put_all(store, &DECISIONS, vec![decision("newest", 0, json!({}))]).await;
            }
        })
        .await;
        assert_eq!((&seen[..8], seen.last().map(String::as_str)), (&committed.map(String::from)[..], Some("newest")));
        let total = store.list(&DECISIONS, query.clone()).await.unwrap().total;
        assert_eq!(seen.len() as u64, total);
        let end = store.list(&DECISIONS, Query { limit: 500, ..query.clone() }).await.unwrap().next_cursor;
        let again = Query { cursor: end, ..query };
        assert!(store.list(&DECISIONS, again.clone()).await.unwrap().items.is_empty());
        put_all(store, &DECISIONS, vec![decision("later", 0, json!({}))]).await;
        let later = store.list(&DECISIONS, again.clone()).await.unwrap();
        assert_eq!((later.items.len(), later.items[0]["decision_id"].as_str()), (1, Some("later")));
        for (kind, query) in [
            (&SESSIONS, again.clone()),
            (&DECISIONS, Query { committed: false, ..again.clone() }),
            (&DECISIONS, Query { cursor: Some("x".to_owned()), ..again }),
        ] {
            assert!(matches!(store.list(kind, query).await, Err(StoreError::Refused(_))));
        }
    }
}

#[tokio::test]
async fn since_a_time() {
    for fixture in fixtures() {
        put_all(&fixture.store, &DECISIONS, decisions()).await;
        let since =
            |since: &str, filters| Query { since: Some(since.to_owned()), filters, limit: 50, ..Query::default() };
        let list = async |query| ids(&fixture.store, &DECISIONS, query).await;
        for time in ["2031-01-01T00:00:05.000000+00:00", "2031-01-01T00:00:05Z", "2031-01-01T01:00:05+01:00"] {
            assert_eq!(list(since(time, vec![])).await, (["d9", "d7", "d1", "d2", "d6"].map(String::from).to_vec(), 5));
        }
        let blocked = vec![("decision", "block".to_owned())];
        assert_eq!(list(since("2031-01-01T00:00:06Z", blocked.clone())).await, (vec![], 0));
        assert_eq!(list(since("2031-01-01T00:00:05Z", blocked)).await.1, 2);
        for (kind, text) in [(&DECISIONS, "yesterday"), (&MCP_SERVERS, "2031-01-01T00:00:05Z")] {
            let refused = fixture.store.list(kind, since(text, vec![])).await;
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn transactions_see_what_is_pending() {
    for fixture in fixtures() {
        put_all(&fixture.store, &DECISIONS, decisions()).await;
        let tallies = fixture
            .store
            .transact(|tx| {
                let mut tallies = vec![tx.tally(&DECISIONS, ("session_id", "s1"), "decision")?];
                tx.insert(&DECISIONS, decision("n1", 1, json!({"decision": "warn"})))?;
                tx.put(&DECISIONS, decision("d1", 1, json!({"decision": "allow"})))?;
                tx.put(&DECISIONS, decision("d9", 1, json!({"decision": "block"})))?;
                tx.put(&DECISIONS, decision("d2", 1, json!({"session_id": "gone"})))?;
                assert_eq!(tx.insert(&DECISIONS, decision("n1", 1, json!({}))), Err(StoreError::Exists));
                assert_eq!(tx.get(&DECISIONS, "d1")?.unwrap()["decision"], "allow");
                tallies.push(tx.tally(&DECISIONS, ("session_id", "s1"), "decision")?);
                Ok(tallies)
            })
            .await
            .unwrap();
        let counts =
            |counts: &[(&str, u64)]| counts.iter().map(|(name, count)| (name.to_string(), *count)).collect::<Vec<_>>();
        assert_eq!(
            tallies,
            [counts(&[("allow", 1), ("block", 2)]), counts(&[("allow", 2), ("block", 1), ("warn", 1)])]
        );
        let stored = fixture.store.transact(|tx| tx.tally(&DECISIONS, ("session_id", "s1"), "decision")).await.unwrap();
        assert_eq!(stored, tallies[1], "{:?}: what was pending is what is stored", fixture.store.mode(&DECISIONS));
    }
}

#[tokio::test]
async fn a_failed_transaction_changes_nothing() {
    for fixture in fixtures() {
        let store = &fixture.store;
        put_all(store, &DECISIONS, decisions()).await;
        let refused = store
            .transact(|tx| {
                tx.put(&SESSIONS, object(json!({"session_id": "s"})))?;
                tx.insert(&DECISIONS, decision("new", 1, json!({})))?;
                tx.insert(&DECISIONS, decision("d1", 1, json!({})))
            })
            .await;
        assert_eq!(refused, Err(StoreError::Exists));
        let panicked: Result<(), _> = store
            .transact(|tx| {
                tx.put(&DECISIONS, decision("new", 1, json!({})))?;
                panic!("on purpose")
            })
            .await;
        assert!(matches!(panicked, Err(StoreError::Refused(_))));
        assert_eq!(store.get(&DECISIONS, "new").await.unwrap(), None);
        assert_eq!(store.get(&SESSIONS, "s").await.unwrap(), None);
        for bad in [json!({}), json!({"decision_id": 4})] {
            assert!(matches!(
                store.transact(move |tx| tx.put(&DECISIONS, object(bad.clone()))).await,
                Err(StoreError::Refused(_))
            ));
        }
        assert!(matches!(store.list(&DECISIONS, query(&[("target", "x")], 1, 0)).await, Err(StoreError::Refused(_))));
        put_all(store, &DECISIONS, vec![decision("new", 1, json!({}))]).await;
    }
}

#[tokio::test]
async fn a_kind_the_store_was_not_opened_for() {
    for mode in [Location::Json, Location::Sqlite] {
        let directory = tempfile::tempdir().unwrap();
        let store = RecordStore::open(mode(directory.path().join("store")), &ONLY_SESSIONS).unwrap();
        assert!(matches!(store.get(&DECISIONS, "d").await, Err(StoreError::Refused(_))));
        assert!(matches!(
            store.transact(|tx| tx.put(&DECISIONS, decision("d", 1, json!({})))).await,
            Err(StoreError::Refused(_))
        ));
    }
}

#[tokio::test]
async fn concurrent_transactions_are_one_after_the_other() {
    for fixture in fixtures() {
        let adders: Vec<_> = (0..200)
            .map(|_| {
                let store = fixture.store.clone();
                tokio::spawn(async move { store.transact(add_one).await })
            })
            .collect();
        for adder in adders {
            adder.await.unwrap().unwrap();
        }
        let session = fixture.store.get(&SESSIONS, "s").await.unwrap().unwrap();
        assert_eq!(session["decision_count"], 200);
    }
}

fn add_one(tx: &mut dyn cavra_store::Transaction) -> Result<(), StoreError> {
    let count = tx.get(&SESSIONS, "s")?.map_or(0, |session| session["decision_count"].as_u64().unwrap());
    tx.put(&SESSIONS, object(json!({"session_id": "s", "decision_count": count + 1})))
}

#[tokio::test]
async fn closing_drains_and_then_refuses() {
    for fixture in fixtures() {
        let store = fixture.store.clone();
        let waiting: Vec<_> = (0..20)
            .map(|_| {
                tokio::spawn({
                    let store = store.clone();
                    async move { store.transact(add_one).await }
                })
            })
            .collect();
        tokio::task::yield_now().await;
        store.close().await;
        let done = futures(waiting).await;
        let reopened = RecordStore::open(fixture.location.clone(), &KINDS).unwrap();
        let count = reopened
            .get(&SESSIONS, "s")
            .await
            .unwrap()
            .map_or(0, |session| session["decision_count"].as_u64().unwrap());
        assert_eq!(count, done, "exactly the acknowledged ones");
        assert_eq!(store.transact(add_one).await, Err(StoreError::Closed));
        assert_eq!(store.transact_blocking(add_one), Err(StoreError::Closed));
        store.close().await;
    }
}

async fn futures(tasks: Vec<tokio::task::JoinHandle<Result<(), StoreError>>>) -> u64 {
    let mut done = 0;
    for task in tasks {
        done += u64::from(task.await.unwrap().is_ok());
    }
    done
}

fn any_decision() -> impl Strategy<Value = Object> {
    let few = |names: &'static [&'static str]| proptest::sample::select(names);
    let names = (few(&["s1", "s2", ""]), few(&["a", "b"]), few(&["allow", "block", "warn"]), few(&["low", "high"]));
    (0..12_u32, 0..4_u32, names).prop_map(|(id, second, (session, agent, outcome, severity))| {
        decision(
            &format!("d{id}"),
            second,
            json!({"session_id": session, "agent_id": agent, "decision": outcome, "severity": severity}),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is written in whatever batches, both backends list the same and what a plain model says.
    #[test]
    fn both_backends_agree_with_a_model(batches in proptest::collection::vec(proptest::collection::vec(any_decision(), 1..6), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut model = std::collections::BTreeMap::new();
        for record in batches.iter().flatten() {
            model.insert(record["decision_id"].as_str().unwrap().to_owned(), record.clone());
        }
        let mut model: Vec<_> = model.into_values().collect();
        model.sort_by(|left, right| right["timestamp"].as_str().cmp(&left["timestamp"].as_str()));
        for fixture in fixtures() {
            for batch in &batches {
                runtime.block_on(put_all(&fixture.store, &DECISIONS, batch.clone()));
            }
            for filters in [
                vec![],
                vec![("agent_id", "a")],
                vec![("session_id", "s1")],
                vec![("session_id", "s2"), ("decision", "block")],
                vec![("agent_id", "b"), ("decision", "warn"), ("severity", "high")],
            ] {
                let wanted: Vec<_> = model
                    .iter()
                    .filter(|record| filters.iter().all(|(name, value)| record[*name] == *value))
                    .cloned()
                    .collect();
                let page = runtime.block_on(fixture.store.list(&DECISIONS, query(&filters, 3, 1))).unwrap();
                prop_assert_eq!(page.total, wanted.len() as u64);
                prop_assert_eq!(page.items, wanted.into_iter().skip(1).take(3).collect::<Vec<_>>());
            }
        }
    }
}

#[tokio::test]
async fn walks_visit_what_lies_within_bounds_in_order() {
    for fixture in fixtures() {
        put_all(&fixture.store, &DECISIONS, decisions()).await;
        let walked = |walk: Walk, most: usize| {
            let store = fixture.store.clone();
            async move {
                let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
                let sink = std::sync::Arc::clone(&seen);
                let visit = move |record: Object| {
                    let mut sink = sink.lock().unwrap();
                    sink.push(record["decision_id"].as_str().unwrap().to_owned());
                    sink.len() < most
                };
                store.walk(&DECISIONS, walk, visit).await.map(|()| seen.lock().unwrap().clone())
            }
        };
        let time = |second: u32| ("timestamp", format!("2031-01-01T00:00:{second:02}.000000+00:00"));
        assert_eq!(walked(Walk::default(), 99).await.unwrap(), ["d9", "d7", "d1", "d2", "d6", "d4", "d5", "d3"]);
        assert_eq!(walked(Walk::default(), 2).await.unwrap(), ["d9", "d7"]);
        let since = Walk { at_least: Some(time(5)), ..Walk::default() };
        assert_eq!(walked(since, 99).await.unwrap(), ["d9", "d7", "d1", "d2", "d6"]);
        let until = Walk { at_most: Some(time(5)), filter: Some(("decision", "block".into())), ..Walk::default() };
        assert_eq!(walked(until, 99).await.unwrap(), ["d1", "d2"]);
        for bad in [("nothing", String::new()), ("decision_id", String::new())] {
            let walk = Walk { at_most: Some(bad), ..Walk::default() };
            assert!(matches!(walked(walk, 99).await, Err(StoreError::Refused(_))));
        }
    }
}

/// Bounds may be columns that no list is filtered or ordered by.
#[tokio::test]
async fn walks_within_bounds_of_any_column() {
    for fixture in fixtures() {
        let session = |id: &str, second: u32| {
            let started = format!("2031-01-01T00:00:{second:02}.000000+00:00");
            object(json!({"session_id": id, "started_at": started, "state": "active"}))
        };
        put_all(&fixture.store, &SESSIONS, vec![session("a", 1), session("b", 5), session("c", 9)]).await;
        let time = |second: u32| Some(("started_at", format!("2031-01-01T00:00:{second:02}.000000+00:00")));
        let filter = Some(("state", "active".to_owned()));
        for (at_least, at_most, wanted) in
            [(time(2), None, vec!["b", "c"]), (None, time(5), vec!["a", "b"]), (time(2), time(8), vec!["b"])]
        {
            let (sender, seen) = std::sync::mpsc::channel();
            let visit = move |record: Object| sender.send(record["session_id"].as_str().unwrap().to_owned()).is_ok();
            let walk = Walk { filter: filter.clone(), at_least, at_most, ..Walk::default() };
            fixture.store.walk(&SESSIONS, walk, visit).await.unwrap();
            let mut seen: Vec<_> = seen.iter().collect();
            seen.sort();
            assert_eq!(seen, wanted);
        }
    }
}
