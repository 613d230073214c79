//! Inventory exports, as vendors hand them out and as nobody should: read in the sandbox of a normalizer over HTTP and on the
//! command line alike, or refused with the provider and the place, and nothing is stored.

use std::io::Write as _;

use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::fleet::serve;
use crate::release_cli::release;
use crate::support::{Home, on_both, text};

/// Intune's list of devices, as its admin centre exports it.
const DEVICES: &str = "\u{feff}Device name,Device ID,Serial number,OS,OS version,Last check-in,Compliance,Category,Primary user\r\n\
    WIN-1,g1,S1,Windows,10.0,2031-05-06T07:08:09Z,Compliant,Ring A,zoe\r\n\
    \"WIN, 2\",g2,,Windows,,2031-05-06T07:08:09Z,Noncompliant,cavra-target:win-b,\r\n";

/// What is in it.
fn devices() -> Value {
    json!([
        {"endpoint_id": "g1", "deployment_target": "win-a", "hostname": "WIN-1", "serial_number": "S1", "os": "Windows",
            "os_version": "10.0", "last_seen_at": "2031-05-06T07:08:09Z", "management_state": "Compliant", "provider": "intune"},
        {"endpoint_id": "g2", "deployment_target": "win-b", "hostname": "WIN, 2", "os": "Windows",
            "last_seen_at": "2031-05-06T07:08:09Z", "management_state": "Noncompliant", "provider": "intune"},
    ])
}

#[test]
fn a_spreadsheet_is_read_like_any_export() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let body = json!({"provider": "Intune", "inventory_text": DEVICES, "target_map": {"Ring A": "win-a"},
            "observed_at": "2031-05-06T08:00:00Z", "channel": "beta"});
        let answer = server.post("/endpoint-inventory/ingest", &body).ok();
        assert_eq!(answer["inventory"]["endpoints"], devices());
        assert_eq!(answer["warnings"], json!(["columns that say nothing of an endpoint: Primary user"]));
        assert_eq!(server.total("/endpoint-inventory-ingestions?provider=intune&deployment_target=win-b"), 1);

        // The same on the command line, from the file, packed, and as lines of JSON; it is the same inventory.
        let home = Home::new();
        let mut zip = ZipWriter::new(std::fs::File::create(home.join("devices.zip")).unwrap());
        zip.start_file("export/devices.csv", SimpleFileOptions::default()).unwrap();
        zip.write_all(DEVICES.as_bytes()).unwrap();
        zip.finish().unwrap();
        home.write("devices.csv", DEVICES);
        let lines: Vec<_> = devices().as_array().unwrap().iter().map(Value::to_string).collect();
        home.write("devices.jsonl", lines.join("\n"));
        home.write("devices.json", json!({"value": devices(), "channel": "beta"}).to_string());
        home.write("map.json", r#"{"Ring A": "win-a"}"#);
        for (file, channel) in
            [("devices.csv", true), ("devices.zip", true), ("devices.jsonl", true), ("devices.json", false)]
        {
            let mut arguments = vec!["ingest-endpoint-inventory", file, "--provider", "intune", "--output", "in"];
            arguments.extend(["--observed-at", "2031-05-06T08:00:00Z", "--target-map", "map.json"]);
            if channel {
                arguments.extend(["--channel", "beta"]);
            }
            let ingested = release(&home, 0, &arguments);
            assert_eq!(ingested["inventory_id"], answer["inventory_id"], "{file}");
        }
    });
}

#[test]
fn hostile_exports_are_refused_and_nothing_is_stored() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let long = "x".repeat(10 << 20);
        let wide: serde_json::Map<String, Value> = (0..400_000).map(|n| (format!("c{n}"), json!(n))).collect();
        let deep = (0..110).fold(json!(1), |inner, _| json!([inner]));
        let quotes = format!("hostname,target\n{}", "\"".repeat(1001));
        let columns = format!("hostname{}\n", ",x".repeat(5000));
        let many = format!("hostname\n{}", "h\n".repeat(50_001));
        let refused: Vec<(&str, Value, u16, &str)> = vec![
            (
                "a text of ten megabytes",
                json!({"inventory": {"computers": [{"id": long}]}}),
                400,
                "record 1, at byte 14",
            ),
            (
                "a list's neighbour of ten megabytes",
                json!({"inventory": {"a": long, "computers": []}}),
                400,
                "at byte 5",
            ),
            ("very many members", json!({"inventory": [wide]}), 400, "record 1"),
            ("no list", json!({"inventory": {"people": [1], "deep": deep}}), 400, "no list of jamf records"),
            ("very many columns", json!({"inventory_text": columns}), 400, "more than 4096 columns"),
            ("a quote that is never closed", json!({"inventory_text": quotes}), 400, "between quotes"),
            ("too many lines", json!({"inventory_text": many}), 413, "50001"),
            ("one name twice", json!({"inventory_text": "[{\"id\":1,\"id\":2}]"}), 400, "record 1, at byte 1"),
            ("control characters", json!({"inventory_text": "[{\"id\":\"\u{1}\"}]"}), 400, "not JSON"),
            ("cut off", json!({"inventory_text": "{\"computers\":[{\"id\":1},{"}), 400, "ends in the middle"),
            ("another file", json!({"inventory_text": "<html></html>"}), 400, "no list of jamf records"),
            ("nothing", json!({"inventory_text": ""}), 400, "no list of jamf records"),
            ("no text", json!({"inventory_text": 7}), 400, "must be a text"),
            ("an endless target", json!({"inventory": [], "target_map": {"a": "x".repeat(2000)}}), 400, "target_map"),
        ];
        for (name, mut body, status, said) in refused {
            body["provider"] = json!("jamf");
            let answer = server.post("/endpoint-inventory/ingest", &body);
            assert_eq!(answer.status, status, "{name}");
            let answer = answer.text();
            assert!(answer.contains(said), "{name}: {}", answer.chars().take(300).collect::<String>());
            assert!(answer.len() < 2000, "{name}");
        }
        assert_eq!(server.total("/evidence"), 0);
        // What is odd and no more is read: nothing of it reaches the record that is not a fact.
        let odd = json!({"provider": "jamf", "inventory": {"computers": [{"id": "\u{1}\u{202e}\0", "hostname": ["a"],
            "password": "hush", "target": "t", "serial_number": "x".repeat(2000)}]}});
        let answer = server.post("/endpoint-inventory/ingest", &odd).ok();
        let wanted = json!([{"endpoint_id": "\u{1}\u{202e}\0", "deployment_target": "t", "provider": "jamf"}]);
        assert_eq!(answer["inventory"]["endpoints"], wanted);
        assert!(text(&answer, "inventory_id").starts_with("eii_"));
    });
}

/// A packed export that unpacks without end, or is none, is refused.
#[test]
fn hostile_archives() {
    let home = Home::new();
    let ingest = |file: &str| {
        let run = home.cavra(&["release", "ingest-endpoint-inventory", file, "--provider", "jamf", "--json"]).run();
        let run = run.exits(1);
        format!("{}{}", run.stdout, run.stderr)
    };
    let zip = |name: &str, files: &[(&str, &[u8])]| {
        let mut zip = ZipWriter::new(std::fs::File::create(home.join(name)).unwrap());
        for (name, content) in files {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap();
    };
    zip("two.zip", &[("a.csv", b"id\n1"), ("b.csv", b"id\n2")]);
    assert!(ingest("two.zip").contains("2 files"));
    // A megabyte in a kilobyte: what is unpacked has to be read too, and is refused for what it is.
    zip("zeros.zip", &[("a.json", &vec![0; 16 << 20])]);
    ingest("zeros.zip");
    home.write("broken.zip", b"PK\x03\x04nothing");
    ingest("broken.zip");
}
