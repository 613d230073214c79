//! A policy as an author submits it: from the payload to the document, its faults, and how risky it is to publish.
//! docs/reference/approvals-identity-authoring.md, sections 4.1 and 4.2. Pure.

use cavra_model::{Digest, Object, Severity};
use serde_json::{Value, json};

use crate::diff::Diff;
use crate::ignored::unknown_key;
use crate::vocabulary::{METADATA, NOTE_PREFIX, keys, nearest, sections};
use crate::{ignored, validate};

/// Members of a request that are not the draft's.
const ENVELOPE: [&str; 11] = [
    "draft",
    "approval_id",
    "signer",
    "actor",
    "actor_claims",
    "actor_token",
    "requested_by",
    "approver_group",
    "repository",
    "ttl_hours",
    "backtest",
];
/// Sections in which an addition or change is of high risk.
const GOVERNING: [&str; 5] = ["approvals", "git", "mcp", "evidence", "compliance"];

/// A submitted policy. It may have faults.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The policy document.
    pub policy: Value,
    /// What is wrong with it, as `<dotted path>: <message>`, by path; none means that it may be published.
    pub errors: Vec<String>,
    /// What it says in vain, as [`ignored`] tells it.
    pub warnings: Vec<String>,
    /// The version it was given because it names none.
    pub assumed_version: Option<String>,
    id: String,
}

impl Draft {
    /// Reads a payload; members may stand at the top or in `metadata`, which counts first. One without a version has
    /// `version`.
    ///
    /// # Errors
    /// A sentence saying which text is missing.
    pub fn read(payload: &Object, version: &str) -> Result<Self, String> {
        let inner = payload.get("metadata").and_then(Value::as_object);
        let given = |name: &str| {
            let places = inner.into_iter().chain(std::iter::once(payload));
            places.filter_map(|object| object.get(name)).find(|value| is_given(value)).cloned()
        };
        let needed =
            |name: &str| given(name).as_ref().and_then(stringified).ok_or_else(|| format!("a draft needs {name}"));
        let id = needed("id")?;
        let named = given("version").as_ref().and_then(stringified);
        let assumed_version = named.is_none().then(|| version.to_owned());
        let version = named.unwrap_or_else(|| version.to_owned());
        let mut metadata =
            json!({ "id": id, "title": needed("title")?, "description": needed("description")?, "version": version });
        for name in ["inherits", "mode"] {
            if let (Some(value), Value::Object(metadata)) =
                (given(name).filter(|value| *value != json!([])), &mut metadata)
            {
                metadata.insert(name.to_owned(), value);
            }
        }
        let notes = |object: &Object| object.clone().into_iter().filter(|(key, _)| key.starts_with(NOTE_PREFIX));
        if let (Value::Object(metadata), Some(inner)) = (&mut metadata, inner) {
            metadata.extend(notes(inner));
        }
        let mut policy = Object::from_iter([(METADATA.to_owned(), metadata)]);
        policy.extend(notes(payload));
        let mut faults = Vec::new();
        for section in sections().filter(|section| *section != METADATA) {
            match payload.get(section) {
                None | Some(Value::Null) => {}
                Some(Value::Object(members)) => {
                    policy.insert(section.to_owned(), Value::Object(members.clone()));
                }
                Some(_) => faults.push(format!("{section}: must be a mapping")),
            }
        }
        faults.extend(unknown(payload));
        faults.extend(inner.into_iter().flat_map(unknown_metadata));
        if payload.get("metadata").is_some_and(|value| !value.is_object() && !value.is_null()) {
            faults.push("metadata: must be a mapping".to_owned());
        }
        let policy = Value::Object(policy);
        let mut errors = validate(&policy);
        errors.extend(faults);
        errors.sort();
        Ok(Self { warnings: ignored(&policy), policy, errors, assumed_version, id })
    }

    /// The id it says it has. It may be unsafe until [`Draft::errors`] is empty.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Digest of the policy's canonical JSON: of its content, not of the bytes of a file.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_json(&self.policy)
    }
}

/// How much can go wrong by publishing a policy; `None` is a new one.
#[must_use]
pub fn publish_risk(change: Option<&Diff>) -> Severity {
    let Some(change) = change else { return Severity::High };
    let governs = |path: &String| GOVERNING.iter().any(|section| path.split('.').next() == Some(*section));
    if !change.removed.is_empty() {
        Severity::Critical
    } else if change.added.iter().chain(&change.changed).any(governs) {
        Severity::High
    } else if change.is_empty() {
        Severity::Low
    } else {
        Severity::Medium
    }
}

/// Members that nobody asked about: what is dropped silently might have been a rule.
fn unknown(payload: &Object) -> impl Iterator<Item = String> {
    let known = |key: &str| {
        ENVELOPE.contains(&key)
            || key.starts_with(NOTE_PREFIX)
            || sections().chain(keys(METADATA)).any(|name| name == key)
    };
    payload.keys().filter(move |key| !known(key)).map(|key| {
        let hint = nearest(key, sections().chain(keys(METADATA)));
        let hint = hint.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
        format!("{}: is not part of a policy{hint}", crate::error::shown(key))
    })
}

/// The same of members in `metadata`.
fn unknown_metadata(inner: &Object) -> impl Iterator<Item = String> {
    let known = |key: &str| key.starts_with(NOTE_PREFIX) || keys(METADATA).any(|name| name == key);
    inner.keys().filter(move |key| !known(key)).map(|key| {
        format!("{METADATA}.{}: is not part of a policy; {}", crate::error::shown(key), unknown_key(METADATA, key))
    })
}

/// Null and blank texts are "not given".
fn is_given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        _ => true,
    }
}

/// The text of a scalar; lists and mappings are no texts.
fn stringified(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: Value) -> Result<Draft, String> {
        Draft::read(&serde_json::from_value(payload).unwrap(), "2031.02.03")
    }

    fn fine() -> Value {
        json!({"id": "cavra-x", "title": "X", "description": "x", "filesystem": {"block_read": ["a"]}})
    }

    #[test]
    fn members_at_the_top_and_in_metadata() {
        let draft = read(fine()).unwrap();
        let metadata = json!({"id": "cavra-x", "title": "X", "description": "x", "version": "2031.02.03"});
        assert_eq!(draft.policy, json!({"metadata": metadata, "filesystem": {"block_read": ["a"]}}));
        assert_eq!((draft.errors.len(), draft.id()), (0, "cavra-x"));
        assert_eq!(draft.assumed_version.as_deref(), Some("2031.02.03"));
        let nested = json!({
            "id": "other", "metadata": {"id": "cavra-x", "title": 5, "description": true, "version": 1.5, "mode": "enforce",
            "inherits": []}, "git": null, "approval_id": "apr_1", "actor_token": "hush",
        });
        let draft = read(nested).unwrap();
        let metadata =
            json!({"id": "cavra-x", "title": "5", "description": "true", "version": "1.5", "mode": "enforce"});
        assert_eq!(draft.policy, json!({"metadata": metadata}));
        assert_eq!((draft.errors, draft.assumed_version), (vec![], None));
    }

    #[test]
    fn what_is_missing_is_named() {
        for member in ["id", "title", "description"] {
            for value in [Value::Null, json!("  "), json!([]), json!({})] {
                let mut draft = fine();
                draft[member] = value;
                assert_eq!(read(draft).unwrap_err(), format!("a draft needs {member}"));
            }
        }
    }

    #[test]
    fn nothing_vanishes_from_a_policy() {
        let mut draft = fine();
        draft["commands"] = json!(["rm"]);
        draft["file_system"] = json!({"block_read": ["b"]});
        draft["metadata"] = json!({"owner": "me"});
        let draft = read(draft).unwrap();
        assert_eq!(
            draft.errors,
            [
                "commands: must be a mapping",
                "file_system: is not part of a policy; did you mean `filesystem`?",
                "metadata.owner: is not part of a policy; no engine reads this key; a note of your own can be called `x-…`"
            ]
        );
    }

    #[test]
    fn notes_stay_and_what_is_said_in_vain_is_told() {
        let mut draft = fine();
        draft["x-owner"] = json!("me");
        draft["metadata"] = json!({"x-ticket": 5});
        draft["git"] = json!({"block_push_branch": ["a"]});
        let draft = read(draft).unwrap();
        assert_eq!((&draft.policy["x-owner"], &draft.policy["metadata"]["x-ticket"]), (&json!("me"), &json!(5)));
        assert!(draft.errors.is_empty() && draft.warnings.len() == 1, "{:?} {:?}", draft.errors, draft.warnings);
        assert!(draft.warnings[0].contains("`block_push_branches`"), "{:?}", draft.warnings);
    }

    #[test]
    fn the_digest_is_of_the_content() {
        let text = r#"{"filesystem":{"block_read":["a"]},"metadata":{"description":"x","id":"cavra-x","title":"X","version":"2031.02.03"}}"#;
        assert_eq!(read(fine()).unwrap().digest(), Digest::of(text));
    }

    #[test]
    fn risk_follows_the_table() {
        let list = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        let diff = |added: &[&str], removed: &[&str], changed: &[&str]| Diff {
            added: list(added),
            removed: list(removed),
            changed: list(changed),
        };
        assert_eq!(publish_risk(None), Severity::High);
        for (change, risk) in [
            (diff(&["git.x"], &["commands.allow"], &[]), Severity::Critical),
            (diff(&["approvals.x"], &[], &[]), Severity::High),
            (diff(&[], &[], &["compliance.maps_to"]), Severity::High),
            (diff(&[], &[], &["gitlab.x", "commands.allow"]), Severity::Medium),
            (diff(&["filesystem.block_read"], &[], &[]), Severity::Medium),
            (diff(&[], &[], &[]), Severity::Low),
        ] {
            assert_eq!(publish_risk(Some(&change)), risk, "{change:?}");
        }
    }
}
