//! Policy packs for cavra, in Rust.
//!
//! Implement [`PolicyPack`] for a type and hand it to [`export_policy_pack!`]; the README walks through a whole pack.
//! A pack is a pure function: it imports nothing, so it has no clock, files, network or randomness, and every
//! [`PolicyPack::evaluate`] starts from a fresh copy of the memory that [`PolicyPack::configure`] left behind.

extern crate self as cavra_sdk;

#[doc(hidden)]
pub mod bindings {
    //! Generated from `wit/policy.wit`, where the documentation is.
    #![allow(missing_docs, reason = "generated")]

    wit_bindgen::generate!({
        path: "wit",
        world: "policy-pack",
        pub_export_macro: true,
        export_macro_name: "export_bindings",
        default_bindings_module: "cavra_sdk::bindings",
        runtime_path: "::cavra_sdk::wit_bindgen::rt",
        additional_derives: [PartialEq],
    });
}

#[doc(hidden)]
pub use wit_bindgen;

mod pack;
pub mod testing;

pub use bindings::cavra::policy::types::{
    Action, Attribute, Certainty, ChangeEffect, CommandLine, CommandPart, Description, Diagnostic, Doubt, Effects,
    EnvironmentEffect, Facts, FileAccess, FileEffect, FileUse, Finding, GitOperation, McpRegistration, McpRegistry,
    McpToolCall, NetworkEffect, Outcome, Place, RunEffect, Severity, Spelling,
};
pub use pack::{PolicyPack, configure_once, evaluate_configured};

/// Exports a [`PolicyPack`] from the crate as the component's two functions. Use it once, in a `cdylib`.
#[macro_export]
macro_rules! export_policy_pack {
    ($pack:ty) => {
        const _: () = {
            static CONFIGURED: ::std::sync::OnceLock<$pack> = ::std::sync::OnceLock::new();

            struct Exported;

            impl $crate::bindings::Guest for Exported {
                fn configure(
                    document: ::std::string::String,
                ) -> ::std::result::Result<$crate::Description, ::std::vec::Vec<$crate::Diagnostic>> {
                    $crate::configure_once(&CONFIGURED, &document)
                }

                fn evaluate(action: $crate::Action, facts: $crate::Facts) -> ::std::vec::Vec<$crate::Finding> {
                    $crate::evaluate_configured(&CONFIGURED, &action, &facts)
                }
            }

            #[cfg(target_family = "wasm")]
    $crate::bindings::export_bindings!(Exported with_types_in $crate::bindings);
        };
    };
}
