//! The hashes of a store's log, kept in memory as the log grows, and the proofs made from them.

use std::ops::Range;

use cavra_log::{Hash, Nodes, TILE_WIDTH, Tiles, Tree, leaf_hash, prove_inclusion, root};
use cavra_model::Kind;
use cavra_store::RecordStore;

use super::LogError;

/// Leaves read at once.
const CHUNK: u64 = 4096;

/// The log of a store.
pub(super) struct Grown {
    name: &'static str,
    /// A kind of the log's area.
    kind: &'static Kind,
    store: RecordStore,
    tree: Tree,
    /// The last leaf that was taken in.
    last: Option<Hash>,
}

impl Grown {
    pub(super) fn new(name: &'static str, kind: &'static Kind, store: RecordStore) -> Self {
        Self { name, kind, store, tree: Tree::default(), last: None }
    }

    /// Number of leaves that are known.
    pub(super) fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Root hash over them.
    pub(super) fn root(&self) -> Hash {
        self.tree.root()
    }

    /// Takes in the leaves that have come since. A log that is another one than before is read anew.
    pub(super) async fn catch_up(&mut self) -> Result<(), LogError> {
        let size = self.store.log_size(self.kind).await?;
        if size < self.tree.size() || !self.is_same().await? {
            self.forget();
        }
        while self.tree.size() < size {
            let next = self.tree.size();
            for leaf in self.leaves(next..size.min(next + CHUNK)).await? {
                let hash = leaf_hash(leaf);
                self.tree.push(hash);
                self.last = Some(hash);
            }
        }
        Ok(())
    }

    /// Whether the leaf that was the last one is still in its place.
    async fn is_same(&self) -> Result<bool, LogError> {
        let Some(last) = self.last else { return Ok(true) };
        let size = self.tree.size();
        Ok(self.leaves(size - 1..size).await?.first().is_some_and(|leaf| leaf_hash(leaf) == last))
    }

    /// Forgets everything that is known, so that it is read anew.
    pub(super) fn forget(&mut self) {
        (self.tree, self.last) = (Tree::default(), None);
    }

    /// Root hash over the first `size` leaves; `None` if there are fewer.
    pub(super) async fn root_at(&self, size: u64) -> Result<Option<Hash>, LogError> {
        if size > self.tree.size() {
            return Ok(None);
        }
        if size == self.tree.size() {
            return Ok(Some(self.tree.root()));
        }
        let tiles = self.tiles(&[size]).await?;
        root(&self.tree.with(&tiles), size).map(Some).map_err(|error| self.damaged(&error))
    }

    /// Proof that the leaf `index` is among the first `size`.
    pub(super) async fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, LogError> {
        let tiles = self.tiles(&[index, size]).await?;
        prove_inclusion(&self.tree.with(&tiles), index, size).map_err(|error| self.damaged(&error))
    }

    /// The nodes of a level above that of single leaves.
    pub(super) fn nodes(&self, level: u32, range: Range<u64>) -> Result<Vec<Hash>, LogError> {
        let none = Tiles::new();
        let nodes = self.tree.with(&none);
        range.map(|index| nodes.node(level, index)).collect::<Result<_, _>>().map_err(|error| self.damaged(&error))
    }

    /// All of the leaves `range`.
    pub(super) async fn leaves(&self, range: Range<u64>) -> Result<Vec<String>, LogError> {
        let wanted = range.end.saturating_sub(range.start);
        let leaves = self.store.leaves(self.kind, range).await?;
        if leaves.len() as u64 == wanted { Ok(leaves) } else { Err(self.damaged("leaves are missing at its end")) }
    }

    /// The leaves of the complete tiles that a proof needs, as hashes.
    async fn tiles(&self, places: &[u64]) -> Result<Tiles, LogError> {
        let mut tiles = Tiles::new();
        for tile in self.tree.tiles_needed(places) {
            let leaves = self.leaves(tile * TILE_WIDTH..(tile + 1) * TILE_WIDTH).await?;
            tiles.insert(tile, leaves.iter().map(leaf_hash).collect());
        }
        Ok(tiles)
    }

    pub(super) fn damaged(&self, problem: &(impl ToString + ?Sized)) -> LogError {
        LogError::Damaged { log: self.name, problem: problem.to_string() }
    }
}
