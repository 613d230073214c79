//! What the tests share: temp directories, the built binary, servers, HTTP, stores written by hand.

mod backend;
mod documented;
mod home;
mod http;
mod issuer;
mod json;
mod packages;
mod receiver;
mod server;

pub use backend::{Backend, OldDecision, on_both, records};
pub use documented::strict;
pub use home::{Home, Output, PATIENCE, end_of};
pub use http::{Connection, Response};
pub use issuer::Issuer;
pub use json::{assert_id, assert_timestamp, canonical, keys, sha256, strings, text};
pub use packages::{node, node_sdk, python, python_sdk};
pub use receiver::Receiver;
pub use server::{Server, Shared};

/// Name of the default pack.
pub const BASELINE: &str = "cavra-ai-agent-baseline";

/// The repository's root.
pub fn repository() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A `policy.yaml` of the given id; `rest` holds further lines, `metadata` members first, indented by two.
pub fn pack_yaml(id: &str, rest: &str) -> String {
    format!("metadata:\n  id: {id}\n  title: Title of {id}\n  description: For a test\n  version: \"3.2.1\"\n{rest}")
}
