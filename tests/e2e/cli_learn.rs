//! `cavra policy learn`: recorded questions, and what would have spared them.

use serde_json::{Value, json};

use super::cli_backtest::Past;
use crate::support::{Backend, Home, on_both, pack_yaml, strings, text};

/// What agents asked for, how often, and what the pack says to it.
const ASKED: [(&str, usize, &str); 14] = [
    ("notes find TODO docs/a.md", 3, "require_approval"),
    ("cd docs && notes find -q x b.md", 2, "require_approval"),
    ("notes sync --all", 1, "require_approval"),
    ("curl https://docs.example.com/a", 4, "require_approval"),
    ("curl -s https://docs.example.com/b | head -5", 1, "require_approval"),
    ("rm -f notes.txt", 2, "require_approval"),
    // What nothing should spare: code, the environment, what a rule forbids or wants a person for.
    ("python3 -c \"exec(input())\"", 5, "require_approval"),
    ("env", 3, "require_approval"),
    ("notes find KEY .env", 2, "require_approval"),
    ("terraform apply -auto-approve", 4, "block"),
    ("git push origin HEAD:main", 1, "block"),
    ("make deploy", 6, "require_approval"),
    ("ls", 2, "allow"),
    ("notes find x https://example.com/$x", 2, "require_approval"),
];

/// A store with all that in it.
fn asked(backend: Backend) -> Past {
    Past::of(backend, "  inherits: cavra-developer\n", |server| {
        for (command, times, decision) in ASKED {
            for _ in 0..times {
                let asked = json!({"action_type": "execute_command", "target": command, "policy_pack": "cavra-mine"});
                let decided = server.decide(&asked);
                assert_eq!(decided["decision"], decision, "{command}: {decided}");
            }
        }
        server.decide(&json!({"action_type": "write_file", "target": "iam/role.tf", "policy_pack": "cavra-mine"}));
    })
}

fn learn(past: &Past, pack: &str) -> Value {
    past.policy(&["learn", "--policy-pack", pack, "--json"]).ok().json()
}

#[test]
fn what_spares_most_is_proposed_and_what_is_forbidden_never() {
    on_both(|backend| {
        let past = asked(backend);
        let lessons = learn(&past, "cavra-mine");
        assert_eq!(lessons["schema_version"], "cavra.policy_lessons.v1");
        let asked: usize =
            ASKED.iter().filter(|(.., decision)| *decision == "require_approval").map(|(_, times, _)| times).sum();
        assert_eq!((&lessons["questions"], &lessons["answered"]), (&json!(asked), &json!(0)), "{lessons:#}");
        let proposals = lessons["proposals"].as_array().unwrap();
        let of = |part: &str| {
            let holds = |proposal: &&Value| {
                proposal["allow"].to_string().contains(part) || proposal["programs"].to_string().contains(part)
            };
            proposals.iter().find(holds).unwrap_or_else(|| panic!("{part}: {lessons:#}"))
        };
        let network = of("network docs.example.com read");
        assert_eq!((&network["questions"], &network["commands"]), (&json!(5), &json!(2)), "{network:#}");
        assert!(
            strings(&network["lets_through"])[0].contains("does nothing else than `network docs.example.com read`")
        );
        let row = of("\"notes\"");
        assert_eq!((&row["questions"], &row["commands"]), (&json!(6), &json!(3)), "{row:#}");
        assert!(strings(&row["examples"]).contains(&"notes find TODO docs/a.md"), "{row:#}");
        let subcommands = &row["programs"][0]["subcommands"];
        assert!(subcommands["find"].is_object() && subcommands["sync"].is_object(), "{row:#}");
        assert_eq!(of("delete notes.txt")["questions"], json!(2));
        // The most is first, and what nobody may spare is in none of them.
        let counts: Vec<u64> = proposals.iter().map(|proposal| proposal["questions"].as_u64().unwrap()).collect();
        assert_eq!((counts.iter().sum::<u64>(), proposals.len()), (13, 3), "{lessons:#}");
        assert!(lessons["spared"] == 13 && lessons["kept"] == asked - 13, "{lessons:#}");
        for part in ["python", "environment", "terraform", "push", "deploy", "https://example.com", ".env", "iam"] {
            assert!(!lessons["proposals"].to_string().contains(part), "{part}: {lessons:#}");
        }
    });
}

/// What is printed is a fragment of a policy; with it, the same commands are allowed, and those of block rules are not.
#[test]
fn what_is_printed_can_be_pasted() {
    let past = asked(Backend::Sqlite);
    let printed = past.policy(&["learn", "--policy-pack", "cavra-mine"]).ok().stdout;
    assert!(printed.starts_with("# 31 questions in "), "{printed}");
    past.home.pack("cavra-taught", &pack_yaml("cavra-taught", &format!("  inherits: cavra-mine\n{printed}")));
    past.policy(&["validate", "packs/cavra-taught"]).ok();
    past.policy(&["test", "--policy-pack", "cavra-taught"]).ok();
    let decided = |command: &str| {
        let run = past.home.cavra(&["evaluate", "execute_command", command, "--policy-pack", "cavra-taught", "--json"]);
        text(&past.settings.iter().fold(run, |run, (name, value)| run.env(name, value)).run().ok().json(), "decision")
            .to_owned()
    };
    for (command, decision) in [
        ("notes find TODO docs/a.md", "allow"),
        ("notes find TODO docs/other.md", "allow"),
        ("curl https://docs.example.com/a", "allow"),
        ("notes find KEY .env", "block"),
        ("notes find -x a.md", "require_approval"),
        ("notes publish", "require_approval"),
        ("make deploy", "require_approval"),
        ("env", "require_approval"),
    ] {
        assert_eq!(decided(command), decision, "{command}");
    }
    let taught = learn(&past, "cavra-taught");
    assert_eq!((&taught["proposals"], &taught["answered"]), (&json!([]), &json!(13)), "{taught:#}");
}

#[test]
fn nothing_is_proposed_where_nothing_was_asked() {
    on_both(|backend| {
        let home = Home::new();
        let (name, value) = backend.setting(&home);
        let run = |arguments: &[&str]| home.cavra(arguments).env(name, &value).run().ok();
        let lessons = run(&["policy", "learn", "--json"]).json();
        assert_eq!((&lessons["decisions"], &lessons["proposals"]), (&json!(0), &json!([])));
        assert!(run(&["policy", "learn"]).stdout.ends_with("# nothing to propose\n"));
    });
}
