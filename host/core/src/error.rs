//! One error type for all use cases. `Display` is what a client may read; the cause stays in [`std::error::Error::source`].

use cavra_identity::IdentityError;
use cavra_model::{InvalidSession, NoRandomness, SchemaViolation};
use cavra_normalize::Refusal;
use cavra_packs::PackError;
use cavra_plugins::PluginError;
use cavra_store::StoreError;
use thiserror::Error;

/// Why a use case did not do what was asked. Nothing was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CoreError {
    /// The request is wrong; the text says how.
    #[error("{0}")]
    BadRequest(String),
    /// A query parameter is not what it must be.
    #[error("{parameter} must be {expected}")]
    Query {
        /// Its name.
        parameter: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// An identifier looks like a secret. It would be stored, listed and shown as it is, so it is not taken.
    #[error("{0} looks like a secret; identifiers are stored and shown as they are")]
    SecretIdentifier(String),
    /// The named thing does not exist; the text is `<kind> not found`.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// There is more in it than is taken at once; the text says what.
    #[error("{0}")]
    TooLarge(String),
    /// Nobody, or nobody credible, asks for something that needs a person; the text says why.
    #[error("{0}")]
    Unauthenticated(String),
    /// Whoever asks may not do that.
    #[error("{0}")]
    Forbidden(String),
    /// The thing is in a state that does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// The keys of the identity provider cannot be had.
    #[error("the identity provider cannot be reached")]
    IdentityUnavailable,
    /// A configuration file that would be enforced cannot be used.
    #[error("{0}")]
    Configuration(String),
    /// The policy pack exists but cannot decide.
    #[error("policy pack `{pack}` cannot be used: {problem}")]
    BrokenPack {
        /// Its name.
        pack: String,
        /// What is wrong with it.
        problem: String,
        /// Where that came from.
        #[source]
        source: Option<Box<PluginError>>,
    },
    /// The policy pack or its parents are missing or malformed.
    #[error(transparent)]
    Pack(PackError),
    /// The policy directory cannot be written.
    #[error(transparent)]
    PolicyDirectory(cavra_packs::PublishError),
    /// It cannot be had at the moment; the log says why.
    #[error("{0}")]
    Unavailable(&'static str),
    /// The store did not do it.
    #[error("{}", .0.public())]
    Store(#[source] StoreError),
    /// The evidence log cannot be used; the cause names files, so it is for operators.
    #[error("the evidence log cannot be used")]
    EvidenceLog(#[from] crate::LogError),
    /// A document does not verify, or its approval does not fit it; everything that is wrong.
    #[error("{}", .errors.join("; "))]
    Refused {
        /// What is wrong.
        errors: Vec<String>,
        /// What somebody should know.
        warnings: Vec<String>,
    },
    /// There is nothing to make an id or a secret from.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The plugin runtime could not be started.
    #[error("the plugin runtime cannot be started")]
    Runtime(#[source] PluginError),
}

impl From<Refusal> for CoreError {
    fn from(refusal: Refusal) -> Self {
        Self::BadRequest(refusal.to_string())
    }
}

impl From<IdentityError> for CoreError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::TokenNotConfigured => Self::BadRequest(error.to_string()),
            IdentityError::Unauthenticated(_) => Self::Unauthenticated(error.to_string()),
            IdentityError::KeysUnavailable => Self::IdentityUnavailable,
        }
    }
}

impl From<SchemaViolation> for CoreError {
    fn from(error: SchemaViolation) -> Self {
        Self::BadRequest(error.to_string())
    }
}

impl From<InvalidSession> for CoreError {
    fn from(error: InvalidSession) -> Self {
        Self::BadRequest(error.to_string())
    }
}

impl From<StoreError> for CoreError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<PackError> for CoreError {
    fn from(error: PackError) -> Self {
        match error {
            PackError::NotFound { .. } => Self::NotFound("policy pack"),
            other => Self::Pack(other),
        }
    }
}
