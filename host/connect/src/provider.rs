//! The systems that events can be sent to: one row each.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use cavra_builtin::{
    CONNECTOR_DATADOG, CONNECTOR_JIRA, CONNECTOR_RECEIVER, CONNECTOR_SENTINEL, CONNECTOR_SERVICENOW, CONNECTOR_SLACK,
    CONNECTOR_SPLUNK, CONNECTOR_TEAMS, Component,
};

/// A system that takes events. Their order is that of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "names of products")]
#[non_exhaustive]
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
    /// A system that a component of the operator's tells, by the name in his file.
    Own(OwnName),
}

/// A name that stands in a connector file of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnName(&'static str);

/// The names of operators' systems. A process reads a file or two, and their names stay.
static OWN_NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// Longest name of an operator's system.
const NAME_BYTES: usize = 64;

/// A provider's name, and the component that knows the form in which it is told something.
struct Row {
    name: &'static str,
    component: Option<&'static Component>,
    /// People are asked there for approvals.
    takes_approvals: bool,
}

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

    const fn row(self) -> Row {
        let (name, component, takes_approvals) = match self {
            Self::Datadog => ("datadog", &CONNECTOR_DATADOG, false),
            Self::Intune => ("intune", &CONNECTOR_RECEIVER, false),
            Self::Jamf => ("jamf", &CONNECTOR_RECEIVER, false),
            Self::Jira => ("jira", &CONNECTOR_JIRA, true),
            Self::Linux => ("linux", &CONNECTOR_RECEIVER, false),
            Self::Sentinel => ("sentinel", &CONNECTOR_SENTINEL, false),
            Self::ServiceNow => ("servicenow", &CONNECTOR_SERVICENOW, true),
            Self::Slack => ("slack", &CONNECTOR_SLACK, true),
            Self::Splunk => ("splunk", &CONNECTOR_SPLUNK, false),
            Self::Teams => ("teams", &CONNECTOR_TEAMS, true),
            Self::Webhook => ("webhook", &CONNECTOR_RECEIVER, true),
            // What it tells is its component's to say.
            Self::Own(OwnName(name)) => return Row { name, component: None, takes_approvals: true },
        };
        Row { name, component: Some(component), takes_approvals }
    }

    /// The operator's system of this name: small letters, digits and hyphens. From then on the name is known.
    pub(crate) fn own(name: &str) -> Option<Self> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(plain) || name == "all" {
            return None;
        }
        let mut names = OWN_NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        let known = names.get(name).copied();
        let name = known.unwrap_or_else(|| {
            let name: &'static str = String::leak(name.to_owned());
            names.insert(name);
            name
        });
        Some(Self::Own(OwnName(name)))
    }

    /// The component of the binary that tells it something.
    pub(crate) const fn component(self) -> Option<&'static Component> {
        self.row().component
    }

    /// Whether people are asked there for approvals.
    #[must_use]
    pub const fn takes_approvals(self) -> bool {
        self.row().takes_approvals
    }

    /// Its name in files and requests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }
}

impl Ord for Provider {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for Provider {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
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
        let own =
            || OWN_NAMES.lock().unwrap_or_else(PoisonError::into_inner).get(name).map(|name| Self::Own(OwnName(name)));
        Self::ALL.into_iter().find(|provider| provider.as_str() == name).or_else(own).ok_or(())
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

    #[test]
    fn names_of_operators_are_known_once_they_were_read() {
        assert!("acme-desk".parse::<Provider>().is_err());
        let own = Provider::own("acme-desk").unwrap();
        assert_eq!("acme-desk".parse(), Ok(own));
        assert_eq!((Provider::own("acme-desk"), own.as_str()), (Some(own), "acme-desk"));
        assert!(own < Provider::Datadog && own.component().is_none());
        for name in ["", "Acme", "a b", "a/b", "ü", "all", &"x".repeat(65)] {
            assert_eq!(Provider::own(name), None, "{name}");
        }
    }
}
