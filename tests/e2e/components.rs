//! Policy components of an operator: the example plugin, built as its read-me says, beside a pack's rules. Design
//! section 5; docs/reference/decisions-and-policy.md, section 15.2.

use std::process::Command;
use std::sync::OnceLock;

use serde_json::json;

use crate::support::{Home, pack_yaml, repository};

/// The example's component, built once.
pub(super) fn change_freeze() -> &'static [u8] {
    static WASM: OnceLock<Vec<u8>> = OnceLock::new();
    WASM.get_or_init(|| {
        let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/guests");
        let workspace = repository().join("examples/plugins/change-freeze");
        let built = cavra_guest_build::build_components(&workspace, target.as_ref()).unwrap();
        built.into_iter().find(|component| component.name == "change-freeze").unwrap().wasm
    })
}

pub(super) fn freeze(from: &str, until: &str) -> String {
    let windows = format!("  windows:\n    - {{ from: \"{from}\", until: \"{until}\", reason: year end }}\n");
    pack_yaml("cavra-frozen", &format!("change_freeze:\n{windows}  mutating_commands: [\"terraform plan\"]\n"))
        .replace("metadata:\n", "metadata:\n  inherits: cavra-ai-agent-baseline\n")
}

pub(super) fn with_component(document: &str, wasm: &[u8]) -> Home {
    let home = Home::new();
    home.pack("cavra-frozen", document);
    home.write("packs/cavra-frozen/policy.wasm", wasm);
    home
}

#[test]
fn a_component_makes_its_pack_stricter_and_never_looser() {
    let home = with_component(&freeze("2000-01-01T00:00:00Z", "2999-01-01T00:00:00Z"), change_freeze());
    let (name, packs) = home.packs();
    let server = home.serve(&[(name, &packs)]);
    for (action_type, target, expected) in [
        ("write_file", "README.md", "block"),
        ("execute_command", "terraform plan", "block"),
        ("read_file", "README.md", "allow"),
        // The rules still count.
        ("read_file", ".env", "block"),
        ("execute_command", "make", "require_approval"),
    ] {
        assert_eq!(server.decide_on(action_type, target, "cavra-frozen")["decision"], expected, "{target}");
    }
    let over = with_component(&freeze("2000-01-01T00:00:00Z", "2000-01-02T00:00:00Z"), change_freeze());
    let (name, packs) = over.packs();
    let answer = over
        .cavra(&["evaluate", "write_file", "README.md", "--policy-pack", "cavra-frozen", "--json"])
        .env(name, packs)
        .run()
        .ok()
        .json();
    assert_eq!(answer["decision"], "allow");
}

#[test]
fn a_component_that_cannot_be_loaded_is_a_refusal_that_stores_nothing() {
    let broken = freeze("2000-01-01T00:00:00Z", "not a time");
    for (document, wasm) in [
        (broken.as_str(), change_freeze()),
        (&freeze("2000-01-01T00:00:00Z", "2999-01-01T00:00:00Z"), b"\0asm garbage".as_slice()),
        (&freeze("2000-01-01T00:00:00Z", "2999-01-01T00:00:00Z"), b"".as_slice()),
        (&freeze("2000-01-01T00:00:00Z", "2999-01-01T00:00:00Z"), b"\0asm\x01\0\0\0".as_slice()),
    ] {
        let home = with_component(document, wasm);
        let (name, packs) = home.packs();
        let server = home.serve(&[(name, &packs)]);
        let body = json!({"action_type": "read_file", "target": "README.md", "policy_pack": "cavra-frozen"});
        server.post("/decisions", &body).refused(&[409]);
        assert_eq!(server.total("/decisions"), 0);
        // Other packs go on.
        assert_eq!(server.decide_on("read_file", "README.md", "cavra-hipaa")["decision"], "allow");
        home.cavra(&["evaluate", "read_file", "README.md", "--policy-pack", "cavra-frozen"])
            .env(name, packs)
            .run()
            .fails();
    }
}

/// The SDK and the example are workspaces of their own; their tests belong to the suite all the same.
#[test]
fn the_sdk_and_the_example_pass_their_own_tests() {
    for manifest in ["sdk/rust/Cargo.toml", "examples/plugins/change-freeze/Cargo.toml"] {
        let mut cargo = Command::new(env!("CARGO"));
        cavra_guest_build::guest_environment(&mut cargo);
        let output = cargo
            .args(["test", "--locked", "--quiet", "--manifest-path"])
            .arg(repository().join(manifest))
            .env("CARGO_TARGET_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/sdk"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{manifest}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
