//! The evidence log over both stores: what is signed continues what was signed, and whatever is done to a log behind
//! cavra's back is found.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::path::{Path, PathBuf};

use cavra_core::{ACTIVITY_KINDS, EvidenceLog, Keyring, Leaf, LogError, LogEvent, audit, audit_records};
use cavra_log::{Checkpoint, Tile, TileKind, TlogProof, VerifierKey, unbundle};
use cavra_model::{DECISIONS, Object};
use cavra_store::{Location, LogFile, RecordStore};
use serde_json::{Value, json};

/// A store with a log, in a folder of its own.
struct Place {
    folder: tempfile::TempDir,
    sqlite: bool,
}

impl Place {
    fn both() -> [Self; 2] {
        [false, true].map(|sqlite| Self { folder: tempfile::tempdir().unwrap(), sqlite })
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn location(&self) -> Location {
        if self.sqlite { Location::Sqlite(self.file()) } else { Location::Json(self.file()) }
    }

    fn keyring(&self) -> Keyring {
        Keyring::new(self.folder.path().join("keys/log.pem"))
    }

    fn store(&self) -> RecordStore {
        RecordStore::open(self.location(), &ACTIVITY_KINDS).unwrap()
    }

    /// As a process that has just started sees it.
    fn log(&self) -> (EvidenceLog, RecordStore) {
        let store = self.store();
        (EvidenceLog::new(self.keyring(), vec![("activity", store.clone())]), store)
    }

    fn look(&self) -> LogFile {
        LogFile::open(&self.location(), &ACTIVITY_KINDS).unwrap()
    }

    fn leaves(&self) -> Vec<String> {
        let mut leaves = Vec::new();
        let file = self.look();
        file.walk(0..file.size().unwrap(), |_, leaf| leaves.push(leaf.to_owned())).unwrap();
        leaves
    }

    /// Puts other leaves in place, as somebody with an editor would.
    fn tamper(&self, leaves: &[String]) {
        if self.sqlite {
            let mut database = rusqlite::Connection::open(self.file()).unwrap();
            database.execute_batch("PRAGMA synchronous=OFF").unwrap();
            let change = database.transaction().unwrap();
            change.execute("DELETE FROM evidence_log", []).unwrap();
            for (index, leaf) in leaves.iter().enumerate() {
                let index = i64::try_from(index).unwrap();
                change.execute("INSERT INTO evidence_log VALUES (?1, ?2)", (index, leaf)).unwrap();
            }
            change.commit().unwrap();
        } else {
            let mut document: Value = serde_json::from_slice(&std::fs::read(self.file()).unwrap()).unwrap();
            document["evidence_log"] = json!(leaves);
            std::fs::write(self.file(), document.to_string()).unwrap();
        }
    }

    /// A copy of the store, and the way back to it.
    async fn copy(&self, store: &RecordStore) -> impl Fn() + use<> {
        store.close().await;
        let (file, copy) = (self.file(), self.folder.path().join("copy"));
        if self.sqlite {
            checkpoint(&file);
        }
        std::fs::copy(&file, &copy).unwrap();
        move || {
            for more in ["store-wal", "store-shm"] {
                let _ = std::fs::remove_file(file.with_file_name(more));
            }
            std::fs::copy(&copy, &file).unwrap();
        }
    }

    fn head(&self) -> Checkpoint {
        let state = self.keyring().state().unwrap().unwrap();
        let known = state.logs.iter().rfind(|log| log.closed.is_none()).unwrap();
        Checkpoint::open(&known.checkpoint, &state.verifiers(&known.origin)).unwrap().0
    }

    fn verifiers(&self) -> Vec<VerifierKey> {
        self.keyring().state().unwrap().unwrap().verifiers(&self.head().origin)
    }
}

/// Moves everything into the database's one file.
fn checkpoint(file: &Path) {
    let database = rusqlite::Connection::open(file).unwrap();
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

fn decision(number: u64) -> Object {
    let record = json!({"decision_id": format!("dec_{number:012x}"), "session_id": "s", "decision": "allow",
        "timestamp": time(number)});
    record.as_object().cloned().unwrap()
}

fn time(second: u64) -> String {
    format!("2031-01-01T{:02}:{:02}:{:02}.000000+00:00", second / 3600, second / 60 % 60, second % 60)
}

/// Records with their leaves.
async fn decide(store: &RecordStore, numbers: std::ops::Range<u64>) {
    let change = move |tx: &mut dyn cavra_store::Transaction| {
        for number in numbers.clone() {
            let record = decision(number);
            let mut leaf = Leaf::new(LogEvent::Decision, record["decision_id"].as_str().unwrap(), &record);
            leaf.time = time(number);
            tx.append(&DECISIONS, leaf.to_text())?;
            tx.insert(&DECISIONS, record)?;
        }
        Ok(())
    };
    store.transact(change).await.unwrap();
}

/// Whatever is done to the leaves, an audit says so, and nobody who starts signs the log or serves it as it is.
#[tokio::test]
async fn tampering_is_found() {
    for place in Place::both() {
        let (log, store) = place.log();
        decide(&store, 0..9).await;
        log.sign_all().await.unwrap();
        store.close().await;
        let (signed, heads) = (place.leaves(), [place.head()]);
        let mut tried = 0;
        for (what, leaves) in mutations(&signed, if place.sqlite { 11 } else { 1 }) {
            place.tamper(&leaves);
            tried += 1;
            let found = audit(&place.look(), &heads, |_| {});
            let noticed = found.as_ref().is_ok_and(|found| found.problems[0].is_some());
            assert!(noticed, "{what}: {found:?}");
            let (log, _) = place.log();
            let refused = log.sign_all().await;
            assert!(matches!(refused, Err(LogError::Tampered { .. })), "{what}: {refused:?}");
            assert_eq!(place.head(), heads[0], "{what}: nothing was signed");
        }
        assert!(tried > if place.sqlite { 170 } else { 1500 }, "{tried}");
        println!("{tried} ways to tamper, all found (sqlite: {})", place.sqlite);
        place.tamper(&signed);
        let (log, store) = place.log();
        decide(&store, 9..10).await;
        log.sign_all().await.unwrap();
        assert_eq!(place.head().size, 10, "what was put back goes on");
    }
}

/// Every cut, order, doubling, insertion, and every byte changed (every `step`th).
fn mutations(leaves: &[String], step: usize) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    let forged = Leaf::new(LogEvent::Decision, "dec_forged", &decision(99)).to_text();
    for at in 0..leaves.len() {
        let mut add = |what: &str, change: &dyn Fn(&mut Vec<String>)| {
            let mut changed = leaves.to_vec();
            change(&mut changed);
            if changed != leaves {
                all.push((format!("{what} {at}"), changed));
            }
        };
        add("cut to", &|leaves| leaves.truncate(at));
        add("remove", &|leaves| drop(leaves.remove(at)));
        if at + 1 < leaves.len() {
            // The last one doubled would be a log that goes on.
            add("double", &|leaves| leaves.insert(at, leaves[at].clone()));
        }
        add("insert before", &|leaves| leaves.insert(at, forged.clone()));
        add("replace", &|leaves| leaves[at].clone_from(&forged));
        add("empty", &|leaves| leaves[at].clear());
        add("rotate by", &|leaves| leaves.rotate_left(at));
        for other in 0..at {
            add(&format!("swap {other} with"), &|leaves| leaves.swap(other, at));
        }
        for byte in (0..leaves[at].len()).step_by(step) {
            add(&format!("change byte {byte} of"), &|leaves| {
                let mut bytes = std::mem::take(&mut leaves[at]).into_bytes();
                bytes[byte] ^= 1;
                leaves[at] = String::from_utf8(bytes).unwrap();
            });
        }
    }
    all
}

#[tokio::test]
async fn an_older_store_is_refused_until_somebody_accepts_it() {
    for place in Place::both() {
        let (log, store) = place.log();
        decide(&store, 0..5).await;
        log.sign_all().await.unwrap();
        let restore = place.copy(&store).await;
        drop((log, store));
        let (log, store) = place.log();
        decide(&store, 5..9).await;
        log.sign_all().await.unwrap();
        let before = place.head();
        store.close().await;
        drop((log, store));
        restore();
        let (log, store) = place.log();
        let refused = log.sign_all().await.unwrap_err().to_string();
        assert!(refused.contains("was cut") && refused.contains("accept-restore"), "{refused}");
        // Going on as if nothing had happened does not help, not even beyond the size that was signed.
        decide(&store, 20..30).await;
        let refused = log.sign_all().await.unwrap_err().to_string();
        assert!(refused.contains("have been changed"), "{refused}");
        assert_eq!(place.head(), before);

        let accepted = log.accept_restore("activity", "the disk broke").await.unwrap();
        assert_eq!((&accepted["reason"], &accepted["restored_size"]), (&json!("the disk broke"), &json!(15)));
        let now = place.head();
        assert_eq!((now.size, now.origin), (16, format!("{}.2", before.origin)), "a log of its own");
        let last = Leaf::parse(place.leaves().last().unwrap()).unwrap();
        assert!(last.event == LogEvent::StoreRestored && last.is_of(&accepted), "{last:?}");
        let state = place.keyring().state().unwrap().unwrap();
        let closed = state.logs.iter().find(|log| log.origin == before.origin).unwrap();
        assert!(closed.closed.as_ref().unwrap().contains("the disk broke") && !closed.checkpoint.is_empty());
        decide(&store, 40..41).await;
        log.sign_all().await.unwrap();
        assert_eq!(place.head().size, 17);
        assert!(log.accept_restore("activity", "again").await.is_err(), "there is nothing to accept");
    }
}

/// While a server runs, a store is put back below it.
#[tokio::test]
async fn a_running_process_notices_too() {
    for place in Place::both() {
        let (log, store) = place.log();
        decide(&store, 0..5).await;
        let restore = place.copy(&store).await;
        let (running, store) = place.log();
        decide(&store, 5..9).await;
        running.sign_all().await.unwrap();
        if place.sqlite {
            // Files of an open database are not exchanged below it; its rows can be.
            place.tamper(&place.leaves()[..5]);
        } else {
            restore();
        }
        assert!(matches!(running.sign_all().await, Err(LogError::Tampered { .. })));
        decide(&store, 20..30).await;
        assert!(matches!(running.sign_all().await, Err(LogError::Tampered { .. })));
        drop(log);
    }
}

#[tokio::test]
async fn a_store_that_is_new_begins_a_new_log() {
    for place in Place::both() {
        let (log, store) = place.log();
        decide(&store, 0..5).await;
        log.sign_all().await.unwrap();
        store.close().await;
        drop((log, store));
        for file in ["store", "store-wal", "store-shm"] {
            let _ = std::fs::remove_file(place.folder.path().join(file));
        }
        let (log, store) = place.log();
        log.sign_all().await.unwrap();
        decide(&store, 5..6).await;
        log.sign_all().await.unwrap();
        assert!(place.head().origin.ends_with(".2") && place.head().size == 1, "{:?}", place.head());
        let state = place.keyring().state().unwrap().unwrap();
        assert!(state.logs[0].closed.as_ref().unwrap().contains("5 leaves"), "{state:?}");
    }
}

/// Records are compared with the newest leaves about them.
#[tokio::test]
async fn changed_records_are_found() {
    for place in Place::both() {
        let store = place.store();
        let mut old = decision(0);
        old["timestamp"] = json!("2030-01-01T00:00:00.000000+00:00");
        store.transact(move |tx| tx.insert(&DECISIONS, old.clone())).await.unwrap();
        decide(&store, 1..6).await;
        let found = audit_records(&place.look(), &ACTIVITY_KINDS).unwrap();
        assert_eq!((found.matching, found.older, found.faults), (5, 1, vec![]));
        let mut changed = decision(2);
        changed["decision"] = json!("block");
        let forged = decision(77);
        store
            .transact(move |tx| {
                tx.put(&DECISIONS, changed.clone())?;
                tx.insert(&DECISIONS, forged.clone())?;
                tx.append(&DECISIONS, Leaf::new(LogEvent::Decision, "dec_gone", &decision(5)).to_text())
            })
            .await
            .unwrap();
        let found = audit_records(&place.look(), &ACTIVITY_KINDS).unwrap();
        let faults: Vec<_> = found.faults.iter().map(|fault| (fault.id.as_str(), fault.fault)).collect();
        assert_eq!(
            faults,
            [("dec_000000000002", "changed"), ("dec_00000000004d", "unlogged"), ("dec_gone", "missing")]
        );
        assert_eq!((found.matching, found.older), (4, 1));
    }
}

/// A proof for every record, wherever its leaf is and whatever the clock did meanwhile.
#[tokio::test]
async fn every_record_has_a_proof() {
    for place in Place::both() {
        let (log, store) = place.log();
        // The clock is set back twice.
        for numbers in [3000..4400, 0..1500, 5000..5001, 2000..2100] {
            decide(&store, numbers).await;
        }
        let known = |number: u64| format!("dec_{number:012x}");
        for number in [3000, 3001, 3700, 4399, 0, 1, 255, 256, 700, 1499, 5000, 2000, 2099] {
            let proof = log.proof("activity", &known(number)).await.unwrap();
            let read: TlogProof = proof.to_string().parse().unwrap();
            let verifiers = place.verifiers();
            let (leaf, head) = read.verify(&verifiers).unwrap();
            let leaf = Leaf::parse(std::str::from_utf8(leaf).unwrap()).unwrap();
            assert!(leaf.id == known(number) && leaf.is_of(&decision(number)), "{number}");
            assert_eq!(head.size, 3001);
        }
        assert!(log.proof("activity", &known(9999)).await.is_err());
        assert!(log.proof("activity", "dec_").await.is_err());
        assert!(log.proof("nothing", &known(0)).await.is_err());
        // What has just been written is signed when it is asked for.
        decide(&store, 6000..6001).await;
        assert_eq!(log.proof("activity", &known(6000)).await.unwrap().index, 3001);
    }
}

/// The tiles are those of the specification, and no more than what is signed.
#[tokio::test]
async fn tiles_hold_what_is_signed() {
    for place in Place::both() {
        let (log, store) = place.log();
        decide(&store, 0..600).await;
        log.sign_all().await.unwrap();
        decide(&store, 600..700).await;
        let leaves = place.leaves();
        let mut hashes = Vec::new();
        for tile in [("000", 256), ("001", 256), ("002.p/88", 88)] {
            let bundle = log.tile("activity", &format!("entries/{}", tile.0)).await.unwrap();
            let entries = unbundle(&bundle).unwrap();
            assert_eq!(entries.len(), tile.1);
            let level = log.tile("activity", &format!("0/{}", tile.0)).await.unwrap();
            let wanted: Vec<u8> = entries.iter().flat_map(|leaf| *cavra_log::leaf_hash(leaf).bytes()).collect();
            assert_eq!(level, wanted);
            hashes.extend(entries.iter().map(|entry| String::from_utf8(entry.to_vec()).unwrap()));
        }
        assert_eq!(hashes, leaves[..600]);
        let above = log.tile("activity", "1/000.p/2").await.unwrap();
        let mut first = cavra_log::Tree::default();
        leaves[..256].iter().for_each(|leaf| first.push(cavra_log::leaf_hash(leaf)));
        assert_eq!(above[..32], *first.root().bytes());
        for missing in
            ["entries/002", "entries/002.p/89", "0/003.p/1", "1/000.p/3", "1/000", "2/000.p/1", "x", "../0/000"]
        {
            assert!(log.tile("activity", missing).await.is_err(), "{missing}");
        }
        let path = Tile { kind: TileKind::Entries, index: 2, width: 88 }.to_string();
        assert_eq!(path, "entries/002.p/88");
    }
}

#[tokio::test]
async fn a_rotation_is_logged_and_signed_by_the_old_key() {
    for place in Place::both() {
        let (log, store) = place.log();
        decide(&store, 0..3).await;
        let before = log.sign_now("activity").await.unwrap();
        let old = place.verifiers();
        let known = log.rotate_key().await.unwrap();
        let all = place.verifiers();
        assert_eq!((old.len(), all.len()), (1, 2));
        let leaf = Leaf::parse(&place.leaves()[3]).unwrap();
        assert!(leaf.event == LogEvent::KeyRotated && leaf.id == known.public_key && leaf.is_of(&known.record()));
        let after = log.head("activity").await.unwrap();
        assert!(Checkpoint::open(&after.note, &all[1..]).is_ok(), "the new key signs");
        assert!(Checkpoint::open(&after.note, &old).is_err(), "and the old one does not");
        let heads = [before.checkpoint, after.checkpoint];
        assert_eq!(audit(&place.look(), &heads, |_| {}).unwrap().problems, [None, None], "it is one log");
        // Another process, which does not know yet, signs with the new key too.
        let (other, store) = place.log();
        decide(&store, 10..11).await;
        let head = other.sign_now("activity").await.unwrap();
        assert!(Checkpoint::open(&head.note, &all[1..]).is_ok());
        assert_eq!(head.checkpoint.size, 5);
    }
}

/// Several processes append and sign at the same time: one log, every checkpoint continues the one before.
#[tokio::test(flavor = "multi_thread")]
async fn processes_sign_one_log() {
    for place in Place::both() {
        let workers: Vec<_> = (0..4_u64)
            .map(|worker| {
                let (log, store) = place.log();
                tokio::spawn(async move {
                    let mut heads = Vec::new();
                    for round in 0..8 {
                        let number = worker * 100 + round;
                        decide(&store, number..number + 1).await;
                        heads.push(log.sign_now("activity").await.unwrap().checkpoint);
                    }
                    heads
                })
            })
            .collect();
        let mut heads = Vec::new();
        for worker in workers {
            heads.extend(worker.await.unwrap());
        }
        let found = audit(&place.look(), &heads, |_| {}).unwrap();
        assert_eq!((found.size, found.problems.iter().flatten().count()), (32, 0), "{found:?}");
        assert_eq!(place.head().size, 32);
    }
}
