//! Routing: which connectors are told about a subject, on whose behalf, and which of them were told already.

use std::collections::BTreeMap;

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::facts::Facts;
use crate::family::Family;
use crate::gate::Category;
use crate::policy::{PolicyError, Section, sorted};
use crate::{Document, Planning, count, family::provider_name, id_of};

/// Minutes in which a subject's second notification is a duplicate, unless a policy says otherwise.
const DEFAULT_WINDOW: u64 = 60;

/// What somebody may be told about.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// Its id.
    pub id: String,
    /// Member of documents that holds the id.
    pub id_member: &'static str,
    /// How worried it is.
    pub alert_level: String,
    /// Values that conditions on tags are about, by the condition's name: `channels`, `categories`.
    pub tags: BTreeMap<&'static str, Vec<String>>,
    /// A subject without values of a tag satisfies conditions on it.
    pub untagged_matches: bool,
    /// Numbers that conditions are about, by the condition's name: `min_breached`.
    pub metrics: BTreeMap<&'static str, u64>,
    /// Members that a plan takes over.
    pub shown: Object,
    /// Nobody is told while all is well, not even when it is forced.
    pub silent_when_healthy: bool,
}

/// Who is told under which conditions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    id: String,
    alert_levels: Vec<String>,
    tags: Vec<(&'static str, Vec<String>)>,
    minimums: Vec<(&'static str, u64)>,
    providers: Vec<String>,
    owner: Option<String>,
    acknowledgement_required: bool,
    window: Option<u64>,
}

/// Rules, and what applies where none does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoutingPolicy {
    rules: Vec<Rule>,
    default_providers: Vec<String>,
    window: Option<u64>,
    owner: Option<String>,
}

/// A connector that may be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The connector.
    pub provider: String,
    /// Rules that name it.
    pub rule_ids: Vec<String>,
    /// Who owns the route.
    pub owner: String,
    /// Whether somebody has to answer.
    pub acknowledgement_required: bool,
}

const RULES: [&str; 3] = ["rules", "health_alert_routing", "notification_routing"];

impl RoutingPolicy {
    /// The policy in a request. `tags` and `metrics` are the names of conditions that the subject has, with aliases.
    ///
    /// # Errors
    /// [`PolicyError`] for the first member that cannot be used.
    pub fn read(
        value: Option<&Value>,
        tags: &[(&'static str, &[&str])],
        metrics: &[&'static str],
    ) -> Result<Self, PolicyError> {
        let policy = Section::of(value, "routing_policy")?;
        let rules = policy.sections(&RULES, "rules")?;
        Ok(Self {
            rules: rules.iter().map(|rule| Rule::read(rule, tags, metrics)).collect::<Result<_, _>>()?,
            default_providers: names(&policy.texts(&["default_providers"])?),
            window: policy.number_if_any(&["suppression_window_minutes"], 0)?,
            owner: policy.text(&["owner"])?,
        })
    }

    fn matching(&self, subject: &Subject) -> Vec<&Rule> {
        self.rules.iter().filter(|rule| rule.matches(subject)).collect()
    }
}

fn names(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| provider_name(text)).filter(|name| !name.is_empty()).collect()
}

impl Rule {
    fn read(
        rule: &Section<'_>,
        tags: &[(&'static str, &[&str])],
        metrics: &[&'static str],
    ) -> Result<Self, PolicyError> {
        let tag = |(name, spellings): &(&'static str, &[&str])| Ok((*name, rule.texts(spellings)?));
        let mut minimums = Vec::new();
        for name in metrics {
            minimums.extend(rule.number_if_any(&[name], 0)?.map(|minimum| (*name, minimum)));
        }
        Ok(Self {
            id: rule.text(&["rule_id", "name"])?.unwrap_or_else(|| "unnamed".to_owned()),
            alert_levels: rule.texts(&["alert_levels"])?,
            tags: tags.iter().map(tag).collect::<Result<_, PolicyError>>()?,
            minimums,
            providers: names(&rule.texts(&["providers"])?),
            owner: rule.text(&["owner"])?,
            acknowledgement_required: rule.flag(&["acknowledgement_required", "ack_required"])?.unwrap_or(true),
            window: rule.number_if_any(&["suppression_window_minutes"], 0)?,
        })
    }

    fn matches(&self, subject: &Subject) -> bool {
        let level = self.alert_levels.is_empty() || self.alert_levels.contains(&subject.alert_level);
        let tags = self.tags.iter().all(|(name, wanted)| {
            let own = subject.tags.get(name).map(Vec::as_slice).unwrap_or_default();
            wanted.is_empty()
                || (own.is_empty() && subject.untagged_matches)
                || own.iter().any(|tag| wanted.contains(tag))
        });
        let metric = |name: &str| subject.metrics.get(name).copied().unwrap_or(0);
        level && tags && self.minimums.iter().all(|(name, minimum)| metric(name) >= *minimum)
    }
}

/// How a notification is asked for.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// The connectors that are asked for; nothing for all.
    pub providers: Option<Vec<String>>,
    /// The word of the request for it.
    pub provider: &'a str,
    /// Window of the request.
    pub window: Option<u64>,
    /// Duplicates are sent.
    pub force: bool,
    /// Connectors that are set up and may be told.
    pub enabled: &'a [String],
}

/// The candidates of a subject, by connector.
#[must_use]
pub fn candidates(family: &Family, subject: &Subject, policy: &RoutingPolicy, asked: &Request<'_>) -> Vec<Candidate> {
    let rules = policy.matching(subject);
    let eligible = match &asked.providers {
        Some(named) => sorted(named.iter().map(String::as_str)),
        None => {
            let by_rules = sorted(rules.iter().flat_map(|rule| &rule.providers).map(String::as_str));
            let defaults = sorted(policy.default_providers.iter().map(String::as_str));
            let enabled = asked.enabled.iter().map(String::as_str);
            let enabled = sorted(enabled.filter(|name| family.conversations.contains(name)));
            [by_rules, defaults, enabled].into_iter().find(|names| !names.is_empty()).unwrap_or_default()
        }
    };
    let attributes = |provider: String| {
        let naming: Vec<_> = rules.iter().filter(|rule| rule.providers.contains(&provider)).collect();
        let owner = naming.iter().rev().find_map(|rule| rule.owner.clone()).or_else(|| policy.owner.clone());
        Candidate {
            rule_ids: naming.iter().map(|rule| rule.id.clone()).collect(),
            owner: owner.unwrap_or_else(|| family.fallback_owner.to_owned()),
            acknowledgement_required: if naming.is_empty() {
                ["critical", "warning"].contains(&subject.alert_level.as_str())
            } else {
                naming.iter().any(|rule| rule.acknowledgement_required)
            },
            provider,
        }
    };
    eligible.into_iter().map(attributes).collect()
}

/// The plan of a notification: who is told, and why the others are not. The second value is false if nobody who could be
/// told is set up: then there is nothing to plan.
#[must_use]
pub fn notification_plan(
    planning: Planning<'_>,
    source: &str,
    subject: &Subject,
    policy: &RoutingPolicy,
    asked: &Request<'_>,
) -> (Document, bool) {
    let Planning { family, stage, facts, generated_by, now } = planning;
    let window = window(subject, policy, asked);
    let healthy = subject.silent_when_healthy && subject.alert_level == "healthy";
    let mut routes = Vec::new();
    let (mut selected, mut suppressed, mut required) = (Vec::new(), Vec::new(), Vec::new());
    let candidates = candidates(family, subject, policy, asked);
    for candidate in &candidates {
        let configured = asked.enabled.contains(&candidate.provider);
        let duplicate = latest_success(facts, source, &subject.id, &candidate.provider, window, now)
            .filter(|_| !asked.force && !healthy);
        let category = match (healthy, configured, duplicate) {
            (true, _, _) => Category::Healthy,
            (_, false, _) => Category::ConnectorNotConfigured,
            (_, _, Some(_)) => Category::Duplicate,
            _ => Category::Deliver,
        };
        let chosen = category == Category::Deliver;
        if let Some((at, id)) = duplicate.filter(|_| category == Category::Duplicate) {
            suppressed.push(json!({
                "provider": candidate.provider, "last_delivery_at": at, "last_delivery_id": id,
                "reason": format!("{} was told about {} within {window} minutes", candidate.provider, subject.id),
            }));
        }
        if chosen {
            selected.push(candidate.provider.clone());
            required.extend(candidate.acknowledgement_required.then(|| candidate.provider.clone()));
        }
        routes.push(json!({
            "provider": candidate.provider,
            "selected": chosen,
            "suppressed": category == Category::Duplicate,
            "category": category.as_str(),
            "rule_ids": candidate.rule_ids,
            "owner": candidate.owner,
            "acknowledgement_required": candidate.acknowledgement_required,
            "suppression_window_minutes": window,
        }));
    }
    let possible =
        candidates.is_empty() || candidates.iter().any(|candidate| asked.enabled.contains(&candidate.provider));
    let matched: Vec<_> = policy.matching(subject).iter().map(|rule| rule.id.clone()).collect();
    let id = id_of(stage.id_prefix, 16, &json!([subject.id, now, generated_by, routes, window]));
    let counts = [count(candidates.len()), count(suppressed.len()), count(required.len())];
    let mut content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "plan_id": id,
        "generated_at": now,
        "generated_by": generated_by,
        "alert_level": subject.alert_level,
        "requested_provider": asked.provider,
        "eligible_providers": candidates.iter().map(|candidate| &candidate.provider).collect::<Vec<_>>(),
        "selected_providers": selected,
        "suppressed_providers": suppressed,
        "suppressed_provider_count": suppressed.len(),
        "suppression_window_minutes": window,
        "force": asked.force,
        "routes": routes,
        "matched_rule_ids": matched,
        "acknowledgement_required_providers": required,
        "controls": ["routes-by-declared-rules", "duplicates-suppressed", "no-connector-secrets"],
    }));
    content.insert(subject.id_member.to_owned(), json!(subject.id));
    content.extend(subject.shown.clone());
    (Document { id, content, counts, warnings: Vec::new() }, possible)
}

fn window(subject: &Subject, policy: &RoutingPolicy, asked: &Request<'_>) -> u64 {
    let by_rules = policy.matching(subject).iter().filter_map(|rule| rule.window).max();
    asked.window.or(by_rules).or(policy.window).unwrap_or(DEFAULT_WINDOW)
}

/// The latest delivery about a subject that reached a connector within the window.
fn latest_success<'a>(
    facts: &'a Facts,
    source: &str,
    subject: &str,
    provider: &str,
    window: u64,
    now: Timestamp,
) -> Option<(Timestamp, &'a str)> {
    let length = i64::try_from(window).unwrap_or(i64::MAX).saturating_mul(60_000_000);
    let since = Timestamp::from_micros(now.as_micros().saturating_sub(length));
    let latest = facts.latest_success(source, subject, provider).filter(|latest| latest.at >= since)?;
    (window > 0).then_some((latest.at, latest.id.as_str()))
}
