//! Turns a Cargo workspace of guest crates into WebAssembly components, with nothing but cargo itself.
//!
//! Every `cdylib` of the workspace is built for `wasm32-unknown-unknown` in release mode and encoded as a component
//! in this process. A component that imports anything callable is refused: a plugin can only compute.

mod cargo;
mod error;
mod target;

use std::path::Path;

use wit_component::{ComponentEncoder, DecodedWasm};
use wit_parser::WorldItem;

pub use cargo::guest_environment;
pub use error::BuildError;

/// The target guests are compiled for: no WASI, so nothing to import.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// One component, ready to be loaded.
#[derive(Clone, Debug)]
pub struct BuiltComponent {
    /// Name of the guest's package.
    pub name: String,
    /// Version of the guest's package.
    pub version: String,
    /// The component's bytes.
    pub wasm: Vec<u8>,
}

/// Builds every `cdylib` of the workspace at `workspace_dir` and encodes it, sorted by name.
///
/// `target_dir` is Cargo's target folder for the build; it must not be the one of a cargo that is running, which holds
/// its lock. The workspace's `Cargo.lock` is used as it is. Installs the compilation target if it is missing.
///
/// # Errors
///
/// See [`BuildError`]; the messages are meant to be read as they are.
pub fn build_components(workspace_dir: &Path, target_dir: &Path) -> Result<Vec<BuiltComponent>, BuildError> {
    target::ensure_installed(workspace_dir)?;
    let workspace = cargo::describe(workspace_dir)?;
    cargo::build(workspace_dir, &workspace, target_dir)?;
    let mut built = Vec::with_capacity(workspace.guests.len());
    for guest in workspace.guests {
        let file = target_dir.join(TARGET).join("release").join(format!("{}.wasm", guest.library));
        let module = std::fs::read(&file).map_err(|source| BuildError::Artifact { file, source })?;
        let wasm = encode(&guest.name, &module)?;
        built.push(BuiltComponent { name: guest.name, version: guest.version, wasm });
    }
    built.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(built)
}

/// Encodes a core module that carries its component type, as `wit-bindgen` emits it, into a validated component.
///
/// # Errors
///
/// [`BuildError::Encode`] if it is not such a module, [`BuildError::Imports`] if it imports anything callable.
pub fn encode(name: &str, module: &[u8]) -> Result<Vec<u8>, BuildError> {
    let encode = || ComponentEncoder::default().validate(true).module(module)?.encode();
    let failed =
        |error: &dyn std::fmt::Display| BuildError::Encode { name: name.to_owned(), message: error.to_string() };
    let wasm = encode().map_err(|error| failed(&format!("{error:#}")))?;
    let imports = imported_functions(&wasm).map_err(|message| failed(&message))?;
    if imports.is_empty() { Ok(wasm) } else { Err(BuildError::Imports { name: name.to_owned(), imports }) }
}

/// Names of everything the component imports except pure type definitions, which nothing can be called through.
fn imported_functions(wasm: &[u8]) -> Result<Vec<String>, String> {
    let decoded = wit_component::decode(wasm).map_err(|error| format!("{error:#}"))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err("the result is not a component".to_owned());
    };
    let mut imports = Vec::new();
    let Some(world) = resolve.worlds.get(world) else {
        return Err("the component has no world".to_owned());
    };
    for (key, item) in &world.imports {
        let callable = match item {
            WorldItem::Interface { id, .. } => {
                resolve.interfaces.get(*id).is_none_or(|interface| !interface.functions.is_empty())
            }
            WorldItem::Function(_) => true,
            WorldItem::Type { .. } => false,
        };
        if callable {
            imports.push(resolve.name_world_key(key));
        }
    }
    Ok(imports)
}
