//! The command line. docs/reference/decisions-and-policy.md, sections 12 and 13; docs/reference/approvals-identity-authoring.md, section 3.9.

mod agent;
mod approval;
mod delivery;
mod evidence;
mod fleet;
mod integration;
mod log;
mod ops;
mod plugin;
mod policy;
mod registry;
mod release;
mod replay;
mod runtime;
mod sending;
mod signing;
mod sla;
mod sla_lists;
#[cfg(test)]
mod tests;
mod token;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use cavra_model::ActionType;
use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub use agent::{AgentArgs, AgentCommand};
pub use approval::{
    ActorArgs, ApprovalArgs, ApprovalCommand, ApprovalDeliverArgs, ApprovalStoreArgs, RoutingArg, RulingArgs,
};
pub use delivery::{DeliveryCommand, DeliveryListArgs, DeliveryRetryArgs};
pub use evidence::{
    AttestArgs, BundleArgs, EvidenceCommand, ExportSiemArgs, IndexArgs, KeypairArgs, ReportArgs, ReportFormat,
    RetentionPolicyArgs, SearchArgs, StoragePlanArgs, TrustArgs, TrustBundleArgs, TrustDistributionArgs, TrustRootArgs,
    VerifyArgs, VerifyStatementArgs,
};
pub use fleet::{
    AutomateArgs, DeliverExportArgs, EndpointCommand, EndpointHistory, ExecuteRemediationArgs, ExportArgs,
    FreshnessArgs, HandoffArgs, HandoffStatusArgs, IngestArgs, ReconcileArgs, RemediationArgs, RemediationAsk,
};
pub use integration::{DeliverArgs, IntegrationCommand, IntegrationTestArgs};
pub use log::{LogCommand, LogVerifyArgs, ProofArgs};
pub use ops::{BackupArgs, OpsCommand, RestoreArgs, RetentionApplyArgs, RetentionPlanArgs};
pub use plugin::{
    ArchivePluginArgs, BenchPluginArgs, BuildPluginArgs, GrantPluginArgs, InstallPluginArgs, NewPluginArgs, PluginArgs,
    PluginCommand, SignPluginArgs,
};
pub use policy::{DemoCommand, PolicyCommand, ScenarioArgs};
pub use registry::{AgentDraft, RegistryArgs, RegistryCommand, RegistryStoreArgs, ServerDraft};
pub use release::{
    AirgapArgs, ApprovalTargetArgs, AuditArgs, CaptureArgs, ChannelArgs, ExecutionArgs, HistoryArgs, HistoryStoreArgs,
    MetadataArgs, PackageFlags, PromotionArgs, PromotionRequestArgs, ReleaseCommand, ReleaseDeliverArgs, RollbackArgs,
    SmokeArgs, VerifyRolloutArgs,
};
pub use replay::ReplayArgs;
pub use runtime::{
    DrillAckArgs, DrillEscalationArgs, DrillFilesArgs, DrillPlanArgs, DrillScheduleArgs, RuntimeCommand,
};
pub use sending::{SendArgs, WayArgs};
pub use signing::{PolicySignArgs, PolicyVerifyArgs};
pub use sla::{
    SlaAckArgs, SlaAlertArgs, SlaAuditArgs, SlaAutomationArgs, SlaByArgs, SlaCommand, SlaDigestArgs, SlaFollowArgs,
    SlaForceArgs, SlaHealthArgs, SlaNotifyArgs, SlaPlanArgs, SlaReportArgs, SlaReviewArgs, SlaStoreArgs,
};
pub use sla_lists::{SlaListArgs, SlaNoticeFilters, SlaPageArgs};
pub use token::TokenCommand;

/// The runtime authority in front of AI coding agents: before the agent acts, cavra decides.
#[derive(Parser)]
#[command(name = "cavra", version, propagate_version = false)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The arguments of this process; ends it if they are wrong. To describe all commands takes longer than to load a
    /// pack, and an agent waits for its hook, so only that one is described if it is what was asked for.
    pub fn read() -> Self {
        if std::env::args_os().nth(1).is_some_and(|command| command == "hook") {
            let HookCli { command: OnlyHook::Hook(args) } = HookCli::parse();
            return Self { command: Command::Hook(args) };
        }
        Self::parse()
    }
}

/// [`Cli`] as far as `cavra hook` goes.
#[derive(Parser)]
#[command(name = "cavra", disable_version_flag = true, propagate_version = false)]
struct HookCli {
    #[command(subcommand)]
    command: OnlyHook,
}

#[derive(Subcommand)]
enum OnlyHook {
    /// Judge one event of an agent: JSON on standard input, the agent's own answer format on standard output.
    Hook(HookArgs),
}

#[derive(Subcommand)]
pub enum Command {
    /// Print the version.
    Version(Json),
    /// Decide one action locally; records no decision, but uses up an approval that lets the action happen.
    Evaluate(EvaluateArgs),
    /// Read, check and compare policy packs.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Make, sign, inspect and install plugins.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Ask for, decide and list approvals.
    Approval(ApprovalArgs),
    /// Run and audit an agent's commands.
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Verify release packages; capture, promote and roll back rollouts.
    #[command(subcommand)]
    Release(ReleaseCommand),
    /// Prove what happened: make, verify and export evidence.
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// Send events to other systems.
    #[command(subcommand)]
    Integration(IntegrationCommand),
    /// Say when drills of the way back are due, and who is told.
    #[command(subcommand)]
    Runtime(RuntimeCommand),
    /// Register agents and MCP servers, and ask what the registry says of them.
    Registry(RegistryArgs),
    /// Look after the deliveries to integrations that want to be told what happens.
    #[command(subcommand)]
    Delivery(DeliveryCommand),
    /// Make and revoke API tokens of machines.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Show the settings in force.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Move and look after the stores of this installation.
    #[command(subcommand)]
    Ops(OpsCommand),
    /// Serve the HTTP interface.
    Serve(ServeArgs),
    /// Judge one event of an agent: JSON on standard input, the agent's own answer format on standard output.
    Hook(HookArgs),
    /// Speak the Model Context Protocol on standard input and output.
    McpServer(McpServerArgs),
    /// Set cavra up for an agent in this project.
    #[command(subcommand)]
    Init(InitCommand),
    /// Prove that the guard is on: canaries have to be refused, and nothing may lead round the hook.
    Doctor(DoctorArgs),
    /// Say what agents, hooks, MCP servers and policies are on this machine, as an inventory of it.
    AgentReport(AgentReportArgs),
    /// Show what cavra does, with the real engine.
    #[command(subcommand)]
    Demo(DemoCommand),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write man pages into a directory.
    Man {
        /// The directory; created if missing.
        directory: PathBuf,
    },
    /// Compile a plugin (started by cavra itself, in a process with limits of its own).
    #[command(name = "__compile", hide = true)]
    Compile,
}

/// Print JSON.
#[derive(Args, Clone, Copy)]
pub struct Json {
    /// Print one JSON value and nothing else.
    #[arg(long)]
    pub json: bool,
}

/// Which policy decides.
#[derive(Args, Clone)]
pub struct PackArg {
    /// Policy pack; default is the pack file in CAVRA_POLICY, else cavra-ai-agent-baseline.
    #[arg(long, value_name = "ID")]
    pub policy_pack: Option<String>,
    /// Policy file or pack directory that decides instead.
    #[arg(long, value_name = "PATH", conflicts_with = "policy_pack")]
    pub policy_file: Option<PathBuf>,
}

#[derive(Args)]
pub struct EvaluateArgs {
    /// read_file, write_file, execute_command, git_operation or mcp_tool_call.
    #[arg(value_parser = action_type)]
    pub action_type: ActionType,
    /// Path, command line, remote/branch, or MCP server.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub target: String,
    #[command(flatten)]
    pub pack: PackArg,
    #[command(flatten)]
    pub action: ActionArgs,
    #[command(flatten)]
    pub identity: IdentityArgs,
    /// Approval that covers the action; one of the same session is found without.
    #[arg(long, value_name = "ID")]
    pub approval: Option<String>,
    /// enforce, audit_only, strict or break_glass.
    #[arg(long, default_value = "enforce")]
    pub policy_mode: String,
    /// Why the glass is broken.
    #[arg(long, value_name = "TEXT")]
    pub break_glass_reason: Option<String>,
    /// Who breaks the glass.
    #[arg(long, value_name = "TEXT")]
    pub break_glass_actor: Option<String>,
    /// Exit with 10 for require_approval and 20 for block.
    #[arg(long)]
    pub exit_code: bool,
    #[command(flatten)]
    pub json: Json,
}

/// Details of an action that have defaults.
#[derive(Args, Clone, Default)]
pub struct ActionArgs {
    /// Git operation.
    #[arg(long)]
    pub operation: Option<String>,
    /// MCP tool.
    #[arg(long)]
    pub tool: Option<String>,
    /// Capability the MCP call needs.
    #[arg(long)]
    pub capability: Option<String>,
}

/// Who asks.
#[derive(Args, Clone, Default)]
pub struct IdentityArgs {
    /// Session.
    #[arg(long)]
    pub session_id: Option<String>,
    /// Agent.
    #[arg(long)]
    pub agent_id: Option<String>,
    /// Who is behind the agent.
    #[arg(long)]
    pub actor: Option<String>,
    /// Repository.
    #[arg(long)]
    pub repository: Option<String>,
}

#[derive(Args)]
pub struct ServeArgs {
    /// Address to listen on; or localhost, which is 127.0.0.1.
    #[arg(long, default_value = "127.0.0.1", value_parser = host)]
    pub host: IpAddr,
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8000)]
    pub port: u16,
    /// Listen on an address others can reach although nothing authenticates them.
    #[arg(long)]
    pub allow_unauthenticated: bool,
    /// Start although a database is new and the records of its area are in a JSON file, and leave those behind.
    #[arg(long)]
    pub ignore_json: bool,
}

#[derive(Args)]
pub struct HookArgs {
    /// The agent.
    pub agent: Agent,
    /// Seconds that the agent waits for its hook, as its settings say; the hook refuses before.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
    #[command(flatten)]
    pub pack: PackArg,
}

impl HookArgs {
    /// The time that the agent waits.
    pub const fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// Agents with a hook.
#[derive(Clone, Copy, ValueEnum)]
pub enum Agent {
    /// Claude Code's `PreToolUse`.
    ClaudeCode,
}

#[derive(Args)]
#[command(group = ArgGroup::new("printed").multiple(true))]
pub struct McpServerArgs {
    /// Print the tools as JSON and exit.
    #[arg(long, group = "printed")]
    pub list_tools: bool,
    /// Print the decision about a command as JSON and exit.
    #[arg(long, value_name = "TEXT", group = "printed")]
    pub check_command: Option<String>,
    /// JSON is what it prints anyway.
    #[arg(long, requires = "printed")]
    pub json: bool,
    #[command(flatten)]
    pub pack: PackArg,
}

#[derive(Subcommand)]
pub enum InitCommand {
    /// Claude Code: pack, MCP server and hook.
    ClaudeCode(InitArgs),
}

#[derive(Args)]
pub struct InitArgs {
    /// Do not install the `PreToolUse` hook.
    #[arg(long)]
    pub no_hook: bool,
    /// Set up this directory, even if it lies inside a repository.
    #[arg(long)]
    pub here: bool,
    /// Pack that the project's policy inherits.
    #[arg(long, value_name = "ID")]
    pub policy_pack: Option<String>,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct AgentReportArgs {
    /// Name of this machine; default is its host name.
    #[arg(long, value_name = "ID")]
    pub endpoint_id: Option<String>,
    /// Deployment target that it belongs to.
    #[arg(long, value_name = "ID")]
    pub deployment_target: Option<String>,
    /// Release channel that it follows.
    #[arg(long, value_name = "NAME")]
    pub channel: Option<String>,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct DoctorArgs {
    #[command(subcommand)]
    pub about: Option<DoctorCommand>,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Subcommand)]
pub enum DoctorCommand {
    /// Whether integrations and connectors can work as they are configured; nothing is sent.
    Integrations(Json),
    /// Whether servers do the jobs that they are to do by themselves (`CAVRA_WORKERS`); nothing is done.
    Workers(Json),
}

#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Print every setting with its value; secrets are masked.
    Show(Json),
}

/// An address to listen on. Of all names only the one that needs nobody to ask.
fn host(text: &str) -> Result<IpAddr, String> {
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    text.parse().map_err(|_| "neither an IP address nor localhost".to_owned())
}

fn action_type(name: &str) -> Result<ActionType, String> {
    name.parse().map_err(|()| format!("known are {}", ActionType::ALL.map(ActionType::as_str).join(", ")))
}
