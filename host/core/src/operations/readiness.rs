//! Whether an installation is ready for production: named checks, each of which looks at what is there now.

use cavra_model::Timestamp;
use serde_json::{Value, json};

use super::PRODUCT;
use super::stores::store_items;
use crate::pilot::{Checks, PilotReports, pilot_reports, report_status};
use crate::{App, CoreError};

/// A report that has to have one of some statuses: the check, the report, the statuses.
type Row = (&'static str, fn(&PilotReports) -> &Value, &'static [&'static str]);

const REPORTS: [Row; 7] = [
    ("go_backend_pilot", |reports| &reports.pilot, &["disabled", "ready"]),
    ("go_backend_deployment_paths", |reports| &reports.deployment, &["ready", "not_configured"]),
    ("go_backend_promotion_gate", |reports| &reports.promotion, &["not_requested", "ready"]),
    ("go_backend_rollback_controls", |reports| &reports.rollback, &["not_requested", "ready"]),
    ("go_backend_rollback_rehearsal", |reports| &reports.rehearsal, &["not_requested", "ready"]),
    ("go_backend_rollback_drill_history", |reports| &reports.drill_history, &["not_requested", "ready"]),
    ("go_backend_rollback_drill_schedule", |reports| &reports.drill_schedule, &["not_requested", "ready", "due_soon"]),
];

impl App {
    /// `cavra.deployment.production_readiness.v1`.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn production_readiness(&self) -> Result<Value, CoreError> {
        let settings = std::sync::Arc::clone(&self.settings);
        let packs = self.decisions.library().clone();
        let looked = tokio::task::spawn_blocking(move || {
            let reports = pilot_reports(&settings.pilot, Timestamp::now());
            let artifacts = settings.artifact_root.as_deref().is_some_and(std::path::Path::is_dir);
            (store_items(&settings), reports, artifacts, packs.list().len())
        });
        let (stores, reports, artifacts, packs) =
            looked.await.map_err(|_| CoreError::Conflict("interrupted".to_owned()))?;
        let missing: Vec<&str> = stores.iter().filter(|store| !store.exists).map(|store| store.name).collect();
        let mut checks = Checks::default();
        self.check_access(&mut checks);
        let said =
            ("the artifact root is there", "CAVRA_EVIDENCE_ARTIFACT_ROOT names no directory: no files are served");
        checks.add("evidence_artifacts", artifacts, said);
        let said = ("there are policy packs", "there is no policy pack");
        checks.with("policy_catalog", packs > 0, said, &[("pack_count", json!(packs))]);
        let said = ("every store is there", "stores are missing; they are made when something is written into them");
        checks.with("persistent_stores", missing.is_empty(), said, &[("missing", json!(missing))]);
        for (id, report, fine) in REPORTS {
            let status = report_status(report(&reports));
            let said = ("its report speaks for it", "its report says what is missing");
            checks.with(id, fine.contains(&status), said, &[("report_status", json!(status))]);
        }
        self.check_proofs(&mut checks).await?;
        self.check_installation(&mut checks).await?;
        Ok(json!({
            "schema_version": "cavra.deployment.production_readiness.v1",
            "product": PRODUCT,
            "status": if checks.hold() { "ready" } else { "needs_attention" },
            "operator_notes": checks.warnings(),
            "checks": checks.shown(),
            "store_summary": { "total": stores.len(), "missing": missing },
            "go_backend_pilot": reports.pilot,
            "go_backend_deployment": reports.deployment,
            "go_backend_promotion": reports.promotion,
            "go_backend_rollback": reports.rollback,
            "go_backend_rollback_rehearsal": reports.rehearsal,
            "go_backend_rollback_drill_history": reports.drill_history,
            "go_backend_rollback_drill_schedule": reports.drill_schedule,
        }))
    }

    /// Who may call and change this server.
    fn check_access(&self, checks: &mut Checks) {
        let (oidc, rbac) = (self.gatekeeper.oidc_configured(), self.gatekeeper.rbac_configured());
        checks.add(
            "oidc_configured",
            oidc,
            ("identity is verified", "nobody's identity is verified; set CAVRA_APPROVAL_OIDC_CONFIG"),
        );
        checks.add(
            "rbac_configured",
            rbac,
            ("groups are bound to repositories", "no groups are bound to repositories; set CAVRA_APPROVAL_RBAC_FILE"),
        );
        let origins = &self.settings.cors_origins;
        let restricted = !origins.is_empty() && !origins.iter().any(|origin| origin == "*");
        let said = ("only named web pages may call", "CAVRA_CORS_ORIGINS names no origins, or any (`*`)");
        checks.with("cors_restricted", restricted, said, &[("origins", json!(origins))]);
        let identified = oidc || rbac;
        checks.add(
            "anonymous_mutations",
            !(identified && self.gatekeeper.admits_anonymous_mutations()),
            (
                "nobody unknown changes what is enforced",
                "anybody may change rollouts, repositories and whom this server trusts (allow_anonymous_mutations)",
            ),
        );
        checks.add(
            "recorded_decisions",
            !identified || self.approvals.routing().requires_recorded_decision(),
            (
                "what is approved was decided here, or nobody's identity is verified anyway",
                "approvals may be asked for decisions that are not recorded here; set require_recorded_decision",
            ),
        );
    }

    /// Whether what this server says can be proved.
    async fn check_proofs(&self, checks: &mut Checks) -> Result<(), CoreError> {
        let signatures = self.pack_signatures().await?;
        let said = ("no published pack is broken", "published packs do not verify and block every action");
        let more = [("unverified", json!(signatures.unverified))];
        checks.with("policy_signatures", signatures.unverified.is_empty(), said, &more);
        let problem = self.log.sign_all().await.err().map(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "the evidence log is not signed");
            "a log does not continue what was signed; the server's log says which"
        });
        checks.add("evidence_log", problem.is_none(), ("every log is signed", problem.unwrap_or_default()));
        Ok(())
    }
}
