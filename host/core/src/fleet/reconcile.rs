//! Reconciliations: what endpoints run, compared with what they should run; of a stored inventory, with what follows.

use cavra_fleet::{
    Automation, Documented, Reconciliation, RequestedRemediation, STRATEGIES, automation, manifest_problems,
    observations, reconcile,
};
use cavra_model::{ENDPOINT_INGESTIONS, Object, Timestamp, members};
use cavra_store::Transaction;
use serde_json::{Value, json};

use super::desired::{Desired, Established, ManifestTrust};
use super::fields::{integer, taken};
use super::remediation::{Asked, Opening};
use super::{answer, blocking, refuse_secrets};
use crate::evidence::Own;
use crate::fields::label;
use crate::{App, Caller, CoreError};

/// How many hours an observation counts, unless somebody says so.
const STALE_AFTER_HOURS: u64 = 24;

/// What stays of a comparison when the same observations are compared again: with another scope or bound, or later.
const EVALUATED: [&str; 9] = [
    "created_at",
    "evaluation",
    "drift_status",
    "alert_level",
    "compliant_endpoint_count",
    "drifted_endpoint_count",
    "missing_target_count",
    "stale_endpoint_count",
    "unverified_endpoint_count",
];

/// A comparison that was made: its report and record, and what was established about the manifest.
struct Compared {
    made: Documented,
    established: Established,
}

impl App {
    /// Compares a desired manifest with observations and records the report.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] for what is missing or of the wrong type; [`CoreError::Refused`] with everything that is
    /// wrong with manifest, signature and observations; [`CoreError::Store`]. Nothing is stored then.
    pub async fn reconcile_deployment(&self, mut body: Object, caller: &Caller) -> Result<Value, CoreError> {
        let desired = Desired::read(&mut body)?;
        let observed = taken(&mut body, "observed_inventory")?;
        let observed = observed.ok_or_else(|| CoreError::BadRequest("observed_inventory is required".to_owned()))?;
        let Compared { made, established } = self.compare(desired, observed, &body, None).await?;
        let (reconciliation, author) = (Own::checked(made.record)?, caller.author());
        let change = move |tx: &mut dyn Transaction| reconciliation.put_evaluation(tx, author.as_ref(), &EVALUATED);
        let stored = self.store.transact(change).await?;
        Ok(answer(
            &established.warnings,
            json!({
                "package_dir": established.package_dir,
                "reconciliation_id": made.id,
                "drift_status": made.document.get("drift_status"),
                "metadata": stored,
                "report": made.document,
            }),
        ))
    }

    /// Compares a desired manifest with an inventory that was ingested; on drift, asks for its remediation. All of it is
    /// recorded, or nothing.
    ///
    /// # Errors
    /// In this order: [`CoreError::NotFound`]; as [`App::reconcile_deployment`].
    pub async fn reconcile_ingestion(&self, id: &str, mut body: Object, caller: &Caller) -> Result<Value, CoreError> {
        let ingestion = self.evidence.get(&ENDPOINT_INGESTIONS, id).await?;
        let observed = observations(&ingestion).and_then(Value::as_object).cloned();
        let observed = observed.ok_or_else(|| CoreError::BadRequest("the ingestion has no inventory".to_owned()))?;
        let desired = Desired::read(&mut body)?;
        let asked = Asked::read(&body, "remediation_strategy", caller, self.settings.redactor)?;
        let only_provider = match label(&body, "target_scope")?.as_deref() {
            None | Some("all") => None,
            Some("provider") => Some(members::text(&ingestion, "provider").to_owned()),
            Some(_) => return Err(CoreError::BadRequest("target_scope must be all or provider".to_owned())),
        };
        let Compared { made, established } = self.compare(desired, observed, &body, only_provider).await?;
        let report = members::built(made.document.clone());
        let drifted = members::text(&report, "drift_status") != "aligned";
        let opening = if drifted {
            let (plan, is_ours) =
                (RequestedRemediation::plan(&report, &asked.strategy)?, self.evidence.is_ours(id).await?);
            Some(Opening::prepare(&self.approvals, plan, &asked, is_ours)?)
        } else {
            None
        };
        let reconciliation = Own::checked(made.record)?;
        let author = caller.author();
        let requested_by = asked.requester.name.clone();
        let change = move |tx: &mut dyn Transaction| {
            let opened = opening.as_ref().map(|opening| opening.find(tx)).transpose()?;
            let written = (|| {
                let opened = opened.transpose()?;
                let request = opened.as_ref().map(|opened| (opened.document(), &opened.approval));
                let about = Automation {
                    requested_by: &requested_by,
                    ingestion: &ingestion,
                    report: &report,
                    request: request.as_ref().map(|(request, approval)| (request, *approval)),
                };
                let made = automation(about, Timestamp::now());
                Ok::<_, CoreError>((opened, Own::checked(made.record)?, made.id, made.document))
            })();
            let (opened, record, id, document) = match written {
                Ok(written) => written,
                Err(refusal) => return Ok(Err(refusal)),
            };
            reconciliation.put_evaluation(tx, author.as_ref(), &EVALUATED)?;
            if let Some(opened) = &opened {
                opened.write(tx, author.as_ref())?;
            }
            let metadata = record.put(tx, author.as_ref())?;
            Ok(Ok((opened, id, document, metadata)))
        };
        let (opened, automation_id, automation, metadata) = self.store.transact(change).await??;
        tracing::info!(automation = automation_id, reconciliation = made.id, drifted, "inventory reconciled");
        let request = opened.as_ref().map(|opened| opened.document());
        Ok(answer(
            &established.warnings,
            json!({
                "automation_id": automation_id,
                "reconciliation_id": made.id,
                "request_id": request.as_ref().and_then(|request| request.get("request_id")),
                "automation": automation,
                "reconciliation": made.document,
                "remediation_request": request,
                "approval": opened.map(|opened| opened.approval),
                "metadata": metadata,
            }),
        ))
    }

    /// Establishes what the manifest is and compares it with observations.
    async fn compare(
        &self,
        desired: Desired,
        observed: Object,
        body: &Object,
        only_provider: Option<String>,
    ) -> Result<Compared, CoreError> {
        let stale_after_hours = integer(body, "stale_after_hours")?.unwrap_or(STALE_AFTER_HOURS).max(1);
        let settings = self.settings.clone();
        blocking(move || {
            let trust = ManifestTrust::of(&settings)?;
            let mut established = desired.establish(settings.artifact_root.clone(), &trust)?;
            let mut errors = manifest_problems(&established.manifest, &observed);
            errors.append(&mut established.errors);
            if !errors.is_empty() {
                return Err(CoreError::Refused { errors, warnings: established.warnings });
            }
            let documents = [("desired_manifest", &established.manifest), ("observed_inventory", &observed)];
            refuse_secrets(settings.redactor, &documents)?;
            let about = Reconciliation {
                manifest: &established.manifest,
                observed: &observed,
                stale_after_hours,
                manifest_verification: established.verification.clone(),
                package_verification: established.package.clone(),
                only_provider: only_provider.as_deref(),
            };
            let made = reconcile(&about, Timestamp::now())?;
            Ok(Compared { made, established })
        })
        .await
    }
}

/// Whether a strategy is one.
///
/// # Errors
/// [`CoreError::BadRequest`] naming those that are.
pub fn check_strategy(strategy: &str) -> Result<(), CoreError> {
    if STRATEGIES.contains(&strategy) {
        return Ok(());
    }
    Err(CoreError::BadRequest(format!("strategy must be one of {}", STRATEGIES.join(", "))))
}
