//! The tables in `tests/cases`: command text, and what it is split into.
//!
//! `parts` are the canonical spellings of the parts that decide; `implied` are beginnings that stricter rules have to
//! see in addition. What a row does not name has to be empty.

use cavra_model::CommandLine;
use cavra_normalize::split_command;
use serde_json::Value;

const TABLES: [(&str, &str); 8] = [
    ("plain", include_str!("cases/plain.json")),
    ("quoting", include_str!("cases/quoting.json")),
    ("nesting", include_str!("cases/nesting.json")),
    ("wrappers", include_str!("cases/wrappers.json")),
    ("scripts", include_str!("cases/scripts.json")),
    ("unresolved", include_str!("cases/unresolved.json")),
    ("redirects", include_str!("cases/redirects.json")),
    ("git", include_str!("cases/git.json")),
];

/// White space that bash takes for an ordinary character of a word.
const OTHER_BLANKS: [char; 9] =
    ['\u{b}', '\u{c}', '\r', '\u{85}', '\u{a0}', '\u{2003}', '\u{2028}', '\u{2029}', '\u{3000}'];

fn texts(row: &Value, key: &str) -> Vec<String> {
    let list = row.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn check(row: &Value, line: &CommandLine) -> Result<(), String> {
    let parts: Vec<String> =
        line.parts.iter().filter(|part| !part.implied).filter_map(|part| part.spellings.last().cloned()).collect();
    let git: Vec<String> = line.git.iter().map(|git| format!("{} {}", git.operation, git.branch)).collect();
    let found = [("parts", parts), ("reads", line.reads.clone()), ("writes", line.writes.clone()), ("git", git)];
    for (key, value) in found {
        if value != texts(row, key) {
            return Err(format!("{key}: {value:?}"));
        }
    }
    if line.unresolved.as_deref() != row.get("unresolved").and_then(Value::as_str) {
        return Err(format!("unresolved: {:?}", line.unresolved));
    }
    for wanted in texts(row, "implied") {
        if !line.parts.iter().any(|part| part.implied && part.dequoted.starts_with(&wanted)) {
            return Err(format!("implied {wanted:?} is missing"));
        }
    }
    Ok(())
}

#[test]
fn every_row_is_split_as_written() {
    let mut rows = 0;
    let mut failures = Vec::new();
    for (table, json) in TABLES {
        let table_rows: Vec<Value> = serde_json::from_str(json).unwrap();
        for row in table_rows {
            let text = row["text"].as_str().unwrap();
            rows += 1;
            if let Err(problem) = check(&row, &split_command(text)) {
                failures.push(format!("{table}: {text:?}: {problem}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(rows > 200, "only {rows} rows were found");
}

#[test]
fn spellings_keep_what_an_allow_rule_may_not_overlook() {
    let spellings = |text: &str| split_command(text).parts.first().unwrap().spellings.clone();
    assert_eq!(spellings("FOO=1 pytest"), ["FOO=1 pytest"]);
    assert_eq!(spellings("CI=1 pytest"), ["CI=1 pytest", "pytest"]);
    assert_eq!(spellings("\"terraform plan\""), ["\"terraform plan\"", "'terraform plan'"]);
    assert_eq!(spellings("timeout 5 pytest"), ["timeout 5 pytest", "pytest"]);
    assert_eq!(spellings("pytest   > log"), ["pytest > log", "pytest"]);
    assert_eq!(spellings("cat <<'E'\nx\nE"), ["cat <<'E'", "cat"]);
    for blank in OTHER_BLANKS {
        let text = format!("./gradlew{blank}test");
        assert_eq!(spellings(&text), [text.clone(), format!("'{text}'")]);
        assert_eq!(spellings(&format!("pytest{blank}")).first().unwrap(), &format!("pytest{blank}"));
        assert_eq!(
            spellings(&format!(" \t pytest \t -q{blank} > a")).first().unwrap(),
            &format!("pytest -q{blank} > a")
        );
    }
}

#[test]
fn stricter_rules_see_the_bare_command() {
    let dequoted = |text: &str| split_command(text).parts.first().unwrap().dequoted.clone();
    assert_eq!(dequoted("FOO=1 'terraform' \"apply\""), "terraform apply");
    assert_eq!(dequoted("/usr/bin/terraform apply"), "terraform apply");
    assert_eq!(dequoted("terraform \"\" apply"), "terraform apply");
    for blank in OTHER_BLANKS {
        assert_eq!(dequoted(&format!("terraform{blank}apply")), "terraform apply", "{blank:?}");
    }
    let line = split_command("terraform $EMPTY apply");
    assert!(line.parts.iter().any(|part| part.implied && part.dequoted == "terraform apply"));
}

#[test]
fn an_inner_script_replaces_the_shell_unless_variables_are_set() {
    let shell_is_implied = |text: &str| split_command(text).parts.first().unwrap().implied;
    assert!(shell_is_implied("bash -c pytest"));
    assert!(shell_is_implied("eval pytest"));
    assert!(!shell_is_implied("BASH_ENV=x bash -c pytest"));
}

/// `?` stands for the mark of what is computed.
#[test]
fn what_is_computed_is_marked_for_stricter_rules() {
    for (text, wanted) in [
        ("kubectl ${x:-delete} ns prod", "kubectl ? ns prod"),
        ("kubectl ${x:-del}ete ns prod", "kubectl ?ete ns prod"),
        ("kubectl \"${x:=delete}\" ns", "kubectl ? ns"),
        ("/usr/bin/kubectl \"$@\"", "kubectl ?"),
        ("for v in delete; do kubectl $v ns; done", "kubectl ? ns"),
        ("kubectl de\\!e?e p'od'", "kubectl de!e?e pod"),
        ("kubectl de[l'm']ete pod", "kubectl de?ete pod"),
        ("kubectl $(echo delete) pod", "kubectl ? pod"),
        ("timeout 5 kubectl *", "kubectl ?"),
        ("echo delete | xargs kubectl", "kubectl ?"),
        ("xargs -I{} kubectl {} pod", "kubectl ? pod"),
        ("xargs -I % kubectl 'a%b' pod", "kubectl a?b pod"),
        ("xargs --replace kubectl {} pod", "kubectl ? pod"),
        ("xargs -0 --replace=@ kubectl @ pod", "kubectl ? pod"),
        ("find . -exec kubectl {} pod \\;", "kubectl ? pod"),
        ("parallel kubectl {} pod ::: delete", "kubectl ? pod ?"),
        ("parallel kubectl ::: delete", "kubectl ?"),
    ] {
        let line = split_command(text);
        let marked = |spelling: &String| spelling.replace(cavra_model::COMPUTED, "?") == wanted;
        let found = line.parts.iter().any(|part| part.implied && part.spellings.iter().any(marked));
        assert!(found, "{text}: {:?}", line.parts);
    }
    for text in ["kubectl get pods", "echo 'a*' \"b?\" \\$x '{}'", "find . -exec ls \\;", "echo [x"] {
        let line = split_command(text);
        let marked = |part: &cavra_model::CommandPart| part.spellings.concat().contains(cavra_model::COMPUTED);
        assert!(!line.parts.iter().any(marked), "{text}: {:?}", line.parts);
    }
}
