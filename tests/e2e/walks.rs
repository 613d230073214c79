//! Lists walked to their end while they grow: cursors, times, the order of writing. docs/reference/decisions-and-policy.md, sections 1 and 7.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Server, on_both, text};

/// What makes one more record of a list, the list, and the member that tells its records apart.
type Lists = [(&'static str, &'static str, fn(&Server, usize)); 4];

const LISTS: Lists = [
    ("/decisions", "decision_id", |server, _| drop(decide(server, "walk"))),
    ("/sessions", "session_id", |server, n| drop(decide(server, &format!("walk-{n}")))),
    ("/approvals", "approval_id", |server, _| {
        let decision = decide(server, "walk");
        server.post("/approvals", &json!({"decision": decision, "approver_group": "IAM"})).ok();
    }),
    ("/evidence", "session_id", |server, n| {
        server.post("/evidence", &json!({"session_id": format!("walk-{n}"), "signer": "me"})).ok();
    }),
];

fn decide(server: &Server, session: &str) -> Value {
    server.decide(&json!({"action_type": "read_file", "target": ".env", "session_id": session}))
}

fn ids(page: &Value, member: &str) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|record| text(record, member).to_owned()).collect()
}

/// Every page from `path` on; one more record is made between two pages, at most ten.
fn walk(server: &Server, path: &str, member: &str, more: impl Fn(usize)) -> Vec<String> {
    let mut found = Vec::new();
    let mut next = path.to_owned();
    for n in 0..100 {
        let page = server.get(&next).ok();
        found.extend(ids(&page, member));
        let Some(cursor) = page["next_cursor"].as_str().filter(|_| !ids(&page, member).is_empty()) else {
            return found;
        };
        next = format!("{path}&cursor={cursor}");
        if n < 10 {
            more(100 + n);
        }
    }
    panic!("{path} has no end");
}

#[test]
fn a_walk_shows_everything_once_while_records_are_written() {
    on_both(|backend| {
        let server = backend.fresh();
        for (path, member, make) in LISTS {
            (0..7).for_each(|n| make(&server, n));
            let there: BTreeSet<String> =
                ids(&server.get(&format!("{path}?limit=500")).ok(), member).into_iter().collect();
            let walked = walk(&server, &format!("{path}?limit=3"), member, |n| make(&server, n));
            let seen: BTreeSet<String> = walked.iter().cloned().collect();
            assert_eq!(seen.len(), walked.len(), "{path}: some came twice");
            // A session that changes moves to the front of its list, before where the walk is.
            assert!(there.is_subset(&seen), "{path}: some did not come");
            assert!(server.get(&format!("{path}?limit=500")).ok().get("next_cursor").is_none(), "{path}");
        }
    });
}

#[test]
fn what_is_written_later_comes_in_the_order_of_writing() {
    on_both(|backend| {
        let server = backend.fresh();
        for (path, member, make) in LISTS {
            (0..5).for_each(|n| make(&server, n));
            let all = server.get(&format!("{path}?order=committed")).ok();
            let cursor = text(&all, "next_cursor").to_owned();
            let rest = |cursor: &str| server.get(&format!("{path}?order=committed&cursor={cursor}")).ok();
            assert!(ids(&rest(&cursor), member).is_empty(), "{path}");
            make(&server, 50);
            make(&server, 51);
            let later = ids(&rest(&cursor), member);
            // Asking for the approval of a decision leaves the decision, too; a session of before is none that is new.
            assert_eq!(later.len(), 2, "{path}: {later:?}");
            assert!(later.iter().all(|id| !ids(&all, member).contains(id)), "{path}");
        }
    });
}

#[test]
fn since_leaves_out_what_is_older() {
    on_both(|backend| {
        let server = backend.fresh();
        for (path, member, make) in LISTS {
            (0..3).for_each(|n| make(&server, 60 + n));
            let newest = server.get(&format!("{path}?limit=1")).ok()["items"][0].clone();
            let member_of_time = ["timestamp", "updated_at", "requested_at", "created_at"];
            let time = member_of_time.iter().find_map(|name| newest[*name].as_str()).unwrap().replace('+', "%2B");
            let page = server.get(&format!("{path}?since={time}")).ok();
            assert!(ids(&page, member).contains(&text(&newest, member).to_owned()), "{path} {page}");
            assert!(page["total"].as_u64() < Some(3), "{path} {page}");
            assert_eq!(server.total(&format!("{path}?since=2999-01-01T00:00:00Z")), 0, "{path}");
            let all = server.total(path);
            assert_eq!(server.total(&format!("{path}?since=1999-01-01T00:00:00Z")), all, "{path}");
        }
    });
}

#[test]
fn what_is_no_cursor_is_refused() {
    on_both(|backend| {
        let server = backend.fresh();
        (0..3).for_each(|_| drop(decide(&server, "walk")));
        let cursor = text(&server.get("/decisions?limit=1").ok(), "next_cursor").to_owned();
        for query in [
            "/decisions?cursor=x".to_owned(),
            "/decisions?cursor=%00".to_owned(),
            format!("/decisions?cursor={cursor}x"),
            format!("/decisions?order=committed&cursor={cursor}"),
            format!("/sessions?cursor={cursor}"),
            "/decisions?since=yesterday".to_owned(),
            "/decisions?order=random".to_owned(),
        ] {
            server.get(&query).refused(&[400, 422]);
        }
        // An empty one is none.
        assert_eq!(server.total("/decisions?cursor=&since=&order="), 3);
    });
}

#[test]
fn the_references_of_a_session_have_pages() {
    on_both(|backend| {
        let server = backend.fresh();
        server.post("/sessions", &json!({"session_id": "walk", "evidence_refs": ["mine"]})).ok();
        let decided: BTreeSet<String> =
            (0..5).map(|_| text(&decide(&server, "walk"), "decision_id").to_owned()).collect();
        let path = "/sessions/walk/references?limit=2";
        let page = server.get(path).ok();
        assert_eq!((&page["evidence_refs"], &page["total"]), (&json!(["mine"]), &json!(5)));
        let first = &page["items"][0];
        assert_eq!(first["evidence_refs"][0], format!("evidence://walk/{}", text(first, "decision_id")));
        let walked: BTreeSet<String> = walk(&server, path, "decision_id", |_| ()).into_iter().collect();
        assert_eq!(walked, decided);
        server.get("/sessions/nobody/references").refused(&[404]);
    });
}
