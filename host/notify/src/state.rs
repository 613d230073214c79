//! The state of a route: a fold over the notices of its subject and the answers to them.

use std::collections::BTreeMap;

use cavra_model::Timestamp;

use crate::facts::{Answer, Facts};

/// Where a route stands.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteState {
    /// The subject.
    pub subject: String,
    /// The connector.
    pub provider: String,
    /// Owner, by the latest notice.
    pub owner: String,
    /// How worried the subject was, by the latest notice.
    pub alert_level: String,
    /// Plan of the latest notice.
    pub plan_id: String,
    /// Whether somebody has to answer, by the latest notice.
    pub acknowledgement_required: bool,
    /// From when on an acknowledgement is waited for.
    pub acknowledgement_since: Timestamp,
    /// From when on a resolution is waited for.
    pub resolution_since: Timestamp,
    /// When the latest notice was.
    pub noticed_at: Timestamp,
    /// What was answered last: `pending` if nothing was since the last notice that needs an answer.
    pub answer: String,
    /// Id of that answer.
    pub answer_id: Option<String>,
    /// When that was.
    pub answered_at: Option<Timestamp>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Acknowledged,
    Resolved,
}

impl RouteState {
    /// Somebody has taken it on, or it is done.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.phase != Phase::Open
    }

    /// It is done.
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        self.phase == Phase::Resolved
    }

    /// Somebody has to answer and nobody has.
    #[must_use]
    pub fn is_outstanding(&self) -> bool {
        self.acknowledgement_required && !self.is_acknowledged()
    }
}

/// Every route that was told something, as it stands after `facts`. Of facts of the same moment notices come first.
#[must_use]
pub fn routes(facts: &Facts) -> Vec<RouteState> {
    let mut states = States::new();
    let mut answers = facts.answers.as_slice();
    for notice in &facts.notices {
        let earlier = answers.partition_point(|answer| answer.at < notice.at);
        let (before, after) = answers.split_at_checked(earlier).unwrap_or_default();
        answer_all(&mut states, before);
        answers = after;
        let key = (notice.subject.as_str(), notice.provider.as_str());
        let told = RouteState {
            subject: notice.subject.clone(),
            provider: notice.provider.clone(),
            owner: notice.owner.clone(),
            alert_level: notice.alert_level.clone(),
            plan_id: notice.plan_id.clone(),
            acknowledgement_required: notice.acknowledgement_required,
            acknowledgement_since: notice.at,
            resolution_since: notice.at,
            noticed_at: notice.at,
            answer: "pending".to_owned(),
            answer_id: None,
            answered_at: None,
            phase: Phase::Open,
        };
        match states.get_mut(&key) {
            Some(state) => state.tell(told),
            None => {
                states.insert(key, told);
            }
        }
    }
    answer_all(&mut states, answers);
    states.into_values().collect()
}

/// Routes by subject and connector.
type States<'a> = BTreeMap<(&'a str, &'a str), RouteState>;

/// What is answered before anybody was told says nothing.
fn answer_all<'a>(states: &mut States<'a>, answers: &'a [Answer]) {
    for answer in answers {
        if let Some(state) = states.get_mut(&(answer.subject.as_str(), answer.provider.as_str())) {
            state.answer_with(&answer.state, &answer.id, answer.at);
        }
    }
}

impl RouteState {
    /// Another notice: it starts the clocks that are not running, and none anew.
    fn tell(&mut self, told: Self) {
        let before = self.clone();
        *self = told;
        match before.phase {
            Phase::Open => {
                self.acknowledgement_since = before.acknowledgement_since;
                self.resolution_since = before.resolution_since;
                (self.answer, self.answer_id, self.answered_at) = (before.answer, before.answer_id, before.answered_at);
            }
            Phase::Acknowledged => self.resolution_since = before.resolution_since,
            Phase::Resolved => {}
        }
    }

    /// An answer. A dismissal or an escalation is a remark: it stops no clock.
    fn answer_with(&mut self, state: &str, id: &str, at: Timestamp) {
        state.clone_into(&mut self.answer);
        self.answer_id = Some(id.to_owned());
        self.answered_at = Some(at);
        self.phase = match state {
            "acknowledged" => Phase::Acknowledged,
            "resolved" => Phase::Resolved,
            _ => Phase::Open,
        };
    }
}
