//! Policy authoring: check a draft, plan its publication, have it approved, publish it. docs/reference/approvals-identity-authoring.md, section 4.
//!
//! What is published is what was approved: the approval is bound to the digest of the draft's content and to that of the
//! pack it replaces, and both are checked again, the draft from the request that publishes it, the installed pack while
//! nobody else can publish.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cavra_evidence::{PolicyTrust, Signing, sign_policy, verify_policy};
use cavra_model::{
    Digest, Object, PackName, REPLACES, Ruling, Severity, Timestamp, approval_summary, replaced, still_fits,
};
use cavra_packs::{
    Diff, Draft, Pack, PackError, PackLibrary, PackOrigin, PublishError, Published, ResolvedPack, publish_risk,
};
use serde_json::{Value, json};

use crate::approvals::{NewApproval, Publication, forbidden, request_note};
use crate::backtest::{Backtest, BacktestScope, MAX_BACKTEST};
use crate::caller::Caller;
use crate::fields::{label, whole_number};
use crate::{App, Approvals, CoreError, DecisionPoint, MAX_TTL_HOURS, Redactor, may_decide};

/// What an approval has to be for.
const OPERATION: &str = "policy_publish";
/// Who publishes if nobody says so.
const PUBLISHER: &str = "policy-authoring-api";
/// Member of plans and of an approval's decision: the digest of the `policy.wasm` that the pack keeps, if it has one.
const COMPONENT: &str = "component_digest";
/// Member of an approval's decision: the version of a draft that names none.
const ASSUMED_VERSION: &str = "assumed_version";
/// Days of decisions that a plan decides again.
const BACKTEST_DAYS: u64 = 30;
const MAX_BACKTEST_DAYS: u64 = 366;
/// Where packs are published if `CAVRA_POLICY_DIR` is not set.
const LOCAL_ROOT: &str = "policies";

/// What publishing a draft would do.
struct Plan {
    draft: Draft,
    /// None creates the pack.
    change: Option<Diff>,
    /// What is installed now.
    replaces: String,
    /// Digest of the component that the pack keeps.
    component: Option<Digest>,
    risk: Severity,
    backtest: Option<Backtest>,
    notes: Vec<String>,
}

/// The draft of a request: its member `draft`, else the request itself. One that names no version has `version`.
fn draft_of(body: &Object, version: &str, redactor: Redactor) -> Result<Draft, CoreError> {
    let payload = match body.get("draft") {
        None | Some(Value::Null) => body,
        Some(Value::Object(draft)) => draft,
        Some(_) => return Err(CoreError::BadRequest("draft must be an object".to_owned())),
    };
    read_draft(payload, version, redactor)
}

/// A draft with its faults. Everybody may read a policy, and nothing can be cut out of one that is to be approved: a
/// secret in it is a fault.
fn read_draft(payload: &Object, version: &str, redactor: Redactor) -> Result<Draft, CoreError> {
    let mut draft = Draft::read(payload, version).map_err(CoreError::BadRequest)?;
    let places = redactor.places(&draft.policy);
    draft.errors.extend(places.into_iter().map(|place| format!("{place}: holds what looks like a secret")));
    for told in draft.errors.iter_mut().chain(&mut draft.warnings) {
        redactor.text(told);
    }
    draft.errors.sort();
    Ok(draft)
}

/// The version of a draft that names none. docs/reference/approvals-identity-authoring.md, section 4.1.
fn todays_version() -> String {
    Timestamp::now().date()
}

/// As what version a draft that names none was approved, on whatever day that was. The approval binds the digest of the
/// policy with its version, so a wrong one does not fit.
fn approved_version(approval: &Object) -> String {
    let assumed = approval.get("decision").and_then(|decision| decision.get(ASSUMED_VERSION)).and_then(Value::as_str);
    assumed.map_or_else(todays_version, ToOwned::to_owned)
}

/// Refuses a draft with faults.
fn publishable(draft: &Draft) -> Result<PackName, CoreError> {
    if !draft.errors.is_empty() {
        return Err(CoreError::BadRequest(format!("the draft is not valid: {}", draft.errors.join("; "))));
    }
    PackName::new(draft.id()).map_err(|error| CoreError::BadRequest(error.to_string()))
}

impl App {
    /// What a draft amounts to and what is wrong with it. Writes nothing.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] for a draft without id, title or description.
    pub async fn draft_policy(&self, body: &Object) -> Result<Value, CoreError> {
        let redactor = self.settings.redactor;
        let draft = read_draft(body, &todays_version(), redactor)?;
        let mut shown = (draft.policy.clone(), cavra_packs::summary(&draft.policy));
        redactor.value(&mut shown.0);
        redactor.value(&mut shown.1);
        let mut notes = notes_on(&draft);
        notes.extend(self.decisions.preview(&draft).await.err());
        Ok(json!({
            "schema_version": "cavra.policy_pack.draft.v1",
            "product": "CAVRA",
            "valid": draft.errors.is_empty(),
            "errors": draft.errors,
            "warnings": draft.warnings,
            "policy_pack": shown.0,
            "summary": shown.1,
            "operator_notes": notes,
        }))
    }

    /// What publishing a draft would change, in the pack and in past decisions. Writes nothing.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`]; [`CoreError::Pack`] if the installed pack cannot be read; [`CoreError::Store`].
    pub async fn plan_publication(&self, body: &Object) -> Result<Value, CoreError> {
        let mut plan = self.plan(body).await?.to_value();
        // A draft with a secret in it is not published, and not shown either.
        self.settings.redactor.value(&mut plan);
        Ok(plan)
    }

    /// Asks for the approval of a draft's publication.
    ///
    /// # Errors
    /// As [`App::plan_publication`], and [`CoreError::BadRequest`] for a draft with faults; then nothing is stored.
    pub async fn request_publication(&self, body: &Object, caller: &Caller) -> Result<Value, CoreError> {
        let console = "policy-authoring-console";
        let said = self.said(body, "requested_by")?;
        let requester = caller.doer(|| said.unwrap_or_else(|| console.to_owned()));
        let note = request_note(body, self.settings.redactor)?;
        let group = self.said(body, "approver_group")?.unwrap_or_else(|| "Platform Security".to_owned());
        let repository = self.said(body, "repository")?.unwrap_or_else(|| "policy-catalog".to_owned());
        let ttl_hours = whole_number(body, "ttl_hours")?.unwrap_or(24).clamp(1, MAX_TTL_HOURS);
        let plan = self.plan(body).await?;
        publishable(&plan.draft)?;
        let (id, digest) = (plan.draft.id(), plan.draft.digest());
        let short = digest.hex().get(..12).unwrap_or_default().to_owned();
        let mut decision = json!({
            "decision_id": format!("policy_publish:{id}:{short}"),
            "session_id": "policy-authoring",
            "agent_id": console,
            "actor": requester.name,
            "repository": repository,
            "action_type": OPERATION,
            "target": target_path(id),
            "decision": "require_approval",
            "severity": plan.risk,
            "policy_pack": id,
            "policy_id": id,
            "rule_id": "policy.publish.requires_approval",
            "reason": format!("publishing {id} ({}) is of {} risk", plan.operation(), plan.risk),
            "approver_group": group,
            "policy_digest": digest,
            REPLACES: plan.replaces,
            ASSUMED_VERSION: plan.draft.assumed_version,
            "operation": plan.operation(),
            "backtest": plan.backtest,
            "evidence_refs": [format!("policy-draft://{id}/{short}")],
        });
        with_component(&mut decision, plan.component.as_ref());
        let Value::Object(decision) = decision else { return Err(CoreError::BadRequest("no decision".to_owned())) };
        let request = NewApproval { decision, approver_group: Some(group), requester, ttl_hours, note };
        let approval = self.approvals.request(request).await?;
        Ok(json!({
            "schema_version": "cavra.policy_pack.publish_request.v1",
            "product": "CAVRA",
            "plan": plan.to_value(),
            "approval": approval,
        }))
    }

    /// Publishes an approved draft: writes the pack and its signature, both or neither.
    ///
    /// # Errors
    /// In this order: [`CoreError::BadRequest`] without an approval, [`CoreError::NotFound`] for an unknown one,
    /// [`CoreError::Forbidden`], [`CoreError::BadRequest`] for a draft with faults, [`CoreError::Conflict`] for an
    /// approval that does not authorize exactly this draft now, over the pack that is installed now; then what the file
    /// system said.
    pub async fn publish_policy(&self, body: &Object, caller: &Caller) -> Result<Value, CoreError> {
        let approval_id = label(body, "approval_id")?;
        let approval_id = approval_id.ok_or_else(|| CoreError::BadRequest("approval_id is required".to_owned()))?;
        let approval = self.approvals.get(&approval_id).await?;
        if let Some(identity) = &caller.identity
            && !may_decide(&self.gatekeeper, identity, &approval, Ruling::Approve)
        {
            return Err(forbidden("publishing this is for members of the approving group", identity));
        }
        let draft = draft_of(body, &approved_version(&approval), self.settings.redactor)?;
        let name = publishable(&draft)?;
        let said = self.said(body, "actor")?;
        let publisher = caller.doer(|| said.unwrap_or_else(|| PUBLISHER.to_owned()));
        let known_signer = caller.identity.as_ref().map(|identity| identity.actor.actor.clone());
        let signer = self.said(body, "signer")?.or(known_signer).unwrap_or_else(|| PUBLISHER.to_owned());
        let digest = draft.digest();
        Approvals::admit(&approval, OPERATION, &[("policy_id", draft.id()), ("policy_digest", digest.as_str())])?;
        let replaces = Replaces::approved(&approval, &draft);
        let there = self.installed(draft.id()).await?;
        replaces.check(there.as_ref()).map_err(CoreError::Conflict)?;
        self.decisions.preview(&draft).await.map_err(CoreError::BadRequest)?;
        let root = self.settings.policy_dir.clone().unwrap_or_else(|| PathBuf::from(LOCAL_ROOT));
        let signing = self.settings.signing_key.clone().map_or(Signing::Checksum, Signing::Hmac);
        let (policy, library) = (draft.policy.clone(), self.decisions.library().clone());
        let work = move || {
            let still = || replaces.check(installed(&library, &name).map_err(|error| error.to_string())?.as_ref());
            let signed = (&signing, signer.as_str());
            write(&root, &name, &policy, signed, |component| replaces.check_component(component), still)
        };
        let publication = self.approvals.begin_publication(Publication {
            policy_id: draft.id(),
            policy_digest: digest.as_str(),
            approval_id: &approval_id,
            publisher: &publisher,
        });
        let publication = publication.await?;
        let outcome = tokio::task::spawn_blocking(work).await;
        let outcome = outcome.unwrap_or_else(|_| Err(CoreError::Conflict("interrupted".to_owned())));
        self.approvals.end_publication(publication, outcome.as_ref().err()).await?;
        let (published, message) = outcome?;
        tracing::info!(
            pack = draft.id(),
            approval = approval_id,
            published_by = publisher.name,
            "policy pack published"
        );
        Ok(json!({
            "schema_version": "cavra.policy_pack.publish_result.v1",
            "product": "CAVRA",
            "status": "published",
            "published_at": Timestamp::now(),
            "published_by": publisher.name,
            "policy_id": draft.id(),
            "policy_digest": digest,
            "policy_path": published.policy.display().to_string(),
            "signature_path": published.signature.display().to_string(),
            "signature_verified": true,
            "signature_message": message,
            "approval": approval_summary(&approval),
            "summary": cavra_packs::summary(&draft.policy),
            "operator_notes": ["The pack decides from the next request on; nothing has to be restarted."],
        }))
    }

    /// A short text of a request, without secrets.
    fn said(&self, body: &Object, member: &str) -> Result<Option<String>, CoreError> {
        Ok(label(body, member)?.map(|text| self.settings.redactor.cleaned(text)))
    }

    async fn plan(&self, body: &Object) -> Result<Plan, CoreError> {
        let draft = draft_of(body, &todays_version(), self.settings.redactor)?;
        let days = match body.get("backtest") {
            Some(Value::Bool(false)) => None,
            Some(Value::Object(wanted)) => Some(whole_number(wanted, "days")?.unwrap_or(BACKTEST_DAYS)),
            None | Some(Value::Null | Value::Bool(true)) => Some(BACKTEST_DAYS),
            Some(_) => return Err(CoreError::BadRequest("backtest must be true, false or an object".to_owned())),
        };
        let installed = self.installed(draft.id()).await?;
        let replaces = replaced(installed.as_ref().map(|installed| &installed.document));
        let mut notes = notes_on(&draft);
        notes.extend(installed.as_ref().and_then(Installed::note));
        let component = installed.as_ref().and_then(|installed| installed.component.clone());
        let change = installed.map(|installed| cavra_packs::diff(&installed.document, &draft.policy));
        let backtest = match (self.decisions.preview(&draft).await, days) {
            (Ok(pack), Some(days)) if draft.errors.is_empty() => {
                let scope = scope(days, change.is_some().then(|| draft.id().to_owned()));
                Some(self.decisions.backtest(&self.activity, &pack, scope, |_| {}).await?)
            }
            (Ok(_), _) => None,
            (Err(problem), _) => {
                notes.push(problem);
                None
            }
        };
        Ok(Plan { risk: publish_risk(change.as_ref()), draft, change, replaces, component, backtest, notes })
    }

    /// The installed pack of that id, if there is one. An id that no pack can have is not looked up.
    async fn installed(&self, id: &str) -> Result<Option<Installed>, CoreError> {
        let Ok(name) = PackName::new(id) else { return Ok(None) };
        let library = self.decisions.library().clone();
        let found = tokio::task::spawn_blocking(move || installed(&library, &name)).await;
        Ok(found.map_err(|_| CoreError::Conflict("interrupted".to_owned()))??)
    }
}

/// A pack that a publication replaces.
struct Installed {
    /// The document as written.
    document: Value,
    /// Digest of its component, which the publication leaves where it is.
    component: Option<Digest>,
    is_unverified: bool,
}

impl Installed {
    /// What approvers should know of the component that stays.
    fn note(&self) -> Option<String> {
        let component = self.component.as_ref()?;
        let changed = if self.is_unverified {
            " The pack is not as it was published: make sure that this is the component you mean."
        } else {
            ""
        };
        Some(format!("The pack keeps its policy.wasm, {component}; the approval is of this one.{changed}"))
    }
}

/// Adds the component to what is shown and approved.
fn with_component(document: &mut Value, component: Option<&Digest>) {
    if let (Value::Object(members), Some(component)) = (document, component) {
        members.insert(COMPONENT.to_owned(), json!(component));
    }
}

/// The installed pack of that name, if there is one.
fn installed(library: &PackLibrary, name: &PackName) -> Result<Option<Installed>, PackError> {
    match library.get(name) {
        // Its component would not stay: what is published goes before plugins, and has none.
        Ok(Pack { origin: PackOrigin::Plugin, .. }) => Err(PackError::Invalid {
            name: name.to_string(),
            errors: vec![
                "<root>: an installed plugin has this name; choose another id, or remove the plugin first".to_owned(),
            ],
        }),
        Ok(Pack { document, component, is_unverified, .. }) => {
            Ok(Some(Installed { document, component, is_unverified }))
        }
        Err(PackError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What an approved publication may replace.
struct Replaces {
    planned: Option<String>,
    policy: Value,
    /// Digest of the component that the pack keeps.
    component: Option<String>,
}

impl Replaces {
    fn approved(approval: &Object, draft: &Draft) -> Self {
        let decision = approval.get("decision");
        let text = |member: &str| decision.and_then(|decision| decision.get(member)?.as_str()).map(ToOwned::to_owned);
        Self { planned: text(REPLACES), policy: draft.policy.clone(), component: text(COMPONENT) }
    }

    fn check(&self, installed: Option<&Installed>) -> Result<(), String> {
        self.check_component(installed.and_then(|installed| installed.component.as_ref()))?;
        let fits = still_fits(self.planned.as_deref(), installed.map(|installed| &installed.document), &self.policy);
        fits.map_err(|stale| format!("the installed pack is not the one that this publication was to replace: {stale}"))
    }

    /// The component that stays is the one that was approved.
    fn check_component(&self, there: Option<&Digest>) -> Result<(), String> {
        let (approved, there) = (self.component.as_deref(), there.map(Digest::as_str));
        if approved == there {
            return Ok(());
        }
        let [approved, there] = [approved, there].map(|digest| digest.unwrap_or("none"));
        Err(format!(
            "the component of the installed pack is not the one that was approved (approved {approved}, found {there}); \
             plan it again and have the new plan approved"
        ))
    }
}

impl DecisionPoint {
    /// The draft as a pack that can decide, with the component that the installed pack of its name has, or why it cannot.
    async fn preview(&self, draft: &Draft) -> Result<Arc<ResolvedPack>, String> {
        let (library, policy, id) = (self.library().clone(), draft.policy.clone(), draft.id().to_owned());
        let resolved = tokio::task::spawn_blocking(move || match PackName::new(&id) {
            Ok(name) => library.resolve_draft(&name, &policy),
            Err(_) => library.resolve_document(&id, policy),
        })
        .await;
        let pack = resolved.map_err(|_| "interrupted".to_owned())?.map_err(|error| error.to_string())?;
        self.load(&pack).await.map_err(|error| error.to_string())?;
        Ok(pack)
    }
}

/// The decisions of the last `days`, of one pack or of all.
pub fn scope(days: u64, policy_pack: Option<String>) -> BacktestScope {
    let hours = days.clamp(1, MAX_BACKTEST_DAYS) * 24;
    BacktestScope { since: Timestamp::now().minus_hours(hours), policy_pack, most: MAX_BACKTEST }
}

impl Plan {
    fn operation(&self) -> &'static str {
        if self.change.is_some() { "update" } else { "create" }
    }

    fn to_value(&self) -> Value {
        let mut plan = json!({
            "schema_version": "cavra.policy_pack.publish_plan.v1",
            "product": "CAVRA",
            "generated_at": Timestamp::now(),
            "operation": self.operation(),
            "valid": self.draft.errors.is_empty(),
            "errors": self.draft.errors,
            "warnings": self.draft.warnings,
            "approval_required": true,
            "risk": self.risk,
            "policy_id": self.draft.id(),
            "policy_digest": self.draft.digest(),
            REPLACES: self.replaces,
            "target_path": target_path(self.draft.id()),
            "summary": cavra_packs::summary(&self.draft.policy),
            "diff": self.change.clone().unwrap_or_default(),
            "backtest": self.backtest,
            "operator_notes": self.notes,
        });
        with_component(&mut plan, self.component.as_ref());
        plan
    }
}

/// Where the pack will be, whatever the policy directory is.
fn target_path(id: &str) -> String {
    format!("policies/{id}/policy.yaml")
}

fn notes_on(draft: &Draft) -> Vec<String> {
    let empty = |section: &str| draft.policy.get(section).and_then(Value::as_object).is_none_or(Object::is_empty);
    let inherits = draft.policy.pointer("/metadata/inherits").is_some();
    let notes = [
        (!draft.errors.is_empty(), "Mend the errors before publishing."),
        (!inherits && empty("filesystem"), "The pack says nothing of files: all reads and writes are allowed."),
        (!inherits && empty("commands"), "The pack says nothing of commands: every command needs approval."),
        (!inherits && empty("mcp"), "The pack says nothing of MCP servers: all of them are blocked."),
    ];
    notes.into_iter().filter(|(applies, _)| *applies).map(|(_, note)| note.to_owned()).collect()
}

/// Writes pack and signature and reads both back. `keeps` is asked about the component that stays.
fn write(
    root: &Path,
    name: &PackName,
    policy: &Value,
    (signing, signer): (&Signing, &str),
    keeps: impl FnOnce(Option<&Digest>) -> Result<(), String>,
    still: impl FnOnce() -> Result<(), String>,
) -> Result<(Published, &'static str), CoreError> {
    let yaml = cavra_packs::to_yaml(policy).map_err(|problem| CoreError::BadRequest(format!("the draft {problem}")))?;
    let sign = |component: Option<&Digest>| {
        keeps(component)?;
        let signature = sign_policy(yaml.as_bytes(), component, signing, signer, Timestamp::now());
        Ok(cavra_evidence::pretty(&Value::Object(signature)).into_bytes())
    };
    let published = cavra_packs::publish(root, name, yaml.as_bytes(), sign, still)?;
    let message = read_back(&published, signing).ok_or_else(|| {
        CoreError::Conflict("the published pack was changed while it was published; publish it again".to_owned())
    })?;
    Ok((published, message))
}

/// What verifying the written files says; none if they do not verify.
fn read_back(published: &Published, signing: &Signing) -> Option<&'static str> {
    let bytes = std::fs::read(&published.policy).ok()?;
    let document = serde_json::from_slice(&std::fs::read(&published.signature).ok()?).ok()?;
    let component = cavra_packs::component_digest(&published.policy).ok()?;
    let key = if let Signing::Hmac(key) = signing { Some(key.clone()) } else { None };
    let trust = PolicyTrust { key, public_key: None };
    verify_policy(&bytes, component.as_ref(), &document, &trust).ok().map(|verdict| verdict.message())
}

impl From<PublishError> for CoreError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Strange(_) | PublishError::Stale(_) => Self::Conflict(error.to_string()),
            PublishError::Io(_) => Self::PolicyDirectory(error),
        }
    }
}
