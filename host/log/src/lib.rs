//! The Merkle log of the evidence, without any I/O: RFC 6962 hashes and proofs, and the C2SP texts in which they
//! travel (`tlog-tiles`, `tlog-checkpoint`, `signed-note`, `tlog-proof`), so that an auditor can use stock tools.

mod checkpoint;
mod hash;
mod note;
mod proof;
mod tile;
mod tlog_proof;
mod tree;

pub use checkpoint::{Checkpoint, InvalidCheckpoint};
pub use hash::{Hash, leaf_hash};
pub use note::{InvalidNote, InvalidVerifierKey, Note, VerifierKey};
pub use proof::{InvalidProof, Nodes, prove_consistency, prove_inclusion, root, verify_consistency, verify_inclusion};
pub use tile::{InvalidTile, MAX_LEAF, Tile, TileKind, bundle, unbundle};
pub use tlog_proof::{InvalidTlogProof, TlogProof};
pub use tree::{TILE_WIDTH, Tiles, Tree, tile_of};
