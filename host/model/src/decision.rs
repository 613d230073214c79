//! From findings to one decision, and the record of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;
use utoipa::ToSchema;

use crate::members::filled;
use crate::{
    Action, DEFAULT_PACK, Digest, Effects, Finding, McpRegistry, NoRandomness, Object, Outcome, Overlay, Severity,
    Timestamp, new_correlation_id, new_decision_id,
};

/// The strictest finding: outcome first, then severity, then the earliest. No finding at all is a block, because
/// a policy without an opinion must not open anything.
#[must_use]
pub fn combine(findings: Vec<Finding>) -> Finding {
    findings
        .into_iter()
        .reduce(|strictest, next| {
            let rank = |finding: &Finding| (finding.outcome.strictness(), finding.severity);
            if rank(&next) > rank(&strictest) { next } else { strictest }
        })
        .unwrap_or_else(|| Finding::engine_error("no policy had an opinion about this action"))
}

/// Who asks, and under which policy.
#[derive(Clone, Debug)]
pub struct Context {
    /// Session of the caller.
    pub session_id: String,
    /// Agent of the caller.
    pub agent_id: String,
    /// The human or machine behind the agent.
    pub actor: String,
    /// Repository acted upon.
    pub repository: String,
    /// Name of the pack that was asked for.
    pub policy_pack: String,
    /// Version of that pack, if it states one.
    pub pack_version: Option<String>,
    /// Digest of the compiled policy.
    pub policy_digest: Option<String>,
    /// Digests of the components that are asked, in the order they are asked.
    pub component_digests: Option<Vec<String>>,
    /// The id that the decision will have, where it has been made before.
    pub decision_id: Option<String>,
    /// The caller's own correlation id, if it sent one.
    pub correlation_id: Option<String>,
    /// The agent's own id of the call that is decided.
    pub tool_use_id: Option<String>,
    /// The agent's own id of the agent that makes it, where it has several.
    pub agent_instance_id: Option<String>,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            session_id: "local".to_owned(),
            agent_id: "unknown-agent".to_owned(),
            actor: "ai-agent".to_owned(),
            repository: "local".to_owned(),
            policy_pack: DEFAULT_PACK.to_owned(),
            pack_version: None,
            policy_digest: None,
            component_digests: None,
            decision_id: None,
            correlation_id: None,
            tool_use_id: None,
            agent_instance_id: None,
        }
    }
}

/// The decision record, `cavra.decision.v1`. docs/reference/decisions-and-policy.md, section 5.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecisionRecord {
    /// Always `cavra.decision.v1`.
    pub schema_version: String,
    /// `dec_` and 12 hex digits.
    pub decision_id: String,
    /// Session of the caller.
    pub session_id: String,
    /// Agent of the caller.
    pub agent_id: String,
    /// The human or machine behind the agent.
    pub actor: String,
    /// Repository acted upon.
    pub repository: String,
    /// Kind of action.
    pub action_type: String,
    /// What is acted upon.
    pub target: String,
    /// What is done to it.
    pub requested_operation: String,
    /// Name of the pack that was asked for.
    pub policy_pack: String,
    /// The same name.
    pub policy_id: String,
    /// Rule that decided.
    pub rule_id: String,
    /// The decision.
    pub decision: Outcome,
    /// Its severity.
    pub severity: Severity,
    /// One sentence for humans.
    pub reason: Option<String>,
    /// Where the evidence is.
    pub evidence_refs: Vec<String>,
    /// Who may approve.
    pub approver_group: Option<String>,
    /// Time of the decision.
    pub timestamp: Timestamp,
    /// `corr_` and 12 hex digits, or the caller's own.
    pub correlation_id: String,
    /// The agent's own id of the call, which joins this record with what the agent keeps.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tool_use_id: Option<String>,
    /// The agent's own id of the agent that made it, where it has several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agent_instance_id: Option<String>,
    /// Version of the pack, if it states one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pack_version: Option<String>,
    /// `sha256:` digest of the compiled policy's canonical JSON.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub policy_digest: Option<String>,
    /// `sha256:` digests of the components that were asked, in that order. Together with `policy_digest` they name what
    /// decided; the bytes are archived, see [`crate::POLICY_ARCHIVE`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub component_digests: Option<Vec<String>>,
    /// Digest of the text to be written or of the tool's arguments, where they were known; they are never stored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content_digest: Option<Digest>,
    /// Members that a secret was cut out of; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub redacted: Option<Vec<String>>,
    /// Digest of the exact action, see [`crate::action_digest`], where members are redacted and it does not follow from
    /// them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub action_digest: Option<Digest>,
    /// What the other members do not say of the action, so that the decision can be made again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub input: Option<ActionInput>,
    /// Named facts that the policies were told, see [`crate::Facts::attributes`].
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub facts: BTreeMap<String, String>,
    /// The rollout that governs this decision, and what it makes of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rollout: Option<Governance>,
    /// What was decided before an approval let it happen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decision_before_approval: Option<Outcome>,
    /// Summary of the approval that let it happen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approval: Option<Value>,
}

impl DecisionRecord {
    /// What is to be enforced: what the governing rollout makes of the decision, else the decision.
    #[must_use]
    pub fn effective(&self) -> Outcome {
        self.rollout.as_ref().map_or(self.decision, |governance| governance.overlay.effective_decision)
    }
}

/// The rollout that governs a decision. docs/reference/approvals-identity-authoring.md, section 6.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Governance {
    /// The rollout.
    pub rollout_id: String,
    /// What its mode makes of the decision.
    #[serde(flatten)]
    pub overlay: Overlay,
}

/// The parts of an action that target and operation of a record do not tell apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ActionInput {
    /// A call of an MCP tool.
    Mcp {
        /// Server as called.
        server: String,
        /// Tool.
        tool: String,
        /// Capability the caller says it needs.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        capability: Option<String>,
        /// What the trust registry said.
        registry: McpRegistry,
    },
    /// A git operation.
    Git {
        /// Name of the operation.
        operation: String,
        /// Remote and branch.
        target: String,
    },
    /// A command line.
    Command {
        /// What it does, as it was derived where it would have run.
        effects: Box<Effects>,
    },
}

impl ActionInput {
    fn of(action: &Action, registry: &McpRegistry) -> Option<Self> {
        match action {
            Action::McpToolCall(call) => Some(Self::Mcp {
                server: call.server.clone(),
                tool: call.tool.clone(),
                capability: call.capability.clone(),
                registry: registry.clone(),
            }),
            Action::GitOperation(git) => {
                Some(Self::Git { operation: git.operation.clone(), target: git.target.clone() })
            }
            Action::ExecuteCommand(line) => Some(Self::Command { effects: line.effects.clone() }),
            Action::ReadFile(_) | Action::WriteFile(_) => None,
        }
    }
}

/// What a decision is about, as records show it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Kind of action.
    pub action_type: String,
    /// What is acted upon.
    pub target: String,
    /// What is done to it.
    pub requested_operation: String,
    /// Digest of what is written or passed along.
    pub content_digest: Option<Digest>,
    /// What the texts above do not say.
    pub input: Option<ActionInput>,
}

impl Subject {
    /// The subject of an action, with what the trust registry says of its server.
    #[must_use]
    pub fn of(action: &Action, registry: &McpRegistry) -> Self {
        Self {
            action_type: action.action_type().as_str().to_owned(),
            target: action.target(),
            requested_operation: action.requested_operation(),
            content_digest: action.content().map(Digest::of),
            input: ActionInput::of(action, registry),
        }
    }

    /// A pull request about to be created. docs/reference/decisions-and-policy.md, section 4.5.
    #[must_use]
    pub fn pull_request(target: &str) -> Self {
        Self::of_no_action("pull_request", target, "create")
    }

    /// A tool of an agent that no action stands for, called with arguments of this digest.
    #[must_use]
    pub fn agent_tool(tool: &str, arguments: Digest) -> Self {
        Self { content_digest: Some(arguments), ..Self::of_no_action("agent_tool", tool, "call") }
    }

    /// An address that an agent fetches.
    #[must_use]
    pub fn address(url: &str) -> Self {
        Self::of_no_action("fetch_url", url, "fetch")
    }

    fn of_no_action(action_type: &str, target: &str, operation: &str) -> Self {
        Self {
            action_type: action_type.to_owned(),
            target: target.to_owned(),
            requested_operation: operation.to_owned(),
            content_digest: None,
            input: None,
        }
    }
}

/// Something decided, before it is stamped.
#[derive(Clone, Debug)]
pub struct Decided {
    /// What was asked.
    pub subject: Subject,
    /// What was found.
    pub finding: Finding,
    /// When.
    pub now: Timestamp,
    /// Named facts that were known.
    pub attributes: BTreeMap<String, String>,
}

/// Gives a decision its ids, time and context.
///
/// # Errors
/// [`NoRandomness`].
pub fn stamp(decided: Decided, context: Context) -> Result<DecisionRecord, NoRandomness> {
    let Decided { subject, finding, now, attributes } = decided;
    let decision_id = context.decision_id.map_or_else(new_decision_id, Ok)?;
    let correlation_id = context.correlation_id.map_or_else(new_correlation_id, Ok)?;
    Ok(DecisionRecord {
        schema_version: "cavra.decision.v1".to_owned(),
        evidence_refs: vec![format!("evidence://{}/{decision_id}", context.session_id)],
        decision_id,
        session_id: context.session_id,
        agent_id: context.agent_id,
        actor: context.actor,
        repository: context.repository,
        action_type: subject.action_type,
        target: subject.target,
        requested_operation: subject.requested_operation,
        policy_id: context.policy_pack.clone(),
        policy_pack: context.policy_pack,
        rule_id: finding.rule_id,
        decision: finding.outcome,
        severity: finding.severity,
        reason: Some(finding.reason),
        approver_group: finding.approver_group,
        timestamp: now,
        correlation_id,
        tool_use_id: context.tool_use_id,
        agent_instance_id: context.agent_instance_id,
        pack_version: context.pack_version,
        policy_digest: context.policy_digest,
        component_digests: context.component_digests,
        content_digest: subject.content_digest,
        redacted: None,
        action_digest: None,
        input: subject.input,
        facts: attributes,
        rollout: None,
        decision_before_approval: None,
        approval: None,
    })
}

/// A record that another component handed in is not a decision record.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("invalid decision record: {0}")]
pub struct InvalidRecord(pub &'static str);

impl From<NoRandomness> for InvalidRecord {
    fn from(_: NoRandomness) -> Self {
        Self("it has no id, and the system has no randomness to make one")
    }
}

/// The one normaliser for decision records made elsewhere (sandbox, importers): fills in the defaults of contract
/// 10, section 5.
///
/// # Errors
/// [`InvalidRecord`] if `decision` is outside the six values or `evidence_refs` is no text or list, and if there is no
/// randomness for an id.
pub fn normalize_decision(mut record: Object, now: Timestamp) -> Result<Object, InvalidRecord> {
    let decision_id = filled(&record, "decision_id").map_or_else(new_decision_id, |id| Ok(id.to_owned()))?;
    let pack = filled(&record, "policy_pack").unwrap_or(DEFAULT_PACK).to_owned();
    let outcome = filled(&record, "decision").unwrap_or(Outcome::AuditOnly.as_str()).to_owned();
    outcome.parse::<Outcome>().map_err(|()| InvalidRecord("decision is not a known value"))?;
    let refs = evidence_refs(record.get("evidence_refs"))?;
    let defaults = [
        ("schema_version", "cavra.decision.v1".to_owned()),
        ("decision_id", decision_id),
        ("session_id", "local".to_owned()),
        ("agent_id", "unknown-agent".to_owned()),
        ("actor", "ai-agent".to_owned()),
        ("repository", "local".to_owned()),
        ("action_type", "unknown".to_owned()),
        ("target", String::new()),
        ("requested_operation", String::new()),
        ("policy_id", pack.clone()),
        ("policy_pack", pack),
        ("rule_id", "runtime.default".to_owned()),
        ("decision", outcome),
        ("severity", Severity::Low.as_str().to_owned()),
        ("timestamp", now.to_string()),
        ("correlation_id", new_correlation_id()?),
    ];
    for (field, default) in defaults {
        if filled(&record, field).is_none() {
            record.insert(field.to_owned(), Value::String(default));
        }
    }
    for field in ["reason", "approver_group"] {
        record.entry(field).or_insert(Value::Null);
    }
    record.insert("evidence_refs".to_owned(), json!(refs));
    Ok(record)
}

/// A text or a list of texts; null items are dropped.
pub(crate) fn evidence_refs(value: Option<&Value>) -> Result<Vec<String>, InvalidRecord> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(single)) => Ok(vec![single.clone()]),
        Some(Value::Array(items)) => items
            .iter()
            .filter(|item| !item.is_null())
            .map(|item| item.as_str().map(ToOwned::to_owned))
            .collect::<Option<_>>()
            .ok_or(InvalidRecord("evidence_refs must hold texts")),
        Some(_) => Err(InvalidRecord("evidence_refs must be a text or a list")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(rule: &str, outcome: Outcome, severity: Severity) -> Finding {
        Finding { rule_id: rule.into(), outcome, severity, reason: String::new(), approver_group: None }
    }

    #[test]
    fn the_strictest_finding_wins_whatever_the_order() {
        let allow = finding("allow", Outcome::Allow, Severity::Low);
        let default = finding("default", Outcome::RequireApproval, Severity::Medium);
        let approve = finding("approve", Outcome::RequireApproval, Severity::High);
        let block = finding("block", Outcome::Block, Severity::Low);
        assert_eq!(combine(vec![allow.clone(), block.clone(), approve.clone()]).rule_id, "block");
        assert_eq!(combine(vec![block, approve.clone(), allow.clone()]).rule_id, "block");
        assert_eq!(combine(vec![default, approve, allow.clone()]).rule_id, "approve");
        assert_eq!(combine(vec![allow, finding("later", Outcome::Allow, Severity::Low)]).rule_id, "allow");
    }

    #[test]
    fn no_finding_blocks() {
        let verdict = combine(Vec::new());
        assert_eq!((verdict.outcome, verdict.severity), (Outcome::Block, Severity::Critical));
    }

    #[test]
    fn intake_fills_defaults_and_refuses_unknown_outcomes() {
        let now = Timestamp::from_micros(0);
        let mut record = Object::new();
        record.insert("evidence_refs".into(), json!(["a", null, "b"]));
        record.insert("policy_pack".into(), json!("cavra-hipaa"));
        let filled = normalize_decision(record, now).unwrap();
        assert_eq!(filled["decision"], "audit_only");
        assert_eq!(filled["policy_id"], "cavra-hipaa");
        assert_eq!(filled["evidence_refs"], json!(["a", "b"]));
        assert_eq!(filled["timestamp"], "1970-01-01T00:00:00.000000+00:00");
        let mut bad = Object::new();
        bad.insert("decision".into(), json!("maybe"));
        assert!(normalize_decision(bad, now).is_err());
    }
}
