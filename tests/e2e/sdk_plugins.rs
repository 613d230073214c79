//! Plugins in JavaScript and Python: each example passes its own tests where it was written, is made a component that
//! imports nothing, and does its work in this host, with the limits of every plugin.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::{Home, Receiver, node_sdk, python_sdk, repository, sha256};

fn example(name: &str) -> PathBuf {
    repository().join("examples/plugins").join(name)
}

/// Runs a program to its end, however long that takes. Answers what it said.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

/// The component of an example, once its tests have passed; `None` where its language is not there.
fn tested_and_built(name: &'static str, made: &'static OnceLock<Option<Vec<u8>>>) -> Option<&'static [u8]> {
    made.get_or_init(|| {
        let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins").join(name).with_extension("wasm");
        if example(name).join("plugin.py").exists() { in_python(name, &output) } else { in_javascript(name, &output) }?;
        Some(fs::read(output).unwrap())
    })
    .as_deref()
}

fn in_python(name: &str, output: &Path) -> Option<()> {
    let binaries = python_sdk()?.join("bin");
    let python = |program: &str| {
        let mut command = Command::new(binaries.join(program));
        command.current_dir(example(name)).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    };
    run(python("python").args(["-m", "unittest"]));
    run(python("cavra-sdk").args(["build", "plugin", "--output"]).arg(output));
    Some(())
}

fn in_javascript(name: &str, output: &Path) -> Option<()> {
    let home = sources_in_javascript(name)?;
    run(Command::new("node").arg("--test").current_dir(home.path()));
    run(Command::new("npx").args(["cavra-sdk", "build", "plugin.js", "--output"]).arg(output).current_dir(home.path()));
    Some(())
}

/// A copy of an example beside the packages that it needs.
fn sources_in_javascript(name: &str) -> Option<Home> {
    let home = Home::new();
    run(Command::new("cp").arg("-r").arg(node_sdk()?.join("node_modules")).arg(home.path()));
    for file in fs::read_dir(example(name)).unwrap().map(|file| file.unwrap()).filter(|file| file.path().is_file()) {
        fs::copy(file.path(), home.path().join(file.file_name())).unwrap();
    }
    Some(home)
}

fn matrix() -> Option<&'static [u8]> {
    static MADE: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    tested_and_built("matrix", &MADE)
}

fn incident_io() -> Option<&'static [u8]> {
    static MADE: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    tested_and_built("incident-io", &MADE)
}

fn osquery() -> Option<&'static [u8]> {
    static MADE: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    tested_and_built("osquery", &MADE)
}

/// The manifests beside the sources are read, and say what was built.
#[test]
fn each_example_is_a_package_of_its_world() {
    for (name, component) in [("matrix", matrix()), ("incident-io", incident_io()), ("osquery", osquery())] {
        let Some(component) = component else { continue };
        let home = Home::new();
        home.write("package/plugin.yaml", fs::read(example(name).join("plugin.yaml")).unwrap());
        home.write("package/plugin.wasm", component);
        let output = home.command(&["plugin", "inspect", "package", "--json"]).output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{name}: {error}: {}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!((&said["name"], &said["component_world"]), (&json!(name), &said["world"]), "{said}");
    }
}

/// A home whose file has a connector of this component.
fn home(component: &[u8], url: &str, more: &Value) -> Home {
    let home = Home::new();
    home.write("plugin.wasm", component);
    let event = json!({
        "event_type": "cavra.decision.block", "title": "CAVRA decision block: .env", "max_severity": "high",
        "session_id": "s<1>", "record_id": "dec_1", "record": {"decision": "block", "target": ".env"},
    });
    home.write("event.json", event.to_string());
    let mut entry =
        json!({"url": url, "token": "hush", "component": "plugin.wasm", "component_digest": sha256(component)});
    entry.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    home.write("connectors.json", json!({"connectors": {"acme": entry}}).to_string());
    home
}

/// A system that answers every request with this.
fn receiver(status: &'static str, body: &'static str) -> Receiver {
    Receiver::with(move |_, _, stream| {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).unwrap();
    })
}

/// Sends the event. The first time the component is compiled, which takes a debug build of the compiler a while.
fn delivered(home: &Home) -> Value {
    let mut command =
        home.command(&["integration", "deliver", "event.json", "--config", "connectors.json", "--retries", "0"]);
    let output = command.output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    said["deliveries"][0].clone()
}

#[test]
fn a_connector_in_python_tells_a_room() {
    let Some(component) = matrix() else { return };
    let receiver = receiver("200 OK", r#"{"event_id":"$YUwRidLecu-_9"}"#);
    let told = home(component, &receiver.at("/"), &json!({"room": "!ops:example.org"}));
    let delivery = delivered(&told);
    assert_eq!((&delivery["success"], &delivery["reference"]), (&json!(true), &json!("YUwRidLecu-_9")), "{delivery}");
    assert_eq!(delivery["request"]["headers"]["authorization"], "REDACTED");
    let got = receiver.got().pop().unwrap();
    assert_eq!(got.header("authorization"), Some("Bearer hush"));
    let path = "PUT /_matrix/client/v3/rooms/!ops:example.org/send/m.room.message/msg_";
    assert!(got.line.starts_with(path), "{}", got.line);
    assert_eq!(
        got.json()["body"],
        "CAVRA decision block: .env\nDecision: block\nSeverity: high\nSession: s<1>\nTarget: .env"
    );
    // Without a room it says so, and nothing is sent.
    let mute = delivered(&home(component, &receiver.at("/"), &json!({})));
    assert_eq!((&mute["success"], &mute["error"]), (&json!(false), &json!("connector delivery failed")));
    assert_eq!(receiver.got().len(), 1);
}

#[test]
fn a_connector_in_javascript_raises_an_alert() {
    let Some(component) = incident_io() else { return };
    let receiver = receiver("202 Accepted", r#"{"deduplication_key":"k-1"}"#);
    let url = receiver.at("/v2/alert_events/http/01GW");
    let delivery = delivered(&home(component, &url, &json!({"team": "security"})));
    assert_eq!((&delivery["success"], &delivery["reference"]), (&json!(true), &json!("k-1")), "{delivery}");
    let got = receiver.got().pop().unwrap();
    assert_eq!(
        (got.header("authorization"), got.line.as_str()),
        (Some("Bearer hush"), "POST /v2/alert_events/http/01GW")
    );
    let alert = got.json();
    assert_eq!((&alert["status"], &alert["metadata"]["team"]), (&json!("firing"), &json!("security")));
    assert_eq!(alert["metadata"]["session_id"], "s<1>");
}

/// The kits of test helpers are there to find mistakes, so what they find has to be tested.
#[test]
fn the_sdks_pass_their_own_tests() {
    if let Some(python) = python_sdk() {
        let mut tests = Command::new(python.join("bin/python"));
        tests.args(["-m", "unittest", "discover", "-s"]).arg(repository().join("sdk/python/tests"));
        assert!(run(tests.env("PYTHONDONTWRITEBYTECODE", "1")).contains("OK"));
    }
    if node_sdk().is_some() {
        run(Command::new("node").arg("--test").current_dir(repository().join("sdk/js")));
    }
}

/// What a plugin says wrongly is found where it is written.
#[test]
fn the_types_of_the_javascript_sdk_hold_a_plugin_to_the_contract() {
    let Some(home) = sources_in_javascript("incident-io") else { return };
    let check = || {
        let mut tsc = Command::new("npx");
        tsc.args(["tsc", "--noEmit", "--strict", "--allowJs", "--checkJs", "--module", "nodenext"]);
        tsc.args(["--target", "es2023", "plugin.js"]).current_dir(home.path());
        let output = tsc.output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(check(), (true, String::new()));
    let plugin = home.read("plugin.js");
    for (right, wrong) in [
        ("pathVisible: false", "pathVisible: \"no\""),
        ("tag: \"token\", val: \"Bearer\"", "tag: \"cookie\""),
        ("{ credentials: [\"access\"] }", "{ credential: [\"access\"] }"),
        ("eventOf(subject)", "eventOf(subject.val)"),
    ] {
        assert!(plugin.contains(right), "{right}");
        home.write("plugin.js", plugin.replace(right, wrong));
        let (passes, said) = check();
        assert!(!passes && said.contains("plugin.js"), "{wrong}: {said}");
    }
}
