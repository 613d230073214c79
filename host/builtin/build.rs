//! Compiles `plugins/` and `plugins/connectors/` to components and collects `policies/`, then writes `generated.rs` with both.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use cavra_guest_build::BuiltComponent;
use sha2::{Digest, Sha256};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = manifest.join("../..").canonicalize()?;

    // Connectors read JSON as the host does, which the interpreter of policies need not: a workspace of their own.
    let workspaces = [root.join("plugins"), root.join("plugins/connectors")];
    // What guests are made of beside their own crates.
    let shared = ["sdk/rust", "host/rules", "host/normalizer", "host/json"].map(|folder| root.join(folder));
    for sources in workspaces.iter().chain(&shared) {
        watch(sources)?;
    }
    for contract in ["wit/connector", "wit/normalizer"] {
        watch_file(&root.join(contract));
    }
    watch_file(&root.join("Cargo.toml"));

    let mut generated = String::new();
    for workspace in &workspaces {
        for component in cavra_guest_build::build_components(workspace, &guest_target(&out))? {
            generated.push_str(&embed_component(&component, &out)?);
        }
    }
    generated.push_str(&embed_packs(&root.join("policies"))?);
    generated.push_str(&embed_sdk(&root.join("sdk/rust"))?);
    write_if_changed(&out.join("generated.rs"), generated.as_bytes())?;
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("{name} is not set; this runs under cargo"))
}

/// The nested cargo's target folder. It is beside the `build` folder of the running one where that is recognisable,
/// so that `cargo clippy`, which has an output folder of its own, does not compile the guests again.
fn guest_target(out: &Path) -> PathBuf {
    let build = out.ancestors().nth(2).filter(|folder| folder.ends_with("build"));
    build.and_then(Path::parent).unwrap_or(out).join("guests")
}

/// Asks cargo to run this again when a source changes. Build output that a developer left beside the sources, by
/// running cargo there, is not a source, and a workspace within another one is watched by itself.
fn watch(folder: &Path) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry?.path();
        if !path.ends_with("target") && !path.ends_with("connectors") {
            watch_file(&path);
        }
    }
    Ok(())
}

fn watch_file(path: &Path) {
    println!("cargo:rerun-if-changed={}", path.display());
}

/// Writes a component beside the generated code and answers the static that includes it.
fn embed_component(component: &BuiltComponent, out: &Path) -> Result<String, Box<dyn Error>> {
    let BuiltComponent { name, version, wasm } = component;
    let file = out.join(format!("{name}.wasm"));
    write_if_changed(&file, wasm)?;
    let constant = name.to_uppercase().replace('-', "_");
    let mut digest = String::from("sha256:");
    for byte in Sha256::digest(wasm) {
        write!(digest, "{byte:02x}")?;
    }
    Ok(format!(
        "/// The component `{name}`.\npub static {constant}: Component = Component {{ name: {name:?}, \
         version: {version:?}, wasm: include_bytes!({file:?}), digest: {digest:?} }};\n"
    ))
}

/// The packs of the folder, one per sub-folder with a `policy.yaml`, sorted by name.
fn embed_packs(policies: &Path) -> Result<String, Box<dyn Error>> {
    watch_file(policies);
    let mut packs = Vec::new();
    for entry in fs::read_dir(policies).map_err(|error| format!("{}: {error}", policies.display()))? {
        let folder = entry?.path();
        let file = folder.join("policy.yaml");
        if let (Some(name), true) = (folder.file_name().and_then(|name| name.to_str()), file.is_file()) {
            packs.push((name.to_owned(), file));
        }
    }
    packs.sort();
    let mut code = String::from("/// The shipped packs, sorted by name.\npub static PACKS: &[ShippedPack] = &[\n");
    for (name, file) in &packs {
        writeln!(code, "    ShippedPack {{ name: {name:?}, policy_yaml: include_str!({file:?}) }},")?;
    }
    code.push_str("];\n");
    Ok(code)
}

/// The files of the Rust SDK that a vendor needs, sorted by path.
fn embed_sdk(sdk: &Path) -> Result<String, Box<dyn Error>> {
    let mut files = vec![sdk.join("Cargo.toml"), sdk.join("README.md")];
    for folder in ["src", "wit"] {
        collect(&sdk.join(folder), &mut files)?;
    }
    files.sort();
    let mut code = String::from("/// The files of the Rust SDK, sorted by path.\npub static SDK: &[SdkFile] = &[\n");
    for file in &files {
        let path = file.strip_prefix(sdk)?.to_str().ok_or("a path of the SDK is not UTF-8")?;
        writeln!(code, "    SdkFile {{ path: {path:?}, text: include_str!({file:?}) }},")?;
    }
    code.push_str("];\n");
    Ok(code)
}

/// The files in a folder and below it.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Leaves an unchanged file's time alone, so that what includes it is not compiled again.
fn write_if_changed(file: &Path, content: &[u8]) -> std::io::Result<()> {
    if fs::read(file).is_ok_and(|present| present == content) { Ok(()) } else { fs::write(file, content) }
}
