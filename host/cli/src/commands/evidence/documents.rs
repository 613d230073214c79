//! Commands that read a bundle and print or write something made from it.

use std::path::Path;
use std::process::ExitCode;

use cavra_evidence::{BundleFolder, pretty};

use crate::output::print_text;

pub fn siem_event(bundle: &Path) -> anyhow::Result<ExitCode> {
    let event = BundleFolder::open(bundle)?.json("siem-event.json")?;
    print_text(&pretty(&event))?;
    Ok(ExitCode::SUCCESS)
}
