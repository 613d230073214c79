//! Dashboards: what the records of a history amount to. Numbers are rows of measures; the rest follows from the newest
//! document, from how routes stand and from what failed.

use std::cmp::Reverse;

use cavra_model::{EVIDENCE_METADATA, Folder, Measured, Object, Timestamp, members};
use cavra_notify::{Facts, Family, RouteState, StageKind, routes};
use serde_json::{Value, json};

use super::history::moment;
use super::{Desk, History};
use crate::{App, CoreError};

/// Most records that a dashboard shows.
const LATEST: usize = 10;
/// Most outstanding answers that a dashboard names.
const NAMED: usize = 20;

/// A dashboard.
#[derive(Debug)]
pub struct Board {
    /// `schema_version` of the dashboard.
    pub schema: &'static str,
    /// The records that it is about.
    pub history: &'static History,
    /// The kinds of documents that tell how routes stand.
    pub facts: &'static [StageKind],
    /// The kind of the document whose newest one it shows.
    pub newest: Option<StageKind>,
    /// Its numbers.
    pub counts: &'static [Measured],
    /// What follows from all of it.
    pub follows: fn(&Seen) -> Object,
}

/// What a dashboard has seen.
#[derive(Debug)]
pub struct Seen {
    /// Its numbers.
    pub counts: Object,
    /// The newest document; empty without one.
    pub newest: Object,
    /// What happened.
    pub facts: Facts,
    /// How routes stand.
    pub routes: Vec<RouteState>,
    /// Deliveries of its sources whose latest attempt failed.
    pub open_failures: usize,
}

impl Seen {
    /// A number of the dashboard.
    #[must_use]
    pub fn number(&self, name: &str) -> u64 {
        self.counts.get(name).and_then(Value::as_u64).unwrap_or(0)
    }

    /// A member of the newest document, or what stands for none.
    #[must_use]
    pub fn newest(&self, name: &str, otherwise: Value) -> Value {
        self.newest.get(name).filter(|value| !value.is_null()).cloned().unwrap_or(otherwise)
    }

    /// What the newest document says of itself.
    #[must_use]
    pub fn newest_level(&self) -> Value {
        self.newest("alert_level", json!("healthy"))
    }

    /// The routes that somebody has to answer and nobody has: how many there are, and the first of them by name.
    #[must_use]
    pub fn outstanding(&self, subject: &str) -> (usize, Value) {
        let open: Vec<&RouteState> = self.routes.iter().filter(|route| route.is_outstanding()).collect();
        let named = open
            .iter()
            .take(NAMED)
            .map(|route| json!({ subject: route.subject, "provider": route.provider, "plan_id": route.plan_id }));
        (open.len(), named.collect())
    }
}

impl App {
    /// What a dashboard says at this moment.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn notification_board(
        &self,
        family: &'static Family,
        board: &'static Board,
    ) -> Result<Object, CoreError> {
        let desk = Desk { app: self, family };
        let counted = desk.counted().await?;
        let mut folder = Folder::new(board.counts);
        let mut latest: Vec<(Reverse<Timestamp>, String, Object)> = Vec::new();
        desk.each_of(board.history, |record| {
            if counted.counts(&record) {
                folder.add(&record);
            }
            let id = members::text(&record, EVIDENCE_METADATA.id).to_owned();
            latest.push((Reverse(moment(&record)), id, record));
            if latest.len() >= LATEST * 8 {
                newest_first(&mut latest);
            }
            true
        })
        .await?;
        newest_first(&mut latest);
        let facts = if board.facts.is_empty() { Facts::default() } else { desk.facts(board.facts).await? };
        let newest = match board.newest {
            Some(kind) => desk.newest(kind).await?,
            None => None,
        };
        let failures = board.history.sources.iter().map(|source| facts.open_failures(source).len()).sum();
        let seen = Seen {
            counts: folder.answer(),
            newest: newest.unwrap_or_default(),
            routes: routes(&facts),
            facts,
            open_failures: failures,
        };
        let mut answer = members::built(json!({
            "schema_version": board.schema, "product": "CAVRA", "generated_at": Timestamp::now(),
        }));
        answer.extend((board.follows)(&seen));
        answer.extend(seen.counts);
        answer.insert("latest".to_owned(), latest.into_iter().map(|(_, _, record)| record).collect());
        Ok(answer)
    }
}

fn newest_first(latest: &mut Vec<(Reverse<Timestamp>, String, Object)>) {
    latest.sort_by(|left, right| (&left.0, &left.1).cmp(&(&right.0, &right.1)));
    latest.truncate(LATEST);
}
