//! Files beside a JSON store: private, written once and before the commit, and nothing strange is read.
//!
//! Tests that need a process of its own run this test binary again with [`PLACE`] set; see [`child`].

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cavra_model::{Digest, Kind, POLICY_ARCHIVE};
use cavra_store::{Attachment, LargeBytes, Location, RecordStore, StoreError};
use serde_json::json;
use tempfile::TempDir;

static KINDS: [&Kind; 1] = [&POLICY_ARCHIVE];

const PLACE: &str = "ATTACHMENT_TEST_PLACE";
const LIMIT: &str = "ATTACHMENT_TEST_LIMIT";

struct Beside {
    home: TempDir,
    store: RecordStore,
}

impl Beside {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let store = open(&home.path().join("a.json"));
        Self { home, store }
    }

    fn directory(&self) -> PathBuf {
        self.home.path().join("a.json.attachments")
    }

    fn file(&self) -> PathBuf {
        self.directory().join(name())
    }

    fn read(&self, limit: u64) -> Result<Attachment, StoreError> {
        block_on(self.store.attachment(&POLICY_ARCHIVE, &name(), limit))
    }
}

fn open(path: &Path) -> RecordStore {
    RecordStore::open(Location::Json(path.to_owned()), &KINDS).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn content() -> Vec<u8> {
    (0..200_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn name() -> String {
    Digest::of(content()).hex().to_owned()
}

/// The attachment and the record that names it.
fn keep(store: &RecordStore) -> Result<(), StoreError> {
    store.transact_blocking(|tx| {
        assert_eq!(tx.large_bytes(&POLICY_ARCHIVE)?, LargeBytes::Attached);
        tx.attach(&POLICY_ARCHIVE, &name(), &content())?;
        let record = json!({"digest": "d", "attachment": name()});
        tx.put(&POLICY_ARCHIVE, record.as_object().cloned().unwrap())
    })
}

fn names_it(store: &RecordStore) -> bool {
    block_on(store.get(&POLICY_ARCHIVE, "d")).unwrap().is_some()
}

#[test]
fn a_file_is_private_and_written_once() {
    let beside = Beside::new();
    assert_eq!(beside.read(u64::MAX), Ok(Attachment::Missing), "no directory");
    keep(&beside.store).unwrap();
    assert_eq!(beside.read(800_000), Ok(Attachment::Bytes(content())));
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&beside.directory()), mode(&beside.file())), (0o700, 0o600));
    let inode = fs::metadata(beside.file()).unwrap().ino();
    keep(&beside.store).unwrap();
    keep(&open(&beside.home.path().join("a.json"))).unwrap();
    assert_eq!(fs::metadata(beside.file()).unwrap().ino(), inode);
    assert_eq!(fs::read_dir(beside.directory()).unwrap().count(), 1, "no temporary file is left");
    // One that is gone or was cut off is written anew.
    fs::remove_dir_all(beside.directory()).unwrap();
    keep(&beside.store).unwrap();
    assert_eq!(fs::read(beside.file()).unwrap(), content());
    fs::write(beside.file(), &content()[1..]).unwrap();
    fs::set_permissions(beside.file(), fs::Permissions::from_mode(0o666)).unwrap();
    keep(&beside.store).unwrap();
    assert_eq!((fs::read(beside.file()).unwrap(), mode(&beside.file())), (content(), 0o600));
}

#[test]
fn the_store_may_be_reached_by_a_link() {
    let beside = Beside::new();
    keep(&beside.store).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link.json");
    symlink(beside.home.path().join("a.json"), &link).unwrap();
    let through = open(&link);
    assert_eq!(block_on(through.attachment(&POLICY_ARCHIVE, &name(), u64::MAX)), Ok(Attachment::Bytes(content())));
    fs::remove_file(beside.file()).unwrap();
    keep(&through).unwrap();
    assert!(beside.file().is_file());
}

#[test]
fn a_database_has_no_files_beside_it() {
    let home = tempfile::tempdir().unwrap();
    let store = RecordStore::open(Location::Sqlite(home.path().join("a.db")), &KINDS).unwrap();
    assert_eq!(store.transact_blocking(|tx| tx.large_bytes(&POLICY_ARCHIVE)), Ok(LargeBytes::InRecord));
    let refused = store.transact_blocking(|tx| tx.attach(&POLICY_ARCHIVE, &name(), &content()));
    assert!(matches!(refused, Err(StoreError::Refused(_))));
    assert_eq!(block_on(store.attachment(&POLICY_ARCHIVE, &name(), u64::MAX)), Ok(Attachment::Missing));
    assert!(!home.path().join("a.db.attachments").exists());
}

#[test]
fn a_name_is_a_digest() {
    let beside = Beside::new();
    for wrong in
        ["", "a", "../a.json", &name().split_off(1), &name().to_uppercase(), &format!("../{}", name().split_off(3))]
    {
        let wrong = wrong.to_owned();
        let asked = wrong.clone();
        let refused = beside.store.transact_blocking(move |tx| tx.attach(&POLICY_ARCHIVE, &wrong, b"x"));
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{asked}");
        let found = block_on(beside.store.attachment(&POLICY_ARCHIVE, &asked, u64::MAX)).unwrap();
        assert!(matches!(found, Attachment::Missing | Attachment::Strange), "{asked}");
    }
    assert!(!beside.directory().exists());
}

/// What somebody puts in the place of the file: it is not read, and no file elsewhere is written.
#[test]
fn strange_files_are_not_read() {
    type Swap = fn(&Beside, &Path);
    let cases: [(&str, Swap, Attachment); 8] = [
        ("gone", |beside, _| fs::remove_file(beside.file()).unwrap(), Attachment::Missing),
        ("no directory", |beside, _| fs::remove_dir_all(beside.directory()).unwrap(), Attachment::Missing),
        (
            "a link out",
            |beside, outside| {
                fs::remove_file(beside.file()).unwrap();
                symlink(outside, beside.file()).unwrap();
            },
            Attachment::Strange,
        ),
        (
            "a link to nowhere",
            |beside, _| {
                fs::remove_file(beside.file()).unwrap();
                symlink("nothing", beside.file()).unwrap();
            },
            Attachment::Strange,
        ),
        (
            "a directory",
            |beside, _| {
                fs::remove_file(beside.file()).unwrap();
                fs::create_dir(beside.file()).unwrap();
            },
            Attachment::Strange,
        ),
        (
            "a pipe",
            |beside, _| {
                fs::remove_file(beside.file()).unwrap();
                rustix::fs::mkfifoat(rustix::fs::CWD, beside.file(), rustix::fs::Mode::RWXU).unwrap();
            },
            Attachment::Strange,
        ),
        (
            "the directory leads out",
            |beside, outside| {
                fs::remove_dir_all(beside.directory()).unwrap();
                symlink(outside.parent().unwrap(), beside.directory()).unwrap();
            },
            Attachment::Strange,
        ),
        (
            "too large",
            |beside, _| fs::File::options().write(true).open(beside.file()).unwrap().set_len(1 << 40).unwrap(),
            Attachment::Strange,
        ),
    ];
    for (case, swap, found) in cases {
        let (beside, elsewhere) = (Beside::new(), tempfile::tempdir().unwrap());
        let outside = elsewhere.path().join(name());
        fs::write(&outside, "somebody else's").unwrap();
        keep(&beside.store).unwrap();
        swap(&beside, &outside);
        assert_eq!(beside.read(1 << 20), Ok(found), "{case}");
        // It is put right, or the transaction is refused; never is something written elsewhere.
        match keep(&beside.store) {
            Ok(()) => assert_eq!(beside.read(1 << 20), Ok(Attachment::Bytes(content())), "{case}"),
            Err(StoreError::Unavailable { .. }) => assert!(["a directory", "the directory leads out"].contains(&case)),
            Err(other) => panic!("{case}: {other}"),
        }
        assert_eq!(fs::read_to_string(&outside).unwrap(), "somebody else's", "{case}");
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1, "{case}");
    }
}

/// The part of this binary that runs in a process of its own; without a place it does nothing.
#[test]
fn child() {
    let Some(place) = std::env::var_os(PLACE).map(PathBuf::from) else { return };
    if let Ok(limit) = std::env::var(LIMIT) {
        let bytes = Some(limit.parse().unwrap());
        let limit = rustix::process::Rlimit { current: bytes, maximum: bytes };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
        keep(&open(&place)).unwrap_err();
        return;
    }
    let waits = open(&place).transact_blocking(|tx| {
        tx.attach(&POLICY_ARCHIVE, &name(), &content())?;
        tx.put(&POLICY_ARCHIVE, json!({"digest": "d"}).as_object().cloned().unwrap())?;
        println!("\nattached");
        loop {
            std::thread::park();
        }
    });
    let _: Result<(), _> = waits;
}

fn child_at(place: &Path, limit: Option<u64>) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env(PLACE, place).stdout(Stdio::piped());
    if let Some(limit) = limit {
        command.env(LIMIT, limit.to_string());
    }
    command
}

/// Killed between the file and the commit: the file is there and whole, nobody names it, and the next one goes on.
#[test]
fn a_crash_before_the_commit_leaves_a_file_that_nobody_names() {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().join("a.json");
    let mut child = child_at(&place, None).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "attached"));
    child.kill().unwrap();
    child.wait().unwrap();
    let store = open(&place);
    assert!(!names_it(&store));
    assert_eq!(block_on(store.attachment(&POLICY_ARCHIVE, &name(), u64::MAX)), Ok(Attachment::Bytes(content())));
    keep(&store).unwrap();
    assert!(names_it(&store));
}

/// A disk that is full in the middle of the file: the transaction is refused, and nothing half is there.
#[test]
fn a_full_disk_leaves_neither_file_nor_record() {
    for limit in [0, 1, 4096, 400_000, 799_999] {
        let beside = Beside::new();
        let place = beside.home.path().join("a.json");
        let output = child_at(&place, Some(limit)).output().unwrap();
        assert!(output.status.success(), "{limit}: {}", String::from_utf8_lossy(&output.stdout));
        assert!(!names_it(&beside.store), "{limit}");
        assert_eq!(beside.read(u64::MAX), Ok(Attachment::Missing), "{limit}");
        // What a process that died while writing leaves is in nobody's way.
        fs::write(beside.directory().join(format!("{}.tmp", name())), "half").unwrap();
        keep(&beside.store).unwrap();
        assert_eq!(fs::read_dir(beside.directory()).unwrap().count(), 1, "{limit}");
    }
}
