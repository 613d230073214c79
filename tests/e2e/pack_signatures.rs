//! With a key for signatures, a published pack that is not as it was published decides nothing, and everybody is told.

use serde_json::{Value, json};

use super::approvals::string;
use super::authoring::{approved, publish, serve, with};
use crate::support::{Backend, Home, Server, pack_yaml, strings};

const KEY: (&str, &str) = ("CAVRA_POLICY_SIGNING_KEY", "hush-key");
const RULE: &str = "policy.signature.invalid";
const POLICY: &str = "packs/cavra-mine/policy.yaml";
const SIGNATURE: &str = "packs/cavra-mine/policy.yaml.sig.json";

/// Blocks what it reads; with `allow`, lets everything through that an attacker may want.
fn strict() -> Value {
    with(&json!({"commands": {"block": ["terraform *"], "allow": ["ls"]}}))
}

/// A server with a published pack and one of the operator's own that builds on it.
fn published(home: &Home) -> Server {
    let server = serve(home, Backend::Sqlite, &[KEY]);
    publish(&server, &strict());
    home.pack("cavra-child", &pack_yaml("cavra-child", "  inherits: cavra-mine\n"));
    home.pack("cavra-own", &pack_yaml("cavra-own", "commands: {allow: [ls]}\n"));
    server
}

fn ask(server: &Server, pack: &str) -> (String, String) {
    let record = server.decide_on("execute_command", "ls", pack);
    (string(&record["decision"]), string(&record["rule_id"]))
}

fn is_refused(server: &Server, pack: &str) -> bool {
    ask(server, pack) == ("block".to_owned(), RULE.to_owned())
}

/// What somebody may do to a published pack on disk.
static TAMPERING: [(&str, fn(&Home)); 9] = [
    ("a rule is edited", |home| edit(home, POLICY, "terraform *", "x")),
    ("a comment is added", |home| edit(home, POLICY, "commands:", "# mine\ncommands:")),
    ("the signature is removed", |home| std::fs::remove_file(home.join(SIGNATURE)).unwrap()),
    ("the signature is no JSON", |home| drop(home.write(SIGNATURE, "x"))),
    ("the signature is empty", |home| drop(home.write(SIGNATURE, ""))),
    ("the digest is mended", |home| {
        edit(home, POLICY, "terraform *", "x");
        sign(home, &[]);
    }),
    ("it is signed with another key", |home| {
        edit(home, POLICY, "terraform *", "x");
        sign(home, &["--key", "another"]);
    }),
    ("only the signature is another one", |home| sign(home, &["--key", "another"])),
    ("a signed pack takes another one's place", |home| {
        let theirs = home.read(POLICY).replace("cavra-mine", "cavra-weak").replace("terraform *", "x");
        home.write("packs/cavra-weak/policy.yaml", theirs);
        home.cavra(&["policy", "sign", "packs/cavra-weak", "--key", KEY.1]).run().ok();
        for file in ["policy.yaml", "policy.yaml.sig.json"] {
            let from = home.join(&format!("packs/cavra-weak/{file}"));
            std::fs::copy(from, home.join(&format!("packs/cavra-mine/{file}"))).unwrap();
        }
    }),
];

fn edit(home: &Home, file: &str, from: &str, to: &str) {
    let text = home.read(file);
    assert!(text.contains(from), "{text}");
    home.write(file, text.replace(from, to));
}

fn sign(home: &Home, arguments: &[&str]) {
    home.cavra(&[&["policy", "sign", "packs/cavra-mine"], arguments].concat()).run().ok();
}

#[test]
fn a_pack_that_is_not_as_it_was_published_decides_nothing() {
    for (what, tamper) in TAMPERING {
        let home = Home::new();
        let server = published(&home);
        assert_eq!(ask(&server, "cavra-mine").0, "allow", "{what}");
        assert_eq!(ask(&server, "cavra-child").0, "allow", "{what}");
        tamper(&home);
        let record = server.decide_on("execute_command", "ls", "cavra-mine");
        assert_eq!((&record["decision"], &record["rule_id"]), (&json!("block"), &json!(RULE)), "{what}: {record}");
        assert_eq!(record["severity"], "critical", "{what}");
        assert!(string(&record["reason"]).contains("cavra-mine"), "{what}: {record}");
        assert!(is_refused(&server, "cavra-child"), "{what}");
        assert_eq!(ask(&server, "cavra-own").0, "allow", "{what}");
        assert!(server.log().lines().any(|line| line.contains("ERROR") && line.contains("cavra-mine")), "{what}");
        let metric = "cavra_policy_signature_blocks_total ";
        assert!(server.get("/metrics").text().lines().any(|line| line.starts_with(metric)), "{what}");
        let boundary = server.get("/console/security-boundary").ok();
        let signatures = &boundary["policy_signatures"];
        assert!(strings(&signatures["unverified"]).contains(&"cavra-mine"), "{what}: {signatures}");
        assert!(strings(&signatures["unsigned"]).contains(&"cavra-own"), "{what}: {signatures}");
        assert!(boundary["operator_notes"].to_string().contains("do not verify"), "{what}");
        // After a restart it is the same, and publishing it again mends it.
        drop(server);
        let server = serve(&home, Backend::Sqlite, &[KEY]);
        assert!(is_refused(&server, "cavra-mine"), "{what}");
        publish(&server, &strict());
        assert_eq!(ask(&server, "cavra-mine").0, "allow", "{what}");
        assert_eq!(ask(&server, "cavra-child").0, "allow", "{what}");
    }
}

#[test]
fn commands_ask_for_the_signature_too() {
    let home = Home::new();
    let server = published(&home);
    let (name, packs) = home.packs();
    let evaluate = |arguments: &[&str]| {
        let arguments = [&["evaluate", "execute_command", "ls", "--json"], arguments].concat();
        home.cavra(&arguments).env(name, &packs).env(KEY.0, KEY.1).run().ok().json()
    };
    let named: &[&str] = &["--policy-pack", "cavra-mine"];
    let by_path: &[&str] = &["--policy-file", "packs/cavra-mine"];
    for arguments in [named, by_path] {
        assert_eq!(evaluate(arguments)["decision"], "allow");
    }
    edit(&home, POLICY, "terraform *", "x");
    for arguments in [named, by_path] {
        let record = evaluate(arguments);
        assert_eq!((&record["decision"], &record["rule_id"]), (&json!("block"), &json!(RULE)));
    }
    let listed = home.cavra(&["policy", "list", "--json"]).env(name, &packs).env(KEY.0, KEY.1).run().ok().json();
    let valid = |id: &str| listed.as_array().unwrap().iter().find(|pack| pack["id"] == id).unwrap()["valid"].clone();
    assert_eq!(
        (valid("cavra-mine"), valid("cavra-child"), valid("cavra-own")),
        (json!(false), json!(false), json!(true))
    );
    // Without a key nobody asks.
    let unasked = home.cavra(&["evaluate", "execute_command", "ls", "--json", "--policy-pack", "cavra-mine"]);
    assert_eq!(unasked.env(name, &packs).run().ok().json()["decision"], "allow");
    assert_eq!(server.get("/console/security-boundary").ok()["policy_signatures"]["configured"], true);
}

/// Publishing puts pack and signature in place at once: whoever decides meanwhile never sees one without the other.
#[test]
fn publishing_is_never_taken_for_tampering() {
    let home = Home::new();
    let server = published(&home);
    let versions: Vec<_> =
        (0..12).map(|version| with(&json!({"version": version.to_string(), "commands": {"allow": ["ls"]}}))).collect();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    if done.load(std::sync::atomic::Ordering::Relaxed) {
                        break;
                    }
                    assert_eq!(ask(&server, "cavra-mine").0, "allow");
                }
            });
        }
        for version in &versions {
            let id = approved(&server, version);
            server.post("/policy-packs/publish", &json!({"draft": version, "approval_id": id})).ok();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
