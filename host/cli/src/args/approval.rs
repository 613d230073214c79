//! `cavra approval …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::SendArgs;

/// Where approvals are kept.
#[derive(Args, Clone)]
pub struct ApprovalStoreArgs {
    /// JSON file of approvals; default is the store that environment or project name, else .cavra/approvals.json.
    #[arg(long, value_name = "PATH", global = true)]
    pub store: Option<PathBuf>,
    /// SQLite file of approvals; wins over --store.
    #[arg(long, value_name = "PATH", global = true)]
    pub sqlite: Option<PathBuf>,
}

#[derive(Args)]
pub struct ApprovalArgs {
    #[command(flatten)]
    pub store: ApprovalStoreArgs,
    /// Print one JSON value and nothing else, which every command but `deliver` does anyway.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: ApprovalCommand,
}

#[derive(Subcommand)]
pub enum ApprovalCommand {
    /// Ask for the approval of a decision, as printed by `evaluate --json`.
    Create {
        /// File with the decision, or the id of a recorded one.
        decision_file: PathBuf,
        /// Group that has to approve; default is the group of the first routing rule that matches, then the
        /// decision's own.
        #[arg(long, value_name = "GROUP")]
        approver_group: Option<String>,
        #[command(flatten)]
        routing: RoutingArg,
        /// Who asks.
        #[arg(long, default_value = "ai-agent", value_name = "NAME")]
        requested_by: String,
        /// What the requester has to say; shown as theirs.
        #[arg(long, value_name = "TEXT")]
        request_note: Option<String>,
        /// Hours until the request lapses, 1 to 720.
        #[arg(long, default_value_t = 24, allow_negative_numbers = true, value_name = "HOURS")]
        ttl_hours: i64,
    },
    /// List approvals, newest first.
    List {
        /// Only this state.
        #[arg(long)]
        state: Option<String>,
        /// Only this group.
        #[arg(long, value_name = "GROUP")]
        approver_group: Option<String>,
        /// Page size, clamped to 1..500.
        #[arg(long, default_value_t = 50, allow_negative_numbers = true)]
        limit: i64,
        /// Start of the page.
        #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
        offset: i64,
    },
    /// Approve.
    Approve(RulingArgs),
    /// Deny.
    Deny(RulingArgs),
    /// Give up waiting.
    Expire {
        /// Approval.
        id: String,
        /// Who gives up; default is `system`, or who the identity names.
        #[arg(long, value_name = "NAME")]
        actor: Option<String>,
        /// Why.
        #[arg(long, default_value = "approval expired", value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        identity: ActorArgs,
    },
    /// Break the glass for a decision.
    BreakGlass {
        /// File with the decision, or the id of a recorded one.
        decision_file: PathBuf,
        /// Who takes responsibility; may be left out with an identity.
        #[arg(long, value_name = "NAME", required_unless_present_any = ["actor_claims", "actor_token"])]
        actor: Option<String>,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Group in whose name.
        #[arg(long, default_value = cavra_core::BREAK_GLASS_GROUP, value_name = "GROUP")]
        approver_group: String,
        /// Ticket or message elsewhere.
        #[arg(long, value_name = "TEXT")]
        external_ref: Option<String>,
        /// Hours until it ends, 1 to 24.
        #[arg(long, default_value_t = 4, allow_negative_numbers = true, value_name = "HOURS")]
        ttl_hours: i64,
        #[command(flatten)]
        routing: RoutingArg,
        #[command(flatten)]
        identity: ActorArgs,
    },
    /// Show which group the routing rules name; stores nothing.
    Route {
        /// File with the decision, or the id of a recorded one.
        decision_file: PathBuf,
        #[command(flatten)]
        routing: RoutingArg,
    },
    /// Write the messages that providers would get.
    ExportNotifications {
        /// Approval.
        id: String,
        /// Directory.
        #[arg(long, default_value = ".cavra/approvals/notifications", value_name = "DIR")]
        output: PathBuf,
        /// slack, teams, jira, servicenow, webhook or all.
        #[arg(long, default_value = "all")]
        provider: String,
    },
    /// Write the requests that providers would get, with placeholders for addresses and secrets.
    ProviderRequests {
        /// Approval.
        id: String,
        /// Directory.
        #[arg(long, default_value = ".cavra/approvals/provider-requests", value_name = "DIR")]
        output: PathBuf,
        /// slack, teams, jira, servicenow, webhook or all.
        #[arg(long, default_value = "all")]
        provider: String,
    },
    /// Send an approval to the systems of a provider file.
    Deliver(ApprovalDeliverArgs),
    /// Bring a SQLite store up to date; --sqlite names it, default .cavra/approvals.db.
    Migrate {
        /// Ignored: the migrations are built in.
        #[arg(long, default_value = "built-in", value_name = "DIR")]
        migrations_dir: String,
    },
}

#[derive(Args)]
pub struct ApprovalDeliverArgs {
    /// Approval.
    pub id: String,
    #[command(flatten)]
    pub send: SendArgs,
    /// Directory that what came of it is written into.
    #[arg(long, default_value = ".cavra/approvals/deliveries", value_name = "DIR")]
    pub output: PathBuf,
}

/// Which routing rules apply.
#[derive(Args)]
pub struct RoutingArg {
    /// Routing rules, JSON or YAML; default are the built-in rules.
    #[arg(long, value_name = "FILE", env = "CAVRA_APPROVAL_ROUTING_FILE")]
    pub routing_file: Option<PathBuf>,
}

#[derive(Args)]
pub struct RulingArgs {
    /// Approval.
    pub id: String,
    /// Who decides; may be left out with an identity.
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Ticket or message elsewhere.
    #[arg(long, value_name = "TEXT")]
    pub external_ref: Option<String>,
    #[command(flatten)]
    pub identity: ActorArgs,
}

/// Who acts, and which files say what they may do.
#[derive(Args)]
pub struct ActorArgs {
    /// File with the actor's claims, JSON.
    #[arg(long, value_name = "FILE")]
    pub actor_claims: Option<PathBuf>,
    /// File with the actor's OpenID Connect token.
    #[arg(long, value_name = "FILE")]
    pub actor_token: Option<PathBuf>,
    /// OpenID Connect configuration, JSON or YAML.
    #[arg(long, value_name = "FILE", env = "CAVRA_APPROVAL_OIDC_CONFIG")]
    pub oidc_config: Option<PathBuf>,
    /// Who may decide which approvals, JSON or YAML.
    #[arg(long, value_name = "FILE", env = "CAVRA_APPROVAL_RBAC_FILE")]
    pub rbac_file: Option<PathBuf>,
}
