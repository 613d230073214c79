//! Roots and proofs, against the vectors of RFC 6962's authors and against its definitions written down plainly.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use cavra_log::{
    Hash, InvalidProof, TILE_WIDTH, Tiles, Tree, leaf_hash, prove_consistency, prove_inclusion, root,
    verify_consistency, verify_inclusion,
};

/// The leaves and roots of the certificate transparency test suite.
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2).unwrap(), 16).unwrap()).collect()
}

fn hex(hash: &Hash) -> String {
    hash.bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|number| leaf_hash(number.to_string())).collect()
}

fn tree(leaves: &[Hash]) -> Tree {
    let mut tree = Tree::default();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree
}

/// The leaves of every complete tile.
fn all_tiles(leaves: &[Hash]) -> Tiles {
    let tiles = leaves.chunks_exact(usize::try_from(TILE_WIDTH).unwrap());
    (0..).zip(tiles.map(<[Hash]>::to_vec)).collect()
}

/// `MTH` as RFC 6962 defines it.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of_nothing(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Hash::of_children(&mth(left), &mth(right))
        }
    }
}

/// `PATH` as RFC 6962 defines it.
fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut rest, sibling) =
        if index < left.len() { (path(index, left), mth(right)) } else { (path(index - left.len(), right), mth(left)) };
    rest.push(sibling);
    rest
}

/// `SUBPROOF` as RFC 6962 defines it.
fn subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![mth(leaves)] };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut rest, sibling) = if old <= left.len() {
        (subproof(old, left, whole), mth(right))
    } else {
        (subproof(old - left.len(), right, false), mth(left))
    };
    rest.push(sibling);
    rest
}

fn flipped(hash: &Hash, bit: usize) -> Hash {
    let mut bytes = *hash.bytes();
    bytes[bit / 8 % 32] ^= 1 << (bit % 8);
    bytes.into()
}

/// Sizes around everything that is a border of tiles and levels.
fn sizes() -> Vec<u64> {
    let mut sizes: Vec<_> = (0..70).chain(250..262).chain(510..516).collect();
    sizes.extend([300, 767, 768, 769, 1024, 1025, 1500]);
    sizes.sort_unstable();
    sizes
}

#[test]
fn vectors_of_certificate_transparency() {
    let hashes: Vec<_> = LEAVES.iter().map(|leaf| leaf_hash(unhex(leaf))).collect();
    for (size, wanted) in ROOTS.iter().enumerate() {
        assert_eq!(hex(&tree(&hashes[..size]).root()), *wanted);
    }
    let (tree, none) = (tree(&hashes), Tiles::new());
    let nodes = tree.with(&none);
    // Paths of the same suite.
    let path: Vec<_> = prove_inclusion(&nodes, 5, 8).unwrap().iter().map(hex).collect();
    assert_eq!(
        path,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
    let proof: Vec<_> = prove_consistency(&nodes, 6, 8).unwrap().iter().map(hex).collect();
    assert_eq!(
        proof,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
}

#[test]
fn roots_are_those_of_the_definition() {
    let leaves = leaves(1500);
    let (whole, tiles) = (tree(&leaves), all_tiles(&leaves));
    for size in sizes() {
        let wanted = mth(&leaves[..usize::try_from(size).unwrap()]);
        let grown = tree(&leaves[..usize::try_from(size).unwrap()]);
        assert_eq!((grown.size(), grown.root()), (size, wanted), "{size}");
        assert_eq!(root(&whole.with(&tiles), size), Ok(wanted), "{size}");
    }
}

/// Every proof is the one of the definition, verifies, and does not when anything about it is changed.
#[test]
fn inclusion() {
    let leaves = leaves(1500);
    let whole = tree(&leaves);
    let mut tampered = 0_u64;
    for size in sizes() {
        let count = usize::try_from(size).unwrap();
        let root = mth(&leaves[..count]);
        let step = if size < 70 { 1 } else { 37 };
        for index in (0..size).step_by(step) {
            let mut tiles = all_tiles(&leaves);
            let needed = whole.tiles_needed(&[index, size]);
            tiles.retain(|tile, _| needed.contains(tile));
            let at = usize::try_from(index).unwrap();
            let proof = prove_inclusion(&whole.with(&tiles), index, size).unwrap();
            assert_eq!(proof, path(at, &leaves[..count]), "{index} of {size}");
            let verify =
                |leaf: Hash, index, size, proof: &[Hash], root| verify_inclusion(leaf, index, size, proof, root);
            assert_eq!(verify(leaves[at], index, size, &proof, root), Ok(()), "{index} of {size}");
            let mut refused = |outcome: Result<(), InvalidProof>, what: &str| {
                tampered += 1;
                assert!(outcome.is_err(), "{what}: {index} of {size}");
            };
            refused(verify(flipped(&leaves[at], at), index, size, &proof, root), "another leaf");
            refused(verify(leaves[at], index, size, &proof, flipped(&root, at)), "another root");
            refused(verify(leaves[at], size, size, &proof, root), "outside");
            refused(verify(leaves[at], index, 0, &proof, root), "of nothing");
            refused(verify(leaves[at], index, size, &[proof.as_slice(), &[root]].concat(), root), "one more");
            for other in (0..size).filter(|other| *other != index).take(9) {
                refused(verify(leaves[at], other, size, &proof, root), "another index");
            }
            for place in 0..proof.len() {
                let mut wrong = proof.clone();
                wrong[place] = flipped(&wrong[place], at + place);
                refused(verify(leaves[at], index, size, &wrong, root), "a flipped bit");
                let mut wrong = proof.clone();
                wrong.remove(place);
                refused(verify(leaves[at], index, size, &wrong, root), "one less");
            }
            for place in 1..proof.len() {
                let mut wrong = proof.clone();
                wrong.swap(place - 1, place);
                refused(verify(leaves[at], index, size, &wrong, root), "another order");
            }
        }
    }
    assert!(tampered > 50_000, "{tampered}");
}

#[test]
fn consistency() {
    let leaves = leaves(1500);
    let whole = tree(&leaves);
    let mut tampered = 0_u64;
    let sizes = sizes();
    for (position, new) in sizes.iter().enumerate() {
        for old in &sizes[..=position] {
            let (new, old) = (*new, *old);
            let (new_count, old_count) = (usize::try_from(new).unwrap(), usize::try_from(old).unwrap());
            let (old_root, new_root) = (mth(&leaves[..old_count]), mth(&leaves[..new_count]));
            let mut tiles = all_tiles(&leaves);
            let needed = whole.tiles_needed(&[old, new]);
            tiles.retain(|tile, _| needed.contains(tile));
            let proof = prove_consistency(&whole.with(&tiles), old, new).unwrap();
            let wanted = if old == 0 { Vec::new() } else { subproof(old_count, &leaves[..new_count], true) };
            assert_eq!(proof, wanted, "{old} to {new}");
            let verify = |old: u64, old_root, new_root, proof: &[Hash]| {
                verify_consistency((old, old_root), (new, new_root), proof)
            };
            assert_eq!(verify(old, old_root, new_root, &proof), Ok(()), "{old} to {new}");
            let mut refused = |outcome: Result<(), InvalidProof>, what: &str| {
                tampered += 1;
                assert!(outcome.is_err(), "{what}: {old} to {new}");
            };
            refused(verify(old, flipped(&old_root, old_count), new_root, &proof), "another old root");
            refused(verify(new + 1, old_root, new_root, &proof), "backwards");
            refused(verify(old, old_root, new_root, &[proof.as_slice(), &[new_root]].concat()), "one more");
            if old > 0 {
                refused(verify(old, old_root, flipped(&new_root, old_count), &proof), "another new root");
            }
            for place in 0..proof.len() {
                let mut wrong = proof.clone();
                wrong[place] = flipped(&wrong[place], old_count + place);
                refused(verify(old, old_root, new_root, &wrong), "a flipped bit");
                let mut wrong = proof.clone();
                wrong.remove(place);
                refused(verify(old, old_root, new_root, &wrong), "one less");
            }
        }
    }
    assert!(tampered > 50_000, "{tampered}");
}

#[test]
fn hashes_that_were_not_brought_along_are_missed() {
    let leaves = leaves(600);
    let (tree, none) = (tree(&leaves), Tiles::new());
    assert_eq!(tree.tiles_needed(&[5, 200, 300, 599, 600]), [0, 1]);
    assert!(prove_inclusion(&tree.with(&none), 5, 600).is_err());
    assert!(prove_inclusion(&tree.with(&none), 599, 600).is_ok());
    assert!(prove_inclusion(&tree.with(&none), 599, 601).is_err(), "larger than the tree");
}
