//! What happened lately that somebody should know: the events that standing rules turn into subjects. docs/notifications.md.

use cavra_model::{DECISIONS, ENGINE_ERROR, Object, Timestamp, members};
use cavra_notify::{HealthLimits, Lately, attention};
use cavra_store::{Query, Unreadable};

use super::Desk;
use crate::page::PAGE_BYTES;
use crate::{CoreError, MAX_LIMIT};

impl Desk<'_> {
    /// What happened within the expected interval, and which approvals have waited since before the time from which on they are
    /// late. Five hundred are looked at: the newest blocks, and the approvals that wait longest, so that whoever asks for many does
    /// not hide them.
    pub(super) async fn lately(self, limits: HealthLimits, now: Timestamp) -> Result<Object, CoreError> {
        let minutes = limits.expected_interval_minutes;
        let since = minutes_before(now, minutes);
        let query = Query {
            filters: vec![("decision", "block".to_owned()), ("severity", "critical".to_owned())],
            since: Some(since.to_string()),
            ..page()
        };
        let blocked = self.app.store.list(&DECISIONS, query).await?.items;
        let (failures, blocks) =
            blocked.into_iter().partition(|decision| members::text(decision, "rule_id") == ENGINE_ERROR);
        let unsigned = self.app.log.sign_all().await.err().map(|error| error.to_string());
        let waiting = Query { filters: vec![("state", "pending".to_owned())], committed: true, ..page() };
        let late = minutes_before(now, limits.stale_metadata_minutes);
        let is_late = |approval: &Object| {
            members::text(approval, "requested_at").parse::<Timestamp>().is_ok_and(|asked| asked <= late)
        };
        let waiting = self.app.approvals.list(waiting).await?.items;
        let approvals = waiting.into_iter().rev().filter(is_late).collect();
        let lately = Lately { blocks, failures, unsigned_logs: unsigned.into_iter().collect(), approvals };
        Ok(attention(self.family, &lately, minutes, now).content)
    }
}

fn page() -> Query {
    Query { limit: MAX_LIMIT, bytes: Some(PAGE_BYTES), unreadable: Unreadable::Skip, ..Query::default() }
}

fn minutes_before(now: Timestamp, minutes: u64) -> Timestamp {
    let micros = i64::try_from(minutes).unwrap_or(i64::MAX).saturating_mul(60_000_000);
    Timestamp::from_micros(now.as_micros().saturating_sub(micros))
}
