//! The systems that events can be sent to: one row each.

use std::fmt;
use std::str::FromStr;

use cavra_builtin::{
    CONNECTOR_DATADOG, CONNECTOR_JIRA, CONNECTOR_RECEIVER, CONNECTOR_SENTINEL, CONNECTOR_SERVICENOW, CONNECTOR_SLACK,
    CONNECTOR_SPLUNK, CONNECTOR_TEAMS, Component,
};

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

/// A provider's name, and the component that knows the form in which it is told something.
struct Row {
    name: &'static str,
    component: &'static Component,
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
        };
        Row { name, component, takes_approvals }
    }

    /// The component that tells it something.
    pub(crate) const fn component(self) -> &'static Component {
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
