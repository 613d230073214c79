//! Who calls: a person, a machine with an API token, or nobody in particular.

use cavra_identity::Identity;
use cavra_model::Person;
use serde::{Deserialize, Serialize};

use crate::CoreError;

/// Somebody who does something: the name that is recorded, and the person, as far as one is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doer {
    /// The name that is shown.
    pub name: String,
    /// Who that is.
    pub person: Person,
}

impl Doer {
    /// Somebody of whom only a name is known.
    #[must_use]
    pub fn named(name: String) -> Self {
        Self { person: Person::named(&name), name }
    }
}

/// The caller of a use case, as far as the interface could establish it.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// A person, or a service known to the identity provider.
    pub identity: Option<Identity>,
    /// Name of the API token the call came with.
    pub machine: Option<String>,
}

/// Who changed something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Author {
    /// Name of a person, or of an API token.
    pub actor: String,
    /// The person's key at the issuer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
    /// Who vouches for the person.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub issuer: Option<String>,
    /// How we know: `token`, `claims` or `api_token`.
    pub via: String,
}

impl Caller {
    /// Who is recorded: a known caller in place of what the body says, else that.
    pub(crate) fn doer(&self, said: impl FnOnce() -> String) -> Doer {
        match (&self.identity, &self.machine) {
            (Some(identity), _) => Doer { name: identity.actor.actor.clone(), person: identity.person() },
            (None, Some(machine)) => Doer::named(machine.clone()),
            (None, None) => Doer::named(said()),
        }
    }

    /// Who calls and how that was established, as the log names who changed something; nothing for nobody in particular.
    #[must_use]
    pub fn author(&self) -> Option<Author> {
        match (&self.identity, &self.machine) {
            (Some(Identity { actor, via }), _) => Some(Author {
                actor: actor.actor.clone(),
                subject: actor.subject.clone(),
                issuer: actor.issuer.clone(),
                via: via.as_str().to_owned(),
            }),
            (None, Some(machine)) => {
                Some(Author { actor: machine.clone(), subject: None, issuer: None, via: "api_token".to_owned() })
            }
            (None, None) => None,
        }
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
