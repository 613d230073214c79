//! Re-execution: a stored decision made again by the very policy and components that made it, and compared member by
//! member.
//!
//! What was not kept cannot be repeated, and is counted apart, never as equal: contents that a component might have looked
//! at, inputs that a secret was cut out of, decisions of versions that archived nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cavra_builtin::POLICY_RULES;
use cavra_model::{Action, DECISIONS, ENGINE_ERROR, Facts, Finding, Object, Outcome, Timestamp};
use cavra_store::Walk;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::archive::{ArchiveFault, ArchivedPolicy};
use crate::govern::shown_reason;
use crate::rerun::{Rerun, rerun};
use crate::{Activity, CoreError, DecisionPoint, NotRepeatable, Stored};

/// Decisions with differences that are named; of more, the newest.
const NAMED: usize = 100;
/// Policies kept in memory during a replay.
const POLICIES: usize = 64;
/// How often a component that fails under the load of the replay itself is asked.
const ATTEMPTS: usize = 3;

/// Which decisions are made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayScope {
    /// One.
    Decision(String),
    /// Those of a session.
    Session(String),
    /// Those of a time; without bounds, all.
    Window {
        /// Not older than this.
        since: Option<Timestamp>,
        /// Not newer than this.
        until: Option<Timestamp>,
    },
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Replay {
    /// `cavra.decision_replay.v1`.
    pub schema_version: &'static str,
    /// Decisions looked at.
    pub decisions: u64,
    /// Made again and the same in every member.
    pub equal: u64,
    /// Made again and not the same.
    pub different: u64,
    /// Their policy is not in the archive any more, or is not what its digest says; it was not run.
    pub damaged: u64,
    /// What they were made from was not kept.
    pub not_repeatable: u64,
    /// The same by cause.
    pub causes: BTreeMap<&'static str, u64>,
    /// Parts of the archive that are missing or damaged, by digest.
    pub faults: BTreeMap<String, &'static str>,
    /// Decisions that came out otherwise, newest first, at most 100.
    pub differences: Vec<Difference>,
}

/// A decision that came out otherwise.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// The stored decision.
    pub decision_id: String,
    /// Its session.
    pub session_id: String,
    /// When it was made.
    pub timestamp: String,
    /// Kind of action.
    pub action_type: String,
    /// What was acted upon.
    pub target: String,
    /// What is not the same.
    pub members: Vec<DifferentMember>,
}

/// A member that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DifferentMember {
    /// Its name.
    pub member: &'static str,
    /// As stored.
    pub stored: Value,
    /// As it came out.
    pub replayed: Value,
}

impl Replay {
    /// Whether nothing speaks against the stored decisions, and something speaks for them.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.different == 0 && self.damaged == 0 && (self.equal > 0 || self.decisions == 0)
    }
}

impl DecisionPoint {
    /// Makes stored decisions again with what made them. `progress` is told how many were handed out so far.
    ///
    /// # Errors
    /// [`CoreError::NotFound`] for a decision that is not stored, [`CoreError::Store`].
    pub async fn replay(
        &self,
        activity: &Activity,
        scope: ReplayScope,
        progress: impl Fn(u64) + Send + 'static,
    ) -> Result<Replay, CoreError> {
        let again = Again { point: self.clone(), activity: activity.clone(), policies: Arc::default() };
        let walk = match scope {
            ReplayScope::Decision(id) => {
                let record = activity.store().get(&DECISIONS, &id).await?.ok_or(CoreError::NotFound(DECISIONS.name))?;
                let mut tally = Tally::default();
                again.again(&record, &mut tally).await?;
                return Ok(tally.report());
            }
            ReplayScope::Session(id) => Walk { filter: Some(("session_id", id)), ..Walk::default() },
            ReplayScope::Window { since, until } => {
                let bound = |time: Option<Timestamp>| time.map(|time| ("timestamp", time.to_string()));
                Walk { at_least: bound(since), at_most: bound(until), ..Walk::default() }
            }
        };
        let reran = rerun(activity, walk, u64::MAX, again, progress).await?;
        let mut tally = Tally::default();
        for part in reran.tallies {
            tally.add(part);
        }
        Ok(tally.report())
    }
}

/// A policy of the archive, or what is wrong with it.
type Found = Arc<Result<ArchivedPolicy, ArchiveFault>>;

/// Makes decisions again with what made them.
#[derive(Clone)]
struct Again {
    point: DecisionPoint,
    activity: Activity,
    policies: Arc<Mutex<HashMap<String, Found>>>,
}

/// Why a decision says nothing.
enum Silent {
    Cause(&'static str),
    Damaged(String, &'static str),
}

impl From<NotRepeatable> for Silent {
    fn from(why: NotRepeatable) -> Self {
        Self::Cause(match why {
            NotRepeatable::Kind => "kind",
            NotRepeatable::Incomplete => "incomplete",
            NotRepeatable::Redacted => "redacted",
            NotRepeatable::Unverified => "unverified",
        })
    }
}

impl Rerun for Again {
    type Tally = Tally;

    async fn again(&self, record: &Object, tally: &mut Tally) -> Result<(), CoreError> {
        match self.compare(record).await? {
            Ok(members) => tally.count(record, members),
            Err(Silent::Cause(cause)) => {
                tally.decisions += 1;
                *tally.causes.entry(cause).or_default() += 1;
            }
            Err(Silent::Damaged(digest, what)) => {
                tally.decisions += 1;
                tally.damaged += 1;
                tally.faults.insert(digest, what);
            }
        }
        Ok(())
    }
}

impl Again {
    async fn compare(&self, record: &Object) -> Result<Result<Vec<DifferentMember>, Silent>, CoreError> {
        let stored = match Stored::read(record) {
            Ok(stored) => stored,
            Err(why) => return Ok(Err(why.into())),
        };
        let Some((policy_digest, components)) = made_with(record) else { return Ok(Err(Silent::Cause("no_archive"))) };
        // This binary's interpreter of rules does not look at contents; what others do is not known.
        if stored.lacks_content && components.iter().any(|digest| digest != POLICY_RULES.digest) {
            return Ok(Err(Silent::Cause("content")));
        }
        let found = self.policy(policy_digest, &components).await?;
        let policy = match found.as_ref() {
            Ok(policy) => policy,
            Err(ArchiveFault::Missing(digest)) => return Ok(Err(Silent::Damaged(digest.clone(), "missing"))),
            Err(ArchiveFault::Damaged(digest)) => return Ok(Err(Silent::Damaged(digest.clone(), "damaged"))),
        };
        let failed_then = record.get("rule_id").and_then(Value::as_str) == Some(ENGINE_ERROR);
        let Some(finding) = self.ask(policy, &stored.action, &stored.facts, failed_then).await else {
            return Ok(Err(Silent::Cause("component_not_loadable")));
        };
        let members = differences(record, &stored, &finding);
        // What made an engine fail, such as a slow machine, is no part of the input.
        if failed_then && !members.is_empty() {
            return Ok(Err(Silent::Cause("engine_failed")));
        }
        Ok(Ok(members))
    }

    /// The finding; `None` if a component cannot be loaded by this version of cavra.
    async fn ask(&self, policy: &ArchivedPolicy, action: &Action, facts: &Facts, failed_then: bool) -> Option<Finding> {
        let mut attempt = 1;
        loop {
            let finding = self.point.judge_by(policy.sources(), action, facts).await;
            let finding = finding
                .inspect_err(|error| {
                    tracing::warn!(error = error as &dyn std::error::Error, "an archived component does not load")
                })
                .ok()?;
            if finding.rule_id != ENGINE_ERROR || failed_then || attempt >= ATTEMPTS {
                return Some(finding);
            }
            attempt += 1;
        }
    }

    async fn policy(&self, policy_digest: &str, components: &[String]) -> Result<Found, CoreError> {
        let key = format!("{policy_digest} {}", components.join(" "));
        let mut policies = self.policies.lock().await;
        if let Some(found) = policies.get(&key) {
            return Ok(Arc::clone(found));
        }
        let found = Arc::new(ArchivedPolicy::read(self.activity.store(), policy_digest, components).await?);
        if policies.len() >= POLICIES {
            policies.clear();
        }
        policies.insert(key, Arc::clone(&found));
        Ok(found)
    }
}

/// The digests of what made a decision, if it says so.
fn made_with(record: &Object) -> Option<(&str, Vec<String>)> {
    let policy = record.get("policy_digest")?.as_str()?;
    let components = record.get("component_digests")?.as_array()?;
    let components: Option<Vec<_>> = components.iter().map(|digest| digest.as_str().map(ToOwned::to_owned)).collect();
    Some((policy, components.filter(|components| !components.is_empty())?))
}

/// The members of a record that do not follow from `finding`.
fn differences(record: &Object, stored: &Stored, finding: &Finding) -> Vec<DifferentMember> {
    let as_stored = |member: &str| record.get(member).cloned().unwrap_or(Value::Null);
    let before = if record.contains_key("decision_before_approval") { "decision_before_approval" } else { "decision" };
    let mut members: Vec<_> = [
        (before, json!(finding.outcome)),
        ("rule_id", json!(finding.rule_id)),
        ("severity", json!(finding.severity)),
        ("reason", json!(shown_reason(record, &finding.reason))),
        ("approver_group", json!(finding.approver_group)),
        ("target", json!(stored.action.target())),
        ("requested_operation", json!(stored.action.requested_operation())),
    ]
    .into_iter()
    .map(|(member, replayed)| DifferentMember { member, stored: as_stored(member), replayed })
    .filter(|different| different.stored != different.replayed)
    .collect();
    if before != "decision" && !is_approved(record, finding.outcome) {
        members.push(DifferentMember {
            member: "decision",
            stored: as_stored("decision"),
            replayed: json!(finding.outcome),
        });
    }
    members
}

/// Whether an approval can have made of `outcome` what the record shows. It never lifts a block.
fn is_approved(record: &Object, outcome: Outcome) -> bool {
    let shown = record.get("decision").and_then(Value::as_str).and_then(|name| name.parse().ok());
    let named = record.get("approval").and_then(|approval| approval.get("approval_id")).is_some_and(Value::is_string);
    let allows = matches!(shown, Some(Outcome::Allow | Outcome::AllowWithAttestation));
    named && allows && outcome != Outcome::Block
}

/// What one task has found so far.
#[derive(Default)]
struct Tally {
    decisions: u64,
    equal: u64,
    different: u64,
    damaged: u64,
    causes: BTreeMap<&'static str, u64>,
    faults: BTreeMap<String, &'static str>,
    differences: Vec<Difference>,
}

impl Tally {
    fn count(&mut self, record: &Object, members: Vec<DifferentMember>) {
        self.decisions += 1;
        if members.is_empty() {
            self.equal += 1;
            return;
        }
        self.different += 1;
        if self.differences.len() < NAMED {
            let text = |member: &str| record.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
            self.differences.push(Difference {
                decision_id: text(DECISIONS.id),
                session_id: text("session_id"),
                timestamp: text("timestamp"),
                action_type: text("action_type"),
                target: text("target"),
                members,
            });
        }
    }

    fn add(&mut self, other: Self) {
        self.decisions += other.decisions;
        self.equal += other.equal;
        self.different += other.different;
        self.damaged += other.damaged;
        for (cause, count) in other.causes {
            *self.causes.entry(cause).or_default() += count;
        }
        self.faults.extend(other.faults);
        self.differences.extend(other.differences);
    }

    fn report(mut self) -> Replay {
        self.differences.sort_by(|left, right| right.timestamp.cmp(&left.timestamp));
        self.differences.truncate(NAMED);
        Replay {
            schema_version: "cavra.decision_replay.v1",
            decisions: self.decisions,
            equal: self.equal,
            different: self.different,
            damaged: self.damaged,
            not_repeatable: self.causes.values().sum(),
            causes: self.causes,
            faults: self.faults,
            differences: self.differences,
        }
    }
}
