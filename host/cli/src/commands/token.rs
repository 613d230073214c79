//! `cavra token …`: API tokens of machines. A token's text is printed once, when it is made.

use std::process::ExitCode;

use anyhow::Context as _;
use cavra_core::{ApiTokens, Settings, TOKEN_KINDS};
use cavra_model::Object;
use cavra_store::RecordStore;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::args::TokenCommand;
use crate::output::{complain, print_json, print_line};

pub fn run(command: TokenCommand) -> anyhow::Result<ExitCode> {
    let settings = Settings::from_env()?;
    let tokens = ApiTokens::new(match command {
        TokenCommand::Create { .. } => RecordStore::open(settings.tokens, &TOKEN_KINDS)?,
        _ => RecordStore::look(settings.tokens, &TOKEN_KINDS)?,
    });
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let outcome = perform(&runtime, &tokens, command);
    runtime.block_on(tokens.store().close());
    outcome
}

fn perform(runtime: &Runtime, tokens: &ApiTokens, command: TokenCommand) -> anyhow::Result<ExitCode> {
    match command {
        TokenCommand::Create { name, scope, ttl_days, json } => {
            let (text, record) = runtime.block_on(tokens.create(&name, &scope, u64::from(ttl_days) * 24))?;
            if json.json {
                print_json(&json!({ "token": text, "record": record }))?;
            } else {
                print_line(&text)?;
                complain(format_args!("keep this token now, it is not shown again; it is {}", line(&record)));
            }
        }
        TokenCommand::List(json) => {
            let records = runtime.block_on(tokens.list())?;
            if json.json {
                print_json(&records)?;
            } else {
                records.iter().try_for_each(|record| print_line(&line(record)))?;
            }
        }
        TokenCommand::Revoke { id, json } => {
            let record = runtime.block_on(tokens.revoke(&id))?;
            if json.json {
                print_json(&record)?;
            } else {
                print_line(&line(&record))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(record: &Object) -> String {
    let of = |member: &str| record.get(member).and_then(Value::as_str).unwrap_or_default();
    let scopes = record.get("scopes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let scopes = scopes.collect::<Vec<_>>().join(",");
    format!("{}  {}  {}  {scopes}  until {}", of("token_id"), of("name"), of("state"), of("expires_at"))
}
