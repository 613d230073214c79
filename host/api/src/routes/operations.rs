//! Rows of operations: stores, how they are kept, and readiness. They read; copies are made and put back on the command
//! line alone.

use axum::routing::get;

use crate::access::Access;
use crate::endpoint::{Endpoint, ParameterKind, named};
use crate::handlers::operations;

/// The rows.
pub(super) fn rows() -> Vec<Endpoint> {
    vec![
        Endpoint::get(Access::READ, "/operations/stores", "operations_stores", get(operations::stores))
            .about("operations", "Where the stores are, who says so, and how large they are.")
            .console("operations_stores")
            .answers(named("StoreList")),
        Endpoint::get(
            Access::READ,
            "/operations/retention-plan",
            "operations_retention_plan",
            get(operations::retention_plan),
        )
        .about(
            "operations",
            "How long the stores are to be kept, and how often they are to be copied; changes nothing.",
        )
        .console("operations_retention_plan")
        .answers(named("RetentionPlan"))
        .with_parameter("retention_days", ParameterKind::Integer, "1 to 36500; default is 2555, seven years.")
        .with_parameter("classification", ParameterKind::Text, "Class of the records; default is regulated-sdlc.")
        .with_parameter("legal_hold", ParameterKind::Boolean, "Whether they are kept until a hold is lifted.")
        .refuses(&[400]),
        Endpoint::get(Access::READ, "/operations/workers", "operations_workers", get(operations::workers))
            .about(
                "operations",
                "The jobs that servers do by themselves: when each was done, by what schedule, and what is wrong.",
            )
            .console("operations_workers")
            .answers(named("WorkerList")),
        Endpoint::get(
            Access::READ,
            "/deployment/production-readiness",
            "production_readiness",
            get(operations::production_readiness),
        )
        .long()
        .about("operations", "Whether this server is ready for production: named checks of what is there now.")
        .console("deployment_readiness")
        .answers(named("ProductionReadiness")),
    ]
}
