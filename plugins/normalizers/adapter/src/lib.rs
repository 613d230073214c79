//! What all normalizers have in common: the contract's types in, `cavra-normalizer` behind, the contract's types out. A
//! normalizer is a [`Tool`] and [`export_tool!`].

extern crate self as normalizer_adapter;

#[doc(hidden)]
pub mod bindings {
    //! Generated from `wit/normalizer`, where the documentation is.
    #![allow(missing_docs, reason = "generated")]

    wit_bindgen::generate!({
        path: "../../../wit/normalizer/1.0.0",
        world: "normalizer",
        pub_export_macro: true,
        export_macro_name: "export_bindings",
        default_bindings_module: "normalizer_adapter::bindings",
        runtime_path: "::normalizer_adapter::wit_bindgen::rt",
    });
}

#[doc(hidden)]
pub use wit_bindgen;

use std::sync::{Mutex, PoisonError};

use bindings::cavra::normalizer::types::{Batch, Description, Fault, Observation, Problem, Refusal, Summary};
use cavra_normalizer as reader;
use serde_json::Value;

pub use cavra_normalizer::{EDR, INTUNE, JAMF, LINUX, Tool};

/// What settings look like.
const SETTINGS_SCHEMA: &str = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"target_map":{"description":"Which deployment target a text of the vendor means.","type":"object","additionalProperties":{"type":"string","maxLength":1024}}}}"#;

/// The one export of an instance.
static SESSION: Mutex<Option<reader::Session>> = Mutex::new(None);

/// What a tool's normalizer is.
#[must_use]
pub fn describe(tool: &Tool) -> Description {
    Description {
        id: tool.name.to_owned(),
        title: tool.title.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        formats: ["json", "json-lines", "csv"].map(str::to_owned).to_vec(),
        settings_schema: SETTINGS_SCHEMA.to_owned(),
    }
}

/// Begins an export of a tool.
///
/// # Errors
///
/// [`Refusal::Settings`].
pub fn begin(tool: &'static Tool, settings: &str) -> Result<(), Refusal> {
    let settings = reader::Settings::read(settings).map_err(refusal)?;
    *SESSION.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader::Session::open(tool, settings));
    Ok(())
}

/// The next bytes. Traps if no export was begun: a host that skipped `begin` must not get an answer.
///
/// # Errors
///
/// Why the export is not read.
pub fn chunk(bytes: &[u8]) -> Result<Batch, Refusal> {
    match &mut *SESSION.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(session) => session.chunk(bytes).map(batch).map_err(refusal),
        None => std::process::abort(),
    }
}

/// The end. Traps if no export was begun.
///
/// # Errors
///
/// Why the export is not read.
pub fn finish() -> Result<Summary, Refusal> {
    let Some(session) = SESSION.lock().unwrap_or_else(PoisonError::into_inner).take() else { std::process::abort() };
    let (last, summary) = session.finish().map_err(refusal)?;
    let problems = summary.problems.into_iter();
    Ok(Summary {
        last: batch(last),
        records: summary.records,
        skipped: summary.skipped,
        problems: problems.map(|it| Problem { sort: it.sort.to_owned(), message: it.message }).collect(),
        unknown_columns: summary.unknown_columns,
        about: Value::Object(summary.about).to_string(),
    })
}

fn batch(batch: reader::Batch) -> Batch {
    let observations = batch.observations.into_iter().map(|it| Observation {
        part: it.part,
        record_number: it.record,
        payload: it.payload,
    });
    Batch { observations: observations.collect(), retracted: batch.retracted }
}

fn refusal(refusal: reader::Refusal) -> Refusal {
    match refusal {
        reader::Refusal::Settings(what) => Refusal::Settings(what),
        reader::Refusal::NoRecords => Refusal::NoRecords,
        reader::Refusal::TooMany { records } => Refusal::TooMany(records),
        reader::Refusal::Unreadable(reader::Fault { offset, record, message }) => {
            Refusal::Unreadable(Fault { offset, record_number: record, message })
        }
    }
}

/// Exports the normalizer of a [`Tool`] from the crate. Use it once, in a `cdylib`.
#[macro_export]
macro_rules! export_tool {
    ($tool:path) => {
        const _: () = {
            use $crate::bindings::cavra::normalizer::types::{Batch, Description, Refusal, Summary};

            struct Exported;

            impl $crate::bindings::Guest for Exported {
                fn describe() -> Description {
                    $crate::describe(&$tool)
                }

                fn begin(settings: ::std::string::String) -> ::std::result::Result<(), Refusal> {
                    $crate::begin(&$tool, &settings)
                }

                fn chunk(bytes: ::std::vec::Vec<u8>) -> ::std::result::Result<Batch, Refusal> {
                    $crate::chunk(&bytes)
                }

                fn finish() -> ::std::result::Result<Summary, Refusal> {
                    $crate::finish()
                }
            }

            #[cfg(target_family = "wasm")]
    $crate::bindings::export_bindings!(Exported with_types_in $crate::bindings);
        };
    };
}
