//! Nothing but a manifest: it switches on, for every selection of crates, the features that the whole workspace has in the
//! packages which take long to compile, so that they are compiled once. It is what `cargo-hakari` calls a workspace-hack crate.
