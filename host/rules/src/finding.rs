//! What evaluation answers.

/// What a rule demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Go ahead.
    Allow,
    /// A human has to agree first.
    RequireApproval,
    /// Never.
    Block,
}

/// How serious it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing to see.
    Low,
    /// Worth a look.
    Medium,
    /// Dangerous.
    High,
    /// Destructive.
    Critical,
}

/// One rule's answer to an action. docs/reference/decisions-and-policy.md, section 4.6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule, such as `filesystem.read.block`.
    pub rule_id: &'static str,
    /// What it demands.
    pub outcome: Outcome,
    /// How serious it is.
    pub severity: Severity,
    /// One sentence for humans; names the matched pattern where there is one.
    pub reason: String,
    /// Who may approve.
    pub approver_group: Option<&'static str>,
}
