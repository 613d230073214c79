//! The health of the scheduled worker, and who is told about it. docs/reference/remediation-sla.md, sections 10 and 11.

use cavra_model::{Object, Timestamp, members};
use cavra_notify::{
    HEALTH_METRICS, HEALTH_TAGS, HealthLimits, Making, RoutingPolicy, StageKind, Watched, Watches, health,
    health_event, health_subject,
};
use serde_json::{Value, json};

use super::notices::Notice;
use super::records::Counted;
use super::request::Request;
use super::{Call, Desk};
use crate::{CoreError, PageRequest};

/// Passes that are kept as they are; of older ones only what health is about.
const WHOLE: usize = 10;
/// Most alerts in an event, and how many there may be.
pub(super) const ALERTS: (u64, (u64, u64)) = (20, (1, 100));
/// The kinds of documents that a working worker keeps making.
const EXPECTED: [StageKind; 4] =
    [StageKind::RecurrencePlan, StageKind::RetryPlan, StageKind::OwnerDigest, StageKind::SuppressionTrend];
const INTERVAL: &str = "expected_interval_minutes";
const STALE: &str = "stale_metadata_minutes";

impl Desk<'_> {
    /// The health of the worker at this moment; nothing is kept. The limits stand in the query.
    pub async fn health(self, call: &Call) -> Result<Object, CoreError> {
        self.observe(query_limits(&call.body)?, Timestamp::now()).await
    }

    /// Tells people about it.
    pub async fn alert_health(self, call: Call) -> Result<Object, CoreError> {
        self.app.connectors()?;
        let request = self.request(call)?;
        let limits = request_limits(&request)?;
        let policy = RoutingPolicy::read(request.value("routing_policy"), &HEALTH_TAGS, &HEALTH_METRICS)?;
        let wanted = self.wanted(&request, policy, ("max_alerts", ALERTS))?;
        let observed = self.observe(limits, request.now).await?;
        let subject = health_subject(&observed);
        let making = Making { family: self.family, generated_by: &wanted.generated_by, now: request.now };
        let summary = members::object(&subject.shown, "summary").cloned().unwrap_or_default();
        let notice = Notice {
            event: health_event(making, &observed, &summary, wanted.most),
            subject,
            stage: StageKind::HealthAlertPlan,
            source: self.family.sources.health_alert,
            may_be_nobody: false,
        };
        let mut answer = self.give_notice(notice, wanted, &request).await?;
        answer.insert("health".to_owned(), json!(observed));
        Ok(answer)
    }

    async fn observe(self, limits: HealthLimits, now: Timestamp) -> Result<Object, CoreError> {
        if self.family.watches == Watches::Events {
            return self.lately(limits, now).await;
        }
        let counted = self.counted().await?;
        let runs = self.runs(&counted).await?;
        let mut newest = Vec::new();
        for kind in EXPECTED {
            let Some(stage) = self.family.stage(kind) else { continue };
            self.each(stage.metadata_kind, |record| {
                let counts = counted.counts(&record);
                if counts {
                    newest.push(record);
                }
                !counts
            })
            .await?;
        }
        let facts = self.facts(&[]).await?;
        let watched = Watched { runs: runs.iter().collect(), newest: newest.iter().collect() };
        Ok(health(self.family, &watched, &facts, limits, now).content)
    }

    /// The passes that count, newest first.
    async fn runs(self, counted: &Counted) -> Result<Vec<Object>, CoreError> {
        let stage = self.stage(StageKind::AutomationRun)?;
        let mut runs: Vec<Object> = Vec::new();
        self.each(stage.metadata_kind, |record| {
            if counted.counts(&record) {
                let slim = |document: &Object| {
                    let names = ["run_id", "generated_at", "status", "schedule"];
                    let kept = names.iter().filter_map(|name| Some(((*name).to_owned(), document.get(*name)?.clone())));
                    Object::from_iter([(stage.payload.to_owned(), Value::Object(kept.collect()))])
                };
                let document = members::object(&record, stage.payload);
                let kept = if runs.len() < WHOLE { None } else { document.map(slim) };
                runs.push(kept.unwrap_or(record));
            }
            true
        })
        .await?;
        Ok(runs)
    }
}

/// The limits in a query.
pub(super) fn query_limits(query: &Object) -> Result<HealthLimits, CoreError> {
    Ok(HealthLimits {
        expected_interval_minutes: of_query(query, INTERVAL)?.unwrap_or(30).max(1),
        stale_metadata_minutes: of_query(query, STALE)?.unwrap_or(120).max(1),
    })
}

/// The limits in a body.
pub(super) fn request_limits(request: &Request) -> Result<HealthLimits, CoreError> {
    Ok(HealthLimits {
        expected_interval_minutes: request.count(INTERVAL, 30, (1, u64::MAX))?,
        stale_metadata_minutes: request.count(STALE, 120, (1, u64::MAX))?,
    })
}

/// A whole number of a query; below 0 counts as 0.
fn of_query(query: &Object, parameter: &'static str) -> Result<Option<u64>, CoreError> {
    // A worker's settings say it as a number.
    let text = match query.get(parameter) {
        Some(Value::Number(number)) => number.to_string(),
        _ => members::text(query, parameter).to_owned(),
    };
    if text.is_empty() {
        return Ok(None);
    }
    let number = PageRequest::whole_number(&text).ok_or(CoreError::Query { parameter, expected: "a whole number" })?;
    Ok(Some(u64::try_from(number).unwrap_or(0)))
}
