//! Every row of `commands/` is run through its own tests; rows of policies are held to the same, and to what is theirs.
#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::fs;

use cavra_normalize::{Programs, Surroundings, check_cases, split_command, split_command_in};
use serde_json::{Value, json};

fn rows() -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/commands");
    let mut rows = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        rows.extend(serde_norway::from_str::<Vec<Value>>(&text).unwrap());
    }
    rows
}

#[test]
fn every_row_does_what_its_tests_say() {
    let rows = rows();
    assert!(rows.len() > 100);
    let failures: Vec<String> = rows.iter().flat_map(|row| check_cases(row, Programs::built_in())).collect();
    assert!(failures.is_empty(), "{} tests of rows fail:\n{}", failures.len(), failures.join("\n"));
}

/// A tool of a team, as a policy describes it.
fn notes() -> Value {
    json!({
        "programs": ["notes", "python -m notes"], "flags": "q", "options": {"o --output": "writes"},
        "subcommands": {
            "find": {"operands": ["value", "reads*"]},
            "publish": {"does": ["network notes.example write", "change notes publish"]},
        },
        "tests": [
            {"args": "find x a.txt", "reads": ["a.txt"], "known": true},
            {"args": "publish", "network": ["notes.example:write"], "changes": ["notes publish"], "known": true},
            {"args": "--server x", "unknown": true},
        ],
    })
}

fn with(row: &Value) -> Result<Programs, String> {
    Programs::with(&json!([row])).map_err(|faults| faults.into_iter().map(|(_, problem)| problem).collect())
}

#[test]
fn a_row_of_a_policy_describes_a_tool_that_the_table_does_not_know() {
    let programs = with(&notes()).unwrap();
    assert_eq!(check_cases(&notes(), &programs), Vec::<String>::new());
    let surroundings = Surroundings { programs: &programs, ..Surroundings::unknown() };
    for command in ["notes find x a.txt", "cd docs && notes find x ../a.txt", "/usr/bin/notes find x a.txt"] {
        assert!(!split_command(command).effects.is_known(), "{command}");
        let effects = split_command_in(command, &surroundings).effects;
        assert!(effects.is_known() && effects.files.iter().any(|file| file.path == "a.txt"), "{command}: {effects:?}");
        assert_eq!(effects.table, programs.digest());
    }
    for command in ["python -m notes find x a.txt", "notes find x a.txt | wc -l"] {
        assert!(split_command_in(command, &surroundings).effects.is_known(), "{command}");
    }
    for command in ["npx notes find x", "notes -o", "notes sync", "notes find x $(y)", "notes --server x find y"] {
        assert!(!split_command_in(command, &surroundings).effects.is_known(), "{command}");
    }
    // What lies in the repository may be anything of that name.
    for command in ["./notes find x a.txt", "bin/notes find x a.txt", "node_modules/.bin/notes find x a.txt"] {
        let effects = split_command_in(command, &surroundings).effects;
        assert!(
            effects.runs.iter().any(|run| run.kind == "script") && effects.files.is_empty(),
            "{command}: {effects:?}"
        );
    }
}

#[test]
fn a_module_of_python_is_code_of_the_project_and_works_where_its_options_say() {
    let mut row = notes();
    row["options"]["C"] = json!("directory");
    let programs = with(&row).unwrap();
    let surroundings = Surroundings { programs: &programs, ..Surroundings::unknown() };
    for (command, is_code) in [("notes -C docs find x a.txt", false), ("python -m notes -C docs find x a.txt", true)] {
        let effects = split_command_in(command, &surroundings).effects;
        assert!(effects.is_known(), "{command}: {effects:?}");
        assert!(effects.files.iter().any(|file| file.path == "docs/a.txt"), "{command}: {effects:?}");
        assert_eq!(effects.runs.iter().any(|run| run.kind == "project_script"), is_code, "{command}: {effects:?}");
    }
}

#[test]
fn the_digest_is_that_of_all_rows() {
    let built_in = split_command("ls").effects.table.clone();
    assert_eq!(Programs::with(&json!([])).unwrap().digest(), built_in);
    let mut other = notes();
    other["flags"] = json!("qv");
    let digests = [&notes(), &other].map(|row| with(row).unwrap().digest().to_owned());
    assert!(digests[0] != digests[1] && digests.iter().all(|digest| *digest != built_in), "{digests:?}");
}

/// Nothing that cavra describes gets another meaning by a policy, whatever it is called.
#[test]
fn no_row_of_a_policy_is_about_what_the_table_knows() {
    let built_in = rows();
    let of = |row: &Value| -> Vec<String> {
        let names = row["programs"].as_array().into_iter().flatten().chain([&row["program"]]);
        names.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let also =
        ["eval", "sudo", "xargs", "ssh", "fish", "if", "builtin", "exec", "kubectl", "complete", "doas", "busybox"];
    let names: Vec<String> = built_in.iter().flat_map(of).chain(also.map(str::to_owned)).collect();
    for name in names {
        for name in [name.clone(), name.to_ascii_uppercase(), format!("{name}3"), format!("{name}-3.11")] {
            let mut row = notes();
            row["programs"] = json!([name]);
            assert!(with(&row).is_err(), "{name}");
        }
    }
}

#[test]
fn what_means_nothing_in_a_row_is_refused() {
    for (pointer, value, expected) in [
        ("/programs", json!([]), "has no `program`"),
        ("/programs", json!(["a/b"]), "is no name of a program"),
        ("/programs", json!(["-x"]), "is no name of a program"),
        ("/programs", json!(["a b"]), "is no name of a program"),
        ("/programs", json!(["python -m "]), "is no name of a program"),
        ("/programs", json!(["a\nb"]), "is no name of a program"),
        ("/programs", json!(["notes", "notes"]), "`notes` has two rows"),
        ("/flags", json!(5), "invalid type"),
        ("/flag", json!("q"), "unknown field `flag`"),
        ("/flags", json!("qq"), "`q` is there twice"),
        ("/options/o --output", json!("write"), "unknown variant `write`, expected one of `value`, "),
        ("/options/o --output", json!(["value"; 17].join(",")), "takes more than 16 values"),
        ("/options/o --output", json!("destination"), "`destination` is a role of operands alone"),
        ("/subcommands/find/operands", json!(["command"]), "`command` is a role of cavra's own rows"),
        ("/subcommands/find/operands", json!(["pathspec*"]), "`pathspec` is a role of cavra's own rows"),
        ("/subcommands/find/operands", json!(["directory"]), "`directory` is a role of values of options alone"),
        ("/after", json!("directory"), "`directory` is a role of values of options alone"),
        ("/subcommands/find/does", json!(["run projct_test x"]), "`projct_test` is no kind of code"),
        ("/subcommands/find/does", json!(["runs script x"]), "unknown variant `runs`"),
        ("/subcommands/find/analyser", json!("sed"), "`analyser` names code of cavra"),
        ("/after", json!("command"), "`command` is a role of cavra's own rows"),
        // What is written there would be passed over, and its author would not know.
        ("/when", json!([{"given": "--output", "operands": ["writes"]}]), "`--output`, which is the key of no option"),
        ("/subcommands/find/when", json!([{"without": "q w"}]), "`w`, which is the key of no option"),
        ("/subcommands/find/tests", json!([]), "stand in the row of the program"),
        ("/subcommands/find/program", json!("find"), "stand in the row of the program"),
    ] {
        let mut row = notes();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        row.pointer_mut(parent).unwrap()[key] = value;
        let problem = with(&row).expect_err(pointer);
        assert!(problem.contains(expected), "{pointer}: {problem}");
    }
    let nested = (0..40).fold(json!({}), |inner, _| json!({"subcommands": {"x": inner}}));
    let mut row = notes();
    row["subcommands"] = json!({"x": nested});
    assert!(with(&row).unwrap_err().contains("levels"));
}

#[test]
fn rows_of_a_policy_are_bounded() {
    let many = |count: usize| {
        let row = |index: usize| json!({"program": format!("notes_{index}_x")});
        Programs::with(&Value::Array((0..count).map(row).collect()))
    };
    assert!(many(256).is_ok() && many(257).is_err());
    let mut row = notes();
    row["notes"] = json!("x".repeat(256 * 1024));
    assert!(with(&row).unwrap_err().contains("larger than 262144 bytes"));
}

#[test]
fn tests_of_a_row_can_fail() {
    let failing = |case: Value| {
        let mut row = notes();
        row["tests"].as_array_mut().unwrap().push(case);
        check_cases(&row, &with(&notes()).unwrap())
    };
    for (case, expected) in [
        (json!({"args": "find x a", "known": true}), "reads [a]"),
        (json!({"args": "find x a", "reads": ["b"]}), "reads [a]"),
        (json!({"args": "find x", "unknown": true}), "is known"),
        (json!({"args": "sync", "known": true}), "is not known: `sync`: this subcommand is not described"),
        (json!({"args": "publish", "network": []}), "network [notes.example:write]"),
        (json!({"args": "publish", "changes": ["notes sync"]}), "changes [notes publish]"),
        (json!({"argv": "publish"}), "unknown field `argv`"),
    ] {
        let problems = failing(case.clone());
        assert!(problems.len() == 1 && problems[0].contains(expected), "{case}: {problems:?}");
    }
    let bare = json!({"program": "notes", "tests": []});
    assert_eq!(check_cases(&bare, &with(&notes()).unwrap()).len(), 2);
}
