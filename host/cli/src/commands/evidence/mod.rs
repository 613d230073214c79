//! `cavra evidence …`: bundles of evidence, the keys that sign them, and what is made from them. Contract 30,
//! section 14.

mod bundle;
mod documents;
mod keys;

use std::process::ExitCode;

use crate::args::EvidenceCommand;

/// The largest key or trust root file.
const MAX_KEY_BYTES: u64 = 1 << 20;

pub fn run(command: EvidenceCommand) -> anyhow::Result<ExitCode> {
    match command {
        EvidenceCommand::Bundle(args) => bundle::write(&args),
        EvidenceCommand::GenerateKeypair(args) => keys::generate(&args),
        EvidenceCommand::SiemEvent { bundle } => documents::siem_event(&bundle),
    }
}
