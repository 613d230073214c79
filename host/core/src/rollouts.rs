//! Rollouts: plan, apply, details. docs/reference/approvals-identity-authoring.md, section 6.

use cavra_model::members::text;
use cavra_model::{
    DECISIONS, INTEGRATIONS, Measure, Measured, Object, POLICY_ROLLOUTS, PackName, REPOSITORIES, Timestamp,
    check_rollout_plan, measured, plan_rollout, requested_rollout, rollout_readiness,
};
use cavra_store::{Query, Unreadable};
use serde_json::{Value, json};

use crate::dashboards::Dashboard;
use crate::{App, Caller, CoreError};

/// Decisions a detail counts.
const SAMPLE: u64 = 100;
/// Decisions, and integrations, a detail shows.
const RECENT: usize = 10;

/// Integrations in numbers.
static INTEGRATIONS_VIEW: [Measured; 3] = [
    measured("total", Measure::Count),
    measured("by_category", Measure::CountBy { by: "category", most: 100 }),
    measured("by_health", Measure::CountBy { by: "health_status", most: 100 }),
];

/// Status of integrations that are in use.
const IN_USE: [&str; 2] = ["active", "configured"];

impl App {
    /// What a change of a rollout would do; stores nothing.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`], [`CoreError::Store`].
    pub async fn plan_rollout(&self, body: &Object) -> Result<Value, CoreError> {
        let now = Timestamp::now();
        // The id may follow from the other members.
        let draft = plan_rollout(None, body, now);
        let id = match (requested_rollout(body), &draft) {
            (Some(id), _) => Some(id.to_owned()),
            (None, Ok(draft)) => rollout_id(&draft.after),
            (None, Err(_)) => None,
        };
        let stored = match &id {
            Some(id) => self.inventory.store().get(&POLICY_ROLLOUTS, id).await?,
            None => None,
        };
        let plan = if stored.is_some() { plan_rollout(stored.as_ref(), body, now)? } else { draft? };
        Ok(json!(plan))
    }

    /// Changes a rollout in the name of `caller`. The record is read again in the transaction that changes it; a request
    /// that names what its plan replaces is refused if that is not stored any more.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`], [`CoreError::Conflict`] for a stale plan, [`CoreError::Store`].
    pub async fn apply_rollout(&self, body: Object, caller: &Caller) -> Result<Value, CoreError> {
        let now = Timestamp::now();
        let id = match requested_rollout(&body) {
            Some(id) => id.to_owned(),
            None => rollout_id(&plan_rollout(None, &body, now)?.after).unwrap_or_default(),
        };
        let plan = self
            .inventory
            .upsert(&POLICY_ROLLOUTS, id, false, caller.author(), move |stored| {
                let plan = plan_rollout(stored, &body, now)?;
                check_rollout_plan(&plan, &body).map_err(|stale| CoreError::Conflict(stale.to_owned()))?;
                Ok((plan.after.clone(), plan))
            })
            .await?;
        Ok(json!({
            "schema_version": "cavra.policy_rollout.change_result.v1",
            "product": "CAVRA",
            "actor": caller.identity.as_ref().map(|identity| &identity.actor),
            "rollout": plan.after,
            "plan": plan,
        }))
    }

    /// A rollout with what it is about. docs/reference/approvals-identity-authoring.md, section 6.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Store`].
    pub async fn rollout_detail(&self, id: &str) -> Result<Value, CoreError> {
        let rollout = self.inventory.get(&POLICY_ROLLOUTS, id).await?;
        let of_rollout = |member: &str| text(&rollout, member).to_owned();
        let repository = match self.inventory.get(&REPOSITORIES, text(&rollout, "repository")).await {
            Ok(repository) => Some(repository),
            Err(CoreError::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        let activity = self.activity_of(of_rollout("repository"), of_rollout("policy_pack")).await?;
        let pack = self.pack_view(of_rollout("policy_pack"), of_rollout("policy_version")).await;
        let integrations = self.integrations_in_numbers().await?;
        let categories = integrations.get("by_category").and_then(Value::as_object);
        let categories: Vec<String> = categories.into_iter().flat_map(|counts| counts.keys().cloned()).collect();
        let readiness = rollout_readiness(repository.is_some(), &rollout, &categories);
        Ok(json!({
            "schema_version": "cavra.policy_rollout.detail.v1",
            "product": "CAVRA",
            "rollout": rollout,
            "repository": repository,
            "policy_pack": pack,
            "activity_summary": activity,
            "integration_summary": integrations,
            "readiness": readiness,
        }))
    }

    /// All integrations in numbers, and the first of those that are in use.
    async fn integrations_in_numbers(&self) -> Result<Object, CoreError> {
        let store = self.registry.store();
        let mut summary = Dashboard { kind: &INTEGRATIONS, only: None, view: &INTEGRATIONS_VIEW }.answer(store).await?;
        let mut in_use = Vec::new();
        for status in IN_USE {
            let query = Query {
                filters: vec![("status", status.to_owned())],
                limit: RECENT as u64,
                unreadable: Unreadable::Skip,
                ..Query::default()
            };
            in_use.extend(self.registry.list(&INTEGRATIONS, query).await?.items);
        }
        in_use.sort_by(|one, other| text(one, INTEGRATIONS.id).cmp(text(other, INTEGRATIONS.id)));
        in_use.truncate(RECENT);
        summary.insert("active_or_configured".to_owned(), json!(in_use));
        Ok(summary)
    }

    /// Counts over the newest decisions in a repository under a pack.
    async fn activity_of(&self, repository: String, pack: String) -> Result<Value, CoreError> {
        let query = Query {
            filters: vec![("repository", repository), ("policy_pack", pack)],
            limit: SAMPLE,
            unreadable: Unreadable::Skip,
            ..Query::default()
        };
        let page = self.activity.list(&DECISIONS, query).await?;
        let count = |member: &str| {
            let mut counts = Object::new();
            for value in page.items.iter().filter_map(|item| item.get(member)?.as_str()) {
                let count = counts.get(value).and_then(Value::as_u64).unwrap_or(0);
                counts.insert(value.to_owned(), json!(count + 1));
            }
            counts
        };
        Ok(json!({
            "total": page.total,
            "sample_size": page.items.len(),
            "outcomes": count("decision"),
            "severities": count("severity"),
            "recent_decisions": page.items.iter().take(RECENT).collect::<Vec<_>>(),
        }))
    }

    /// What a pack says of itself; an unknown one is its id, with nothing in it.
    async fn pack_view(&self, id: String, version: String) -> Value {
        let library = self.decisions.library().clone();
        let wanted = id.clone();
        let found = tokio::task::spawn_blocking(move || library.get(&PackName::new(&wanted).ok()?).ok()).await;
        let pack = found.ok().flatten();
        let summary = pack.as_ref().map(|pack| cavra_packs::summary(&pack.document));
        let count = |section: &str| {
            let counts = summary.as_ref().and_then(|summary| summary.get("rule_counts"));
            counts.and_then(|counts| counts.get(section)).and_then(Value::as_u64).unwrap_or(0)
        };
        let sections = ["filesystem", "commands", "git", "mcp", "approvals", "evidence"];
        let rule_summary: Object = sections.into_iter().map(|name| (name.to_owned(), json!(count(name)))).collect();
        let pack = pack.as_ref();
        json!({
            "id": id,
            "title": pack.and_then(|pack| pack.title()).unwrap_or(&id),
            "description": pack.and_then(|pack| pack.description()).unwrap_or_default(),
            "version": pack.and_then(|pack| pack.version()).unwrap_or(&version),
            "rule_summary": rule_summary,
        })
    }
}

fn rollout_id(record: &Object) -> Option<String> {
    record.get(POLICY_ROLLOUTS.id).and_then(Value::as_str).map(ToOwned::to_owned)
}
