//! A compiled policy document and its judgement of everything but command lines.

use std::sync::OnceLock;

use serde_json::Value;

use crate::action::{Action, Git};
use crate::case::Folded;
use crate::catalog;
use crate::command::collapse;
use crate::document::{self, Diagnostic, Mcp};
use crate::effects::EffectRules;
use crate::finding::{Finding, Outcome};
use crate::list::{Reach, RuleList};
use crate::paths;
use crate::{matcher, server_name};

/// Branches that are protected in every pack.
const ALWAYS_PROTECTED: [&str; 2] = ["main", "master"];

/// A policy document, compiled. Nothing is left to be built at the first evaluation.
#[derive(Debug, Default)]
pub struct Policy {
    pub(crate) read: RuleList,
    pub(crate) write: RuleList,
    pub(crate) commands: RuleList,
    pub(crate) effects: EffectRules,
    protected_branches: Vec<String>,
    servers: Servers,
    /// For file systems that ignore case; made when the first one asks.
    pub(crate) folded: OnceLock<Folded>,
}

/// What the pack says about MCP servers.
#[derive(Debug, Default)]
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
        let mut document = document::read(document)?;
        Ok(Self {
            read: RuleList::new(&document.block_read, &document.require_approval_read, &[]),
            write: RuleList::new(&document.block_write, &document.require_approval_write, &[]),
            commands: command_rules(&document),
            effects: std::mem::take(&mut document.effects),
            protected_branches: owned(&document.block_push_branches),
            servers: Servers::new(&document.mcp.unwrap_or_default()),
            folded: OnceLock::new(),
        })
    }

    /// Number of rules in force: patterns, branches and servers that the document lists.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.read.len()
            + self.write.len()
            + self.commands.len()
            + self.effects.len()
            + self.protected_branches.len()
            + self.servers.allowed.len()
            + self.servers.blocked.len()
    }

    /// Judges an action. The strictest finding counts, of equally strict ones the more severe, then the earlier.
    ///
    /// `mcp_registry_consulted` says that a trust registry judges MCP servers: the pack then only adds its own block
    /// list, and no finding means that it has nothing to add.
    #[must_use]
    pub fn evaluate(&self, action: &Action<'_>, mcp_registry_consulted: bool) -> Vec<Finding> {
        match action {
            Action::ReadFile(path) => vec![self.judge_read(path).unwrap_or_else(|| {
                catalog::READ_ALLOW
                    .found(&["no pattern of filesystem.block_read or require_approval_read matches the path"])
            })],
            Action::WriteFile(path) => vec![self.judge_write(path).unwrap_or_else(|| {
                catalog::WRITE_ALLOW
                    .found(&["no pattern of filesystem.block_write or require_approval_write matches the path"])
            })],
            Action::Command(command) => self.judge_command(command),
            Action::Git(git) => vec![self.judge_git(git).or_else(|| unknown_push(git)).unwrap_or_else(|| {
                catalog::GIT_ALLOW.found(&["the operation does not push to, delete or rename a protected branch"])
            })],
            Action::Mcp { server, .. } => self.judge_server(server, mcp_registry_consulted).into_iter().collect(),
        }
    }

    /// A finding if reading the path is not simply allowed.
    pub(crate) fn judge_read(&self, path: &str) -> Option<Finding> {
        self.judge_read_as(path, "")
    }

    /// A finding if writing the path is not simply allowed.
    pub(crate) fn judge_write(&self, path: &str) -> Option<Finding> {
        self.judge_write_as(path, "")
    }

    /// As [`Policy::judge_read`], by a word of a command.
    pub(crate) fn judge_read_as(&self, path: &str, why: &str) -> Option<Finding> {
        self.read_finding(strictest_form(&self.read, path)?, why, path)
    }

    /// As [`Policy::judge_write`], by a word of a command.
    pub(crate) fn judge_write_as(&self, path: &str, why: &str) -> Option<Finding> {
        self.write_finding(strictest_form(&self.write, path)?, why, path)
    }

    /// The finding of the pattern at a position of the read lists.
    pub(crate) fn read_finding(&self, hit: u32, why: &str, path: &str) -> Option<Finding> {
        let (rule, verdict, list) = match self.read.outcome(hit) {
            Outcome::Block => (&catalog::READ_BLOCK, "is blocked", "block_read"),
            Outcome::RequireApproval => (&catalog::READ_APPROVAL, "needs approval", "require_approval_read"),
            Outcome::Allow => return None,
        };
        Some(rule.found(&[
            "reading ",
            verdict,
            ": `",
            self.read.pattern(hit),
            "` of filesystem.",
            list,
            " matches ",
            &file_of(path, why),
        ]))
    }

    /// The finding of the pattern at a position of the write lists.
    pub(crate) fn write_finding(&self, hit: u32, why: &str, path: &str) -> Option<Finding> {
        let (rule, verdict, list) = match self.write.outcome(hit) {
            Outcome::Block => (&catalog::WRITE_BLOCK, "is blocked", "block_write"),
            Outcome::RequireApproval => (&catalog::WRITE_APPROVAL, "needs approval", "require_approval_write"),
            Outcome::Allow => return None,
        };
        Some(rule.found(&[
            "writing ",
            verdict,
            ": `",
            self.write.pattern(hit),
            "` of filesystem.",
            list,
            " matches ",
            &file_of(path, why),
        ]))
    }

    /// A finding if the operation changes a protected branch.
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

/// Review for a push of which nobody says, or knows, which branch it goes to.
pub(crate) fn unknown_push(git: &Git<'_>) -> Option<Finding> {
    let unknown = git.is_push && matches!(git.branch_path, "" | "HEAD" | "@" | "?");
    unknown.then(|| {
        catalog::GIT_APPROVAL.found(&[
            "the push names no branch, and which one is checked out is not known; name it: `git push origin <branch>`",
        ])
    })
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

/// The file of a command, with the word it comes from; a file tool's own path is what the decision is about anyway.
fn file_of(path: &str, why: &str) -> String {
    if why.is_empty() { "the path".to_owned() } else { ["`", path, "` (", why, ")"].concat() }
}

/// The strictest pattern that matches the path or its spelling from the home directory.
fn strictest_form(list: &RuleList, path: &str) -> Option<u32> {
    let from_home = paths::from_home(path).and_then(|path| list.strictest(&path, Reach::All));
    list.strictest(path, Reach::All).into_iter().chain(from_home).min()
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

pub(crate) fn borrowed(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}
