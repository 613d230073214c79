//! Gates: what keeps a route from being told again, in the order in which they are asked.

use cavra_model::Timestamp;
use serde_json::{Value, json};

use crate::calendar::{Availability, Traits, Window};
use crate::later;
use crate::recurrence::RecurrencePolicy;

/// What happens to a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is told.
    Deliver,
    /// It is told later.
    Wait,
    /// It is not told.
    Suppress,
}

impl Action {
    /// Its word in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deliver => "deliver",
            Self::Wait => "wait",
            Self::Suppress => "suppress",
        }
    }
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Nothing keeps it.
    Deliver,
    /// All is well.
    Healthy,
    /// The connector is not set up.
    ConnectorNotConfigured,
    /// It was told a moment ago.
    Duplicate,
    /// A person closed it.
    OwnerReview,
    /// A maintenance window is open.
    MaintenanceWindow,
    /// The owner is not there.
    OwnerCalendar,
    /// It was told often enough.
    MaximumRecurrence,
    /// It is not time yet.
    IntervalWait,
}

impl Category {
    /// Its word in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deliver => "deliver",
            Self::Healthy => "healthy",
            Self::ConnectorNotConfigured => "connector_not_configured",
            Self::Duplicate => "duplicate",
            Self::OwnerReview => "owner_review",
            Self::MaintenanceWindow => "maintenance_window",
            Self::OwnerCalendar => "owner_calendar",
            Self::MaximumRecurrence => "maximum_recurrence",
            Self::IntervalWait => "recurrence_interval_wait",
        }
    }

    /// What a gate of this kind does.
    #[must_use]
    pub fn action(self) -> Action {
        match self {
            Self::Deliver => Action::Deliver,
            Self::IntervalWait => Action::Wait,
            _ => Action::Suppress,
        }
    }

    /// A sentence for people.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Deliver => "the route is due",
            Self::Healthy => "all is well",
            Self::ConnectorNotConfigured => "the connector is not set up",
            Self::Duplicate => "the connector was told within the suppression window",
            Self::OwnerReview => "a review or an answer closed the route",
            Self::MaintenanceWindow => "a maintenance window is open",
            Self::OwnerCalendar => "the owner is not available",
            Self::MaximumRecurrence => "the route was told as often as the policy allows",
            Self::IntervalWait => "the recurrence interval has not passed",
        }
    }
}

/// What is known of a route when it is asked whether it is told again.
#[derive(Clone, Copy, Debug)]
pub struct Gates<'a> {
    /// What the route is.
    pub traits: Traits<'a>,
    /// A person closed it.
    pub closed: bool,
    /// How it was told before.
    pub paced: Paced,
}

/// How often and when a route was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paced {
    /// Deliveries that reached somebody.
    pub delivered: u64,
    /// The latest attempt.
    pub latest: Option<Timestamp>,
}

/// What happens to a route, and everything that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Why.
    pub category: Category,
    /// The maintenance window that is open for it.
    pub window: Option<Window>,
    /// Whether its owner is there.
    pub availability: Availability,
    /// When it may be told next.
    pub next_at: Timestamp,
}

impl Decision {
    /// The window as documents show it.
    #[must_use]
    pub fn window_document(&self) -> Value {
        self.window.as_ref().map_or(json!(null), Window::document)
    }
}

/// Asks the gates in their order; the first that is shut decides.
#[must_use]
pub fn gate(route: Gates<'_>, policy: &RecurrencePolicy, now: Timestamp) -> Decision {
    let window = policy.windows.active(route.traits, now).cloned();
    let availability = policy.calendars.availability(route.traits.owner, now);
    let next_at = route.paced.latest.map_or(now, |latest| later(latest, policy.interval_minutes));
    let category = if route.closed {
        Category::OwnerReview
    } else if window.is_some() {
        Category::MaintenanceWindow
    } else if !availability.available {
        Category::OwnerCalendar
    } else if route.paced.delivered >= policy.maximum {
        Category::MaximumRecurrence
    } else if now < next_at {
        Category::IntervalWait
    } else {
        Category::Deliver
    };
    Decision { category, window, availability, next_at }
}
