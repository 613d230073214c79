//! The paths and contents under which a log is served. C2SP `tlog-tiles`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use thiserror::Error;

use crate::TILE_WIDTH;
use crate::checkpoint::decimal;

/// Longest leaf: its length is written in two bytes.
pub const MAX_LEAF: usize = u16::MAX as usize;
/// Highest level of tiles.
const MAX_LEVEL: u64 = 63;
/// Levels of the tree that one level of tiles spans, as a power of two.
const HEIGHT: u32 = 8;
/// Levels of tiles that a log can have.
const LEVELS: u32 = u64::BITS / HEIGHT;

/// A path or bundle is none.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidTile {
    /// The path names no tile.
    #[error("the path names no tile")]
    Path,
    /// The bytes are no entry bundle.
    #[error("the bytes are no entry bundle")]
    Bundle,
}

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileKind {
    /// The leaves themselves.
    Entries,
    /// Hashes of one level of tiles.
    Hashes(u32),
}

/// A tile, as its path names it: `0/x001/234`, `entries/000.p/7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// What it holds.
    pub kind: TileKind,
    /// Its place in the level.
    pub index: u64,
    /// How much it holds, 1 to 256.
    pub width: u64,
}

impl Tile {
    /// Every tile of a log of `size` leaves, each after those it is made from: a bundle of entries, the hashes of its
    /// leaves, and the tiles above that are complete then; at last the tiles above that are not.
    pub fn all(size: u64) -> impl Iterator<Item = Self> + use<> {
        let bundles = (0..size.div_ceil(TILE_WIDTH)).flat_map(move |index| {
            let width = (size - index * TILE_WIDTH).min(TILE_WIDTH);
            let pair = [TileKind::Entries, TileKind::Hashes(0)].map(|kind| Self { kind, index, width });
            pair.into_iter().chain((1..LEVELS).map_while(move |level| Self::completed(level, index, width)))
        });
        let rest = (1..LEVELS).filter_map(move |level| {
            let nodes = size.checked_shr(level * HEIGHT)?;
            let (index, width) = (nodes / TILE_WIDTH, nodes % TILE_WIDTH);
            (width > 0).then_some(Self { kind: TileKind::Hashes(level), index, width })
        });
        bundles.chain(rest)
    }

    /// The tile of a level that is complete with this bundle.
    fn completed(level: u32, bundle: u64, width: u64) -> Option<Self> {
        let before = bundle.checked_add(1)?;
        let below = TILE_WIDTH.checked_pow(level)?;
        let complete = width == TILE_WIDTH && before.is_multiple_of(below);
        complete.then(|| Self { kind: TileKind::Hashes(level), index: before / below - 1, width })
    }

    /// The same tile once it is complete.
    #[must_use]
    pub const fn full(&self) -> Self {
        Self { width: TILE_WIDTH, ..*self }
    }

    /// Level of the tree whose nodes it holds.
    #[must_use]
    pub const fn level(&self) -> u32 {
        match self.kind {
            TileKind::Entries => 0,
            TileKind::Hashes(level) => level * HEIGHT,
        }
    }

    /// The nodes of that level it holds.
    #[must_use]
    pub fn nodes(&self) -> Range<u64> {
        let start = self.index.saturating_mul(TILE_WIDTH);
        start..start.saturating_add(self.width)
    }

    /// Whether a log of `size` leaves has it.
    #[must_use]
    pub fn exists(&self, size: u64) -> bool {
        size.checked_shr(self.level()).is_some_and(|nodes| self.nodes().end <= nodes)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Entries => f.write_str("entries")?,
            TileKind::Hashes(level) => write!(f, "{level}")?,
        }
        let mut groups = vec![format!("/{:03}", self.index % 1000)];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(format!("/x{:03}", rest % 1000));
            rest /= 1000;
        }
        groups.iter().rev().try_for_each(|group| f.write_str(group))?;
        if self.width < TILE_WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

impl FromStr for Tile {
    type Err = InvalidTile;

    fn from_str(path: &str) -> Result<Self, InvalidTile> {
        let read = || {
            let (kind, rest) = path.split_once('/')?;
            let kind = match kind {
                "entries" => TileKind::Entries,
                level => TileKind::Hashes(
                    decimal(level).filter(|level| *level <= MAX_LEVEL).and_then(|l| l.try_into().ok())?,
                ),
            };
            let (groups, width) = match rest.split_once(".p/") {
                Some((groups, width)) => (groups, decimal(width)?),
                None => (rest, TILE_WIDTH),
            };
            let mut index = 0_u64;
            for group in groups.split('/') {
                let digits = group.strip_prefix('x').unwrap_or(group);
                let number: u64 = digits.parse().ok()?;
                index = index.checked_mul(1000)?.checked_add(number)?;
            }
            Some(Self { kind, index, width })
        };
        // There is one path for every tile, so what is written back must be what was read.
        read()
            .filter(|tile| (1..=TILE_WIDTH).contains(&tile.width) && tile.to_string() == path)
            .ok_or(InvalidTile::Path)
    }
}

/// Leaves as an entry bundle.
///
/// # Errors
/// [`InvalidTile::Bundle`] if a leaf is longer than [`MAX_LEAF`].
pub fn bundle<L: AsRef<[u8]>>(leaves: impl IntoIterator<Item = L>) -> Result<Vec<u8>, InvalidTile> {
    let mut bytes = Vec::new();
    for leaf in leaves {
        let length = u16::try_from(leaf.as_ref().len()).map_err(|_| InvalidTile::Bundle)?;
        bytes.extend(length.to_be_bytes());
        bytes.extend(leaf.as_ref());
    }
    Ok(bytes)
}

/// The leaves of an entry bundle.
///
/// # Errors
/// [`InvalidTile::Bundle`] if it is cut off.
pub fn unbundle(mut bytes: &[u8]) -> Result<Vec<&[u8]>, InvalidTile> {
    let mut leaves = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<2>().ok_or(InvalidTile::Bundle)?;
        let (leaf, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(InvalidTile::Bundle)?;
        leaves.push(leaf);
        bytes = rest;
    }
    Ok(leaves)
}
