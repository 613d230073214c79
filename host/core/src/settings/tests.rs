use std::collections::BTreeSet;

use super::shown::unknown_variable;
use super::*;

#[test]
fn secrets_are_masked_and_never_debugged() {
    let names = ["CAVRA_POLICY_SIGNING_KEY", "CAVRA_API_TOKEN", "CAVRA_ENDPOINT_INGEST_TOKEN"];
    let lookup = |name: &str| names.contains(&name).then(|| "hush-hush".to_owned());
    let shown = shown_settings(None, lookup);
    for name in names {
        let key = shown.iter().find(|setting| setting.name == name).unwrap();
        assert_eq!((key.value.as_deref(), key.origin), (Some("********"), Origin::Environment));
    }
    let settings = Settings::read(lookup).unwrap();
    assert!(settings.signing_key.is_some() && settings.api_token.is_some());
    assert!(!format!("{settings:?}").contains("hush"));
    let refused = Settings::read(|name| (name == "CAVRA_API_TOKEN").then(|| "hush\nhush".to_owned())).unwrap_err();
    assert!(!refused.to_string().contains("hush"), "{refused}");
}

#[test]
fn flags_and_lists() {
    let read =
        |name: &'static str, value: &'static str| Settings::read(|asked| (asked == name).then(|| value.to_owned()));
    assert!(read("CAVRA_REQUIRE_TOKEN", "TRUE").unwrap().require_token);
    assert!(!read("CAVRA_REQUIRE_TOKEN", "off").unwrap().require_token);
    assert!(read("CAVRA_REQUIRE_TOKEN", "maybe").is_err());
    assert_eq!(read("CAVRA_LOG", "x").unwrap().redactor, Redactor::new(true));
    assert_eq!(read("CAVRA_REDACT", "off").unwrap().redactor, Redactor::new(false));
    assert!(read("CAVRA_REDACT", "maybe").is_err());
    let origins = read("CAVRA_CORS_ORIGINS", " https://a.example, ,https://b.example").unwrap().cors_origins;
    assert_eq!(origins, ["https://a.example", "https://b.example"]);
    for wrong in [
        "https://console.example/",
        "https://console.example/app",
        "https://console.example?x",
        "https://Console.example",
        "https://console.example:443",
        "https://*.example",
        "console.example",
        "https://user@console.example",
        "file:///x",
    ] {
        let refused = read("CAVRA_CORS_ORIGINS", wrong).unwrap_err().to_string();
        assert!(refused.contains("CAVRA_CORS_ORIGINS") && refused.contains(wrong), "{refused}");
    }
    for right in ["*", "http://localhost:3000", "https://[::1]:8443", "https://console.example:8443"] {
        assert_eq!(read("CAVRA_CORS_ORIGINS", right).unwrap().cors_origins, [right]);
    }
}

#[test]
fn a_variable_that_is_none_is_named() {
    assert_eq!(unknown_variable("CAVRA_REQUIRE_TOKEN"), None);
    assert_eq!(unknown_variable("HOME"), None);
    let said = unknown_variable("CAVRA_REQUIRE_TOKENS").unwrap();
    assert!(said.ends_with("did you mean CAVRA_REQUIRE_TOKEN?"), "{said}");
    assert!(unknown_variable("CAVRA_ACTIVTY_DB").unwrap().contains("CAVRA_ACTIVITY_DB"));
    assert!(unknown_variable("CAVRA_QQQ").unwrap().contains("CAVRA_QQQ is no setting"));
}

#[test]
fn what_applies_without_any_variable() {
    let settings = Settings::read(|_| None).unwrap();
    assert!(!settings.require_token && settings.redactor == Redactor::new(true) && settings.placed_by.is_empty());
    assert_eq!(settings.hook_deadline, Duration::from_secs(5));
    assert_eq!(settings.activity, Location::Json(".cavra/api/activity.json".into()));
    assert_eq!(settings.evidence_log_key, PathBuf::from(".cavra/keys/evidence-log-ed25519.pem"));
    assert_eq!(settings.cache_dir, None, "without a home there is no cache");
    let named = Settings::read(|name| (name == "CAVRA_APPROVAL_STORE").then(|| "x".to_owned())).unwrap();
    assert_eq!(named.placed_by, BTreeMap::from([("approvals", "CAVRA_APPROVAL_STORE")]));
    let all = Settings::read(|name| (name == "CAVRA_DATABASE_URL").then(|| "sqlite:x".to_owned())).unwrap();
    assert!(AREAS.iter().all(|area| all.placed_by.get(area.name) == Some(&ALL)));
    assert!(Settings::read(|name| (name == "CAVRA_HOOK_DEADLINE_MS").then(|| "soon".to_owned())).is_err());
    assert_eq!(settings.max_inventory_bytes, 64 << 20);
    for wrong in ["0", "-1", "64 MiB", "9999999999"] {
        let read = Settings::read(|name| (name == "CAVRA_MAX_INVENTORY_BYTES").then(|| wrong.to_owned()));
        assert!(read.is_err(), "{wrong}");
    }
}

#[test]
fn settings_are_sorted_unique_and_those_that_are_read() {
    assert!(SETTINGS.windows(2).all(|pair| pair[0].name < pair[1].name));
    // The command line reads these two where it starts to log, before anything else.
    let asked = std::cell::RefCell::new(BTreeSet::from(["CAVRA_LOG".to_owned(), "CAVRA_LOG_FORMAT".to_owned()]));
    Settings::read(|name| {
        asked.borrow_mut().insert(name.to_owned());
        None
    })
    .unwrap();
    let ours = |name: &String| name.starts_with("CAVRA_") && !secrets::names_a_file(name);
    let ours: BTreeSet<String> = asked.into_inner().into_iter().filter(ours).collect();
    assert_eq!(ours, SETTINGS.iter().map(|setting| setting.name.to_owned()).collect());
}

/// Rows of the table in the documentation: names in the first cell, what applies without them in the second.
#[test]
fn the_documentation_lists_them_with_what_applies_without_them() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md")).unwrap();
    let mut listed = BTreeSet::new();
    for row in page.lines().filter(|line| line.starts_with("| `CAVRA_")) {
        let cells: Vec<&str> = row.split('|').collect();
        let names: Vec<&str> = cells[1].split(", ").map(|name| name.trim().trim_matches('`')).collect();
        let known = |name: &&str| *SETTINGS.iter().find(|setting| setting.name == *name).unwrap();
        let defaults: Vec<Without> = names.iter().map(|name| known(name).default).collect();
        let said = cells[2].trim();
        let value = defaults.iter().find(|default| matches!(default, Without::Value(_)));
        match value {
            Some(value) => assert_eq!(said, format!("`{}`", value.text()), "{row}"),
            None => assert!(defaults.iter().any(|default| default.text() == said.replace('`', "")), "{row}"),
        }
        listed.extend(names);
    }
    assert_eq!(listed, SETTINGS.iter().map(|setting| setting.name).collect());
}
