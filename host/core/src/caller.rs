//! Who calls: a person, a machine with an API token, or nobody in particular.

use cavra_identity::Identity;

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
}
