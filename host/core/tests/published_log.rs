//! An audit of a log as it is published, from memory: of every shape, and with every kind of file that is not what it
//! has to be.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::cell::RefCell;
use std::collections::BTreeMap;

use cavra_core::{Audit, Files, LogError, PublishedLog, Served, TileVisitor, audit};
use cavra_log::{Checkpoint, Hash, Tile, TileKind, Tree, bundle, leaf_hash};

/// The published files of a log, and which of them were read.
#[derive(Clone, Default)]
struct Memory {
    files: BTreeMap<String, Vec<u8>>,
    read: RefCell<Vec<String>>,
}

impl Files for &Memory {
    fn name(&self, tile: &Tile) -> String {
        format!("memory/{tile}")
    }

    fn read(&self, tiles: &mut dyn Iterator<Item = Tile>, visit: TileVisitor<'_>) -> Result<(), LogError> {
        for tile in tiles {
            self.read.borrow_mut().push(tile.to_string());
            let whole = self.files.get(&tile.full().to_string()).map(|bytes| (tile.full(), bytes));
            let found = self.files.get(&tile.to_string()).map(|bytes| (tile, bytes)).or(whole);
            let missing = || LogError::Published { file: self.name(&tile), problem: "missing".to_owned() };
            let (tile, bytes) = found.ok_or_else(missing)?;
            visit(Served { tile, bytes: bytes.clone() })?;
        }
        Ok(())
    }
}

fn leaf(number: u64) -> String {
    format!(
        "{{\"event\":\"decision\",\"id\":\"dec_{number}\",\"record_sha256\":\"{number:064x}\",\
         \"time\":\"2031-01-01T00:00:00.000000+00:00\"}}"
    )
}

fn root(hashes: impl IntoIterator<Item = Hash>) -> Hash {
    let mut tree = Tree::default();
    hashes.into_iter().for_each(|hash| tree.push(hash));
    tree.root()
}

/// A log of `size` leaves with its tiles, computed level by level from what the layout says.
fn published(size: u64) -> (Memory, Checkpoint) {
    let leaves: Vec<String> = (0..size).map(leaf).collect();
    let mut memory = Memory::default();
    let mut add = |kind, index: usize, count: usize, bytes: Vec<u8>| {
        let tile = Tile { kind, index: index as u64, width: count as u64 };
        memory.files.insert(tile.to_string(), bytes);
    };
    for (index, chunk) in leaves.chunks(256).enumerate() {
        add(TileKind::Entries, index, chunk.len(), bundle(chunk).unwrap());
    }
    let mut nodes: Vec<Hash> = leaves.iter().map(leaf_hash).collect();
    let head = Checkpoint { origin: "example.com/log".to_owned(), size, root: root(nodes.clone()) };
    for level in 0.. {
        if nodes.is_empty() {
            break;
        }
        for (index, chunk) in nodes.chunks(256).enumerate() {
            let bytes = chunk.iter().flat_map(|hash| *hash.bytes()).collect();
            add(TileKind::Hashes(level), index, chunk.len(), bytes);
        }
        nodes = nodes.chunks_exact(256).map(|chunk| root(chunk.to_vec())).collect();
    }
    (memory, head)
}

fn look(memory: &Memory, size: u64, heads: &[Checkpoint]) -> Result<Audit, String> {
    audit(&PublishedLog::new(memory, size), heads, |_| {}).map_err(|error| error.to_string())
}

#[test]
fn logs_of_every_shape_are_whole() {
    for size in [0, 1, 2, 255, 256, 257, 511, 512, 600, 65_535, 65_536, 66_000] {
        let (memory, head) = published(size);
        let mut earlier: Vec<_> = [0, 1, 255, 256, 300, 65_536].into_iter().filter(|early| *early <= size).collect();
        earlier.dedup();
        let mut heads: Vec<_> = earlier
            .into_iter()
            .map(|early| Checkpoint {
                root: root((0..early).map(|at| leaf_hash(leaf(at)))),
                size: early,
                ..head.clone()
            })
            .collect();
        heads.push(head.clone());
        let found = look(&memory, size, &heads).unwrap();
        assert!(found.problems.iter().all(Option::is_none), "{size}: {found:?}");
        assert_eq!((found.size, found.root), (size, head.root));
        assert!(found.faults.is_empty() && found.strange.is_empty(), "{size}: {found:?}");
        // Every file there is was looked at, once.
        let mut read = memory.read.borrow().clone();
        read.sort();
        assert_eq!(read, memory.files.keys().cloned().collect::<Vec<_>>(), "{size}");
    }
}

/// Once a tile is complete, what was published of it before may be gone.
#[test]
fn what_has_grown_meanwhile_is_cut() {
    let (mut memory, _) = published(65_600);
    memory.files.retain(|path, _| !path.contains(".p/"));
    for size in [1, 255, 256, 300, 65_535] {
        let (_, head) = published(size);
        let found = look(&memory, size, &[head]).unwrap();
        assert!(found.problems == [None] && found.faults.is_empty(), "{size}: {found:?}");
    }
}

/// A change of one file, and what is said of it.
type Deed = (&'static str, fn(&mut Vec<u8>), &'static [&'static str]);

#[test]
fn files_that_are_not_what_they_have_to_be_are_named() {
    const SIZE: u64 = 66_000;
    const CHANGED: &str = "the first 66000 leaves are not those that were signed";
    let (whole, head) = published(SIZE);
    let edit = |bytes: &mut Vec<u8>| bytes[40] ^= 1;
    let deeds: &[Deed] = &[
        ("entries/000", edit, &[CHANGED, "memory/0/000: its hash 0 is not that of leaf 0"]),
        (
            "entries/255",
            edit,
            &[CHANGED, "memory/0/255: its hash 0 is not that of leaf 65280", "memory/1/000: its hash 255"],
        ),
        ("entries/257.p/208", edit, &[CHANGED, "memory/0/257.p/208: its hash 0 is not that of leaf 65792"]),
        // Whoever wants to hide it has to change the hashes too, all the way up.
        ("0/003", edit, &["memory/0/003: its hash 1 is not that of leaf 769"]),
        ("0/257.p/208", edit, &["memory/0/257.p/208: its hash 1 is not that of leaf 65793"]),
        ("1/000", edit, &["memory/1/000: its hash 1 is not that of the leaves below it"]),
        ("1/001.p/1", |bytes| bytes[0] ^= 1, &["memory/1/001.p/1: its hash 0"]),
        ("2/000.p/1", |bytes| bytes[0] ^= 1, &["memory/2/000.p/1: its hash 0"]),
        ("1/000", |bytes| bytes.truncate(100), &["memory/1/000: holds 100 bytes instead of 8192"]),
        ("0/000", Vec::clear, &["memory/0/000: holds 0 bytes instead of 8192"]),
        ("entries/001", Vec::clear, &["memory/entries/001: holds 0 leaves instead of 256"]),
        ("entries/001", |bytes| bytes.truncate(100), &["memory/entries/001: the bytes are no entry bundle"]),
        ("entries/001", |bytes| bytes.extend([0, 1, b'x']), &["memory/entries/001: holds 257 leaves instead of 256"]),
        ("entries/001", |bytes| *bytes = b"<html>".to_vec(), &["memory/entries/001: the bytes are no entry bundle"]),
        (
            "entries/257.p/208",
            |bytes| bytes.extend([0, 0]),
            &["memory/entries/257.p/208: holds 209 leaves instead of 208"],
        ),
        ("entries/000", |bytes| bytes[2] = 0xff, &[CHANGED, "leaf 0"]),
    ];
    for (path, deed, wanted) in deeds {
        let mut memory = whole.clone();
        deed(memory.files.get_mut(*path).unwrap());
        let said = match look(&memory, SIZE, std::slice::from_ref(&head)) {
            Err(problem) => problem,
            Ok(found) => {
                let strange = found.strange.iter().map(|index| format!("leaf {index}"));
                found.problems.into_iter().flatten().chain(found.faults).chain(strange).collect::<Vec<_>>().join("\n")
            }
        };
        for wanted in *wanted {
            assert!(said.contains(wanted), "{path}: {wanted} in: {said}");
        }
        assert!(said.lines().count() < 6, "{path}: what is fine is not named: {said}");
    }
    for path in ["entries/100", "0/100", "1/000", "2/000.p/1"] {
        let mut memory = whole.clone();
        memory.files.remove(path);
        let said = look(&memory, SIZE, std::slice::from_ref(&head)).unwrap_err();
        assert_eq!(said, format!("memory/{path}: missing"));
    }
}
