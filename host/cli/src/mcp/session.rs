//! What one run of the adapter remembers: its session and the decisions made in it.

use std::sync::Arc;

use cavra_core::{Activity, Attributes, DecisionRequest, Governed};
use cavra_model::{Context, DecisionRecord, NoRandomness, Object, Outcome, Timestamp, random_hex};
use cavra_normalize::ActionRequest;
use cavra_packs::ResolvedPack;
use serde_json::{Value, json};

use crate::args::PackArg;
use crate::local::{Local, here};

/// Decisions remembered for summaries and evidence; older ones are dropped.
const REMEMBERED: usize = 10_000;

pub struct Session {
    /// The decision point.
    pub local: Local,
    default_pack: PackArg,
    id: String,
    agent: Option<String>,
    started_at: Timestamp,
    decisions: Vec<DecisionRecord>,
    /// Where decisions are recorded; open from the first one on.
    activity: Option<Activity>,
}

fn new_id() -> Result<String, NoRandomness> {
    Ok(format!("mcp-{}", random_hex(6)?))
}

impl Session {
    pub fn new(local: Local, default_pack: PackArg) -> Result<Self, NoRandomness> {
        Ok(Self {
            local,
            default_pack,
            id: new_id()?,
            agent: None,
            started_at: Timestamp::now(),
            decisions: Vec::new(),
            activity: None,
        })
    }

    /// Begins anew; answers the summary of the new session.
    pub fn start(&mut self, agent: Option<String>) -> Result<Value, NoRandomness> {
        self.id = new_id()?;
        self.agent = agent;
        self.started_at = Timestamp::now();
        self.decisions.clear();
        Ok(self.summary())
    }

    /// The session's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Who asks.
    pub fn context(&self) -> Context {
        let default = Context::default();
        Context {
            session_id: self.id.clone(),
            agent_id: self.agent.clone().unwrap_or(default.agent_id),
            ..Context::default()
        }
    }

    /// Who asks, and what is known of them.
    pub fn caller(&mut self, pack: &ResolvedPack) -> anyhow::Result<(Context, Attributes)> {
        let (context, store) = (self.context(), self.activity()?.store().clone());
        let attributes = self.local.attributes(&context, pack, &store)?;
        Ok((context, attributes))
    }

    /// The pack a call names, else the adapter's own.
    pub fn pack(&self, name: Option<&str>) -> anyhow::Result<Arc<ResolvedPack>> {
        match name {
            Some(name) => self.local.named(name),
            None => self.local.pack(&self.default_pack),
        }
    }

    /// Decides by the named pack, else by the adapter's own, under the rollouts and approvals of this place, among them the
    /// one that is named; records the decision and remembers it.
    pub fn decide(
        &mut self,
        action: ActionRequest,
        pack: Option<&str>,
        approval: Option<&str>,
    ) -> anyhow::Result<DecisionRecord> {
        let pack = self.pack(pack)?;
        let approval_id = approval.map(ToOwned::to_owned);
        let request =
            DecisionRequest { context: self.context(), approval_id, at: here(), ..DecisionRequest::new(action) };
        let store = self.activity()?.store().clone();
        let governed = self.local.decide_governed(request, &pack, &store)?;
        self.record(governed, &pack)
    }

    /// Records a decision, and remembers it.
    pub fn record(&mut self, decision: impl Into<Governed>, pack: &ResolvedPack) -> anyhow::Result<DecisionRecord> {
        let activity = self.activity()?;
        let record = self.local.wait(activity.record(decision, pack))?;
        if self.decisions.len() >= REMEMBERED {
            self.decisions.remove(0);
        }
        self.decisions.push(record.clone());
        Ok(record)
    }

    fn activity(&mut self) -> anyhow::Result<Activity> {
        if let Some(activity) = &self.activity {
            return Ok(activity.clone());
        }
        let activity = Activity::new(self.local.place().open()?).with_redactor(self.local.settings.redactor);
        Ok(self.activity.insert(activity).clone())
    }

    /// Ends the work with the store.
    pub fn close(self) {
        if let Some(activity) = &self.activity {
            self.local.wait(activity.store().close());
        }
    }

    /// A remembered decision.
    pub fn decision(&self, id: &str) -> Option<&DecisionRecord> {
        self.decisions.iter().find(|record| record.decision_id == id)
    }

    /// The remembered decisions as objects.
    pub fn decisions(&self) -> Vec<Object> {
        self.decisions
            .iter()
            .filter_map(|record| match serde_json::to_value(record) {
                Ok(Value::Object(object)) => Some(object),
                _ => None,
            })
            .collect()
    }

    /// Counts of this session.
    pub fn summary(&self) -> Value {
        let count = |outcome| self.decisions.iter().filter(|record| record.decision == outcome).count();
        json!({
            "session_id": self.id, "agent_id": self.context().agent_id, "started_at": self.started_at,
            "decision_count": self.decisions.len(), "blocked_count": count(Outcome::Block),
            "approval_required_count": count(Outcome::RequireApproval),
        })
    }
}
