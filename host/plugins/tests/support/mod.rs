//! Fixtures as components, and what tests ask of them.
#![allow(dead_code, reason = "each test target uses a part")]

use std::path::Path;
use std::sync::Arc;

use cavra_model::{
    Action, CommandLine, Digest, Facts, FileAccess, Finding, GitOperation, McpRegistry, McpToolCall, Timestamp,
};
use cavra_plugins::{HostConfig, Origin, PackSource, PluginError, PluginHost, PolicyPack};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

const NEWEST: &str = include_str!("../../../../wit/policy/1.1.0/policy.wit");
const OLDEST: &str = include_str!("../../../../wit/policy/1.0.0/policy.wit");

/// The versions of the contract that the host speaks.
pub const VERSIONS: [(&str, &str); 2] = [("1.0.0", OLDEST), ("1.1.0", NEWEST)];

/// The component of a fixture, for the newest contract.
pub fn component(fixture: &str) -> Vec<u8> {
    component_for(fixture, NEWEST)
}

/// The component of a fixture whose contract differs: `replace` is made `with` in the WIT.
pub fn component_with(fixture: &str, replace: &str, with: &str) -> Vec<u8> {
    assert!(NEWEST.contains(replace));
    component_for(fixture, &NEWEST.replace(replace, with))
}

/// The component of a fixture, for a contract.
pub fn component_for(fixture: &str, wit: &str) -> Vec<u8> {
    component_of(&module("", fixture), wit, "policy-pack")
}

/// The module of a fixture in a folder of the fixtures, with the prelude of that folder.
pub fn module(folder: &str, fixture: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let read = |name: &str| std::fs::read_to_string(dir.join(name).with_extension("wat")).unwrap();
    // Imports have to come first in a module.
    let (imports, rest) =
        read(fixture).lines().map(str::to_owned).partition::<Vec<_>, _>(|line| line.starts_with("(import"));
    format!("(module {}\n{}\n{})", imports.join("\n"), read("prelude"), rest.join("\n"))
}

/// A module as a component of a world of that contract.
pub fn component_of(module: &str, wit: &str, world: &str) -> Vec<u8> {
    let mut module = wat::parse_str(module).unwrap();
    let mut resolve = Resolve::default();
    let package = resolve.push_str("contract.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

pub fn host(config: HostConfig) -> PluginHost {
    PluginHost::new(config).unwrap()
}

pub async fn load(host: &PluginHost, name: &str, wasm: &[u8], document: &str) -> Result<Arc<PolicyPack>, PluginError> {
    load_from(host, name, wasm, document, Origin::FirstParty).await
}

pub async fn load_from(
    host: &PluginHost,
    name: &str,
    wasm: &[u8],
    document: &str,
    origin: Origin,
) -> Result<Arc<PolicyPack>, PluginError> {
    let (wasm_digest, document_digest) = (Digest::of(wasm), Digest::of(document));
    host.policy_pack(PackSource {
        plugin: name,
        version: "1.0.0",
        wasm,
        wasm_digest: wasm_digest.as_str(),
        document,
        document_digest: document_digest.as_str(),
        origin,
        within: cavra_plugins::Within::default(),
    })
    .await
}

pub async fn ask(pack: &PolicyPack) -> Result<Vec<Finding>, PluginError> {
    pack.evaluate(&read_file(), &facts()).await
}

pub fn read_file() -> Action {
    Action::ReadFile(FileAccess { path: "src/lib.rs".to_owned(), content: None })
}

/// One action of each kind, in the order of the contract.
pub fn actions() -> [Action; 5] {
    let git = GitOperation {
        operation: "push".to_owned(),
        target: "origin main".to_owned(),
        branch: "main".to_owned(),
        branch_path: "main".to_owned(),
        is_push: true,
        removes_branch: false,
    };
    let command = CommandLine {
        written: "ls".to_owned(),
        text: "ls".to_owned(),
        parts: Vec::new(),
        reads: Vec::new(),
        writes: Vec::new(),
        git: vec![git.clone()],
        unresolved: None,
        effects: Box::default(),
    };
    let call = McpToolCall {
        server: "files".to_owned(),
        tool: "read".to_owned(),
        capability: None,
        arguments: Some("{}".to_owned()),
    };
    [
        read_file(),
        Action::WriteFile(FileAccess { path: "a".to_owned(), content: Some("text".to_owned()) }),
        Action::ExecuteCommand(command),
        Action::GitOperation(git),
        Action::McpToolCall(call),
    ]
}

pub fn facts() -> Facts {
    Facts {
        now: Timestamp::from_micros(1_900_000_000_000_000),
        session_id: "s-1".to_owned(),
        agent_id: "agent".to_owned(),
        actor: "ada".to_owned(),
        repository: "pay/api".to_owned(),
        mcp_registry: McpRegistry::NotConsulted,
        attributes: vec![("repository.risk_tier".to_owned(), "high".to_owned())],
    }
}

/// Asserts that a pack answers as a well-behaved pack in a fresh instance does.
pub async fn assert_fresh(pack: &PolicyPack) {
    let findings = ask(pack).await.unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].rule_id.as_str(), findings[0].reason.as_str()), ("fixture.rule", "fresh"));
}
