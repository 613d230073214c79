//! Checking a whole log, and the records it speaks of, from the outside: nothing is written, no key is needed but the
//! public one.

use std::collections::HashMap;
use std::fmt;

use cavra_log::{Checkpoint, Hash, Tree, leaf_hash};
use cavra_model::{APPROVALS, DECISIONS, EVIDENCE_METADATA, EVIDENCE_ORIGINS, Kind, PUBLICATIONS};
use cavra_store::{Audited, LogFile};
use serde::Serialize;
use serde_json::Value;

use super::{Leaf, LogError};
use crate::evidence::written;

/// Where the leaves of a log are read from.
pub trait Leaves {
    /// Number of leaves.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    fn size(&self) -> Result<u64, LogError>;

    /// Shows `visit` every leaf, one after the other. Answers what is wrong with the log besides its leaves, the first
    /// few things.
    ///
    /// # Errors
    /// [`LogError`] if a leaf is missing or the log cannot be read.
    fn walk(&self, visit: &mut dyn FnMut(u64, &[u8])) -> Result<Vec<String>, LogError>;
}

impl Leaves for LogFile {
    fn size(&self) -> Result<u64, LogError> {
        Ok(Self::size(self)?)
    }

    fn walk(&self, visit: &mut dyn FnMut(u64, &[u8])) -> Result<Vec<String>, LogError> {
        Self::walk(self, 0..Self::size(self)?, |index, leaf| visit(index, leaf.as_bytes()))?;
        Ok(Vec::new())
    }
}

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
    /// What is wrong besides the leaves, the first few things.
    pub faults: Vec<String>,
}

/// Strange leaves and faults that are named.
pub(super) const NAMED: usize = 10;

/// Hashes every leaf, compares with the checkpoints on the way, and tells `visit` of every leaf.
///
/// Checkpoints that both fit the same leaves are consistent with each other.
///
/// # Errors
/// [`LogError`] if a leaf is missing or the log cannot be read.
pub fn audit(log: &impl Leaves, heads: &[Checkpoint], mut visit: impl FnMut(u64)) -> Result<Audit, LogError> {
    let size = log.size()?;
    let (mut tree, mut strange) = (Tree::default(), Vec::new());
    let mut roots: HashMap<u64, Hash> = HashMap::new();
    let is_wanted = |size: u64| heads.iter().any(|head| head.size == size);
    if is_wanted(0) {
        roots.insert(0, tree.root());
    }
    let faults = log.walk(&mut |index, leaf| {
        tree.push(leaf_hash(leaf));
        if is_wanted(index + 1) {
            roots.insert(index + 1, tree.root());
        }
        let ours = std::str::from_utf8(leaf).ok().and_then(Leaf::parse);
        if ours.is_none() && strange.len() < NAMED {
            strange.push(index);
        }
        visit(index);
    })?;
    let problem = |head: &Checkpoint| match roots.get(&head.size) {
        Some(root) if *root == head.root => None,
        Some(_) => Some(format!("the first {} leaves are not those that were signed", head.size)),
        None => Some(format!("the log has {size} leaves, but {} were signed", head.size)),
    };
    Ok(Audit { size, root: tree.root(), problems: heads.iter().map(problem).collect(), strange, faults })
}

/// A record that does not fit the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordFault {
    /// Its id.
    pub id: String,
    /// What does not fit: `changed`, `missing`, `unlogged`, `unreadable`, or `column` for a database's column by which
    /// lists find it, and which says something else than the record.
    pub fault: &'static str,
    /// That column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<&'static str>,
}

impl RecordFault {
    fn new(id: String, fault: &'static str) -> Self {
        Self { id, fault, column: None }
    }
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "record {}: its column {column} does not say what the record does", self.id),
            None => write!(f, "record {} is {}", self.id, self.fault),
        }
    }
}

/// What the records are found to be.
#[derive(Clone, Debug, Default)]
pub struct RecordAudit {
    /// Records that are as their newest leaf says.
    pub matching: u64,
    /// Records that are older than the log and so have no leaf.
    pub older: u64,
    /// Records of evidence that clients posted; they have no leaves.
    pub by_clients: u64,
    /// Records that do not fit.
    pub faults: Vec<RecordFault>,
    /// Lists that do not show what is stored, in sentences.
    pub lists: Vec<String>,
}

/// Compares every record of `kinds` with the newest leaf about it, and with what its database keeps of it besides.
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
    let mut without_leaf = Vec::new();
    for kind in kinds {
        let lists = file.audit(kind, |Audited { id, record, differing }| {
            let leaf = newest.remove(&(kind.table, id.clone()));
            let Ok(record) = record else {
                found.faults.push(RecordFault::new(id, "unreadable"));
                return;
            };
            if leaf.as_ref().is_none_or(|leaf| leaf.is_of(&record)) {
                let column = |column| RecordFault { id: id.clone(), fault: "column", column: Some(column) };
                found.faults.extend(differing.into_iter().map(column));
            }
            let older = record.get(kind.order.by).and_then(Value::as_str).unwrap_or_default() < first.as_str();
            match leaf {
                Some(leaf) if leaf.is_of(&record) && !leaf.event.removes() => found.matching += 1,
                Some(_) => found.faults.push(RecordFault::new(id, "changed")),
                None if kind.leaves() => without_leaf.push((*kind, id, older)),
                // It was there before its kind left leaves.
                None => {}
            }
        })?;
        found.lists.extend(lists);
    }
    for (kind, id, older) in without_leaf {
        let foreign = kind.table == EVIDENCE_METADATA.table && file.get(&EVIDENCE_ORIGINS, &written(&id))?.is_none();
        match () {
            () if foreign => found.by_clients += 1,
            () if older => found.older += 1,
            () => found.faults.push(RecordFault::new(id, "unlogged")),
        }
    }
    let expected = newest.into_iter().filter(|(_, leaf)| !leaf.event.removes());
    let missing = expected.map(|((_, id), _)| RecordFault::new(id, "missing"));
    found.faults.extend(missing);
    found.faults.sort_by(|left, right| left.id.cmp(&right.id));
    Ok(found)
}

trait Logged {
    /// Whether its records leave leaves.
    fn leaves(&self) -> bool;
}

impl Logged for Kind {
    fn leaves(&self) -> bool {
        [&DECISIONS, &APPROVALS, &PUBLICATIONS, &EVIDENCE_METADATA].iter().any(|kind| kind.table == self.table)
    }
}
