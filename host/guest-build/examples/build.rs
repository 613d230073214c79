//! `cargo run -p cavra-guest-build --example build -- WORKSPACE OUTPUT`: builds every guest of a workspace and writes one component each to a folder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(workspace), Some(output), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        eprintln!("usage: build WORKSPACE OUTPUT");
        return ExitCode::from(2);
    };
    match build(&workspace, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn build(workspace: &Path, output: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let workspace = workspace.canonicalize().map_err(|error| format!("{}: {error}", workspace.display()))?;
    std::fs::create_dir_all(output)?;
    for component in cavra_guest_build::build_components(&workspace, &workspace.join("target"))? {
        let file = output.join(format!("{}.wasm", component.name));
        std::fs::write(&file, &component.wasm)?;
        println!("{} {} ({} bytes) -> {}", component.name, component.version, component.wasm.len(), file.display());
    }
    Ok(())
}
