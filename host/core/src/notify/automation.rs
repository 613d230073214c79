//! Automation: one pass of a scheduled worker. It plans retries, looks at what is kept quiet, and tells owners what they
//! have open. docs/reference/remediation-sla.md, section 9.

use std::collections::BTreeSet;

use cavra_connect::Options;
use cavra_model::{EVIDENCE_METADATA, Object, RELEASE_DELIVERIES, members};
use cavra_notify::{Backoff, Document, Pass, Schedule, StageKind, automation_run, run_id, window_of};
use serde_json::{Value, json};

use super::ledger::Ledger;
use super::records::document;
use super::request::Request;
use super::sending::{Sending, all_enabled, enabled};
use super::{Call, Desk};
use crate::CoreError;

/// Most recurrence plans whose owners are told in a pass, and how many there may be.
const DIGESTS: (u64, (u64, u64)) = (5, (1, 25));

/// What a pass is asked to do.
struct Wanted {
    dry_run: bool,
    policy: Backoff,
    schedule: Schedule,
    most: usize,
    /// Whom digests go to; nobody without connectors.
    targets: Vec<String>,
    options: Options,
    by: String,
}

/// A pass on its way.
struct Progress {
    run: String,
    retry: Document,
    trend: Document,
    digests: Vec<Document>,
    plans: Vec<String>,
    ledger: Ledger,
}

/// What became of a digest.
#[derive(Default)]
struct Outcome {
    delivery: Option<Object>,
    metadata: Option<Object>,
    skipped: Option<&'static str>,
}

impl Desk<'_> {
    /// Does a pass. The same work in the same window is the same pass: it is kept once, and its digests are sent once.
    pub async fn automate(self, call: Call) -> Result<Object, CoreError> {
        let request = self.request(call)?;
        let wanted = self.pass(&request)?;
        let _turn = self.app.reservations.hold(&format!("{} pass", self.family.sources.digest)).await;
        let mut progress = self.prepare(&wanted, &request).await?;
        let delivered = if wanted.dry_run { BTreeSet::new() } else { self.delivered_by(&progress.run).await? };
        let mut outcomes = Vec::new();
        for digest in progress.digests.clone() {
            outcomes.push(self.pass_on(&digest, &wanted, &delivered, &mut progress, &request).await?);
        }
        self.finish(progress, &wanted, outcomes, &request).await
    }

    fn pass(self, request: &Request) -> Result<Wanted, CoreError> {
        let dry_run = request.flag_if_any("dry_run")?;
        let execute = request.flag("execute")?;
        let dry_run = dry_run.unwrap_or(!execute);
        let known = self.family.follow_ups;
        let asked = request.providers("provider", known)?;
        let connectors = self.app.outgoing.events.as_ref();
        let set_up = connectors.map(|connectors| enabled(connectors, known));
        if !dry_run {
            all_enabled(asked.as_ref(), set_up.as_deref().unwrap_or_default())?;
        }
        let targets = match (asked, set_up) {
            (_, None) => Vec::new(),
            (Some(named), Some(_)) => named,
            (None, Some(set_up)) => set_up,
        };
        let (default, limits) = DIGESTS;
        Ok(Wanted {
            dry_run,
            policy: Backoff::read(request.value("retry_policy"))?,
            schedule: Schedule::read(request.value("schedule"))?,
            most: usize::try_from(request.count("max_digest_plans", default, limits)?).unwrap_or(usize::MAX),
            targets,
            options: request.options()?,
            by: request.generated_by()?,
        })
    }

    /// Makes everything that a pass stores but for the pass itself.
    async fn prepare(self, wanted: &Wanted, request: &Request) -> Result<Progress, CoreError> {
        let retry = self.retries(&wanted.policy, &wanted.by, request.now).await?;
        let trend = self.trend(&wanted.by, request.now).await?;
        let mut ledger = Ledger::default();
        ledger.add(self.record(StageKind::RetryPlan, &retry, &wanted.by)?);
        ledger.add(self.record(StageKind::SuppressionTrend, &trend, &wanted.by)?);
        let (mut digests, mut plans) = (Vec::new(), Vec::new());
        for plan in self.latest_plans(wanted.most).await? {
            plans.push(members::text(&plan, "recurrence_plan_id").to_owned());
            let digest = self.digest(&plan, Some(&retry.content), &wanted.by, request.now)?;
            if !members::list(&digest.content, "owners").is_empty() {
                ledger.add(self.record(StageKind::OwnerDigest, &digest, &wanted.by)?);
                digests.push(digest);
            }
        }
        let (start, _) = window_of(wanted.schedule, request.now);
        let failed: Vec<String> = members::objects(&retry.content, "retry_decisions")
            .into_iter()
            .map(|decision| members::text(decision, "latest_delivery_id").to_owned())
            .collect();
        let run = run_id(self.stage(StageKind::AutomationRun)?, start, &wanted.by, wanted.dry_run, &plans, &failed);
        Ok(Progress { run, retry, trend, digests, plans, ledger })
    }

    /// The newest recurrence plans; of several for the same escalation plan only the newest, for the others are about the same
    /// routes.
    async fn latest_plans(self, most: usize) -> Result<Vec<Object>, CoreError> {
        let (stage, counted) = (self.stage(StageKind::RecurrencePlan)?, self.counted().await?);
        let (mut seen, mut plans) = (BTreeSet::new(), Vec::new());
        self.each(stage.metadata_kind, |record| {
            if counted.counts(&record)
                && let Some(plan) = document(stage, record)
                && seen.insert(members::text(&plan, "plan_id").to_owned())
            {
                plans.push(plan);
            }
            plans.len() < most
        })
        .await?;
        Ok(plans)
    }

    /// Recurrence plans and connectors to which a pass has sent a digest.
    async fn delivered_by(self, run: &str) -> Result<BTreeSet<(String, String)>, CoreError> {
        let counted = self.counted().await?;
        let mut delivered = BTreeSet::new();
        self.each(RELEASE_DELIVERIES.value.unwrap_or_default(), |record| {
            let text = |name: &str| members::text(&record, name);
            let ours = text("connector_delivery_source") == self.family.sources.digest && text("run_id") == run;
            if ours && counted.counts(&record) {
                let failed = members::texts(&record, "failed_providers");
                let reached = members::texts(&record, "providers").into_iter().filter(|name| !failed.contains(name));
                let plan = text("recurrence_plan_id");
                delivered.extend(reached.map(|name| (plan.to_owned(), name.to_owned())));
            }
            true
        })
        .await?;
        Ok(delivered)
    }

    /// Sends a digest to whom this pass has not sent it yet. With the first one that is sent, everything is stored that the
    /// pass has made so far.
    async fn pass_on(
        self,
        digest: &Document,
        wanted: &Wanted,
        delivered: &BTreeSet<(String, String)>,
        progress: &mut Progress,
        request: &Request,
    ) -> Result<Outcome, CoreError> {
        let skipped = |why| Ok(Outcome { skipped: Some(why), ..Outcome::default() });
        if wanted.dry_run {
            return skipped("dry_run");
        }
        if wanted.targets.is_empty() {
            return skipped("connector_config_not_configured");
        }
        let plan = members::text(&digest.content, "recurrence_plan_id");
        let is_new = |name: &&String| !delivered.contains(&(plan.to_owned(), (*name).clone()));
        let targets: Vec<String> = wanted.targets.iter().filter(is_new).cloned().collect();
        if targets.is_empty() {
            return skipped("already_delivered");
        }
        let evidence = self
            .digest_evidence(digest)
            .with("run_id", progress.run.as_str())
            .beside(progress.ledger.waiting().to_vec());
        let sending = Sending { event: digest.content.clone(), targets, options: wanted.options.clone(), evidence };
        match self.send(sending, request).await {
            Ok(sent) => {
                progress.ledger.take();
                progress.ledger.note(sent.beside);
                Ok(Outcome { delivery: Some(sent.delivery), metadata: Some(sent.metadata), skipped: None })
            }
            // Nothing has happened yet: the call is refused.
            Err(error) if progress.ledger.is_untouched() => Err(error),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a digest could not be sent");
                progress.ledger.broken = true;
                Ok(Outcome::default())
            }
        }
    }

    async fn finish(
        self,
        mut progress: Progress,
        wanted: &Wanted,
        outcomes: Vec<Outcome>,
        request: &Request,
    ) -> Result<Object, CoreError> {
        let events: Vec<Object> = progress.digests.iter().map(|digest| digest.content.clone()).collect();
        let deliveries: Vec<Value> =
            progress.digests.iter().zip(&outcomes).map(|(digest, outcome)| outcome.line(&digest.id)).collect();
        let pass = Pass {
            dry_run: wanted.dry_run,
            generated_by: &wanted.by,
            schedule: wanted.schedule,
            retry: &progress.retry.content,
            trend: &progress.trend.content,
            digests: &events,
            plans: &progress.plans,
            deliveries: &deliveries,
            status: if progress.ledger.broken { "failed" } else { "completed" },
        };
        let run = automation_run(self.stage(StageKind::AutomationRun)?, pass, request.now);
        progress.ledger.add(self.record(StageKind::AutomationRun, &run, &wanted.by)?);
        let stored = self.app.evidence.put_own(progress.ledger.take(), &request.caller).await?;
        progress.ledger.note(stored);
        let metadata = |id: &str| progress.ledger.stored(id);
        let digests = progress.digests.iter().zip(&outcomes).map(|(digest, outcome)| {
            json!({
                "event": digest.content, "digest_metadata": metadata(&digest.id), "delivery": outcome.delivery,
                "delivery_metadata": outcome.metadata, "skipped": outcome.skipped,
            })
        });
        Ok(members::built(json!({
            "run": run.content,
            "metadata": metadata(&run.id),
            "retry_metadata": metadata(&progress.retry.id),
            "trend_metadata": metadata(&progress.trend.id),
            "owner_digests": digests.collect::<Vec<_>>(),
            "actor": request.actor(),
        })))
    }
}

impl Outcome {
    fn line(&self, digest: &str) -> Value {
        json!({
            "digest_id": digest,
            "delivery_id": self.metadata.as_ref().map(|record| members::text(record, EVIDENCE_METADATA.id)),
            "success": self.delivery.as_ref().and_then(|delivery| delivery.get("success")),
            "skipped": self.skipped,
        })
    }
}
