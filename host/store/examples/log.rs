//! What the evidence log costs: `log [leaves]` appends leaves to a SQLite store, reads and hashes all of them, and makes
//! and checks proofs as the server does, with the leaves of two tiles read from the store.

use std::ops::Range;
use std::time::{Duration, Instant};

use cavra_log::{
    Tiles, Tree, leaf_hash, prove_consistency, prove_inclusion, root, verify_consistency, verify_inclusion,
};
use cavra_model::{DECISIONS, Kind};
use cavra_store::{Location, LogFile, RecordStore, StoreError};

const KINDS: [&Kind; 1] = [&DECISIONS];
/// Leaves of one transaction; a busy writer commits up to 256 decisions at once.
const BATCH: u64 = 200;
const PROOFS: u64 = 1000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let size: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let directory = tempfile::tempdir_in(".")?;
    let location = Location::Sqlite(directory.path().join("activity.db"));
    let store = RecordStore::open(location.clone(), &KINDS)?;
    let started = Instant::now();
    for start in (0..size).step_by(usize::try_from(BATCH)?) {
        let batch = start..size.min(start + BATCH);
        store.transact_blocking(move |tx| batch.clone().map(leaf).try_for_each(|leaf| tx.append(&DECISIONS, leaf)))?;
    }
    println!("append, {BATCH} in a durable commit: {:.2?} a leaf", each(started.elapsed(), size));

    let file = LogFile::open(&location, &KINDS)?;
    let started = Instant::now();
    let mut tree = Tree::default();
    file.walk(0..size, |_, leaf| tree.push(leaf_hash(leaf)))?;
    let top = tree.root();
    println!("whole log of {size}: {:.2?}", started.elapsed());

    let (mut made, mut checked, mut hashes) = (Vec::new(), Vec::new(), 0);
    for number in 0..PROOFS {
        let index = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size;
        let started = Instant::now();
        let tiles = tiles(&file, &tree, &[index, size])?;
        let proof = prove_inclusion(&tree.with(&tiles), index, size)?;
        made.push(started.elapsed());
        let started = Instant::now();
        verify_inclusion(leaf_hash(leaf(index)), index, size, &proof, top)?;
        checked.push(started.elapsed());
        hashes = proof.len();
    }
    println!("inclusion: made in {}", quantiles(made));
    println!("inclusion: checked in {}, {hashes} hashes", quantiles(checked));

    let old = size / 3;
    let started = Instant::now();
    let tiles = tiles(&file, &tree, &[old, size])?;
    let nodes = tree.with(&tiles);
    let (proof, old_root) = (prove_consistency(&nodes, old, size)?, root(&nodes, old)?);
    verify_consistency((old, old_root), (size, top), &proof)?;
    println!("consistency of {old} and {size}: made and checked in {:.2?}", started.elapsed());
    Ok(())
}

fn leaf(number: u64) -> String {
    let digest = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!(
        r#"{{"event":"decision","id":"dec_{number:012x}","record_sha256":"{digest:064x}","time":"2031-01-01T00:00:00.000000+00:00"}}"#
    )
}

/// The leaves of the complete tiles that a proof needs.
fn tiles(file: &LogFile, tree: &Tree, places: &[u64]) -> Result<Tiles, StoreError> {
    let mut tiles = Tiles::new();
    for tile in tree.tiles_needed(places) {
        let mut hashes = Vec::new();
        let range: Range<u64> = tile * cavra_log::TILE_WIDTH..(tile + 1) * cavra_log::TILE_WIDTH;
        file.walk(range, |_, leaf| hashes.push(leaf_hash(leaf)))?;
        tiles.insert(tile, hashes);
    }
    Ok(tiles)
}

fn each(took: Duration, count: u64) -> Duration {
    took / u32::try_from(count).unwrap_or(u32::MAX)
}

fn quantiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    format!("p50 {:.2?}, p99 {:.2?}", at(50), at(99))
}
