//! Why a plugin is not loaded: one sentence per reason, which says what to do.

use cavra_model::Digest;
use thiserror::Error;

/// A plugin is refused. `Display` is for the operator; what the plugin chose in it is clipped and without control
/// characters.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A document is not what it should be.
    #[error("{file}: {problem}")]
    Document {
        /// The file.
        file: String,
        /// What is wrong, and where in it.
        problem: String,
    },
    /// A file cannot be read.
    #[error("{file} cannot be read: {problem}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        problem: String,
    },
    /// A file is missing.
    #[error("the package has no {file}; ask whoever made it for a whole one")]
    Incomplete {
        /// The file.
        file: &'static str,
    },
    /// The archive or artifact holds something that no package has.
    #[error("`{name}` is no file of a plugin; nothing of it was unpacked")]
    Strange {
        /// The name, made fit to be shown.
        name: String,
    },
    /// The same file twice in an archive.
    #[error("{file} is in the archive twice; which one counts is nobody's guess")]
    Twice {
        /// The file.
        file: String,
    },
    /// Larger than a file of its kind can be.
    #[error("{file} is larger than {limit} bytes, which no plugin may be")]
    TooLarge {
        /// The file.
        file: String,
        /// Largest size, in bytes.
        limit: u64,
    },
    /// The component is none.
    #[error("plugin.wasm is no WebAssembly component: {problem}; build it with `cavra plugin build`")]
    NotAComponent {
        /// What is wrong with it.
        problem: String,
    },
    /// Machine code of some compiler.
    #[error("plugin.wasm is compiled code of some wasmtime; a plugin is distributed as the component itself")]
    Precompiled,
    /// The component imports something that can be called.
    #[error("plugin.wasm imports `{import}`, and a plugin is given nothing; build it without WASI")]
    Imports {
        /// What it imports.
        import: String,
    },
    /// The component is of another world than the manifest says.
    #[error("plugin.yaml says {claimed}, but plugin.wasm is built for {found}; the two do not belong together")]
    WrongWorld {
        /// What the manifest says.
        claimed: String,
        /// What the component is.
        found: String,
    },
    /// This host has no runtime for the world.
    #[error("it is built for {world}, and this host runs {supported}; get a version of it for this host")]
    UnsupportedWorld {
        /// The world of the plugin.
        world: String,
        /// What this host runs.
        supported: String,
    },
    /// Nobody signed it.
    #[error(
        "nobody has signed it; have it signed by a key of the trust set, or list its digest {digest} under `unsigned` \
         there"
    )]
    Unsigned {
        /// Digest of the package.
        digest: Digest,
    },
    /// The signatures are no envelope of statements.
    #[error("plugin.dsse.json holds no signed statement about a plugin: {0}")]
    Envelope(String),
    /// Signed by somebody else.
    #[error(
        "no key of the trust set has signed it (it names {named}); add the signer's key to the trust set if you trust it"
    )]
    UnknownSigner {
        /// The key ids of the envelope.
        named: String,
    },
    /// Signed by a key that must not sign this.
    #[error("it is signed by `{key}`, whose key may not sign {what}; see `{place}` of that key in the trust set")]
    WrongSigner {
        /// Id of the key.
        key: String,
        /// What it is.
        what: String,
        /// Which list of the trust set says so.
        place: &'static str,
    },
    /// Signed by a key that verifies nothing any more.
    #[error("its signature by `{key}` does not count: {problem}; get it signed again")]
    Key {
        /// Id of the key.
        key: String,
        /// What is the matter with the key.
        problem: String,
    },
    /// Signed by too few.
    #[error("{have} of {need} needed keys of the trust set have signed it; the others have to sign it too")]
    TooFewSigners {
        /// Keys that count.
        have: usize,
        /// Keys that are needed.
        need: usize,
    },
    /// The signature is over other bytes.
    #[error("the signature is over another {file}; get the package that was signed")]
    OtherBytes {
        /// The file.
        file: String,
    },
    /// The signature was made for another name, version or kind.
    #[error("it was signed as {signed} and calls itself {claimed}; only what was signed under this name is loaded")]
    Renamed {
        /// What was signed.
        signed: String,
        /// What it calls itself.
        claimed: String,
    },
    /// The signature is over.
    #[error("its signature is over since {until}; get it signed again")]
    Expired {
        /// When it ended.
        until: String,
    },
    /// The signature says that it comes from the future.
    #[error("it says that it was signed at {at}, which is yet to come; check the clocks")]
    NotYet {
        /// When it was signed.
        at: String,
    },
    /// Its digest is revoked.
    #[error("{digest} is revoked in the trust set: {reason}; install another version")]
    Revoked {
        /// The digest.
        digest: String,
        /// Why.
        reason: String,
    },
    /// It asks for what it was not granted.
    #[error("it asks for {missing}, which it is not granted; look at it and run `cavra plugin grant {name}`")]
    OverAsking {
        /// The plugin.
        name: String,
        /// What is missing.
        missing: String,
    },
    /// It is older than the grant allows.
    #[error(
        "{version} is older than {at_least}, the oldest version that is granted; change `at_least` in grants.yaml if you mean it"
    )]
    TooOld {
        /// The plugin's version.
        version: String,
        /// The oldest one.
        at_least: String,
    },
    /// A newer version is installed.
    #[error("{installed} is installed and {offered} is older; say --allow-downgrade if you mean it")]
    Downgrade {
        /// The installed version.
        installed: String,
        /// The offered one.
        offered: String,
    },
    /// The same version with other bytes is installed.
    #[error(
        "{version} is installed with other bytes ({installed}, not {offered}); a version never changes, so one of the two is not genuine"
    )]
    SameVersion {
        /// The version.
        version: String,
        /// Digest of the installed package.
        installed: String,
        /// Digest of the offered one.
        offered: String,
    },
    /// None of those who signed the installed version has signed this one.
    #[error(
        "{installed} is installed, signed by {before}, and {offered} is signed by {after}; say --accept-signer if you know why"
    )]
    OtherSigner {
        /// The installed version.
        installed: String,
        /// Who signed it.
        before: String,
        /// The offered version.
        offered: String,
        /// Who signed that.
        after: String,
    },
    /// It is of another kind than the installed one.
    #[error("a {installed} of this name is installed, and this is a {offered}; remove the other one first")]
    OtherKind {
        /// The kind that is installed.
        installed: String,
        /// The kind that is offered.
        offered: String,
    },
    /// What lies there is not what the lock says.
    #[error("{file} is not what was installed; somebody changed it, so install it again from where it came")]
    Tampered {
        /// The file.
        file: String,
    },
    /// Nothing of that name is installed.
    #[error("no plugin `{name}` is installed; `cavra plugin list` says what is")]
    NotInstalled {
        /// The name.
        name: String,
    },
    /// The host cannot load it.
    #[error("this host does not load it: {0}")]
    Load(String),
}

impl Refusal {
    /// A name that no package has.
    #[must_use]
    pub fn strange(name: &str) -> Self {
        Self::Strange { name: cavra_documents::shown(name) }
    }

    /// A name of the reason, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Document { .. } => "document",
            Self::Unreadable { .. } => "unreadable",
            Self::Incomplete { .. } => "incomplete",
            Self::Strange { .. } => "strange_file",
            Self::Twice { .. } => "twice",
            Self::TooLarge { .. } => "too_large",
            Self::NotAComponent { .. } => "no_component",
            Self::Precompiled => "precompiled",
            Self::Imports { .. } => "imports",
            Self::WrongWorld { .. } => "wrong_world",
            Self::UnsupportedWorld { .. } => "unsupported_world",
            Self::Unsigned { .. } => "unsigned",
            Self::Envelope(_) => "envelope",
            Self::UnknownSigner { .. } => "unknown_signer",
            Self::WrongSigner { .. } => "wrong_signer",
            Self::Key { .. } => "key",
            Self::TooFewSigners { .. } => "too_few_signers",
            Self::OtherBytes { .. } => "other_bytes",
            Self::Renamed { .. } => "renamed",
            Self::Expired { .. } => "expired",
            Self::NotYet { .. } => "not_yet",
            Self::Revoked { .. } => "revoked",
            Self::OverAsking { .. } => "over_asking",
            Self::TooOld { .. } => "too_old",
            Self::Downgrade { .. } => "downgrade",
            Self::SameVersion { .. } => "same_version",
            Self::OtherSigner { .. } => "other_signer",
            Self::OtherKind { .. } => "other_kind",
            Self::Tampered { .. } => "tampered",
            Self::NotInstalled { .. } => "not_installed",
            Self::Load(_) => "load",
        }
    }
}
