//! Promotion of rollouts and its reverse.
//!
//! A rollout that verifies is asked to be promoted: a signed request and a pending approval. Once people have approved, the
//! promotion is carried out once and recorded; so is its rollback, under an approval of its own.

mod delivery;
mod keys;
mod requests;
mod signers;

use std::path::PathBuf;

use cavra_artifacts::{Inside, Reach};
use cavra_model::{EVIDENCE, Object, PROMOTION_EXECUTIONS, REPLACES, Timestamp, replaced};
use cavra_release::{
    Action, CHANGE_BOARD, PROMOTION, PackageOptions, ROLLBACK, ROLLOUT_KIND, RolloutOptions, Statement, Trust,
    VerifiedRollout, audit_event, carry_out, promotion_refusals, verify_rollout,
};
use serde_json::{Value, json};

use crate::approvals::request_note;
use crate::caller::{Caller, Doer};
use crate::evidence::Written;
use crate::fields::{FIELD_LIMIT, label, text, trimmed, whole_number};
use crate::{App, CoreError, MAX_TTL_HOURS};

pub use delivery::{PROMOTION_DELIVERY, ROLLBACK_DELIVERY};
pub use keys::ReleaseKeys;
pub use requests::{Promotion, ask_promotion};
pub use signers::package_signers;

/// Who asks and acts if nobody says so.
const CONSOLE: &str = "console";
/// Why a promotion is rolled back if nobody says so.
const ROLLBACK_REASON: &str = "the promotion is rolled back under an approved rollback request";
/// What is said if somebody had posted a record under the id of what was carried out.
const REPLACED: &str = "a record that a client had posted under this id gave way to that of this server";
/// Switches of a verification, all on unless the caller turns them off.
const CHECKS: [&str; 3] = ["require_package_verification", "require_signatures", "require_provenance"];

impl App {
    /// Verifies a rollout, asks for the approval of its promotion and answers the signed request. docs/reference/evidence-and-promotion.md,
    /// section 7.
    ///
    /// # Errors
    /// In this order: [`CoreError::NotFound`]; [`CoreError::BadRequest`] for a record of another kind, without an
    /// artifact root, for directories outside it and for members of the wrong type; [`CoreError::Refused`] with
    /// everything that keeps the rollout from being promoted; [`CoreError::Store`]. Nothing is stored then.
    pub async fn request_promotion(&self, id: &str, body: &Object, caller: &Caller) -> Result<Value, CoreError> {
        let record = self.rollout(id).await?;
        let wanted = Wanted::read(body, caller)?;
        let rollout = self.look_at_rollout(id, &record, &wanted).await?;
        let mut errors = rollout.report.errors.clone();
        let mut warnings = rollout.report.warnings.clone();
        warnings.extend(wanted.relaxed.iter().map(|check| format!("{check} is false: this was not checked")));
        errors.extend(promotion_refusals(&rollout, &wanted.target_ring));
        if rollout.report.rollout_id != id {
            errors.push(format!("the rollout evidence is not that of rollout {id}"));
        }
        let key = self.settings.release_keys.promotion();
        errors.extend(key.as_ref().err().map(ToString::to_string));
        let (Ok(key), true) = (key, errors.is_empty()) else { return Err(CoreError::Refused { errors, warnings }) };
        let promotion = Promotion {
            rollout: &rollout,
            target_ring: &wanted.target_ring,
            requester: wanted.requester,
            note: request_note(body, self.settings.redactor)?,
            approver_group: wanted.approver_group,
            ttl_hours: wanted.ttl_hours,
            signer: &wanted.signer,
            relaxed: &wanted.relaxed,
            replaces: Some(as_recorded(&record)),
        };
        let request = ask_promotion(&self.approvals, &key, promotion).await?;
        tracing::info!(rollout = id, ring = wanted.target_ring, "promotion requested");
        Ok(json!({
            "rollout_dir": rollout.report.rollout_dir,
            "valid": true,
            "errors": [],
            "warnings": warnings,
            "rollout_id": id,
            "approval": request.get("approval"),
            "request": request,
            "files": [],
        }))
    }

    /// Carries out an approved promotion, once. docs/reference/evidence-and-promotion.md, section 8.
    ///
    /// # Errors
    /// In this order: [`CoreError::NotFound`] for the record; [`CoreError::BadRequest`] for its kind, the request and the
    /// approval id; [`CoreError::NotFound`] for the approval; [`CoreError::Refused`] with everything that does not fit;
    /// [`CoreError::Store`].
    pub async fn execute_promotion(&self, id: &str, body: &Object, caller: &Caller) -> Result<Value, CoreError> {
        let record = self.rollout(id).await?;
        let wrong = |text: &str| CoreError::BadRequest(text.to_owned());
        let request =
            body.get("request").and_then(Value::as_object).ok_or_else(|| wrong("request must be an object"))?;
        if request.get("rollout_id").and_then(Value::as_str) != Some(id) {
            return Err(wrong("the request is for another rollout"));
        }
        // It is signed and kept as it is, so nothing can be cut out of it.
        let places = self.settings.redactor.places(&Value::Object(request.clone()));
        if !places.is_empty() {
            let errors = places.into_iter().map(|place| format!("request.{place} holds what looks like a secret"));
            return Err(CoreError::Refused { errors: errors.collect(), warnings: Vec::new() });
        }
        let named = request.get("approval").and_then(|approval| approval.get("approval_id")).and_then(Value::as_str);
        let approval_id = label(body, "approval_id")?.or_else(|| named.map(ToOwned::to_owned));
        let approval_id = approval_id.ok_or_else(|| wrong("approval_id is required"))?;
        let order = Order {
            trust: Trust::Pinned(self.settings.release_keys.promotion_signers()),
            said: Said::read(body, caller)?,
            once: None,
            there: Some(as_recorded(&record)),
        };
        let written = self.carry_out(&PROMOTION, request, &approval_id, order).await?;
        Ok(answer(&PROMOTION, written))
    }

    /// Rolls a promotion back, once. docs/reference/evidence-and-promotion.md, section 10.
    ///
    /// # Errors
    /// In this order: [`CoreError::NotFound`] for the execution; [`CoreError::BadRequest`] for one that cannot be relied on
    /// and for the approval id; [`CoreError::NotFound`] for the approval; [`CoreError::Refused`] with everything that
    /// does not fit; [`CoreError::Conflict`] if it was rolled back under another approval; [`CoreError::Store`].
    pub async fn roll_back(&self, id: &str, body: &Object, caller: &Caller) -> Result<Value, CoreError> {
        let record = self.evidence.get(&PROMOTION_EXECUTIONS, id).await?;
        let execution = document(&PROMOTION, &record)?;
        if !self.evidence.is_ours(id).await?
            && let Some(problem) = PROMOTION.distrust(&record)
        {
            return Err(CoreError::BadRequest(format!("this execution was imported and does not verify: {problem}")));
        }
        let approval_id = label(body, "approval_id")?;
        let approval_id = approval_id.ok_or_else(|| CoreError::BadRequest("approval_id is required".to_owned()))?;
        let mut said = Said::read(body, caller)?;
        said.reason =
            Some(trimmed(body, "rollback_reason", FIELD_LIMIT)?.unwrap_or_else(|| ROLLBACK_REASON.to_owned()));
        let once = Some(format!("rollback of {id}"));
        let order = Order { trust: Trust::Pinned(Vec::new()), said, once, there: None };
        let written = self.carry_out(&ROLLBACK, execution, &approval_id, order).await?;
        Ok(answer(&ROLLBACK, written))
    }

    /// The audit event of a promotion. docs/reference/evidence-and-promotion.md, section 9.
    ///
    /// # Errors
    /// [`CoreError::NotFound`]; [`CoreError::BadRequest`] for a record without a document of the right schema.
    pub async fn promotion_audit(&self, id: &str) -> Result<Value, CoreError> {
        let record = self.evidence.get(&PROMOTION_EXECUTIONS, id).await?;
        let event = audit_event(&PROMOTION, document(&PROMOTION, &record)?).map_err(CoreError::BadRequest)?;
        Ok(json!({ "schema_version": "cavra.rollout-promotion.audit-export.v1", "event": event }))
    }

    /// The record of a rollout.
    async fn rollout(&self, id: &str) -> Result<Object, CoreError> {
        let record = self.evidence.get(&EVIDENCE, id).await?;
        if record.get("metadata_kind").and_then(Value::as_str) != Some(ROLLOUT_KIND) {
            return Err(CoreError::BadRequest(format!("this record is no {ROLLOUT_KIND}")));
        }
        Ok(record)
    }

    /// Verifies the files behind the record of a rollout.
    async fn look_at_rollout(&self, id: &str, record: &Object, wanted: &Wanted) -> Result<VerifiedRollout, CoreError> {
        let root = self.settings.artifact_root.clone();
        let root = root.ok_or_else(|| CoreError::BadRequest("evidence artifact root is not configured".to_owned()))?;
        let directory = match text(record, "bundle_dir", FIELD_LIMIT)? {
            Some(directory) => PathBuf::from(directory),
            None if Inside::new(id).is_some_and(|path| !path.as_str().contains('/')) => PathBuf::from(id),
            None => {
                return Err(CoreError::BadRequest("the rollout has no directory below the artifact root".to_owned()));
            }
        };
        let mut options = wanted.options.clone();
        let trust_root = self.settings.release_trust_root.clone();
        let work = move || {
            options.package.signers = trust_root.as_deref().map(package_signers).transpose()?;
            let reach = Reach::Under(root);
            let outside = |what: &str, error| CoreError::BadRequest(format!("{what}: {error}"));
            let tree = reach.open(&directory).map_err(|error| outside("bundle_dir", error))?;
            if let Some(package) = &options.package_dir {
                reach.open(package).map_err(|error| outside("package_dir", error))?;
            }
            Ok(verify_rollout(&tree, &reach, &options))
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| CoreError::Conflict("interrupted".to_owned()))?
    }

    /// Carries out an action under an approval and records it. The same under the same approval is answered from the
    /// record, whatever became of the approval since.
    async fn carry_out(
        &self,
        action: &Action,
        subject: &Object,
        approval_id: &str,
        order: Order,
    ) -> Result<Written, CoreError> {
        let Order { trust, said, once, there } = order;
        let approval = self.approvals.get(approval_id).await?;
        let now = Timestamp::now();
        let done = carry_out(action, subject, &approval, &said.statement(), now);
        let mut errors = action.refusals(subject, &approval, &trust, now);
        errors.extend(there.and_then(|there| stale(&approval, &there)));
        if !errors.is_empty() {
            let earlier = self.earlier(action, &done.id, &done.document).await?;
            return earlier.ok_or(CoreError::Refused { errors, warnings: Vec::new() });
        }
        let written = self.evidence.insert_once(done.record, once).await?;
        let (kind, by) = (action.kind, said.by.name.as_str());
        let (repeated, replaced) = (written.repeated, written.replaced);
        tracing::info!(kind, id = done.id, approval = approval_id, by, repeated, replaced, "carried out");
        Ok(written)
    }

    /// The record of the same, if it was carried out before: of the very subject, under the very approval.
    async fn earlier(&self, action: &Action, id: &str, document: &Object) -> Result<Option<Written>, CoreError> {
        if !self.evidence.is_ours(id).await? {
            return Ok(None);
        }
        let record = self.evidence.get(&EVIDENCE, id).await?;
        let same =
            record.get(action.payload).and_then(|stored| stored.get(action.digest)) == document.get(action.digest);
        Ok(same.then_some(Written { record, repeated: true, replaced: false }))
    }
}

/// How something is carried out.
struct Order {
    trust: Trust,
    said: Said,
    /// What may happen only once, whatever the record's id.
    once: Option<String>,
    /// What is there now, to be compared with what the approval is about.
    there: Option<String>,
}

/// A rollout's record as one text. The state of an approval is shown in it and is not part of it.
fn as_recorded(record: &Object) -> String {
    let mut record = record.clone();
    record.remove("approval_state");
    replaced(Some(&Value::Object(record)))
}

/// Why the approval is not about what is there now, if it says what it is about.
fn stale(approval: &Object, there: &str) -> Option<String> {
    let planned = approval.get("decision")?.get(REPLACES)?.as_str()?;
    (planned != there).then(|| "the rollout's record was changed after this was asked for; ask again".to_owned())
}

/// The document in a record.
fn document<'a>(action: &Action, record: &'a Object) -> Result<&'a Object, CoreError> {
    let found = record.get(action.payload).and_then(Value::as_object);
    found.ok_or_else(|| CoreError::BadRequest(format!("the record has no {} document", action.payload)))
}

/// What callers are told about something that was carried out, now or before.
fn answer(action: &Action, written: Written) -> Value {
    let record = written.record;
    let warnings: &[_] = if written.replaced { &[REPLACED] } else { &[] };
    let mut answer = json!({
        "valid": true,
        "errors": [],
        "warnings": warnings,
        "rollout_id": record.get("rollout_id"),
        "files": [],
    });
    if let Value::Object(answer) = &mut answer {
        answer.insert(action.payload.to_owned(), record.get(action.payload).cloned().unwrap_or(Value::Null));
        answer.insert("metadata".to_owned(), Value::Object(record));
    }
    answer
}

/// What a request for promotion says.
struct Wanted {
    target_ring: String,
    requester: Doer,
    approver_group: String,
    ttl_hours: u64,
    signer: String,
    relaxed: Vec<&'static str>,
    options: RolloutOptions,
}

impl Wanted {
    fn read(body: &Object, caller: &Caller) -> Result<Self, CoreError> {
        let or = |member: &str, default: &str| {
            Ok::<_, CoreError>(label(body, member)?.unwrap_or_else(|| default.to_owned()))
        };
        let requested_by = or("requested_by", CONSOLE)?;
        let mut relaxed = Vec::new();
        for check in CHECKS {
            match body.get(check) {
                None | Some(Value::Null | Value::Bool(true)) => {}
                Some(Value::Bool(false)) => relaxed.push(check),
                Some(_) => return Err(CoreError::BadRequest(format!("{check} must be true or false"))),
            }
        }
        let on = |check: &str| !relaxed.contains(&check);
        let options = RolloutOptions {
            package_dir: text(body, "package_dir", FIELD_LIMIT)?.map(PathBuf::from),
            require_package: on(CHECKS[0]),
            package: PackageOptions {
                require_signatures: on(CHECKS[1]),
                require_provenance: on(CHECKS[2]),
                ..PackageOptions::default()
            },
        };
        Ok(Self {
            target_ring: or("target_ring", "production")?,
            requester: caller.doer(|| requested_by),
            approver_group: or("approver_group", CHANGE_BOARD)?,
            ttl_hours: whole_number(body, "ttl_hours")?.unwrap_or(24).clamp(1, MAX_TTL_HOURS),
            signer: or("signer", "release-manager")?,
            relaxed,
            options,
        })
    }
}

/// What the one who carries something out says.
struct Said {
    by: Doer,
    environment: Option<String>,
    reason: Option<String>,
    notes: Option<String>,
}

impl Said {
    fn read(body: &Object, caller: &Caller) -> Result<Self, CoreError> {
        let by = label(body, "executed_by")?.unwrap_or_else(|| CONSOLE.to_owned());
        Ok(Self {
            by: caller.doer(|| by),
            environment: label(body, "execution_environment")?,
            reason: None,
            notes: text(body, "notes", FIELD_LIMIT)?,
        })
    }

    fn statement(&self) -> Statement<'_> {
        Statement {
            executed_by: &self.by.name,
            executor: Some(&self.by.person),
            environment: self.environment.as_deref(),
            reason: self.reason.as_deref(),
            notes: self.notes.as_deref(),
        }
    }
}
