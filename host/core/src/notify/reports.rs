//! Reports of work that was handed off. docs/reference/remediation-sla.md, section 2.

use cavra_model::{ENDPOINT_HANDOFF_STATUSES, ENDPOINT_HANDOFFS, MetadataKind, Object, members};
use cavra_notify::{StageKind, WorkLimits, work_report};
use cavra_store::Parts;
use serde_json::json;

use super::{Call, Desk};
use crate::CoreError;

/// Members of a hand-off that a report reads; the packages in it are large.
const OF_HANDOFFS: [&str; 10] = [
    "handoff_id",
    "request_id",
    "reconciliation_id",
    "providers",
    "created_at",
    "approval_id",
    "approval_state",
    "action_count",
    "release",
    "channel",
];
/// Members of a status that a report reads.
const OF_STATUSES: [&str; 7] =
    ["status_id", "handoff_id", "provider", "handoff_status", "created_at", "external_ref", "external_url"];

impl Desk<'_> {
    /// Observes the work, and keeps the report.
    pub async fn report(self, call: Call) -> Result<Object, CoreError> {
        let request = self.request(call)?;
        let limits = WorkLimits {
            warning_hours: request.count("warning_hours", 24, (1, u64::MAX))?,
            critical_hours: request.count("critical_hours", 48, (1, u64::MAX))?,
        };
        let generated_by = request.generated_by()?;
        if limits.warning_hours > limits.critical_hours {
            let errors = vec!["warning_hours must not be greater than critical_hours".to_owned()];
            return Err(CoreError::Refused { errors, warnings: Vec::new() });
        }
        let handoffs = self.members_of(&ENDPOINT_HANDOFFS, &OF_HANDOFFS).await?;
        let statuses = self.members_of(&ENDPOINT_HANDOFF_STATUSES, &OF_STATUSES).await?;
        let stage = self.stage(StageKind::Report)?;
        let report = work_report(self.family, stage, &handoffs, &statuses, limits, &generated_by, request.now);
        let record = self.record(StageKind::Report, &report, &generated_by)?;
        let stored = self.app.evidence.put_own(vec![record], &request.caller).await?;
        Ok(members::built(json!({
            "valid": true,
            "errors": [],
            "warnings": report.warnings,
            "report_id": report.id,
            "report": report.content,
            "files": [],
            "metadata": stored.first(),
            "actor": request.actor(),
        })))
    }

    /// Some members of every record of a kind, as approvals stand now; each record once.
    async fn members_of(self, kind: &'static MetadataKind, names: &[&str]) -> Result<Vec<Object>, CoreError> {
        let mut seen = std::collections::BTreeSet::new();
        let mut found = Vec::new();
        self.app
            .evidence
            .each_presented(kind, Parts::Named, |record| {
                if seen.insert(members::text(record, "session_id").to_owned()) {
                    let chosen = names.iter().filter_map(|name| Some(((*name).to_owned(), record.get(*name)?.clone())));
                    found.push(chosen.collect());
                }
            })
            .await?;
        Ok(found)
    }
}
