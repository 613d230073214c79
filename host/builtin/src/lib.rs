//! What the binary carries: the first-party components and the shipped policy packs, as bytes.

/// A WebAssembly component that is part of the binary.
#[derive(Clone, Copy, Debug)]
pub struct Component {
    /// Name of its package.
    pub name: &'static str,
    /// Version of its package.
    pub version: &'static str,
    /// The component. It imports nothing that could be called.
    pub wasm: &'static [u8],
    /// `sha256:` and the hexadecimal digest of `wasm`.
    pub digest: &'static str,
}

/// A file of the Rust SDK, which a new plugin gets a copy of.
#[derive(Clone, Copy, Debug)]
pub struct SdkFile {
    /// Where it lies below the SDK's folder.
    pub path: &'static str,
    /// What is in it.
    pub text: &'static str,
}

/// A policy pack that is part of the binary.
#[derive(Clone, Copy, Debug)]
pub struct ShippedPack {
    /// Name of its folder, the key it is looked up by.
    pub name: &'static str,
    /// Its `policy.yaml`.
    pub policy_yaml: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/generated.rs"));
