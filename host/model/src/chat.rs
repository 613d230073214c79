//! Chats whose members can decide approvals: what a member presses or writes there comes back signed by the service.

use std::str::FromStr;

use serde::Serialize;

/// A chat that signs what its members do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatService {
    /// Slack: buttons.
    Slack,
    /// Microsoft Teams: commands that mention an outgoing webhook.
    Teams,
}

impl ChatService {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Slack, Self::Teams];

    /// Its name in files, records and paths.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Teams => "teams",
        }
    }
}

impl FromStr for ChatService {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|service| service.as_str() == name).ok_or(())
    }
}
