//! Notifications: from "something needs attention" to "a person answered", for every family of subjects. docs/reference/remediation-sla.md and
//! docs/reference/connectors-drills-ops-registry.md, section 3.
//!
//! A use case is a family and an [`Operation`]. The rules are functions of `cavra-notify`; here records are loaded for them
//! and what they make is stored and sent. Everything that one call stores, it stores in one unit of work, and what was begun
//! is ended even if the caller leaves.

mod alerts;
mod answers;
mod automation;
mod boards;
mod digests;
mod drills;
mod follow_ups;
mod history;
mod lately;
mod ledger;
mod listing;
mod notices;
mod plans;
mod records;
mod reports;
mod request;
mod reservations;
mod sending;
mod sla;
mod standing;
mod waiting;

pub use boards::Board;
pub use drills::{
    DRILL_ALERTS, DRILL_ALERTS_BOARD, DRILL_NOTIFICATIONS, DRILL_NOTIFICATIONS_BOARD, DRILL_RUNS, DRILL_RUNS_BOARD,
};
pub use history::{Ask, Asked, History};
pub(crate) use reservations::Reservations;
pub use sla::{
    SLA_ACTIONS, SLA_ACTIONS_BOARD, SLA_ALERTS, SLA_ALERTS_BOARD, SLA_ESCALATIONS, SLA_ESCALATIONS_BOARD,
    SLA_NOTIFICATIONS, SLA_NOTIFICATIONS_BOARD, SLA_RECURRENCES, SLA_RECURRENCES_BOARD, SLA_REPORTS, SLA_REPORTS_BOARD,
    SLA_RUNS, SLA_RUNS_BOARD,
};

pub use standing::{STANDING_ALERTS, STANDING_ALERTS_BOARD};
pub use waiting::{WAITING_ESCALATIONS, WAITING_ESCALATIONS_BOARD, WAITING_REMINDERS, WAITING_REMINDERS_BOARD};

use cavra_model::Object;
use cavra_notify::{Family, PolicyError, StageKind};

use crate::{App, Caller, CoreError, JobRun};

/// What is done for a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Observes the work that was handed off.
    Report,
    /// Tells people about a report.
    Notify,
    /// Records an answer to a notification.
    Acknowledge,
    /// Finds out which routes are late.
    PlanEscalation,
    /// Tells people about late routes.
    Escalate,
    /// Records what an owner says about a late route.
    Review,
    /// Finds out which routes are told again.
    PlanRecurrence,
    /// Tells them again.
    Recur,
    /// Says why routes were not told again.
    AuditSuppression,
    /// Says how often that was so.
    TrendSuppression,
    /// Finds out which deliveries are tried again.
    PlanRetries,
    /// Tells owners what they have open.
    DigestOwners,
    /// Does what a scheduled worker does in one pass.
    Automate,
    /// Says whether the worker does its work.
    Health,
    /// Tells people that it does not.
    AlertHealth,
    /// Records an answer to that.
    AcknowledgeHealth,
    /// Says when the next drill is due.
    ScheduleDrill,
    /// Tells people that it is.
    NotifyDrill,
    /// Records an answer to that.
    AcknowledgeDrill,
    /// Records many of them.
    AcknowledgeDrills,
    /// Packages who was told and what they answered.
    PackageAudit,
    /// Sends such a package.
    DeliverAudit,
    /// Finds out which of these deliveries are tried again.
    PlanDrillRetries,
    /// Records what somebody says to that.
    AcknowledgeDrillRetry,
    /// Tries them again.
    RunDrillWorker,
    /// Says whether the worker does that.
    DrillHealth,
    /// Tells people that it does not.
    AlertDrillHealth,
    /// Records an answer to that.
    AcknowledgeDrillHealth,
    /// Says how often people were not told.
    TrendDrills,
    /// Finds out which notices were not answered in time.
    PlanDrillEscalation,
}

/// A call of an operation.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// What the path names.
    pub id: String,
    /// The body, or the query of a call that has none.
    pub body: Object,
    /// Who calls.
    pub caller: Caller,
    /// The run of a job that it is part of.
    pub run: Option<JobRun>,
}

/// A family at work.
#[derive(Clone, Copy)]
struct Desk<'a> {
    app: &'a App,
    family: &'static Family,
}

impl App {
    /// Does an operation of a family.
    ///
    /// # Errors
    /// In this order: [`CoreError::BadRequest`] without connectors, where it sends; [`CoreError::NotFound`];
    /// [`CoreError::Conflict`] for what a client posted; [`CoreError::BadRequest`] for the body. Then nothing was stored or
    /// sent. [`CoreError::Store`].
    pub async fn notify(&self, family: &'static Family, operation: Operation, call: Call) -> Result<Object, CoreError> {
        let app = self.clone();
        let work = async move { Desk { app: &app, family }.carry_out(operation, call).await };
        tokio::spawn(work).await.map_err(|_| CoreError::Unavailable("the operation was interrupted"))?
    }
}

impl Desk<'_> {
    async fn carry_out(self, operation: Operation, call: Call) -> Result<Object, CoreError> {
        match operation {
            Operation::Report => self.report(call).await,
            Operation::Notify => self.notify(call).await,
            Operation::Acknowledge => self.acknowledge(StageKind::Acknowledgement, call).await,
            Operation::PlanEscalation => self.plan_escalation(call).await,
            Operation::Escalate => self.escalate(call).await,
            Operation::Review => self.review(call).await,
            Operation::PlanRecurrence => self.plan_recurrence(call).await,
            Operation::Recur => self.recur(call).await,
            Operation::AuditSuppression => self.audit_suppression(call).await,
            Operation::TrendSuppression => self.trend_suppression(call).await,
            Operation::PlanRetries => self.plan_retries(call).await,
            Operation::DigestOwners => self.digest_owners(call).await,
            Operation::Automate => self.automate(call).await,
            Operation::Health => self.health(&call).await,
            Operation::AlertHealth => self.alert_health(call).await,
            Operation::ScheduleDrill => Ok(self.drill_report(cavra_model::Timestamp::now())),
            Operation::NotifyDrill => self.notify_drill(call).await,
            Operation::AcknowledgeDrill => self.acknowledge_drill(call).await,
            Operation::AcknowledgeDrills => self.acknowledge_drills(call).await,
            Operation::PackageAudit => self.package_audit(call).await,
            Operation::DeliverAudit => self.deliver_audit(call).await,
            Operation::PlanDrillRetries => self.plan_drill_retries(call).await,
            Operation::AcknowledgeDrillRetry => self.acknowledge_drill_retry(call).await,
            Operation::RunDrillWorker => self.run_drill_worker(call).await,
            Operation::DrillHealth => self.drill_health(&call).await,
            Operation::AlertDrillHealth => self.alert_drill_health(call).await,
            Operation::AcknowledgeDrillHealth => self.acknowledge_drill_health(call).await,
            Operation::TrendDrills => self.trend_drills(call).await,
            Operation::PlanDrillEscalation => self.plan_drill_escalation(call).await,
            Operation::AcknowledgeHealth => self.acknowledge(StageKind::HealthAlertAcknowledgement, call).await,
        }
    }
}

impl From<PolicyError> for CoreError {
    fn from(error: PolicyError) -> Self {
        Self::BadRequest(error.to_string())
    }
}
