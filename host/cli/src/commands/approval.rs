//! `cavra approval …`: the same use cases as the HTTP interface, over a store of its own.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use cavra_core::{
    ACTIVITY_KINDS, APPROVAL_KINDS, Approvals, Caller, Engine, PageRequest, Settings, approval_connectors,
    approval_messages, approval_requests, plugins, read_routing, send_approval,
};
use cavra_evidence::pretty;
use cavra_identity::{Envelope, Gatekeeper};
use cavra_model::members::{built, text};
use cavra_model::{APPROVALS, DECISIONS, Object, Routing, Ruling};
use cavra_plugins::PluginHost;
use cavra_store::{Location, RecordStore};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::args::{
    ActorArgs, ApprovalArgs, ApprovalCommand, ApprovalDeliverArgs, ApprovalStoreArgs, RoutingArg, RulingArgs,
};
use crate::input::{MAX_KEY_BYTES, decision_in, object_file, text_file};
use crate::local::local_store;
use crate::output::{print_json, print_line, print_text};

/// Where `migrate` finds the database unless told.
const DEFAULT_DATABASE: &str = ".cavra/approvals.db";

/// Largest decision that is read from a file; its action's content is in it.
const MAX_DECISION_BYTES: u64 = 16 << 20;

pub fn run(args: ApprovalArgs) -> anyhow::Result<ExitCode> {
    let (store, json_only) = (&args.store, args.json);
    match args.command {
        ApprovalCommand::Create { decision_file, approver_group, routing, requested_by, request_note, ttl_hours } => {
            let desk = Desk::new(store, rules(&routing)?, Gatekeeper::open())?.with_decisions()?;
            let body = json!({ "decision": decision(&decision_file)?, "approver_group": approver_group,
                "requested_by": requested_by, "request_note": request_note, "ttl_hours": ttl_hours });
            desk.print(|approvals| async move { approvals.create(&built(body), &Caller::default()).await })
        }
        ApprovalCommand::List { state, approver_group, limit, offset } => {
            list(store, state, approver_group, limit, offset)
        }
        ApprovalCommand::Approve(ruling) => rule(store, Ruling::Approve, &ruling),
        ApprovalCommand::Deny(ruling) => rule(store, Ruling::Deny, &ruling),
        ApprovalCommand::Expire { id, actor, reason, identity } => {
            let acting = Acting::read(&identity)?;
            let desk = Desk::open(store, acting.gatekeeper.clone())?;
            let caller = acting.caller(&desk, actor.as_deref())?;
            let body = built(json!({ "actor": actor, "reason": reason }));
            desk.print(|approvals| async move { approvals.rule(&id, Ruling::Expire, &body, &caller).await })
        }
        ApprovalCommand::BreakGlass {
            decision_file,
            actor,
            reason,
            approver_group,
            external_ref,
            ttl_hours,
            routing,
            identity,
        } => {
            let acting = Acting::read(&identity)?;
            let desk = Desk::new(store, rules(&routing)?, acting.gatekeeper.clone())?.with_decisions()?;
            let caller = acting.caller(&desk, actor.as_deref())?;
            let body = built(json!({ "decision": decision(&decision_file)?, "actor": actor, "reason": reason,
                "approver_group": approver_group, "external_ref": external_ref, "ttl_hours": ttl_hours }));
            desk.print(|approvals| async move { approvals.break_glass(&body, &caller).await })
        }
        ApprovalCommand::Route { decision_file, routing } => route(&decision(&decision_file)?, &rules(&routing)?),
        ApprovalCommand::ExportNotifications { id, output, provider } => {
            let (record, plugins) = (Desk::read(store, &id)?, sandboxes()?);
            let documents = runtime()?.block_on(approval_messages(&plugins, &record, &provider))?;
            write(&output, &documents, "payload")
        }
        ApprovalCommand::ProviderRequests { id, output, provider } => {
            let (record, plugins) = (Desk::read(store, &id)?, sandboxes()?);
            let documents = runtime()?.block_on(approval_requests(&plugins, &record, &provider))?;
            write(&output, &documents, "request")
        }
        ApprovalCommand::Deliver(args) => deliver(store, &args, json_only),
        ApprovalCommand::Migrate { migrations_dir } => migrate(store, &migrations_dir),
    }
}

fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("cannot start the runtime")
}

/// Where connectors run.
fn sandboxes() -> anyhow::Result<PluginHost> {
    Ok(plugins(&Settings::from_env()?, Engine::OneShot)?)
}

/// An open approval store and what is needed to wait for it.
struct Desk {
    approvals: Approvals,
    runtime: Runtime,
}

impl Desk {
    /// For a new approval.
    fn new(store: &ApprovalStoreArgs, routing: Routing, gatekeeper: Gatekeeper) -> anyhow::Result<Self> {
        Self::at(RecordStore::open(location(store)?, &APPROVAL_KINDS)?, routing, gatekeeper)
    }

    /// For approvals that are there: a store that is not is not made.
    fn open(store: &ApprovalStoreArgs, gatekeeper: Gatekeeper) -> anyhow::Result<Self> {
        Self::at(RecordStore::look(location(store)?, &APPROVAL_KINDS)?, Routing::default(), gatekeeper)
    }

    fn at(store: RecordStore, routing: Routing, gatekeeper: Gatekeeper) -> anyhow::Result<Self> {
        let runtime = runtime()?;
        let approvals = Approvals::new(store, routing, gatekeeper).with_redactor(Settings::from_env()?.redactor);
        Ok(Self { approvals, runtime })
    }

    /// With the decisions that hooks recorded here: one that a secret was cut out of is approved by its record.
    fn with_decisions(self) -> anyhow::Result<Self> {
        let decisions = RecordStore::look(Settings::from_env()?.activity, &ACTIVITY_KINDS)?;
        Ok(Self { approvals: self.approvals.with_decisions(decisions), ..self })
    }

    /// One approval.
    fn read(store: &ApprovalStoreArgs, id: &str) -> anyhow::Result<Object> {
        let desk = Self::open(store, Gatekeeper::open())?;
        Ok(desk.runtime.block_on(desk.approvals.get(id))?)
    }

    /// Prints what a use case answers.
    fn print<F>(self, use_case: impl FnOnce(Approvals) -> F) -> anyhow::Result<ExitCode>
    where
        F: Future<Output = Result<Object, cavra_core::CoreError>>,
    {
        let approvals = self.approvals;
        let record = self.runtime.block_on(async {
            let outcome = use_case(approvals.clone()).await;
            approvals.store().close().await;
            outcome
        })?;
        print_json(&record)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The store that is named, else the one that hooks use too.
fn location(store: &ApprovalStoreArgs) -> anyhow::Result<Location> {
    if let Some(file) = &store.sqlite {
        return Ok(Location::Sqlite(file.clone()));
    }
    if let Some(file) = &store.store {
        return Ok(Location::Json(file.clone()));
    }
    let settings = Settings::from_env()?;
    Ok(local_store(&settings, "approvals", &settings.approvals))
}

fn list(
    store: &ApprovalStoreArgs,
    state: Option<String>,
    approver_group: Option<String>,
    limit: i64,
    offset: i64,
) -> anyhow::Result<ExitCode> {
    let parameters = [("state", state), ("approver_group", approver_group)];
    let page = PageRequest {
        parameters: parameters.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(),
        limit: Some(limit),
        offset: Some(offset),
    };
    let desk = Desk::open(store, Gatekeeper::open())?;
    let found = desk.runtime.block_on(desk.approvals.list(page.query(&APPROVALS)))?;
    print_json(&json!({ "items": found.items, "total": found.total, "limit": page.limit(), "offset": page.offset() }))?;
    Ok(ExitCode::SUCCESS)
}

/// Who acts on the command line, and the files that say what they may do.
struct Acting {
    gatekeeper: Gatekeeper,
    envelope: Envelope,
}

impl Acting {
    fn read(args: &ActorArgs) -> anyhow::Result<Self> {
        ensure!(
            args.actor_claims.is_none() || args.actor_token.is_none(),
            "give --actor-claims or --actor-token, not both"
        );
        ensure!(args.actor_token.is_none() || args.oidc_config.is_some(), "--actor-token needs --oidc-config");
        let gatekeeper = Gatekeeper::load(args.oidc_config.as_deref(), args.rbac_file.as_deref())?;
        let mut body = Object::new();
        if let Some(file) = &args.actor_claims {
            body.insert("actor_claims".to_owned(), Value::Object(object_file(file, MAX_KEY_BYTES)?));
        }
        if let Some(file) = &args.actor_token {
            let token = text_file(file, MAX_KEY_BYTES)?;
            body.insert("actor_token".to_owned(), json!(token.trim()));
        }
        Ok(Self { gatekeeper, envelope: Envelope::from_body(&body, None) })
    }

    /// The caller; `actor` must be one of their names.
    fn caller(&self, desk: &Desk, actor: Option<&str>) -> anyhow::Result<Caller> {
        let identity = desk.runtime.block_on(self.gatekeeper.require(&self.envelope))?;
        if let (Some(identity), Some(actor)) = (&identity, actor) {
            ensure!(identity.actor.is_called(actor), "--actor names somebody else than the identity does");
        }
        Ok(Caller { identity, machine: None })
    }
}

fn rule(store: &ApprovalStoreArgs, ruling: Ruling, args: &RulingArgs) -> anyhow::Result<ExitCode> {
    let acting = Acting::read(&args.identity)?;
    let desk = Desk::open(store, acting.gatekeeper.clone())?;
    let caller = acting.caller(&desk, args.actor.as_deref())?;
    let body = built(json!({ "actor": args.actor, "reason": args.reason, "external_ref": args.external_ref }));
    let id = args.id.clone();
    desk.print(|approvals| async move { approvals.rule(&id, ruling, &body, &caller).await })
}

fn route(decision: &Value, routing: &Routing) -> anyhow::Result<ExitCode> {
    let Value::Object(decision) = decision else { bail!("the decision must be a JSON object") };
    print_json(&json!({
        "decision_id": decision.get("decision_id"),
        "approver_group": routing.route(decision).map(|rule| &rule.approver_group),
        "routing_rules": routing.to_value(),
    }))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes one file per provider and lists them.
fn write(directory: &Path, documents: &[(&'static str, Value)], what: &str) -> anyhow::Result<ExitCode> {
    let mut paths = Vec::new();
    for (provider, document) in documents {
        let path = directory.join(format!("{provider}-approval-{what}.json"));
        let text = format!("{}\n", serde_json::to_string_pretty(document)?);
        cavra_evidence::write_file(&path, text)?;
        paths.push(path.display().to_string());
    }
    print_json(&json!({ "files": paths }))?;
    Ok(ExitCode::SUCCESS)
}

/// Delivers, writes down what came of it, and exits with 1 if a system did not take it.
fn deliver(store: &ApprovalStoreArgs, args: &ApprovalDeliverArgs, json_only: bool) -> anyhow::Result<ExitCode> {
    let network = Settings::from_env()?.network;
    let connectors = approval_connectors(&args.send.config, network, sandboxes()?)?;
    let asked = args.send.asked();
    let desk = Desk::open(store, Gatekeeper::open())?;
    let delivery = desk.runtime.block_on(async {
        let approval = desk.approvals.get(&args.id).await?;
        desk.approvals.store().close().await;
        send_approval(&connectors, &approval, &asked).await
    })?;
    let succeeded = delivery.get("success") == Some(&Value::Bool(true));
    let path = args.output.join(format!("{}-provider-delivery.json", text(&delivery, "approval_id")));
    let document = pretty(&Value::Object(delivery));
    cavra_evidence::write_file(&path, document.as_bytes())?;
    print_text(&document)?;
    if !json_only {
        print_line(&path.display().to_string())?;
    }
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn migrate(store: &ApprovalStoreArgs, migrations_dir: &str) -> anyhow::Result<ExitCode> {
    let database = store.sqlite.clone().unwrap_or_else(|| DEFAULT_DATABASE.into());
    let changed = cavra_store::migrate(&database, &APPROVAL_KINDS)?;
    let (applied, skipped) = if changed { (vec![APPROVALS.table], vec![]) } else { (vec![], vec![APPROVALS.table]) };
    print_json(&json!({
        "database": database.display().to_string(), "migrations_dir": migrations_dir,
        "applied": applied, "skipped": skipped,
    }))?;
    Ok(ExitCode::SUCCESS)
}

fn rules(arg: &RoutingArg) -> anyhow::Result<Routing> {
    Ok(arg.routing_file.as_deref().map_or_else(|| Ok(Routing::default()), read_routing)?)
}

/// The decision in a file, or the recorded one with this id. Its own approver group ranks below the routing rules.
fn decision(named: &Path) -> anyhow::Result<Value> {
    let id = named.to_str().filter(|name| name.starts_with("dec_") && !named.exists());
    Ok(Value::Object(match id {
        Some(id) => recorded(id)?,
        None => decision_in(object_file(named, MAX_DECISION_BYTES)?),
    }))
}

fn recorded(id: &str) -> anyhow::Result<Object> {
    let store = RecordStore::look(Settings::from_env()?.activity, &ACTIVITY_KINDS)?;
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let found = runtime.block_on(async {
        let found = store.get(&DECISIONS, id).await;
        store.close().await;
        found
    });
    let place = store.location(&DECISIONS)?;
    found?.with_context(|| format!("there is no decision {id} in {place}"))
}
