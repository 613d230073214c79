//! The C2SP texts: notes and keys of other implementations, round trips, and everything that must be refused.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use cavra_log::{
    Checkpoint, Hash, InvalidNote, InvalidTlogProof, Note, Tile, TileKind, TlogProof, Tree, VerifierKey, bundle,
    leaf_hash, prove_inclusion, unbundle,
};
use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;

/// A key and a note from the documentation of Go's `note` package.
const NEUMANN: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NEUMANN_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

const ORIGIN: &str = "cavra/0123456789abcdef/activity";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn verifier(seed: u8) -> VerifierKey {
    VerifierKey::new(ORIGIN, &key(seed).verifying_key().to_bytes()).unwrap()
}

fn signed(checkpoint: &Checkpoint, seed: u8) -> String {
    checkpoint.sign(&verifier(seed), |text| key(seed).sign(text).to_bytes()).unwrap()
}

fn checkpoint() -> (Checkpoint, Tree) {
    let mut tree = Tree::default();
    (0..11).for_each(|number: u32| tree.push(leaf_hash(number.to_string())));
    (Checkpoint { origin: ORIGIN.to_owned(), size: 11, root: tree.root() }, tree)
}

#[test]
fn notes_of_another_implementation() {
    let known: VerifierKey = NEUMANN.parse().unwrap();
    assert_eq!((known.name(), known.to_string().as_str()), ("PeterNeumann", NEUMANN));
    let note = Note::parse(NEUMANN_NOTE).unwrap();
    let (text, by) = note.open(std::slice::from_ref(&known)).unwrap();
    assert!(text.ends_with("problem is.\n") && *by == known, "{text:?}");
    let wrong = Note::parse(&NEUMANN_NOTE.replace("answer", "Answer")).unwrap();
    assert_eq!(wrong.open(&[known]), Err(InvalidNote::WrongSignature));
    assert_eq!(note.open(&[verifier(1)]), Err(InvalidNote::UnknownSigner));
}

#[test]
fn keys_with_plus_signs_in_their_base64() {
    let sumdb = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    assert_eq!(sumdb.parse::<VerifierKey>().unwrap().to_string(), sumdb);
}

#[test]
fn what_is_no_key_is_refused() {
    for wrong in [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumanm+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+Apc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+0c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ] {
        assert!(wrong.parse::<VerifierKey>().is_err(), "{wrong}");
    }
    assert!(VerifierKey::new("a b", &key(1).verifying_key().to_bytes()).is_err());
    assert!(VerifierKey::new("a", &[0; 32]).is_err(), "a weak key");
}

/// After a rotation a note may have signatures of both keys; one known one is enough, a wrong one is too much.
#[test]
fn several_signatures() {
    let (checkpoint, _) = checkpoint();
    let (one, two) = (signed(&checkpoint, 1), signed(&checkpoint, 2));
    let line = |note: &str| note.lines().last().unwrap().to_owned();
    let both = format!("{one}{}\n", line(&two));
    for known in [vec![verifier(1)], vec![verifier(2)], vec![verifier(1), verifier(2)]] {
        assert_eq!(Checkpoint::open(&both, &known).unwrap().0, checkpoint);
    }
    assert!(Checkpoint::open(&both, &[verifier(3)]).is_err());
    let other = signed(&Checkpoint { size: 12, ..checkpoint }, 2);
    let mixed = format!("{one}{}\n", line(&other));
    assert!(Checkpoint::open(&mixed, &[verifier(1)]).is_ok(), "unknown signatures are ignored");
    assert!(Checkpoint::open(&mixed, &[verifier(1), verifier(2)]).is_err());
}

#[test]
fn checkpoints_come_back() {
    let (checkpoint, _) = checkpoint();
    let note = signed(&checkpoint, 1);
    assert_eq!(note.lines().take(2).collect::<Vec<_>>(), [ORIGIN, "11"]);
    assert_eq!(Checkpoint::open(&note, &[verifier(1)]).unwrap(), (checkpoint.clone(), &verifier(1)));
    assert_eq!(Checkpoint::unverified(&note).unwrap(), checkpoint);
    let foreign = VerifierKey::new("cavra/other", &key(1).verifying_key().to_bytes()).unwrap();
    assert!(checkpoint.sign(&foreign, |text| key(1).sign(text).to_bytes()).is_err());
    // Signed as a note by a key of another name, it is no checkpoint of that log.
    let note = foreign.sign(&checkpoint.to_string(), |text| key(1).sign(text).to_bytes()).unwrap();
    assert!(Checkpoint::open(&note, &[foreign]).is_err());
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let root = Hash::of_nothing().to_base64();
    for wrong in [
        String::new(),
        format!("\n0\n{root}\n"),
        format!("o\n-1\n{root}\n"),
        format!("o\n+1\n{root}\n"),
        format!("o\n01\n{root}\n"),
        format!("o\n1\n{root}"),
        format!("o\n1\n{root}\n\n"),
        "o\n1\nAAAA\n".to_owned(),
        format!("o\n99999999999999999999\n{root}\n"),
    ] {
        assert!(wrong.parse::<Checkpoint>().is_err(), "{wrong:?}");
    }
    assert!(format!("o\n1\n{root}\nextension\n").parse::<Checkpoint>().is_ok());
}

/// Not a byte of a signed checkpoint can be changed, left out or doubled without being noticed.
#[test]
fn every_byte_of_a_checkpoint_counts() {
    let (checkpoint, _) = checkpoint();
    let note = signed(&checkpoint, 1);
    let mut tried = 0;
    for at in 0..note.len() {
        for change in 0..10_u8 {
            let mut bytes = note.clone().into_bytes();
            match change {
                8 => drop(bytes.remove(at)),
                9 => bytes.insert(at, bytes[at]),
                bit => bytes[at] ^= 1 << bit,
            }
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            if changed == note {
                continue;
            }
            tried += 1;
            assert!(Checkpoint::open(&changed, &[verifier(1)]).is_err(), "{at} {change}: {changed}");
        }
    }
    assert!(tried > 1500, "{tried}");
}

#[test]
fn every_byte_of_a_proof_counts() {
    let (checkpoint, tree) = checkpoint();
    let proof = TlogProof {
        leaf: Some(b"4".to_vec()),
        index: 4,
        hashes: prove_inclusion(&tree.with(&cavra_log::Tiles::new()), 4, 11).unwrap(),
        checkpoint: signed(&checkpoint, 1),
    };
    let text = proof.to_string();
    assert_eq!(text.parse::<TlogProof>().unwrap(), proof);
    assert_eq!(proof.verify(&[verifier(1)]).unwrap(), (b"4".as_slice(), checkpoint));
    assert!(proof.verify(&[verifier(2)]).is_err());
    let without = TlogProof { leaf: None, ..proof };
    assert_eq!(without.to_string().parse::<TlogProof>().unwrap(), without);
    assert_eq!(without.verify(&[verifier(1)]).unwrap_err(), InvalidTlogProof::NoLeaf);
    let mut tried = 0;
    for at in 0..text.len() {
        for change in 0..10_u8 {
            let mut bytes = text.clone().into_bytes();
            match change {
                8 => drop(bytes.remove(at)),
                9 => bytes.insert(at, bytes[at]),
                bit => bytes[at] ^= 1 << bit,
            }
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            if changed == text {
                continue;
            }
            tried += 1;
            let accepted = changed.parse::<TlogProof>().is_ok_and(|proof| proof.verify(&[verifier(1)]).is_ok());
            assert!(!accepted, "{at} {change}: {changed}");
        }
    }
    assert!(tried > 3500, "{tried}");
}

#[test]
fn paths_of_tiles() {
    let hashes = TileKind::Hashes;
    for (path, kind, index, width) in [
        ("0/000", hashes(0), 0, 256),
        ("1/001.p/7", hashes(1), 1, 7),
        ("0/x001/x234/067", hashes(0), 1_234_067, 256),
        ("63/999", hashes(63), 999, 256),
        ("entries/x001/000.p/255", TileKind::Entries, 1000, 255),
    ] {
        let tile = Tile { kind, index, width };
        assert_eq!((path.parse(), tile.to_string().as_str()), (Ok(tile), path));
    }
    for wrong in [
        "",
        "0",
        "0/",
        "/000",
        "00/000",
        "64/000",
        "0/0",
        "0/0000",
        "0/x000/001",
        "0/001/002",
        "0/x001",
        "0/+01",
        "0/-01",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/01",
        "0/000.p/",
        "0/000.p/1.p/1",
        "x/000",
        "entries",
        "entries/x1/000",
        "-1/000",
        "0/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert!(wrong.parse::<Tile>().is_err(), "{wrong}");
    }
}

/// The example of the specification: a tree of 70,000 leaves.
#[test]
fn tiles_that_exist() {
    let exists = |path: &str| path.parse::<Tile>().unwrap().exists(70_000);
    for path in ["0/000", "0/272", "0/273.p/112", "0/273.p/5", "1/000", "1/001.p/17", "2/000.p/1", "entries/273.p/112"]
    {
        assert!(exists(path), "{path}");
    }
    for path in ["0/273", "0/273.p/113", "0/274.p/1", "1/001", "1/001.p/18", "2/000", "3/000.p/1", "63/000.p/1"] {
        assert!(!exists(path), "{path}");
    }
}

proptest! {
    #[test]
    fn bundles_come_back(leaves in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..20)) {
        let bytes = bundle(&leaves).unwrap();
        prop_assert_eq!(unbundle(&bytes).unwrap(), leaves.iter().map(Vec::as_slice).collect::<Vec<_>>());
        if !leaves.is_empty() {
            let _ = unbundle(&bytes[..bytes.len() - 1]);
        }
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (text.parse::<VerifierKey>(), text.parse::<Tile>(), text.parse::<TlogProof>(), text.parse::<Checkpoint>());
        let _ = (Note::parse(&text), unbundle(&bytes));
    }
}

/// All tiles of a log are those that the layout says: per level the complete ones and what is left, each after those that it
/// is made from.
#[test]
fn all_tiles_of_a_log() {
    for size in [0, 1, 255, 256, 257, 1000, 65_535, 65_536, 65_537, 140_000] {
        let tiles: Vec<Tile> = Tile::all(size).collect();
        let mut wanted = Vec::new();
        for (kind, level) in (0..4).map(|level| (TileKind::Hashes(level), level)).chain([(TileKind::Entries, 0)]) {
            let nodes = size >> (8 * level);
            wanted.extend((0..nodes / 256).map(|index| Tile { kind, index, width: 256 }));
            wanted.extend((nodes % 256 > 0).then_some(Tile { kind, index: nodes / 256, width: nodes % 256 }));
        }
        let texts = |tiles: &[Tile]| {
            let mut texts: Vec<_> = tiles.iter().map(ToString::to_string).collect();
            texts.sort();
            texts
        };
        assert_eq!(texts(&tiles), texts(&wanted), "{size}");
        let mut known = [0_u64; 5];
        for tile in tiles {
            let level = match tile.kind {
                TileKind::Entries => 0,
                TileKind::Hashes(level) => usize::try_from(level).unwrap() + 1,
            };
            assert!(tile.exists(size) && tile.nodes().start == known[level], "{tile}");
            known[level] = tile.nodes().end;
            if let TileKind::Hashes(upper @ 1..) = tile.kind {
                assert!(known[usize::try_from(upper).unwrap()] >= tile.nodes().end * 256, "{tile} comes too early");
            }
        }
    }
    // Whatever size somebody signs, its tiles can be listed.
    for size in [u64::MAX, u64::MAX - 1, 1 << 63, 1 << 56] {
        assert_eq!(Tile::all(size).take(2000).filter(|tile| tile.exists(size)).count(), 2000);
    }
}
