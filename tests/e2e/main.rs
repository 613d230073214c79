//! End-to-end tests: the built binary, driven from outside, against the contract.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::needless_pass_by_value,
    clippy::type_complexity,
    reason = "a test says what is wrong by failing"
)]

mod access;
mod access_page;
mod agent_report;
mod approval_gate;
mod approval_persons;
mod approval_subjects;
mod approvals;
mod approved_actions;
mod architecture;
mod archive;
mod artifacts;
mod authoring;
mod authorization;
mod authorization_rules;
mod bodies;
mod broken_records;
mod cases;
mod chat_approvals;
mod cli_agent;
mod cli_approval;
mod cli_backtest;
mod cli_evaluate;
mod cli_learn;
mod cli_policy;
mod cli_policy_signing;
mod cli_registry;
mod cli_sandbox;
mod commands;
mod components;
mod console;
mod deliveries;
mod durability;
mod evidence;
mod evidence_cli;
mod evidence_documents;
mod evidence_log;
mod evidence_log_python;
mod evidence_log_tampering;
mod evidence_log_url;
mod evidence_values;
mod features;
mod fleet;
mod fleet_cli;
mod fleet_lists;
mod fleet_refusals;
mod guides;
mod hook;
mod hook_tools;
mod hostile_receivers;
mod http_details;
mod integration_deliver;
mod integrations;
mod inventory;
mod inventory_exports;
mod listening;
mod lists;
mod long_work;
mod mcp_client;
mod mcp_registry;
mod mcp_server;
mod mutations;
mod notify_cli;
mod notify_drills;
mod notify_sla;
mod notify_walks;
mod oidc_provider;
mod openapi;
mod operations;
mod operations_backup;
mod operations_examples;
mod outbox;
mod own_connectors;
mod pack_components;
mod pack_signatures;
mod packs;
mod plugin_supply_chain;
mod plugins;
mod promotion;
mod promotion_refusals;
mod publish_crash;
mod published_yaml;
mod publishing;
mod reading;
mod records;
mod redaction;
mod registry;
mod registry_decisions;
mod release_cli;
mod reload;
mod replay;
mod requests;
mod retention;
mod rollouts;
mod sandbox;
mod sdk_guides;
mod sdk_plugins;
mod sdk_types;
mod secrets;
mod sessions;
mod setup;
mod standing_alerts;
mod stores;
mod streams;
mod support;
mod telemetry;
mod tokens;
mod walks;
mod workers;

#[path = "../../host/release/tests/support/mod.rs"]
mod release_package;
