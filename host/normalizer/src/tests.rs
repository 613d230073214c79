use cavra_json::Node;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

mod hostile;
mod vendors;

#[derive(Debug, PartialEq)]
struct Read {
    endpoints: Vec<Value>,
    warnings: Vec<String>,
    unknown: Vec<String>,
}

fn tool(name: &str) -> &'static Tool {
    TOOLS.iter().find(|tool| tool.name == name).unwrap()
}

/// Reads an export in pieces of so many bytes.
fn stream(tool: &'static Tool, export: &[u8], targets: &[(&str, &str)], piece: usize) -> Result<Read, Refusal> {
    let target_map = targets.iter().map(|(text, target)| ((*text).to_owned(), (*target).to_owned())).collect();
    let mut session = Session::open(tool, Settings { target_map });
    let mut parts = std::collections::BTreeMap::<u32, Vec<Value>>::new();
    let mut take = |batch: Batch| {
        for observation in batch.observations {
            parts.entry(observation.part).or_default().push(serde_json::from_str(&observation.payload).unwrap());
        }
        for part in batch.retracted {
            parts.remove(&part);
        }
    };
    for chunk in export.chunks(piece) {
        take(session.chunk(chunk)?);
    }
    let (batch, summary) = session.finish()?;
    take(batch);
    let endpoints: Vec<_> = parts.into_values().flatten().collect();
    assert_eq!(summary.records, endpoints.len() as u64);
    let warnings = summary.problems.into_iter().map(|problem| problem.message).collect();
    Ok(Read { endpoints, warnings, unknown: summary.unknown_columns })
}

fn read_text(name: &str, export: &str) -> Result<Read, Refusal> {
    stream(tool(name), export.as_bytes(), &[], 7)
}

#[expect(clippy::needless_pass_by_value, reason = "exports are written in place")]
fn read(name: &str, export: Value) -> Read {
    read_with(name, &export, &[])
}

fn read_with(name: &str, export: &Value, targets: &[(&str, &str)]) -> Read {
    stream(tool(name), export.to_string().as_bytes(), targets, 1 << 16).unwrap()
}

/// The one endpoint of an export.
#[expect(clippy::needless_pass_by_value, reason = "records are written in place")]
fn one(name: &str, record: Value) -> Value {
    let mut read = read(name, json!([record]));
    assert_eq!(read.endpoints.len(), 1);
    read.endpoints.remove(0)
}

#[test]
fn simple_exports_of_every_provider() {
    for tool in TOOLS {
        for list in tool.lists {
            let export = json!({*list: [{"device_id": 7, "target": "ring-a", "version": "3.1.0", "checksum": "ab",
                "lastSeen": "2031-05-06T07:08:09Z", "computerName": "m", "serial": "S", "platform": "linux", "status": "ok"}]});
            let got = read(tool.name, export);
            assert_eq!(got.warnings, Vec::<String>::new(), "{} {list}", tool.name);
            let expected = json!({"endpoint_id": "7", "deployment_target": "ring-a", "installed_version": "3.1.0",
                "binary_sha256": "ab", "last_seen_at": "2031-05-06T07:08:09Z", "hostname": "m", "serial_number": "S",
                "os": "linux", "management_state": "ok", "provider": tool.name});
            assert_eq!(got.endpoints[0].clone(), expected, "{} {list}", tool.name);
        }
    }
}

#[test]
fn the_first_list_that_is_not_empty_counts() {
    let got = read("jamf", json!({"computers": [], "devices": [{"id": "a"}]}));
    assert_eq!(got.endpoints[0]["endpoint_id"], "a");
    let got = read("jamf", json!({"computers": []}));
    assert!(got.endpoints.is_empty() && got.warnings[0].contains("jamf"), "{:?}", got.warnings);
}

#[test]
fn what_is_no_export_is_refused() {
    for export in [json!({"people": []}), json!({}), json!("text"), json!(7), json!(null)] {
        let refused = read_text("intune", &export.to_string());
        assert_eq!(refused, Err(Refusal::NoRecords), "{export}");
    }
    let many = json!(vec![json!({"id": 1}); MAX_RECORDS + 1]).to_string();
    let refused = stream(&EDR, many.as_bytes(), &[], 1 << 16);
    assert_eq!(refused, Err(Refusal::TooMany { records: MAX_RECORDS as u64 + 1 }));
}

#[test]
fn single_records_pages_and_observations() {
    let single = read("linux", json!({"host": {"id": 4, "seen_time": "2031-05-06T07:08:09Z"}}));
    assert_eq!(single.endpoints[0]["endpoint_id"], "4");
    let observations = json!({"schema_version": "cavra.endpoint-observations.v1", "endpoints": [{"endpoint_id": "x"}]});
    assert_eq!(read("jamf", observations).endpoints[0]["endpoint_id"], "x");
    let pages = json!([{"value": [{"id": "a"}], "@odata.nextLink": "https://next"}, {"value": [{"id": "b"}]}]);
    let got = read("intune", pages);
    assert_eq!(got.endpoints.len(), 2);
    assert_eq!(got.warnings.iter().filter(|text| text.contains("incomplete")).count(), 1);
    let got = read("jamf", json!({"totalCount": 3, "results": [{"id": "a"}]}));
    assert!(got.warnings.iter().any(|text| text.contains("incomplete")));
}

#[test]
fn cavras_own_members_count_before_the_vendors() {
    let record = json!({"computerDnsName": "pc", "id": "m", "version": "22H2",
        "cavra": {"version": "3.3.0", "sha256": "cc", "target": "own-ring"}, "machineTags": ["cavra-target:other"]});
    let got = one("edr", record);
    assert_eq!(got["installed_version"], "3.3.0");
    assert_eq!(got["binary_sha256"], "cc");
    assert_eq!(got["deployment_target"], "own-ring");
}

#[test]
fn targets_that_contradict_each_other_are_unknown() {
    let record = json!({"device_id": "d", "cid": "c", "tags": ["cavra-target:a", "cavra-target:b"]});
    let got = read("edr", json!([record]));
    assert_eq!(got.endpoints[0]["deployment_target"], UNKNOWN_TARGET);
    assert!(got.warnings.iter().any(|text| text.contains("endpoint d ")), "{:?}", got.warnings);
    let none = read("edr", json!([{"id": "z"}]));
    assert_eq!(none.endpoints[0]["deployment_target"], UNKNOWN_TARGET);
    assert!(none.warnings.iter().any(|text| text.contains('z')));
    let mapped = read_with("jamf", &json!([{"id": "y", "policy_name": "Install CAVRA"}]), &[("Install CAVRA", "ring")]);
    assert_eq!(mapped.endpoints[0]["deployment_target"], "ring");
}

#[test]
fn objects_and_lists_are_no_facts() {
    let got =
        one("jamf", json!({"id": {"x": 1}, "udid": "", "serial_number": "S", "operatingSystem": {"name": "macOS"}}));
    assert_eq!(got["endpoint_id"], "S");
    assert_eq!(got.get("os"), None);
    assert_eq!(one("jamf", json!({}))["endpoint_id"], "jamf-endpoint-1");
}

#[test]
fn warnings_of_a_sort_are_counted() {
    let got = read("jamf", json!(vec![json!({}); 100]));
    assert!(got.warnings.len() <= 22, "{}", got.warnings.len());
    assert!(got.warnings.iter().any(|text| text.starts_with("80 more")), "{:?}", got.warnings);
    let got = read("jamf", json!([{"id": 1}, 7, "x"]));
    assert!(got.warnings.iter().any(|text| text.contains("2 entries")));
}

#[test]
fn what_an_export_says_about_itself() {
    let about = |export: &str| {
        let mut session = Session::open(&JAMF, Settings::default());
        session.chunk(export.as_bytes()).unwrap();
        Value::Object(session.finish().unwrap().1.about)
    };
    let export =
        r#"{"channel":"beta","observed_at":1,"generated_at":{},"schema_version":null,"secret":"x","computers":[]}"#;
    assert_eq!(about(export), json!({"channel": "beta", "observed_at": 1, "generated_at": false}));
    assert_eq!(about(&format!("[{export}]")), json!({}));
    assert_eq!(about(r#"{"channel":"beta","host":{}}"#), json!({"channel": "beta"}));
}

/// Values with the names that matter, so that many of them are exports.
fn any_export() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "id",
        "general",
        "name",
        "cavra",
        "version",
        "tags",
        "columns",
        "value",
        "results",
        "hosts",
        "devices",
        "endpoints",
        "items",
        "computers",
        "host",
        "hostIdentifier",
        "unixTime",
        "schema_version",
        "totalCount",
        "@odata.nextLink",
        "target",
        "computerDnsName",
        "snapshot",
        "software",
        "seen_time",
        "applications",
        "extensionAttributes",
        "groupMemberships",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u8..4).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec!["a", "b", "cavra-target:x", "cavra.endpoint-observations.v1"]).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(names.clone(), inner, 0..6).prop_map(|members| Value::Object(
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            )),
        ]
    })
    .prop_filter("an export", |value| value.is_object() || value.is_array())
}

proptest! {
    /// Whatever a file holds, and however it is cut, it is read as if it were in memory, and what comes out are plain
    /// observations.
    #[test]
    fn streams_are_read_like_values(export in any_export(), which in 0_usize..4, piece in 1_usize..40) {
        let text = export.to_string();
        let target_map = [("a", "ring-a"), ("b", "ring-b")];
        let map = target_map.map(|(text, target)| (text.to_owned(), target.to_owned())).into();
        let streamed = stream(TOOLS[which], text.as_bytes(), &target_map, piece);
        match (&streamed, reference::normalize(TOOLS[which], &export, &map)) {
            (Ok(read), Ok((endpoints, warnings))) => {
                prop_assert_eq!(&read.endpoints, &endpoints.into_iter().map(Value::Object).collect::<Vec<_>>());
                prop_assert_eq!(&read.warnings, &warnings);
            }
            (Err(refusal), Err(wanted)) => prop_assert_eq!(refusal, &wanted),
            (streamed, wanted) => prop_assert!(false, "{streamed:?} {wanted:?}"),
        }
        for endpoint in streamed.iter().flat_map(|read| &read.endpoints).filter_map(Value::as_object) {
            let known = |name: &str| FACTS_AND_MORE.contains(&name);
            prop_assert!(endpoint.iter().all(|(name, value)| known(name) && path::says_something(&Node::from(value))));
            prop_assert!(endpoint["endpoint_id"].is_string() && endpoint["deployment_target"].is_string());
        }
    }

    /// Whatever the bytes are, they are read or refused.
    #[test]
    fn any_bytes(mut bytes in prop::collection::vec(any::<u8>(), 0..200), which in 0_usize..4, first in 0_usize..4) {
        bytes.insert(0, b"[{\"i"[first]);
        let _ = stream(TOOLS[which], &bytes, &[], 16);
    }

    /// A file that was cut off is never read as a whole one.
    #[test]
    fn what_is_cut_off_is_refused(export in any_export(), at in any::<prop::sample::Index>()) {
        let text = export.to_string();
        let end = at.index(text.len());
        prop_assert!(stream(&LINUX, text.as_bytes().get(..end).unwrap(), &[], 16).is_err());
    }

    /// What is written of a number is the moment that it stands for.
    #[test]
    fn numbers_of_the_epoch(number in prop_oneof![any::<i64>(), -62_167_219_200_i64..400_000_000_000_000]) {
        for value in [json!(number), json!(number.to_string())] {
            let written = epoch::spelled_out(&Node::from(&value)).to_value();
            if written != value {
                let moment = cavra_inventory::read_time(&value).map(|time| time.as_microsecond());
                prop_assert_eq!(cavra_inventory::read_time(&written).map(|time| time.as_microsecond()), moment);
            }
        }
    }
}

const FACTS_AND_MORE: [&str; 11] = [
    "endpoint_id",
    "deployment_target",
    "provider",
    "installed_version",
    "binary_sha256",
    "last_seen_at",
    "hostname",
    "serial_number",
    "os",
    "os_version",
    "management_state",
];
