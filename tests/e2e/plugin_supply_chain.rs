//! What somebody between a vendor and an operator may do to a plugin: each of it is refused, with a sentence of its own.

use serde_json::{Value, json};

use super::components::change_freeze;
use super::plugins::{NAME, key, package, plugin, sign, signed, trust, trusting};
use crate::support::Home;

/// What happens to the package `pkg` (version 1.2.0, signed by a trusted vendor) or around it, the reason's code, and a part
/// of its sentence. Where a version is installed before, it is 1.1.0.
struct Attack {
    what: &'static str,
    installed_before: bool,
    attack: fn(&Home),
    code: &'static str,
    said: &'static str,
}

const fn attack(what: &'static str, attack: fn(&Home), code: &'static str, said: &'static str) -> Attack {
    Attack { what, installed_before: false, attack, code, said }
}

const fn upgrade(what: &'static str, attack: fn(&Home), code: &'static str, said: &'static str) -> Attack {
    Attack { what, installed_before: true, attack, code, said }
}

fn edit(home: &Home, file: &str, from: &str, to: &str) {
    let text = home.read(file);
    assert!(text.contains(from), "{text}");
    home.write(file, text.replace(from, to));
}

fn trust_acme(home: &Home, of_key: Value, more: Value) {
    trust(home, &[key(home, "acme", of_key)], more);
}

/// A component that is none of ours.
fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn resigned(home: &Home) {
    sign(home, "pkg", "acme", &[]);
}

static ATTACKS: &[Attack] = &[
    attack("nobody signed it", |home| package(home, "pkg", "1.2.0", true), "unsigned", "nobody has signed it"),
    attack("the signature is removed", |home| remove(home, "pkg/plugin.dsse.json"), "unsigned", "nobody has signed it"),
    attack(
        "another vendor signed it",
        |home| signed(home, "pkg", "1.2.0", true, "other"),
        "unknown_signer",
        "no key of the trust set has signed it (it names `other`)",
    ),
    attack(
        "another vendor signed it under the name of the key",
        |home| {
            package(home, "pkg", "1.2.0", true);
            plugin(home, &["sign", "pkg", "--private-key", "other.pem", "--key-id", "acme"]).ok();
        },
        "unknown_signer",
        "no key of the trust set has signed it (it names `acme`)",
    ),
    attack(
        "the component is another one",
        |home| drop(home.write("pkg/plugin.wasm", [change_freeze(), b"\0\x06\x05other"].concat())),
        "other_bytes",
        "the signature is over another plugin.wasm",
    ),
    attack(
        "the manifest is forged",
        |home| edit(home, "pkg/plugin.yaml", "1.2.0", "9.9.9"),
        "other_bytes",
        "the signature is over another plugin.yaml",
    ),
    attack(
        "the document is forged",
        |home| edit(home, "pkg/policy.yaml", "terraform plan", "x"),
        "other_bytes",
        "the signature is over another policy.yaml",
    ),
    attack(
        "a file is added",
        |home| drop(home.write("pkg/tests.yaml", "cases: []")),
        "other_bytes",
        "the signature is over another tests.yaml",
    ),
    attack(
        "the signature of another plugin",
        |home| {
            signed(home, "elsewhere", "1.0.0", true, "acme");
            copy(home, "elsewhere/plugin.dsse.json", "pkg/plugin.dsse.json");
        },
        "other_bytes",
        "the signature is over another plugin.yaml",
    ),
    attack(
        "the envelope is garbage",
        |home| drop(home.write("pkg/plugin.dsse.json", "{\"payload\": 7}")),
        "envelope",
        "holds no signed statement",
    ),
    attack(
        "the envelope is about something else",
        |home| {
            let mut envelope = home.json("pkg/plugin.dsse.json");
            envelope["payloadType"] = json!("text/plain");
            home.write("pkg/plugin.dsse.json", envelope.to_string());
        },
        "envelope",
        "payload type mismatch",
    ),
    attack(
        "its key is revoked",
        |home| trust_acme(home, json!({"status": "revoked"}), json!({})),
        "key",
        "`acme` does not count: trust root is not active: acme is revoked",
    ),
    attack(
        "its key is expired",
        |home| trust_acme(home, json!({"valid_until": "2020-01-01T00:00:00Z"}), json!({})),
        "key",
        "outside its time of validity",
    ),
    attack(
        "its key may sign other plugins only",
        |home| trust_acme(home, json!({"plugins": ["acme-*"]}), json!({})),
        "wrong_signer",
        "whose key may not sign `cavra-frozen`",
    ),
    attack(
        "its key may sign other kinds only",
        |home| trust_acme(home, json!({"kinds": ["connector"]}), json!({})),
        "wrong_signer",
        "whose key may not sign a policy-pack",
    ),
    attack(
        "too few have signed it",
        |home| trust_acme(home, json!({}), json!({"required_signatures": 2})),
        "too_few_signers",
        "1 of 2 needed keys",
    ),
    attack(
        "the component is revoked",
        |home| {
            let digest = crate::support::sha256(change_freeze());
            trust_acme(home, json!({}), json!({"revoked": [{"digest": digest, "reason": "CVE-2031-1"}]}));
        },
        "revoked",
        "is revoked in the trust set: CVE-2031-1",
    ),
    attack(
        "the signature is over",
        |home| sign(home, "pkg", "acme", &["--expires", "2020-01-01T00:00:00Z"]),
        "expired",
        "its signature is over since 2020-01-01",
    ),
    attack(
        "it asks for more than it is granted",
        |home| {
            edit(home, "pkg/plugin.yaml", "world:", "asks: {memory_mib: 512}\nworld:");
            resigned(home);
        },
        "over_asking",
        "it asks for 512 MiB of memory, which it is not granted",
    ),
    attack(
        "it is older than the grant allows",
        |home| {
            let grant =
                json!({"schema_version": "cavra.plugin-grants.v1", "grants": [{"plugin": NAME, "at_least": "1.3.0"}]});
            home.write(".cavra/plugins/grants.yaml", grant.to_string());
        },
        "too_old",
        "1.2.0 is older than 1.3.0",
    ),
    attack(
        "it claims a version of the world and is of another",
        |home| {
            edit(home, "pkg/plugin.yaml", "policy@1.1.0", "policy@1.0.0");
            resigned(home);
        },
        "wrong_world",
        "plugin.yaml says cavra:policy@1.0.0, but plugin.wasm is built for cavra:policy@1.1.0",
    ),
    attack(
        "it claims a world and is of another",
        |home| {
            home.write(
                "pkg/plugin.wasm",
                component(r#"(component (import "cavra:connector/types@1.0.0" (instance)))"#),
            );
            resigned(home);
        },
        "wrong_world",
        "but plugin.wasm is built for the world of a connector",
    ),
    attack(
        "it claims a version and behaves as another",
        |home| {
            let text = r#"(component (import "cavra:policy/types@1.1.0" (instance)))"#;
            home.write("pkg/plugin.wasm", component(text));
            resigned(home);
        },
        "load",
        "this host does not load it",
    ),
    attack(
        "it is of a world that is yet to come",
        |home| {
            edit(home, "pkg/plugin.yaml", "policy@1.1.0", "policy@9.0.0");
            home.write("pkg/plugin.wasm", component(r#"(component (import "cavra:policy/types@9.0.0" (instance)))"#));
            resigned(home);
        },
        "load",
        "found cavra:policy@9.0.0",
    ),
    attack(
        "it imports something",
        |home| {
            let import = r#"(import "wasi:filesystem/types@0.2.0" (instance))"#;
            let text = format!(r#"(component (import "cavra:policy/types@1.1.0" (instance)) {import})"#);
            home.write("pkg/plugin.wasm", component(&text));
            resigned(home);
        },
        "imports",
        "plugin.wasm imports `wasi:filesystem/types@0.2.0`",
    ),
    attack(
        "it is machine code for some wasmtime",
        |home| {
            home.write("pkg/plugin.wasm", b"\x7fELF\x02\x01\x01 compiled by another one");
            resigned(home);
        },
        "precompiled",
        "is compiled code of some wasmtime",
    ),
    attack(
        "it is a core module",
        |home| {
            home.write("pkg/plugin.wasm", component("(module)"));
            resigned(home);
        },
        "no_component",
        "it is a core module",
    ),
    attack(
        "its document calls itself otherwise",
        |home| {
            edit(home, "pkg/policy.yaml", NAME, "cavra-ai-agent-baseline");
            resigned(home);
        },
        "load",
        "calls itself `cavra-ai-agent-baseline`",
    ),
    attack(
        "it has the name of a shipped pack",
        |home| {
            for file in ["pkg/plugin.yaml", "pkg/policy.yaml"] {
                edit(home, file, NAME, "cavra-hipaa");
            }
            resigned(home);
        },
        "load",
        "is the name of a pack that cavra ships",
    ),
    upgrade(
        "an older version",
        |home| signed(home, "pkg", "1.0.0", false, "acme"),
        "downgrade",
        "1.1.0 is installed and 1.0.0 is older",
    ),
    upgrade(
        "the installed version with other bytes",
        |home| signed(home, "pkg", "1.1.0", false, "acme"),
        "same_version",
        "a version never changes",
    ),
    upgrade(
        "signed by another trusted key",
        |home| {
            trust(home, &[key(home, "acme", json!({})), key(home, "other", json!({}))], json!({}));
            signed(home, "pkg", "1.2.0", false, "other");
        },
        "other_signer",
        "1.1.0 is installed, signed by acme, and 1.2.0 is signed by other",
    ),
];

fn remove(home: &Home, file: &str) {
    std::fs::remove_file(home.join(file)).unwrap();
}

fn copy(home: &Home, from: &str, to: &str) {
    std::fs::copy(home.join(from), home.join(to)).unwrap();
}

#[test]
fn each_attack_is_refused_with_its_own_sentence() {
    let mut sentences = Vec::new();
    for Attack { what, installed_before, attack, code, said } in ATTACKS {
        let home = trusting();
        if *installed_before {
            signed(&home, "before", "1.1.0", true, "acme");
            plugin(&home, &["install", "before"]).ok();
        }
        signed(&home, "pkg", "1.2.0", true, "acme");
        attack(&home);
        let lock =
            home.exists(".cavra/plugins/cavra-plugins.lock").then(|| home.read(".cavra/plugins/cavra-plugins.lock"));
        let refused = plugin(&home, &["install", "pkg"]).fails();
        assert!(refused.stderr.contains(said), "{what}: {refused:?}");
        assert!(!refused.stderr.contains("panicked"), "{what}: {refused:?}");
        let after =
            home.exists(".cavra/plugins/cavra-plugins.lock").then(|| home.read(".cavra/plugins/cavra-plugins.lock"));
        assert_eq!(lock, after, "{what}: a refused plugin changes nothing");
        if !installed_before {
            let report = plugin(&home, &["inspect", "pkg", "--json"]).exits(1);
            if *code != "document" {
                assert_eq!(report.json()["refusal"]["code"], *code, "{what}");
            }
        }
        sentences.push(refused.stderr);
    }
    let distinct: std::collections::BTreeSet<_> = sentences.iter().collect();
    assert!(distinct.len() + 6 > sentences.len(), "{} of {}", distinct.len(), sentences.len());
}

/// What lies in the directory of plugins is loaded only as it was installed.
#[test]
fn what_is_installed_is_what_is_loaded() {
    let place = |home: &Home| {
        let folder = home.join(&format!(".cavra/plugins/packages/{NAME}"));
        let version = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().file_name();
        format!(".cavra/plugins/packages/{NAME}/{}", version.to_str().unwrap())
    };
    type Tampering = fn(&Home, &str);
    let rows: [(&str, Tampering, &str); 6] = [
        (
            "tampered",
            |home, at| drop(home.write(&format!("{at}/plugin.wasm"), b"x")),
            "plugin.wasm is not what was installed",
        ),
        (
            "tampered",
            |home, at| edit(home, &format!("{at}/policy.yaml"), "terraform plan", "x"),
            "policy.yaml is not what",
        ),
        ("unsigned", |home, at| remove(home, &format!("{at}/plugin.dsse.json")), "nobody has signed it"),
        ("incomplete", |home, at| remove(home, &format!("{at}/plugin.wasm")), "has no plugin.wasm"),
        (
            "other_bytes",
            |home, at| {
                // The lock is forged along with the file: the signature still is over the other bytes.
                edit(home, &format!("{at}/policy.yaml"), "terraform plan", "x");
                let forged = crate::support::sha256(home.read(&format!("{at}/policy.yaml")));
                let mut lock = home.json(".cavra/plugins/cavra-plugins.lock");
                let files = lock["plugins"][0]["files"].as_array_mut().unwrap();
                files.iter_mut().find(|file| file["name"] == "policy.yaml").unwrap()["digest"] = json!(forged);
                let digests: serde_json::Map<String, Value> = files
                    .iter()
                    .map(|file| (file["name"].as_str().unwrap().to_owned(), file["digest"].clone()))
                    .collect();
                let digest = crate::support::sha256(crate::support::canonical(&Value::Object(digests)));
                home.write(".cavra/plugins/cavra-plugins.lock", lock.to_string());
                let folder = digest.strip_prefix("sha256:").unwrap();
                std::fs::rename(home.join(at), home.join(&format!(".cavra/plugins/packages/{NAME}/{folder}"))).unwrap();
            },
            "the signature is over another policy.yaml",
        ),
        (
            "too_old",
            |home, _| {
                let grant = json!({"schema_version": "cavra.plugin-grants.v1", "grants": [{"plugin": NAME, "at_least": "2.0.0"}]});
                home.write(".cavra/plugins/grants.yaml", grant.to_string());
            },
            "is older than 2.0.0",
        ),
    ];
    for (code, tamper, said) in rows {
        let home = trusting();
        signed(&home, "pkg", "1.2.0", true, "acme");
        plugin(&home, &["install", "pkg"]).ok();
        let at = place(&home);
        tamper(&home, &at);
        let listed = plugin(&home, &["list", "--json"]).exits(1).json();
        assert_eq!(listed[0]["refusal"]["code"], code, "{listed}");
        let answer = home.cavra(&["evaluate", "read_file", "README.md", "--policy-pack", NAME]).run().fails();
        assert!(answer.stderr.contains(said), "{code}: {answer:?}");
    }
}
