//! `policy.schema.json` applied to a document, with messages for its author.

use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError, Validator};
use serde_json::Value;

use crate::programs;
use crate::vocabulary::{POLICY_SCHEMA, keys, nearest};

/// None if the schema does not compile, which a test rules out; then every document is invalid.
static VALIDATOR: LazyLock<Option<Validator>> = LazyLock::new(|| {
    jsonschema::draft202012::options().build(&POLICY_SCHEMA).ok().filter(|_| POLICY_SCHEMA.is_object())
});

/// What `metadata` has to say of a pack for readers. It says nothing about actions, and lists show what is missing as null
/// (docs/reference/decisions-and-policy.md, section 10): a pack decides whatever it is. It is not published with a fault there.
const FOR_READERS: [&str; 4] = ["id", "title", "description", "version"];

/// Something wrong with a document.
struct Fault {
    path: String,
    message: String,
    /// It is in a text for readers, or it is metadata that is null, which is the same to a child as none (section 2.2).
    is_harmless: bool,
}

/// Every fault of a document as `<dotted path>: <message>`, the root shown as `<root>`, sorted by path. None means that
/// the document is a valid policy, to be published: its rows of programs do what their own tests say, too.
#[must_use]
pub fn validate(document: &Value) -> Vec<String> {
    let faults = faults(document);
    if !faults.is_empty() {
        return lines(faults);
    }
    let failing = programs::failing_cases(document).into_iter();
    failing.map(|(path, message)| format!("{path}: {message}")).collect()
}

/// The faults of a document that keep it from deciding, as [`validate`] shows them: all but those of texts for readers
/// and of rows' own tests. The one answer for lists and evaluation.
pub(crate) fn check(document: &Value) -> Vec<String> {
    lines(faults(document).into_iter().filter(|fault| !fault.is_harmless).collect())
}

fn lines(faults: Vec<Fault>) -> Vec<String> {
    faults.into_iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect()
}

/// Sorted by path.
fn faults(document: &Value) -> Vec<Fault> {
    let Some(validator) = VALIDATOR.as_ref() else {
        let message = "the schema of policies is broken".to_owned();
        return vec![Fault { path: "<root>".to_owned(), message, is_harmless: false }];
    };
    let mut faults: Vec<Fault> = validator
        .iter_errors(document)
        .map(|error| Fault {
            path: dotted(error.instance_path().as_str()),
            message: message(&error),
            is_harmless: is_harmless(&error),
        })
        .collect();
    for diagnostic in cavra_rules::check_document(document) {
        // What the schema cannot say, such as a pattern of blanks.
        if !faults.iter().any(|fault| diagnostic.path.starts_with(fault.path.as_str()) || fault.path == "<root>") {
            let path = crate::error::shown(&diagnostic.path);
            faults.push(Fault { path, message: diagnostic.message, is_harmless: false });
        }
    }
    if let Err(found) = programs::read(document) {
        let new = found.into_iter().filter(|(path, _)| !faults.iter().any(|fault| path.starts_with(&fault.path)));
        faults.extend(new.map(|(path, message)| Fault { path, message, is_harmless: false }).collect::<Vec<_>>());
    }
    faults.sort_by(|left, right| (&left.path, &left.message).cmp(&(&right.path, &right.message)));
    faults
}

fn is_harmless(error: &ValidationError<'_>) -> bool {
    match (error.instance_path().as_str(), error.kind()) {
        ("/metadata", ValidationErrorKind::Required { property }) => {
            property.as_str().is_some_and(|property| FOR_READERS.contains(&property))
        }
        (path, _) => path
            .strip_prefix("/metadata/")
            .is_some_and(|member| error.instance().is_null() || FOR_READERS.contains(&member)),
    }
}

/// `/a/b~1c/0` as `a.b/c.0`.
fn dotted(pointer: &str) -> String {
    if pointer.is_empty() {
        return "<root>".to_owned();
    }
    let segments: Vec<String> =
        pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect();
    crate::error::shown(&segments.join("."))
}

fn message(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Required { property } => format!("`{}` is missing", property.as_str().unwrap_or_default()),
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => format!("must be {}", noun(*kind)),
        ValidationErrorKind::MinLength { .. } => "must not be empty".to_owned(),
        ValidationErrorKind::MinItems { .. } => "must not be an empty list".to_owned(),
        ValidationErrorKind::UniqueItems => "must not have the same entry twice".to_owned(),
        ValidationErrorKind::Pattern { .. } => {
            "must be `cavra-` and then lower-case letters, digits and hyphens".to_owned()
        }
        ValidationErrorKind::Enum { options } => format!("must be one of {}", choices(options)),
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let section = error.instance_path().as_str().trim_start_matches('/');
            let named: Vec<String> = unexpected.iter().map(|key| unexpected_key(section, key)).collect();
            format!("has no key {}", named.join(", "))
        }
        ValidationErrorKind::OneOfNotValid { .. } => {
            "must be a pack name, or a list of pack names without duplicates that is not empty".to_owned()
        }
        _ => crate::error::shown(&error.to_string()),
    }
}

/// A key that a closed section does not have, and the one that was probably meant.
fn unexpected_key(section: &str, key: &str) -> String {
    let shown = crate::error::shown(key);
    match nearest(key, keys(section)) {
        Some(meant) => format!("`{shown}` (did you mean `{meant}`?)"),
        None => format!("`{shown}`"),
    }
}

fn noun(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Array => "a list",
        JsonType::Boolean => "true or false",
        JsonType::Object => "a mapping",
        JsonType::String => "text; put numbers and dates in quotes",
        JsonType::Integer | JsonType::Number => "a number",
        JsonType::Null => "empty",
    }
}

fn choices(options: &Value) -> String {
    let names: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn valid() -> Value {
        json!({
            "metadata": {"id": "cavra-x", "title": "X", "description": "x", "version": "1", "owner": 5},
            "filesystem": {"block_read": ["a"]}, "commands": {"allow": []}, "effects": {"allow": ["vcs read"]},
            "git": {"require_pull_request": true, "other": 1}, "mcp": {"risk_scoring": {"s": "low"}, "more": []},
            "compliance": {"maps_to": ["c"], "x": 1}, "approvals": {"a": 1}, "evidence": {}, "custom": [1],
        })
    }

    #[test]
    fn the_schema_compiles_and_a_full_policy_passes() {
        assert!(VALIDATOR.is_some());
        assert_eq!(validate(&valid()), Vec::<String>::new());
    }

    #[test]
    fn inherits_is_a_name_or_names() {
        for good in [json!("p"), json!(["p"]), json!(["p", "q"])] {
            let mut document = valid();
            document["metadata"]["inherits"] = good;
            assert_eq!(validate(&document), Vec::<String>::new());
        }
        for bad in [json!(""), json!([]), json!(["p", "p"]), json!([1]), json!(null), json!({"p": 1})] {
            let mut document = valid();
            document["metadata"]["inherits"] = bad;
            assert!(validate(&document)[0].starts_with("metadata.inherits: must be a pack name"));
        }
    }

    #[test]
    fn faults_name_their_place() {
        for (pointer, value, expected) in [
            ("/metadata/id", json!("Cavra_X"), "metadata.id: must be `cavra-`"),
            ("/metadata/title", json!(""), "metadata.title: must not be empty"),
            ("/metadata/version", json!(1.0), "metadata.version: must be text"),
            ("/metadata/mode", json!("strict"), "metadata.mode: must be one of audit_only, enforce"),
            ("/filesystem", json!([]), "filesystem: must be a mapping"),
            ("/filesystem/block_read", json!("*.env"), "filesystem.block_read: must be a list"),
            ("/filesystem/block_read", json!(["a", "a"]), "filesystem.block_read: must not have the same entry twice"),
            ("/filesystem/block_read", json!(["a", ""]), "filesystem.block_read.1: must not be empty"),
            ("/filesystem/block_read", json!([" "]), "filesystem.block_read.0: must be a string that is not blank"),
            ("/filesystem/block_exec", json!([]), "filesystem: has no key `block_exec`"),
            ("/commands/block", json!(null), "commands.block: must be a list"),
            ("/filesystem/require_approval_read", json!("x"), "filesystem.require_approval_read: must be a list"),
            ("/effects/allow", json!("read repository"), "effects.allow: must be a list"),
            ("/effects/allow", json!(["read repository", "fly home"]), "effects.allow.1: must begin with one of list"),
            ("/effects/deny", json!([]), "effects: has no key `deny`"),
            ("/effects/programs", json!({}), "effects.programs: must be a list"),
            ("/effects/programs", json!(["notes"]), "effects.programs.0: must be a mapping"),
            ("/effects/programs", json!([{"program": "notes", "flag": "q"}]), "effects.programs.0: has no key `flag`"),
            (
                "/effects/programs",
                json!([{"program": "git"}]),
                "effects.programs.0: `git`: cavra describes `git` itself",
            ),
            (
                "/effects/programs",
                json!([{"program": "notes", "after": "x"}]),
                "effects.programs.0: unknown variant `x`",
            ),
            ("/git/trusted_settings", json!([1]), "git.trusted_settings.0: must be text"),
            ("/git/require_pull_request", json!("yes"), "git.require_pull_request: must be true or false"),
            ("/mcp/allowed_servers", json!([1]), "mcp.allowed_servers.0: must be text"),
            ("/mcp/risk_scoring/s", json!("huge"), "mcp.risk_scoring.s: must be one of low"),
            ("/compliance/maps_to", json!("c"), "compliance.maps_to: must be a list"),
            ("/evidence", json!([]), "evidence: must be a mapping"),
        ] {
            let mut document = valid();
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            let parent = document.pointer_mut(parent).unwrap();
            parent[key] = value;
            let faults = validate(&document);
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].starts_with(expected), "{} instead of {expected}", faults[0]);
        }
    }

    #[test]
    fn rows_that_fail_their_tests_decide_and_are_not_published() {
        let mut document = valid();
        let tests =
            json!([{"args": "a", "reads": ["a"], "known": true}, {"args": "-x", "unknown": true}, {"args": ""}]);
        document["effects"]["programs"] = json!([{"program": "notes", "operands": ["reads*"], "tests": tests}]);
        assert_eq!(validate(&document), Vec::<String>::new());
        document["effects"]["programs"][0]["operands"] = json!(["writes*"]);
        assert_eq!(check(&document), Vec::<String>::new());
        assert_eq!(validate(&document), ["effects.programs.0: `notes a`: reads []"]);
    }

    #[test]
    fn a_pack_decides_without_texts_for_readers_and_with_nothing_else_wrong() {
        for metadata in [
            json!({}),
            json!({"id": "cavra-x"}),
            json!({"id": "Evil", "title": "", "version": 1.0}),
            json!({"title": null, "version": null, "inherits": null}),
        ] {
            let document = json!({"metadata": metadata, "filesystem": {"block_read": ["a"]}});
            assert_eq!(check(&document), Vec::<String>::new());
            assert!(!validate(&document).is_empty(), "{document}");
        }
        for (metadata, place) in [
            (json!(null), "metadata: "),
            (json!([]), "metadata: "),
            (json!({"mode": "weird"}), "metadata.mode: "),
            (json!({"inherits": ["a", "a"]}), "metadata.inherits: "),
        ] {
            let document = json!({"metadata": metadata});
            let faults = check(&document);
            assert!(faults.len() == 1 && faults[0].starts_with(place), "{document}: {faults:?}");
        }
        assert_eq!(check(&json!({"filesystem": {"block_read": ["x"]}})), ["<root>: `metadata` is missing"]);
        let twice = json!({"metadata": {}, "commands": {"block": ["a", "a"]}});
        assert_eq!(check(&twice), ["commands.block: must not have the same entry twice"]);
    }

    #[test]
    fn the_root_and_missing_keys() {
        assert_eq!(validate(&json!([])), ["<root>: must be a mapping"]);
        assert_eq!(validate(&json!({})), ["<root>: `metadata` is missing"]);
        let faults = validate(&json!({"metadata": {"id": "cavra-x"}, "commands": {"deny": []}}));
        assert_eq!(
            faults,
            [
                "commands: has no key `deny`",
                "metadata: `description` is missing",
                "metadata: `title` is missing",
                "metadata: `version` is missing",
            ]
        );
    }
}
