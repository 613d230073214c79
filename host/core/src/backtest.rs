//! What a policy would have changed: stored decisions, decided again by another pack. docs/reference/approvals-identity-authoring.md, section 4.

use std::collections::BTreeMap;
use std::sync::Arc;

use cavra_model::{DECISIONS, Object, Outcome, Timestamp};
use cavra_packs::ResolvedPack;
use cavra_store::{Unreadable, Walk};
use serde::Serialize;
use serde_json::Value;

use crate::rerun::{Rerun, rerun};
use crate::{Activity, CoreError, DecisionPoint, Stored};

/// Most decisions that are made again; of more, the newest.
pub const MAX_BACKTEST: u64 = 100_000;

/// Examples of each transition.
const EXAMPLES: usize = 5;
/// Agents and repositories named.
const MOST_AFFECTED: usize = 10;

/// Which decisions are made again.
#[derive(Clone, Debug)]
pub struct BacktestScope {
    /// Not older than this.
    pub since: Timestamp,
    /// Made under this pack only.
    pub policy_pack: Option<String>,
    /// At most so many, newest first.
    pub most: u64,
}

impl BacktestScope {
    /// The decisions in it.
    pub(crate) fn walk(&self) -> Walk {
        Walk {
            filter: self.policy_pack.clone().map(|pack| ("policy_pack", pack)),
            at_least: Some(("timestamp", self.since.to_string())),
            unreadable: Unreadable::Skip,
            ..Walk::default()
        }
    }
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Backtest {
    /// `cavra.policy_backtest.v1`.
    pub schema_version: &'static str,
    /// Beginning of the window.
    pub since: Timestamp,
    /// The pack whose decisions were made again; `null` for all packs.
    pub policy_pack: Option<String>,
    /// Decisions made again.
    pub decided: u64,
    /// Of those, how many came out otherwise.
    pub changed: u64,
    /// Decisions whose record does not hold their whole input.
    pub not_repeatable: u64,
    /// Decisions whose contents are not kept, so that rules over contents had nothing to look at.
    pub without_content: u64,
    /// There were more decisions in the window than were made again.
    pub truncated: bool,
    /// Number of decisions by `before->after`, where the two differ.
    pub transitions: BTreeMap<String, u64>,
    /// Agents with the most changes.
    pub agents: Vec<Changed>,
    /// Repositories with the most changes.
    pub repositories: Vec<Changed>,
    /// Some decisions of each transition, newest first.
    pub examples: Vec<Example>,
}

/// Number of changed decisions of one agent or repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Its name.
    pub name: String,
    /// How many.
    pub changed: u64,
}

/// A decision that would come out otherwise.
#[derive(Clone, Debug, Serialize)]
pub struct Example {
    /// The stored decision.
    pub decision_id: String,
    /// When it was made.
    pub timestamp: String,
    /// Who asked.
    pub agent_id: String,
    /// Where.
    pub repository: String,
    /// Kind of action.
    pub action_type: String,
    /// What was acted upon.
    pub target: String,
    /// What was decided.
    pub before: Outcome,
    /// By which rule.
    pub before_rule: String,
    /// What would be decided.
    pub after: Outcome,
    /// By which rule.
    pub after_rule: String,
    /// Why.
    pub reason: String,
}

/// What one task has counted so far.
#[derive(Default)]
struct Tally {
    decided: u64,
    changed: u64,
    not_repeatable: u64,
    without_content: u64,
    transitions: BTreeMap<String, u64>,
    agents: BTreeMap<String, u64>,
    repositories: BTreeMap<String, u64>,
    examples: BTreeMap<String, Vec<Example>>,
}

impl DecisionPoint {
    /// Decides stored decisions again by `pack` and reports what would come out otherwise. `progress` is told how many
    /// were handed out so far.
    ///
    /// # Errors
    /// [`CoreError::BrokenPack`] for a pack that cannot decide, [`CoreError::Store`].
    pub async fn backtest(
        &self,
        activity: &Activity,
        pack: &Arc<ResolvedPack>,
        scope: BacktestScope,
        progress: impl Fn(u64) + Send + 'static,
    ) -> Result<Backtest, CoreError> {
        self.load(pack).await?;
        let candidate = Candidate { point: self.clone(), pack: Arc::clone(pack) };
        let reran = rerun(activity, scope.walk(), scope.most, candidate, progress).await?;
        let mut tally = Tally::default();
        for part in reran.tallies {
            tally.add(part);
        }
        Ok(tally.report(scope, reran.truncated))
    }
}

/// The pack that decides instead.
#[derive(Clone)]
struct Candidate {
    point: DecisionPoint,
    pack: Arc<ResolvedPack>,
}

impl Rerun for Candidate {
    type Tally = Tally;

    async fn again(&self, record: &Object, tally: &mut Tally) -> Result<(), CoreError> {
        let Ok(stored) = Stored::read(record) else {
            tally.not_repeatable += 1;
            return Ok(());
        };
        let finding = self.point.judge(&stored.action, &stored.facts, &self.pack).await?;
        tally.count(record, &stored, finding);
        Ok(())
    }
}

impl Tally {
    fn count(&mut self, record: &Object, stored: &Stored, finding: cavra_model::Finding) {
        self.decided += 1;
        self.without_content += u64::from(stored.lacks_content);
        if finding.outcome == stored.outcome {
            return;
        }
        let text = |member: &str| record.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
        self.changed += 1;
        let transition = format!("{}->{}", stored.outcome, finding.outcome);
        *self.transitions.entry(transition.clone()).or_default() += 1;
        *self.agents.entry(text("agent_id")).or_default() += 1;
        *self.repositories.entry(text("repository")).or_default() += 1;
        let examples = self.examples.entry(transition).or_default();
        if examples.len() < EXAMPLES {
            examples.push(Example {
                decision_id: text(DECISIONS.id),
                timestamp: text("timestamp"),
                agent_id: text("agent_id"),
                repository: text("repository"),
                action_type: text("action_type"),
                target: text("target"),
                before: stored.outcome,
                before_rule: stored.rule_id.clone(),
                after: finding.outcome,
                after_rule: finding.rule_id,
                reason: finding.reason,
            });
        }
    }

    fn add(&mut self, other: Self) {
        self.decided += other.decided;
        self.changed += other.changed;
        self.not_repeatable += other.not_repeatable;
        self.without_content += other.without_content;
        for (mine, theirs) in [
            (&mut self.transitions, other.transitions),
            (&mut self.agents, other.agents),
            (&mut self.repositories, other.repositories),
        ] {
            for (name, count) in theirs {
                *mine.entry(name).or_default() += count;
            }
        }
        for (transition, examples) in other.examples {
            self.examples.entry(transition).or_default().extend(examples);
        }
    }

    fn report(self, scope: BacktestScope, truncated: bool) -> Backtest {
        let examples = self.examples.into_values().flat_map(|mut examples| {
            examples.sort_by(|left, right| right.timestamp.cmp(&left.timestamp));
            examples.truncate(EXAMPLES);
            examples
        });
        Backtest {
            schema_version: "cavra.policy_backtest.v1",
            since: scope.since,
            policy_pack: scope.policy_pack,
            decided: self.decided,
            changed: self.changed,
            not_repeatable: self.not_repeatable,
            without_content: self.without_content,
            truncated,
            transitions: self.transitions,
            agents: most_affected(self.agents),
            repositories: most_affected(self.repositories),
            examples: examples.collect(),
        }
    }
}

/// The names with the most changes, most first.
fn most_affected(counts: BTreeMap<String, u64>) -> Vec<Changed> {
    let mut changed: Vec<_> = counts.into_iter().map(|(name, changed)| Changed { name, changed }).collect();
    changed.sort_by(|left, right| right.changed.cmp(&left.changed).then_with(|| left.name.cmp(&right.name)));
    changed.truncate(MOST_AFFECTED);
    changed
}
