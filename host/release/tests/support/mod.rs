//! Release packages and rollouts made from scratch, valid unless told otherwise. The end-to-end tests use them too.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "every test uses a part; a test says what is wrong by failing"
)]

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cavra_evidence::SigningKey;
use cavra_model::Digest;
use serde_json::{Value, json};

pub const EVIDENCE: &str = "release-evidence.json";
pub const PROVENANCE: &str = "cavra-runtime.provenance.intoto.json";
pub const INSTALLERS: &str = "cavra-runtime.installers.json";
pub const DEPLOYMENT: &str = "cavra-runtime.endpoint-deployment.json";
pub const CHANNELS: &str = "cavra-runtime.channels.json";
pub const UPDATER: &str = "cavra-runtime.updater-policy.json";
pub const BOOTSTRAP: &str = "offline-trust-root-bootstrap.json";

pub const LINUX: &str = "dist/cavra-runtime-linux-amd64";
pub const DARWIN: &str = "dist/cavra-runtime-darwin-arm64";

/// A package before it is sealed with checksums and signatures.
#[derive(Clone)]
pub struct Draft {
    pub binaries: Vec<(&'static str, Vec<u8>)>,
    pub documents: Vec<(&'static str, Value)>,
    pub evidence: Value,
    pub provenance: Value,
}

pub fn sha(bytes: impl AsRef<[u8]>) -> String {
    Digest::of(bytes).hex().to_owned()
}

/// A draft of a version with everything a package can have.
pub fn draft(version: &str) -> Draft {
    let binaries = vec![
        (LINUX, b"#!/bin/sh\nprintf 'cavra-runtime\\n'\n".to_vec()),
        (DARWIN, b"\xcf\xfa\xed\xfe not for this machine".to_vec()),
    ];
    let digest = |name: &str| sha(&binaries.iter().find(|(path, _)| *path == name).unwrap().1);
    let installer = |target: &str, binary: &str| {
        json!({"target": target, "binary": binary, "binary_sha256": digest(binary),
            "install_path": "/usr/local/bin/cavra-runtime", "install_method": "copy",
            "verification_command": "sha256sum -c checksums.txt"})
    };
    let deployed = |id: &str, target: &str, binary: &str| {
        json!({"id": id, "surface": "workstation", "platform": target, "installer_target": target, "binary": binary,
            "binary_sha256": digest(binary), "deployment_channel": "stable", "management_tool": format!("tool-{id}"),
            "install_path": "/usr/local/bin/cavra-runtime", "install_command": "install it",
            "verification_commands": ["cavra release verify-go-package .", "cavra release smoke-installers ."],
            "rollback_steps": [format!("stop {id}"), format!("put {id} back")]})
    };
    let channel = |name: &str| {
        json!({"channel": name, "auto_update": false, "approval_required": true,
            "controls": ["verify-go-package-before-channel-publish"],
            "workstation_targets": [{"id": "linux-fleet", "binary": LINUX, "binary_sha256": digest(LINUX)}]})
    };
    let policy = |name: &str| {
        json!({"channel": name, "auto_update": false, "approval_required": true,
            "rollout_rings": ["canary", "enterprise"], "rollback": {"required": true}})
    };
    let schema = |name: &str| format!("cavra.go-runtime.{name}.v1");
    let documents = vec![
        (
            INSTALLERS,
            json!({"schema_version": schema("installers"), "version": version,
            "targets": [installer("linux-amd64", LINUX), installer("darwin-arm64", DARWIN)]}),
        ),
        (
            DEPLOYMENT,
            json!({"schema_version": schema("endpoint-deployment"), "version": version,
            "source_metadata": INSTALLERS, "controls": ["smoke-installers-before-rollout"],
            "deployment_targets": [deployed("mac-fleet", "darwin-arm64", DARWIN),
                deployed("linux-fleet", "linux-amd64", LINUX)]}),
        ),
        (
            CHANNELS,
            json!({"schema_version": schema("channels"), "version": version,
            "installers": INSTALLERS, "endpoint_deployment": DEPLOYMENT,
            "channels": [channel("stable"), channel("beta")]}),
        ),
        (
            UPDATER,
            json!({"schema_version": schema("updater-policy"), "version": version,
            "default_auto_update": false, "controls": ["manual-approval-before-auto-update"],
            "policies": [policy("stable"), policy("beta")]}),
        ),
        (
            BOOTSTRAP,
            json!({"schema_version": "cavra.offline-trust-bootstrap.v1", "mode": "air_gapped",
            "required_files": [EVIDENCE, "checksums.txt"],
            "commands": ["cavra release verify-airgap-bundle x.zip", "cavra release verify-go-package ."]}),
        ),
    ];
    let evidence = json!({"schema_version": "cavra.go-release.evidence.v1", "version": version, "commit": "c0ffee",
        "ref": format!("refs/tags/v{version}"), "repository": "example/cavra-runtime",
        "controls": ["signed", "provenance"]});
    let provenance = json!({"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {"buildType": "https://example.invalid/build",
                "externalParameters": {"version": version, "ref": format!("refs/tags/v{version}")}},
            "runDetails": {"builder": {"id": "https://example.invalid/builder"}}}});
    Draft { binaries, documents, evidence, provenance }
}

impl Draft {
    /// A document of the draft, to be changed.
    pub fn document(&mut self, file: &str) -> &mut Value {
        match file {
            EVIDENCE => &mut self.evidence,
            PROVENANCE => &mut self.provenance,
            _ => &mut self.documents.iter_mut().find(|(name, _)| *name == file).unwrap().1,
        }
    }

    /// Writes the package with checksums and signatures that fit. What the draft does not say is filled in.
    pub fn seal(&self, directory: &Path, key: &SigningKey) {
        let mut files: Vec<(&str, Vec<u8>)> =
            self.binaries.iter().map(|(name, bytes)| (*name, bytes.clone())).collect();
        files.extend(self.documents.iter().map(|(name, content)| (*name, content.to_string().into_bytes())));
        let mut provenance = self.provenance.clone();
        if provenance.get("subject").is_none() {
            let subjects = files.iter().map(|(name, bytes)| json!({"name": name, "digest": {"sha256": sha(bytes)}}));
            provenance["subject"] = subjects.collect();
        }
        files.push((PROVENANCE, provenance.to_string().into_bytes()));
        let mut evidence = self.evidence.clone();
        if evidence.get("artifacts").is_none() {
            let kind =
                |name: &str| if name.starts_with("dist/") { "binary".to_owned() } else { format!("document {name}") };
            let artifacts = files.iter().map(|(name, _)| json!({"kind": kind(name), "relative_path": name}));
            let own = json!({"kind": "checksums", "relative_path": "checksums.txt"});
            evidence["artifacts"] = artifacts.chain([own]).collect();
        }
        files.push((EVIDENCE, evidence.to_string().into_bytes()));
        let lines: String = files.iter().map(|(name, bytes)| format!("{}  {name}\n", sha(bytes))).collect();
        files.push(("checksums.txt", lines.into_bytes()));
        for (name, bytes) in &files {
            put(directory, name, bytes);
            let signature = signature(name, bytes, key);
            put(directory, &format!("signatures/{}.sig.json", name.replace('/', "_")), signature.to_string());
        }
    }
}

/// A detached signature.
pub fn signature(subject: &str, bytes: &[u8], key: &SigningKey) -> Value {
    json!({"schema_version": "cavra.go-release.signature.v1", "algorithm": "Ed25519", "subject": subject,
        "subject_sha256": sha(bytes), "public_key_pem": key.public().pem(),
        "public_key_sha256": key.public().fingerprint(), "value": STANDARD.encode(key.sign(bytes))})
}

/// Writes a file and the directories above it.
pub fn put(directory: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A valid package of a version.
pub fn package(directory: &Path, version: &str, key: &SigningKey) {
    draft(version).seal(directory, key);
}

/// Every file below a directory, relative, sorted.
pub fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(path) = waiting.pop() {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Pointers of all members of all objects in a value.
pub fn members(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![(String::new(), value)];
    while let Some((pointer, value)) = waiting.pop() {
        match value {
            Value::Object(object) => {
                for (name, member) in object {
                    let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                    found.push(pointer.clone());
                    waiting.push((pointer, member));
                }
            }
            Value::Array(items) => {
                waiting.extend(items.iter().enumerate().map(|(index, item)| (format!("{pointer}/{index}"), item)));
            }
            _ => {}
        }
    }
    found.sort();
    found
}

/// Takes a member out.
pub fn remove(value: &mut Value, pointer: &str) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    value.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
}
