//! Kinds of evidence metadata that notifications leave, one row each. docs/reference/remediation-sla.md, section 1, and docs/reference/connectors-drills-ops-registry.md, section 3.1.

use crate::metadata_kind::{BUNDLE_FILES, MetadataKind};

/// Every kind.
pub static NOTIFICATION_KINDS: [MetadataKind; 30] = [
    kept("standing-alert-plan", "standing alert plan", "health_alert_plan"),
    kept("standing-alert-ack", "standing alert acknowledgement", "acknowledgement"),
    kept("standing-alert-escalation-plan", "standing alert escalation plan", "escalation_plan"),
    kept("standing-alert-reminder-plan", "standing alert reminder plan", "recurrence_plan"),
    kept("endpoint-remediation-sla-report", "endpoint remediation SLA report", "report"),
    kept(
        "endpoint-remediation-sla-notification-plan",
        "endpoint remediation SLA notification plan",
        "notification_plan",
    ),
    kept("endpoint-remediation-sla-notification-ack", "endpoint remediation SLA acknowledgement", "acknowledgement"),
    kept("endpoint-remediation-sla-escalation-plan", "endpoint remediation SLA escalation plan", "escalation_plan"),
    kept("endpoint-remediation-sla-escalation-review", "endpoint remediation SLA escalation review", "review"),
    kept(
        "endpoint-remediation-sla-escalation-recurrence-plan",
        "endpoint remediation SLA recurrence plan",
        "recurrence_plan",
    ),
    kept(
        "endpoint-remediation-sla-escalation-suppression-audit",
        "endpoint remediation SLA suppression audit",
        "suppression_audit",
    ),
    kept(
        "endpoint-remediation-sla-escalation-recurrence-retry-plan",
        "endpoint remediation SLA retry plan",
        "retry_plan",
    ),
    kept("endpoint-remediation-sla-escalation-owner-digest", "endpoint remediation SLA owner digest", "owner_digest"),
    kept(
        "endpoint-remediation-sla-escalation-suppression-trend",
        "endpoint remediation SLA suppression trend",
        "suppression_trend",
    ),
    kept(
        "endpoint-remediation-sla-escalation-recurrence-automation-run",
        "endpoint remediation SLA automation run",
        "automation_run",
    ),
    kept(
        "endpoint-remediation-sla-escalation-recurrence-automation-health-alert-plan",
        "endpoint remediation SLA health alert plan",
        "health_alert_plan",
    ),
    kept(
        "endpoint-remediation-sla-escalation-recurrence-automation-health-alert-ack",
        "endpoint remediation SLA health alert acknowledgement",
        "acknowledgement",
    ),
    kept("waiting-approvals-escalation-plan", "plan of approvals that wait too long", "escalation_plan"),
    kept("waiting-approvals-reminder-plan", "plan of reminders of approvals", "recurrence_plan"),
    kept("go-backend-rollback-drill-notification-plan", "rollback drill notification plan", "plan"),
    kept("go-backend-rollback-drill-notification-ack", "rollback drill acknowledgement", "acknowledgement"),
    kept("go-backend-rollback-drill-notification-escalation-plan", "rollback drill escalation plan", "escalation_plan"),
    kept(
        "go-backend-rollback-drill-acknowledgement-audit-package",
        "rollback drill audit package",
        "acknowledgement_audit_package",
    ),
    kept(
        "go-backend-rollback-drill-acknowledgement-audit-delivery-plan",
        "rollback drill audit delivery plan",
        "acknowledgement_audit_delivery_plan",
    ),
    kept(
        "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-plan",
        "rollback drill retry plan",
        "acknowledgement_audit_delivery_retry_plan",
    ),
    kept(
        "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-ack",
        "rollback drill retry acknowledgement",
        "acknowledgement",
    ),
    kept(
        "go-backend-rollback-drill-acknowledgement-audit-delivery-worker-run",
        "rollback drill worker run",
        "acknowledgement_audit_delivery_worker_run",
    ),
    kept(
        "go-backend-rollback-drill-acknowledgement-audit-delivery-worker-health-alert-plan",
        "rollback drill health alert plan",
        "worker_health_alert_plan",
    ),
    kept(
        "go-backend-rollback-drill-acknowledgement-audit-delivery-worker-health-alert-ack",
        "rollback drill health alert acknowledgement",
        "acknowledgement",
    ),
    kept(
        "go-backend-rollback-drill-routing-suppression-trend",
        "rollback drill suppression trend",
        "routing_suppression_trend",
    ),
];

const fn kept(value: &'static str, name: &'static str, document: &'static str) -> MetadataKind {
    MetadataKind {
        value: Some(value),
        joined: &[],
        name,
        filters: &[],
        list_schema: None,
        document: Some(document),
        artifacts: &BUNDLE_FILES,
    }
}
