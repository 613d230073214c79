//! `cavra integration deliver`: events leave in the form of each system, and nothing secret stays behind.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};

use crate::support::Home;

/// Answers every request with a status; hands out the address.
fn receiver(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut text = Vec::new();
            let mut piece = [0; 4096];
            while !text.windows(4).any(|end| end == b"\r\n\r\n") || !text.ends_with(b"}") {
                let length = stream.read(&mut piece).unwrap();
                text.extend_from_slice(&piece[..length]);
            }
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

#[test]
fn an_event_is_delivered_from_the_command_line() {
    let home = Home::new();
    let (good, bad) = (receiver("202 Accepted"), receiver("400 No"));
    home.write("event.json", json!({"event_type": "cavra.test", "session_id": "a/b"}).to_string());
    home.write(
        "connectors.yaml",
        format!(
            "connectors:\n  webhook: {{url: \"{good}/x?key=hush\"}}\n  splunk: {{url: \"{bad}/\", token_env: SPLUNK}}\n  \
             slack: {{url_env: UNSET}}\n"
        ),
    );
    let deliver = |provider: &str| {
        let arguments = ["integration", "deliver", "event.json", "--config", "connectors.yaml", "--provider", provider];
        home.cavra(&arguments).env("SPLUNK", "hush").run()
    };
    let delivered = deliver("webhook").ok();
    let result = delivered.json();
    assert_eq!((&result["schema_version"], &result["success"]), (&json!("cavra.connector.delivery.v1"), &json!(true)));
    assert_eq!(home.json(".cavra/integrations/deliveries/a-b-connector-delivery.json"), result);
    let failed = deliver("splunk,webhook").fails();
    let result = failed.json();
    let statuses: Vec<&Value> = result["deliveries"].as_array().unwrap().iter().map(|it| &it["status_code"]).collect();
    assert_eq!(statuses, [&json!(400), &json!(202)]);
    assert!(!failed.stdout.contains("hush"), "{failed:?}");
    for (provider, word) in [("slack", "UNSET"), ("nobody", "nobody"), ("jira", "jira")] {
        let refused = deliver(provider).fails();
        assert!(refused.stdout.is_empty() && refused.stderr.contains(word), "{refused:?}");
    }
    home.write("event.json", "[]");
    assert!(deliver("webhook").fails().stdout.is_empty());
}
