//! Plugins: made, signed, inspected, installed, decided by, upgraded and rolled back in a running server.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde_json::{Value, json};

use super::components::{change_freeze, freeze};
use crate::support::{Home, Output, Server, pack_yaml, repository, sha256};

pub(super) const NAME: &str = "cavra-frozen";
const ALWAYS: (&str, &str) = ("2000-01-01T00:00:00Z", "2999-01-01T00:00:00Z");
const NEVER: (&str, &str) = ("2000-01-01T00:00:00Z", "2000-01-02T00:00:00Z");

/// A home with the key pairs of two vendors, of which the operator trusts the first one.
pub(super) fn trusting() -> Home {
    let home = Home::new();
    for vendor in ["acme", "other"] {
        let (private, public) = (format!("{vendor}.pem"), format!("{vendor}.pub"));
        home.cavra(&["evidence", "generate-keypair", "--private-key", &private, "--public-key", &public]).run().ok();
    }
    trust(&home, &[key(&home, "acme", json!({}))], json!({}));
    home
}

/// A key of a trust set.
pub(super) fn key(home: &Home, vendor: &str, more: Value) -> Value {
    let mut key =
        json!({"key_id": vendor, "owner": "Acme Inc.", "public_key_pem": home.read(&format!("{vendor}.pub"))});
    key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    key
}

pub(super) fn trust(home: &Home, keys: &[Value], more: Value) {
    let mut trust = json!({"schema_version": "cavra.plugin-trust.v1", "keys": keys});
    trust.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    home.write(".cavra/plugins/trust.yaml", trust.to_string());
}

/// Writes a package of the example, unsigned, whose freeze lasts always or never.
pub(super) fn package(home: &Home, folder: &str, version: &str, frozen: bool) {
    let manifest = format!(
        "schema_version: cavra.plugin.v1\nname: {NAME}\nversion: {version}\nkind: policy-pack\nworld: cavra:policy@1.1.0\n"
    );
    home.write(&format!("{folder}/plugin.yaml"), manifest);
    let _ = std::fs::remove_file(home.join(&format!("{folder}/plugin.dsse.json")));
    home.write(&format!("{folder}/plugin.wasm"), change_freeze());
    let (from, until) = if frozen { ALWAYS } else { NEVER };
    home.write(&format!("{folder}/policy.yaml"), freeze(from, until));
}

/// As [`package`], signed by a vendor.
pub(super) fn signed(home: &Home, folder: &str, version: &str, frozen: bool, vendor: &str) {
    package(home, folder, version, frozen);
    sign(home, folder, vendor, &[]);
}

pub(super) fn sign(home: &Home, folder: &str, vendor: &str, more: &[&str]) {
    let key = format!("{vendor}.pem");
    plugin(home, &[&["sign", folder, "--private-key", &key, "--key-id", vendor], more].concat()).ok();
}

pub(super) fn plugin(home: &Home, arguments: &[&str]) -> Output {
    home.cavra(&[&["plugin"], arguments].concat()).run()
}

fn decided(server: &Server, target: &str) -> Value {
    server.decide_on("write_file", target, NAME)["decision"].clone()
}

#[test]
fn a_plugin_is_installed_and_decides() {
    let home = trusting();
    signed(&home, "pkg", "1.0.0", true, "acme");
    let report = plugin(&home, &["inspect", "pkg", "--json"]).ok().json();
    for (member, wanted) in [
        ("name", json!(NAME)),
        ("version", json!("1.0.0")),
        ("kind", json!("policy-pack")),
        ("world", json!("cavra:policy@1.1.0")),
        ("component_world", json!("cavra:policy@1.1.0")),
        ("imports", json!(["cavra:policy/types@1.1.0"])),
        ("component_digest", json!(sha256(change_freeze()))),
        ("component_bytes", json!(change_freeze().len())),
        ("signatures", json!(["acme"])),
        ("trusted_signers", json!(["acme"])),
        ("loads", json!(true)),
        ("refusal", json!(null)),
    ] {
        assert_eq!(report[member], wanted, "{member}: {report}");
    }
    let shown = plugin(&home, &["inspect", "pkg"]).ok().stdout;
    assert!(shown.contains("asks for   nothing") && shown.contains("this host loads it"), "{shown}");
    assert!(plugin(&home, &["verify", "pkg"]).ok().stdout.contains("signed by `acme` of Acme Inc."));
    // By an archive, as it comes to a machine without a network.
    plugin(&home, &["archive", "pkg", "--output", "frozen.cavra-plugin"]).ok();
    std::fs::remove_dir_all(home.join("pkg")).unwrap();
    let installed = plugin(&home, &["install", "frozen.cavra-plugin", "--json"]).ok().json();
    assert_eq!((&installed["signers"], &installed["source"]), (&json!(["acme"]), &json!("frozen.cavra-plugin")));
    let server = home.serve(&[]);
    assert_eq!(decided(&server, "README.md"), "block");
    assert_eq!(server.decide_on("read_file", ".env", NAME)["decision"], "block", "what it inherits counts");
    // Other packs build on it, and commands find it too.
    home.pack("cavra-mine", &pack_yaml("cavra-mine", &format!("  inherits: {NAME}\n")));
    let (name, packs) = home.packs();
    let arguments = ["evaluate", "write_file", "README.md", "--json", "--policy-pack", "cavra-mine"];
    assert_eq!(home.cavra(&arguments).env(name, packs).run().ok().json()["rule_id"], "change_freeze.block");
    let listed = plugin(&home, &["list", "--json"]).ok().json();
    assert_eq!((&listed[0]["name"], &listed[0]["loads"]), (&json!(NAME), &json!(true)));
    plugin(&home, &["remove", NAME]).ok();
    let body = json!({"action_type": "write_file", "target": "README.md", "policy_pack": NAME});
    server.post("/decisions", &body).refused(&[404]);
    assert_eq!(plugin(&home, &["list", "--json"]).ok().json(), json!([]));
    plugin(&home, &["remove", NAME]).fails();
}

/// While somebody decides all the time, a plugin is upgraded and rolled back: every request is answered, by the old version
/// or the new one.
#[test]
fn a_running_server_takes_the_version_that_is_installed() {
    let home = trusting();
    signed(&home, "one", "1.0.0", true, "acme");
    signed(&home, "two", "1.1.0", false, "acme");
    plugin(&home, &["install", "one"]).ok();
    let server = home.serve(&[]);
    assert_eq!(decided(&server, "README.md"), "block");
    let (done, asked) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let decision = decided(&server, "README.md");
                    assert!(decision == "block" || decision == "allow", "{decision}");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let steps: [(&[&str], &str); 3] = [
            (&["install", "two"], "allow"),
            (&["install", NAME, "--rollback"], "block"),
            (&["install", "two"], "allow"),
        ];
        for (arguments, expected) in steps {
            plugin(&home, arguments).ok();
            // Whoever asks from here on gets the version that is locked.
            assert_eq!(decided(&server, "README.md"), expected, "{arguments:?}");
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(asked.load(Ordering::Relaxed) > 0);
    let listed = plugin(&home, &["list", "--json"]).ok().json();
    assert_eq!((&listed[0]["version"], &listed[0]["previous"]), (&json!("1.1.0"), &json!(["1.0.0"])));
}

/// One plugin that is refused hides neither the others nor the packs of other places.
#[test]
fn a_refused_plugin_hides_nothing_else() {
    let home = trusting();
    signed(&home, "pkg", "1.0.0", true, "acme");
    let text = home.read("pkg/policy.yaml").replace(NAME, "cavra-second");
    home.write("second/policy.yaml", text);
    home.write("second/plugin.yaml", home.read("pkg/plugin.yaml").replace(NAME, "cavra-second"));
    home.write("second/plugin.wasm", change_freeze());
    sign(&home, "second", "acme", &[]);
    plugin(&home, &["install", "pkg"]).ok();
    plugin(&home, &["install", "second"]).ok();
    let server = home.serve(&[]);
    let digest = plugin(&home, &["inspect", "second", "--json"]).ok().json()["package_digest"].clone();
    let revoked = json!({"revoked": [{"digest": digest, "reason": "it was a mistake"}]});
    trust(&home, &[key(&home, "acme", json!({}))], revoked);
    assert_eq!(decided(&server, "README.md"), "block");
    let body = json!({"action_type": "write_file", "target": "README.md", "policy_pack": "cavra-second"});
    let refused = server.post("/decisions", &body).refused(&[409]).to_string();
    assert!(refused.contains("it was a mistake"), "{refused}");
    assert_eq!(server.decide_on("read_file", "README.md", "cavra-hipaa")["decision"], "allow");
    let listed = plugin(&home, &["list", "--json"]).exits(1).json();
    assert_eq!((&listed[0]["loads"], &listed[1]["refusal"]["code"]), (&json!(true), &json!("revoked")));
    assert!(server.log().contains("a plugin is refused"));
    // A trust set that cannot be read vouches for nobody; a server does not start with it, and says which key is meant.
    let text = home.read(".cavra/plugins/trust.yaml");
    home.write(".cavra/plugins/trust.yaml", text.replace("\"revoked\"", "\"revokd\""));
    let body = json!({"action_type": "write_file", "target": "README.md", "policy_pack": NAME});
    let refused = server.post("/decisions", &body).refused(&[409]).to_string();
    assert!(refused.contains("trust.yaml") && refused.contains("did you mean `revoked`"), "{refused}");
    assert_eq!(server.decide_on("read_file", "README.md", "cavra-hipaa")["decision"], "allow");
    drop(server);
    let started = home.cavra(&["serve", "--port", "0"]).run().fails().stderr;
    assert!(started.contains("trust.yaml") && started.contains("did you mean `revoked`"), "{started}");
}

/// With a trust set, a component in the policy directory decides only if somebody vouches for it.
#[test]
fn a_component_in_the_policy_directory_needs_a_voucher() {
    let home = Home::new();
    home.pack("cavra-mine", &freeze(NEVER.0, NEVER.1).replace(NAME, "cavra-mine"));
    home.write("packs/cavra-mine/policy.wasm", change_freeze());
    let (name, packs) = home.packs();
    let key = ("CAVRA_POLICY_SIGNING_KEY", "hush-key");
    let evaluate = |settings: &[(&str, &str)]| {
        let mut run = home.cavra(&["evaluate", "read_file", "README.md", "--json", "--policy-pack", "cavra-mine"]);
        for (name, value) in [&[(name, packs.as_str())], settings].concat() {
            run = run.env(name, value);
        }
        run.run().ok().json()
    };
    assert_eq!(evaluate(&[])["decision"], "allow", "without a trust set it is trusted as its folder is");
    trust(&home, &[], json!({}));
    let blocked = evaluate(&[]);
    assert_eq!((&blocked["decision"], &blocked["rule_id"]), (&json!("block"), &json!("policy.signature.invalid")));
    assert!(blocked["reason"].to_string().contains("nobody vouches for its policy.wasm"), "{blocked}");
    let by_path = home.cavra(&["evaluate", "read_file", "README.md", "--json", "--policy-file", "packs/cavra-mine"]);
    assert_eq!(by_path.run().ok().json()["decision"], "block");
    // A signed pack vouches for its component.
    home.cavra(&["policy", "sign", "packs/cavra-mine", "--key", key.1]).run().ok();
    assert_eq!(evaluate(&[key])["decision"], "allow");
    let listed = json!([{"digest": sha256(change_freeze()), "reason": "ours"}]);
    trust(&home, &[], json!({"unsigned": listed}));
    assert_eq!(evaluate(&[])["decision"], "allow");
    trust(&home, &[], json!({"unsigned": listed, "revoked": listed}));
    assert_eq!(evaluate(&[key])["decision"], "block");
}

/// What `cavra plugin new` makes builds against its own copy of the SDK and passes its tests, natively and in the host.
#[test]
fn a_new_plugin_builds_and_passes_its_own_tests() {
    let home = trusting();
    plugin(&home, &["new", "deploy-guard"]).fails();
    plugin(&home, &["new", "cavra-deploy-guard"]).ok();
    plugin(&home, &["new", "cavra-deploy-guard"]).fails();
    let sources = home.join("cavra-deploy-guard");
    for file in ["src/lib.rs", "src/pack.rs", "src/testing.rs", "wit/policy.wit", "README.md", "Cargo.toml"] {
        let copy = std::fs::read(sources.join("cavra-sdk").join(file)).unwrap();
        assert_eq!(copy, std::fs::read(repository().join("sdk/rust").join(file)).unwrap(), "{file}");
    }
    let mut cargo = Command::new(env!("CARGO"));
    cavra_guest_build::guest_environment(&mut cargo);
    let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/scaffold");
    let tested =
        cargo.args(["test", "--quiet"]).current_dir(&sources).env("CARGO_TARGET_DIR", target).output().unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
    let mut build = home.command(&["plugin", "build", "cavra-deploy-guard", "--output", "dist"]);
    for name in ["HOME", "CARGO_HOME", "RUSTUP_HOME", "PATH"] {
        if let Some(value) = std::env::var_os(name) {
            build.env(name, value);
        }
    }
    let built = build.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    assert!(Path::new(&home.join("dist/plugin.wasm")).exists());
    let tested = plugin(&home, &["test", "dist"]).ok().stdout;
    assert_eq!(tested.lines().filter(|line| line.starts_with("PASS ")).count(), 4, "{tested}");
    let benched = plugin(&home, &["bench", "dist", "--calls", "20", "--json"]).ok().json();
    assert_eq!(benched["calls"], 20);
    // A case that fails is told and is the exit code; a file without cases tests nothing.
    home.write("dist/tests.yaml", home.read("dist/tests.yaml").replace("expect: allow", "expect: block"));
    assert!(plugin(&home, &["test", "dist"]).exits(1).stdout.contains("FAIL anything else is written"));
    std::fs::remove_file(home.join("dist/tests.yaml")).unwrap();
    assert!(plugin(&home, &["test", "dist"]).fails().stderr.contains("nothing was tested"));
    sign(&home, "dist", "acme", &[]);
    plugin(&home, &["install", "dist"]).ok();
    let server = home.serve(&[]);
    assert_eq!(server.decide_on("write_file", "deploy/a.yaml", "cavra-deploy-guard")["decision"], "require_approval");
}

/// What a plugin asks for and is granted is what it gets, and no more.
#[test]
fn a_call_has_what_was_asked_for_and_granted() {
    let home = trusting();
    package(&home, "pkg", "1.0.0", true);
    let asking = |asks: &str| {
        let manifest = home.read("pkg/plugin.yaml");
        let plain: String =
            manifest.lines().filter(|line| !line.starts_with("asks")).map(|line| format!("{line}\n")).collect();
        home.write("pkg/plugin.yaml", format!("{plain}asks: {{{asks}}}\n"));
        sign(&home, "pkg", "acme", &[]);
    };
    asking("memory_mib: 1");
    assert!(plugin(&home, &["install", "pkg"]).fails().stderr.contains("run `cavra plugin grant cavra-frozen`"));
    assert!(plugin(&home, &["grant", "pkg"]).ok().stdout.contains("1 MiB of memory"));
    plugin(&home, &["install", "pkg"]).ok();
    let ask = || {
        let arguments = ["evaluate", "write_file", "README.md", "--json", "--policy-pack", NAME];
        home.cavra(&arguments).run().ok().json()
    };
    // The component holds more than a MiB once it is configured, so it runs into its bound, and that blocks.
    let blocked = ask();
    assert_eq!((&blocked["decision"], &blocked["rule_id"]), (&json!("block"), &json!("policy.engine.error")));
    assert!(blocked["reason"].to_string().contains("more memory than it may have"), "{blocked}");
    plugin(&home, &["remove", NAME]).ok();
    asking("memory_mib: 16, time_ms: 200");
    plugin(&home, &["grant", "pkg"]).ok();
    plugin(&home, &["install", "pkg"]).ok();
    assert_eq!(ask()["rule_id"], "change_freeze.block");
    // Taken away while it is installed, it is refused.
    plugin(&home, &["grant", NAME, "--revoke"]).ok();
    let refused = home.cavra(&["evaluate", "write_file", "README.md", "--policy-pack", NAME]).run().fails();
    assert!(refused.stderr.contains("16 MiB of memory") && refused.stderr.contains("200 ms"), "{refused:?}");
    // More than this host has is not granted by a file.
    plugin(&home, &["remove", NAME]).ok();
    asking("memory_mib: 512");
    plugin(&home, &["grant", "pkg"]).ok();
    assert!(plugin(&home, &["install", "pkg"]).fails().stderr.contains("than this host gives a call"));
}

/// The commands of the guide, one after the other, as somebody would type them.
#[test]
fn the_guide_runs() {
    let home = Home::new();
    let guide = std::fs::read_to_string(repository().join("docs/plugins.md")).unwrap();
    let section =
        guide.split("## From nothing to a decision").nth(1).unwrap().split("\n## ").next().unwrap().to_owned();
    let blocks: Vec<&str> = section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 2);
    let mut bash = home.command(&[]);
    let path = bash.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value).unwrap().to_owned();
    bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", &blocks.concat()]).current_dir(home.path());
    let cargo = Path::new(env!("CARGO")).parent().unwrap().display().to_string();
    bash.env("PATH", format!("{}:{cargo}:{}", path.to_str().unwrap(), std::env::var("PATH").unwrap_or_default()));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CAVRA_")) {
        bash.env_remove(name);
    }
    cavra_guest_build::guest_environment(&mut bash);
    let output = bash.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("this host loads it") && said.contains("require_approval"), "{said}");
}
