//! Service levels: how long an answer may take, and which rung of the ladder a route has climbed.

use cavra_model::Timestamp;
use serde_json::Value;

use crate::family::provider_name;
use crate::policy::{PolicyError, Section, lists};

/// How long answers may take, in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Targets {
    /// Until somebody takes it on.
    pub acknowledgement: u64,
    /// Until it is done.
    pub resolution: u64,
}

/// How a clock stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockState {
    /// It was answered.
    Met,
    /// There is time.
    WithinSlo,
    /// Four fifths of the time are over.
    AtRisk,
    /// It is late.
    Breached,
}

impl ClockState {
    /// Its word in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::WithinSlo => "within_slo",
            Self::AtRisk => "at_risk",
            Self::Breached => "breached",
        }
    }

    /// How a clock stands that runs since `start` and may take `minutes`.
    #[must_use]
    pub fn of(answered: bool, start: Timestamp, minutes: u64, now: Timestamp) -> Self {
        let age = i128::from(now.as_micros()) - i128::from(start.as_micros());
        let target = i128::from(minutes) * 60_000_000;
        if answered {
            Self::Met
        } else if age > target {
            Self::Breached
        } else if age * 5 >= target * 4 {
            Self::AtRisk
        } else {
            Self::WithinSlo
        }
    }
}

/// Service levels by owner, connector and alert level, with the ladder of those who are told when they are missed.
#[derive(Clone, Debug, PartialEq)]
pub struct SloPolicy {
    default: Targets,
    entries: Vec<Entry>,
    /// Who is told when a route gets old.
    pub ladder: Ladder,
    /// Owner of routes without one.
    pub owner: Option<String>,
    /// Nothing was said: only routes whose notice asks for an answer count.
    pub is_default: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    owners: Vec<String>,
    providers: Vec<String>,
    alert_levels: Vec<String>,
    acknowledgement: Option<u64>,
    resolution: Option<u64>,
}

/// Rungs, by age.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ladder(Vec<Rung>);

/// One rung.
#[derive(Clone, Debug, PartialEq)]
pub struct Rung {
    /// Its name.
    pub level: String,
    /// From which age on it applies, in minutes.
    pub after_minutes: u64,
    /// Connectors that are told then.
    pub providers: Vec<String>,
    /// What is to be done.
    pub action: Option<String>,
    owners: Vec<String>,
    route_providers: Vec<String>,
    alert_levels: Vec<String>,
}

const ACKNOWLEDGEMENT: [&str; 2] = ["acknowledgement_minutes", "ack_minutes"];
const RESOLUTION: [&str; 1] = ["resolution_minutes"];
const OWNER_SLOS: [&str; 2] = ["owner_slos", "service_level_objectives"];
const LADDERS: [&str; 2] = ["ladders", "escalation_ladders"];

impl SloPolicy {
    /// The policy in a request.
    ///
    /// # Errors
    /// [`PolicyError`] for the first member that cannot be used.
    pub fn read(value: Option<&Value>) -> Result<Self, PolicyError> {
        let policy = Section::of(value, "slo_policy")?;
        let default = policy.section(&["default_slo"], "default_slo")?;
        let rungs = policy.sections(&LADDERS, "ladders")?;
        Ok(Self {
            default: Targets {
                acknowledgement: default.number(&ACKNOWLEDGEMENT, 1)?.unwrap_or(60),
                resolution: default.number(&RESOLUTION, 1)?.unwrap_or(240),
            },
            entries: Entry::read_all(&policy)?,
            ladder: Ladder(rungs.iter().map(Rung::read).collect::<Result<_, _>>()?),
            owner: policy.text(&["owner"])?,
            is_default: policy.is_empty(),
        })
    }

    /// How long answers about a route may take.
    #[must_use]
    pub fn targets(&self, owner: &str, provider: &str, alert_level: &str) -> Targets {
        let applies = |entry: &&Entry| {
            lists(&entry.owners, owner) && lists(&entry.providers, provider) && lists(&entry.alert_levels, alert_level)
        };
        self.entries.iter().filter(applies).fold(self.default, |targets, entry| Targets {
            acknowledgement: entry.acknowledgement.unwrap_or(targets.acknowledgement),
            resolution: entry.resolution.unwrap_or(targets.resolution),
        })
    }
}

impl Entry {
    fn read_all(policy: &Section<'_>) -> Result<Vec<Self>, PolicyError> {
        if let Some(Value::Array(_)) = policy.value(&OWNER_SLOS) {
            let read = |section: &Section<'_>| Self::read(section, section.texts(&["owners"])?);
            return policy.sections(&OWNER_SLOS, "owner_slos")?.iter().map(read).collect();
        }
        let owners = policy.section(&OWNER_SLOS, "owner_slos")?.named_sections("owner_slos")?;
        owners.into_iter().map(|(owner, section)| Self::read(&section, vec![owner.to_owned()])).collect()
    }

    fn read(section: &Section<'_>, owners: Vec<String>) -> Result<Self, PolicyError> {
        Ok(Self {
            owners,
            providers: section.texts(&["providers"])?.iter().map(|name| provider_name(name)).collect(),
            alert_levels: section.texts(&["alert_levels"])?,
            acknowledgement: section.number_if_any(&ACKNOWLEDGEMENT, 1)?,
            resolution: section.number_if_any(&RESOLUTION, 1)?,
        })
    }
}

impl Ladder {
    /// The rung that a route of an age has climbed: the highest one that fits it, the last of equals.
    #[must_use]
    pub fn rung(&self, owner: &str, provider: &str, alert_level: &str, age_minutes: f64) -> Option<&Rung> {
        let fits = |rung: &&Rung| {
            lists(&rung.owners, owner)
                && lists(&rung.route_providers, provider)
                && lists(&rung.alert_levels, alert_level)
                && rung.after_minutes as f64 <= age_minutes
        };
        self.0.iter().filter(fits).max_by_key(|rung| rung.after_minutes)
    }
}

impl Rung {
    fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        let providers = |names: &[&str]| -> Result<Vec<String>, PolicyError> {
            Ok(section.texts(names)?.iter().map(|name| provider_name(name)).collect())
        };
        Ok(Self {
            level: section.text(&["level", "name"])?.unwrap_or_else(|| "owner".to_owned()),
            after_minutes: section.number(&["after_minutes", "after"], 0)?.unwrap_or(0),
            providers: providers(&["providers"])?,
            action: section.text(&["action"])?,
            owners: section.texts(&["owners"])?,
            route_providers: providers(&["route_providers", "match_providers"])?,
            alert_levels: section.texts(&["alert_levels"])?,
        })
    }
}
