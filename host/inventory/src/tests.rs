use proptest::prelude::*;
use serde_json::json;

use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(text, target)| ((*text).to_owned(), (*target).to_owned())).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "exports are written in place")]
fn read(name: &str, export: Value) -> Normalized {
    read_with(name, &export, &[])
}

fn read_with(name: &str, export: &Value, targets: &[(&str, &str)]) -> Normalized {
    normalize(provider(name).unwrap(), export, &map(targets)).unwrap()
}

/// The one endpoint of an export.
#[expect(clippy::needless_pass_by_value, reason = "records are written in place")]
fn one(name: &str, record: Value) -> Value {
    let mut read = read(name, json!([record]));
    assert_eq!(read.endpoints.len(), 1);
    Value::Object(read.endpoints.remove(0))
}

#[test]
fn simple_exports_of_every_provider() {
    for provider in &PROVIDERS {
        for list in provider.lists {
            let export = json!({*list: [{"device_id": 7, "target": "ring-a", "version": "3.1.0", "checksum": "ab",
                "lastSeen": "2031-05-06T07:08:09Z", "computerName": "m", "serial": "S", "platform": "linux", "status": "ok"}]});
            let got = read(provider.name, export);
            assert_eq!(got.warnings, Vec::<String>::new(), "{} {list}", provider.name);
            let expected = json!({"endpoint_id": "7", "deployment_target": "ring-a", "installed_version": "3.1.0",
                "binary_sha256": "ab", "last_seen_at": "2031-05-06T07:08:09Z", "hostname": "m", "serial_number": "S",
                "os": "linux", "management_state": "ok", "provider": provider.name});
            assert_eq!(Value::Object(got.endpoints[0].clone()), expected, "{} {list}", provider.name);
        }
    }
}

#[test]
fn names_of_providers() {
    assert_eq!(provider(" JAMF ").unwrap().name, "jamf");
    assert!(provider("kandji").is_none());
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
        let refusal = normalize(provider("intune").unwrap(), &export, &map(&[])).unwrap_err();
        assert_eq!(refusal, Refusal::NoRecords { provider: "intune" }, "{export}");
    }
    let many = json!(vec![json!({"id": 1}); MAX_RECORDS + 1]);
    assert_eq!(
        normalize(provider("edr").unwrap(), &many, &map(&[])).unwrap_err(),
        Refusal::TooMany { records: MAX_RECORDS + 1 }
    );
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
fn jamf_pro() {
    let record = json!({
        "id": "12", "udid": "U", "general": {"name": "zoë-mbp", "lastContactTime": "2031-05-06T07:08:09.1234567Z",
            "platform": "Mac", "remoteManagement": {"managed": true},
            "extensionAttributes": [{"name": "CAVRA Runtime SHA-256", "values": ["feed"]}]},
        "hardware": {"serialNumber": "C02"}, "operatingSystem": {"name": "macOS", "version": "15.1"},
        "applications": [{"name": "Other.app", "version": "9"}, {"name": "CAVRA Runtime.app", "version": "3.1.0"}],
        "groupMemberships": [{"groupName": "All"}, {"groupName": "CAVRA-Target:mac-ring-a"}]});
    let expected = json!({"endpoint_id": "12", "deployment_target": "mac-ring-a", "installed_version": "3.1.0",
        "binary_sha256": "feed", "last_seen_at": "2031-05-06T07:08:09.1234567Z", "hostname": "zoë-mbp",
        "serial_number": "C02", "os": "macOS", "os_version": "15.1", "management_state": "managed", "provider": "jamf"});
    assert_eq!(one("jamf", record), expected);
}

#[test]
fn jamf_classic_is_the_same_record_in_snake_case() {
    let got = read(
        "jamf",
        json!({"computer": {"general": {"id": 5, "name": "n", "serial_number": "S1", "report_date": "2031-01-01T00:00:00Z"},
            "extension_attributes": [{"name": "cavra_version", "value": "2.0"}, {"name": "cavra target", "value": "ring-b"}],
            "software": {"applications": [{"name": "x", "path": "/Applications/x.app", "version": "1"}]}}}),
    );
    let endpoint = Value::Object(got.endpoints[0].clone());
    assert_eq!(endpoint["endpoint_id"], "5");
    assert_eq!(endpoint["serial_number"], "S1");
    assert_eq!(endpoint["installed_version"], "2.0");
    assert_eq!(endpoint["deployment_target"], "ring-b");
}

#[test]
fn microsoft_graph() {
    let record = json!({"id": "g1", "deviceName": "WIN", "managedDeviceOwnerType": "company", "serialNumber": "S",
        "operatingSystem": "Windows", "osVersion": "10.0", "lastSyncDateTime": "2031-05-06T07:08:09.1234567Z",
        "complianceState": "compliant", "deviceCategoryDisplayName": "Ring A",
        "detectedApps": [{"displayName": "cavra-runtime.exe", "version": "3.2.0"}]});
    let got = read_with("intune", &json!({"value": [record]}), &[("Ring A", "win-ring-a")]);
    let endpoint = Value::Object(got.endpoints[0].clone());
    assert_eq!(endpoint["deployment_target"], "win-ring-a");
    assert_eq!(endpoint["installed_version"], "3.2.0");
    assert_eq!(endpoint["os_version"], "10.0");
}

#[test]
fn fleet() {
    let record = json!({"id": 9, "hostname": "h", "platform": "ubuntu", "os_version": "Ubuntu 24.04", "seen_time":
        "2031-05-06T07:08:09Z", "updated_at": "2031-05-07T00:00:00Z", "osquery_version": "5.1", "version": "77",
        "hardware_serial": "HS", "status": "online", "labels": [{"name": "cavra-target=linux-a"}],
        "software": [{"name": "tool", "installed_paths": ["/usr/local/bin/cavra-runtime"], "version": "3.0",
            "signature_information": [{"hash_sha256": "beef"}]}]});
    let expected = json!({"endpoint_id": "9", "deployment_target": "linux-a", "installed_version": "3.0",
        "binary_sha256": "beef", "last_seen_at": "2031-05-06T07:08:09Z", "hostname": "h", "serial_number": "HS",
        "os": "ubuntu", "os_version": "Ubuntu 24.04", "management_state": "online", "provider": "linux"});
    assert_eq!(one("linux", record), expected);
}

#[test]
fn crowdstrike_and_defender() {
    let falcon = json!({"device_id": "d1", "cid": "c", "hostname": "h", "platform_name": "Linux", "os_version": "8",
        "agent_version": "7.1", "last_seen": "2031-05-06T07:08:09Z", "status": "normal", "tags": [
        "FalconGroupingTags/cavra-target/mac-ring-a", "SensorGroupingTags/cavra-version/3.1.0", "x/cavra-sha256/aa"]});
    let got = one("edr", falcon);
    assert_eq!(got["deployment_target"], "mac-ring-a");
    assert_eq!(got["installed_version"], "3.1.0");
    assert_eq!(got["binary_sha256"], "aa");
    let defender = json!({"id": "m1", "computerDnsName": "pc", "version": "22H2", "agentVersion": "10.8",
        "osPlatform": "Windows11", "lastSeen": "2031-05-06T07:08:09.1234567Z", "machineTags": ["cavra-target:w"],
        "healthStatus": "Active"});
    let got = one("edr", defender);
    assert_eq!(got.get("installed_version"), None, "an operating system's version is not the runtime's");
    assert_eq!(got["os_version"], "22H2");
    assert_eq!(got["deployment_target"], "w");
}

#[test]
fn rows_of_osquery_know_their_host() {
    let report = json!({"results": [{"host_id": 3, "host_name": "h3", "last_fetched": "2031-05-06T07:08:09Z",
        "columns": {"name": "cavra", "version": "3.1.0", "deployment_target": "ring-a"}}]});
    let expected = json!({"endpoint_id": "3", "deployment_target": "ring-a", "installed_version": "3.1.0",
        "last_seen_at": "2031-05-06T07:08:09Z", "hostname": "h3", "provider": "linux"});
    assert_eq!(Value::Object(read("linux", report).endpoints[0].clone()), expected);
    let line = json!({"name": "pack_cavra", "hostIdentifier": "box", "unixTime": 1_935_990_489, "action": "snapshot",
        "snapshot": [{"version": "3.1.0"}]});
    let got = read("linux", line);
    assert_eq!(got.endpoints[0]["endpoint_id"], "box");
    assert_eq!(got.endpoints[0]["last_seen_at"], "2031-05-08T07:08:09.000000+00:00");
    assert_eq!(got.endpoints[0]["installed_version"], "3.1.0");
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
fn times() {
    for (value, micros) in [
        (json!("2031-05-06T07:08:09Z"), 1_935_817_689_000_000_i64),
        (json!("2031-05-06T09:08:09+02:00"), 1_935_817_689_000_000),
        (json!("2031-05-06T07:08:09.1234567Z"), 1_935_817_689_123_456),
        (json!("2031-05-06T07:08:09"), 1_935_817_689_000_000),
        (json!("2031-05-06 07:08:09"), 1_935_817_689_000_000),
        (json!(1_935_817_689), 1_935_817_689_000_000),
        (json!(1_935_817_689_000_i64), 1_935_817_689_000_000),
        (json!("1935817689"), 1_935_817_689_000_000),
    ] {
        assert_eq!(read_time(&value).map(|time| time.as_microsecond()), Some(micros), "{value}");
    }
    for value in [json!("yesterday"), json!(null), json!([]), json!("")] {
        assert_eq!(read_time(&value), None, "{value}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
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
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(names.clone(), inner, 0..6).prop_map(|members| Value::Object(
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            )),
        ]
    })
}

proptest! {
    /// Whatever a file holds, what comes out are plain observations.
    #[test]
    fn only_facts_come_out(export in any_json(), which in 0_usize..4) {
        let provider = &PROVIDERS[which];
        if let Ok(read) = normalize(provider, &export, &BTreeMap::new()) {
            for endpoint in &read.endpoints {
                let known = |name: &str| FACTS_AND_MORE.contains(&name);
                prop_assert!(endpoint.iter().all(|(name, value)| known(name) && path::says_something(value)));
                prop_assert!(endpoint["endpoint_id"].is_string() && endpoint["deployment_target"].is_string());
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
