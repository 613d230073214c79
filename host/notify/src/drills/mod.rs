//! Rollback drills: who is told that one is due, what they answered, and the audit of that. docs/reference/connectors-drills-ops-registry.md, section 3.

mod audit;
mod escalation;
mod health;
mod plan;
mod retries;
mod runs;
mod views;

pub use audit::{AuditRoute, Delivering, Filters, audit_event, audit_package, audit_routes, delivery_plan};
pub use escalation::{DrillSlo, drill_escalation};
pub use health::{DrillWatched, drill_health, drill_health_subject};
pub use plan::{Asking, DrillPolicy, drill_event, drill_plan};
pub use retries::drill_retries;
pub use runs::{DrillPass, drill_run, drill_window, run_word};
pub use views::{DrillTrend, RouteRow, route_rows};
