//! Host side of the plugin contracts, generated from the WIT: one module for each world and version.
#![allow(missing_docs, clippy::all, reason = "generated code; the WIT is its documentation")]

/// `cavra:policy@1.0.0`.
pub(crate) mod policy_1_0 {
    wasmtime::component::bindgen!({
        path: "../../wit/policy/1.0.0",
        world: "policy-pack",
        exports: { default: async },
    });
}

/// `cavra:policy@1.1.0`.
pub(crate) mod policy_1_1 {
    wasmtime::component::bindgen!({
        path: "../../wit/policy/1.1.0",
        world: "policy-pack",
        exports: { default: async },
    });
}

/// `cavra:connector@1.0.0`.
pub(crate) mod connector_1_0 {
    wasmtime::component::bindgen!({
        path: "../../wit/connector/1.0.0",
        world: "connector",
        exports: { default: async },
        additional_derives: [PartialEq],
    });
}

/// `cavra:normalizer@1.0.0`.
pub(crate) mod normalizer_1_0 {
    wasmtime::component::bindgen!({
        path: "../../wit/normalizer/1.0.0",
        world: "normalizer",
        exports: { default: async },
        additional_derives: [PartialEq],
    });
}
