//! The `policy.wasm` of a published pack is signed with its policy: whenever it is exchanged, the pack decides nothing, and
//! publishing signs only the component that was approved.

use serde_json::{Value, json};

use super::approvals::string;
use super::authoring::{approved, publish, serve, with};
use super::components::change_freeze;
use crate::support::{Backend, Home, Server, pack_yaml, sha256, strings};

const KEY: (&str, &str) = ("CAVRA_POLICY_SIGNING_KEY", "hush-key");
const RULE: &str = "policy.signature.invalid";
const COMPONENT: &str = "packs/cavra-mine/policy.wasm";
const SIGNATURE: &str = "packs/cavra-mine/policy.yaml.sig.json";

/// The freeze that the component knows of comes from a pack of the operator's, because a draft has no such section.
fn draft() -> Value {
    with(&json!({"inherits": ["cavra-windows"], "commands": {"allow": ["ls"]}}))
}

/// The component with a custom section more: as valid, and another one.
fn other() -> Vec<u8> {
    [change_freeze(), b"\0\x06\x05other"].concat()
}

/// A server on which the pack was published, given a component, and published with it.
fn published(home: &Home) -> Server {
    let window = "{ from: \"2000-01-01T00:00:00Z\", until: \"2999-01-01T00:00:00Z\", reason: always }";
    let freeze = format!("change_freeze:\n  windows: [{window}]\n  mutating_commands: [\"terraform plan\"]\n");
    home.pack("cavra-windows", &pack_yaml("cavra-windows", &freeze));
    home.pack("cavra-child", &pack_yaml("cavra-child", "  inherits: cavra-mine\n"));
    let server = serve(home, Backend::Sqlite, &[KEY]);
    publish(&server, &draft());
    home.write(COMPONENT, change_freeze());
    assert!(is_refused(&server, "cavra-mine"), "a component that nobody signed");
    publish(&server, &draft());
    server
}

fn ask(server: &Server, pack: &str) -> (String, String) {
    let record = server.decide_on("execute_command", "ls", pack);
    (string(&record["decision"]), string(&record["rule_id"]))
}

fn is_refused(server: &Server, pack: &str) -> bool {
    ask(server, pack) == ("block".to_owned(), RULE.to_owned())
}

/// What somebody may do to a published component on disk, and a part of what is said about it.
static TAMPERING: [(&str, &str, fn(&Home)); 7] = [
    ("another component", "is not the one that was signed", |home| drop(home.write(COMPONENT, other()))),
    ("one byte", "is not the one that was signed", |home| {
        let mut wasm = change_freeze().to_vec();
        *wasm.last_mut().unwrap() ^= 1;
        home.write(COMPONENT, wasm);
    }),
    ("it is removed", "is missing", |home| std::fs::remove_file(home.join(COMPONENT)).unwrap()),
    ("the signature names the other one", "does not verify", |home| {
        home.write(COMPONENT, other());
        let mut signature = home.json(SIGNATURE);
        signature["component_digest"] = json!(sha256(other()));
        home.write(SIGNATURE, signature.to_string());
    }),
    ("the signature names none", "does not verify", |home| {
        std::fs::remove_file(home.join(COMPONENT)).unwrap();
        let mut signature = home.json(SIGNATURE);
        signature.as_object_mut().unwrap().remove("component_digest");
        home.write(SIGNATURE, signature.to_string());
    }),
    ("both are signed with another key", "does not verify", |home| {
        home.write(COMPONENT, other());
        home.cavra(&["policy", "sign", "packs/cavra-mine", "--key", "another"]).run().ok();
    }),
    ("the policy alone is signed", "is not covered", |home| {
        std::fs::remove_file(home.join(COMPONENT)).unwrap();
        home.cavra(&["policy", "sign", "packs/cavra-mine", "--key", KEY.1]).run().ok();
        home.write(COMPONENT, change_freeze());
    }),
];

#[test]
fn an_exchanged_component_decides_nothing() {
    for (what, said, tamper) in TAMPERING {
        let home = Home::new();
        let server = published(&home);
        for pack in ["cavra-mine", "cavra-child"] {
            assert_eq!(ask(&server, pack).0, "allow", "{what}");
            assert_eq!(server.decide_on("write_file", "README.md", pack)["decision"], "block", "{what}");
        }
        tamper(&home);
        let record = server.decide_on("execute_command", "ls", "cavra-mine");
        assert_eq!((&record["decision"], &record["rule_id"]), (&json!("block"), &json!(RULE)), "{what}: {record}");
        assert!(string(&record["reason"]).contains(said), "{what}: {record}");
        assert!(is_refused(&server, "cavra-child"), "{what}");
        let signatures = server.get("/console/security-boundary").ok()["policy_signatures"].clone();
        assert!(strings(&signatures["unverified"]).contains(&"cavra-mine"), "{what}: {signatures}");
        // As little after a restart, and for commands.
        drop(server);
        let server = serve(&home, Backend::Sqlite, &[KEY]);
        assert!(is_refused(&server, "cavra-mine"), "{what}");
        let (name, packs) = home.packs();
        let evaluate = |arguments: &[&str]| {
            let arguments = [&["evaluate", "execute_command", "ls", "--json"], arguments].concat();
            string(&home.cavra(&arguments).env(name, &packs).env(KEY.0, KEY.1).run().ok().json()["rule_id"])
        };
        assert_eq!(evaluate(&["--policy-pack", "cavra-mine"]), RULE, "{what}");
        assert_eq!(evaluate(&["--policy-file", "packs/cavra-mine"]), RULE, "{what}");
        home.cavra(&["policy", "verify", "packs/cavra-mine", "--key", KEY.1]).run().exits(1);
    }
}

/// Between plan, approval and publication the component may be exchanged as well as on the way to a decision.
#[test]
fn only_the_component_that_was_approved_is_signed() {
    let home = Home::new();
    let server = published(&home);
    let plan = server.post("/policy-packs/publish-plan", &json!({"draft": draft()})).ok();
    assert_eq!(plan["component_digest"], sha256(change_freeze()));
    assert!(plan["operator_notes"].to_string().contains("The pack keeps its policy.wasm"), "{plan}");
    let (policy, signature) = (home.read("packs/cavra-mine/policy.yaml"), home.read(SIGNATURE));
    let changed = with(&json!({"inherits": ["cavra-windows"], "commands": {"allow": ["ls", "date"]}}));
    let approval = approved(&server, &changed);
    let stored = server.get(&format!("/approvals/{approval}")).ok();
    assert_eq!(stored["decision"]["component_digest"], sha256(change_freeze()));
    for there in [Some(other()), None] {
        match &there {
            Some(wasm) => drop(home.write(COMPONENT, wasm)),
            None => std::fs::remove_file(home.join(COMPONENT)).unwrap(),
        }
        let refused =
            server.post("/policy-packs/publish", &json!({"draft": changed, "approval_id": approval})).refused(&[409]);
        assert!(refused.to_string().contains("component"), "{refused}");
        assert_eq!(
            (home.read("packs/cavra-mine/policy.yaml"), home.read(SIGNATURE)),
            (policy.clone(), signature.clone())
        );
        assert!(is_refused(&server, "cavra-mine"));
    }
    // What approvers are shown of an exchanged component says that it was.
    home.write(COMPONENT, other());
    let plan = server.post("/policy-packs/publish-plan", &json!({"draft": draft()})).ok();
    assert_eq!(plan["component_digest"], sha256(other()));
    assert!(plan["operator_notes"].to_string().contains("is not as it was published"), "{plan}");
    // The approved one mends it.
    home.write(COMPONENT, change_freeze());
    server.post("/policy-packs/publish", &json!({"draft": changed, "approval_id": approval})).ok();
    assert_eq!(ask(&server, "cavra-mine").0, "allow");
    assert_eq!(home.json(SIGNATURE)["component_digest"], sha256(change_freeze()));
    // An approval from before the component came is none of both.
    let alone = Home::new();
    let server = serve(&alone, Backend::Json, &[KEY]);
    publish(&server, &with(&json!({"commands": {"allow": ["ls"]}})));
    let changed = with(&json!({"commands": {"allow": ["date"]}}));
    let approval = approved(&server, &changed);
    alone.write(COMPONENT, change_freeze());
    server.post("/policy-packs/publish", &json!({"draft": changed, "approval_id": approval})).refused(&[409]);
}

#[test]
fn commands_sign_a_component_with_its_policy() {
    for signed_with in [&["--key", "hush"][..], &["--private-key", "key.pem"], &[]] {
        let home = Home::new();
        home.pack("cavra-x", &pack_yaml("cavra-x", "commands: {allow: [ls]}\n"));
        home.write("packs/cavra-x/policy.wasm", change_freeze());
        home.cavra(&["evidence", "generate-keypair", "--private-key", "key.pem", "--public-key", "public.pem"])
            .run()
            .ok();
        let said = home.cavra(&[&["policy", "sign", "packs/cavra-x"], signed_with].concat()).run().ok().stdout;
        assert!(said.contains("with its policy.wasm"), "{said}");
        let document = home.json("packs/cavra-x/policy.yaml.sig.json");
        assert_eq!(document["component_digest"], sha256(change_freeze()));
        assert_eq!(document["component_file"], "policy.wasm");
        let verified_with = match signed_with.first() {
            Some(&"--private-key") => &["--public-key", "public.pem"][..],
            _ => signed_with,
        };
        let verify = || home.cavra(&[&["policy", "verify", "packs/cavra-x"], verified_with].concat()).run();
        assert_eq!(verify().code, 0, "{signed_with:?}");
        home.write("packs/cavra-x/policy.wasm", other());
        assert!(verify().exits(1).stdout.contains("is not the one that was signed"));
        std::fs::remove_file(home.join("packs/cavra-x/policy.wasm")).unwrap();
        assert!(verify().exits(1).stdout.contains("is missing"));
    }
}
