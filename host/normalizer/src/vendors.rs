//! What the vendors' own API answers look like, as tables: how a record is recognised, and where its facts are. Sources:
//! Jamf Pro API `computers-inventory` and Classic API, Microsoft Graph `managedDevice`, Fleet REST API `hosts`,
//! CrowdStrike Falcon `devices/entities`, Microsoft Defender for Endpoint `machines`, SentinelOne `agents`, Wazuh
//! `agents`, Landscape `computers`.

use cavra_json::{Members, Node};

use crate::path::member;

/// A vendor's form of record.
#[derive(Debug)]
pub struct Vendor {
    /// Whether a record has this form.
    pub recognises: fn(&Members<'_>) -> bool,
    /// Paths of a fact, most telling first.
    pub facts: &'static [(&'static str, &'static [&'static str])],
    /// Lists of installed software.
    pub software: &'static [Software],
    /// Lists of named attributes that administrators define.
    pub attributes: &'static [&'static str],
    /// Texts that may name facts as `cavra-…`, or groups that stand for a deployment target.
    pub tags: &'static [&'static str],
}

/// A list of installed software.
#[derive(Debug)]
pub struct Software {
    /// Path of its entries.
    pub entries: &'static str,
    /// Members of an entry with its name.
    pub names: &'static [&'static str],
    /// Members of an entry with where it lies.
    pub paths: &'static [&'static str],
    /// Member of an entry with its digest.
    pub digest: &'static str,
}

/// The forms, each tried in turn.
pub static VENDORS: [Vendor; 8] = [
    // Jamf Pro, also its Classic API, where names are in snake case.
    Vendor {
        recognises: |record| member(record, "general").is_some_and(Node::is_object),
        facts: &[
            ("endpoint_id", &["id", "general.id", "udid", "general.udid"]),
            ("hostname", &["general.name"]),
            ("serial_number", &["hardware.serialNumber", "general.serialNumber"]),
            ("os", &["operatingSystem.name", "general.platform", "hardware.osName"]),
            ("os_version", &["operatingSystem.version", "hardware.osVersion"]),
            ("last_seen_at", &["general.lastContactTime", "general.reportDate", "general.lastContactTimeUtc"]),
            ("management_state", &["general.remoteManagement.managed", "general.managed"]),
        ],
        software: &[
            Software { entries: "applications[]", names: &["name"], paths: &["path"], digest: "sha256" },
            Software { entries: "software.applications[]", names: &["name"], paths: &["path"], digest: "sha256" },
        ],
        attributes: &[
            "extensionAttributes[]",
            "general.extensionAttributes[]",
            "hardware.extensionAttributes[]",
            "operatingSystem.extensionAttributes[]",
            "userAndLocation.extensionAttributes[]",
            "purchasing.extensionAttributes[]",
        ],
        tags: &["groupMemberships[].groupName"],
    },
    // Microsoft Graph, managedDevices.
    Vendor {
        recognises: |record| {
            has(record, "deviceName")
                && ["managedDeviceOwnerType", "lastSyncDateTime", "@odata.type"].iter().any(|name| has(record, name))
        },
        facts: &[
            ("endpoint_id", &["id"]),
            ("hostname", &["deviceName", "managedDeviceName"]),
            ("serial_number", &["serialNumber", "hardwareInformation.serialNumber"]),
            ("os", &["operatingSystem"]),
            ("os_version", &["osVersion"]),
            ("last_seen_at", &["lastSyncDateTime"]),
            ("management_state", &["complianceState"]),
        ],
        software: &[Software { entries: "detectedApps[]", names: &["displayName"], paths: &[], digest: "sha256" }],
        attributes: &[],
        tags: &["deviceCategoryDisplayName"],
    },
    // Fleet, the osquery manager.
    Vendor {
        recognises: |record| has(record, "osquery_version") || has(record, "seen_time"),
        facts: &[
            ("endpoint_id", &["id"]),
            ("hostname", &["hostname", "computer_name"]),
            ("serial_number", &["hardware_serial"]),
            ("os", &["platform"]),
            ("os_version", &["os_version"]),
            ("last_seen_at", &["seen_time"]),
            ("management_state", &["status"]),
        ],
        software: &[Software {
            entries: "software[]",
            names: &["name"],
            paths: &["installed_paths[]"],
            digest: "signature_information[].hash_sha256",
        }],
        attributes: &[],
        tags: &["labels[].name", "team_name", "fleet_name"],
    },
    // Microsoft Defender for Endpoint, machines.
    Vendor {
        recognises: |record| has(record, "computerDnsName"),
        facts: &[
            ("endpoint_id", &["id"]),
            ("hostname", &["computerDnsName"]),
            ("os", &["osPlatform"]),
            ("os_version", &["osVersion", "version"]),
            ("last_seen_at", &["lastSeen"]),
            ("management_state", &["healthStatus"]),
        ],
        software: &[],
        attributes: &[],
        tags: &["machineTags[]", "rbacGroupName"],
    },
    // CrowdStrike Falcon, device entities.
    Vendor {
        recognises: |record| has(record, "device_id") && (has(record, "platform_name") || has(record, "cid")),
        facts: &[
            ("endpoint_id", &["device_id"]),
            ("hostname", &["hostname"]),
            ("serial_number", &["serial_number"]),
            ("os", &["platform_name"]),
            ("os_version", &["os_version"]),
            ("last_seen_at", &["last_seen"]),
            ("management_state", &["status"]),
        ],
        software: &[],
        attributes: &[],
        tags: &["tags[]"],
    },
    // SentinelOne, agents.
    Vendor {
        recognises: |record| has(record, "computerName") && (has(record, "lastActiveDate") || has(record, "osName")),
        facts: &[
            ("endpoint_id", &["id", "uuid"]),
            ("hostname", &["computerName"]),
            ("serial_number", &["serialNumber"]),
            ("os", &["osName"]),
            ("os_version", &["osRevision"]),
            ("last_seen_at", &["lastActiveDate"]),
            ("management_state", &["mitigationMode", "operationalState"]),
        ],
        software: &[],
        attributes: &[],
        tags: &["tags.sentinelone[].value", "groupName"],
    },
    // Wazuh, agents. Their `version` is the agent's own.
    Vendor {
        recognises: |record| has(record, "lastKeepAlive") || has(record, "registerIP"),
        facts: &[
            ("endpoint_id", &["id"]),
            ("hostname", &["name"]),
            ("os", &["os.name", "os.platform"]),
            ("os_version", &["os.version"]),
            ("last_seen_at", &["lastKeepAlive"]),
            ("management_state", &["status"]),
        ],
        software: &[],
        attributes: &[],
        tags: &["group[]"],
    },
    // Landscape, computers.
    Vendor {
        recognises: |record| has(record, "last_ping_time") || has(record, "last_exchange_time"),
        facts: &[
            ("endpoint_id", &["id"]),
            ("installed_version", &["annotations.cavraVersion"]),
            ("binary_sha256", &["annotations.cavraSha256"]),
            ("hostname", &["hostname", "title"]),
            ("os", &["distribution_info.distributor"]),
            ("os_version", &["distribution"]),
            ("last_seen_at", &["last_ping_time", "last_exchange_time"]),
        ],
        software: &[],
        attributes: &[],
        tags: &["tags[]", "access_group"],
    },
];

/// A line of a spreadsheet: columns are named as facts are, and a bare `version` is the runtime's, since spreadsheets name
/// the operating system's as such.
pub static ROW: Vendor = Vendor {
    recognises: |_| false,
    facts: &[("installed_version", &["version"])],
    software: &[],
    attributes: &[],
    tags: &["tags[]"],
};

/// The vendor whose record this is.
pub fn recognise(record: &Members<'_>) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| (vendor.recognises)(record))
}

impl Vendor {
    /// Paths of a fact.
    pub fn paths(&self, output: &str) -> &'static [&'static str] {
        self.facts.iter().find(|(name, _)| *name == output).map_or(&[], |(_, paths)| paths)
    }
}

fn has(record: &Members<'_>, name: &str) -> bool {
    member(record, name).is_some_and(|value| !value.is_null())
}
