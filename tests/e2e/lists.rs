//! Lists: filters, paging, order; over stores that the existing product wrote. docs/reference/decisions-and-policy.md, sections 1, 5.2, 7 and 10.

use std::cmp::Reverse;

use serde_json::{Value, json};

use crate::support::{BASELINE, Backend, Home, OldDecision, Server, keys, on_both, text};

const SESSIONS: [&str; 3] = ["s-1", "s 2 ü", "s%_'"];
const AGENTS: [&str; 2] = ["claude", "Claude"];
const REPOSITORIES: [&str; 2] = ["pay/api", "web"];
const DECISIONS: [&str; 6] = ["allow", "block", "require_approval", "warn", "audit_only", "allow_with_attestation"];
const SEVERITIES: [&str; 4] = ["low", "medium", "high", "critical"];
const STATES: [&str; 4] = ["active", "completed", "failed", "archived"];
const ACTIONS: [&str; 3] = ["read_file", "execute_command", "pull_request"];

/// Decisions with many equal times, in no order.
fn decisions() -> Vec<Value> {
    (0..120_u32)
        .map(|n| {
            let at = n as usize;
            OldDecision {
                id: n * 7919 % 1000,
                session: SESSIONS[at % 3],
                agent: AGENTS[at / 2 % 2],
                repository: REPOSITORIES[at / 3 % 2],
                decision: DECISIONS[at % 6],
                severity: SEVERITIES[at / 5 % 4],
                action_type: ACTIONS[at / 7 % 3],
                second: n * 31 % 13,
            }
            .record()
        })
        .collect()
}

fn sessions() -> Vec<Value> {
    (0..12_u32)
        .map(|n| {
            let at = n as usize;
            json!({
                "schema_version": "cavra.session.v1", "session_id": format!("old-{:02}", n * 5 % 12), "agent_id": AGENTS[at % 2],
                "actor": "ai-agent", "repository": REPOSITORIES[at / 2 % 2], "policy_pack": BASELINE,
                "state": STATES[at % 4],
                "started_at": "2021-03-04T05:00:00.000000+00:00",
                "updated_at": format!("2021-03-04T05:00:{:02}.000000+00:00", n % 3),
                "decision_count": 0, "blocked_count": 0, "approval_required_count": 0, "evidence_refs": [],
            })
        })
        .collect()
}

fn seeded(backend: Backend) -> Server {
    let home = Home::new();
    backend.write_old(&home, &decisions(), &sessions());
    backend.serve(&home)
}

/// Percent-encodes a query value.
fn encoded(value: &str) -> String {
    value.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn newest_first(mut records: Vec<Value>) -> Vec<Value> {
    records
        .sort_by_key(|record| (Reverse(text(record, "timestamp").to_owned()), text(record, "decision_id").to_owned()));
    records
}

#[test]
fn decisions_are_listed_newest_first_with_ties_by_id() {
    on_both(|backend| {
        let server = seeded(backend);
        let expected = newest_first(decisions());
        assert_eq!(server.all("/decisions"), expected);
        let page = server.get("/decisions").ok();
        assert_eq!(keys(&page), ["items", "limit", "next_cursor", "offset", "total"]);
        assert_eq!(page["items"].as_array().unwrap()[..], expected[..50]);
        assert_eq!((&page["total"], &page["limit"], &page["offset"]), (&json!(120), &json!(50), &json!(0)));
        for (offset, limit) in [(0, 1), (7, 20), (100, 50), (119, 5)] {
            let page = server.get(&format!("/decisions?offset={offset}&limit={limit}")).ok();
            let end = (offset + limit).min(120);
            assert_eq!(page["items"].as_array().unwrap()[..], expected[offset..end], "{offset} {limit}");
            assert_eq!(page["total"], 120);
        }
        assert_eq!(server.get("/decisions?offset=120").ok()["items"], json!([]));
        let one = server.get(&format!("/decisions/{}", text(&expected[9], "decision_id"))).ok();
        assert_eq!(one, expected[9], "an old record comes back as it was");
    });
}

#[test]
fn filters_are_exact_and_combine() {
    on_both(|backend| {
        let server = seeded(backend);
        let all = newest_first(decisions());
        let check = |filters: &[(&str, &str)]| {
            let query: Vec<_> = filters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
            let wanted: Vec<_> = all
                .iter()
                .filter(|record| filters.iter().all(|(name, value)| value.is_empty() || record[*name] == *value))
                .cloned()
                .collect();
            let page = server.get(&format!("/decisions?limit=500&{}", query.join("&"))).ok();
            assert_eq!(page["items"].as_array().unwrap(), &wanted, "{filters:?}");
            assert_eq!(page["total"], wanted.len(), "{filters:?}");
            wanted.len()
        };
        let fields: [(&str, &[&str]); 7] = [
            ("session_id", &SESSIONS),
            ("agent_id", &AGENTS),
            ("repository", &REPOSITORIES),
            ("policy_pack", &[BASELINE]),
            ("decision", &DECISIONS),
            ("severity", &SEVERITIES),
            ("action_type", &ACTIONS),
        ];
        for (field, values) in fields {
            for value in values {
                assert!(check(&[(field, value)]) > 0, "{field}={value}");
            }
            for nobody in ["nobody", "S-1", "BLOCK", "%", "s-1 ", "' OR 1=1 --"] {
                assert_eq!(check(&[(field, nobody)]), 0, "{field}={nobody}");
            }
            assert_eq!(check(&[(field, "")]), 120, "an empty filter is absent");
        }
        check(&[("agent_id", "claude"), ("decision", "block")]);
        check(&[("session_id", "s-1"), ("repository", "web"), ("severity", "high")]);
        check(&[("decision", "block"), ("action_type", "read_file"), ("policy_pack", BASELINE), ("agent_id", "")]);
        for ignored in ["target=t", "unknown=1", "rule_id=none", "decision_id=none", "actor=none"] {
            assert_eq!(server.total(&format!("/decisions?{ignored}")), 120, "{ignored}");
        }
        let page = server.get("/decisions?decision=block&limit=3&offset=2").ok();
        assert_eq!((page["items"].as_array().unwrap().len(), &page["total"]), (3, &json!(20)));
    });
}

#[test]
fn totals_follow_new_decisions() {
    on_both(|backend| {
        let server = seeded(backend);
        for _ in 0..3 {
            server.decide(
                &json!({"action_type": "read_file", "target": ".env", "agent_id": "claude", "session_id": "s-1"}),
            );
        }
        assert_eq!(server.total("/decisions"), 123);
        assert_eq!(server.total("/decisions?decision=block"), 23);
        let both = server.all("/decisions?decision=block&agent_id=claude").len() as u64;
        assert_eq!(server.total("/decisions?decision=block&agent_id=claude"), both);
        assert_eq!(server.total("/decisions?session_id=s-1"), 43);
        assert_eq!(server.get("/decisions?limit=3").ok()["items"][0]["decision"], "block", "the newest is first");
    });
}

#[test]
fn paging_is_clamped_and_echoed() {
    on_both(|backend| {
        let server = seeded(backend);
        for (query, limit, offset) in [
            ("", 50, 0),
            ("limit=0", 1, 0),
            ("limit=-7", 1, 0),
            ("limit=9999", 500, 0),
            ("limit=500", 500, 0),
            ("limit=501", 500, 0),
            ("limit=1&offset=2", 1, 2),
            ("offset=-4", 50, 0),
            ("offset=9999", 50, 9999),
            ("limit=99999999999999999999", 500, 0),
            ("limit=-99999999999999999999", 1, 0),
        ] {
            for path in ["/decisions", "/sessions"] {
                let page = server.get(&format!("{path}?{query}")).ok();
                assert_eq!((&page["limit"], &page["offset"]), (&json!(limit), &json!(offset)), "{path}?{query}");
                let rest = page["total"].as_u64().unwrap().saturating_sub(offset);
                assert_eq!(page["items"].as_array().unwrap().len() as u64, rest.min(limit), "{path}?{query}");
            }
        }
        for query in ["limit=abc", "limit=1.5", "offset=x", "limit=1e2", "offset=0x1", "limit=5&offset=five"] {
            for path in ["/decisions", "/sessions"] {
                server.get(&format!("{path}?{query}")).refused(&[422]);
            }
        }
    });
}

#[test]
fn sessions_are_listed_most_recently_updated_first() {
    on_both(|backend| {
        let home = Home::new();
        backend.write_old(&home, &[], &sessions());
        let server = backend.serve(&home);
        let mut expected = sessions();
        expected.iter_mut().for_each(|record| record["evidence_ref_count"] = json!(0));
        expected.sort_by_key(|record| {
            (Reverse(text(record, "updated_at").to_owned()), text(record, "session_id").to_owned())
        });
        assert_eq!(server.all("/sessions"), expected);
        for (field, values) in [
            ("agent_id", &["claude", "Claude", "nobody"][..]),
            ("repository", &["web", "pay/api"]),
            ("policy_pack", &[BASELINE, "x"]),
            ("state", &["active", "completed", "failed", "archived", "ACTIVE"]),
        ] {
            for value in values {
                let wanted: Vec<_> = expected.iter().filter(|record| record[field] == **value).cloned().collect();
                let page = server.get(&format!("/sessions?{field}={value}")).ok();
                assert_eq!(page["items"].as_array().unwrap(), &wanted, "{field}={value}");
                assert_eq!(page["total"], wanted.len());
            }
            assert_eq!(server.total(&format!("/sessions?{field}=")), 12);
        }
        let both = server.get("/sessions?state=active&agent_id=claude").ok();
        assert!(
            both["items"]
                .as_array()
                .unwrap()
                .iter()
                .all(|item| item["state"] == "active" && item["agent_id"] == "claude")
        );
        assert_eq!(server.total("/sessions?session_id=old-00"), 12, "no filter of this list");
    });
}

/// docs/reference/decisions-and-policy.md, section 10.
#[test]
fn risk_events_are_a_view_of_decisions() {
    on_both(|backend| {
        let server = seeded(backend);
        let risky = |record: &&Value| matches!(text(record, "decision"), "block" | "require_approval" | "warn");
        let expected: Vec<Value> = newest_first(decisions()).iter().filter(risky).map(event).collect();
        assert_eq!(expected.len(), 60);
        let events = |query: &str| server.get(&format!("/risk/events?{query}")).ok().as_array().unwrap().clone();
        assert_eq!(events(""), expected);
        assert_eq!(events("limit=5&offset=3"), expected[3..8]);
        assert_eq!(events("limit=0"), expected[..1]);
        let of = |member: &str, value: &str| {
            expected.iter().filter(|event| event[member] == value).cloned().collect::<Vec<_>>()
        };
        assert_eq!(events("decision=warn"), of("decision", "warn"));
        assert_eq!(events("decision=allow"), [] as [Value; 0]);
        assert_eq!(events("severity=high"), of("severity", "high"));
        assert_eq!(events("agent_id=claude&decision="), of("agent_id", "claude"));
        assert_eq!(events("action_type=pull_request"), of("action_type", "pull_request"));
        server.get("/risk/events?limit=x").refused(&[422]);
        let fresh = server.decide(&json!({"action_type": "execute_command", "target": "make"}));
        assert_eq!(events("")[0], event(&fresh));
    });
}

fn event(decision: &Value) -> Value {
    let mut event = json!({ "event_id": format!("risk_{}", text(decision, "decision_id")) });
    for member in [
        "decision_id",
        "session_id",
        "agent_id",
        "repository",
        "action_type",
        "target",
        "decision",
        "severity",
        "rule_id",
        "policy_pack",
        "reason",
        "timestamp",
    ] {
        event[member] = decision[member].clone();
    }
    event
}

#[test]
fn at_most_500_risk_events() {
    on_both(|backend| {
        let home = Home::new();
        let many: Vec<_> = (0..510)
            .map(|id| OldDecision {
                id,
                session: "s",
                agent: "a",
                repository: "r",
                decision: "block",
                severity: "high",
                action_type: "read_file",
                second: id % 60,
            })
            .map(OldDecision::record)
            .collect();
        backend.write_old(&home, &many, &[]);
        let server = backend.serve(&home);
        assert_eq!(server.get("/risk/events").ok().as_array().unwrap().len(), 500);
        assert_eq!(server.get("/risk/events?limit=9999").ok().as_array().unwrap().len(), 500);
        assert_eq!(server.get("/risk/events?offset=505").ok().as_array().unwrap().len(), 5);
        assert_eq!(server.get("/decisions?limit=9999").ok()["items"].as_array().unwrap().len(), 500);
    });
}

/// Many large records are no reason for an answer of any size; whoever goes on where a page ends sees them all.
#[test]
fn pages_are_bounded_in_bytes() {
    const MOST: usize = 16 * 1024 * 1024;
    on_both(|backend| {
        let server = crate::evidence::serve(&Home::new(), backend, &[]);
        for number in 0..5 {
            let body = json!({"session_id": format!("s{number}"), "created_at": format!("2031-01-01T00:00:0{number}Z"),
                "metadata_kind": "release-connector-delivery", "decisions": "x".repeat(7 << 20)});
            server.post("/evidence", &body).ok();
        }
        for path in ["/evidence", "/release-connector-deliveries", "/evidence?signer="] {
            let glue = if path.contains('?') { '&' } else { '?' };
            let (mut seen, mut pages) = (Vec::new(), Vec::new());
            while seen.len() < 5 {
                let answer = server.get(&format!("{path}{glue}limit=500&offset={}", seen.len()));
                assert!(answer.body.len() < MOST + 4096, "{}", answer.body.len());
                let page = answer.ok();
                let items: Vec<_> =
                    page["items"].as_array().unwrap().iter().map(|item| text(item, "session_id").to_owned()).collect();
                pages.push((items.len(), page["limit"].as_u64().unwrap(), page["total"].as_u64().unwrap()));
                seen.extend(items);
            }
            assert_eq!(seen, ["s4", "s3", "s2", "s1", "s0"], "{path}");
            // Full pages say how much they hold; the last one what was asked for.
            assert_eq!(pages, [(2, 2, 5), (2, 2, 5), (1, 500, 5)], "{path}");
        }
        let page = server.get("/evidence?limit=1&offset=1").ok();
        assert_eq!((&page["limit"], page["items"].as_array().unwrap().len()), (&json!(1), 1));
        let board = server.get("/release-connector-deliveries/dashboard").ok();
        assert_eq!(board["total_deliveries"], 5, "all are counted, page by page");
    });
}
