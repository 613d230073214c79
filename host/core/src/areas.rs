//! The registry of kinds: which kinds are kept together, where, and which of these areas leave leaves in a log.

use cavra_model::{
    AGENTS, API_TOKENS, APPROVALS, COUNTED_SESSIONS, DECISIONS, DELIVERIES, DELIVERY_LANES, EVIDENCE_DOCUMENT_USES,
    EVIDENCE_DOCUMENTS, EVIDENCE_METADATA, EVIDENCE_ORIGINS, INTEGRATIONS, Kind, MCP_SERVERS, POLICY_ARCHIVE,
    POLICY_ROLLOUTS, PUBLICATIONS, REPOSITORIES, SESSIONS, WORKER_JOBS,
};
use cavra_store::{Location, RecordStore, StoreError};

use crate::Settings;

/// The kinds of the activity area.
pub static ACTIVITY_KINDS: [&Kind; 4] = [&DECISIONS, &SESSIONS, &COUNTED_SESSIONS, &POLICY_ARCHIVE];
/// The kinds of the approvals area.
pub static APPROVAL_KINDS: [&Kind; 2] = [&APPROVALS, &PUBLICATIONS];
/// The kinds of the evidence area.
pub static EVIDENCE_KINDS: [&Kind; 5] =
    [&EVIDENCE_METADATA, &EVIDENCE_ORIGINS, &EVIDENCE_DOCUMENTS, &EVIDENCE_DOCUMENT_USES, &WORKER_JOBS];
/// The kinds of the integrations area.
pub static INTEGRATION_KINDS: [&Kind; 3] = [&INTEGRATIONS, &DELIVERIES, &DELIVERY_LANES];
/// The kinds of the inventory area.
pub static INVENTORY_KINDS: [&Kind; 2] = [&REPOSITORIES, &POLICY_ROLLOUTS];
/// The kinds of the registry area.
pub static REGISTRY_KINDS: [&Kind; 2] = [&MCP_SERVERS, &AGENTS];
/// The kinds of the token area.
pub static TOKEN_KINDS: [&Kind; 1] = [&API_TOKENS];

/// Kinds that the settings place together.
#[derive(Debug)]
pub struct Area {
    /// Its name.
    pub name: &'static str,
    /// Its kinds.
    pub kinds: &'static [&'static Kind],
    /// The kind whose records most leaves of its log speak of, if it has one that is signed.
    pub logged: Option<&'static Kind>,
    /// The variable that places it into a database of its own.
    pub database_variable: &'static str,
    /// The variable that places it into a JSON file.
    pub json_variable: &'static str,
}

/// Every area. What is locked together is locked in this order.
pub static AREAS: [Area; 7] = [
    area("activity", &ACTIVITY_KINDS, Some(&DECISIONS), ("CAVRA_ACTIVITY_DB", "CAVRA_ACTIVITY_STORE")),
    area("approvals", &APPROVAL_KINDS, Some(&APPROVALS), ("CAVRA_APPROVAL_DB", "CAVRA_APPROVAL_STORE")),
    area(
        "evidence",
        &EVIDENCE_KINDS,
        Some(&EVIDENCE_METADATA),
        ("CAVRA_EVIDENCE_METADATA_DB", "CAVRA_EVIDENCE_METADATA_STORE"),
    ),
    area("integrations", &INTEGRATION_KINDS, Some(&INTEGRATIONS), ("CAVRA_INTEGRATION_DB", "CAVRA_INTEGRATION_STORE")),
    area("inventory", &INVENTORY_KINDS, Some(&POLICY_ROLLOUTS), ("CAVRA_INVENTORY_DB", "CAVRA_INVENTORY_STORE")),
    area("registry", &REGISTRY_KINDS, Some(&MCP_SERVERS), ("CAVRA_REGISTRY_DB", "CAVRA_REGISTRY_STORE")),
    area("tokens", &TOKEN_KINDS, None, ("CAVRA_TOKEN_DB", "CAVRA_TOKEN_STORE")),
];

const fn area(
    name: &'static str,
    kinds: &'static [&'static Kind],
    logged: Option<&'static Kind>,
    (database_variable, json_variable): (&'static str, &'static str),
) -> Area {
    Area { name, kinds, logged, database_variable, json_variable }
}

impl Area {
    /// The area of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        AREAS.iter().find(|area| area.name == name)
    }

    /// The area of a kind.
    #[must_use]
    pub fn of(kind: &Kind) -> Option<&'static Self> {
        AREAS.iter().find(|area| area.kinds.contains(&kind))
    }

    /// Where the settings place it.
    #[must_use]
    pub fn location(&self, settings: &Settings) -> Location {
        let location = match self.name {
            "activity" => &settings.activity,
            "approvals" => &settings.approvals,
            "evidence" => &settings.evidence,
            "integrations" => &settings.integrations,
            "inventory" => &settings.inventory,
            "registry" => &settings.registry,
            _ => &settings.tokens,
        };
        location.clone()
    }
}

/// Where the areas are by the settings.
fn places(settings: &Settings, areas: impl IntoIterator<Item = &'static Area>) -> Vec<(Location, cavra_store::Area)> {
    areas.into_iter().map(|area| (area.location(settings), area.kinds)).collect()
}

/// Opens the store of this installation.
///
/// # Errors
/// As [`RecordStore::open_all`].
pub fn open_store(settings: &Settings) -> Result<RecordStore, StoreError> {
    RecordStore::open_all(&places(settings, &AREAS))
}

/// Opens some areas of the store of this installation; what is not there is made when something is written.
///
/// # Errors
/// As [`RecordStore::look_all`].
pub fn look_at_store(settings: &Settings, names: &[&str]) -> Result<RecordStore, StoreError> {
    RecordStore::look_all(&places(settings, AREAS.iter().filter(|area| names.contains(&area.name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_in_one_area() {
        for kind in cavra_model::KINDS {
            let areas = AREAS.iter().filter(|area| area.kinds.contains(&kind)).count();
            assert_eq!(areas, 1, "{}", kind.table);
        }
        assert_eq!(Area::of(&SESSIONS).map(|area| area.name), Some("activity"));
    }

    #[test]
    fn each_area_is_where_its_variable_says() {
        for area in &AREAS {
            let settings = Settings::read(|name| (name == area.database_variable).then(|| "x.db".to_owned())).unwrap();
            for other in &AREAS {
                let is_there = other.location(&settings) == Location::Sqlite("x.db".into());
                assert_eq!(is_there, other.name == area.name, "{} {}", area.name, other.name);
            }
            let settings = Settings::read(|name| (name == area.json_variable).then(|| "x".to_owned())).unwrap();
            assert_eq!(area.location(&settings), Location::Json("x".into()), "{}", area.name);
            let all = Settings::read(|name| match name {
                "CAVRA_DATABASE_URL" => Some("sqlite:all.db".to_owned()),
                name => (name == area.json_variable).then(|| "x".to_owned()),
            });
            let all = all.unwrap();
            for other in &AREAS {
                let apart = other.location(&all) == Location::Json("x".into());
                let together = other.location(&all) == Location::Sqlite("all.db".into());
                assert_eq!((apart, together), (other.name == area.name, other.name != area.name));
            }
        }
    }
}
