//! Events and approvals leave in the form of each system, and nothing secret stays behind.

use serde_json::{Value, json};

use crate::support::{Home, Receiver};

#[test]
fn an_event_is_delivered_from_the_command_line() {
    let home = Home::new();
    let (good, bad) = (Receiver::answering("202 Accepted").address, Receiver::answering("400 No").address);
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
    let failed = deliver("splunk,webhook").exits(1);
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

#[test]
fn an_approval_is_delivered_over_http() {
    let home = Home::new();
    let (good, bad) = (Receiver::answering("200 OK").address, Receiver::answering("404 No").address);
    let config = json!({"approval_providers": {
        "slack": {"url": format!("{good}/services/hush")},
        "jira": {"url": bad, "token": "hush"},
        "servicenow": {"url": good},
        "splunk": {"url": good, "token": "hush"},
        "teams": {"enabled": false, "url": good},
    }});
    home.write("providers.json", config.to_string());
    let server = home.serve(&[("CAVRA_APPROVAL_PROVIDER_CONFIG", "providers.json")]);
    assert_eq!(server.get("/console/config").ok()["approval_provider_delivery"], "configured");
    let decided = server.post("/decisions", &json!({"action_type": "write_file", "target": "iam/x"})).ok();
    let approval = server.post("/approvals", &decided).ok();
    let path = format!("/approvals/{}/deliver", approval["approval_id"].as_str().unwrap());
    let delivered = server.post(&path, &json!({"provider": "slack"})).ok();
    assert_eq!(delivered["schema_version"], "cavra.approval.delivery.v1");
    assert_eq!((&delivered["success"], &delivered["approval_id"]), (&json!(true), &approval["approval_id"]));
    let delivered = server.post(&path, &json!({"provider": "jira", "retries": 1})).ok();
    let jira = &delivered["deliveries"][0];
    assert_eq!(
        (&delivered["success"], &jira["attempt_count"], &jira["error"]),
        (&json!(false), &json!(2), &json!("HTTP 404"))
    );
    assert_eq!(jira["request"]["headers"]["authorization"], "REDACTED");
    assert!(!delivered.to_string().contains("hush"));
    for (body, word) in [
        (json!({"provider": "servicenow"}), "servicenow"),
        (json!({"provider": "splunk"}), "splunk"),
        (json!({"provider": "teams"}), "teams"),
        (json!({"provider": "all"}), "servicenow"),
        (json!({"retries": "many"}), "retries"),
    ] {
        let refused = server.post(&path, &body).refused(&[400]);
        assert!(refused.to_string().contains(word), "{body}: {refused}");
    }
    server.post("/approvals/appr_none/deliver", &json!({})).refused(&[404]);
    let plain = Home::new().serve(&[]);
    assert_eq!(plain.get("/console/config").ok()["connector_delivery"], "disabled");
}

#[test]
fn a_server_does_not_start_on_a_connector_file_that_is_none() {
    let home = Home::new();
    home.write("broken.json", "{\"splunk\": {\"token\": \"hush\"}");
    for (variable, file) in [
        ("CAVRA_CONNECTOR_CONFIG", "broken.json"),
        ("CAVRA_CONNECTOR_CONFIG", "missing.json"),
        ("CAVRA_APPROVAL_PROVIDER_CONFIG", "broken.json"),
    ] {
        let refused = home.cavra(&["serve", "--port", "0"]).env(variable, file).run().fails();
        assert!(refused.stderr.contains(variable) && refused.stderr.contains(file), "{refused:?}");
        assert!(!refused.stderr.contains("hush"), "{refused:?}");
    }
}

/// Only what the operator names goes through his proxy, by its name and encrypted; what the environment says to other programs
/// decides nothing.
#[test]
fn hosts_that_are_named_are_reached_through_the_proxy() {
    let (proxy, direct) = (Receiver::answering("403 Forbidden"), Receiver::answering("200 OK"));
    let home = Home::new();
    home.write("event.json", json!({"event_type": "cavra.test", "session_id": "s"}).to_string());
    let config = json!({"connectors": {
        "webhook": {"url": "https://behind.invalid/hush", "token": "hush"},
        "splunk": {"url": direct.at("/services/collector"), "token": "hush"},
    }});
    home.write("connectors.json", config.to_string());
    let address = proxy.address.replace("http://", "http://user:hush@");
    let arguments = ["integration", "deliver", "event.json", "--config", "connectors.json", "--retries", "0"];
    let deliver = |settings: &[(&str, &str)]| {
        let elsewhere = [("HTTPS_PROXY", "http://127.0.0.1:1"), ("HTTP_PROXY", "http://127.0.0.1:1")];
        let command = home.cavra(&arguments);
        elsewhere.iter().chain(settings).fold(command, |command, (name, value)| command.env(name, value)).run()
    };
    let named = [("CAVRA_CONNECT_PROXY", address.as_str()), ("CAVRA_CONNECT_PROXY_HOSTS", "behind.invalid")];
    let delivered = deliver(&named).exits(1);
    let deliveries = delivered.json()["deliveries"].clone();
    assert_eq!((&deliveries[0]["provider"], &deliveries[0]["success"]), (&json!("splunk"), &json!(true)));
    assert_eq!(deliveries[1]["error"], "connector endpoint unreachable");
    assert!(!format!("{delivered:?}").contains("hush@"), "{delivered:?}");
    let asked = proxy.got();
    assert_eq!((asked.len(), asked[0].line.as_str()), (1, "CONNECT behind.invalid:443"));
    // `user:hush`
    assert_eq!(asked[0].header("proxy-authorization"), Some("Basic dXNlcjpodXNo"));
    assert!(asked[0].header("authorization").is_none(), "{asked:?}");

    // Without it, the name leads nowhere.
    let delivered = deliver(&[]).exits(1);
    assert_eq!(delivered.json()["deliveries"][1]["error"], "connector endpoint unreachable");
    for (settings, word) in [
        (&named[..1], "CAVRA_CONNECT_PROXY_HOSTS"),
        (&named[1..], "needs CAVRA_CONNECT_PROXY"),
        (&[named[0], ("CAVRA_CONNECT_PROXY_HOSTS", "*")][..], "names with commas"),
        (&[("CAVRA_CONNECT_PROXY", "proxy:3128"), named[1]][..], "must be an address"),
        (&[("CAVRA_CONNECT_CA_FILE", "missing.pem")][..], "CAVRA_CONNECT_CA_FILE names cannot be read"),
    ] {
        let refused = deliver(settings).fails();
        assert!(refused.stderr.contains(word) && !refused.stderr.contains("hush"), "{refused:?}");
    }
    assert_eq!((proxy.got().len(), direct.got().len()), (1, 2));
}
