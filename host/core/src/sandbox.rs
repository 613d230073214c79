//! The sandbox: a scenario played through the real decision core, kept as evidence. docs/reference/decisions-and-policy.md, section 9.

use cavra_evidence::{PRODUCT, TAGLINE, compliance_mapping, pack_controls, pr_attestation};
use cavra_model::members::{objects, texts};
use cavra_model::{
    BreakGlass, Context, DecisionRecord, EVIDENCE, Object, Outcome, PackName, PolicyMode, SESSIONS, Timestamp,
    random_hex,
};
use cavra_store::{Query, Unreadable};
use serde_json::{Value, json};

use crate::activity::to_object;
use crate::fields::{FIELD_LIMIT, ID_LIMIT, label, text};
use crate::{App, CoreError, before_the_agent_acts};

/// Where the scenario's agent works.
const REPOSITORY: &str = "sandbox/before-the-agent-acts";
/// The MCP server that no pack knows.
const UNKNOWN_SERVER: &str = "unknown filesystem MCP server";
/// Who signs the evidence of runs.
const SIGNER: &str = "sandbox-api";

/// A scenario as it is offered.
struct Scenario {
    id: &'static str,
    title: &'static str,
    description: &'static str,
    personas: [&'static str; 4],
    modes: [PolicyMode; 3],
    /// What each step means to people, in order.
    stories: [Story; 7],
}

/// What a step means to people.
struct Story {
    business_impact: &'static str,
    remediation: &'static str,
}

const fn story(business_impact: &'static str, remediation: &'static str) -> Story {
    Story { business_impact, remediation }
}

static SCENARIO: Scenario = Scenario {
    id: "before-the-agent-acts",
    title: "Before the agent acts",
    description: "An AI coding agent reads secrets, changes access, deploys, calls an unknown tool and pushes to the \
                  protected branch; every step is decided by the real engine before it happens.",
    personas: ["Developer", "CISO", "Platform Engineer", "Auditor"],
    modes: [PolicyMode::Enforce, PolicyMode::AuditOnly, PolicyMode::Strict],
    stories: [
        story(
            "Credentials that leave the repository in a prompt have to be treated as lost.",
            "Keep secrets in a vault, and give the agent names of secrets instead of their values.",
        ),
        story(
            "A wrong access rule opens production to whoever holds the role.",
            "Let the owners of identity and access review the change, then repeat it with their approval.",
        ),
        story("A plan shows what would change and changes nothing.", "Nothing to do: plans may run without a human."),
        story(
            "An unreviewed apply changes production at once, and not everything can be undone.",
            "Hand the reviewed plan to the deployment pipeline.",
        ),
        story(
            "A tool nobody vetted can read and send whatever the agent can reach.",
            "Register the server, have it reviewed, and add it to the allowed servers of the pack.",
        ),
        story(
            "A direct push goes round review, and with it round the evidence of change control.",
            "Push to a branch of your own and open a pull request.",
        ),
        story("Reviewers see what the agent did and what was refused.", "Attach the attestation to the pull request."),
    ],
};

/// A document of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunDocument {
    /// `pr-attestation.md`.
    Attestation,
    /// `compliance-mapping.md`.
    Compliance,
}

/// What a run is asked to be.
struct Wish {
    persona: String,
    mode: PolicyMode,
    pack: Option<PackName>,
}

impl Wish {
    /// Reads the body; nothing is known but these members, because a misspelt one would silently play something else.
    fn read(body: &Object) -> Result<Self, CoreError> {
        let wrong = |text: String| CoreError::BadRequest(text);
        let known = ["scenario", "persona", "policy_mode", "policy_pack"];
        if let Some(unknown) = body.keys().find(|member| !known.contains(&member.as_str())) {
            let shown: String = unknown.chars().filter(|c| !c.is_control()).take(64).collect();
            return Err(wrong(format!("unknown field `{shown}`; known are {}", known.join(", "))));
        }
        if text(body, "scenario", FIELD_LIMIT)?.is_some_and(|scenario| scenario != SCENARIO.id) {
            return Err(wrong(format!("unknown scenario; known is {}", SCENARIO.id)));
        }
        let modes = SCENARIO.modes.map(PolicyMode::as_str).join(", ");
        let mode = match text(body, "policy_mode", ID_LIMIT)? {
            None => PolicyMode::Enforce,
            Some(mode) => mode
                .parse()
                .ok()
                .filter(|mode| SCENARIO.modes.contains(mode))
                .ok_or_else(|| wrong(format!("unknown policy mode; known are {modes}")))?,
        };
        let pack = text(body, "policy_pack", ID_LIMIT)?
            .map(|name| PackName::new(&name).map_err(|error| wrong(error.to_string())))
            .transpose()?;
        let persona = label(body, "persona")?.unwrap_or_else(|| "Developer".to_owned());
        Ok(Self { persona, mode, pack })
    }
}

/// `GET /api/sandbox/scenarios`.
#[must_use]
pub fn sandbox_scenarios() -> Value {
    json!([{
        "id": SCENARIO.id,
        "title": SCENARIO.title,
        "description": SCENARIO.description,
        "default_policy_pack": cavra_model::DEFAULT_PACK,
        "personas": SCENARIO.personas,
        "policy_modes": SCENARIO.modes.map(PolicyMode::as_str),
    }])
}

impl App {
    /// Plays the scenario; everything about it is durable when this returns.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`], [`CoreError::NotFound`] for an unknown pack, and the errors of deciding; nothing is
    /// stored then. [`CoreError::Store`].
    pub async fn sandbox_run(&self, body: &Object) -> Result<Value, CoreError> {
        let wish = Wish::read(body)?;
        let pack = self.pack(wish.pack.as_ref())?;
        let run_id = format!("run_{}", random_hex(5)?);
        let mut decisions = Vec::new();
        let mut events = Vec::new();
        for (step, story) in before_the_agent_acts(UNKNOWN_SERVER).into_iter().zip(&SCENARIO.stories) {
            let context = Context {
                session_id: run_id.clone(),
                agent_id: "sandbox-agent".to_owned(),
                actor: "simulated-ai-agent".to_owned(),
                repository: REPOSITORY.to_owned(),
                ..Context::default()
            };
            let decision = step.decide(&self.decisions, &pack, context).await?;
            events.push(event(events.len() + 1, &decision, &wish, story)?);
            decisions.push(decision);
        }
        let controls: Vec<&str> = pack
            .document
            .pointer("/compliance/maps_to")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let count = |outcome| decisions.iter().filter(|decision| decision.decision == outcome).count();
        let targets: Vec<_> = decisions.iter().map(|decision| decision.target.clone()).collect();
        let record = json!({
            "session_id": run_id,
            "created_at": Timestamp::now(),
            "signer": SIGNER,
            "decision_count": decisions.len(),
            "blocked_count": count(Outcome::Block),
            "approval_required_count": count(Outcome::RequireApproval),
            "decisions": events,
            "attestation_targets": targets,
            "artifact_count": 3,
            "retention": { "retention_days": 30 },
            "scenario": SCENARIO.id,
            "persona": wish.persona,
            "policy_mode": wish.mode,
            "policy_pack": pack.name,
            "controls": controls,
        });
        let Value::Object(record) = record else { return Err(CoreError::Unavailable("the run cannot be written")) };
        self.activity.record_run(&run_id, &decisions, &pack).await?;
        let written = self.evidence.insert_once(record, None).await?;
        Ok(run(&written.record))
    }

    /// The run with this id, rebuilt from its evidence.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Store`].
    pub async fn sandbox_get(&self, run_id: &str) -> Result<Value, CoreError> {
        Ok(run(&self.run_record(run_id).await?))
    }

    /// A document of a run, in Markdown.
    ///
    /// # Errors
    /// As [`App::sandbox_get`].
    pub async fn sandbox_document(&self, run_id: &str, document: RunDocument) -> Result<String, CoreError> {
        let record = self.run_record(run_id).await?;
        let events: Vec<Object> = objects(&record, "decisions").into_iter().cloned().collect();
        Ok(match document {
            RunDocument::Attestation => pr_attestation(run_id, &events),
            RunDocument::Compliance => {
                let controls = texts(&record, "controls");
                let pack = record.get("policy_pack").and_then(Value::as_str).unwrap_or_default();
                compliance_mapping(run_id, &events) + &pack_controls(pack, &controls)
            }
        })
    }

    /// `POST /api/sandbox/runs/{run_id}/replay`: the scenario once more, as it was asked for then.
    ///
    /// # Errors
    /// As [`App::sandbox_get`] and [`App::sandbox_run`].
    pub async fn sandbox_replay(&self, run_id: &str) -> Result<Value, CoreError> {
        let mut record = self.run_record(run_id).await?;
        let members = ["scenario", "persona", "policy_mode", "policy_pack"];
        let body = members.into_iter().filter_map(|member| Some((member.to_owned(), record.remove(member)?)));
        self.sandbox_run(&body.collect()).await
    }

    /// `GET /api/sandbox/metrics`, counted from the sessions of the sandbox.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn sandbox_metrics(&self) -> Result<Value, CoreError> {
        let filters = vec![("repository", REPOSITORY.to_owned())];
        let query = Query { filters, limit: u64::MAX, unreadable: Unreadable::Skip, ..Query::default() };
        let sessions = self.activity.store().list(&SESSIONS, query).await?;
        let sum = |member: &str| -> u64 {
            sessions.items.iter().filter_map(|session| session.get(member)?.as_u64()).fold(0, u64::saturating_add)
        };
        Ok(json!({
            "schema_version": "cavra.sandbox.metrics.v1",
            "product": PRODUCT,
            "total_runs": sessions.total,
            "total_decisions": sum("decision_count"),
            "blocked_actions": sum("blocked_count"),
            "approval_required_actions": sum("approval_required_count"),
            "latest_run_at": sessions.items.first().and_then(|session| session.get("updated_at")),
            "tracking": "none",
            "telemetry": "disabled",
        }))
    }

    /// The evidence of a run. Clients may store records under any id, so only one that the server wrote counts.
    async fn run_record(&self, run_id: &str) -> Result<Object, CoreError> {
        const UNKNOWN: CoreError = CoreError::NotFound("sandbox run");
        let record = self.evidence.get(&EVIDENCE, run_id).await.map_err(|error| match error {
            CoreError::NotFound(_) => UNKNOWN,
            other => other,
        })?;
        let ours =
            record.get("signer").and_then(Value::as_str) == Some(SIGNER) && self.evidence.is_ours(run_id).await?;
        if ours { Ok(record) } else { Err(UNKNOWN) }
    }
}

/// A decision as the sandbox shows it.
fn event(number: usize, decision: &DecisionRecord, wish: &Wish, story: &Story) -> Result<Object, CoreError> {
    let mut event = to_object(decision)?;
    let overlay = wish.mode.overlay(decision.decision, &BreakGlass::default());
    for (member, value) in [
        ("event_id", json!(format!("evt_{number}"))),
        ("agent", json!("AI coding agent")),
        ("persona", json!(wish.persona)),
        ("policy_mode", json!(wish.mode)),
        ("effective_decision", json!(overlay.effective_decision)),
        ("mode_reason", json!(overlay.mode_reason)),
        ("business_impact", json!(story.business_impact)),
        ("evidence_generated", json!(decision.evidence_refs)),
        ("remediation", json!(story.remediation)),
    ] {
        event.insert(member.to_owned(), value);
    }
    Ok(event)
}

/// A run, from its evidence.
fn run(record: &Object) -> Value {
    let member = |name: &str| record.get(name).cloned().unwrap_or_default();
    let id = record.get("session_id").and_then(Value::as_str).unwrap_or_default();
    let artifact = |name: &str, kind: &str, media_type: &str| {
        json!({
            "artifact": name,
            "kind": kind,
            "media_type": media_type,
            "download_url": format!("/api/sandbox/runs/{id}/{kind}"),
        })
    };
    json!({
        "schema_version": "cavra.sandbox.run.v1",
        "product": PRODUCT,
        "run_id": id,
        "scenario": member("scenario"),
        "persona": member("persona"),
        "policy_mode": member("policy_mode"),
        "policy_pack": member("policy_pack"),
        "tagline": TAGLINE,
        "created_at": member("created_at"),
        "decision_count": member("decision_count"),
        "blocked_count": member("blocked_count"),
        "approval_required_count": member("approval_required_count"),
        "source": "cavra-api",
        "artifacts": [
            artifact("evidence.json", "evidence", "application/json"),
            artifact("pr-attestation.md", "attestation", "text/markdown"),
            artifact("compliance-mapping.md", "compliance", "text/markdown"),
        ],
        "events": member("decisions"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes() {
        let read = |body: Value| Wish::read(body.as_object().unwrap());
        let wish =
            read(json!({"policy_mode": "Strict regulated repository", "persona": null, "scenario": ""})).unwrap();
        assert_eq!((wish.persona.as_str(), wish.mode, wish.pack), ("Developer", PolicyMode::Strict, None));
        for body in [
            json!({"scenario": "other"}),
            json!({"scenario": 4}),
            json!({"persona": ["x"]}),
            json!({"persona": "a\nb"}),
            json!({"policy_mode": "loose"}),
            json!({"policy_mode": "break_glass"}),
            json!({"policy_mode": true}),
            json!({"policy_pack": "../x"}),
            json!({"polic_mode": "strict"}),
        ] {
            assert!(matches!(read(body.clone()), Err(CoreError::BadRequest(_))), "{body}");
        }
    }
}
