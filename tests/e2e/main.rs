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

mod approvals;
mod approved_actions;
mod architecture;
mod cases;
mod cli_agent;
mod cli_evaluate;
mod cli_policy;
mod commands;
mod components;
mod durability;
mod hook;
mod listening;
mod lists;
mod mcp_client;
mod mcp_registry;
mod mcp_server;
mod openapi;
mod packs;
mod records;
mod redaction;
mod replay;
mod requests;
mod sessions;
mod stores;
mod support;
