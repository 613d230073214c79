//! `cavra evidence …`.

use clap::Subcommand;

use super::ReplayArgs;

#[derive(Subcommand)]
pub enum EvidenceCommand {
    /// Make stored decisions again with the policy and components that made them, and compare.
    Replay(ReplayArgs),
}
