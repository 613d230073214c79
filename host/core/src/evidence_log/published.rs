//! A log as it is published: a checkpoint and tiles, in the layout of C2SP `tlog-tiles`, wherever they are.

use std::collections::BTreeMap;

use cavra_log::{Hash, TILE_WIDTH, Tile, TileKind, Tree, leaf_hash, unbundle};

use super::LogError;
use super::audit::{Leaves, NAMED};

/// Bytes of a hash.
const HASH: usize = 32;

/// A tile that was read.
#[derive(Debug)]
pub struct Served {
    /// The tile as it was found: it may hold more than was asked for, if the log has grown meanwhile.
    pub tile: Tile,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Takes one tile after the other.
pub type TileVisitor<'a> = &'a mut dyn FnMut(Served) -> Result<(), LogError>;

/// Where the files of a published log are.
pub trait Files {
    /// What a tile's file is called there, for people.
    fn name(&self, tile: &Tile) -> String;

    /// Reads the tiles and shows `visit` one after the other, in their order.
    ///
    /// # Errors
    /// [`LogError::Published`] for a file that cannot be had, and what `visit` answers; either ends it.
    fn read(&self, tiles: &mut dyn Iterator<Item = Tile>, visit: TileVisitor<'_>) -> Result<(), LogError>;
}

/// The first leaves of a published log, with every tile that a log of just these has: both the leaves and the hashes that
/// others take proofs from.
#[derive(Debug)]
pub struct PublishedLog<F> {
    files: F,
    size: u64,
}

impl<F: Files> PublishedLog<F> {
    /// The first `size` leaves, as a checkpoint says that there are.
    #[must_use]
    pub const fn new(files: F, size: u64) -> Self {
        Self { files, size }
    }
}

impl<F: Files> Leaves for PublishedLog<F> {
    fn size(&self) -> Result<u64, LogError> {
        Ok(self.size)
    }

    fn walk(&self, visit: &mut dyn FnMut(u64, &[u8])) -> Result<Vec<String>, LogError> {
        let mut hashes = Hashes::default();
        let mut faults = Vec::new();
        self.files.read(&mut Tile::all(self.size), &mut |served| {
            let wanted = self.wanted(&served.tile);
            match served.tile.kind {
                TileKind::Entries => {
                    let leaves = self.leaves(&served)?;
                    for (leaf, index) in leaves.into_iter().take(wanted).zip(served.tile.nodes()) {
                        hashes.push(0, leaf_hash(leaf));
                        visit(index, leaf);
                    }
                }
                TileKind::Hashes(level) => {
                    let fault = hashes.compare(level, &served, wanted);
                    hashes.fold(level);
                    if let Some(fault) = fault.filter(|_| faults.len() < NAMED) {
                        faults.push(format!("{}: {fault}", self.files.name(&served.tile)));
                    }
                }
            }
            Ok(())
        })?;
        Ok(faults)
    }
}

impl<F: Files> PublishedLog<F> {
    /// How much of a tile belongs to the first `size` leaves.
    fn wanted(&self, tile: &Tile) -> usize {
        let nodes = self.size.checked_shr(tile.level()).unwrap_or(0);
        let wanted = nodes.saturating_sub(tile.nodes().start).min(tile.width);
        usize::try_from(wanted).unwrap_or(0)
    }

    /// The leaves of a bundle, which are as many as its name says.
    fn leaves<'a>(&self, served: &'a Served) -> Result<Vec<&'a [u8]>, LogError> {
        let wrong = |problem: String| LogError::Published { file: self.files.name(&served.tile), problem };
        let leaves = unbundle(&served.bytes).map_err(|error| wrong(error.to_string()))?;
        let (found, width) = (leaves.len(), served.tile.width);
        if found as u64 == width { Ok(leaves) } else { Err(wrong(format!("holds {found} leaves instead of {width}"))) }
    }
}

/// The hashes of tiles that are not complete yet, by level; they are computed from the leaves.
#[derive(Default)]
struct Hashes(BTreeMap<u32, Vec<Hash>>);

impl Hashes {
    fn at(&mut self, level: u32) -> &mut Vec<Hash> {
        self.0.entry(level).or_default()
    }

    fn push(&mut self, level: u32, hash: Hash) {
        self.at(level).push(hash);
    }

    /// What is wrong with a tile of hashes, if something is.
    fn compare(&mut self, level: u32, served: &Served, wanted: usize) -> Option<String> {
        let computed = self.at(level);
        let (rows, rest) = served.bytes.as_chunks::<HASH>();
        if !rest.is_empty() || rows.len() as u64 != served.tile.width {
            return Some(format!("holds {} bytes instead of {}", served.bytes.len(), served.tile.width * HASH as u64));
        }
        let differs = rows.iter().take(wanted).zip(computed.iter()).position(|(row, hash)| row != hash.bytes())?;
        let index = served.tile.nodes().start + differs as u64;
        Some(match level {
            0 => {
                let entries = Tile { kind: TileKind::Entries, ..served.tile };
                format!("its hash {differs} is not that of leaf {index} in tile/{entries}")
            }
            _ => format!("its hash {differs} is not that of the leaves below it"),
        })
    }

    /// Makes one hash of a complete tile, for the level above.
    fn fold(&mut self, level: u32) {
        let complete = self.at(level);
        if complete.len() as u64 == TILE_WIDTH {
            let mut tree = Tree::default();
            complete.drain(..).for_each(|hash| tree.push(hash));
            self.push(level + 1, tree.root());
        }
    }
}
