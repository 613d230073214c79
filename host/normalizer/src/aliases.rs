//! Names under which tools give the facts of an observation, most telling first.

/// One fact of an observation.
#[derive(Debug)]
pub struct Field {
    /// Its member in the observation.
    pub output: &'static str,
    /// Names that only cavra's own tools use; they count before everything that a vendor says.
    pub own: &'static [&'static str],
    /// Every name, in the order in which they count.
    pub names: &'static [&'static str],
    /// How its value is written.
    pub form: Form,
}

/// How a value is written into the observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As a text.
    Text,
    /// As it stands.
    AsGiven,
    /// As a time.
    Time,
    /// As it stands, but truth values as `managed` and `unmanaged`.
    Managed,
}

/// A bare `version`: that of the runtime only in a record that looks like no vendor's. In Microsoft Defender's records, for
/// example, it is the operating system's.
pub const BARE_VERSION: &str = "version";

/// The id of an endpoint.
pub static ENDPOINT_ID: Field = Field {
    output: "endpoint_id",
    own: &["endpoint_id"],
    names: &[
        "endpoint_id",
        "device_id",
        "deviceId",
        "id",
        "udid",
        "serial_number",
        "serialNumber",
        "computer_id",
        "hostname",
        "name",
        "deviceName",
        "uuid",
        "host_id",
        "hostIdentifier",
        "aadDeviceId",
    ],
    form: Form::Text,
};

/// The deployment target of an endpoint.
pub static DEPLOYMENT_TARGET: Field = Field {
    output: "deployment_target",
    own: &["deployment_target", "target_id"],
    names: &[
        "deployment_target",
        "target_id",
        "target",
        "assignment",
        "policy_name",
        "policyName",
        "smart_group",
        "group",
        "collection",
        "deploymentGroup",
    ],
    form: Form::Text,
};

/// The facts beside id and target, in the order of the observation.
pub static FACTS: [Field; 8] = [
    Field {
        output: "installed_version",
        own: &["installed_version", "runtime_version", "cavra_version"],
        names: &[
            "installed_version",
            "runtime_version",
            "cavra_version",
            BARE_VERSION,
            "app_version",
            "applicationVersion",
            "detectedVersion",
        ],
        form: Form::AsGiven,
    },
    Field {
        output: "binary_sha256",
        own: &["binary_sha256", "installed_binary_sha256", "runtime_sha256", "cavra_sha256"],
        names: &[
            "binary_sha256",
            "installed_binary_sha256",
            "runtime_sha256",
            "cavra_sha256",
            "sha256",
            "checksum",
            "fileHash",
        ],
        form: Form::AsGiven,
    },
    Field {
        output: "last_seen_at",
        own: &["last_seen_at"],
        names: &[
            "last_seen_at",
            "lastSeen",
            "last_contact_time",
            "lastContactTime",
            "lastCheckInDateTime",
            "report_date",
            "updated_at",
            "check_in_time",
            "lastSyncDateTime",
            "seen_time",
            "last_seen",
            "lastActiveDate",
            "report_date_utc",
            "reportDate",
            "last_fetched",
            "unixTime",
        ],
        form: Form::Time,
    },
    Field {
        output: "hostname",
        own: &[],
        names: &["hostname", "computerName", "deviceName", "name", "computerDnsName", "computer_name", "display_name"],
        form: Form::AsGiven,
    },
    Field {
        output: "serial_number",
        own: &[],
        names: &["serial_number", "serialNumber", "serial", "hardware_serial"],
        form: Form::AsGiven,
    },
    Field {
        output: "os",
        own: &[],
        names: &["os", "operatingSystem", "platform", "osPlatform", "platform_name", "osName"],
        form: Form::AsGiven,
    },
    Field { output: "os_version", own: &[], names: &["os_version", "osVersion"], form: Form::Text },
    Field {
        output: "management_state",
        own: &[],
        names: &["management_state", "managed", "complianceState", "status", "healthStatus"],
        form: Form::Managed,
    },
];
