//! Who calls: a person, a machine with an API token, or nobody in particular.

use cavra_identity::Identity;

use crate::CoreError;

/// The caller of a use case, as far as the interface could establish it.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// A person, or a service known to the identity provider.
    pub identity: Option<Identity>,
    /// Name of the API token the call came with.
    pub machine: Option<String>,
}

impl Caller {
    /// The name that is recorded in place of what the body says.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.identity.as_ref().map(|identity| identity.actor.actor.clone()).or_else(|| self.machine.clone())
    }

    /// Refuses a machine in whose call no person is known: people decide approvals.
    ///
    /// # Errors
    /// [`CoreError::Forbidden`].
    pub(crate) fn is_no_machine(&self) -> Result<(), CoreError> {
        if self.identity.is_none() && self.machine.is_some() {
            return Err(CoreError::Forbidden("an API token names a machine; people decide approvals".to_owned()));
        }
        Ok(())
    }
}
