//! A compiled policy document and its judgement of everything but command lines.

use serde_json::Value;

use crate::action::{Action, Git};
use crate::catalog;
use crate::command::collapse;
use crate::document::{self, Diagnostic, Mcp};
use crate::finding::{Finding, Outcome};
use crate::list::{Reach, RuleList};
use crate::{matcher, server_name};

/// Branches that are protected in every pack.
const ALWAYS_PROTECTED: [&str; 2] = ["main", "master"];

/// A policy document, compiled. Nothing is left to be built at the first evaluation.
#[derive(Debug)]
pub struct Policy {
    pub(crate) read: RuleList,
    pub(crate) write: RuleList,
    pub(crate) commands: RuleList,
    protected_branches: Vec<String>,
    servers: Servers,
}

/// What the pack says about MCP servers.
#[derive(Debug)]
struct Servers {
    allowed: Vec<String>,
    blocked: Vec<String>,
    block_unknown: bool,
}

impl Policy {
    /// Compiles a policy document: the merged pack as JSON.
    ///
    /// # Errors
    ///
    /// Every fault [`check_document`](crate::check_document) finds.
    pub fn compile(document: &Value) -> Result<Self, Vec<Diagnostic>> {
        let document = document::read(document)?;
        Ok(Self {
            read: RuleList::new(&document.block_read, &[], &[]),
            write: RuleList::new(&document.block_write, &document.require_approval_write, &[]),
            commands: command_rules(&document),
            protected_branches: owned(&document.block_push_branches),
            servers: Servers::new(&document.mcp.unwrap_or_default()),
        })
    }

    /// Number of rules in force: patterns, branches and servers that the document lists.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.read.len()
            + self.write.len()
            + self.commands.len()
            + self.protected_branches.len()
            + self.servers.allowed.len()
            + self.servers.blocked.len()
    }

    /// Judges an action. The strictest finding counts, of equally strict ones the more severe, then the earlier.
    ///
    /// `mcp_registry_consulted` says that a trust registry judges MCP servers: the pack then only adds its own block
    /// list, and no finding means that it has nothing to add. Contract 10, section 4.4.
    #[must_use]
    pub fn evaluate(&self, action: &Action<'_>, mcp_registry_consulted: bool) -> Vec<Finding> {
        match action {
            Action::ReadFile(path) => vec![self.judge_read(path).unwrap_or_else(|| {
                catalog::READ_ALLOW.found(&["no pattern of filesystem.block_read matches the path"])
            })],
            Action::WriteFile(path) => vec![self.judge_write(path).unwrap_or_else(|| {
                catalog::WRITE_ALLOW
                    .found(&["no pattern of filesystem.block_write or require_approval_write matches the path"])
            })],
            Action::Command(command) => self.judge_command(command),
            Action::Git(git) => vec![self.judge_git(git).unwrap_or_else(|| {
                catalog::GIT_ALLOW.found(&["the operation does not push to, delete or rename a protected branch"])
            })],
            Action::Mcp { server, .. } => self.judge_server(server, mcp_registry_consulted).into_iter().collect(),
        }
    }

    /// A finding if reading the path is not simply allowed. Contract 10, section 4.1.
    pub(crate) fn judge_read(&self, path: &str) -> Option<Finding> {
        let hit = self.read.strictest(path, Reach::All)?;
        Some(catalog::READ_BLOCK.found(&[
            "reading is blocked: `",
            self.read.pattern(hit),
            "` of filesystem.block_read matches the path",
        ]))
    }

    /// A finding if writing the path is not simply allowed. Contract 10, section 4.1.
    pub(crate) fn judge_write(&self, path: &str) -> Option<Finding> {
        let hit = self.write.strictest(path, Reach::All)?;
        let pattern = self.write.pattern(hit);
        Some(match self.write.outcome(hit) {
            Outcome::Block => catalog::WRITE_BLOCK.found(&[
                "writing is blocked: `",
                pattern,
                "` of filesystem.block_write matches the path",
            ]),
            Outcome::RequireApproval | Outcome::Allow => catalog::WRITE_APPROVAL.found(&[
                "writing needs approval: `",
                pattern,
                "` of filesystem.require_approval_write matches the path",
            ]),
        })
    }

    /// A finding if the operation changes a protected branch. Contract 10, section 4.3.
    pub(crate) fn judge_git(&self, git: &Git<'_>) -> Option<Finding> {
        if git.branch.is_empty() || !(git.is_push || git.removes_branch) {
            return None;
        }
        let listed = || {
            let of_branch =
                |entry: &&String| matcher::matches(entry, git.branch) || matcher::matches(entry, git.branch_path);
            self.protected_branches.iter().find(of_branch)
        };
        let why = if ALWAYS_PROTECTED.contains(&git.branch) {
            ["`", git.branch, "` is a protected branch"].concat()
        } else {
            ["`", listed()?, "` of git.block_push_branches names the branch"].concat()
        };
        let what = if git.removes_branch { "deleting or renaming it is blocked: " } else { "direct push is blocked: " };
        Some(catalog::GIT_BLOCK.found(&[what, &why]))
    }

    fn judge_server(&self, server: &str, registry_consulted: bool) -> Option<Finding> {
        if self.servers.blocked.iter().any(|entry| server_name::blocks(entry, server)) {
            return Some(catalog::MCP_BLOCK.found(&["`", server, "` is in mcp.blocked_servers"]));
        }
        if registry_consulted {
            return None;
        }
        Some(if self.servers.allowed.iter().any(|entry| server_name::allows(entry, server)) {
            catalog::MCP_ALLOW.found(&["`", server, "` is in mcp.allowed_servers"])
        } else if self.servers.block_unknown {
            catalog::MCP_BLOCK.found(&["`", server, "` is not in mcp.allowed_servers"])
        } else {
            catalog::MCP_ALLOW.found(&["mcp.block_unknown_servers is off and the server is not blocked"])
        })
    }
}

impl Servers {
    fn new(mcp: &Mcp<'_>) -> Self {
        Self {
            allowed: owned(&mcp.allowed_servers),
            blocked: owned(&mcp.blocked_servers),
            block_unknown: mcp.block_unknown_servers.unwrap_or(true),
        }
    }
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|entry| (*entry).to_owned()).collect()
}

/// Command patterns are prepared as command lines are.
fn command_rules(document: &document::Document<'_>) -> RuleList {
    let prepared = |list: &[&str]| list.iter().map(|pattern| collapse(pattern)).collect::<Vec<_>>();
    let block = prepared(&document.block_commands);
    let approval = prepared(&document.require_approval_commands);
    let allow = prepared(&document.allow_commands);
    RuleList::new(&borrowed(&block), &borrowed(&approval), &borrowed(&allow))
}

fn borrowed(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}
