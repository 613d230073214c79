//! The use cases of cavra: decide, record, list, describe. The only crate that knows the packs, the plugin runtime
//! and the stores at once; the HTTP interface, the CLI, the hooks and the MCP adapter are thin callers of it.

mod activity;
mod app;
mod approvals;
mod archive;
mod areas;
mod artifacts;
mod attributes;
mod authoring;
mod backtest;
mod caller;
mod console;
mod dashboards;
mod decide;
mod deliveries;
mod error;
mod evidence;
mod evidence_log;
mod fields;
mod fleet;
mod govern;
mod import;
mod integrations;
mod inventory;
mod learn;
mod lease;
mod notify;
mod operations;
mod outbox;
mod outgoing;
mod pack_trust;
mod page;
mod pilot;
mod plugins;
mod project;
mod recent;
mod redaction;
mod redecide;
mod registry;
mod releases;
mod reload;
mod replay;
mod request;
mod rerun;
mod rollouts;
mod ruled;
mod sandbox;
mod scenario;
mod screen;
mod settings;
mod telemetry;
mod tokens;
mod told;
mod views;
mod workers;

pub use activity::Activity;
pub use app::{App, Engine, plugins};
pub use approvals::{
    ActionClaim, Approvals, BREAK_GLASS_GROUP, Claim, MAX_BREAK_GLASS_HOURS, MAX_TTL_HOURS, NewApproval,
    approval_messages, approval_requests, may_decide, read_routing,
};
pub use areas::{
    ACTIVITY_KINDS, APPROVAL_KINDS, AREAS, Area, EVIDENCE_KINDS, INTEGRATION_KINDS, INVENTORY_KINDS, REGISTRY_KINDS,
    TOKEN_KINDS, look_at_store, open_store,
};
pub use artifacts::{ArtifactRoute, Download};
pub use attributes::Attributes;
pub use authoring::scope as backtest_scope;
pub use backtest::{Backtest, BacktestScope, Changed, Example, MAX_BACKTEST};
pub use caller::{Author, Caller, Doer};
pub use cavra_connect::{Arrived, Press};
pub use cavra_notify::{Family, families};
pub use console::{console_config, console_session, security_boundary};
pub use dashboards::Dashboard;
pub use decide::{DecisionPoint, Verdict};
pub use deliveries::DELIVERY_VIEW;
pub use error::CoreError;
pub use evidence::{Evidence, Written, kind_of};
pub use evidence_log::{
    Audit, EvidenceLog, Files, Head, Keyring, KnownKey, KnownLog, LOGS, Leaf, Leaves, LogError, LogEvent, LogIdentity,
    LogState, PublishedLog, RecordAudit, RecordFault, RemoteLog, Served, Standing, TileVisitor, audit, audit_records,
    log_store,
};
pub use fields::{FIELD_LIMIT, ID_LIMIT, check_id};
pub use fleet::{
    AUTOMATION_DASHBOARD, CheckedExport, Desired, EXPORT_DASHBOARD, EndpointDashboard, Established, ExportText,
    FRESHNESS_DASHBOARD, HANDOFF_DASHBOARD, HANDOFF_STATUS_DASHBOARD, INGESTION_DASHBOARD, InventoryExport,
    ManifestTrust, PUBLICATION_DASHBOARD, PublishRequest, RECONCILIATION_DASHBOARD, REMEDIATION_DASHBOARD,
    check_strategy,
};
pub use govern::{Governed, Governor};
pub use import::{LeftBehind, import, left_behind};
pub use inventory::Inventory;
pub use learn::{Lessons, Proposal, Reason};
pub use notify::{
    Ask, Asked, Board, Call, DRILL_ALERTS, DRILL_ALERTS_BOARD, DRILL_NOTIFICATIONS, DRILL_NOTIFICATIONS_BOARD,
    DRILL_RUNS, DRILL_RUNS_BOARD, History, Operation, SLA_ACTIONS, SLA_ACTIONS_BOARD, SLA_ALERTS, SLA_ALERTS_BOARD,
    SLA_ESCALATIONS, SLA_ESCALATIONS_BOARD, SLA_NOTIFICATIONS, SLA_NOTIFICATIONS_BOARD, SLA_RECURRENCES,
    SLA_RECURRENCES_BOARD, SLA_REPORTS, SLA_REPORTS_BOARD, SLA_RUNS, SLA_RUNS_BOARD, STANDING_ALERTS,
    STANDING_ALERTS_BOARD, WAITING_ESCALATIONS, WAITING_ESCALATIONS_BOARD, WAITING_REMINDERS, WAITING_REMINDERS_BOARD,
};
pub use operations::{
    Disposal, RetentionRequest, StoreItem, Target, Vitals, apply_retention, backup, rehearse, restore,
    retention_markdown, retention_plan, store_items, stores_document, verify_backup,
};
pub use outbox::Deliveries;
pub use outgoing::{Delivered, DeliveryEvidence, Outgoing, approval_connectors, delivery_record, send_approval};
pub use pack_trust::PackSignatures;
pub use page::{MAX_LIMIT, ORDERS, PageRequest};
pub use pilot::{PilotMode, PilotReports, PilotSettings, drill_schedule, pilot_reports};
pub use plugins::supplied_pack;
pub use project::{GitTree, PROJECT_CONFIG, PROJECT_POLICY, Project, ProjectConfig, Roots, cleaned, project_around};
pub use redaction::Redactor;
pub use redecide::{NotRepeatable, Stored};
pub use registry::{Registry, ServerIdentity};
pub use releases::{PROMOTION_DELIVERY, Promotion, ROLLBACK_DELIVERY, ReleaseKeys, ask_promotion, package_signers};
pub use reload::{Live, Reloads};
pub use replay::{Difference, DifferentMember, Replay, ReplayScope};
pub use request::{At, DecisionRequest};
pub use sandbox::{RunDocument, sandbox_scenarios};
pub use scenario::{Step, before_the_agent_acts};
pub use screen::Protected;
pub use settings::{Origin, SETTINGS, Setting, Settings, ShownSetting, Without, shown_settings, unknown_variables};
pub use telemetry::Exporter;
pub use tokens::{ApiTokens, Machine};
pub use views::risk_event;
pub use workers::{JobRun, Workers};
