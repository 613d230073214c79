//! Whatever the bytes of an export are, its normalizer reads or refuses them, and comes to the same however they are cut.
//!
//! `cargo +nightly fuzz run export` in `host/normalizer`. The first byte says which tool the rest is an export of, and how it is
//! cut.

#![no_main]

use cavra_normalizer::{Batch, Refusal, Session, Settings, TOOLS, Tool};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, export)) = data.split_first() else { return };
    let Some(tool) = TOOLS.get(usize::from(first % 4)).copied() else { return };
    let cut = read(tool, export, usize::from(first / 4) + 1);
    assert_eq!(cut, read(tool, export, export.len().max(1)));
});

/// Observations that count, in their order.
fn read(tool: &'static Tool, export: &[u8], piece: usize) -> Result<Vec<String>, Refusal> {
    let mut session = Session::open(tool, Settings::default());
    let mut parts = std::collections::BTreeMap::<u32, Vec<String>>::new();
    let mut take = |batch: Batch| {
        batch.observations.into_iter().for_each(|it| parts.entry(it.part).or_default().push(it.payload));
        batch.retracted.into_iter().for_each(|part| drop(parts.remove(&part)));
    };
    for piece in export.chunks(piece) {
        take(session.chunk(piece)?);
    }
    let (last, summary) = session.finish()?;
    take(last);
    let read: Vec<String> = parts.into_values().flatten().collect();
    assert_eq!(u64::try_from(read.len()), Ok(summary.records));
    Ok(read)
}
