//! What can go wrong with a plugin, as a small closed set.
//!
//! The public sentence names the plugin and says what happened in the host's own words. The cause, which can hold
//! text a guest has chosen, is for logs: [`std::error::Error::source`].

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use wasmtime::{PoolConcurrencyLimitError, Trap};

use crate::store::CallState;

/// One complaint of a pack about its document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Dotted path into the document, `<root>` for the document itself.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// The kinds of failure. Whoever asked for a decision treats every one of them as a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PluginErrorKind {
    /// The wall clock of the call was over.
    Deadline,
    /// The instruction budget of the call was used up.
    Fuel,
    /// More memory, tables or instances than a plugin may have.
    Memory,
    /// The action, the facts or the document are larger than a plugin may be given.
    Input,
    /// The answer is larger than it may be.
    Output,
    /// The plugin answered, but not what the contract asks for; says what is wrong.
    BadAnswer(String),
    /// The plugin crashed: unreachable code, stack overflow, memory out of bounds.
    Trap,
    /// The plugin imports something; names it.
    Denied(String),
    /// The plugin was built for another contract or version of it; says what was expected and found.
    Incompatible(String),
    /// Too many calls are waiting already.
    Busy,
    /// The component could not be read, compiled or instantiated.
    Load,
    /// The plugin rejected its document.
    Configure(Vec<Diagnostic>),
}

impl PluginErrorKind {
    /// Name of the kind, for metrics and logs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Fuel => "fuel",
            Self::Memory => "memory",
            Self::Input => "input",
            Self::Output => "output",
            Self::BadAnswer(_) => "bad_answer",
            Self::Trap => "trap",
            Self::Denied(_) => "denied",
            Self::Incompatible(_) => "incompatible",
            Self::Busy => "busy",
            Self::Load => "load",
            Self::Configure(_) => "configure",
        }
    }
}

impl fmt::Display for PluginErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline => f.write_str("did not answer in time"),
            Self::Fuel => f.write_str("used up its instruction budget"),
            Self::Memory => f.write_str("needs more memory than it may have"),
            Self::Input => f.write_str("was asked about more data than a plugin may be given"),
            Self::Output => f.write_str("answered more than it may"),
            Self::BadAnswer(what) => write!(f, "gave an answer that breaks the plugin contract: {what}"),
            Self::Trap => f.write_str("crashed"),
            Self::Denied(import) => write!(f, "imports `{import}`, and no plugin is given anything"),
            Self::Incompatible(what) => write!(f, "does not fit this host: {what}"),
            Self::Busy => f.write_str("is busy"),
            Self::Load => f.write_str("could not be loaded"),
            Self::Configure(diagnostics) => {
                f.write_str("rejected its document")?;
                if let Some(first) = diagnostics.first() {
                    write!(f, ": {}: {}", first.path, first.message)?;
                }
                match diagnostics.len().saturating_sub(1) {
                    0 => Ok(()),
                    more => write!(f, " (and {more} more)"),
                }
            }
        }
    }
}

/// A failure of one plugin. Cheap to clone, because several callers may wait for one load.
#[derive(Clone, Debug)]
pub struct PluginError(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    identity: Identity,
    kind: PluginErrorKind,
    cause: Option<Cause>,
}

/// Which plugin an error is about.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) plugin: String,
    pub(crate) version: String,
    pub(crate) digest: String,
}

#[derive(Clone, Debug, Error)]
#[error("{0}")]
struct Cause(String);

impl PluginError {
    /// Name of the plugin.
    #[must_use]
    pub fn plugin(&self) -> &str {
        &self.0.identity.plugin
    }

    /// Version of the plugin.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.0.identity.version
    }

    /// Digest of the plugin's component.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.0.identity.digest
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &PluginErrorKind {
        &self.0.kind
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Identity { plugin, version, digest } = &self.0.identity;
        let short: String = digest.chars().take("sha256:".len() + 12).collect();
        write!(f, "plugin `{plugin}` {version} ({short}) {}", self.0.kind)
    }
}

impl std::error::Error for PluginError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_ref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

/// A failure before it is known, or needs to be known, whose it is. What the compile process sends to the host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) kind: PluginErrorKind,
    /// For logs only; may contain text chosen by a guest.
    pub(crate) cause: Option<String>,
}

/// Longest cause that is kept, in characters. A guest can choose names that end up in it.
const CAUSE_CHARS: usize = 2_000;

impl From<PluginErrorKind> for Failure {
    fn from(kind: PluginErrorKind) -> Self {
        Self { kind, cause: None }
    }
}

impl Failure {
    pub(crate) fn new(kind: PluginErrorKind, cause: impl fmt::Display) -> Self {
        Self { kind, cause: Some(clip(&cause.to_string(), CAUSE_CHARS)) }
    }

    pub(crate) fn load(cause: impl fmt::Display) -> Self {
        Self::new(PluginErrorKind::Load, cause)
    }

    /// Why a call into a guest failed. `state` knows whether a memory limit was met on the way: guests rarely survive
    /// that, and what they die of then is not the reason.
    pub(crate) fn of_call(error: &wasmtime::Error, state: &CallState) -> Self {
        let kind = match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => PluginErrorKind::Deadline,
            Some(Trap::OutOfFuel) => PluginErrorKind::Fuel,
            _ if error.is::<PoolConcurrencyLimitError>() => PluginErrorKind::Busy,
            _ if state.memory_limit_met() => PluginErrorKind::Memory,
            Some(_) => PluginErrorKind::Trap,
            None if error.to_string().contains("fuel allocated for hostcalls") => PluginErrorKind::Output,
            None => PluginErrorKind::BadAnswer("it cannot be read".to_owned()),
        };
        Self::new(kind, format_args!("{error:#}"))
    }

    /// Why an instance could not be made.
    pub(crate) fn of_instantiation(error: &wasmtime::Error, state: &CallState) -> Self {
        match Self::of_call(error, state) {
            Self { kind: PluginErrorKind::BadAnswer(_) | PluginErrorKind::Output, cause } => {
                Self { kind: PluginErrorKind::Load, cause }
            }
            failure => failure,
        }
    }

    pub(crate) fn about(self, identity: &Identity) -> PluginError {
        PluginError(Arc::new(Inner { identity: identity.clone(), kind: self.kind, cause: self.cause.map(Cause) }))
    }
}

/// The first `limit` characters of `text`, control characters replaced.
pub(crate) fn clip(text: &str, limit: usize) -> String {
    text.chars().take(limit).map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: PluginErrorKind) -> PluginError {
        let identity = Identity {
            plugin: "acme".to_owned(),
            version: "1.2.3".to_owned(),
            digest: format!("sha256:{}", "ab".repeat(32)),
        };
        Failure::new(kind, "secret \u{1b}[31m cause").about(&identity)
    }

    #[test]
    fn the_sentence_names_the_plugin_and_hides_the_cause() {
        let error = error(PluginErrorKind::Fuel);
        assert_eq!(error.to_string(), "plugin `acme` 1.2.3 (sha256:abababababab) used up its instruction budget");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(source, "secret \u{fffd}[31m cause");
    }

    #[test]
    fn a_rejected_document_shows_its_first_diagnostic() {
        let diagnostics = ["rules.0", "rules.1"]
            .map(|path| Diagnostic { path: path.to_owned(), message: "unknown type".to_owned() })
            .to_vec();
        let text = error(PluginErrorKind::Configure(diagnostics)).to_string();
        assert!(text.ends_with("rejected its document: rules.0: unknown type (and 1 more)"), "{text}");
    }
}
