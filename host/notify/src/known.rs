//! What is known of each route, found by its key: plans are about thousands of routes over many more facts.

use std::collections::HashMap;

use cavra_model::{Object, members};

use crate::acknowledgement::closes;
use crate::count;
use crate::facts::{Delivery, Facts, Review, subject};
use crate::family::Family;
use crate::gate::Paced;
use crate::state::RouteState;

/// States, reviews and follow-ups of routes.
pub(crate) struct Known<'a> {
    family: &'a Family,
    /// By subject and connector.
    states: HashMap<(&'a str, &'a str), &'a RouteState>,
    /// The latest, by the route's key.
    reviews: HashMap<&'a str, &'a Review>,
    /// Follow-ups in the order of time, by the keys of the routes in them.
    told: HashMap<&'a str, Vec<&'a Delivery>>,
    /// Follow-ups that do not say which routes were in them, by what they were about: records of other products.
    unnamed: HashMap<&'a str, Vec<&'a Delivery>>,
}

/// How a route stands, and the latest review of it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Standing<'a> {
    pub(crate) state: Option<&'a RouteState>,
    pub(crate) review: Option<&'a Review>,
}

impl Standing<'_> {
    /// Somebody has said that nothing is left to do.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.is_some_and(RouteState::is_resolved) || self.review.is_some_and(|review| closes(&review.state))
    }
}

impl<'a> Known<'a> {
    pub(crate) fn of(family: &'a Family, facts: &'a Facts, states: &'a [RouteState]) -> Self {
        let of_route = |state: &'a RouteState| ((state.subject.as_str(), state.provider.as_str()), state);
        let mut known = Self {
            family,
            states: states.iter().map(of_route).collect(),
            reviews: facts.reviews.iter().map(|review| (review.route_key.as_str(), review)).collect(),
            told: HashMap::new(),
            unnamed: HashMap::new(),
        };
        let sources = [family.sources.escalation, family.sources.recurrence];
        for delivery in facts.deliveries.iter().filter(|delivery| sources.contains(&delivery.source.as_str())) {
            if delivery.route_keys.is_empty() {
                known.unnamed.entry(&delivery.event_id).or_default().push(delivery);
            }
            for key in &delivery.route_keys {
                known.told.entry(key).or_default().push(delivery);
            }
        }
        known
    }

    /// How a route stands. What somebody said before the route was told anew is about an earlier matter.
    pub(crate) fn standing(&self, route: &Object) -> Standing<'a> {
        let (subject, provider) = (subject(route), members::text(route, "provider"));
        let key = self.family.route_key(subject, provider, members::text(route, "owner"));
        let state = self.states.get(&(subject, provider)).copied();
        let review = self.reviews.get(key.as_str()).copied();
        let counts = |review: &&Review| state.is_none_or(|state| review.at >= state.noticed_at);
        Standing { state, review: review.filter(counts) }
    }

    /// How often a route was told since its clock started, by escalations and recurrences.
    pub(crate) fn paced(&self, key: &str, escalation: Option<&str>, state: Option<&RouteState>) -> Paced {
        let since = state.map(|state| state.resolution_since);
        let unnamed = escalation.and_then(|plan| self.unnamed.get(plan));
        let follow_ups = self.told.get(key).into_iter().chain(unnamed).flatten();
        // One delivery goes to several connectors.
        let mut attempts = HashMap::new();
        for delivery in follow_ups.filter(|delivery| since.is_none_or(|since| delivery.at >= since)) {
            let attempt = attempts.entry(delivery.id.as_str()).or_insert((delivery.at, false));
            attempt.1 |= delivery.success;
        }
        Paced {
            delivered: count(attempts.values().filter(|(_, reached)| *reached).count()),
            latest: attempts.values().map(|(at, _)| *at).max(),
        }
    }
}
