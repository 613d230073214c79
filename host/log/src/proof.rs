//! Proofs of inclusion and consistency: making them (RFC 6962, section 2.1) and checking them (RFC 9162, sections
//! 2.1.3.2 and 2.1.4.2).

use thiserror::Error;

use crate::Hash;

/// A proof does not show what it claims.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidProof {
    /// The index or the sizes are impossible.
    #[error("the proof is for no place in a tree of this size")]
    Place,
    /// Too few or too many hashes.
    #[error("the proof has the wrong number of hashes")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root hash")]
    Root,
}

/// Where the hashes of complete subtrees come from.
pub trait Nodes {
    /// Why one cannot be had.
    type Error;

    /// Hash of the complete subtree over the leaves `index << level` to `(index + 1) << level`.
    ///
    /// # Errors
    /// If it cannot be had.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// Root hash of the tree of the first `size` leaves.
///
/// # Errors
/// What `nodes` answers.
pub fn root<N: Nodes>(nodes: &N, size: u64) -> Result<Hash, N::Error> {
    if size == 0 { Ok(Hash::of_nothing()) } else { subtree(nodes, 0, size) }
}

/// Proof that leaf `index` is in the tree of the first `size` leaves, from the leaf's sibling upwards.
///
/// # Errors
/// What `nodes` answers. A leaf outside the tree has an empty proof, which does not verify.
pub fn prove_inclusion<N: Nodes>(nodes: &N, index: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    let mut path = Vec::new();
    let (mut start, mut end) = (0, size);
    while index < size && end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(subtree(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(subtree(nodes, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// Proof that the tree of the first `new` leaves continues the one of the first `old`. Empty for trees of the same
/// size and for the empty tree, which everything continues.
///
/// # Errors
/// What `nodes` answers.
pub fn prove_consistency<N: Nodes>(nodes: &N, old: u64, new: u64) -> Result<Vec<Hash>, N::Error> {
    let mut path = Vec::new();
    if old == 0 || old >= new {
        return Ok(path);
    }
    let (mut start, mut end) = (0, new);
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            path.push(subtree(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(subtree(nodes, start, middle)?);
            start = middle;
        }
    }
    // The verifier knows the hash of the old tree, if that is a subtree of its own.
    if start != 0 {
        path.push(subtree(nodes, start, end)?);
    }
    path.reverse();
    Ok(path)
}

/// Checks that a leaf with hash `leaf` is at `index` in the tree with `size` leaves and this `root`.
///
/// # Errors
/// [`InvalidProof`].
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash], root: Hash) -> Result<(), InvalidProof> {
    if index >= size {
        return Err(InvalidProof::Place);
    }
    let (mut node, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return Err(InvalidProof::Length);
        }
        if node & 1 == 1 || node == last {
            hash = Hash::of_children(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = Hash::of_children(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(InvalidProof::Length);
    }
    if hash == root { Ok(()) } else { Err(InvalidProof::Root) }
}

/// Checks that the tree with `new` leaves and `new_root` continues the one with `old` leaves and `old_root`.
///
/// # Errors
/// [`InvalidProof`].
pub fn verify_consistency(
    (old, old_root): (u64, Hash),
    (new, new_root): (u64, Hash),
    proof: &[Hash],
) -> Result<(), InvalidProof> {
    if old > new {
        return Err(InvalidProof::Place);
    }
    if old == new || old == 0 {
        let holds = if old == new { old_root == new_root } else { old_root == Hash::of_nothing() };
        return match (proof.is_empty(), holds) {
            (false, _) => Err(InvalidProof::Length),
            (true, false) => Err(InvalidProof::Root),
            (true, true) => Ok(()),
        };
    }
    let mut hashes = proof.iter();
    let first = if old.is_power_of_two() { &old_root } else { hashes.next().ok_or(InvalidProof::Length)? };
    let trailing = (old - 1).trailing_ones();
    let (mut node, mut last) = ((old - 1) >> trailing, (new - 1) >> trailing);
    let (mut old_hash, mut new_hash) = (*first, *first);
    for hash in hashes {
        if last == 0 {
            return Err(InvalidProof::Length);
        }
        if node & 1 == 1 || node == last {
            old_hash = Hash::of_children(hash, &old_hash);
            new_hash = Hash::of_children(hash, &new_hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            new_hash = Hash::of_children(&new_hash, hash);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(InvalidProof::Length);
    }
    if old_hash == old_root && new_hash == new_root { Ok(()) } else { Err(InvalidProof::Root) }
}

/// Leaves of the left child of a tree with `size` leaves: the largest power of two below `size`, which is above one.
fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

/// Hash over the leaves `start` to `end`, which is a subtree of some RFC 6962 tree: complete, or at its right edge.
fn subtree<N: Nodes>(nodes: &N, start: u64, end: u64) -> Result<Hash, N::Error> {
    let size = end - start;
    if size.is_power_of_two() {
        let level = size.trailing_zeros();
        return nodes.node(level, start >> level);
    }
    let middle = start + split(size);
    Ok(Hash::of_children(&subtree(nodes, start, middle)?, &subtree(nodes, middle, end)?))
}
