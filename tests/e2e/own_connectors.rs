//! Connectors of the operator's: components that his file names, held to their digest and to what it grants.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::components::change_freeze;
use crate::support::{Home, Receiver, repository, sha256};

/// The connector that means harm; without a mode it sends one harmless request.
fn component() -> &'static [u8] {
    static WASM: OnceLock<Vec<u8>> = OnceLock::new();
    WASM.get_or_init(|| built("hostile"))
}

/// The one that tells two endpoints.
fn twofold() -> &'static [u8] {
    static WASM: OnceLock<Vec<u8>> = OnceLock::new();
    WASM.get_or_init(|| built("twofold"))
}

fn built(name: &str) -> Vec<u8> {
    let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/guests");
    let workspace = repository().join("host/connect/tests").join(name);
    cavra_guest_build::build_components(&workspace, target.as_ref()).unwrap().remove(0).wasm
}

/// A home whose file has this entry under a name, over a component that is what it should be.
fn home(name: &str, url: &str, more: &Value) -> Home {
    let home = Home::new();
    home.write("acme.wasm", component());
    home.write("event.json", json!({"event_type": "cavra.test", "session_id": "s"}).to_string());
    let mut entry =
        json!({"url": url, "token": "hush", "component": "acme.wasm", "component_digest": sha256(component())});
    entry.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    home.write("connectors.json", json!({ "connectors": { name: entry } }).to_string());
    home
}

const DELIVER: [&str; 7] = ["integration", "deliver", "event.json", "--config", "connectors.json", "--retries", "0"];

#[test]
fn a_component_of_the_operator_tells_his_own_system() {
    let receiver = Receiver::answering("200 OK");
    for name in ["acme-desk", "webhook"] {
        let settings = json!({"mode": "header", "value": "x-own: 1"});
        let home = home(name, &receiver.at("/base"), &settings);
        let delivered = home.cavra(&DELIVER).run().ok().json();
        let delivery = &delivered["deliveries"][0];
        assert_eq!((&delivery["provider"], &delivery["success"]), (&json!(name), &json!(true)));
        assert_eq!(delivery["request"]["headers"]["authorization"], "REDACTED");
        let got = receiver.got().pop().unwrap();
        assert_eq!((got.header("authorization"), got.header("x-own")), (Some("Bearer hush"), Some("1")));
        assert_eq!(got.json(), json!({}));
    }
    assert_eq!(receiver.got().len(), 2);
}

/// It sees nothing of the address, unless the operator shows it its path.
#[test]
fn a_component_of_the_operator_is_told_no_secret() {
    for (more, is_shown) in [(json!({}), false), (json!({"show_path": true}), true)] {
        let receiver = Receiver::answering("200 OK");
        let mut settings = json!({"mode": "tells"});
        settings.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        let home = home("acme-desk", &receiver.at("/hidden-path?key=hidden-key"), &settings);
        home.cavra(&DELIVER).run();
        let told = receiver.got().iter().map(|got| got.body.clone()).collect::<String>();
        assert!(told.contains("acme-desk") && told.contains("cavra.test"), "{told}");
        assert!(!told.contains("hush") && !told.contains("hidden-key"), "{told}");
        assert_eq!(told.contains("hidden-path"), is_shown, "{told}");
    }
}

#[test]
fn what_is_no_connector_is_not_run() {
    let receiver = Receiver::answering("200 OK");
    for (more, word) in [
        (json!({"component_digest": sha256(b"other")}), "component_digest"),
        (json!({"component_digest": null}), "component_digest"),
        (json!({"component": "missing.wasm"}), "cannot be read"),
        (json!({"component": "pack.wasm", "component_digest": sha256(change_freeze())}), "cavra:policy/types"),
        (json!({"component": "text.wasm", "component_digest": sha256(b"text")}), "could not be loaded"),
        (json!({"colour": "red"}), "colour"),
        (json!({"modes": "x"}), "did you mean `mode`?"),
    ] {
        let home = home("acme-desk", &receiver.address, &more);
        home.write("pack.wasm", change_freeze());
        home.write("text.wasm", "text");
        let refused = home.cavra(&DELIVER).run().fails();
        assert!(refused.stderr.contains(word) && refused.stderr.contains("acme-desk"), "{more}: {refused:?}");
        assert!(!refused.stderr.contains("hush"), "{refused:?}");
    }
    for name in ["Acme", "a/b", "all"] {
        let refused = home(name, &receiver.address, &json!({})).cavra(&DELIVER).run().fails();
        assert!(refused.stderr.contains("a name of a system"), "{name}: {refused:?}");
    }
    // A name without a component means nothing, as ever.
    let home = home("acme-desk", &receiver.address, &json!({"component": null}));
    let refused = home.cavra(&DELIVER).run().fails();
    assert!(refused.stderr.contains("not configured") || refused.stderr.contains("acme-desk"), "{refused:?}");
    assert!(receiver.got().is_empty());
}

#[test]
fn a_component_that_crashes_harms_only_itself() {
    let receiver = Receiver::answering("200 OK");
    for mode in ["panics", "hoards", "lies"] {
        let home = home("acme-desk", &receiver.address, &json!({ "mode": mode }));
        let failed = home.cavra(&DELIVER).run().exits(1).json();
        let delivery = &failed["deliveries"][0];
        assert_eq!((&delivery["error"], &delivery["status_code"]), (&json!("connector delivery failed"), &Value::Null));
    }
    assert!(receiver.got().is_empty());
}

/// It is told what happens, as any other system.
#[test]
fn a_component_of_the_operator_is_told_without_asking() {
    let receiver = Receiver::answering("200 OK");
    let home = home("acme-desk", &receiver.address, &json!({"mode": "header", "value": "x-own: 1"}));
    let server = home.serve(&[("CAVRA_CONNECTOR_CONFIG", "connectors.json")]);
    let body = |provider: &str| json!({"id": provider, "provider": provider, "status": "active", "event_types": ["cavra.decision.*"]});
    server.post("/integrations", &body("acme-dsk")).refused(&[400]);
    server.post("/integrations", &body("acme-desk")).ok();
    server.decide(&json!({"action_type": "read_file", "target": ".env", "session_id": "s"}));
    let got = receiver.wait_for(1);
    assert_eq!((got[0].header("x-own"), got[0].header("authorization")), (Some("1"), Some("Bearer hush")));
    assert!(!server.log().contains("hush"));
}

/// Every endpoint has its address and every credential its secret; none of them goes elsewhere.
#[test]
fn each_endpoint_has_its_own_address_and_credential() {
    let (records, files) = (Receiver::answering("200 OK"), Receiver::answering("202 Accepted"));
    let home = Home::new();
    home.write("twofold.wasm", twofold());
    home.write("event.json", json!({"event_type": "cavra.test", "session_id": "s"}).to_string());
    let entry = json!({
        "component": "twofold.wasm", "component_digest": sha256(twofold()),
        "url": records.at("/records"), "token": "hush-records",
        "endpoints": {"files": {"url": files.at("/files?key=hush-query")}},
        "credentials": {"files-key": {"api_key_env": "FILES_KEY"}},
    });
    let deliver = |entry: &Value, provider: &str| {
        home.write("connectors.json", json!({ "connectors": { "acme": entry } }).to_string());
        let arguments = [&DELIVER[..], &["--provider", provider]].concat();
        home.cavra(&arguments).env("FILES_KEY", "hush-files").run()
    };
    let delivered = deliver(&entry, "acme").ok();
    assert!(!delivered.stdout.contains("hush"), "{delivered:?}");
    let (record, file) = (records.got().pop().unwrap(), files.got().pop().unwrap());
    assert_eq!((record.header("authorization"), record.header("x-files-key")), (Some("Bearer hush-records"), None));
    assert_eq!((file.header("authorization"), file.header("x-files-key")), (None, Some("hush-files")));
    assert_eq!((record.json()["event_type"].as_str(), record.line.as_str()), (Some("cavra.test"), "POST /records"));
    assert_eq!(file.body, r#"["records-token", "files-key"]"#);

    for (pointer, value, word) in [
        ("/endpoints", json!({}), "`endpoints.files` is missing"),
        ("/endpoints/files", json!({"adress": "x"}), "endpoints.files: unknown key `adress`"),
        ("/endpoints", json!({"file": {}}), "did you mean `files`?"),
        ("/endpoints/files", json!("x"), "`endpoints.files` must be an object"),
        ("/endpoints/files", json!({"url": "https://a.example", "token": "hush"}), "unknown key `token`"),
        ("/credentials", json!({}), "`credentials.files-key` is missing"),
        ("/credentials/files-key", json!({}), "it needs a token"),
        ("/credentials/files-key", json!({"api_key_env": "UNSET"}), "UNSET"),
        (
            "/credentials",
            json!({"files-key": {"api_key": "hush"}, "records-token": {"token": "hush"}}),
            "stands there twice",
        ),
        (
            "/credentials",
            json!({"files-key": {"api_key": "hush"}, "records-token": {"api_key": "hush"}}),
            "`token` has no effect beside the section for it",
        ),
    ] {
        let mut wrong = entry.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        let refused = deliver(&wrong, "acme").fails();
        assert!(refused.stderr.contains(word) && !refused.stderr.contains("hush"), "{pointer}: {refused:?}");
    }
    assert_eq!((records.got().len(), files.got().len()), (1, 1));
}

/// By its description it tells events: it is asked for nothing else, and a call that names it says so.
#[test]
fn a_component_is_asked_for_what_it_tells() {
    let receiver = Receiver::answering("200 OK");
    let home = home("acme-desk", &receiver.address, &json!({}));
    let slack = Receiver::answering("200 OK");
    let mut providers = home.json("connectors.json")["connectors"].take();
    providers["slack"] = json!({ "url": slack.address });
    home.write("providers.json", json!({ "providers": providers }).to_string());
    let server = home.serve(&[("CAVRA_APPROVAL_PROVIDER_CONFIG", "providers.json")]);
    let decided = server.post("/decisions", &json!({"action_type": "write_file", "target": "iam/x"})).ok();
    let approval = server.post("/approvals", &decided).ok();
    let path = format!("/approvals/{}/deliver", approval["approval_id"].as_str().unwrap());
    let refused = server.post(&path, &json!({"provider": "acme-desk"})).refused(&[400]);
    assert!(refused.to_string().contains("told nothing of this kind"), "{refused}");
    assert_eq!(server.post(&path, &json!({})).ok()["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!((receiver.got().len(), slack.got().len()), (0, 1));
}
