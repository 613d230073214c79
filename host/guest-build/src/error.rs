//! What can go wrong.

use std::path::PathBuf;

use crate::TARGET;

/// Why guests could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A program could not be started.
    #[error("cannot run `{program}`: {source}")]
    Spawn {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// The compilation target is missing and could not be installed.
    #[error(
        "building plugins needs the Rust target {TARGET}, which is not installed; run `rustup target add {TARGET}` ({reason})"
    )]
    TargetMissing {
        /// Why it could not be installed.
        reason: String,
    },
    /// Cargo reported failure.
    #[error("building the guests of {workspace} failed:\n{output}")]
    Cargo {
        /// The guests' workspace.
        workspace: PathBuf,
        /// What cargo printed.
        output: String,
    },
    /// Cargo's description of the workspace could not be understood.
    #[error("`cargo metadata` of {workspace} is not as expected: {message}")]
    Metadata {
        /// The guests' workspace.
        workspace: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Cargo succeeded but the module is not there.
    #[error("cannot read {file}: {source}")]
    Artifact {
        /// Where it was expected.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The module cannot be made a component.
    #[error("{name} cannot be encoded as a component: {message}")]
    Encode {
        /// The guest.
        name: String,
        /// The encoder's message.
        message: String,
    },
    /// The component wants something from its host.
    #[error("{name} must import nothing, but imports {}", imports.join(", "))]
    Imports {
        /// The guest.
        name: String,
        /// What it imports.
        imports: Vec<String>,
    },
}
