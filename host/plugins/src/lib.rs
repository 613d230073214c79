//! The plugin runtime: the only crate that names wasmtime.
//!
//! A policy pack is a component that imports nothing, plus a document it interprets. Loading compiles the component,
//! runs `configure(document)` once and keeps a snapshot of the memory it left behind, so that every decision starts
//! in a fresh instance that is already configured. A pack can only compute: it has no clock, files, network,
//! randomness or memory of earlier calls.
//!
//! Components of other worlds are compiled and linked the same way, without a document and a snapshot. Each is asked in
//! sessions: a fresh instance with one budget, for one call ([`Connector`]) or several
//! ([`Normalizer`]).
//!
//! What a pack may use is decided in [`Limits`], and no call can be made without them: one function makes stores.
//! What goes wrong is a [`PluginError`] that names the plugin, its version and its digest; nothing that goes wrong
//! is ever an empty answer, because an empty answer means "no opinion".

mod bindings;
mod cache;
mod child;
mod compile;
pub mod connector;
mod engine;
mod error;
mod host;
mod limits;
mod linked;
mod loaded;
pub mod normalizer;
mod pack;
mod places;
mod plugin;
mod policy;
mod snapshot;
mod store;
mod wire;
mod world;

pub use child::compile_worker;
pub use connector::Connector;
pub use error::{Diagnostic, PluginError, PluginErrorKind};
pub use host::{ComponentSource, HostConfig, Origin, PackSource, PluginHost, PoolUsage};
pub use limits::{CallLimits, LimitOutOfRange, Limits, Within};
pub use normalizer::Normalizer;
pub use pack::{Description, PolicyPack};
