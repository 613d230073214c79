//! Notices: people are told about a report, or about a worker's health. docs/reference/remediation-sla.md, sections 3 and 11.

use cavra_model::{Object, members};
use cavra_notify::{
    Making, Planning, REPORT_METRICS, REPORT_TAGS, Request as Asked, RoutingPolicy, StageKind, Subject,
    notification_plan, report_event, report_subject,
};
use serde_json::{Value, json};

use super::request::Request;
use super::sending::{Sending, all_enabled, enabled, nobody_set_up, outcome, route_keys};
use super::{Call, Desk};
use crate::{CoreError, DeliveryEvidence};

/// Most escalations in an event, and how many there may be.
const ESCALATIONS: (u64, (u64, u64)) = (10, (1, 50));

/// What a notice is planned with: read from the request before anything is planned.
pub(super) struct Wanted {
    /// Who is told under which conditions.
    pub policy: RoutingPolicy,
    /// The connectors that may be told; nothing for all.
    pub providers: Option<Vec<String>>,
    /// The word of the request for them.
    pub word: String,
    /// Minutes in which a second notice is a duplicate.
    pub window: Option<u64>,
    /// Duplicates are sent.
    pub force: bool,
    /// How many details an event names.
    pub most: usize,
    /// How events are sent.
    pub options: cavra_connect::Options,
    /// Who asks.
    pub generated_by: String,
}

/// A notice: what it is about, and under which names it is kept.
pub(super) struct Notice {
    /// The subject.
    pub subject: Subject,
    /// What kind of plan it makes.
    pub stage: StageKind,
    /// Where its deliveries come from.
    pub source: &'static str,
    /// Its event.
    pub event: Object,
    /// That nobody can be told is no reason to refuse it.
    pub may_be_nobody: bool,
}

impl Desk<'_> {
    /// Tells people about a report.
    pub async fn notify(self, call: Call) -> Result<Object, CoreError> {
        self.app.connectors()?;
        let report = self.deliverable(StageKind::Report, &call.id).await?;
        let request = self.request(call)?;
        let policy = RoutingPolicy::read(request.value("routing_policy"), &REPORT_TAGS, &REPORT_METRICS)?;
        let wanted = self.wanted(&request, policy, ("max_escalations", ESCALATIONS))?;
        let making = Making { family: self.family, generated_by: &wanted.generated_by, now: request.now };
        let notice = Notice {
            subject: report_subject(&report),
            stage: StageKind::NotificationPlan,
            source: self.family.sources.notification,
            event: report_event(making, &report, wanted.most),
            may_be_nobody: false,
        };
        self.give_notice(notice, wanted, &request).await
    }

    /// Reads what both kinds of notice take.
    pub fn wanted(
        self,
        request: &Request,
        policy: RoutingPolicy,
        (most, (default, limits)): (&str, (u64, (u64, u64))),
    ) -> Result<Wanted, CoreError> {
        let known = self.family.conversations;
        let providers = request.providers("provider", known)?;
        all_enabled(providers.as_ref(), &enabled(self.app.connectors()?, known))?;
        Ok(Wanted {
            policy,
            word: Request::provider_word(providers.as_ref()),
            providers,
            window: request.count_if_any("suppression_window_minutes", 0)?,
            force: request.flag("force")?,
            most: usize::try_from(request.count(most, default, limits)?).unwrap_or(usize::MAX),
            options: request.options()?,
            generated_by: request.generated_by()?,
        })
    }

    /// Plans who is told, keeps the plan and tells them. Two calls at once do it one after the other: the second one sees
    /// what the first one sent.
    pub async fn give_notice(self, notice: Notice, wanted: Wanted, request: &Request) -> Result<Object, CoreError> {
        let Notice { subject, stage, source, event, may_be_nobody } = notice;
        let _turn = self.app.reservations.hold(&format!("{source} {}", subject.id)).await;
        let facts = self.facts(&[]).await?;
        let enabled = enabled(self.app.connectors()?, self.family.conversations);
        let planning = Planning {
            family: self.family,
            stage: self.stage(stage)?,
            facts: &facts,
            generated_by: &wanted.generated_by,
            now: request.now,
        };
        let asked = Asked {
            providers: wanted.providers,
            provider: &wanted.word,
            window: wanted.window,
            force: wanted.force,
            enabled: &enabled,
        };
        let (plan, possible) = notification_plan(planning, source, &subject, &wanted.policy, &asked);
        let silent = subject.silent_when_healthy && subject.alert_level == "healthy";
        let nobody = members::list(&plan.content, "eligible_providers").is_empty();
        if (nobody || !possible) && !silent && !may_be_nobody {
            return Err(nobody_set_up());
        }
        let record = self.record(stage, &plan, &wanted.generated_by)?;
        let selected: Vec<&Object> = members::objects(&plan.content, "routes")
            .into_iter()
            .filter(|route| route.get("selected") == Some(&Value::Bool(true)))
            .collect();
        let (kept, delivered) = if selected.is_empty() {
            (self.app.evidence.put_own(vec![record], &request.caller).await?, None)
        } else {
            let routes: Vec<Object> = selected.iter().map(|route| self.of_subject(&subject, route)).collect();
            let evidence = DeliveryEvidence::of(source)
                .with(subject.id_member, subject.id.as_str())
                .with("plan_id", plan.id.as_str())
                .with("route_keys", route_keys(self.family, &routes.iter().collect::<Vec<_>>()))
                .beside([record]);
            let targets = selected.iter().map(|route| members::text(route, "provider").to_owned()).collect();
            let sending = Sending { event, targets, options: wanted.options, evidence };
            let delivered = self.send(sending, request).await?;
            (delivered.beside.clone(), Some(delivered))
        };
        let mut answer = members::built(json!({
            "plan": plan.content,
            "plan_metadata": kept.first(),
            "event_id": subject.id,
            "actor": request.actor(),
        }));
        answer.extend(outcome(delivered.as_ref()));
        Ok(answer)
    }

    /// A route with the subject that it is about.
    fn of_subject(self, subject: &Subject, route: &Object) -> Object {
        let mut route = route.clone();
        route.insert(subject.id_member.to_owned(), json!(subject.id));
        route
    }
}
