//! Exports of the vendors, as their documentation shows them.

use super::*;

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
    let endpoint = got.endpoints[0].clone();
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
    let endpoint = got.endpoints[0].clone();
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
    assert_eq!(read("linux", report).endpoints[0].clone(), expected);
    let line = json!({"name": "pack_cavra", "hostIdentifier": "box", "unixTime": 1_935_990_489, "action": "snapshot",
        "snapshot": [{"version": "3.1.0"}]});
    let got = read("linux", line);
    assert_eq!(got.endpoints[0]["endpoint_id"], "box");
    assert_eq!(got.endpoints[0]["last_seen_at"], "2031-05-08T07:08:09.000000+00:00");
    assert_eq!(got.endpoints[0]["installed_version"], "3.1.0");
}

#[test]
fn wazuh_and_landscape() {
    let agents = json!({"data": {"affected_items": [{"id": "004", "name": "web-1", "version": "Wazuh v4.12.0", "status": "active",
        "registerIP": "any", "lastKeepAlive": "2025-08-18T18:40:48+00:00", "os": {"name": "Ubuntu", "version": "22.04"},
        "group": ["default", "cavra-target=linux-a"]}], "total_affected_items": 2}, "error": 0});
    for name in ["linux", "edr"] {
        let got = read(name, agents.clone());
        let expected = json!({"endpoint_id": "004", "deployment_target": "linux-a", "hostname": "web-1", "os": "Ubuntu",
            "os_version": "22.04", "last_seen_at": "2025-08-18T18:40:48+00:00", "management_state": "active",
            "provider": name});
        assert_eq!(got.endpoints, [expected], "the agent's version is not the runtime's");
        assert!(got.warnings.iter().any(|text| text.contains("incomplete")), "{:?}", got.warnings);
    }
    let computers = json!({"count": 13, "next": "https://landscape.example/api/v2/computers?offset=1", "results": [{"id": 1,
        "title": "Application Server 1", "hostname": "appserv1", "last_ping_time": "2024-02-07T21:21:41Z", "tags":
        ["server", "cavra-target:linux-b"], "access_group": "server", "distribution": "24.04", "distribution_info":
        {"distributor": "Ubuntu"}, "annotations": {"cavra_version": "3.1.0"}}]});
    let got = read("linux", computers);
    let expected = json!({"endpoint_id": "1", "deployment_target": "linux-b", "installed_version": "3.1.0", "hostname":
        "appserv1", "os": "Ubuntu", "os_version": "24.04", "last_seen_at": "2024-02-07T21:21:41Z", "provider": "linux"});
    assert_eq!(got.endpoints, [expected]);
    assert!(got.warnings.iter().any(|text| text.contains("incomplete")));
}

#[test]
fn spreadsheets() {
    let intune = "\u{feff}Device name,Device ID,SERIAL NUMBER,OS,OS version,Last check-in,Compliance,Category,Primary user UPN\r\n\
        WIN-1,g1,S1,Windows,10.0.1,2031-05-06 07:08:09.0000000,Compliant,Ring A,zoe@example.com\r\n\
        \"WIN, \"\"2\"\"\nb\",g2,,Windows,,,,\"x; cavra-target:win-b\",\r\n\r\n";
    let first = json!({"endpoint_id": "g1", "deployment_target": "win-a", "hostname": "WIN-1", "serial_number": "S1", "os":
        "Windows", "os_version": "10.0.1", "last_seen_at": "2031-05-06 07:08:09.0000000", "management_state": "Compliant",
        "provider": "intune"});
    let second = json!({"endpoint_id": "g2", "deployment_target": "win-b", "hostname": "WIN, \"2\"\nb", "os": "Windows",
        "provider": "intune"});
    for piece in 1..60 {
        let got = stream(&INTUNE, intune.as_bytes(), &[("Ring A", "win-a")], piece).unwrap();
        assert_eq!(got.endpoints, [first.clone(), second.clone()], "pieces of {piece}");
        assert_eq!(got.unknown, ["Primary user UPN"]);
    }
    let jamf = "sep=;\nComputer Name;JSS ID;CAVRA Runtime Version;Cavra_Binary_SHA256;Last Check-in;Computer Group\n\
        mac-1;12;3.1.0;feed;2031-05-06T07:08:09Z;cavra-target:mac-a";
    let expected = json!({"endpoint_id": "12", "deployment_target": "mac-a", "installed_version": "3.1.0", "binary_sha256":
        "feed", "last_seen_at": "2031-05-06T07:08:09Z", "hostname": "mac-1", "provider": "jamf"});
    assert_eq!(read_text("jamf", jamf).unwrap().endpoints, [expected]);
    let edr = "hostname\tdevice_id\tlast_seen\tversion\nh\td1\t2031-05-06T07:08:09Z\t3.0";
    assert_eq!(read_text("edr", edr).unwrap().endpoints[0]["installed_version"], "3.0");
    let none = read_text("linux", "hostname,target\n").unwrap();
    assert!(none.endpoints.is_empty() && none.warnings[0].contains("linux"));
}

#[test]
fn lines_of_json() {
    let lines = "{\"id\": 1, \"target\": \"a\"}\n{\"id\": 2, \"target\": \"a\"}\r\n\n";
    let got = read_text("jamf", lines).unwrap();
    assert_eq!(got.endpoints.len(), 2);
    assert_eq!(got.warnings, Vec::<String>::new());
    let snapshots = r#"{"action":"snapshot","snapshot":[{"version":"3.1.0"}],"name":"q","hostIdentifier":"a","unixTime":1935990489}
        {"action":"snapshot","snapshot":[{"version":"3.2.0"}],"name":"q","hostIdentifier":"b","unixTime":1935990489}"#;
    let got = read_text("linux", snapshots).unwrap();
    let ids: Vec<_> =
        got.endpoints.iter().map(|it| (it["endpoint_id"].clone(), it["installed_version"].clone())).collect();
    assert_eq!(ids, [(json!("a"), json!("3.1.0")), (json!("b"), json!("3.2.0"))]);
    let pages = "{\"value\":[{\"id\":\"a\"}]}\n{\"value\":[{\"id\":\"b\"}]}";
    assert_eq!(read_text("intune", pages).unwrap().endpoints.len(), 2);
}
