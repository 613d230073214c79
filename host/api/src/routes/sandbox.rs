//! Rows of the sandbox. docs/reference/decisions-and-policy.md, section 9.

use axum::routing::{get, post};
use cavra_core::{LogEvent, RunDocument};
use cavra_identity::Scope;

use crate::access::Access;
use crate::endpoint::{Effect, Endpoint, array_of, named};
use crate::handlers::sandbox;

/// The rows.
pub(super) fn rows() -> Vec<Endpoint> {
    let document = |path, operation, which, summary| {
        Endpoint::get(Access::READ, path, operation, sandbox::document(which))
            .about("sandbox", summary)
            .answers_with("text/markdown")
            .refuses(&[404, 409])
    };
    vec![
        Endpoint::get(Access::READ, "/api/sandbox/scenarios", "sandbox_scenarios", get(sandbox::scenarios))
            .about("sandbox", "Scenarios that can be played.")
            .answers(array_of("SandboxScenario"))
            .console("sandbox_scenarios"),
        Endpoint::post(
            Access::records(Scope::Decide),
            Effect::Changes(&[LogEvent::Decision, LogEvent::EvidenceRecorded]),
            "/api/sandbox/run",
            "sandbox_run",
            post(sandbox::run),
        )
        .about("sandbox", "Plays a scenario through the real engine and keeps its evidence; the body may be empty.")
        .takes("SandboxRequest")
        .answers(named("SandboxRun"))
        .body_optional()
        .console("sandbox_run")
        .refuses(&[404, 409]),
        Endpoint::get(Access::READ, "/api/sandbox/metrics", "sandbox_metrics", get(sandbox::metrics))
            .about("sandbox", "Runs in numbers.")
            .answers(named("SandboxMetrics"))
            .console("sandbox_metrics")
            .long(),
        Endpoint::get(Access::READ, "/api/sandbox/runs/{run_id}", "sandbox_run_detail", get(sandbox::one))
            .about("sandbox", "One run.")
            .answers(named("SandboxRun"))
            .console("sandbox_run_detail")
            .refuses(&[404, 409]),
        Endpoint::get(Access::READ, "/api/sandbox/runs/{run_id}/events", "sandbox_run_events", get(sandbox::events))
            .about("sandbox", "The decisions of a run, in order.")
            .answers(array_of("SandboxEvent"))
            .console("sandbox_run_events")
            .refuses(&[404, 409]),
        Endpoint::get(
            Access::READ,
            "/api/sandbox/runs/{run_id}/evidence",
            "sandbox_run_evidence",
            get(sandbox::evidence),
        )
        .about("sandbox", "The evidence of a run.")
        .answers(named("SandboxEvidence"))
        .console("sandbox_run_evidence")
        .refuses(&[404, 409]),
        document(
            "/api/sandbox/runs/{run_id}/attestation",
            "sandbox_run_attestation",
            RunDocument::Attestation,
            "What the agent did, for reviewers.",
        )
        .console("sandbox_run_attestation"),
        document(
            "/api/sandbox/runs/{run_id}/compliance",
            "sandbox_run_compliance",
            RunDocument::Compliance,
            "What the run shows for control objectives.",
        )
        .console("sandbox_run_compliance"),
        Endpoint::post(
            Access::records(Scope::Decide),
            Effect::Changes(&[LogEvent::Decision, LogEvent::EvidenceRecorded]),
            "/api/sandbox/runs/{run_id}/replay",
            "sandbox_run_replay",
            post(sandbox::replay),
        )
        .about("sandbox", "Plays the scenario of a run once more.")
        .answers(named("SandboxRun"))
        .bodiless()
        .console("sandbox_run_replay")
        .refuses(&[404, 409]),
    ]
}
