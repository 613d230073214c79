//! Attacks on identity through the crate's public API. docs/reference/approvals-identity-authoring.md, section 2.

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

mod actors;
mod claims;
mod configuration;
mod discovery;
mod encoding;
mod envelopes;
mod headers;
mod keys;
mod mutations;
mod permissions;
mod support;
