//! What is embedded is what the rest of the binary relies on.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails here has failed")]

use cavra_builtin::{
    Component, NORMALIZER_EDR, NORMALIZER_INTUNE, NORMALIZER_JAMF, NORMALIZER_LINUX, PACKS, POLICY_RULES,
};
use sha2::{Digest, Sha256};
use wit_component::DecodedWasm;
use wit_parser::WorldItem;

#[test]
fn the_digest_is_of_the_bytes() {
    let hex: String = Sha256::digest(POLICY_RULES.wasm).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(POLICY_RULES.digest, format!("sha256:{hex}"));
    assert_eq!((POLICY_RULES.name, POLICY_RULES.version), ("policy-rules", "0.1.0"));
}

/// What a component exports, once it is certain that it imports nothing that could be called.
fn exports(component: &Component) -> Vec<String> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component.wasm).unwrap() else {
        panic!("not a component");
    };
    let world = &resolve.worlds[world];
    for (key, item) in &world.imports {
        let callable = match item {
            WorldItem::Interface { id, .. } => !resolve.interfaces[*id].functions.is_empty(),
            WorldItem::Function(_) => true,
            WorldItem::Type { .. } => false,
        };
        assert!(!callable, "imports {}", resolve.name_world_key(key));
    }
    world.exports.keys().map(|key| resolve.name_world_key(key)).collect()
}

#[test]
fn components_are_of_their_worlds() {
    assert_eq!(exports(&POLICY_RULES), ["configure", "evaluate"]);
    for (component, name) in NORMALIZERS {
        assert_eq!(component.name, name);
        assert_eq!(exports(component), ["describe", "begin", "chunk", "finish"], "{name}");
    }
}

static NORMALIZERS: [(&Component, &str); 4] = [
    (&NORMALIZER_EDR, "normalizer-edr"),
    (&NORMALIZER_INTUNE, "normalizer-intune"),
    (&NORMALIZER_JAMF, "normalizer-jamf"),
    (&NORMALIZER_LINUX, "normalizer-linux"),
];

/// A large engine is slow to compile where packs are loaded; see the crate `cavra-rules` before raising this.
#[test]
fn components_stay_small() {
    assert!(POLICY_RULES.wasm.len() < 210_000, "{} bytes", POLICY_RULES.wasm.len());
    for (component, name) in NORMALIZERS {
        assert!(component.wasm.len() < 280_000, "{name}: {} bytes", component.wasm.len());
    }
}

#[test]
fn the_component_does_not_tell_where_it_was_built() {
    let folder = env!("CARGO_MANIFEST_DIR").trim_end_matches("/host/builtin").as_bytes();
    assert!(!POLICY_RULES.wasm.windows(folder.len()).any(|window| window == folder));
}

#[test]
fn packs_are_sorted_and_there() {
    assert!(PACKS.is_sorted_by(|a, b| a.name < b.name));
    assert!(PACKS.iter().any(|pack| pack.name == "cavra-ai-agent-baseline" && pack.policy_yaml.contains("metadata")));
}

/// The SDK can be used alone, so it has a copy of the contract.
#[test]
fn the_sdk_has_the_newest_contract_as_published() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let published = std::fs::read(format!("{root}/wit/policy/1.1.0/policy.wit")).unwrap();
    assert!(published == std::fs::read(format!("{root}/sdk/rust/wit/policy.wit")).unwrap());
}
