//! What a policy asks about again and again: recorded questions, and the entries and rows that would have spared them. A
//! proposal is never something that a rule forbids or wants a person for, and it is decided again before it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cavra_model::{Action, ActionType, CommandLine, Digest, Facts, Object, Outcome, canonical};
use cavra_normalize::{NOT_DESCRIBED, Programs, Surroundings, sketch, split_command_in, unknown_calls};
use cavra_packs::ResolvedPack;
use cavra_rules::Policy;
use serde::Serialize;
use serde_json::{Value, json};

use crate::rerun::{Rerun, rerun};
use crate::ruled::with_command;
use crate::screen::rules;
use crate::{Activity, BacktestScope, CoreError, DecisionPoint, Stored};

/// Different questions that are kept; of more, those that came first on the way from the newest.
const MOST_QUESTIONS: usize = 5_000;
/// Additions that are weighed for each proposal: those that answer most questions by themselves.
const MOST_CANDIDATES: usize = 500;
/// Proposals that are made.
const MOST_PROPOSALS: usize = 20;
/// Entries and rows of one proposal.
const MOST_ADDITIONS: usize = 4;
/// Commands that are shown of a proposal.
const EXAMPLES: usize = 5;
/// Sentences about what nothing would spare.
const MOST_REASONS: usize = 10;

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Lessons {
    /// `cavra.policy_lessons.v1`.
    pub schema_version: &'static str,
    /// The pack that is proposed for.
    pub policy_pack: String,
    /// Beginning of the window.
    pub since: cavra_model::Timestamp,
    /// Decisions that were looked at.
    pub decisions: u64,
    /// Of those, commands for which a person was asked.
    pub questions: u64,
    /// Of those, how many the pack as it is would not ask about any more.
    pub answered: u64,
    /// Of those, how many a rule wants asked, or nothing a policy can say would spare.
    pub kept: u64,
    /// Of those, how many all proposals together would have spared.
    pub spared: u64,
    /// There were more decisions, or more different questions, than were looked at.
    pub truncated: bool,
    /// What to add, what spares most first. Each counts what those before it left.
    pub proposals: Vec<Proposal>,
    /// Why questions are not understood although a row could not help, most first.
    pub not_understood: Vec<Reason>,
}

/// Something to add to a pack.
#[derive(Clone, Debug, Serialize)]
pub struct Proposal {
    /// Questions that it would have spared.
    pub questions: u64,
    /// Entries of `effects.allow`.
    pub allow: Vec<String>,
    /// Rows of `effects.programs`.
    pub programs: Vec<Value>,
    /// What runs at once from then on, beyond the commands that were recorded.
    pub lets_through: Vec<String>,
    /// Different commands that were recorded and would have been let through.
    pub commands: usize,
    /// Some of them.
    pub examples: Vec<String>,
}

/// A sentence, and how many questions it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The sentence.
    pub reason: String,
    /// How many.
    pub questions: u64,
}

/// A command that was asked about, and how often.
struct Question {
    line: CommandLine,
    facts: Facts,
    count: u64,
}

/// What one task has seen.
#[derive(Default)]
struct Seen {
    decisions: u64,
    questions: BTreeMap<String, Question>,
    left_out: bool,
}

/// Collects the commands that a person was asked about.
#[derive(Clone)]
struct Asked;

impl Rerun for Asked {
    type Tally = Seen;

    async fn again(&self, record: &Object, seen: &mut Seen) -> Result<(), CoreError> {
        seen.decisions += 1;
        let is_command = record.get("action_type").and_then(Value::as_str) == Some(ActionType::ExecuteCommand.as_str());
        if !is_command {
            return Ok(());
        }
        let Ok(Stored { action: Action::ExecuteCommand(line), facts, outcome, .. }) = Stored::read(record) else {
            return Ok(());
        };
        if outcome == Outcome::RequireApproval {
            seen.add(Question { line, facts, count: 1 });
        }
        Ok(())
    }
}

impl Seen {
    /// Commands are the same question if their text and what they do are the same.
    fn add(&mut self, question: Question) {
        let effects = serde_json::to_value(&question.line.effects).unwrap_or_default();
        let key = format!("{}\n{}", question.line.written, Digest::of(canonical(&effects)));
        let is_full = self.questions.len() >= MOST_QUESTIONS;
        match self.questions.get_mut(&key) {
            Some(known) => known.count += question.count,
            None if is_full => self.left_out = true,
            None => drop(self.questions.insert(key, question)),
        }
    }

    fn merge(&mut self, other: Self) {
        self.decisions += other.decisions;
        self.left_out |= other.left_out;
        other.questions.into_values().for_each(|question| self.add(question));
    }
}

/// What a question needs: for each lacking effect, the entries of which one would do; and programs that lack a row.
struct Need {
    question: usize,
    entries: Vec<Vec<String>>,
    programs: BTreeSet<String>,
}

/// What is added to a pack.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Addition {
    /// Programs that get a row.
    programs: BTreeSet<String>,
    allow: BTreeSet<String>,
}

impl Addition {
    /// Whether a question needs nothing else.
    fn answers(&self, need: &Need) -> bool {
        need.programs.is_subset(&self.programs)
            && need.entries.iter().all(|any| any.iter().any(|entry| self.allow.contains(entry)))
    }

    /// What would answer a question: the narrowest, and the widest.
    fn of(need: &Need) -> [Self; 2] {
        let narrow = need.entries.iter().filter_map(|any| any.first()).cloned().collect();
        let wide = need.entries.iter().filter_map(|any| any.last()).cloned().collect();
        [narrow, wide].map(|allow| Self { programs: need.programs.clone(), allow })
    }

    fn len(&self) -> usize {
        self.programs.len() + self.allow.len()
    }
}

impl DecisionPoint {
    /// What `pack` asked about in the decisions of `scope`, and what would spare the questions. Stores nothing.
    ///
    /// # Errors
    /// [`CoreError::BrokenPack`] for a pack that cannot decide, [`CoreError::Store`].
    pub async fn learn(
        &self,
        activity: &Activity,
        pack: &Arc<ResolvedPack>,
        scope: BacktestScope,
        progress: impl Fn(u64) + Send + 'static,
    ) -> Result<Lessons, CoreError> {
        self.load(pack).await?;
        let reran = rerun(activity, scope.walk(), scope.most, Asked, progress).await?;
        let mut seen = Seen::default();
        reran.tallies.into_iter().for_each(|tally| seen.merge(tally));
        let mut lessons = Lessons {
            schema_version: "cavra.policy_lessons.v1",
            policy_pack: pack.name.clone(),
            since: scope.since,
            decisions: seen.decisions,
            questions: seen.questions.values().map(|question| question.count).sum(),
            answered: 0,
            kept: 0,
            spared: 0,
            truncated: reran.truncated || seen.left_out,
            proposals: Vec::new(),
            not_understood: Vec::new(),
        };
        let questions: Vec<Question> = seen.questions.into_values().collect();
        let Some(rules) = rules(pack)? else { return Ok(lessons) };
        let mut teacher = Teacher { point: self, pack, rules, questions, rows: BTreeMap::new() };
        let needs = teacher.needs(&mut lessons).await?;
        teacher.propose(needs, &mut lessons).await?;
        Ok(lessons)
    }
}

/// True if a program in it is not described.
fn lacks_row(line: &CommandLine) -> bool {
    line.effects.doubts.iter().any(|doubt| doubt.sentence == NOT_DESCRIBED)
}

/// Turns questions into proposals.
struct Teacher<'a> {
    point: &'a DecisionPoint,
    pack: &'a ResolvedPack,
    rules: Policy,
    questions: Vec<Question>,
    /// Sketched rows by program; nothing where there can be none.
    rows: BTreeMap<String, Option<Value>>,
}

impl Teacher<'_> {
    /// What each question needs that something can be done about.
    async fn needs(&mut self, lessons: &mut Lessons) -> Result<Vec<Need>, CoreError> {
        let mut needs = Vec::new();
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        self.read_by_own_rows();
        self.sketch_rows(|_| true);
        // What a row must not let through, or cannot explain, is no example of what it is for.
        let explained: BTreeSet<usize> = self
            .indexed()
            .filter(|(index, question)| self.need(*index, question).is_some())
            .map(|(index, _)| index)
            .collect();
        self.sketch_rows(|index| explained.contains(&index));
        for (index, question) in self.questions.iter().enumerate() {
            let action = Action::ExecuteCommand(question.line.clone());
            if self.point.judge(&action, &question.facts, self.pack).await?.outcome == Outcome::Allow {
                lessons.answered += question.count;
                continue;
            }
            match self.need(index, question) {
                Some(need) if need.entries.len() + need.programs.len() <= MOST_ADDITIONS => needs.push(need),
                Some(_) => lessons.kept += question.count,
                None => {
                    lessons.kept += question.count;
                    for reason in question.line.effects.doubts.iter().map(|doubt| doubt.sentence.clone()).take(1) {
                        *reasons.entry(reason).or_default() += question.count;
                    }
                }
            }
        }
        let mut reasons: Vec<Reason> =
            reasons.into_iter().map(|(reason, questions)| Reason { reason, questions }).collect();
        reasons
            .sort_by(|left, right| right.questions.cmp(&left.questions).then_with(|| left.reason.cmp(&right.reason)));
        reasons.truncate(MOST_REASONS);
        lessons.not_understood = reasons;
        Ok(needs)
    }

    fn indexed(&self) -> impl Iterator<Item = (usize, &Question)> {
        self.questions.iter().enumerate()
    }

    /// Commands that were recorded before the pack described their programs are read by its rows.
    fn read_by_own_rows(&mut self) {
        let own =
            |question: &Question| lacks_row(&question.line).then(|| self.read_again(&question.line.written, &[]))?;
        let again: Vec<Option<CommandLine>> = self.questions.iter().map(own).collect();
        for (question, line) in self.questions.iter_mut().zip(again) {
            if let Some(line) = line.filter(|line| !lacks_row(line)) {
                question.line = line;
            }
        }
    }

    /// Rows for the programs that lack one, made of the calls in these questions.
    fn sketch_rows(&mut self, of: impl Fn(usize) -> bool) {
        let mut calls = BTreeMap::<String, Vec<_>>::new();
        for (_, question) in self.indexed().filter(|(index, question)| of(*index) && lacks_row(&question.line)) {
            for call in unknown_calls(&question.line.written, &self.pack.programs) {
                calls.entry(call.program.clone()).or_default().push(call);
            }
        }
        let row = |(program, calls): (String, Vec<_>)| {
            let row = sketch(&program, &calls, &self.pack.programs);
            (program, row)
        };
        self.rows = calls.into_iter().map(row).collect();
    }

    fn need(&self, index: usize, question: &Question) -> Option<Need> {
        let lacking = with_command(&question.line, |command| self.rules.lacking(command))?;
        if lacking.unknown.is_empty() {
            let is_lacking = !lacking.entries.is_empty();
            return is_lacking.then_some(Need { question: index, entries: lacking.entries, programs: BTreeSet::new() });
        }
        let programs: BTreeSet<String> =
            unknown_calls(&question.line.written, &self.pack.programs).into_iter().map(|call| call.program).collect();
        let rows: Option<Vec<&Value>> =
            programs.iter().map(|program| self.rows.get(program).and_then(Option::as_ref)).collect();
        let rows = rows.filter(|rows| !rows.is_empty())?;
        let line = self.read_again(&question.line.written, &rows)?;
        let lacking = with_command(&line, |command| self.rules.lacking(command))?;
        lacking.unknown.is_empty().then_some(Need { question: index, entries: lacking.entries, programs })
    }

    /// A command line as it is read with further rows, without a disk: where it ran may look different now.
    fn read_again(&self, text: &str, rows: &[&Value]) -> Option<CommandLine> {
        let own = self.pack.document.pointer("/effects/programs").and_then(Value::as_array).into_iter().flatten();
        let programs = if rows.is_empty() {
            self.pack.programs.clone()
        } else {
            Programs::with(&own.chain(rows.iter().copied()).cloned().collect::<Value>()).ok()?
        };
        Some(split_command_in(text, &Surroundings { programs: &programs, ..Surroundings::unknown() }))
    }

    /// Picks what spares most, again and again.
    async fn propose(&self, mut needs: Vec<Need>, lessons: &mut Lessons) -> Result<(), CoreError> {
        let mut refused = BTreeSet::new();
        while lessons.proposals.len() < MOST_PROPOSALS {
            let Some(addition) = self.best(&needs, &refused) else { break };
            let (answered, left): (Vec<Need>, Vec<Need>) = needs.into_iter().partition(|need| addition.answers(need));
            needs = left;
            let candidate = self.with(&addition);
            let mut spared = Vec::new();
            for need in answered {
                if self.is_spared(&need, &addition, &candidate).await? {
                    spared.push(need.question);
                } else {
                    lessons.kept += self.count(&need);
                }
            }
            if spared.is_empty() {
                refused.insert(addition);
                continue;
            }
            let proposal = self.proposal(&addition, &spared);
            lessons.spared += proposal.questions;
            lessons.proposals.push(proposal);
        }
        Ok(())
    }

    fn count(&self, need: &Need) -> u64 {
        self.questions.get(need.question).map_or(0, |question| question.count)
    }

    /// The addition that answers most questions for what it lets through: a wide one only where it answers far more.
    fn best(&self, needs: &[Need], refused: &BTreeSet<Addition>) -> Option<Addition> {
        let mut counts: BTreeMap<(bool, Addition), u64> = BTreeMap::new();
        for need in needs {
            let [narrow, wide] = Addition::of(need);
            for candidate in [(false, narrow), (true, wide)] {
                if !refused.contains(&candidate.1) {
                    *counts.entry(candidate).or_default() += self.count(need);
                }
            }
        }
        let mut candidates: Vec<_> = counts.into_iter().collect();
        candidates.sort_by(|(one, left), (other, right)| right.cmp(left).then_with(|| one.cmp(other)));
        candidates.truncate(MOST_CANDIDATES);
        let gain = |addition: &Addition| -> u64 {
            needs.iter().filter(|need| addition.answers(need)).map(|need| self.count(need)).sum()
        };
        // Twice as many questions justify a wide entry, and each further addition has to bring its share.
        let worth = |wide: bool, addition: &Addition| -> u64 {
            let share = u64::try_from(addition.len().max(1)).unwrap_or(u64::MAX);
            gain(addition).saturating_mul(if wide { 6 } else { 12 }) / share
        };
        let scored = candidates.into_iter().map(|((wide, addition), _)| (worth(wide, &addition), addition));
        let best = scored.max_by(|(left, one), (right, other)| left.cmp(right).then_with(|| other.cmp(one)));
        best.map(|(_, addition)| addition)
    }

    /// The pack with what is added.
    fn with(&self, addition: &Addition) -> ResolvedPack {
        let added = json!({"effects": {
            "allow": addition.allow, "programs": self.rows_of(addition).collect::<Vec<_>>(),
        }});
        let document = cavra_packs::merge(&self.pack.document, &added);
        let canonical = canonical(&document);
        let digest = Digest::of(&canonical);
        ResolvedPack { document, canonical, digest, ..self.pack.clone() }
    }

    fn rows_of<'t>(&'t self, addition: &'t Addition) -> impl Iterator<Item = &'t Value> {
        addition.programs.iter().filter_map(|program| self.rows.get(program).and_then(Option::as_ref))
    }

    /// Whether the pack with the addition lets the command run: everybody is asked, components too.
    async fn is_spared(&self, need: &Need, addition: &Addition, pack: &ResolvedPack) -> Result<bool, CoreError> {
        let Some(question) = self.questions.get(need.question) else { return Ok(false) };
        let line = if need.programs.is_empty() {
            Some(question.line.clone())
        } else {
            self.read_again(&question.line.written, &self.rows_of(addition).collect::<Vec<_>>())
        };
        let Some(line) = line else { return Ok(false) };
        let found = self.point.judge(&Action::ExecuteCommand(line), &question.facts, pack).await?;
        Ok(found.outcome == Outcome::Allow)
    }

    fn proposal(&self, addition: &Addition, spared: &[usize]) -> Proposal {
        let spared: Vec<&Question> = spared.iter().filter_map(|index| self.questions.get(*index)).collect();
        let mut examples: Vec<&Question> = spared.clone();
        examples.sort_by(|left, right| right.count.cmp(&left.count).then_with(|| left.line.text.cmp(&right.line.text)));
        let commands: BTreeSet<&str> = spared.iter().map(|question| question.line.text.as_str()).collect();
        let mut lets_through: Vec<String> = addition.programs.iter().map(|program| self.sentence(program)).collect();
        if !addition.allow.is_empty() {
            let entries: Vec<String> = addition.allow.iter().map(|entry| format!("`{entry}`")).collect();
            lets_through.push(format!(
                "every command that is understood and does nothing else than {} and what is allowed already",
                entries.join(", ")
            ));
        }
        let mut shown: Vec<String> = Vec::new();
        for question in examples {
            if shown.len() < EXAMPLES && !shown.contains(&question.line.text) {
                shown.push(question.line.text.clone());
            }
        }
        Proposal {
            questions: spared.iter().map(|question| question.count).sum(),
            allow: addition.allow.iter().cloned().collect(),
            programs: self.rows_of(addition).cloned().collect(),
            lets_through,
            commands: commands.len(),
            examples: shown,
        }
    }

    /// What a sketched row lets through.
    fn sentence(&self, program: &str) -> String {
        let row = self.rows.get(program).and_then(Option::as_ref);
        let names = row.and_then(|row| row.get("subcommands")).and_then(Value::as_object);
        let calls = match names {
            Some(names) => {
                let names: Vec<String> = names.keys().map(|name| format!("`{program} {name}`")).collect();
                names.join(", ")
            }
            None => format!("`{program}`"),
        };
        format!(
            "{calls} with the options of the row and any operands: each is taken for a file that is read and written, and \
             the program for code of the project; say in the row what it really does"
        )
    }
}
