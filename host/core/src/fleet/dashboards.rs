//! Managed endpoints in numbers: one row per dashboard.

use cavra_model::{
    Alert, Alerts, Condition, ENDPOINT_AUTOMATIONS, ENDPOINT_EXPORTS, ENDPOINT_FRESHNESS, ENDPOINT_HANDOFF_STATUSES,
    ENDPOINT_HANDOFFS, ENDPOINT_INGESTIONS, ENDPOINT_PUBLICATIONS, ENDPOINT_RECONCILIATIONS, ENDPOINT_REMEDIATIONS,
    Folder, Level, Measure, Measured, MetadataKind, Object, SPREAD, Timestamp, measured, members,
};
use cavra_store::Parts;
use serde_json::{Value, json};

use crate::evidence::without_documents;
use crate::{CoreError, Evidence};

/// Most providers, channels and statuses that are told apart.
const MOST: usize = 1_000;
/// Most scopes whose newest record counts.
const SCOPES: usize = 10_000;
/// Most alerts that are listed.
const LISTED: usize = 25;
/// Newest records that are shown.
const LATEST: usize = 10;
/// A dashboard of the records of a kind.
#[derive(Debug)]
pub struct EndpointDashboard {
    kind: &'static MetadataKind,
    /// What is measured.
    pub view: &'static [Measured],
    /// Whether it looks into large parts of records.
    parts: Parts,
    /// The record as it is measured.
    measured: fn(&Object) -> Object,
    /// What follows from the counters together.
    finish: fn(&mut Object),
}

const fn of(kind: &'static MetadataKind, view: &'static [Measured]) -> EndpointDashboard {
    EndpointDashboard { kind, view, parts: Parts::Named, measured: without_documents, finish: |_| {} }
}

/// One that looks into large parts.
const fn whole(kind: &'static MetadataKind, view: &'static [Measured]) -> EndpointDashboard {
    EndpointDashboard { parts: Parts::Whole, ..of(kind, view) }
}

impl Evidence {
    /// What a dashboard says now. The newest records are shown with large parts as it looks at them.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn endpoint_dashboard(&self, row: &'static EndpointDashboard) -> Result<Value, CoreError> {
        let mut folder = Folder::new(row.view);
        let mut latest = Vec::new();
        self.each_presented(row.kind, row.parts, |record| {
            folder.add(&(row.measured)(record));
            if latest.len() < LATEST {
                latest.push(record.clone());
            }
        })
        .await?;
        let mut answer = folder.answer();
        (row.finish)(&mut answer);
        answer.insert("generated_at".to_owned(), json!(Timestamp::now()));
        answer.insert("latest".to_owned(), json!(latest));
        Ok(Value::Object(answer))
    }
}

const fn schema(id: &'static str) -> Measured {
    measured("schema_version", Measure::Constant(id))
}

const PRODUCT: Measured = measured("product", Measure::Constant("CAVRA"));
const PENDING: Condition = Condition::Is("approval_state", "pending");

/// An alert of one level that only sets the level of a dashboard.
const fn raises(when: Condition, level: Level) -> Alert {
    Alert { when, level, message: "", members: &[] }
}

const fn level(rows: &'static [Alert]) -> Alerts {
    Alerts { rows, empty: None, most: 0 }
}

const EXPORT_PENDING: Condition = Condition::All(&[
    Condition::Any(&[
        Condition::AtLeast("approval_required_count", 1),
        Condition::Flag("manifest.approval.required", true),
    ]),
    Condition::Not(&Condition::Is("approval_state", "approved")),
]);
static EXPORT_LEVEL: Alerts = level(&[raises(EXPORT_PENDING, Level::Warning)]);

/// Exports for endpoint management.
pub static EXPORT_DASHBOARD: EndpointDashboard = EndpointDashboard {
    // Whether an approval is required, the manifest says.
    measured: Object::clone,
    ..whole(
        &ENDPOINT_EXPORTS,
        &[
            schema("cavra.endpoint_management.export_dashboard.v1"),
            PRODUCT,
            measured("alert_level", Measure::WorstOf(&EXPORT_LEVEL)),
            measured("total_exports", Measure::Count),
            measured("pending_approval_exports", Measure::CountIf(EXPORT_PENDING)),
            measured("total_files", Measure::Elements("files")),
            measured("providers", Measure::CountBy { by: "providers", most: MOST }),
            measured("channels", Measure::CountByOr { by: "channel", without: "unknown", most: MOST }),
        ],
    )
};

const DELIVERED: Condition = Condition::Flag("delivery_success", true);
const FAILED: Condition = Condition::Flag("delivery_success", false);
static PUBLICATION_ALERTS: Alerts = Alerts {
    rows: &[Alert {
        when: FAILED,
        level: Level::Warning,
        message: "publication of {export_id} failed",
        members: &[("event_id", "event_id"), ("export_id", "export_id"), ("failed_providers", "failed_providers")],
    }],
    empty: None,
    most: 500,
};
const RESULTS: &[Measured] = &[measured(
    "providers",
    Measure::Rows {
        by: "provider",
        name: "provider",
        view: &[
            measured("total", Measure::Count),
            measured("success", Measure::CountIf(Condition::Flag("success", true))),
            measured("failed", Measure::CountIf(Condition::Flag("success", false))),
            measured("attempt_count", Measure::Sum("attempt_count")),
            measured("last_delivery_at", Measure::Newest("at")),
        ],
        most: MOST,
    },
)];

/// Publications of exports.
pub static PUBLICATION_DASHBOARD: EndpointDashboard = EndpointDashboard {
    measured: with_results,
    ..of(
        &ENDPOINT_PUBLICATIONS,
        &[
            schema("cavra.endpoint_management.publication_dashboard.v1"),
            PRODUCT,
            measured("alert_level", Measure::WorstOf(&PUBLICATION_ALERTS)),
            measured("total_publications", Measure::Count),
            measured("successful_publications", Measure::CountIf(DELIVERED)),
            measured("failed_publications", Measure::CountIf(FAILED)),
            measured("success_rate", Measure::Share { part: DELIVERED, of: Condition::Always }),
            measured(SPREAD, Measure::Flatten { list: "results", view: RESULTS }),
            measured("alerts", Measure::Severities(&PUBLICATION_ALERTS)),
        ],
    )
};

/// A publication with what came of it at each provider: what its delivery says, else what its summary does.
fn with_results(record: &Object) -> Object {
    let deliveries = members::object(record, "delivery").map(|delivery| members::objects(delivery, "deliveries"));
    let deliveries = deliveries.unwrap_or_default();
    let failed = members::texts(record, "failed_providers");
    let success = record.get("delivery_success").and_then(Value::as_bool) == Some(true);
    let result = |provider: &str| {
        let own = deliveries.iter().find(|delivery| members::text(delivery, "provider") == provider);
        let succeeded = match own {
            Some(own) => own.get("success").and_then(Value::as_bool) == Some(true),
            None => !failed.contains(&provider) && (success || !failed.is_empty()),
        };
        json!({
            "provider": provider,
            "success": succeeded,
            "attempt_count": own.and_then(|own| own.get("attempt_count")),
            "at": record.get("created_at"),
        })
    };
    let mut light = without_documents(record);
    light.insert("results".to_owned(), members::texts(record, "providers").into_iter().map(result).collect());
    light
}

static INGESTION_LEVEL: Alerts = level(&[raises(Condition::AtLeast("missing_target_count", 1), Level::Warning)]);

/// Inventories that were ingested.
pub static INGESTION_DASHBOARD: EndpointDashboard = of(
    &ENDPOINT_INGESTIONS,
    &[
        schema("cavra.endpoint_inventory_ingestion.dashboard.v1"),
        PRODUCT,
        measured("alert_level", Measure::WorstOf(&INGESTION_LEVEL)),
        measured("total_ingestions", Measure::Count),
        measured("endpoint_count", Measure::Sum("endpoint_count")),
        measured("missing_target_count", Measure::Sum("missing_target_count")),
        measured(
            "providers",
            Measure::Rows {
                by: "provider",
                name: "provider",
                view: &[
                    measured("ingestions", Measure::Count),
                    measured("endpoint_count", Measure::Sum("endpoint_count")),
                    measured("missing_target_count", Measure::Sum("missing_target_count")),
                    measured("last_observed_at", Measure::Newest("observed_at")),
                ],
                most: MOST,
            },
        ),
    ],
);

static FRESHNESS_LEVEL: Alerts = level(&[
    raises(Condition::AtLeast("critical_count", 1), Level::Critical),
    raises(Condition::AtLeast("warning_count", 1), Level::Warning),
]);

/// How old inventories were found to be.
pub static FRESHNESS_DASHBOARD: EndpointDashboard = whole(
    &ENDPOINT_FRESHNESS,
    &[
        schema("cavra.endpoint_inventory_freshness.dashboard.v1"),
        PRODUCT,
        measured("alert_level", Measure::WorstOf(&FRESHNESS_LEVEL)),
        measured(
            SPREAD,
            Measure::LatestBy {
                by: "scope.provider+scope.channel+scope.deployment_target",
                time: "created_at",
                view: &[measured("current_alert_level", Measure::WorstOf(&FRESHNESS_LEVEL))],
                most: SCOPES,
            },
        ),
        measured("report_count", Measure::Count),
        measured("warning_count", Measure::Sum("warning_count")),
        measured("critical_count", Measure::Sum("critical_count")),
        measured("alert_count", Measure::Sum("alert_count")),
        measured("alerts", Measure::Listed { list: "alerts", most: LISTED }),
    ],
);

const RECONCILED: &[(&str, &str)] = &[("reconciliation_id", "reconciliation_id")];
static RECONCILIATION_ALERTS: Alerts = Alerts {
    rows: &[
        Alert {
            when: Condition::Is("alert_level", "critical"),
            level: Level::Critical,
            message: "{reconciliation_id}: {drifted_endpoint_count} endpoints drifted, {missing_target_count} targets are missing",
            members: RECONCILED,
        },
        Alert {
            when: Condition::Is("alert_level", "warning"),
            level: Level::Warning,
            message: "{reconciliation_id}: endpoints are stale, unknown or unverified",
            members: RECONCILED,
        },
    ],
    empty: None,
    most: LISTED,
};

/// Comparisons of endpoints with releases.
pub static RECONCILIATION_DASHBOARD: EndpointDashboard = of(
    &ENDPOINT_RECONCILIATIONS,
    &[
        schema("cavra.endpoint_reconciliation.dashboard.v1"),
        PRODUCT,
        measured("alert_level", Measure::WorstOf(&RECONCILIATION_ALERTS)),
        measured(
            SPREAD,
            Measure::LatestBy {
                by: "release.version+channel+deployment_targets",
                time: "created_at",
                view: &[measured("current_alert_level", Measure::WorstOf(&RECONCILIATION_ALERTS))],
                most: SCOPES,
            },
        ),
        measured("total_reconciliations", Measure::Count),
        measured("compliant_endpoint_count", Measure::Sum("compliant_endpoint_count")),
        measured("drifted_endpoint_count", Measure::Sum("drifted_endpoint_count")),
        measured("missing_target_count", Measure::Sum("missing_target_count")),
        measured("stale_endpoint_count", Measure::Sum("stale_endpoint_count")),
        measured("alerts", Measure::Severities(&RECONCILIATION_ALERTS)),
    ],
);

static AUTOMATION_LEVEL: Alerts = level(&[
    raises(Condition::Any(&[Condition::Is("alert_level", "critical"), PENDING]), Level::Critical),
    raises(Condition::Is("alert_level", "warning"), Level::Warning),
]);

/// Inventories that were reconciled, with what that opened.
pub static AUTOMATION_DASHBOARD: EndpointDashboard = of(
    &ENDPOINT_AUTOMATIONS,
    &[
        schema("cavra.endpoint_reconciliation_automation.dashboard.v1"),
        PRODUCT,
        measured("alert_level", Measure::WorstOf(&AUTOMATION_LEVEL)),
        measured("automation_count", Measure::Count),
        measured("pending_approval_count", Measure::CountIf(PENDING)),
        measured("drift_detected_count", Measure::CountIf(Condition::Is("drift_status", "drift_detected"))),
        measured("request_count", Measure::CountIf(Condition::Present("request_id"))),
    ],
);

const REQUEST: Condition = Condition::Is("metadata_kind", "endpoint-drift-remediation-request");
const EXECUTION: Condition = Condition::Is("metadata_kind", "endpoint-drift-remediation-execution");
const APPROVED: Condition = Condition::Is("approval_state", "approved");

/// Remediations, asked for and executed.
pub static REMEDIATION_DASHBOARD: EndpointDashboard = EndpointDashboard {
    finish: remediation_level,
    ..of(
        &ENDPOINT_REMEDIATIONS,
        &[
            schema("cavra.endpoint_drift_remediation.dashboard.v1"),
            PRODUCT,
            measured("request_count", Measure::CountIf(REQUEST)),
            measured("execution_count", Measure::CountIf(EXECUTION)),
            measured("pending_approval_count", Measure::CountIf(Condition::All(&[REQUEST, PENDING]))),
            measured("approved_execution_count", Measure::CountIf(Condition::All(&[EXECUTION, APPROVED]))),
            measured(
                SPREAD,
                Measure::Where {
                    condition: REQUEST,
                    view: &[measured("planned_action_count", Measure::Sum("action_count"))],
                },
            ),
        ],
    )
};

/// Whoever asked waits for an approval, or for an execution.
fn remediation_level(answer: &mut Object) {
    let some = |name: &str| answer.get(name).and_then(Value::as_u64).is_some_and(|count| count > 0);
    let level = if some("pending_approval_count") {
        Level::Critical
    } else if some("request_count") && !some("approved_execution_count") {
        Level::Warning
    } else {
        Level::Healthy
    };
    answer.insert("alert_level".to_owned(), json!(level.as_str()));
}

static HANDOFF_LEVEL: Alerts = level(&[raises(PENDING, Level::Warning)]);

/// Packages for other systems.
pub static HANDOFF_DASHBOARD: EndpointDashboard = of(
    &ENDPOINT_HANDOFFS,
    &[
        schema("cavra.endpoint_remediation_handoff.dashboard.v1"),
        PRODUCT,
        measured("alert_level", Measure::WorstOf(&HANDOFF_LEVEL)),
        measured("handoff_count", Measure::Count),
        measured("pending_approval_count", Measure::CountIf(PENDING)),
        measured("provider_count", Measure::Distinct { by: "providers", most: MOST }),
        measured("action_count", Measure::Sum("action_count")),
        measured("providers", Measure::CountBy { by: "providers", most: MOST }),
    ],
);

const UNDER_WAY: Condition =
    Condition::OneOf("handoff_status", &["queued", "delivered", "acknowledged", "in_progress"]);
static STATUS_LEVEL: Alerts = level(&[
    raises(Condition::OneOf("handoff_status", &["failed", "blocked"]), Level::Critical),
    raises(UNDER_WAY, Level::Warning),
]);

/// What became of the packages.
pub static HANDOFF_STATUS_DASHBOARD: EndpointDashboard = of(
    &ENDPOINT_HANDOFF_STATUSES,
    &[
        schema("cavra.endpoint_remediation_handoff_status.dashboard.v1"),
        PRODUCT,
        measured("status_event_count", Measure::Count),
        measured(
            SPREAD,
            Measure::LatestBy {
                by: "handoff_id+provider",
                time: "created_at",
                view: &[
                    measured("alert_level", Measure::WorstOf(&STATUS_LEVEL)),
                    measured("tracked_handoff_provider_count", Measure::Count),
                    measured("completed_count", Measure::CountIf(Condition::Is("handoff_status", "completed"))),
                    measured("in_progress_count", Measure::CountIf(UNDER_WAY)),
                    measured("blocked_count", Measure::CountIf(Condition::Is("handoff_status", "blocked"))),
                    measured("failed_count", Measure::CountIf(Condition::Is("handoff_status", "failed"))),
                ],
                most: SCOPES,
            },
        ),
        measured("provider_count", Measure::Distinct { by: "provider", most: MOST }),
        measured("providers", Measure::CountBy { by: "provider", most: MOST }),
        measured("statuses", Measure::CountBy { by: "handoff_status", most: MOST }),
    ],
);

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(row: &'static EndpointDashboard, records: &[Value]) -> Object {
        let mut folder = Folder::new(row.view);
        records.iter().for_each(|record| folder.add(&(row.measured)(record.as_object().unwrap())));
        let mut answer = folder.answer();
        (row.finish)(&mut answer);
        answer
    }

    #[test]
    fn an_empty_store_is_healthy() {
        for row in [
            &EXPORT_DASHBOARD,
            &PUBLICATION_DASHBOARD,
            &INGESTION_DASHBOARD,
            &FRESHNESS_DASHBOARD,
            &RECONCILIATION_DASHBOARD,
            &AUTOMATION_DASHBOARD,
            &REMEDIATION_DASHBOARD,
            &HANDOFF_DASHBOARD,
            &HANDOFF_STATUS_DASHBOARD,
        ] {
            let answer = seen(row, &[]);
            assert_eq!(answer["alert_level"], "healthy", "{answer:?}");
            for (name, value) in &answer {
                let nothing = matches!(value, Value::String(_)) || *value == json!(0) || *value == json!(0.0);
                assert!(nothing || *value == json!([]) || *value == json!({}), "{name}: {value}");
            }
        }
    }

    #[test]
    fn providers_of_publications_count_by_their_own_results() {
        let whole = json!({"providers": ["jamf", "intune"], "failed_providers": ["jamf"], "delivery_success": false,
            "event_id": "e", "export_id": "x", "created_at": "2031-01-02T00:00:00Z", "delivery": {"deliveries": [
                {"provider": "intune", "success": true, "attempt_count": 1},
                {"provider": "jamf", "success": false, "attempt_count": 3}]}});
        let summary = json!({"providers": ["jamf"], "delivery_success": true, "created_at": "2031-01-01T00:00:00Z"});
        let answer = seen(&PUBLICATION_DASHBOARD, &[whole, summary]);
        assert_eq!(answer["success_rate"], 0.5);
        let row = |provider: &str, total, success, failed, attempts, at: &str| {
            json!({"provider": provider, "total": total, "success": success, "failed": failed,
                "attempt_count": attempts, "last_delivery_at": at})
        };
        let rows = [row("intune", 1, 1, 0, 1, "2031-01-02T00:00:00Z"), row("jamf", 2, 1, 1, 3, "2031-01-02T00:00:00Z")];
        assert_eq!(answer["providers"], json!(rows));
        assert_eq!(answer["alerts"][0]["severity"], "warning");
        assert_eq!(answer["alerts"][0]["failed_providers"], json!(["jamf"]));
    }

    #[test]
    fn the_newest_report_of_a_scope_is_the_current_one() {
        let report = |channel: &str, created: &str, critical: u64| {
            json!({"scope": {"provider": null, "channel": channel, "deployment_target": null}, "created_at": created,
                "critical_count": critical, "warning_count": 1, "alerts": [{"severity": "warning"}]})
        };
        let answer = seen(
            &FRESHNESS_DASHBOARD,
            &[report("beta", "2031-01-02T00:00:00Z", 0), report("beta", "2031-01-01T00:00:00Z", 2)],
        );
        assert_eq!((&answer["alert_level"], &answer["current_alert_level"]), (&json!("critical"), &json!("warning")));
        assert_eq!(answer["alerts"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn the_newest_status_of_a_handoff_counts() {
        let status = |provider: &str, word: &str, created: &str| json!({"handoff_id": "h", "provider": provider, "handoff_status": word, "created_at": created});
        let records = [
            status("jira", "completed", "2031-01-02T00:00:00Z"),
            status("jira", "failed", "2031-01-01T00:00:00Z"),
            status("slack", "queued", "2031-01-01T00:00:00Z"),
        ];
        let answer = seen(&HANDOFF_STATUS_DASHBOARD, &records);
        assert_eq!(answer["alert_level"], "warning");
        assert_eq!((&answer["completed_count"], &answer["failed_count"]), (&json!(1), &json!(0)));
        assert_eq!(answer["statuses"], json!({"completed": 1, "failed": 1, "queued": 1}));
        assert_eq!(answer["tracked_handoff_provider_count"], 2);
    }

    #[test]
    fn whoever_waits_raises_the_level_of_remediations() {
        let request = |state: &str| json!({"metadata_kind": "endpoint-drift-remediation-request", "approval_state": state, "action_count": 2});
        let execution = json!({"metadata_kind": "endpoint-drift-remediation-execution", "approval_state": "approved"});
        for (records, level) in [
            (vec![request("pending")], "critical"),
            (vec![request("denied")], "warning"),
            (vec![request("approved"), execution.clone()], "healthy"),
            (vec![request("pending"), execution], "critical"),
        ] {
            let answer = seen(&REMEDIATION_DASHBOARD, &records);
            assert_eq!((&answer["alert_level"], &answer["planned_action_count"]), (&json!(level), &json!(2)));
        }
    }
}
