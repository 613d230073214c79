//! A decision as a security event: what every schema says in its own words.

use cavra_model::members::text;
use cavra_model::{Object, Outcome, Timestamp, canonical};
use serde_json::Value;

use crate::tally::outcome;

/// One decision, read once for all encoders. What a decision does not say is empty.
#[derive(Clone, Debug)]
pub struct SecurityEvent<'a> {
    /// When it was decided.
    pub time: Timestamp,
    /// Id of the decision.
    pub id: &'a str,
    /// Session of the agent.
    pub session: &'a str,
    /// The agent.
    pub agent: &'a str,
    /// The human or machine behind it.
    pub actor: &'a str,
    /// Where it works.
    pub repository: &'a str,
    /// Kind of the action.
    pub action_type: &'a str,
    /// What it is about: path, command line, branch, server and tool.
    pub target: &'a str,
    /// What is to be done with it.
    pub operation: &'a str,
    /// The rule that decided.
    pub rule: &'a str,
    /// The pack of the rule.
    pub pack: &'a str,
    /// Version of the pack.
    pub pack_version: &'a str,
    /// The verdict as a word, also one that is not known here.
    pub verdict: &'a str,
    /// What the verdict means for the action.
    pub effect: Effect,
    /// `low` to `critical`, or empty.
    pub severity: &'a str,
    /// Why, for people.
    pub reason: &'a str,
    /// What it belongs together with.
    pub correlation: &'a str,
    /// Who decides or decided about an approval.
    pub approval: Option<Approval<'a>>,
    /// The decision in its canonical form: whoever has the evidence can compare.
    pub original: String,
}

/// The approval of an action.
#[derive(Clone, Copy, Debug)]
pub struct Approval<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its state.
    pub state: &'a str,
    /// Who decided, else who is to.
    pub who: &'a str,
}

/// What a verdict means for the action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It may happen.
    Allowed,
    /// It may happen because somebody approved it.
    Approved,
    /// It may happen and somebody should look.
    Warned,
    /// It may happen and was written down.
    Observed,
    /// It waits for an approval.
    Held,
    /// It must not happen. So does what is not understood.
    Denied,
}

impl Effect {
    /// Whether the action may happen.
    #[must_use]
    pub const fn permits(self) -> bool {
        !matches!(self, Self::Held | Self::Denied)
    }
}

impl<'a> SecurityEvent<'a> {
    /// Reads a decision; one without a time happened at `default_time`.
    #[must_use]
    pub fn of(decision: &'a Object, default_time: Timestamp) -> Self {
        let of = |member| text(decision, member);
        let approval = decision.get("approval").and_then(Value::as_object).map(|approval| Approval {
            id: text(approval, "approval_id"),
            state: text(approval, "state"),
            who: Some(text(approval, "decided_by"))
                .filter(|who| !who.is_empty())
                .unwrap_or(text(approval, "approver_group")),
        });
        let effect = match outcome(decision) {
            Some(Outcome::Allow | Outcome::AllowWithAttestation)
                if approval.is_some_and(|approval| matches!(approval.state, "approved" | "break_glass")) =>
            {
                Effect::Approved
            }
            Some(Outcome::Allow | Outcome::AllowWithAttestation) => Effect::Allowed,
            Some(Outcome::Warn) => Effect::Warned,
            Some(Outcome::AuditOnly) => Effect::Observed,
            Some(Outcome::RequireApproval) => Effect::Held,
            Some(Outcome::Block) | None => Effect::Denied,
        };
        Self {
            time: of("timestamp").parse().unwrap_or(default_time),
            id: of("decision_id"),
            session: of("session_id"),
            agent: of("agent_id"),
            actor: of("actor"),
            repository: of("repository"),
            action_type: of("action_type"),
            target: of("target"),
            operation: of("requested_operation"),
            rule: of("rule_id"),
            pack: of("policy_pack"),
            pack_version: of("pack_version"),
            verdict: of("decision"),
            effect,
            severity: of("severity"),
            reason: of("reason"),
            correlation: of("correlation_id"),
            approval,
            original: canonical(&Value::Object(decision.clone())),
        }
    }

    /// One line for people.
    #[must_use]
    pub fn headline(&self) -> String {
        format!("{} {}: {}", self.action_type, self.target, self.verdict)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn millis(&self) -> i64 {
        self.time.as_micros().div_euclid(1000)
    }

    /// Server and tool of an MCP call.
    #[must_use]
    pub fn mcp_call(&self) -> (&'a str, &'a str) {
        self.target.rsplit_once(':').unwrap_or((self.target, ""))
    }
}
