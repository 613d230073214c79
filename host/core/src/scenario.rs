//! "Before the agent acts": seven actions that show what cavra is for. docs/reference/decisions-and-policy.md, section 9.

use cavra_model::{ActionType, Context, DecisionRecord, McpRegistry};
use cavra_normalize::ActionRequest;
use cavra_packs::ResolvedPack;

use crate::{Attributes, CoreError, DecisionPoint, DecisionRequest};

/// One action of the scenario.
#[derive(Clone, Debug)]
pub enum Step {
    /// An action the packs decide.
    Action(ActionRequest),
    /// The pull request at the end.
    PullRequest(String),
}

/// The seven actions, in order. `server` is the MCP server nobody knows.
#[must_use]
pub fn before_the_agent_acts(server: &str) -> Vec<Step> {
    let target = |action_type, target: &str| {
        Step::Action(ActionRequest { target: Some(target.to_owned()), ..ActionRequest::of(action_type) })
    };
    vec![
        target(ActionType::ReadFile, ".env"),
        target(ActionType::WriteFile, "iam/admin-role.tf"),
        target(ActionType::ExecuteCommand, "terraform plan"),
        target(ActionType::ExecuteCommand, "terraform apply -auto-approve"),
        Step::Action(ActionRequest {
            server: Some(server.to_owned()),
            tool: Some("read_file".to_owned()),
            capability: Some("filesystem".to_owned()),
            ..ActionRequest::of(ActionType::McpToolCall)
        }),
        target(ActionType::GitOperation, "origin/main"),
        Step::PullRequest("create PR".to_owned()),
    ]
}

impl Step {
    /// Decides this step; MCP servers are judged by the pack.
    ///
    /// # Errors
    /// As [`DecisionPoint::decide`].
    pub async fn decide(
        self,
        decisions: &DecisionPoint,
        pack: &ResolvedPack,
        context: Context,
    ) -> Result<DecisionRecord, CoreError> {
        match self {
            Self::Action(action) => {
                let request = DecisionRequest { context, ..DecisionRequest::new(action) };
                Ok(decisions.decide(request, pack, McpRegistry::NotConsulted).await?.record)
            }
            Self::PullRequest(target) => decisions.attest_pull_request(&target, pack, (context, Attributes::default())),
        }
    }
}
