//! Requests to publish a release on a channel.

use std::process::ExitCode;

use cavra_core::{Doer, NewApproval, Settings};
use cavra_evidence::pretty;
use cavra_model::Timestamp;
use cavra_release::{
    CHANNEL_DOCUMENTS, CHANNEL_SIGNATURE, ChannelRequest, channel_decision, channel_problems, channel_record,
    channel_request, request_summary, sign,
};
use serde_json::{Value, json};

use super::{approvals, look_at_package, metadata, refused, report, write_files};
use crate::args::ChannelArgs;
use crate::input::signing_key_file;
use crate::output::explain;

pub fn request(args: &ChannelArgs) -> anyhow::Result<ExitCode> {
    let what = "channel promotion requested";
    let package = look_at_package(&args.package, &args.strict, &CHANNEL_DOCUMENTS)?;
    let wanted = ChannelRequest { package: &package, channel: &args.channel, target_ring: &args.target_ring };
    let mut errors = channel_problems(&wanted);
    let key = match &args.asked.signing_key {
        Some(file) => signing_key_file(file),
        None => Settings::from_env()?.release_keys.channel().map_err(Into::into),
    };
    errors.extend(key.as_ref().err().map(explain));
    let warnings = &package.report.warnings;
    let (Ok(key), true) = (key, errors.is_empty()) else {
        return report(args.json, &refused(&errors, warnings), what);
    };
    let decision = channel_decision(&wanted, &args.asked.requested_by);
    let asked = NewApproval {
        decision,
        approver_group: Some(args.approver_group.clone()),
        requester: Doer::named(args.asked.requested_by.clone()),
        ttl_hours: approvals::ttl(args.asked.ttl_hours),
        note: None,
    };
    let ask = |approvals: cavra_core::Approvals| async move { approvals.request(asked).await };
    let (approval, stores) = approvals::ask(&args.asked.approvals, ask, |approval| Some(approval.clone()))?;
    let mut request = channel_request(&wanted, &approval, Timestamp::now());
    sign(&mut request, CHANNEL_SIGNATURE, &key, &args.asked.signer);
    let record = channel_record(&wanted, &request, &args.asked.signer);
    let files = [
        ("release-channel-promotion-request.json", pretty(&Value::Object(request.clone()))),
        ("release-channel-promotion-request.md", request_summary("CAVRA Release Channel Promotion Request", &request)),
    ];
    let files = write_files(&args.output, &files)?;
    let indexed = metadata::index(&args.metadata, &record)?;
    let result = json!({
        "package_dir": package.report.package_dir,
        "valid": true,
        "errors": [],
        "warnings": warnings,
        "approval": approval,
        "request": request,
        "metadata": record,
        "files": files,
        "approval_stores": stores,
        "indexed_metadata_stores": indexed,
    });
    report(args.json, &result, what)
}
