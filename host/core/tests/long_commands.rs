//! Long commands in the shipped interpreter: they are judged like short ones, with half of the fuel that they get.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that fails here has failed"
)]

use std::sync::Arc;

use cavra_builtin::POLICY_RULES;
use cavra_model::{Action, Facts, McpRegistry, Outcome, PackName, Timestamp};
use cavra_normalize::split_command;
use cavra_packs::{PackLibrary, PackRoot};
use cavra_plugins::{HostConfig, Limits, Origin, PackSource, PluginHost, PolicyPack};

/// The longest command that is accepted, in bytes.
const LONGEST: usize = 64 * 1024;

async fn shipped(host: &PluginHost, name: &str) -> Arc<PolicyPack> {
    let library = PackLibrary::new(PackRoot::ShippedOnly);
    let pack = library.resolve(&PackName::new(name).unwrap()).unwrap();
    let source = PackSource {
        plugin: POLICY_RULES.name,
        version: POLICY_RULES.version,
        wasm: POLICY_RULES.wasm,
        wasm_digest: POLICY_RULES.digest,
        document: &pack.canonical,
        document_digest: pack.digest.as_str(),
        origin: Origin::FirstParty,
        within: cavra_plugins::Within::default(),
    };
    host.policy_pack(source).await.unwrap()
}

fn facts() -> Facts {
    Facts {
        now: Timestamp::from_micros(1_900_000_000_000_000),
        session_id: String::new(),
        agent_id: String::new(),
        actor: String::new(),
        repository: String::new(),
        mcp_registry: McpRegistry::NotConsulted,
        attributes: Vec::new(),
    }
}

/// As much of an endless text as fits between the two, quoted for the shell if need be.
fn filled(before: &str, unit: impl Fn(usize) -> String, after: &str) -> String {
    let mut text = before.to_owned();
    for unit in (0..).map(unit) {
        if text.len() + unit.len() + after.len() > LONGEST {
            break;
        }
        text.push_str(&unit);
    }
    text + after
}

/// A line of source code with everything that separates commands, in single quotes as the shell needs them.
fn code(line: usize) -> String {
    quoted(&source(line))
}

fn source(line: usize) -> String {
    format!("def f{line}(x): return \"a;b\" + str({line}) + 'c' # it's (fine) | ok && {{x}} <{line}>\n")
}

fn quoted(text: &str) -> String {
    text.replace('\'', "'\"'\"'")
}

fn long_commands() -> Vec<(Outcome, String)> {
    use Outcome::{Allow, Block, RequireApproval};
    let prose = |_| "Fix the parser: handle trailing commas, keep positions, and document the new options. ".to_owned();
    let word = |word: &'static str| move |_| word.to_owned();
    let nested = |line| quoted(&quoted(&code(line)));
    let mut commands = vec![
        (Allow, filled("pytest -k '", code, "'")),
        (Allow, filled("pytest", |n| format!(" tests/unit/test_module_{n}.py"), "")),
        (Allow, filled("timeout 5 nice pytest -k \"", word("''''"), "\"")),
        (Allow, filled("timeout 5 terraform plan -var '", prose, "'")),
        (RequireApproval, filled("git commit -m '", code, "'")),
        (RequireApproval, filled("git commit -m '", prose, "'")),
        (RequireApproval, filled("python3 -c '", code, "'")),
        (RequireApproval, filled("cat > x.py <<'EOF'\n", source, "\nEOF")),
        (RequireApproval, filled("cat > x.py <<EOF\n", source, "\nEOF")),
        (RequireApproval, filled("echo '", source, "")),
        (RequireApproval, filled("bash <<'EOF'\n", source, "\nEOF")),
        (RequireApproval, filled("bash -c 'python3 -c '\\''", nested, "'\\'''")),
        (RequireApproval, filled("ssh host '", code, "'")),
        (RequireApproval, filled("ssh host '", word("echo hi; "), "'")),
        (RequireApproval, filled("docker run x sh -c '", word("echo hi; "), "'")),
        (RequireApproval, filled("docker run x '", word("pytest "), "' y 'a b' 'c d' 'e f' 'g h'")),
        (RequireApproval, filled("npm run", |n| format!(" a{n}"), "")),
        (RequireApproval, filled("env", |n| format!(" A{n}=1"), " pytest")),
        (RequireApproval, filled("find . ", word("-exec ls "), "")),
        (RequireApproval, filled("ls {a,b}{c,d}{e,f}", word("x"), "")),
        (RequireApproval, filled("ls", |n| format!(" {{a,b}}{n}"), "")),
        (RequireApproval, filled("ls", |n| format!(" $(a{n})"), "")),
        (RequireApproval, filled("ls", word(" $x"), "")),
        (Block, filled("terraform apply -var '", code, "'")),
        (Block, filled("docker run x '", prose, "; terraform apply'")),
        (Block, filled("bash -c '", |n| format!("pytest {n}{}; ", " tests/unit".repeat(20)), "terraform apply'")),
    ];
    for unit in
        ["xargs ", "timeout 1 ", "sudo ", "ls | ", "ls; ", "pytest && ", "npx a ", "eval ", "aws iam put-", "(", "| "]
    {
        commands.push((RequireApproval, filled("", word(unit), "x")));
    }
    commands
}

/// What a call gets is twice what the worst of these needs, so that no machine and no small change of the interpreter
/// makes a long command an error. Fuel does not depend on how fast anything is; 200 million are about 10 ms.
#[tokio::test]
async fn long_commands_are_judged_like_short_ones() {
    let usual = Limits::default();
    let limits = Limits {
        evaluate_fuel: usual.evaluate_fuel / 2,
        evaluate_fuel_per_byte: usual.evaluate_fuel_per_byte / 2,
        evaluate_time: std::time::Duration::from_secs(10),
        ..usual
    };
    let host = PluginHost::new(HostConfig { limits, ..HostConfig::default() }).unwrap();
    for name in ["cavra-ai-agent-baseline", "cavra-agentic-delivery"] {
        let pack = shipped(&host, name).await;
        for (outcome, text) in long_commands() {
            let label = format!("{name}: {} … ({} bytes)", text.chars().take(40).collect::<String>(), text.len());
            assert!((LONGEST - 1024..=LONGEST).contains(&text.len()), "{label}");
            let line = split_command(&text);
            let findings = pack.evaluate(&Action::ExecuteCommand(line), &facts()).await;
            let findings = findings.unwrap_or_else(|error| panic!("{label}: {error}"));
            let strictest = findings.iter().map(|finding| finding.outcome).max_by_key(|outcome| match outcome {
                Outcome::Block => 2,
                Outcome::RequireApproval => 1,
                _ => 0,
            });
            assert_eq!(strictest, Some(outcome), "{label}: {findings:?}");
        }
    }
}
