//! Many files at once: which of them a pack does not simply let be read.

use std::cmp::Reverse;

use cavra_model::{Action, Context, FileAccess, IGNORES_CASE, McpRegistry, Outcome};
use cavra_normalize::clean_path;
use cavra_packs::ResolvedPack;
use cavra_rules::Policy;

use crate::decide::{DecisionPoint, broken, components, facts};
use crate::{At, Attributes, CoreError};

/// Most files that the components of a pack are asked about, each in a call of its own.
const MOST_ASKED: usize = 2_000;

/// Files that may not just be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protected {
    /// Their names and what the pack says, the strictest first.
    pub files: Vec<(String, Outcome)>,
    /// There were more files than can be asked about.
    pub more: bool,
}

impl DecisionPoint {
    /// Which of `files` the pack does not simply let be read where they lie. Its rules are asked by the same code as in a
    /// decision, outside of the sandbox; its components are asked as always.
    ///
    /// # Errors
    /// [`CoreError::BrokenPack`].
    pub async fn protected(&self, files: &[String], at: &At, pack: &ResolvedPack) -> Result<Protected, CoreError> {
        let rules = rules(pack)?;
        let asked = facts(&Context::default(), McpRegistry::NotConsulted, Attributes::default().with_place(at));
        let ignores_case = asked.attributes.iter().any(|(name, _)| name == IGNORES_CASE);
        let mut protected = Protected::default();
        for (place, file) in files.iter().enumerate() {
            // A name that no action can have is left to nobody.
            let Ok(path) = clean_path(file) else {
                protected.files.push((file.clone(), Outcome::Block));
                continue;
            };
            let mut outcome = rules.as_ref().map_or(Outcome::Allow, |rules| ruled(rules, &path, ignores_case));
            // A pack that is not as it was published lets nothing be done.
            if !pack.unverified.is_empty() {
                outcome = Outcome::Block;
            }
            if !pack.components.is_empty() {
                if place >= MOST_ASKED {
                    protected.more = true;
                    break;
                }
                let action = Action::ReadFile(FileAccess { path, content: None });
                let found =
                    self.judge_by(components(pack), &action, &asked).await.map_err(|error| broken(pack, error))?;
                outcome = stricter(outcome, found.outcome);
            }
            if outcome.strictness() >= Outcome::RequireApproval.strictness() {
                protected.files.push((file.clone(), outcome));
            }
        }
        protected.files.sort_by_key(|(_, outcome)| Reverse(outcome.strictness()));
        Ok(protected)
    }
}

fn ruled(rules: &Policy, path: &str, ignores_case: bool) -> Outcome {
    let action = cavra_rules::Action::ReadFile(path);
    let mut findings = rules.evaluate(&action, false);
    if ignores_case {
        findings.extend(rules.evaluate_ignoring_case(&action));
    }
    findings.into_iter().map(|finding| outcome(finding.outcome)).fold(Outcome::Allow, stricter)
}

const fn outcome(outcome: cavra_rules::Outcome) -> Outcome {
    match outcome {
        cavra_rules::Outcome::Allow => Outcome::Allow,
        cavra_rules::Outcome::RequireApproval => Outcome::RequireApproval,
        cavra_rules::Outcome::Block => Outcome::Block,
    }
}

fn stricter(one: Outcome, other: Outcome) -> Outcome {
    if other.strictness() > one.strictness() { other } else { one }
}

/// The rules of a pack, outside of the sandbox; none if its components decide alone.
pub(crate) fn rules(pack: &ResolvedPack) -> Result<Option<Policy>, CoreError> {
    if !pack.has_rules {
        return Ok(None);
    }
    Policy::compile(&pack.document).map(Some).map_err(|faults| CoreError::BrokenPack {
        pack: pack.name.clone(),
        problem: faults
            .into_iter()
            .map(|fault| format!("{}: {}", fault.path, fault.message))
            .collect::<Vec<_>>()
            .join("; "),
        source: None,
    })
}
