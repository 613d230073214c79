//! Freshness: how old the newest observations of each scope are. A scope is a provider, a channel and a deployment target.

use std::collections::BTreeMap;

use cavra_inventory::{UNKNOWN_TARGET, read_time};
use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::AlertLevel;
use crate::ids::of_document;
use crate::record::{Documented, Header, member, record};

/// `metadata_kind` of its record.
pub const FRESHNESS_KIND: &str = "endpoint-inventory-freshness-report";

/// Which ingestions are looked at; what is not given does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Scope<'a> {
    /// Of this provider.
    pub provider: Option<&'a str>,
    /// Of this channel.
    pub channel: Option<&'a str>,
    /// Of this deployment target.
    pub deployment_target: Option<&'a str>,
}

/// From how many hours on observations are old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreshnessLimits {
    /// Worth a warning.
    pub max_age_hours: u64,
    /// Critical; at least the former.
    pub critical_age_hours: u64,
}

/// The newest ingestion of a scope.
struct Newest<'a> {
    ingestion: &'a Object,
    observed: Option<i64>,
}

/// The report over ingestion records.
#[must_use]
pub fn freshness_report<'a>(
    ingestions: impl IntoIterator<Item = &'a Object>,
    scope: &Scope<'_>,
    limits: FreshnessLimits,
    now: Timestamp,
) -> Documented {
    let limits = FreshnessLimits { critical_age_hours: limits.critical_age_hours.max(limits.max_age_hours), ..limits };
    let mut scopes: BTreeMap<(String, String, String), Newest<'a>> = BTreeMap::new();
    let (mut ids, mut missing) = (Vec::new(), 0);
    for ingestion in ingestions.into_iter().filter(|ingestion| within(ingestion, scope)) {
        ids.push(members::text(ingestion, "inventory_id").to_owned());
        missing += count(ingestion, "missing_target_count");
        let observed = observed_at(ingestion);
        for target in targets(ingestion, scope) {
            let (provider, channel) =
                (members::text(ingestion, "provider"), members::filled(ingestion, "channel").unwrap_or("unassigned"));
            let key = (provider.to_owned(), channel.to_owned(), target.to_owned());
            let newer = scopes.get(&key).is_none_or(|newest| newest.observed < observed);
            if newer {
                scopes.insert(key, Newest { ingestion, observed });
            }
        }
    }
    ids.sort_unstable();
    let mut latest = Vec::new();
    let mut alerts = Vec::new();
    for ((provider, channel, target), newest) in &scopes {
        let (line, mut raised) = assess(provider, channel, target, newest, limits, now);
        latest.push(line);
        alerts.append(&mut raised);
    }
    let warnings: Vec<String> = if latest.is_empty() {
        vec!["no inventory ingestion matches: nothing was reported for this scope".to_owned()]
    } else {
        Vec::new()
    };
    let of_level = |level: AlertLevel| {
        alerts.iter().filter(|alert| alert.get("severity").and_then(Value::as_str) == Some(level.as_str())).count()
    };
    let (warning_count, critical_count) = (of_level(AlertLevel::Warning), of_level(AlertLevel::Critical));
    let level = match (critical_count, warning_count, latest.is_empty()) {
        (1.., _, _) => AlertLevel::Critical,
        (0, 1.., _) | (0, 0, true) => AlertLevel::Warning,
        (0, 0, false) => AlertLevel::Healthy,
    };
    let healthy = latest.iter().filter(|line| line.get("severity").and_then(Value::as_str) == Some("healthy")).count();
    let scope = json!({
        "provider": scope.provider, "channel": scope.channel, "deployment_target": scope.deployment_target,
    });
    let id = of_document(
        "eif_",
        &json!({
            "scope": scope, "max_age_hours": limits.max_age_hours, "critical_age_hours": limits.critical_age_hours,
            "created_at": now, "inventory_ids": ids,
        }),
    );
    let summary = json!({
        "scope_count": latest.len(), "ingestion_count": ids.len(), "healthy_count": healthy,
        "warning_count": warning_count, "critical_count": critical_count, "missing_target_count": missing,
    });
    let document = json!({
        "schema_version": "cavra.endpoint-inventory-freshness.v1",
        "product": "CAVRA",
        "report_id": id,
        "created_at": now,
        "alert_level": level.as_str(),
        "max_age_hours": limits.max_age_hours,
        "critical_age_hours": limits.critical_age_hours,
        "scope": scope,
        "summary": summary,
        "latest_ingestions": latest,
        "alerts": alerts,
        "controls": [
            "endpoint-inventory-age-compared-to-sla",
            "latest-ingestion-selected-by-provider-channel-target",
            "public-safe-alert-metadata-only",
            "private-connectors-required-for-source-refresh",
        ],
        "warnings": warnings,
    });
    let header = Header {
        kind: FRESHNESS_KIND,
        id: &id,
        created_at: now,
        signer: "endpoint-inventory-freshness",
        decisions: 0,
        blocked: critical_count as u64,
        approvals: 0,
    };
    let content = json!({
        "report_id": id,
        "alert_level": level.as_str(),
        "max_age_hours": limits.max_age_hours,
        "critical_age_hours": limits.critical_age_hours,
        "scope": scope,
        "summary": summary,
        "alert_count": alerts.len(),
        "warning_count": warning_count,
        "critical_count": critical_count,
        "latest_ingestions": latest,
        "alerts": alerts,
        "report": document,
    });
    let record = record(&header, content);
    Documented { id, document, record, warnings }
}

fn within(ingestion: &Object, scope: &Scope<'_>) -> bool {
    let same = |name: &str, wanted: Option<&str>| wanted.is_none_or(|wanted| members::text(ingestion, name) == wanted);
    let has = |wanted: &str| own_targets(ingestion).contains(&wanted);
    same("provider", scope.provider) && same("channel", scope.channel) && scope.deployment_target.is_none_or(has)
}

fn own_targets(ingestion: &Object) -> Vec<&str> {
    let targets = members::texts(ingestion, "deployment_targets");
    if targets.is_empty() { vec![UNKNOWN_TARGET] } else { targets }
}

/// The targets of an ingestion that the report is about.
fn targets<'a>(ingestion: &'a Object, scope: &Scope<'_>) -> Vec<&'a str> {
    let own = own_targets(ingestion);
    own.into_iter().filter(|target| scope.deployment_target.is_none_or(|wanted| wanted == *target)).collect()
}

/// The moment that an ingestion's observations are of, in microseconds. A clock ahead of ours cannot keep them fresh.
fn observed_at(ingestion: &Object) -> Option<i64> {
    let time = |name: &str| ingestion.get(name).and_then(read_time).map(|time| time.as_microsecond());
    let created = time("created_at");
    match (ingestion.get("observed_at"), created) {
        (Some(Value::String(_)), created) => {
            let observed = time("observed_at")?;
            Some(created.map_or(observed, |created| observed.min(created)))
        }
        (_, created) => created,
    }
}

/// A scope's line in the report, and the alerts that it raises.
fn assess(
    provider: &str,
    channel: &str,
    target: &str,
    newest: &Newest<'_>,
    limits: FreshnessLimits,
    now: Timestamp,
) -> (Value, Vec<Value>) {
    let age = newest.observed.map(|observed| hours(now.as_micros().saturating_sub(observed)));
    let level = match age {
        None => AlertLevel::Warning,
        Some(age) if age >= limits.critical_age_hours as f64 => AlertLevel::Critical,
        Some(age) if age >= limits.max_age_hours as f64 => AlertLevel::Warning,
        Some(_) => AlertLevel::Healthy,
    };
    let missing = count(newest.ingestion, "missing_target_count");
    let id = member(newest.ingestion, "inventory_id");
    let observed = member(newest.ingestion, "observed_at");
    let line = json!({
        "inventory_id": id, "provider": provider, "channel": channel, "deployment_target": target,
        "observed_at": observed, "age_hours": age, "severity": level.as_str(),
        "endpoint_count": count(newest.ingestion, "endpoint_count"), "missing_target_count": missing,
    });
    let mut alerts = Vec::new();
    if level != AlertLevel::Healthy {
        let said = match age {
            Some(age) => format!("{age} hours old"),
            None => "of an unknown time".to_owned(),
        };
        alerts.push(json!({
            "severity": level.as_str(), "inventory_id": id, "provider": provider, "channel": channel,
            "deployment_target": target, "observed_at": observed, "age_hours": age,
            "message": format!("the newest {provider} inventory of {target} in {channel} is {said}"),
        }));
    }
    if missing > 0 {
        alerts.push(json!({
            "severity": "warning", "inventory_id": id, "provider": provider, "channel": channel,
            "deployment_target": target,
            "message": format!("{missing} endpoints of the newest {provider} inventory name no deployment target"),
        }));
    }
    (line, alerts)
}

fn count(record: &Object, name: &str) -> u64 {
    record.get(name).and_then(Value::as_u64).unwrap_or(0)
}

/// Microseconds as hours with two decimals, never negative.
fn hours(micros: i64) -> f64 {
    let hundredths = (micros.max(0) as f64 / 36_000_000.0).round();
    hundredths / 100.0
}
