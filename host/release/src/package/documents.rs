//! The four documents about the use of a package: installers, endpoint deployment, channels, updater policy.

use std::collections::BTreeSet;

use cavra_evidence::Findings;
use cavra_model::Object;
use serde_json::Value;

use super::{Document, Inspection};
use crate::findings::AboutFiles as _;
use crate::members::{duplicate, filled, is, list, object, objects, texts};

/// How each binary is installed.
pub static INSTALLERS: Document =
    Document { file: "cavra-runtime.installers.json", schema: "cavra.go-runtime.installers.v1", check: installers };

/// Where and by which tool each binary is deployed.
pub static DEPLOYMENT: Document = Document {
    file: "cavra-runtime.endpoint-deployment.json",
    schema: "cavra.go-runtime.endpoint-deployment.v1",
    check: deployment,
};

/// Which channels offer the release.
pub static CHANNELS: Document =
    Document { file: "cavra-runtime.channels.json", schema: "cavra.go-runtime.channels.v1", check: channels };

/// How clients on those channels may update.
pub static UPDATER_POLICY: Document = Document {
    file: "cavra-runtime.updater-policy.json",
    schema: "cavra.go-runtime.updater-policy.v1",
    check: updater_policy,
};

/// What capturing a rollout needs.
pub static CAPTURE_DOCUMENTS: [&Document; 2] = [&INSTALLERS, &DEPLOYMENT];
/// What publishing on a channel needs.
pub static CHANNEL_DOCUMENTS: [&Document; 2] = [&CHANNELS, &UPDATER_POLICY];
/// What testing installers needs.
pub static INSTALLER_DOCUMENTS: [&Document; 1] = [&INSTALLERS];

pub(super) static ALL: [&Document; 4] = [&INSTALLERS, &DEPLOYMENT, &CHANNELS, &UPDATER_POLICY];

/// Checks those that are there.
pub(super) fn check(package: &Inspection, findings: &mut Findings) {
    for (document, content) in &package.documents {
        let fits = filled(content, "schema_version") == Some(document.schema);
        findings.expect(fits, document.file, format!("schema_version is not {}", document.schema));
        let version = filled(content, "version");
        let equal = version.is_some() && version == filled(&package.evidence, "version");
        findings.expect(equal, document.file, "version is not that of the release evidence");
        (document.check)(package, content, findings);
    }
}

/// The entries of a list, each once by its key.
fn entries<'a>(file: &str, content: &'a Object, member: &str, key: &str, findings: &mut Findings) -> Vec<&'a Object> {
    let found = objects(content, member);
    let whole = !found.is_empty() && found.len() == list(content, member).len();
    findings.expect(whole, file, format!("{member} is missing, empty or no list of objects"));
    let keys: Vec<_> = found.iter().filter_map(|entry| filled(entry, key)).collect();
    findings.expect(keys.len() == found.len(), file, format!("an entry of {member} has no {key}"));
    if let Some(twice) = duplicate(keys) {
        findings.wrong(file, format!("{key} {twice} stands twice in {member}"));
    }
    found
}

/// Members that have to be there.
fn present(file: &str, name: &str, entry: &Object, wanted: &[&str], findings: &mut Findings) {
    for member in wanted.iter().filter(|member| filled(entry, member).is_none()) {
        findings.wrong(file, format!("{name}: {member} is missing"));
    }
}

fn installers(package: &Inspection, content: &Object, findings: &mut Findings) {
    let file = INSTALLERS.file;
    for target in entries(file, content, "targets", "target", findings) {
        let name = filled(target, "target").unwrap_or("a target");
        package.compare(file, filled(target, "binary"), filled(target, "binary_sha256"), findings);
        present(file, name, target, &["install_path", "install_method"], findings);
        let verifies =
            filled(target, "verification_command").is_some_and(|run| run.contains("sha256sum -c checksums.txt"));
        findings.expect(
            verifies,
            file,
            format!("{name}: verification_command does not run sha256sum -c checksums.txt"),
        );
    }
}

fn deployment(package: &Inspection, content: &Object, findings: &mut Findings) {
    let file = DEPLOYMENT.file;
    findings.expect(
        mentions(content.get("source_metadata"), INSTALLERS.file),
        file,
        "source_metadata is not the installers file",
    );
    let gated = texts(content, "controls").contains(&"smoke-installers-before-rollout");
    findings.expect(gated, file, "controls do not contain smoke-installers-before-rollout");
    for target in entries(file, content, "deployment_targets", "id", findings) {
        let name = filled(target, "id").unwrap_or("a target");
        let wanted =
            ["surface", "platform", "deployment_channel", "management_tool", "install_path", "install_command"];
        present(file, name, target, &wanted, findings);
        package.compare(file, filled(target, "binary"), filled(target, "binary_sha256"), findings);
        installed_as(package, name, target, findings);
        let commands = texts(target, "verification_commands");
        for command in ["cavra release verify-go-package", "cavra release smoke-installers"] {
            let mentioned = commands.iter().any(|line| line.contains(command));
            findings.expect(mentioned, file, format!("{name}: verification_commands do not mention {command}"));
        }
    }
}

/// The installer that a deployment target names is known and has the same binary.
fn installed_as(package: &Inspection, name: &str, target: &Object, findings: &mut Findings) {
    let file = DEPLOYMENT.file;
    let wanted = filled(target, "installer_target");
    let known = package.document(&INSTALLERS).map(|content| objects(content, "targets")).unwrap_or_default();
    match known.iter().find(|installer| wanted.is_some() && filled(installer, "target") == wanted) {
        None => findings.wrong(file, format!("{name}: installer_target is not in {}", INSTALLERS.file)),
        Some(installer) => {
            for member in ["binary", "binary_sha256"] {
                let equal = filled(installer, member) == filled(target, member);
                findings.expect(equal, file, format!("{name}: {member} is not that of its installer"));
            }
        }
    }
}

fn channels(package: &Inspection, content: &Object, findings: &mut Findings) {
    let file = CHANNELS.file;
    for neighbour in [INSTALLERS.file, DEPLOYMENT.file] {
        let named = content.values().any(|member| mentions(Some(member), neighbour));
        findings.expect(named, file, format!("it does not name {neighbour}"));
    }
    for channel in entries(file, content, "channels", "channel", findings) {
        let name = filled(channel, "channel").unwrap_or("a channel");
        guarded(file, name, channel, findings);
        let control = "verify-go-package-before-channel-publish";
        let gated = [channel, content].iter().any(|holder| texts(holder, "controls").contains(&control));
        findings.expect(gated, file, format!("{name}: controls do not contain {control}"));
        let targets = workstation_targets(content, channel);
        findings.expect(!targets.is_empty(), file, format!("{name}: there are no workstation_targets"));
        for target in targets {
            workstation(package, name, target, findings);
        }
    }
}

/// Nothing is published or updated by itself.
fn guarded(file: &str, name: &str, entry: &Object, findings: &mut Findings) {
    findings.expect(is(entry, "auto_update", false), file, format!("{name}: auto_update is not false"));
    findings.expect(is(entry, "approval_required", true), file, format!("{name}: approval_required is not true"));
}

/// The workstations a channel serves: its own list, else that of all channels.
pub(crate) fn workstation_targets<'a>(content: &'a Object, channel: &'a Object) -> Vec<&'a Object> {
    let own = objects(channel, "workstation_targets");
    if own.is_empty() { objects(content, "workstation_targets") } else { own }
}

/// The workstations that a channel of a package serves.
#[must_use]
pub fn channel_targets<'a>(package: &'a super::Package, channel: &'a Object) -> Vec<&'a Object> {
    package.document(&CHANNELS).map(|content| workstation_targets(content, channel)).unwrap_or_default()
}

/// A workstation target has the digest of its file, or of the installer or deployment target it names.
fn workstation(package: &Inspection, channel: &str, target: &Object, findings: &mut Findings) {
    let file = CHANNELS.file;
    let digest = filled(target, "binary_sha256");
    if filled(target, "binary").is_some() {
        return package.compare(file, filled(target, "binary"), digest, findings);
    }
    let named: Vec<_> =
        ["id", "target", "installer_target"].iter().filter_map(|member| filled(target, member)).collect();
    let rows = [(&INSTALLERS, "targets", "target"), (&DEPLOYMENT, "deployment_targets", "id")];
    let known = rows.iter().flat_map(|(document, member, key)| {
        let found = package.document(document).map(|content| objects(content, member)).unwrap_or_default();
        found.into_iter().map(|entry| (filled(entry, key), filled(entry, "binary_sha256")))
    });
    let equal = known
        .into_iter()
        .any(|(key, known)| digest.is_some() && known == digest && key.is_some_and(|key| named.contains(&key)));
    let name = named.first().copied().unwrap_or("a target");
    findings.expect(equal, file, format!("{channel}: the digest of workstation target {name} is not known"));
}

fn updater_policy(package: &Inspection, content: &Object, findings: &mut Findings) {
    let file = UPDATER_POLICY.file;
    findings.expect(is(content, "default_auto_update", false), file, "default_auto_update is not false");
    let gated = texts(content, "controls").contains(&"manual-approval-before-auto-update");
    findings.expect(gated, file, "controls do not contain manual-approval-before-auto-update");
    let policies = entries(file, content, "policies", "channel", findings);
    for policy in &policies {
        let name = filled(policy, "channel").unwrap_or("a policy");
        guarded(file, name, policy, findings);
        findings.expect(!list(policy, "rollout_rings").is_empty(), file, format!("{name}: rollout_rings is missing"));
        let revocable = object(policy, "rollback").is_some_and(|rollback| is(rollback, "required", true));
        findings.expect(revocable, file, format!("{name}: rollback.required is not true"));
    }
    let covered: BTreeSet<_> = policies.iter().filter_map(|policy| filled(policy, "channel")).collect();
    let offered = package.document(&CHANNELS).map(|content| objects(content, "channels")).unwrap_or_default();
    let offered: BTreeSet<_> = offered.into_iter().filter_map(|channel| filled(channel, "channel")).collect();
    findings.expect(
        covered == offered,
        file,
        format!("policies do not cover exactly the channels of {}", CHANNELS.file),
    );
}

/// Whether a value is or holds the text.
fn mentions(value: Option<&Value>, wanted: &str) -> bool {
    match value {
        Some(Value::String(text)) => text == wanted,
        Some(Value::Array(items)) => items.iter().any(|item| mentions(Some(item), wanted)),
        Some(Value::Object(members)) => members.values().any(|member| mentions(Some(member), wanted)),
        _ => false,
    }
}
