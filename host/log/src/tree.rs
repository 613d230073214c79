//! The hashes that are kept of a log: one per complete tile of 256 leaves, the nodes above them, and the leaves of the
//! tile that is not complete. Those are 32 bytes for four leaves' worth of a thousand; hashes of single leaves are
//! computed from the leaves when a proof needs them.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::{Hash, Nodes};

/// Leaves of a complete tile.
pub const TILE_WIDTH: u64 = 256;
/// Level of the node that stands for a complete tile.
const TILE_LEVEL: u32 = 8;

/// The hashes of a log, without those of single leaves in complete tiles.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Complete nodes; the first level is that of complete tiles.
    levels: Vec<Vec<Hash>>,
    /// Leaves of the tile that is not complete.
    tail: Vec<Hash>,
}

/// The hashes of the leaves of complete tiles that a proof needs, by index of the tile.
pub type Tiles = BTreeMap<u64, Vec<Hash>>;

/// A hash is needed that was not brought along.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the hash of node {index} of level {level} is not known")]
pub struct UnknownNode {
    level: u32,
    index: u64,
}

/// Index of the tile that holds a leaf.
#[must_use]
pub const fn tile_of(leaf: u64) -> u64 {
    leaf / TILE_WIDTH
}

impl Tree {
    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        let complete = self.levels.first().map_or(0, |tiles| tiles.len() as u64);
        complete * TILE_WIDTH + self.tail.len() as u64
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.tail.push(leaf);
        if self.tail.len() as u64 == TILE_WIDTH {
            let tile = std::mem::take(&mut self.tail);
            if let Some(hash) = fold(tile, TILE_LEVEL) {
                self.complete(0, hash);
            }
        }
    }

    /// Adds a complete node and those that it completes.
    fn complete(&mut self, level: usize, hash: Hash) {
        if self.levels.len() <= level {
            self.levels.push(Vec::new());
        }
        let Some(nodes) = self.levels.get_mut(level) else { return };
        nodes.push(hash);
        if nodes.len().is_multiple_of(2)
            && let [.., left, right] = nodes.as_slice()
        {
            let parent = Hash::of_children(left, right);
            self.complete(level + 1, parent);
        }
    }

    /// Root hash of all leaves.
    #[must_use]
    pub fn root(&self) -> Hash {
        let tail = ragged(&self.tail);
        let complete = self.levels.iter().filter(|nodes| nodes.len() % 2 == 1).filter_map(|nodes| nodes.last());
        let root =
            complete.fold(tail, |right, left| Some(right.map_or(*left, |right| Hash::of_children(left, &right))));
        root.unwrap_or_else(Hash::of_nothing)
    }

    /// Indexes of the complete tiles whose leaves are needed for proofs about these leaves or sizes.
    #[must_use]
    pub fn tiles_needed(&self, places: &[u64]) -> Vec<u64> {
        let complete = tile_of(self.size());
        let mut tiles: Vec<_> = places.iter().map(|place| tile_of(*place)).filter(|tile| *tile < complete).collect();
        tiles.sort_unstable();
        tiles.dedup();
        tiles
    }

    /// The hashes with the leaves of some complete tiles.
    #[must_use]
    pub fn with<'a>(&'a self, tiles: &'a Tiles) -> impl Nodes<Error = UnknownNode> + 'a {
        View { tree: self, tiles }
    }
}

struct View<'a> {
    tree: &'a Tree,
    tiles: &'a Tiles,
}

impl Nodes for View<'_> {
    type Error = UnknownNode;

    fn node(&self, level: u32, index: u64) -> Result<Hash, UnknownNode> {
        let found = if level >= TILE_LEVEL { self.above(level, index) } else { self.below(level, index) };
        found.ok_or(UnknownNode { level, index })
    }
}

impl View<'_> {
    fn above(&self, level: u32, index: u64) -> Option<Hash> {
        let nodes = self.tree.levels.get(usize::try_from(level - TILE_LEVEL).ok()?)?;
        nodes.get(usize::try_from(index).ok()?).copied()
    }

    fn below(&self, level: u32, index: u64) -> Option<Hash> {
        let start = index << level;
        let tile = tile_of(start);
        let leaves = if tile == tile_of(self.tree.size()) { &self.tree.tail } else { self.tiles.get(&tile)? };
        let first = usize::try_from(start % TILE_WIDTH).ok()?;
        fold(leaves.get(first..first + (1_usize << level))?.to_vec(), level)
    }
}

/// Hash of a complete subtree over `1 << level` hashes.
fn fold(mut hashes: Vec<Hash>, level: u32) -> Option<Hash> {
    for _ in 0..level {
        let (pairs, _) = hashes.as_chunks::<2>();
        hashes = pairs.iter().map(|[left, right]| Hash::of_children(left, right)).collect();
    }
    hashes.first().copied()
}

/// Hash of fewer leaves than a tile's: the complete subtrees from the left, joined from the right.
fn ragged(leaves: &[Hash]) -> Option<Hash> {
    let mut rest = leaves;
    let mut subtrees = Vec::new();
    for level in (0..TILE_LEVEL).rev() {
        if let Some((subtree, after)) = rest.split_at_checked(1 << level) {
            subtrees.extend(fold(subtree.to_vec(), level));
            rest = after;
        }
    }
    subtrees.into_iter().rev().reduce(|right, left| Hash::of_children(&left, &right))
}
