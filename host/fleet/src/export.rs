//! Export: what endpoint-management tools need to install a release on the workstations of a channel, as files for each.

use std::collections::BTreeMap;

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::Refusal;
use crate::ids::export_id;
use crate::plan::provider_of;
use crate::publication::MANIFEST_SCHEMA;
use crate::record::{Header, member, record};

/// `metadata_kind` of the record of an export.
pub const EXPORT_KIND: &str = "endpoint-management-export";
/// Where binaries are installed on machines that are not Windows.
const PLACE: &str = "/usr/local/bin/cavra-runtime";
/// And on Windows.
const WINDOWS_PLACE: &str = r"C:\Program Files\CAVRA\cavra-runtime.exe";
/// The script of the Linux export.
const SCRIPT: &str = "linux-install-cavra-runtime.sh";
const CONTROLS: [&str; 4] = [
    "release-package-verified-before-export",
    "channel-promotion-approval-required-before-publish",
    "endpoint-tool-import-review-required",
    "rollback-package-reference-required",
];
/// What is said of a target in the files of its tool.
const TARGET: [&str; 9] = [
    "id",
    "platform",
    "os",
    "arch",
    "installer_target",
    "binary",
    "binary_sha256",
    "deployment_channel",
    "management_tool",
];

/// What is exported, of a release package that verified.
#[derive(Clone, Debug)]
pub struct ExportRequest<'a> {
    /// The channel.
    pub channel: &'a str,
    /// `all`, or one tool.
    pub asked: &'a str,
    /// The package's directory.
    pub package_dir: &'a str,
    /// Version, commit and repository.
    pub release: &'a Object,
    /// What its verification showed.
    pub package_verification: Value,
    /// The channel's workstation targets.
    pub workstations: Vec<&'a Object>,
    /// The package's deployment targets, which say more about them.
    pub deployed: Vec<&'a Object>,
    /// How the channel is updated.
    pub policy: Option<&'a Object>,
    /// The request to promote the channel.
    pub promotion: Option<&'a Object>,
}

/// The files of an export.
#[derive(Clone, Debug)]
pub struct Export {
    /// Its id.
    pub id: String,
    /// Its manifest.
    pub manifest: Object,
    /// Its record.
    pub record: Object,
    /// The documents of the tools, by file name.
    pub documents: BTreeMap<&'static str, Value>,
    /// Scripts, by file name.
    pub scripts: BTreeMap<&'static str, String>,
}

/// A tool: its name, its document, and what that says beside the targets.
type Tool = (&'static str, &'static str, fn(&ExportRequest<'_>, &[Object]) -> Value);

const TOOLS: [Tool; 3] = [
    ("intune", "intune-win32-app.json", intune),
    ("jamf", "jamf-policy.json", jamf),
    ("linux", "linux-fleet-manifest.json", linux),
];

/// Makes the files.
///
/// # Errors
/// [`Refusal::Document`] with everything that is wrong.
pub fn export(about: &ExportRequest<'_>, now: Timestamp) -> Result<Export, Refusal> {
    let mut problems = Vec::new();
    let known = about.asked == "all" || TOOLS.iter().any(|(name, ..)| *name == about.asked);
    if !known {
        problems.push("provider must be all, jamf, intune or linux".to_owned());
    }
    if about.workstations.is_empty() {
        problems.push(format!("channel {} has no workstation_targets", about.channel));
    }
    let promoted = about.promotion.map(|request| members::text(request, "channel"));
    if promoted.is_some_and(|channel| channel != about.channel) {
        problems.push(format!("the promotion request is not for channel {}", about.channel));
    }
    let targets: Vec<Object> = about.workstations.iter().map(|target| whole(target, &about.deployed)).collect();
    let of = |tool: &str| targets.iter().filter(|target| provider_of(target) == tool).cloned().collect::<Vec<_>>();
    let asked = |tool: &str| about.asked == "all" || about.asked == tool;
    let chosen: Vec<_> = TOOLS.iter().map(|tool| (tool, of(tool.0))).collect();
    let chosen: Vec<_> = chosen.into_iter().filter(|(tool, own)| asked(tool.0) && !own.is_empty()).collect();
    if problems.is_empty() && chosen.is_empty() {
        problems.push("no workstation target is managed by the tools that are asked for".to_owned());
    }
    if !problems.is_empty() {
        return Err(Refusal::Document(problems));
    }
    let mut documents = BTreeMap::new();
    let mut scripts = BTreeMap::new();
    for ((tool, file, special), own) in &chosen {
        documents.insert(*file, document(about, tool, special, own));
        if *tool == "linux" {
            scripts.insert(SCRIPT, script(own) + "\n");
        }
    }
    let providers: Vec<&str> = chosen.iter().map(|(tool, _)| tool.0).collect();
    Ok(finish(about, &providers, documents, scripts, now))
}

fn finish(
    about: &ExportRequest<'_>,
    providers: &[&str],
    documents: BTreeMap<&'static str, Value>,
    scripts: BTreeMap<&'static str, String>,
    now: Timestamp,
) -> Export {
    let request = about.promotion.and_then(|request| members::filled(request, "request_id"));
    let approval = about.promotion.and_then(|request| members::object(request, "approval"));
    let approval = approval.and_then(|approval| members::filled(approval, "approval_id"));
    let id = export_id(Some(about.channel), members::filled(about.release, "version"), providers, approval);
    let files: Vec<&str> = documents.keys().copied().chain(scripts.keys().copied()).collect();
    let manifest = members::built(json!({
        "schema_version": MANIFEST_SCHEMA,
        "product": "CAVRA",
        "component": "go-enforcement-plane",
        "created_at": now,
        "channel": about.channel,
        "provider": about.asked,
        "providers": providers,
        "package_dir": about.package_dir,
        "release": about.release,
        "approval": { "required": true, "request_id": request, "approval_id": approval },
        "controls": CONTROLS,
        "package_verification": about.package_verification,
        "files": files,
    }));
    let header = Header {
        kind: EXPORT_KIND,
        id: &id,
        created_at: now,
        signer: "release-manager",
        decisions: 0,
        blocked: 0,
        approvals: 1,
    };
    let references: Vec<String> = request
        .map(|id| format!("release-channel-promotion://{id}"))
        .into_iter()
        .chain(approval.map(|id| format!("approval://{id}")))
        .collect();
    let content = json!({
        "export_id": id,
        "channel": about.channel,
        "provider": about.asked,
        "providers": providers,
        "approval_id": approval,
        "approval_state": approval.map(|_| "pending"),
        "request_id": request,
        "release": {
            "version": member(about.release, "version"),
            "commit": member(about.release, "commit"),
            "repository": member(about.release, "repository"),
        },
        "files": files,
        "controls": CONTROLS,
        "package_dir": about.package_dir,
        "evidence_refs": references,
        "audit_links": { "channel_promotion_request": request, "approval": approval },
        "manifest": manifest,
    });
    let record = record(&header, content);
    Export { id, manifest, record, documents, scripts }
}

/// A workstation target with what the deployment manifest says about it.
fn whole(target: &Object, deployed: &[&Object]) -> Object {
    let named = |name: &str| members::filled(target, name);
    let id = named("id").or_else(|| named("target")).or_else(|| named("installer_target")).unwrap_or_default();
    let known = deployed.iter().find(|known| members::text(known, "id") == id);
    let mut whole = known.map(|known| (*known).clone()).unwrap_or_default();
    whole
        .extend(target.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())));
    whole.insert("id".to_owned(), json!(id));
    whole
}

fn document(
    about: &ExportRequest<'_>,
    tool: &str,
    special: &fn(&ExportRequest<'_>, &[Object]) -> Value,
    targets: &[Object],
) -> Value {
    let shown: Vec<Object> = targets
        .iter()
        .map(|target| TARGET.iter().map(|name| ((*name).to_owned(), member(target, name))).collect())
        .collect();
    let ring = about.policy.and_then(|policy| members::objects(policy, "rollout_rings").into_iter().next());
    let mut document = members::built(json!({
        "schema_version": format!("cavra.endpoint-management.{tool}.v1"),
        "provider": tool,
        "channel": about.channel,
        "approval_required": true,
        "rollback_required": true,
        "soak_hours": ring.map(|ring| member(ring, "soak_hours")),
        "targets": shown,
    }));
    document.extend(members::built(special(about, targets)));
    Value::Object(document)
}

fn jamf(about: &ExportRequest<'_>, targets: &[Object]) -> Value {
    json!({
        "policy_name": format!("CAVRA runtime {} ({})", version(about), about.channel),
        "trigger": "recurring check-in",
        "install_script": script(targets).lines().collect::<Vec<_>>(),
    })
}

fn linux(_: &ExportRequest<'_>, targets: &[Object]) -> Value {
    json!({ "install_script": script(targets).lines().collect::<Vec<_>>(), "install_script_file": SCRIPT })
}

fn intune(about: &ExportRequest<'_>, targets: &[Object]) -> Value {
    let mut digests: Vec<&str> = targets.iter().map(|target| members::text(target, "binary_sha256")).collect();
    digests.sort_unstable();
    digests.dedup();
    let binary = targets.first().map(|target| file_name(members::text(target, "binary"))).unwrap_or_default();
    // The digest first: what does not have it is not installed.
    let command = format!(
        "powershell.exe -NoProfile -NonInteractive -Command \"$ErrorActionPreference = 'Stop'; \
         $digest = (Get-FileHash -Algorithm SHA256 -LiteralPath '{0}').Hash.ToLower(); \
         if (@({1}) -notcontains $digest) {{ exit 1 }}; \
         New-Item -ItemType Directory -Force -Path (Split-Path -Parent '{WINDOWS_PLACE}') | Out-Null; \
         Copy-Item -LiteralPath '{0}' -Destination '{WINDOWS_PLACE}' -Force\"",
        binary.replace('\'', "''"),
        digests.iter().map(|digest| format!("'{}'", digest.to_lowercase())).collect::<Vec<_>>().join(", "),
    );
    json!({
        "display_name": format!("CAVRA runtime {}", version(about)),
        "install_behavior": "system",
        "install_command": command,
        "uninstall_command": format!(
            "powershell.exe -NoProfile -NonInteractive -Command \"Remove-Item -LiteralPath '{WINDOWS_PLACE}'\""
        ),
        "detection_rule": { "type": "file_sha256", "path": WINDOWS_PLACE, "sha256_values": digests },
    })
}

fn version<'a>(about: &'a ExportRequest<'_>) -> &'a str {
    members::text(about.release, "version")
}

/// A shell script that installs the binary of the machine it runs on, once its digest is the one of the release.
fn script(targets: &[Object]) -> String {
    let mut lines = vec![
        "#!/bin/sh".to_owned(),
        "set -eu".to_owned(),
        "put() {".to_owned(),
        "  if command -v sha256sum >/dev/null; then digest=$(sha256sum -- \"$1\"); else digest=$(shasum -a 256 \"$1\"); fi"
            .to_owned(),
        "  if [ \"${digest%% *}\" != \"$2\" ]; then echo \"checksum of $1 differs\" >&2; exit 1; fi".to_owned(),
        format!("  install -m 0755 -- \"$1\" {PLACE}"),
        "}".to_owned(),
        "case \"$(uname -s)-$(uname -m)\" in".to_owned(),
    ];
    for target in targets {
        let (binary, digest) = (file_name(members::text(target, "binary")), members::text(target, "binary_sha256"));
        lines.push(format!("  {}) put {} {} ;;", machine(target), quoted(binary), quoted(&digest.to_lowercase())));
    }
    lines.push("  *) echo \"there is no binary for this machine\" >&2; exit 1 ;;".to_owned());
    lines.push("esac".to_owned());
    lines.join("\n")
}

/// The pattern of `uname -s` and `uname -m` that a target is for.
fn machine(target: &Object) -> String {
    let says = |words: &[&str]| {
        let names = ["os", "arch", "platform", "installer_target", "binary"];
        names.iter().any(|name| words.iter().any(|word| members::text(target, name).to_lowercase().contains(word)))
    };
    let system = if says(&["darwin", "macos", "mac-os"]) {
        "Darwin"
    } else if says(&["linux"]) {
        "Linux"
    } else {
        "*"
    };
    let kinds: &[&str] = if says(&["arm64", "aarch64"]) {
        &["arm64", "aarch64"]
    } else if says(&["amd64", "x86_64"]) {
        &["x86_64", "amd64"]
    } else {
        &["*"]
    };
    kinds.iter().map(|kind| format!("{system}-{kind}")).collect::<Vec<_>>().join("|")
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A word of a shell script.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_gets_its_targets_and_checks_before_it_installs() {
        let release = members::built(json!({"version": "3.2.0", "commit": "c0ffee1", "repository": "org/app"}));
        let target = |id: &str, tool: &str, binary: &str| {
            members::built(
                json!({"id": id, "management_tool": tool, "binary": binary, "binary_sha256": "A".repeat(64)}),
            )
        };
        let rows = [
            target("mac", "jamf", "dist/cavra-runtime-darwin-arm64"),
            target("win", "intune", "dist/cavra-runtime-windows-amd64.exe"),
            target("lin", "linux-fleet", "dist/cavra's-linux-amd64"),
            target("other", "sneaker-net", "dist/x"),
        ];
        let policy = members::built(json!({"rollout_rings": [{"ring": "canary", "soak_hours": 24}]}));
        let about = ExportRequest {
            channel: "beta",
            asked: "all",
            package_dir: "pkg",
            release: &release,
            package_verification: Value::Null,
            workstations: rows.iter().collect(),
            deployed: Vec::new(),
            policy: Some(&policy),
            promotion: None,
        };
        let made = export(&about, Timestamp::from_micros(0)).unwrap();
        assert_eq!(made.manifest["providers"], json!(["intune", "jamf", "linux"]));
        assert_eq!(made.id, export_id(Some("beta"), Some("3.2.0"), &["intune", "jamf", "linux"], None));
        assert_eq!(made.documents["jamf-policy.json"]["soak_hours"], 24);
        assert_eq!(made.documents["jamf-policy.json"]["targets"].as_array().unwrap().len(), 1);
        let script = &made.scripts[SCRIPT];
        let (check, install) = (script.find("checksum").unwrap(), script.find("install -m").unwrap());
        assert!(check < install, "{script}");
        assert!(script.contains(r"Linux-x86_64|Linux-amd64) put 'cavra'\''s-linux-amd64'"), "{script}");
        assert!(!script.contains("darwin"), "{script}");
        let one = ExportRequest { asked: "jamf", ..about.clone() };
        assert_eq!(export(&one, Timestamp::from_micros(0)).unwrap().documents.len(), 1);
        for wrong in [
            ExportRequest { asked: "fax", ..about.clone() },
            ExportRequest { workstations: Vec::new(), ..about.clone() },
            ExportRequest { workstations: vec![&rows[3]], ..about.clone() },
            ExportRequest { promotion: Some(&release), ..about.clone() },
        ] {
            assert!(export(&wrong, Timestamp::from_micros(0)).is_err(), "{wrong:?}");
        }
    }
}
