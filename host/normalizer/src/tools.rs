//! The tools whose exports are understood: where their records are, and what their spreadsheets call the facts.
//!
//! Sources of the column names: Jamf Pro's computer inventory export, Intune's `Devices` export
//! (`deviceManagement/reports/exportJobs`) and the list of its admin centre, the device lists of Microsoft Defender,
//! CrowdStrike Falcon and SentinelOne.

use crate::aliases::{DEPLOYMENT_TARGET, ENDPOINT_ID, FACTS};

/// A kind of inventory tools.
#[derive(Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name in requests and records.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Members of an export that may hold the list of records, most telling first.
    pub lists: &'static [&'static str],
    /// Paths of such lists inside other members.
    pub nested: &'static [&'static str],
    /// Columns of spreadsheets, folded, beyond the names of facts.
    columns: &'static [(&'static str, Column)],
}

/// What a column of a spreadsheet holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// A fact, under this one of its names.
    Fact(&'static str),
    /// Groups, tags or labels.
    Tags,
}

/// Jamf Pro.
pub static JAMF: Tool = Tool {
    name: "jamf",
    title: "Jamf Pro",
    lists: &["computers", "devices", "endpoints", "items", "results"],
    nested: &[],
    columns: &[
        ("jamfprocomputerid", Column::Fact("computer_id")),
        ("jssid", Column::Fact("computer_id")),
        ("lastcheckin", Column::Fact("last_contact_time")),
        ("lastinventoryupdate", Column::Fact("report_date")),
        ("operatingsystemversion", Column::Fact("os_version")),
        ("computergroup", Column::Tags),
        ("computergroups", Column::Tags),
    ],
};

/// Microsoft Intune.
pub static INTUNE: Tool = Tool {
    name: "intune",
    title: "Microsoft Intune",
    lists: &["devices", "managedDevices", "value", "endpoints", "items"],
    nested: &[],
    columns: &[
        ("lastcheckin", Column::Fact("lastSyncDateTime")),
        ("lastcontact", Column::Fact("lastSyncDateTime")),
        ("compliance", Column::Fact("complianceState")),
        ("category", Column::Tags),
        ("devicecategory", Column::Tags),
        ("devicecategorydisplayname", Column::Tags),
        ("scopetags", Column::Tags),
    ],
};

/// Fleets of Linux machines: osquery, Fleet, Wazuh, Landscape.
pub static LINUX: Tool = Tool {
    name: "linux",
    title: "Linux fleet",
    lists: &["endpoints", "hosts", "nodes", "items", "devices", "results", "data", "snapshot"],
    nested: &["data.affected_items"],
    columns: &[
        ("lastkeepalive", Column::Fact("last_seen_at")),
        ("lastpingtime", Column::Fact("last_seen_at")),
        ("lastexchangetime", Column::Fact("last_seen_at")),
        ("osname", Column::Fact("os")),
        ("team", Column::Tags),
        ("teamname", Column::Tags),
        ("fleetname", Column::Tags),
    ],
};

/// Endpoint detection and response: CrowdStrike, Microsoft Defender, SentinelOne, Wazuh.
pub static EDR: Tool = Tool {
    name: "edr",
    title: "Endpoint detection and response",
    lists: &["assets", "devices", "endpoints", "hosts", "items", "resources", "value", "data", "results"],
    nested: &["data.affected_items"],
    columns: &[
        ("endpointname", Column::Fact("hostname")),
        ("lastactive", Column::Fact("last_seen")),
        ("lastkeepalive", Column::Fact("last_seen")),
        ("lastdeviceupdate", Column::Fact("last_seen")),
        ("sensorhealthstate", Column::Fact("healthStatus")),
        ("devicegroup", Column::Tags),
        ("groupingtags", Column::Tags),
        ("sensortags", Column::Tags),
    ],
};

/// All of them.
pub static TOOLS: [&Tool; 4] = [&JAMF, &INTUNE, &LINUX, &EDR];

/// Columns of every tool: groups, and what administrators call attributes of their own.
static COMMON: [(&str, Column); 10] = [
    ("tag", Column::Tags),
    ("tags", Column::Tags),
    ("labels", Column::Tags),
    ("groups", Column::Tags),
    ("groupname", Column::Tags),
    ("cavraruntimeversion", Column::Fact("cavra_version")),
    ("cavraruntimesha256", Column::Fact("cavra_sha256")),
    ("cavrabinarysha256", Column::Fact("cavra_sha256")),
    ("cavratarget", Column::Fact("deployment_target")),
    ("cavradeploymenttarget", Column::Fact("deployment_target")),
];

impl Tool {
    /// What a column holds, by its folded name.
    pub(crate) fn column(&self, name: &str) -> Option<Column> {
        let listed = self.columns.iter().chain(&COMMON).find(|(listed, _)| *listed == name);
        listed.map(|(_, column)| *column).or_else(|| {
            let fields = [&ENDPOINT_ID, &DEPLOYMENT_TARGET].into_iter().chain(&FACTS);
            let mut names = fields.flat_map(|field| field.own.iter().chain(field.names));
            names.find(|alias| folded(alias) == name).map(|alias| Column::Fact(alias))
        })
    }
}

/// A name without case and without anything but letters and digits.
#[must_use]
pub fn folded(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
