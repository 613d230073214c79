//! `cavra token …`.

use cavra_identity::Scope;
use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::Json;

#[derive(Subcommand)]
pub enum TokenCommand {
    /// Make a token; it is printed once.
    Create {
        /// Name of the machine.
        #[arg(long)]
        name: String,
        /// What it may call: decide, read, approvals, inventory, policy or evidence; may be repeated.
        #[arg(long, required = true, value_parser = scopes())]
        scope: Vec<Scope>,
        /// Days until it runs out.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
        ttl_days: u32,
        #[command(flatten)]
        json: Json,
    },
    /// List tokens, newest first.
    List(Json),
    /// End a token.
    Revoke {
        /// Id of the token, as listed.
        id: String,
        #[command(flatten)]
        json: Json,
    },
}

fn scopes() -> impl TypedValueParser<Value = Scope> {
    let names = PossibleValuesParser::new(Scope::ALL.map(Scope::as_str));
    names.try_map(|name| name.parse().map_err(|()| format!("{name} is no scope")))
}
