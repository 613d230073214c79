//! Suppression: why nobody was told. The ids of these documents say what they hold, not when they were made, so that looking
//! again changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use cavra_model::{Object, Timestamp, members};
use serde_json::json;

use crate::family::Stage;
use crate::policy::moment;
use crate::recurrence::is_away;
use crate::{Document, count, id_of, member};

/// Most events of a trend that are written out.
const LATEST: usize = 25;

/// The audit of a recurrence plan.
#[must_use]
pub fn suppression_audit(stage: &Stage, plan: &Object, generated_by: &str, now: Timestamp) -> Document {
    let decisions = members::objects(plan, "route_decisions");
    let of = |action: &str| -> Vec<&Object> {
        decisions.iter().filter(|decision| members::text(decision, "action") == action).copied().collect()
    };
    let (suppressed, waiting, deliverable) = (of("suppress"), of("wait"), of("deliver"));
    let because = |name: &str| suppressed.iter().filter(|decision| category(decision) == name).count();
    let in_window = suppressed.iter().filter(|decision| !member(decision, "maintenance_window").is_null()).count();
    let away = suppressed.iter().filter(|decision| is_away(decision)).count();
    let summary = json!({
        "route_count": decisions.len(),
        "deliverable_route_count": deliverable.len(),
        "suppressed_route_count": suppressed.len(),
        "waiting_route_count": waiting.len(),
        "maintenance_suppressed_count": in_window,
        "calendar_suppressed_count": away,
        "max_recurrence_suppressed_count": because("maximum_recurrence"),
        "interval_wait_count": waiting.iter().filter(|decision| category(decision) == "recurrence_interval_wait").count(),
    });
    let plan_id = members::text(plan, "recurrence_plan_id");
    let quiet = suppressed.is_empty() && waiting.is_empty();
    let id = id_of(stage.id_prefix, 16, &json!([plan_id, decisions]));
    let counts = [count(decisions.len()), count(suppressed.len()), count(waiting.len())];
    let content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "audit_id": id,
        "recurrence_plan_id": plan_id,
        "plan_id": member(plan, "plan_id"),
        "generated_at": now,
        "generated_by": generated_by,
        "alert_level": if quiet { "healthy" } else { "warning" },
        "summary": summary,
        "suppressed_routes": suppressed,
        "waiting_routes": waiting,
        "deliverable_routes": deliverable,
        "controls": ["sends-nothing", "no-connector-secrets"],
    }));
    Document { id, content, counts, warnings: Vec::new() }
}

/// How often nobody was told, over recurrence plans and over audits whose plans are not known. Counts and the latest events
/// are kept, no documents.
#[derive(Debug, Default)]
pub struct Suppressions {
    plans: BTreeSet<String>,
    audited: BTreeSet<(String, String)>,
    total: usize,
    categories: BTreeMap<String, usize>,
    owners: BTreeMap<String, usize>,
    providers: BTreeMap<String, usize>,
    latest: Vec<Object>,
}

impl Suppressions {
    /// Takes the quiet decisions of a recurrence plan, each route once.
    pub fn add_plan(&mut self, plan: &Object) {
        if !self.plans.insert(members::text(plan, "recurrence_plan_id").to_owned()) {
            return;
        }
        let mut seen = BTreeSet::new();
        for decision in members::objects(plan, "route_decisions") {
            if members::text(decision, "action") != "deliver" && seen.insert(members::text(decision, "route_key")) {
                self.add(plan, decision);
            }
        }
    }

    /// Takes those of an audit, unless its plan was taken: all plans come before all audits.
    pub fn add_audit(&mut self, audit: &Object) {
        let plan = members::text(audit, "recurrence_plan_id");
        if self.plans.contains(plan) {
            return;
        }
        for decision in ["suppressed_routes", "waiting_routes"].iter().flat_map(|name| members::objects(audit, name)) {
            if self.audited.insert((plan.to_owned(), members::text(decision, "route_key").to_owned())) {
                self.add(audit, decision);
            }
        }
    }

    fn add(&mut self, document: &Object, decision: &Object) {
        let category = category(decision);
        let mut event = members::built(json!({
            "created_at": member(document, "generated_at"),
            "category": category,
        }));
        for name in ["route_key", "plan_id", "report_id", "owner", "provider", "action", "reason"] {
            event.insert(name.to_owned(), member(decision, name));
        }
        self.total += 1;
        *self.categories.entry(category).or_default() += 1;
        *self.owners.entry(members::text(decision, "owner").to_owned()).or_default() += 1;
        *self.providers.entry(members::text(decision, "provider").to_owned()).or_default() += 1;
        self.latest.push(event);
        if self.latest.len() >= LATEST * 4 {
            self.keep_latest();
        }
    }

    fn keep_latest(&mut self) {
        self.latest.sort_by(|left, right| {
            let key = |event: &Object| {
                (moment(members::text(event, "created_at")), members::text(event, "route_key").to_owned())
            };
            key(right).cmp(&key(left))
        });
        self.latest.truncate(LATEST);
    }

    /// The trend.
    #[must_use]
    pub fn trend(mut self, stage: &Stage, generated_by: &str, now: Timestamp) -> Document {
        self.keep_latest();
        let total = self.total;
        let said = json!([generated_by, total, self.categories, self.owners, self.providers, self.latest]);
        let id = id_of(stage.id_prefix, 16, &said);
        let content = members::built(json!({
            "schema_version": stage.schema,
            "product": "CAVRA",
            "trend_id": id,
            "generated_at": now,
            "generated_by": generated_by,
            "alert_level": if total > 0 { "warning" } else { "healthy" },
            "suppression_event_count": total,
            "category_counts": self.categories,
            "owner_counts": self.owners,
            "provider_counts": self.providers,
            "latest_events": self.latest,
            "controls": ["each-decision-counts-once", "no-connector-secrets"],
        }));
        Document { id, content, counts: [count(total), count(total), 0], warnings: Vec::new() }
    }
}

/// Why a decision keeps a route quiet; older documents say it in a sentence only.
fn category(decision: &Object) -> String {
    if let Some(category) = members::filled(decision, "category") {
        return category.to_owned();
    }
    let reason = members::text(decision, "reason").to_lowercase();
    let holds = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    let found = if !member(decision, "maintenance_window").is_null() {
        "maintenance_window"
    } else if is_away(decision) {
        "owner_calendar"
    } else if holds(&["maximum recurrence"]) {
        "maximum_recurrence"
    } else if holds(&["maximum retry"]) {
        "maximum_retry"
    } else if holds(&["interval"]) {
        "recurrence_interval_wait"
    } else if holds(&["review", "resolved"]) {
        "owner_review"
    } else if members::text(decision, "action") == "wait" {
        "wait"
    } else {
        "other"
    };
    found.to_owned()
}
