//! `cavra evidence replay`.

use cavra_model::Timestamp;
use clap::{ArgGroup, Args};

use super::Json;

#[derive(Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true))]
pub struct ReplayArgs {
    /// One decision.
    #[arg(group = "what", value_name = "DECISION", conflicts_with_all = ["session", "since", "until", "days"])]
    pub decision: Option<String>,
    /// The decisions of a session.
    #[arg(long, group = "what", value_name = "ID", conflicts_with_all = ["since", "until", "days"])]
    pub session: Option<String>,
    /// Decisions not older than this, an RFC 3339 time.
    #[arg(long, group = "what", value_name = "TIME", value_parser = time)]
    pub since: Option<Timestamp>,
    /// Decisions not newer than this, an RFC 3339 time.
    #[arg(long, group = "what", value_name = "TIME", value_parser = time)]
    pub until: Option<Timestamp>,
    /// Days of decisions, counted from now.
    #[arg(long, group = "what", conflicts_with = "since", value_parser = clap::value_parser!(u64).range(1..=36_600))]
    pub days: Option<u64>,
    #[command(flatten)]
    pub json: Json,
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|()| "not an RFC 3339 time, such as 2026-11-24T00:00:00Z".to_owned())
}
