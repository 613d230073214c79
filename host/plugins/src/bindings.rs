//! Host side of the plugin contract, generated from the WIT.
#![allow(missing_docs, clippy::all, reason = "generated code; the WIT is its documentation")]

wasmtime::component::bindgen!({
    path: "../../wit/policy/1.0.0",
    world: "policy-pack",
    exports: { default: async },
});
