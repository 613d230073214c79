//! The systems that events can be sent to: one row each.

use std::fmt;
use std::str::FromStr;

/// A system that takes events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "names of products")]
pub enum Provider {
    Datadog,
    Intune,
    Jamf,
    Jira,
    Linux,
    Sentinel,
    ServiceNow,
    Slack,
    Splunk,
    Teams,
    Webhook,
}

/// What is particular about a provider's requests, apart from their bodies.
pub(crate) struct Row {
    pub name: &'static str,
    /// Nothing is sent without a credential.
    pub needs_credential: bool,
    /// Stands before a token.
    pub scheme: &'static str,
    /// The header of an API key.
    pub key_header: &'static str,
    /// What it is asked to answer with, where it has a choice.
    pub accept: Option<&'static str>,
}

const PLAIN: Row = Row { name: "", needs_credential: false, scheme: "Bearer", key_header: "x-api-key", accept: None };

impl Provider {
    /// All of them, by name.
    pub const ALL: [Self; 11] = [
        Self::Datadog,
        Self::Intune,
        Self::Jamf,
        Self::Jira,
        Self::Linux,
        Self::Sentinel,
        Self::ServiceNow,
        Self::Slack,
        Self::Splunk,
        Self::Teams,
        Self::Webhook,
    ];

    pub(crate) const fn row(self) -> Row {
        match self {
            Self::Datadog => Row { name: "datadog", needs_credential: true, key_header: "dd-api-key", ..PLAIN },
            Self::Intune => Row { name: "intune", ..PLAIN },
            Self::Jamf => Row { name: "jamf", ..PLAIN },
            Self::Jira => Row { name: "jira", needs_credential: true, ..PLAIN },
            Self::Linux => Row { name: "linux", ..PLAIN },
            Self::Sentinel => Row { name: "sentinel", needs_credential: true, ..PLAIN },
            Self::ServiceNow => {
                Row { name: "servicenow", needs_credential: true, accept: Some("application/json"), ..PLAIN }
            }
            Self::Slack => Row { name: "slack", ..PLAIN },
            // The collector refuses any other.
            Self::Splunk => Row { name: "splunk", needs_credential: true, scheme: "Splunk", ..PLAIN },
            Self::Teams => Row { name: "teams", ..PLAIN },
            Self::Webhook => Row { name: "webhook", ..PLAIN },
        }
    }

    /// A receiver of one's own, not a vendor's.
    pub(crate) const fn is_own(self) -> bool {
        matches!(self, Self::Webhook | Self::Jamf | Self::Intune | Self::Linux)
    }

    /// Its name in files and requests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Provider {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == name).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_have_names_in_order() {
        let names = Provider::ALL.map(Provider::as_str);
        assert!(names.is_sorted() && Provider::ALL.is_sorted());
        assert!(names.iter().all(|name| name.parse::<Provider>().map(Provider::as_str) == Ok(name)));
        assert!("Splunk".parse::<Provider>().is_err() && "".parse::<Provider>().is_err());
    }
}
