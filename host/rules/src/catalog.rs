//! The rules a pack can invoke, as data.

use crate::finding::{Finding, Outcome, Severity};

/// What a rule says whenever it applies.
pub(crate) struct Rule {
    pub(crate) id: &'static str,
    outcome: Outcome,
    severity: Severity,
    approver_group: Option<&'static str>,
}

impl Rule {
    const fn allow(id: &'static str) -> Self {
        Self { id, outcome: Outcome::Allow, severity: Severity::Low, approver_group: None }
    }

    const fn block(id: &'static str, severity: Severity) -> Self {
        Self { id, outcome: Outcome::Block, severity, approver_group: None }
    }

    const fn approval(id: &'static str, severity: Severity, group: &'static str) -> Self {
        Self { id, outcome: Outcome::RequireApproval, severity, approver_group: Some(group) }
    }

    /// The rule applies, for this reason.
    pub(crate) fn found(&self, reason: &[&str]) -> Finding {
        Finding {
            rule_id: self.id,
            outcome: self.outcome,
            severity: self.severity,
            reason: reason.concat(),
            approver_group: self.approver_group,
        }
    }
}

pub(crate) const READ_BLOCK: Rule = Rule::block("filesystem.read.block", Severity::High);
pub(crate) const READ_APPROVAL: Rule =
    Rule::approval("filesystem.read.require_approval", Severity::High, "Platform Security");
pub(crate) const READ_ALLOW: Rule = Rule::allow("filesystem.read.allow");
pub(crate) const WRITE_BLOCK: Rule = Rule::block("filesystem.write.block", Severity::High);
pub(crate) const WRITE_APPROVAL: Rule =
    Rule::approval("filesystem.write.require_approval", Severity::High, "Platform Security");
pub(crate) const WRITE_ALLOW: Rule = Rule::allow("filesystem.write.allow");
pub(crate) const COMMAND_BLOCK: Rule = Rule::block("commands.block", Severity::High);
/// `commands.block` for a command line that applies or deletes something.
pub(crate) const COMMAND_BLOCK_CRITICAL: Rule = Rule::block("commands.block", Severity::Critical);
pub(crate) const COMMAND_APPROVAL: Rule =
    Rule::approval("commands.require_approval", Severity::High, "Platform Security");
pub(crate) const COMMAND_ALLOW: Rule = Rule::allow("commands.allow");
pub(crate) const COMMAND_DEFAULT: Rule =
    Rule::approval("commands.default.require_approval", Severity::Medium, "Repository Owners");
pub(crate) static EFFECTS_BLOCK: Rule = Rule::block("effects.block", Severity::High);
pub(crate) static EFFECTS_APPROVAL: Rule =
    Rule::approval("effects.require_approval", Severity::High, "Platform Security");
pub(crate) const EFFECTS_ALLOW: Rule = Rule::allow("effects.allow");
/// A push of which nobody can tell whether it goes to a protected branch.
pub(crate) const GIT_APPROVAL: Rule =
    Rule::approval("git.protected_branch.require_approval", Severity::High, "Repository Owners");
pub(crate) const GIT_BLOCK: Rule = Rule::block("git.protected_branch.block_direct_push", Severity::High);
pub(crate) const GIT_ALLOW: Rule = Rule::allow("git.allow");
pub(crate) const MCP_BLOCK: Rule = Rule::block("mcp.server.trust.block_unknown", Severity::High);
pub(crate) const MCP_ALLOW: Rule = Rule::allow("mcp.server.trust.allow");
