//! What a command does, judged: coverage by `effects.allow`, the stricter lists, and what no entry ever allows.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

mod support;

use cavra_rules::{
    Certainty, ChangeEffect, Doubt, Effects, EnvironmentEffect, FileEffect, FileUse, Lacking, NetworkEffect, Outcome,
    Place, Policy, RunEffect, check_document,
};
use serde_json::{Value, json};
use support::{OwnedCommand, OwnedPart, strictest};

/// What one command does.
#[derive(Clone)]
struct Does {
    certainty: Certainty,
    doubt: &'static str,
    seen: bool,
    files: Vec<(FileUse, &'static str, &'static str, Place)>,
    network: Vec<(&'static str, Option<u16>, &'static str)>,
    runs: Vec<(&'static str, Vec<String>)>,
    changes: Vec<(&'static str, &'static str, &'static str, &'static str)>,
    environment: Vec<&'static str>,
}

const KNOWN: Does = Does {
    certainty: Certainty::Known,
    doubt: "--frob",
    seen: true,
    files: Vec::new(),
    network: Vec::new(),
    runs: Vec::new(),
    changes: Vec::new(),
    environment: Vec::new(),
};

/// A file of the repository; `shape` is `tree`, `glob` or nothing.
fn file(used: FileUse, path: &'static str, shape: &'static str) -> Does {
    at(used, path, shape, Place::Repository)
}

fn at(used: FileUse, path: &'static str, shape: &'static str, place: Place) -> Does {
    Does { files: vec![(used, path, shape, place)], ..KNOWN }
}

/// A host; `how` holds `w` if it writes and `c` if it carries.
fn host(name: &'static str, port: Option<u16>, how: &'static str) -> Does {
    Does { network: vec![(name, port, how)], ..KNOWN }
}

fn run(kind: &'static str, words: &str) -> Does {
    Does { runs: vec![(kind, words.split(' ').map(str::to_owned).collect())], ..KNOWN }
}

/// A system; `how` holds `r` if it only reads and `l` if it loses work.
fn system(system: &'static str, operation: &'static str, target: &'static str, how: &'static str) -> Does {
    Does { changes: vec![(system, operation, target, how)], ..KNOWN }
}

/// Asks something about a command that does this.
fn with<T>(does: &Does, ask: impl FnOnce(&OwnedCommand, Effects<'_>) -> T) -> T {
    let files: Vec<FileEffect<'_>> = does
        .files
        .iter()
        .map(|(used, path, shape, place)| FileEffect {
            part: 0,
            used: *used,
            path,
            tree: *shape == "tree",
            pattern: *shape == "glob",
            place: *place,
            why: "operand of `x`",
        })
        .collect();
    let network: Vec<NetworkEffect<'_>> = does
        .network
        .iter()
        .map(|(host, port, how)| NetworkEffect {
            part: 0,
            host,
            port: *port,
            writes: how.contains('w'),
            carries: how.contains('c'),
        })
        .collect();
    let runs: Vec<RunEffect<'_>> = does.runs.iter().map(|(kind, words)| RunEffect { part: 0, kind, words }).collect();
    let changes: Vec<ChangeEffect<'_>> = does
        .changes
        .iter()
        .map(|(system, operation, target, how)| ChangeEffect {
            part: 0,
            system,
            operation,
            target,
            loses_work: how.contains('l'),
            reads_only: how.contains('r'),
        })
        .collect();
    let environment: Vec<EnvironmentEffect<'_>> =
        does.environment.iter().map(|name| EnvironmentEffect { part: 0, name }).collect();
    let effects = Effects {
        certainty: &[does.certainty],
        doubts: &[Doubt { part: 0, word: does.doubt, sentence: "the option `--frob` is not described" }],
        files: &files,
        network: &network,
        runs: &runs,
        changes: &changes,
        environment: &environment,
        seen: does.seen,
    };
    let part = OwnedPart { spellings: vec!["x y".to_owned()], dequoted: "x y".to_owned(), implied: false };
    ask(&OwnedCommand { text: "x y".to_owned(), parts: vec![part], ..OwnedCommand::default() }, effects)
}

fn judge(policy: &Policy, does: &Does) -> (Outcome, &'static str, String) {
    let findings = with(does, |command, effects| command.evaluate_with(policy, effects));
    let found = strictest(&findings).unwrap();
    (found.outcome, found.rule_id, found.reason.clone())
}

/// What the policy lacks to let that happen.
fn lacking(policy: &Policy, does: &Does) -> Option<Lacking> {
    with(does, |command, effects| command.with(effects, |command| policy.lacking(command)))
}

fn policy() -> Policy {
    let document: Value = json!({
        "filesystem": {
            "block_read": ["**/.env", "**/secrets.*", "deploy/*"],
            "require_approval_read": ["/etc/*", "~/*"],
            "block_write": ["**/ci/*"],
            "require_approval_write": ["**/iam/*"],
        },
        "effects": {
            "block": ["delete /", "delete ~", "delete **/.git", "vcs push_protected", "infra terraform apply"],
            "require_approval": ["vcs push_force", "vcs no_verify", "run script *deploy*", "permission 777", "unknown x z*"],
            "allow": [
                "list repository", "read repository", "read temporary", "write repository", "write temporary",
                "delete **/dist/*", "vcs read", "vcs change", "vcs fetch", "vcs push", "run project_* *", "run script *",
                "run inline *", "run privilege *", "network localhost", "network github.com read", "network *.corp.test",
                "infra docker read", "process read", "environment *", "read system",
            ],
        },
    });
    assert_eq!(check_document(&document), []);
    Policy::compile(&document).unwrap()
}

#[test]
fn what_entries_cover_is_allowed() {
    use FileUse::{Deletes, Lists, Reads, Writes};
    let policy = policy();
    for does in [
        KNOWN,
        file(Reads, "src/a.ts", ""),
        file(Reads, "src", "tree"),
        file(Reads, "src/*.ts", "glob"),
        file(Lists, ".env", ""),
        file(Lists, "deploy", "tree"),
        file(Writes, "src/a.ts", ""),
        file(Deletes, "dist", "tree"),
        file(Deletes, "web/dist/*.js", "glob"),
        at(Writes, "/tmp/x", "", Place::Temporary),
        host("localhost", Some(3000), "wc"),
        host("127.0.0.1", Some(8080), ""),
        host("github.com", None, ""),
        host("git.corp.test", None, "w"),
        run("project_test", "cargo test"),
        run("script", "scripts/check.sh"),
        system("git", "status", "", "r"),
        system("git", "commit", "", ""),
        system("git", "branch-create", "x", ""),
        system("git", "fetch", "", ""),
        system("git", "push", "feature/login", ""),
        system("docker", "compose logs", "", "r"),
        system("process", "list", "", "r"),
        Does { certainty: Certainty::Bounded, ..file(Reads, "src/*.ts", "glob") },
    ] {
        let (outcome, rule, reason) = judge(&policy, &does);
        assert_eq!((outcome, rule), (Outcome::Allow, "effects.allow"), "{reason}");
    }
}

#[test]
fn what_no_entry_covers_is_reviewed_and_said() {
    use FileUse::{Deletes, Lists, Reads};
    let policy = policy();
    for (does, said) in [
        (Does { certainty: Certainty::Unknown, ..KNOWN }, "`x`: the option `--frob` is not described"),
        (file(Deletes, "src", "tree"), "`x` deletes `src` and what lies below (operand of `x`), which no entry"),
        (at(Lists, "/var/x", "", Place::Elsewhere), "`x` looks at `/var/x`"),
        (at(Reads, "x", "", Place::Unknown), "where that lies is not known"),
        (host("example.com", None, ""), "`x` reaches `example.com`, which no entry of effects.allow covers"),
        (host("github.com", None, "w"), "(`network github.com` would)"),
        (host("github.com", None, "c"), "sends to `github.com`"),
        (host("?", None, ""), "a host that is computed"),
        (system("git", "clone", "u", ""), "(`vcs clone` would)"),
        (system("git", "fetch", "pull/12/head", ""), "does `fetch` of `pull/12/head`"),
        (
            Does { changes: vec![("gh", "repo clone", "", "")], ..host("github.com", None, "") },
            "does `repo clone` in gh",
        ),
        (system("git", "reset-hard", "", "l"), "does `reset-hard`"),
        (system("git", "stash-drop", "", "l"), "does `stash-drop`"),
        (system("docker", "run", "", ""), "(`infra docker run` would)"),
        (system("process", "kill", "", ""), "(`process kill` would)"),
    ] {
        let (outcome, rule, reason) = judge(&policy, &does);
        assert_eq!((outcome, rule), (Outcome::RequireApproval, "commands.default.require_approval"), "{reason}");
        assert!(reason.contains(said), "{reason} says {said}");
        assert!(reason.contains("cavra approval create"), "{reason}");
    }
}

#[test]
fn some_effects_are_never_allowed_whatever_the_pack_says() {
    use FileUse::{Deletes, Reads, Writes};
    let policy = policy();
    for does in [
        run("inline", "python"),
        run("privilege", "root"),
        Does { environment: vec!["*"], ..KNOWN },
        Does { environment: vec!["HOME"], ..KNOWN },
        file(Writes, ".git/config", ""),
        file(Writes, "sub/.husky/pre-commit", ""),
        file(Writes, ".git", "tree"),
        file(Writes, ".claude", "tree"),
        file(Writes, ".vscode/tasks.json", ""),
        file(Deletes, ".claude/settings.json", ""),
        at(Reads, "/proc/self/environ", "", Place::System),
    ] {
        let (outcome, _, reason) = judge(&policy, &does);
        assert_ne!(outcome, Outcome::Allow, "{reason}");
    }
}

#[test]
fn files_and_pushes_are_judged_whatever_the_command_is() {
    use FileUse::{Deletes, Lists, Reads, Writes};
    let policy = policy();
    let unseen = |does: Does| Does { seen: false, ..does };
    let unknown = |does: Does| Does { certainty: Certainty::Unknown, ..does };
    let approval = Outcome::RequireApproval;
    for (does, outcome, rule) in [
        (file(Reads, ".env", ""), Outcome::Block, "filesystem.read.block"),
        (unknown(file(Reads, "a/.env", "")), Outcome::Block, "filesystem.read.block"),
        (at(Reads, "/etc/passwd", "", Place::System), approval, "filesystem.read.require_approval"),
        (at(Reads, "/home/ada/x", "", Place::Home), approval, "filesystem.read.require_approval"),
        (file(Writes, "ci/x", ""), Outcome::Block, "filesystem.write.block"),
        (file(Deletes, "ci/x", ""), Outcome::Block, "filesystem.write.block"),
        (file(Writes, "a/iam/x", ""), approval, "filesystem.write.require_approval"),
        // Sets: what is known of them without a disk, and with one.
        (unseen(file(Reads, ".e*", "glob")), Outcome::Block, "filesystem.read.block"),
        (file(Reads, ".en[v]", "glob"), Outcome::Block, "filesystem.read.block"),
        (file(Reads, "**/*.env*", "glob"), Outcome::Block, "filesystem.read.block"),
        (file(Writes, "a/ci", "tree"), Outcome::Block, "filesystem.write.block"),
        (unseen(file(Reads, "deploy", "tree")), Outcome::Block, "filesystem.read.block"),
        (unseen(file(Reads, "src", "tree")), approval, "commands.default.require_approval"),
        (unseen(file(Reads, "src/*.ts", "glob")), approval, "commands.default.require_approval"),
        (unseen(file(Reads, "src/*.md5", "glob")), approval, "commands.default.require_approval"),
        (unseen(file(Lists, ".", "tree")), Outcome::Allow, "effects.allow"),
        (file(Reads, ".", "tree"), Outcome::Allow, "effects.allow"),
        // Entries.
        (at(Deletes, "/", "tree", Place::Elsewhere), Outcome::Block, "effects.block"),
        (at(Deletes, "/home/ada", "tree", Place::Home), Outcome::Block, "effects.block"),
        (file(Deletes, "sub/.git", "tree"), Outcome::Block, "effects.block"),
        (system("terraform", "apply", "", ""), Outcome::Block, "effects.block"),
        (run("script", "scripts/deploy.sh"), approval, "effects.require_approval"),
        (run("permission", "777"), approval, "effects.require_approval"),
        (system("git", "push-force", "topic", ""), approval, "effects.require_approval"),
        (system("git", "no-verify", "", ""), approval, "effects.require_approval"),
        // Pushes.
        (system("git", "push", "main", ""), Outcome::Block, "git.protected_branch.block_direct_push"),
        (system("git", "push", "refs/heads/master", ""), Outcome::Block, "git.protected_branch.block_direct_push"),
        (system("git", "push", "*", ""), Outcome::Block, "git.protected_branch.block_direct_push"),
        (system("git", "push-delete", "main", ""), Outcome::Block, "git.protected_branch.block_direct_push"),
        (system("git", "branch-delete", "main", "l"), Outcome::Block, "git.protected_branch.block_direct_push"),
        (system("git", "push", "HEAD", ""), approval, "git.protected_branch.require_approval"),
        (system("git", "push", "", ""), approval, "git.protected_branch.require_approval"),
        (unknown(system("git", "push", "", "")), approval, "git.protected_branch.require_approval"),
        (system("git", "stash push", "", ""), Outcome::Allow, "effects.allow"),
    ] {
        let (seen, found, reason) = judge(&policy, &does);
        assert_eq!((seen, found), (outcome, rule), "{reason}");
    }
}

/// A pack without entries is as it was: what a command does makes it stricter and lets nothing run.
#[test]
fn without_entries_nothing_is_allowed_by_effects() {
    let policy = Policy::compile(&json!({ "commands": { "allow": ["x *"] } })).unwrap();
    assert_eq!(judge(&policy, &file(FileUse::Reads, "a", "")).1, "commands.allow");
    let policy = Policy::compile(&json!({ "commands": { "allow": ["z *"] } })).unwrap();
    let (outcome, _, reason) = judge(&policy, &KNOWN);
    assert_eq!(outcome, Outcome::RequireApproval);
    assert!(reason.starts_with("no command pattern matches `x` as it is called"), "{reason}");
}

/// A pattern lets a command run whatever its arguments are; an entry may keep those back that nobody has described.
#[test]
fn what_is_not_understood_may_need_approval_although_a_pattern_allows_it() {
    let document = json!({
        "commands": { "allow": ["x", "x *"] },
        "effects": { "require_approval": ["unknown x *"] },
    });
    let policy = Policy::compile(&document).unwrap();
    let (outcome, rule, reason) = judge(&policy, &Does { certainty: Certainty::Unknown, ..KNOWN });
    assert_eq!((outcome, rule), (Outcome::RequireApproval, "effects.require_approval"));
    assert_eq!(
        reason,
        "`x`: the option `--frob` is not described, and so it needs approval: `unknown x *` of effects.require_approval"
    );
    assert_eq!(judge(&policy, &KNOWN).1, "commands.allow");
    let computed = Does { certainty: Certainty::Unknown, doubt: "$ARGS", ..KNOWN };
    assert_eq!(judge(&policy, &computed).1, "commands.allow", "any argument is any argument");
}

#[test]
fn entries_that_are_none_are_faults() {
    for (entry, message) in [
        ("fetch x", "must begin with one of list, read, write"),
        ("read", "must be `read` and then a place or a path pattern"),
        ("run project_test", "must be `run` and then a kind of code and a pattern of its words"),
        ("network a.test both", "must be `network` and then a host"),
        ("infra docker", "must be `infra` and then a system, and an operation"),
        ("vcs", "must be `vcs` and then an operation"),
        ("unknown npm *", "what is not known is never allowed"),
    ] {
        let faults = check_document(&json!({ "effects": { "allow": ["vcs read", entry] } }));
        assert_eq!(faults.len(), 1, "{entry}");
        assert_eq!(faults[0].path, "effects.allow.1");
        assert!(faults[0].message.starts_with(message), "{entry}: {}", faults[0].message);
    }
    let faults = check_document(&json!({ "effects": { "alow": [] } }));
    assert_eq!(faults[0].path, "effects.alow");
}

/// What is lacking is named, the narrowest first; with it, the policy allows.
#[test]
fn what_a_policy_lacks_would_let_the_command_run() {
    for (does, entries) in [
        (file(FileUse::Reads, "a.txt", ""), vec!["read a.txt", "read repository"]),
        (file(FileUse::Writes, "docs/a", ""), vec!["write docs/a", "write repository"]),
        (file(FileUse::Deletes, "a.txt", ""), vec!["delete a.txt"]),
        (at(FileUse::Writes, "/tmp/a", "", Place::Temporary), vec!["write /tmp/a", "write temporary"]),
        (at(FileUse::Writes, "/srv/a", "", Place::Elsewhere), vec!["write /srv/a"]),
        (host("example.com", None, ""), vec!["network example.com read"]),
        (host("example.com", None, "w"), vec!["network example.com"]),
        (run("project_task", "lint"), vec!["run project_task lint*", "run project_task *"]),
        (system("git", "commit", "", ""), vec!["vcs commit", "vcs change"]),
        (system("kubectl", "get", "", "r"), vec!["infra kubectl get", "infra kubectl read"]),
        (system("git", "clean", "", "l"), vec!["vcs clean"]),
    ] {
        let bare = json!({"commands": {"allow": ["z"]}});
        let lacks = lacking(&Policy::compile(&bare).unwrap(), &does).unwrap();
        assert_eq!(
            lacks,
            Lacking { entries: vec![entries.iter().map(|entry| (*entry).to_owned()).collect()], unknown: vec![] }
        );
        for entry in entries {
            let policy = Policy::compile(&json!({"effects": {"allow": [entry]}})).unwrap();
            assert_eq!(
                (judge(&policy, &does).0, lacking(&policy, &does)),
                (Outcome::Allow, Some(Lacking::default())),
                "{entry}"
            );
        }
    }
}

/// Agents choose names, and an entry with `*` in it covers more than what was asked for.
#[test]
fn a_name_that_an_entry_would_read_as_a_pattern_is_not_proposed() {
    let bare = Policy::compile(&json!({"commands": {"allow": ["z"]}})).unwrap();
    for does in [
        file(FileUse::Writes, "docs/*", ""),
        host("*.com", None, ""),
        run("script", "scripts/*"),
        system("kubectl", "*", "", ""),
    ] {
        assert_eq!(lacking(&bare, &does), None, "{:?}", judge(&bare, &does));
    }
    let glob = lacking(&bare, &file(FileUse::Reads, "docs/*.md", "glob")).unwrap();
    assert_eq!(glob.entries, [["read docs/*.md", "read repository"]], "a pattern is what was asked for");
}

#[test]
fn nothing_is_lacking_where_a_rule_or_nobody_would_let_it() {
    let policy = policy();
    for does in [
        file(FileUse::Reads, ".env", ""),
        file(FileUse::Writes, "iam/a", ""),
        at(FileUse::Reads, "/etc/passwd", "", Place::System),
        file(FileUse::Deletes, "/", ""),
        run("script", "deploy.sh"),
        run("inline", "python"),
        run("package", "x"),
        host("?", None, ""),
        system("git", "push", "main", ""),
        system("terraform", "apply", "", ""),
        Does { environment: vec!["*"], ..KNOWN },
        at(FileUse::Reads, "a", "", Place::Unknown),
    ] {
        assert_eq!(lacking(&policy, &does), None, "{:?}", judge(&policy, &does));
    }
    let unknown = Does { certainty: Certainty::Unknown, ..KNOWN };
    assert_eq!(lacking(&policy, &unknown).unwrap().unknown, [0]);
    assert_eq!(lacking(&policy, &file(FileUse::Reads, "a", "")), Some(Lacking::default()));
}
