//! The trait a pack implements, and the state between its two functions.

use std::sync::OnceLock;

use crate::{Action, Description, Diagnostic, Facts, Finding};

/// A policy pack.
///
/// The value is the compiled policy. It is shared by reference and cannot change after `configure`: an `evaluate` that
/// remembered something would lose it anyway, because the next call starts from the snapshot again.
pub trait PolicyPack: Sized + Send + Sync + 'static {
    /// Parses and compiles the pack's document, the merged policy as JSON text.
    ///
    /// Do all expensive work here; it happens once per pack version, `evaluate` happens for every action.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the document. A pack with errors is never used to decide.
    fn configure(document: &str) -> Result<(Self, Description), Vec<Diagnostic>>;

    /// Answers every finding the action gives rise to. The host lets the strictest one win, so a pack never has to
    /// combine. An empty list is no opinion.
    fn evaluate(&self, action: &Action, facts: &Facts) -> Vec<Finding>;
}

/// Configures the pack and keeps it. Called by [`export_policy_pack!`](crate::export_policy_pack).
///
/// # Errors
///
/// The pack's own diagnostics, or one that says it is configured already.
#[doc(hidden)]
pub fn configure_once<P: PolicyPack>(state: &OnceLock<P>, document: &str) -> Result<Description, Vec<Diagnostic>> {
    let (pack, description) = P::configure(document)?;
    match state.set(pack) {
        Ok(()) => Ok(description),
        Err(_) => {
            Err(vec![Diagnostic { path: "<root>".to_owned(), message: "the pack is configured already".to_owned() }])
        }
    }
}

/// Evaluates with the kept pack. Traps if there is none: a host that skipped `configure` must not get an answer that
/// looks like "no opinion". Called by [`export_policy_pack!`](crate::export_policy_pack).
#[doc(hidden)]
pub fn evaluate_configured<P: PolicyPack>(state: &OnceLock<P>, action: &Action, facts: &Facts) -> Vec<Finding> {
    match state.get() {
        Some(pack) => pack.evaluate(action, facts),
        None => std::process::abort(),
    }
}
