//! A stored decision as the input of another: the action and facts it was made from.

use cavra_model::{Action, ActionType, Effects, Facts, McpRegistry, Object, Outcome, UNVERIFIED_PACK};
use cavra_normalize::ActionRequest;
use serde_json::Value;
use thiserror::Error;

/// Why a stored decision cannot be made again.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NotRepeatable {
    /// Its kind of action is decided by nobody, such as a pull request.
    #[error("no policy decides this kind of action")]
    Kind,
    /// The record does not say enough, because another product or version wrote it.
    #[error("the record does not hold the whole input")]
    Incomplete,
    /// The pack did not verify, so nothing of it was asked.
    #[error("the pack's signature did not fit, so it was not asked")]
    Unverified,
    /// A secret was cut out of the input before it was stored.
    #[error("a secret was removed from the input before it was stored")]
    Redacted,
}

/// What a stored decision was made from, and what came out.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The normalised action. Contents and tool arguments are not kept.
    pub action: Action,
    /// The circumstances.
    pub facts: Facts,
    /// What was decided, before any approval.
    pub outcome: Outcome,
    /// The rule that decided.
    pub rule_id: String,
    /// The packs saw a content that is not kept, so rules over contents cannot be repeated.
    pub lacks_content: bool,
}

impl Stored {
    /// Reads a stored decision record.
    ///
    /// # Errors
    /// [`NotRepeatable`].
    pub fn read(record: &Object) -> Result<Self, NotRepeatable> {
        let text = |member: &str| record.get(member).and_then(Value::as_str);
        let action_type: ActionType =
            text("action_type").unwrap_or_default().parse().map_err(|()| NotRepeatable::Kind)?;
        if text("rule_id") == Some(UNVERIFIED_PACK) {
            return Err(NotRepeatable::Unverified);
        }
        if record.contains_key("redacted") {
            return Err(NotRepeatable::Redacted);
        }
        let before = text("decision_before_approval").or_else(|| text("decision"));
        let outcome = before.unwrap_or_default().parse().map_err(|()| NotRepeatable::Incomplete)?;
        let request = request(action_type, record).ok_or(NotRepeatable::Incomplete)?;
        let mut action = cavra_normalize::normalize(request).map_err(|_| NotRepeatable::Incomplete)?;
        if let Action::ExecuteCommand(line) = &mut action {
            line.effects = effects(record, line.parts.len())?;
        }
        let owned = |member: &str| text(member).unwrap_or_default().to_owned();
        let facts = Facts {
            now: text("timestamp").and_then(|time| time.parse().ok()).ok_or(NotRepeatable::Incomplete)?,
            session_id: owned("session_id"),
            agent_id: owned("agent_id"),
            actor: owned("actor"),
            repository: owned("repository"),
            mcp_registry: registry(record),
            attributes: attributes(record),
        };
        let lacks_content = record.contains_key("content_digest");
        Ok(Self { action, facts, outcome, rule_id: owned("rule_id"), lacks_content })
    }
}

/// The request that leads to the stored action.
fn request(action_type: ActionType, record: &Object) -> Option<ActionRequest> {
    let text = |member: &str| record.get(member).and_then(Value::as_str).map(ToOwned::to_owned);
    let input = |member: &str| record.get("input")?.get(member)?.as_str().map(ToOwned::to_owned);
    let request = ActionRequest::of(action_type);
    Some(match action_type {
        ActionType::ReadFile | ActionType::WriteFile | ActionType::ExecuteCommand => {
            ActionRequest { target: text("target"), ..request }
        }
        ActionType::GitOperation => {
            ActionRequest { operation: Some(input("operation")?), target: Some(input("target")?), ..request }
        }
        ActionType::McpToolCall => ActionRequest {
            server: Some(input("server")?),
            tool: Some(input("tool")?),
            capability: input("capability"),
            ..request
        },
    })
}

/// What the command line did where it would have run. The disk may have changed since, and so may the table of commands: only
/// the record says it. A decision from before effects were recorded was made without any.
fn effects(record: &Object, parts: usize) -> Result<Box<Effects>, NotRepeatable> {
    let Some(stored) = record.get("input").and_then(|input| input.get("effects")) else {
        return Ok(Box::default());
    };
    let effects: Box<Effects> = serde_json::from_value(stored.clone()).map_err(|_| NotRepeatable::Incomplete)?;
    // Another splitter found other parts: the effects would be taken for those of the wrong ones.
    if effects.certainty.len() == parts { Ok(effects) } else { Err(NotRepeatable::Incomplete) }
}

/// The named facts that the policies were told.
fn attributes(record: &Object) -> Vec<(String, String)> {
    let facts = record.get("facts").and_then(Value::as_object).into_iter().flatten();
    let mut facts: Vec<(String, String)> =
        facts.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
    facts.sort();
    facts
}

fn registry(record: &Object) -> McpRegistry {
    let stored = record.get("input").and_then(|input| input.get("registry")).cloned();
    stored.and_then(|stored| serde_json::from_value(stored).ok()).unwrap_or(McpRegistry::NotConsulted)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use cavra_model::{Context, Decided, Finding, McpRegistration, Severity, Subject, Timestamp, stamp};
    use serde_json::json;

    fn recorded(request: ActionRequest, registry: &McpRegistry) -> (Action, Object) {
        let action = cavra_normalize::normalize(request).unwrap();
        let finding = Finding {
            rule_id: "r".into(),
            outcome: Outcome::Block,
            severity: Severity::High,
            reason: String::new(),
            approver_group: None,
        };
        let attributes = BTreeMap::from([("repository.risk_tier".to_owned(), "high".to_owned())]);
        let now = Timestamp::from_micros(7);
        let decided = Decided { subject: Subject::of(&action, registry), finding, now, attributes };
        let record = serde_json::to_value(stamp(decided, Context::default()).unwrap()).unwrap();
        (action, record.as_object().cloned().unwrap())
    }

    #[test]
    fn every_kind_of_action_comes_back_as_it_was() {
        let of = ActionRequest::of;
        let text = |text: &str| Some(text.to_owned());
        let known = McpRegistry::Registered(McpRegistration { server_id: "s:x".into(), ..Default::default() });
        for request in [
            ActionRequest { target: text("a/../b.txt"), ..of(ActionType::ReadFile) },
            ActionRequest { target: text("iam/x.tf"), ..of(ActionType::WriteFile) },
            ActionRequest { target: text("  sudo  rm -rf  /tmp/x | tee 'a b' "), ..of(ActionType::ExecuteCommand) },
            ActionRequest { operation: text("push"), target: text("origin HEAD:main"), ..of(ActionType::GitOperation) },
            ActionRequest { operation: text("push"), ..of(ActionType::GitOperation) },
            ActionRequest {
                server: text("s:x"),
                tool: text("t:y"),
                capability: text("network"),
                ..of(ActionType::McpToolCall)
            },
        ] {
            let (action, record) = recorded(request, &known);
            let stored = Stored::read(&record).unwrap();
            assert_eq!(stored.action, action);
            assert_eq!((stored.outcome, stored.facts.now), (Outcome::Block, Timestamp::from_micros(7)));
            assert_eq!(stored.facts.attributes, [("repository.risk_tier".to_owned(), "high".to_owned())]);
            if matches!(action, Action::McpToolCall(_)) {
                assert_eq!(stored.facts.mcp_registry, known);
            }
        }
    }

    /// What the disk said when the decision was made counts, not what it would say now.
    #[test]
    fn effects_come_from_the_record() {
        let request = ActionRequest { target: Some("cat a".into()), ..ActionRequest::of(ActionType::ExecuteCommand) };
        let (action, mut record) = recorded(request, &McpRegistry::NotConsulted);
        record["input"]["effects"]["seen"] = json!(true);
        let Action::ExecuteCommand(line) = Stored::read(&record).unwrap().action else { panic!("{action:?}") };
        assert!(line.effects.seen);
        record["input"]["effects"]["certainty"] = json!([]);
        assert_eq!(Stored::read(&record).unwrap_err(), NotRepeatable::Incomplete);
        record.remove("input");
        let Action::ExecuteCommand(line) = Stored::read(&record).unwrap().action else { panic!("{action:?}") };
        assert_eq!(*line.effects, Effects::default());
    }

    #[test]
    fn contents_are_known_to_be_missing() {
        let request = ActionRequest {
            target: Some("a".into()),
            content: Some("hush".into()),
            ..ActionRequest::of(ActionType::WriteFile)
        };
        let (_, record) = recorded(request, &McpRegistry::NotConsulted);
        assert!(!json!(record).to_string().contains("hush"));
        assert!(Stored::read(&record).unwrap().lacks_content);
    }

    #[test]
    fn what_another_product_wrote_may_not_be_repeatable() {
        let read = |value: Value| Stored::read(value.as_object().unwrap()).map(|_| ());
        let time = "2031-01-01T00:00:00.000000+00:00";
        assert_eq!(read(json!({"action_type": "pull_request"})), Err(NotRepeatable::Kind));
        let mcp = json!({"action_type": "mcp_tool_call", "target": "a:b", "decision": "block", "timestamp": time});
        assert_eq!(read(mcp), Err(NotRepeatable::Incomplete));
        let mut file = json!({"action_type": "read_file", "target": "a", "decision": "block", "timestamp": time});
        assert_eq!(read(file.clone()), Ok(()));
        file["redacted"] = json!(["target"]);
        assert_eq!(read(file), Err(NotRepeatable::Redacted));
    }
}
