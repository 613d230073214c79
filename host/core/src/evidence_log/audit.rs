//! Checking a whole log, and the records it speaks of, from the outside: nothing is written, no key is needed but the
//! public one.

use std::collections::HashMap;

use cavra_log::{Checkpoint, Hash, Tree, leaf_hash};
use cavra_model::{Kind, Object};
use cavra_store::LogFile;
use serde::Serialize;
use serde_json::Value;

use super::{Leaf, LogError};

/// What a log is found to be.
#[derive(Clone, Debug)]
pub struct Audit {
    /// Number of leaves.
    pub size: u64,
    /// Root hash over them.
    pub root: Hash,
    /// For every checkpoint what does not fit, in the order they were given.
    pub problems: Vec<Option<String>>,
    /// Leaves that are none of ours, the first few.
    pub strange: Vec<u64>,
}

/// Strange leaves that are named.
const NAMED: usize = 10;

/// Hashes every leaf, compares with the checkpoints on the way, and shows every leaf to `visit`.
///
/// Checkpoints that both fit the same leaves are consistent with each other.
///
/// # Errors
/// [`LogError::Store`] if a leaf is missing or the store cannot be read.
pub fn audit(file: &LogFile, heads: &[Checkpoint], mut visit: impl FnMut(u64, &str)) -> Result<Audit, LogError> {
    let size = file.size()?;
    let (mut tree, mut strange) = (Tree::default(), Vec::new());
    let mut roots: HashMap<u64, Hash> = HashMap::new();
    let is_wanted = |size: u64| heads.iter().any(|head| head.size == size);
    if is_wanted(0) {
        roots.insert(0, tree.root());
    }
    file.walk(0..size, |index, leaf| {
        tree.push(leaf_hash(leaf));
        if is_wanted(index + 1) {
            roots.insert(index + 1, tree.root());
        }
        if Leaf::parse(leaf).is_none() && strange.len() < NAMED {
            strange.push(index);
        }
        visit(index, leaf);
    })?;
    let problem = |head: &Checkpoint| match roots.get(&head.size) {
        Some(root) if *root == head.root => None,
        Some(_) => Some(format!("the first {} leaves are not those that were signed", head.size)),
        None => Some(format!("the log has {size} leaves, but {} were signed", head.size)),
    };
    Ok(Audit { size, root: tree.root(), problems: heads.iter().map(problem).collect(), strange })
}

/// A record that does not fit the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordFault {
    /// Its id.
    pub id: String,
    /// What does not fit: `changed`, `missing` or `unlogged`.
    pub fault: &'static str,
}

/// What the records are found to be.
#[derive(Clone, Debug, Default)]
pub struct RecordAudit {
    /// Records that are as their newest leaf says.
    pub matching: u64,
    /// Records that are older than the log and so have no leaf.
    pub older: u64,
    /// Records that do not fit.
    pub faults: Vec<RecordFault>,
}

/// Compares every record of `kinds` with the newest leaf about it.
///
/// # Errors
/// [`LogError::Store`].
pub fn audit_records(file: &LogFile, kinds: &'static [&'static Kind]) -> Result<RecordAudit, LogError> {
    let mut newest: HashMap<(&str, String), Leaf> = HashMap::new();
    let mut first = None;
    file.walk(0..file.size()?, |_, leaf| {
        let Some(leaf) = Leaf::parse(leaf) else { return };
        first.get_or_insert_with(|| leaf.time.clone());
        if let Some(kind) = leaf.event.kind() {
            newest.insert((kind.table, leaf.id.clone()), leaf);
        }
    })?;
    let first = first.unwrap_or_default();
    let mut found = RecordAudit::default();
    for kind in kinds.iter().filter(|kind| kind.leaves()) {
        file.records(kind, |record| {
            let text = |member: &str| record.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
            let id = text(kind.id);
            let leaf = newest.remove(&(kind.table, id.clone()));
            let older = text(kind.order.by) < first;
            match judge(leaf.as_ref(), &record, older) {
                Some(fault) => found.faults.push(RecordFault { id, fault }),
                None if leaf.is_some() => found.matching += 1,
                None => found.older += 1,
            }
        })?;
    }
    let missing = newest.into_keys().map(|(_, id)| RecordFault { id, fault: "missing" });
    found.faults.extend(missing);
    found.faults.sort_by(|left, right| left.id.cmp(&right.id));
    Ok(found)
}

fn judge(leaf: Option<&Leaf>, record: &Object, older: bool) -> Option<&'static str> {
    match leaf {
        Some(leaf) if leaf.is_of(record) => None,
        Some(_) => Some("changed"),
        None if older => None,
        None => Some("unlogged"),
    }
}

trait Logged {
    /// Whether its records leave leaves.
    fn leaves(&self) -> bool;
}

impl Logged for Kind {
    fn leaves(&self) -> bool {
        [&cavra_model::DECISIONS, &cavra_model::APPROVALS, &cavra_model::PUBLICATIONS]
            .iter()
            .any(|kind| kind.table == self.table)
    }
}
