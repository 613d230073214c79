//! Reading makes no files: what is not there is empty.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::Home;

/// All files and folders below a folder; what is compiled is kept apart from what is stored.
fn below(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(below(&path));
        }
        found.insert(path);
    }
    found
}

#[test]
fn nothing_is_created_by_reading() {
    let stores = ["ACTIVITY", "APPROVAL", "EVIDENCE_METADATA", "INTEGRATION", "INVENTORY", "REGISTRY", "TOKEN"];
    // Command line, exit code, and how many records are listed, if they are.
    let cases: &[(&[&str], i32, Option<usize>)] = &[
        (&["evidence", "search", "--sqlite", "no/file.db"], 0, Some(0)),
        (&["evidence", "search"], 0, Some(0)),
        (&["approval", "list"], 0, Some(0)),
        (&["approval", "--store", "no/file.json", "list"], 0, Some(0)),
        (&["approval", "--sqlite", "no/file.db", "list"], 0, Some(0)),
        (&["approval", "--sqlite", "no/file.db", "export-notifications", "apr_000000000000"], 1, None),
        (&["approval", "--sqlite", "no/file.db", "provider-requests", "apr_000000000000"], 1, None),
        (
            &["approval", "--sqlite", "no/file.db", "approve", "apr_000000000000", "--actor", "a", "--reason", "r"],
            1,
            None,
        ),
        (&["approval", "--sqlite", "no/file.db", "expire", "apr_000000000000"], 1, None),
        (&["release", "connector-delivery-history", "--sqlite", "no/file.db"], 0, Some(0)),
        (&["release", "connector-delivery-history", "--metadata-json", "no/file.json"], 0, Some(0)),
        (&["release", "connector-delivery-dashboard", "--sqlite", "no/file.db"], 0, None),
        (&["evidence", "replay", "--days", "1", "--json"], 0, None),
        (&["evidence", "log", "show", "--json"], 0, Some(6)),
        (&["evidence", "log", "proof", "dec_000000000000"], 1, None),
        (&["evidence", "log", "verify", "--json"], 1, None),
        (&["evidence", "log", "verify", "--store", "no/file.db"], 1, None),
        (&["policy", "backtest", "cavra-ai-agent-baseline", "--json"], 0, None),
        (&["token", "list", "--json"], 0, None),
        (&["registry", "agent-list"], 0, Some(0)),
        (&["registry", "mcp-check", "files", "read"], 0, None),
        (&["ops", "stores"], 0, Some(6)),
        (&["ops", "verify", "no/manifest.json"], 1, None),
        (&["ops", "restore", "no/manifest.json"], 1, None),
    ];
    for suffix in ["DB", "STORE"] {
        for (arguments, code, listed) in cases {
            let home = Home::new();
            let before = below(home.path());
            let mut run = home.cavra(arguments);
            for store in stores {
                run = run.env(&format!("CAVRA_{store}_{suffix}"), home.at(&format!("none/{store}")));
            }
            let done = run.run().exits(*code);
            if let Some(listed) = listed {
                let items = done.json()["items"].as_array().map(Vec::len);
                assert_eq!(items, Some(*listed), "{arguments:?}: {done:?}");
            }
            assert_eq!(below(home.path()), before, "{arguments:?} with {suffix}");
        }
    }
}

/// An execution that looks for its approval leaves no store of approvals behind.
#[test]
fn looking_for_an_approval_creates_no_store() {
    let home = Home::new();
    home.write("request.json", json!({"request_id": "rpr_000000000000"}).to_string());
    let before = below(home.path());
    let execute = ["release", "execute-rollout-promotion", "request.json", "--approval-id", "apr_000000000000"];
    let failed = home.cavra(&[&execute[..], &["--approval-sqlite", "no/approvals.db"]].concat()).run().fails();
    assert!(failed.stderr.contains("approval apr_000000000000 not found"), "{failed:?}");
    assert_eq!(below(home.path()), before);
}
