//! The request to publish a release on a channel. docs/reference/evidence-and-promotion.md, section 11.

use cavra_model::{Object, Timestamp};
use serde_json::{Value, json};

use crate::ids::channel_request_id;
use crate::members::{built, filled, is, objects, sorted, texts};
use crate::package::{CHANNELS, DEPLOYMENT, Package, UPDATER_POLICY, workstation_targets};
use cavra_artifacts::Inside;

const SCHEMA: &str = "cavra.go-runtime.release-channel-promotion-request.v1";
const KIND: &str = "release-channel-promotion-request";

const CONTROLS: [&str; 5] = [
    "release-package-verified",
    "channel-manifest-approval-required",
    "updater-policy-approval-required",
    "endpoint-export-bundle-required-before-publish",
    "rollback-package-reference-required",
];

/// What is to be published.
#[derive(Clone, Copy, Debug)]
pub struct ChannelRequest<'a> {
    /// A package that verified with channels and updater policy.
    pub package: &'a Package,
    /// The channel.
    pub channel: &'a str,
    /// The ring behind it.
    pub target_ring: &'a str,
}

impl ChannelRequest<'_> {
    /// The channel's row in the channel manifest.
    fn channel(&self) -> Option<&Object> {
        row(self.package.document(&CHANNELS)?, "channels", self.channel)
    }

    /// The channel's row in the updater policy.
    fn policy(&self) -> Option<&Object> {
        row(self.package.document(&UPDATER_POLICY)?, "policies", self.channel)
    }

    /// Id of the request.
    #[must_use]
    pub fn id(&self) -> String {
        channel_request_id(self.channel, self.package.version(), self.target_ring)
    }

    fn workstations(&self) -> Vec<&Object> {
        match (self.package.document(&CHANNELS), self.channel()) {
            (Some(manifest), Some(channel)) => workstation_targets(manifest, channel),
            _ => Vec::new(),
        }
    }

    fn target_ids(&self) -> Vec<String> {
        sorted(self.workstations().into_iter().filter_map(workstation_name))
    }

    /// Tools that deploy to these workstations: said there, else in the deployment manifest.
    fn tools(&self) -> Vec<String> {
        let tool = |target: &Object| filled(target, "management_tool").map(ToOwned::to_owned);
        let own = sorted(self.workstations().into_iter().filter_map(tool));
        if !own.is_empty() {
            return own;
        }
        let deployed = self.package.document(&DEPLOYMENT).map(|content| objects(content, "deployment_targets"));
        sorted(deployed.unwrap_or_default().into_iter().filter_map(tool))
    }
}

fn workstation_name(target: &Object) -> Option<String> {
    ["id", "target", "installer_target"].iter().find_map(|member| filled(target, member)).map(ToOwned::to_owned)
}

fn row<'a>(document: &'a Object, member: &str, channel: &str) -> Option<&'a Object> {
    objects(document, member).into_iter().find(|entry| filled(entry, "channel") == Some(channel))
}

/// What keeps the channel from being promoted.
#[must_use]
pub fn channel_problems(request: &ChannelRequest<'_>) -> Vec<String> {
    let mut problems: Vec<String> =
        request.package.report.errors.iter().map(|problem| format!("release package: {problem}")).collect();
    for (file, row) in [(CHANNELS.file, request.channel()), (UPDATER_POLICY.file, request.policy())] {
        match row {
            None => problems.push(format!("{file}: there is no channel {}", request.channel)),
            Some(row) if !is(row, "approval_required", true) => {
                problems.push(format!("{file}: approval_required of channel {} is not true", request.channel));
            }
            Some(_) => {}
        }
    }
    if request.channel().is_some_and(|row| !is(row, "auto_update", false)) {
        problems.push(format!("{}: auto_update of channel {} is not false", CHANNELS.file, request.channel));
    }
    problems
}

/// The decision that has to be approved.
#[must_use]
pub fn channel_decision(request: &ChannelRequest<'_>, requested_by: &str) -> Object {
    let ChannelRequest { package, channel, target_ring } = *request;
    let (id, version) = (request.id(), package.version());
    built(json!({
        "decision_id": format!("{id}:decision"),
        "session_id": format!("release-channel:{channel}:{version}"),
        "correlation_id": id,
        "action_type": "release_promote_channel_manifest",
        "target": format!("{channel}->{target_ring}"),
        "decision": "require_approval",
        "severity": "high",
        "rule_id": "release.channel.promotion.require_approval",
        "reason": format!("publishing version {version} on channel {channel} to ring {target_ring} needs an approval"),
        "actor": requested_by,
        "policy_pack": "cavra-release-integrity",
        "repository": package.evidence.get("repository"),
        "evidence_refs": references(request),
        "metadata": {
            "channel": channel,
            "target_ring": target_ring,
            "version": version,
            "release": package.release(),
            "deployment_targets": request.target_ids(),
        },
    }))
}

fn references(request: &ChannelRequest<'_>) -> Vec<String> {
    let (channel, version) = (request.channel, request.package.version());
    vec![
        format!("release-channel://{channel}/{version}"),
        format!("artifact://{}", CHANNELS.file),
        format!("artifact://{}", UPDATER_POLICY.file),
    ]
}

/// The request, not signed yet, with the approval it waits for.
#[must_use]
pub fn channel_request(request: &ChannelRequest<'_>, approval: &Object, now: Timestamp) -> Object {
    let digest = |file: &str| Inside::new(file).and_then(|path| request.package.tree.sha256(&path).ok());
    built(json!({
        "schema_version": SCHEMA,
        "product": "CAVRA",
        "component": "go-enforcement-plane",
        "request_id": request.id(),
        "created_at": now,
        "channel": request.channel,
        "target_ring": request.target_ring,
        "release": request.package.release(),
        "channel_manifest": { "path": CHANNELS.file, "sha256": digest(CHANNELS.file), "channel": request.channel() },
        "updater_policy": { "path": UPDATER_POLICY.file, "sha256": digest(UPDATER_POLICY.file), "policy": request.policy() },
        "workstation_targets": request.workstations(),
        "controls": CONTROLS,
        "approval": approval,
    }))
}

/// The record of a signed request, which clients post as evidence metadata.
#[must_use]
pub fn channel_record(request: &ChannelRequest<'_>, signed: &Object, signer: &str) -> Object {
    let approval = signed.get("approval").and_then(Value::as_object).cloned().unwrap_or_default();
    let approval_id = filled(&approval, "approval_id").unwrap_or_default();
    let mut refs = references(request);
    refs.push(format!("approval://{approval_id}"));
    built(json!({
        "schema_version": "cavra.evidence.metadata.v1",
        "product": "CAVRA",
        "session_id": signed.get("request_id"),
        "created_at": signed.get("created_at"),
        "signer": signer,
        "decision_count": 0,
        "blocked_count": 0,
        "approval_required_count": 1,
        "metadata_kind": KIND,
        "channel": request.channel,
        "target_ring": request.target_ring,
        "approval_id": approval_id,
        "approval_state": approval.get("state"),
        "release": signed.get("release"),
        "deployment_targets": request.target_ids(),
        "endpoint_management_tools": request.tools(),
        "controls": texts(signed, "controls"),
        "evidence_refs": refs,
        "audit_links": {
            "channel_manifest": format!("artifact://{}", CHANNELS.file),
            "updater_policy": format!("artifact://{}", UPDATER_POLICY.file),
            "approval": format!("approval://{approval_id}"),
        },
        "request": signed,
        "package_dir": request.package.tree.absolute().display().to_string(),
    }))
}
