//! Exports for endpoint management, and their way to the tools.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use cavra_artifacts::Tree;
use cavra_connect::Options;
use cavra_core::{PublishRequest, Settings};
use cavra_evidence::pretty;
use cavra_fleet::{EXPORT_MANIFEST, ExportRequest};
use cavra_model::{Object, Timestamp, members};
use cavra_release::{
    CHANNEL_SIGNATURE, CHANNELS, DEPLOYMENT, Document, Package, Trust, UPDATER_POLICY, channel_targets,
    signature_problems,
};
use serde_json::{Value, json};

use super::files::{Output, markdown, with_checksums};
use crate::args::{DeliverExportArgs, ExportArgs};
use crate::commands::integration::connectors;
use crate::commands::release::{look_at_package, metadata, open, read_object, refused, report, write_files};

/// What an export needs of a package.
static NEEDED: [&Document; 3] = [&CHANNELS, &UPDATER_POLICY, &DEPLOYMENT];

pub fn export(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let output = Output {
        what: "endpoint management exported",
        directory: &args.output,
        metadata: &args.metadata,
        json: args.json,
    };
    let package = look_at_package(&args.package, &args.strict, &NEEDED)?;
    let mut errors: Vec<String> =
        package.report.errors.iter().map(|problem| format!("release package: {problem}")).collect();
    let channel = row(&package, &CHANNELS, "channels", &args.channel);
    let policy = row(&package, &UPDATER_POLICY, "policies", &args.channel);
    for (file, row) in [(CHANNELS.file, &channel), (UPDATER_POLICY.file, &policy)] {
        if row.is_none() {
            errors.push(format!("{file}: there is no channel {}", args.channel));
        }
    }
    let promotion = args.promotion_request.as_deref().map(read_object).transpose()?;
    if let Some(promotion) = &promotion {
        errors.extend(signature_problems(promotion, CHANNEL_SIGNATURE, &trust(args)?));
    }
    let release = package.release();
    let deployed = package.document(&DEPLOYMENT).map(|manifest| members::objects(manifest, "deployment_targets"));
    let about = ExportRequest {
        channel: &args.channel,
        asked: &args.provider,
        package_dir: &package.report.package_dir,
        release: &release,
        package_verification: json!(package.report),
        workstations: channel.map(|row| channel_targets(&package, row)).unwrap_or_default(),
        deployed: deployed.unwrap_or_default(),
        policy,
        promotion: promotion.as_ref(),
    };
    let made = match cavra_fleet::export(&about, Timestamp::now()) {
        Ok(made) if errors.is_empty() => made,
        Ok(_) => return report(args.json, &refused(&errors, &package.report.warnings), output.what),
        Err(refusal) => {
            match refusal {
                cavra_fleet::Refusal::Document(problems) => errors.extend(problems),
                cavra_fleet::Refusal::Request(problem) => errors.push(problem),
            }
            return report(args.json, &refused(&errors, &package.report.warnings), output.what);
        }
    };
    let manifest = Value::Object(made.manifest.clone());
    let mut files = vec![
        (EXPORT_MANIFEST.to_owned(), pretty(&manifest)),
        (EXPORT_MANIFEST.replace(".json", ".md"), markdown("CAVRA Endpoint Management Export", &manifest)),
    ];
    files.extend(made.documents.iter().map(|(name, document)| ((*name).to_owned(), pretty(document))));
    files.extend(made.scripts.iter().map(|(name, script)| ((*name).to_owned(), script.clone())));
    let mut record = made.record.clone();
    let directory = std::path::absolute(&args.output).with_context(|| args.output.display().to_string())?;
    record.insert("bundle_dir".to_owned(), json!(directory));
    let content = json!({ "export_id": made.id, "package_dir": package.report.package_dir, "manifest": manifest });
    output.finish(&with_checksums(files), &record, &package.report.warnings, content)
}

fn row<'a>(package: &'a Package, document: &Document, list: &str, channel: &str) -> Option<&'a Object> {
    let rows = members::objects(package.document(document)?, list);
    rows.into_iter().find(|row| members::text(row, "channel") == channel)
}

/// Whose requests count: those under the trust root, else those of the key in the environment, else anybody's.
fn trust(args: &ExportArgs) -> anyhow::Result<Trust> {
    if let Some(file) = &args.strict.trust_root {
        return Ok(Trust::Pinned(cavra_core::package_signers(file)?));
    }
    let own = Settings::from_env()?.release_keys.channel();
    Ok(own.map_or(Trust::Embedded, |key| Trust::Pinned(vec![key.public().clone()])))
}

pub fn deliver(args: &DeliverExportArgs) -> anyhow::Result<ExitCode> {
    let output = Output {
        what: "endpoint export delivered",
        directory: &args.output,
        metadata: &args.metadata,
        json: args.json,
    };
    let manifest = read_object(&args.manifest)?;
    let connectors = connectors(&args.send.config)?;
    let options = Options::of(&args.send.asked(), "all")?;
    let directory = args.manifest.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let tree: Tree = open(directory)?;
    let request = PublishRequest {
        export_id: export_id(&manifest),
        export: Object::new(),
        manifest,
        asked: args.send.way.provider.clone(),
        requested_by: args.requested_by.clone(),
    };
    let checked = match request.check(Some(&tree), Timestamp::now()) {
        Ok(checked) => checked,
        Err(error) => return output.refuse(error),
    };
    let redactor = Settings::from_env()?.redactor;
    let delivered = metadata::runtime()?.block_on(checked.deliver(&connectors, options, redactor));
    let (delivery, mut record) = delivered?;
    let name = format!("{}-connector-delivery.json", request.export_id);
    let files = write_files(output.directory, &[(name, pretty(&Value::Object(delivery.clone())))])?;
    record.insert("delivery_evidence".to_owned(), json!(files.first()));
    let indexed = metadata::index(output.metadata, &record)?;
    let content = json!({
        "publication_id": record.get("publication_id"),
        "export_id": request.export_id,
        "providers": checked.providers,
        "event": record.get("event"),
        "delivery": delivery,
        "delivery_evidence": files.first(),
    });
    output.print(&files, &indexed, &record, &checked.warnings, content)
}

/// The id of an export, from its manifest.
fn export_id(manifest: &Object) -> String {
    let version = members::object(manifest, "release").and_then(|release| members::filled(release, "version"));
    let approval = members::object(manifest, "approval").and_then(|approval| members::filled(approval, "approval_id"));
    let providers = members::texts(manifest, "providers");
    cavra_fleet::export_id(members::filled(manifest, "channel"), version, &providers, approval)
}
