//! What is accepted as a guest.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use cavra_guest_build::{BuildError, encode};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A core module with the metadata of a world, as `wit-bindgen` would emit it.
fn guest(wat: &str, world: &str) -> Vec<u8> {
    let mut module = wat::parse_str(wat).unwrap();
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", &format!("package test:guest;\nworld guest {{ {world} }}")).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    module
}

const EXPORTS: &str = r#"(module (func (export "run")))"#;
const IMPORTS: &str = r#"(module (import "$root" "call" (func)) (func (export "run") call 0))"#;

#[test]
fn a_pure_guest_is_encoded() {
    let wasm = encode("pure", &guest(EXPORTS, "export run: func();")).unwrap();
    assert!(matches!(wit_component::decode(&wasm).unwrap(), wit_component::DecodedWasm::Component(..)));
}

#[test]
fn a_guest_that_imports_is_refused_by_name() {
    let error = encode("curious", &guest(IMPORTS, "import call: func(); export run: func();")).unwrap_err();
    assert!(matches!(&error, BuildError::Imports { imports, .. } if imports == &["call"]), "{error:?}");
    assert_eq!(error.to_string(), "curious must import nothing, but imports call");
}

#[test]
fn other_bytes_are_refused() {
    assert!(matches!(encode("noise", b"noise").unwrap_err(), BuildError::Encode { .. }));
}
