//! From requests to actions: defaults, refusals, paths and git operations.

use cavra_model::{Action, ActionType};
use cavra_normalize::{
    ActionRequest, LONGEST_COMMAND, Refusal, clean_path, further_operations, git_operation, normalize,
};

fn request(action_type: ActionType, target: Option<&str>) -> ActionRequest {
    ActionRequest { target: target.map(str::to_owned), ..ActionRequest::of(action_type) }
}

#[test]
fn paths_are_cleaned() {
    let cases = [
        ("src/../.env", ".env"),
        ("./iam//x", "iam/x"),
        ("../../a/../b", "../../b"),
        ("a/..", "."),
        (".", "."),
        ("/..", "/"),
        ("/../../etc//passwd/", "/etc/passwd"),
        ("..\\secrets\\x", "../secrets/x"),
        ("a\\..\\.env", ".env"),
        ("a b/c", "a b/c"),
        ("...", "..."),
    ];
    for (path, clean) in cases {
        assert_eq!(clean_path(path).as_deref(), Ok(clean), "{path}");
    }
    assert_eq!(clean_path("a\0b"), Err(Refusal::PathControl));
    assert_eq!(clean_path("a\nb"), Err(Refusal::PathControl));
    assert_eq!(clean_path(""), Err(Refusal::EmptyPath));
}

#[test]
fn branches_are_derived() {
    let cases = [
        ("origin/main", "main", "origin/main"),
        ("origin main", "main", "main"),
        ("origin HEAD:main", "main", "main"),
        ("+main", "main", "main"),
        ("origin +HEAD:refs/heads/main", "main", "main"),
        ("refs/heads/master", "master", "master"),
        ("origin/domain", "domain", "origin/domain"),
        ("origin release/2031", "2031", "release/2031"),
        ("origin :main", "main", "main"),
        ("", "", ""),
    ];
    for (target, branch, path) in cases {
        let git = git_operation("push", target);
        assert_eq!((git.branch.as_str(), git.branch_path.as_str()), (branch, path), "{target}");
    }
}

#[test]
fn operations_are_recognised() {
    for name in [
        "push",
        "force_push",
        "force-push",
        "push --force",
        "Push",
        "force.push",
        "git/push",
        "git:push",
        "push,force",
        "push.",
        "pushForce",
        "forcePush",
        "GITPush",
        "FORCE_PUSH",
        "push2",
        "\u{a0}push",
    ] {
        assert!(git_operation(name, "x").is_push, "{name}");
    }
    for name in ["pushd", "pull", "fetch", "repush", "Pushing", "PUSHED"] {
        assert!(!git_operation(name, "x").is_push, "{name}");
    }
    for name in [
        "delete_branch",
        "branch_delete",
        "rename_branch",
        "remove-branch",
        "branch --delete",
        "deleteBranch",
        "branch.delete",
        "BranchDelete",
        "branch -D",
        "git branch -m",
    ] {
        assert!(git_operation(name, "x").removes_branch, "{name}");
    }
    for name in ["branch", "delete_tag", "rename", "create_branch"] {
        assert!(!git_operation(name, "x").removes_branch, "{name}");
    }
}

#[test]
fn every_branch_of_a_target_is_told() {
    for (operation, target, further) in [
        ("push", "origin/main", &[][..]),
        ("push", "", &[]),
        ("push", "--force", &[]),
        ("push", "origin main", &["origin"]),
        ("push", "origin main --force", &["origin", "main"]),
        ("push", "origin main dev", &["origin", "main"]),
        ("push", "origin HEAD:main +HEAD:refs/heads/dev x", &["origin", "main", "dev"]),
        ("push", "origin \"main\"", &["origin", "main"]),
        ("push", "origin ma'i'\\n,dev", &["origin", "main", "dev"]),
        ("push", "origin --all", &["origin", "main"]),
        ("push", "origin --mirr", &["origin", "main"]),
        ("push", ":", &["main"]),
        ("push", "origin refs/heads/*:refs/heads/*", &["origin", "main"]),
        ("push", "main:dev", &[]),
        ("push", "https://host/team/main dev", &[]),
        ("push", "git@host:team/main dev", &[]),
        ("delete_branch", "main dev", &["main"]),
        ("rename_branch", "main:foo", &["main"]),
        ("rename_branch", "main -> foo", &["main"]),
        ("rename_branch", "main->foo", &["main", "foo"]),
        ("rename_branch", "origin/main other", &["origin/main"]),
        ("fetch", "origin main dev", &[]),
    ] {
        let git = git_operation(operation, target);
        let found = further_operations(&git);
        let paths: Vec<&str> = found.iter().map(|git| git.branch_path.as_str()).collect();
        assert_eq!(paths, further, "{operation} {target}");
        for other in &found {
            assert_eq!((&other.operation, &other.target), (&git.operation, &git.target));
            assert_eq!((other.is_push, other.removes_branch), (git.is_push, git.removes_branch));
        }
    }
    let many: String = (0..10_000).map(|number| format!("branch-{number} ")).collect();
    let found = further_operations(&git_operation("push", &many));
    assert_eq!(found.iter().map(|git| git.branch.as_str()).collect::<Vec<_>>(), ["main"]);
}

#[test]
fn what_is_missing_gets_the_defaults_of_the_contract() {
    for operation in [None, Some(String::new()), Some(" \t ".to_owned())] {
        let request = ActionRequest { operation, ..request(ActionType::GitOperation, None) };
        let Ok(Action::GitOperation(git)) = normalize(request) else { panic!() };
        assert_eq!((git.operation.as_str(), git.target.as_str(), git.is_push), ("push", "", true));
    }
    let empty = Some(String::new());
    let call = ActionRequest {
        server: empty.clone(),
        capability: empty.clone(),
        arguments: empty,
        ..request(ActionType::McpToolCall, None)
    };
    let Ok(Action::McpToolCall(call)) = normalize(call) else { panic!() };
    assert_eq!((call.server.as_str(), call.tool.as_str()), ("unknown", "unknown"));
    assert_eq!((call.capability, call.arguments), (None, None));
}

#[test]
fn a_target_is_required_for_files_and_commands() {
    for kind in [ActionType::ReadFile, ActionType::WriteFile, ActionType::ExecuteCommand] {
        for target in [None, Some(""), Some(" \t\n")] {
            assert_eq!(normalize(request(kind, target)), Err(Refusal::MissingTarget(kind)));
        }
    }
    let refused = normalize(request(ActionType::ExecuteCommand, Some("ls\0")));
    assert_eq!(refused, Err(Refusal::CommandNul));
    let longest = "x".repeat(LONGEST_COMMAND);
    assert!(normalize(request(ActionType::ExecuteCommand, Some(&longest))).is_ok());
    let refused = normalize(request(ActionType::ExecuteCommand, Some(&format!("{longest}x"))));
    assert_eq!(refused, Err(Refusal::CommandLength));
}

#[test]
fn the_text_of_a_command_is_trimmed_and_collapsed() {
    let Ok(Action::ExecuteCommand(line)) =
        normalize(request(ActionType::ExecuteCommand, Some("  terraform \t  apply\n\n ls ")))
    else {
        panic!()
    };
    assert_eq!(line.text, "terraform apply\n\n ls");
}

#[test]
fn content_is_kept_for_writes_only() {
    let with_content = |kind| {
        let request = ActionRequest { content: Some("x".to_owned()), ..request(kind, Some("./a")) };
        normalize(request).unwrap()
    };
    let Action::WriteFile(write) = with_content(ActionType::WriteFile) else { panic!() };
    assert_eq!((write.path.as_str(), write.content.as_deref()), ("a", Some("x")));
    let Action::ReadFile(read) = with_content(ActionType::ReadFile) else { panic!() };
    assert_eq!(read.content, None);
}
