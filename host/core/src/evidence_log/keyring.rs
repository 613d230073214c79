//! The key that signs the logs, and what it has signed last.
//!
//! Both are in one folder, apart from the stores: whoever puts an older store in place, or cuts one, does not change
//! what is remembered here. Beside the key `NAME.pem` there are `NAME.json`, which remembers, and `NAME.lock`, which the
//! processes that sign take turns by.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use cavra_artifacts::{Access, Draft, create_parents, parent, replace_file};
use cavra_evidence::SigningKey;
use cavra_log::VerifierKey;
use cavra_model::{Object, Timestamp, random_hex};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::LogError;

const SCHEMA: &str = "cavra.evidence.log_state.v1";

/// Where the key is.
#[derive(Clone, Debug)]
pub struct Keyring {
    key: PathBuf,
}

/// What is remembered beside the key. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogState {
    schema_version: String,
    /// Names this installation in the origins of its logs.
    pub installation_id: String,
    /// Every key that has signed, the present one last.
    pub keys: Vec<KnownKey>,
    /// Every log there has been, by the store it is in.
    pub logs: Vec<KnownLog>,
}

/// A public key that has signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownKey {
    /// Its 32 bytes, in hex.
    pub public_key: String,
    /// When it began to sign.
    pub since: String,
    /// The key before it; the leaf of the rotation has the digest of these three members.
    pub previous: Option<String>,
}

/// A log that has been signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownLog {
    /// What it is a log of.
    pub name: String,
    /// Its store.
    pub store: PathBuf,
    /// What it is called in its checkpoints.
    pub origin: String,
    /// The newest signed checkpoint.
    pub checkpoint: String,
    /// Why there is another log in its place now.
    pub closed: Option<String>,
    /// Nobody has accepted yet that it is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unaccepted: bool,
}

impl KnownLog {
    /// Number of leaves that have been signed.
    #[must_use]
    pub fn signed_size(&self) -> u64 {
        cavra_log::Checkpoint::unverified(&self.checkpoint).map_or(0, |checkpoint| checkpoint.size)
    }
}

impl LogState {
    /// The log in this store.
    #[must_use]
    pub fn open_log(&self, name: &str, store: &Path) -> Option<&KnownLog> {
        self.logs.iter().find(|log| log.name == name && log.store == store && log.closed.is_none())
    }

    /// As [`LogState::open_log`], to be changed; a log that is not known yet begins.
    pub(super) fn begin(&mut self, name: &str, store: &Path) -> Option<&mut KnownLog> {
        let is_it = |log: &KnownLog| log.name == name && log.store == store && log.closed.is_none();
        if !self.logs.iter().any(is_it) {
            let earlier = self.logs.iter().filter(|log| log.name == name).count();
            let suffix = if earlier == 0 { String::new() } else { format!(".{}", earlier + 1) };
            self.logs.push(KnownLog {
                name: name.to_owned(),
                store: store.to_owned(),
                origin: format!("cavra/{}/{name}{suffix}", self.installation_id),
                checkpoint: String::new(),
                closed: None,
                unaccepted: false,
            });
        }
        self.logs.iter_mut().find(|log| is_it(log))
    }

    /// The keys that have signed the log `origin`, oldest first.
    #[must_use]
    pub fn verifiers(&self, origin: &str) -> Vec<VerifierKey> {
        self.keys.iter().filter_map(|known| VerifierKey::new(origin, &unhex(&known.public_key)?).ok()).collect()
    }
}

impl KnownKey {
    fn new(key: &SigningKey, previous: Option<String>) -> Self {
        Self { public_key: hex(&key.public().bytes()), since: Timestamp::now().to_string(), previous }
    }

    /// The record whose digest the leaf of the rotation holds.
    #[must_use]
    pub fn record(&self) -> Object {
        match json!({ "public_key": self.public_key, "since": self.since, "previous": self.previous }) {
            Value::Object(record) => record,
            _ => Object::new(),
        }
    }
}

/// The key with what is remembered, while nobody else may sign.
pub(super) struct Held {
    pub(super) key: SigningKey,
    pub(super) state: LogState,
    _lock: File,
}

impl Keyring {
    /// The key in this file, which is made when it is needed.
    #[must_use]
    pub fn new(key: PathBuf) -> Self {
        Self { key }
    }

    /// The key's file.
    #[must_use]
    pub fn key_file(&self) -> &Path {
        &self.key
    }

    fn state_file(&self) -> PathBuf {
        self.key.with_extension("json")
    }

    /// A key that has not taken over yet.
    fn next_key_file(&self) -> PathBuf {
        self.key.with_extension("next.pem")
    }

    /// What is remembered, if anything has been signed.
    ///
    /// # Errors
    /// [`LogError::File`], [`LogError::State`].
    pub fn state(&self) -> Result<Option<LogState>, LogError> {
        let file = self.state_file();
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LogError::file(&file)(error)),
        };
        let damaged = |problem: String| LogError::State { file: file.clone(), problem };
        let state: LogState = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        let whole = state.schema_version == SCHEMA && state.keys.iter().all(|key| unhex(&key.public_key).is_some());
        if whole && !state.keys.is_empty() { Ok(Some(state)) } else { Err(damaged("it has another form".to_owned())) }
    }

    /// Takes the lock; makes key and memory where there are none. Blocks.
    ///
    /// # Errors
    /// [`LogError`] if the key cannot be used.
    pub(super) fn hold(&self) -> Result<Held, LogError> {
        create_parents(&self.key, 0o700).map_err(LogError::file(parent(&self.key)))?;
        let lock_file = self.key.with_extension("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock_file);
        let lock = lock.and_then(|lock| lock.lock().map(|()| lock)).map_err(LogError::file(&lock_file))?;
        let state = self.state()?;
        if !self.key.exists() && !self.next_key_file().exists() {
            if state.is_some() {
                return Err(LogError::LostKey { key: self.key.clone(), state: self.state_file() });
            }
            write_key(&self.key, &generate(&self.key)?)?;
        }
        let (key, state) = match state {
            Some(state) => (self.present_key(&state)?, state),
            None => {
                let key = read_key(&self.key)?;
                let keys = vec![KnownKey::new(&key, None)];
                let installation_id = random_hex(8)
                    .map_err(|source| LogError::NoKey { file: self.key.clone(), source: source.into() })?;
                let state = LogState { schema_version: SCHEMA.to_owned(), installation_id, keys, logs: Vec::new() };
                self.save(&state)?;
                (key, state)
            }
        };
        Ok(Held { key, state, _lock: lock })
    }

    /// The key that signed last. Where a rotation was interrupted after it was decided, it is finished.
    fn present_key(&self, state: &LogState) -> Result<SigningKey, LogError> {
        let is_present =
            |key: &SigningKey| state.keys.last().is_some_and(|known| known.public_key == hex(&key.public().bytes()));
        let next = self.next_key_file();
        if next.exists() {
            let key = read_key(&next)?;
            if is_present(&key) {
                fs::rename(&next, &self.key).map_err(LogError::file(&self.key))?;
                return Ok(key);
            }
            fs::remove_file(&next).map_err(LogError::file(&next))?;
        }
        let key = read_key(&self.key)?;
        if is_present(&key) { Ok(key) } else { Err(LogError::OtherKey(self.key.clone())) }
    }

    /// A new key, which has not taken over yet, and what will be remembered of it.
    pub(super) fn next(&self, state: &LogState) -> Result<(SigningKey, KnownKey), LogError> {
        let key = generate(&self.key)?;
        let previous = state.keys.last().map(|known| known.public_key.clone());
        let known = KnownKey::new(&key, previous);
        Ok((key, known))
    }

    /// Lets a new key take over: it is written beside the present one, then remembered, then it is the key.
    pub(super) fn take_over(&self, held: &mut Held, key: SigningKey, known: KnownKey) -> Result<(), LogError> {
        self.write_next(&key)?;
        held.state.keys.push(known);
        self.save(&held.state)?;
        fs::rename(self.next_key_file(), &self.key).map_err(LogError::file(&self.key))?;
        held.key = key;
        Ok(())
    }

    fn write_next(&self, key: &SigningKey) -> Result<(), LogError> {
        write_key(&self.next_key_file(), key)
    }

    /// Accepts that logs of that name do not go on: the one of the store, the one with that origin, and those whose stores are
    /// gone. Another one begins in their place.
    pub(super) fn accept(&self, name: &str, store: &Path, origin: Option<&str>, why: &str) -> Result<(), LogError> {
        let mut held = self.hold()?;
        for log in held.state.logs.iter_mut().filter(|log| log.name == name) {
            let is_gone = log.signed_size() > 0 && !log.store.exists();
            let ends = log.store == store || Some(log.origin.as_str()) == origin || is_gone;
            if ends && log.closed.is_none() {
                log.closed = Some(why.to_owned());
            }
            log.unaccepted = false;
        }
        self.save(&held.state)
    }

    /// Makes what is remembered durable. The caller holds the lock.
    pub(super) fn save(&self, state: &LogState) -> Result<(), LogError> {
        let file = self.state_file();
        let text = serde_json::to_string_pretty(state)
            .map_err(|error| LogError::State { file: file.clone(), problem: error.to_string() })?;
        write_whole(&file, format!("{text}\n").as_bytes())
    }
}

fn generate(file: &Path) -> Result<SigningKey, LogError> {
    SigningKey::generate().map_err(|source| LogError::NoKey { file: file.to_owned(), source })
}

fn read_key(file: &Path) -> Result<SigningKey, LogError> {
    let metadata = fs::metadata(file).map_err(LogError::file(file))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(LogError::OpenKey(file.to_owned()));
    }
    let pem = fs::read_to_string(file).map_err(LogError::file(file))?;
    SigningKey::from_pem(&pem).map_err(|source| LogError::NoKey { file: file.to_owned(), source })
}

fn write_key(file: &Path, key: &SigningKey) -> Result<(), LogError> {
    let pem = key.to_pem().map_err(|source| LogError::NoKey { file: file.to_owned(), source })?;
    write_whole(file, pem.as_bytes())
}

/// Writes a file that only its owner can read. The caller holds the lock.
fn write_whole(file: &Path, bytes: &[u8]) -> Result<(), LogError> {
    replace_file(file, bytes, &Access::Owner, Draft::Locked).map(drop).map_err(LogError::file(file))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let (digits, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.iter().map(byte).collect::<Option<Vec<_>>>()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring() -> (tempfile::TempDir, Keyring) {
        let folder = tempfile::tempdir().unwrap();
        let keyring = Keyring::new(folder.path().join("deep/log.pem"));
        (folder, keyring)
    }

    #[test]
    fn the_key_is_made_once_and_private() {
        let (_folder, keyring) = keyring();
        assert_eq!(keyring.state().unwrap(), None);
        let first = keyring.hold().unwrap();
        let state = first.state.clone();
        drop(first);
        assert_eq!(keyring.hold().unwrap().state, state);
        for file in [keyring.key_file(), &keyring.state_file()] {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
        }
        fs::set_permissions(keyring.key_file(), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(keyring.hold(), Err(LogError::OpenKey(_))));
    }

    #[test]
    fn a_lost_or_exchanged_key_is_noticed() {
        let (_folder, keyring) = keyring();
        drop(keyring.hold().unwrap());
        let other = SigningKey::generate().unwrap();
        write_key(keyring.key_file(), &other).unwrap();
        assert!(matches!(keyring.hold(), Err(LogError::OtherKey(_))));
        fs::write(keyring.key_file(), "no key").unwrap();
        assert!(matches!(keyring.hold(), Err(LogError::NoKey { .. })));
        fs::remove_file(keyring.key_file()).unwrap();
        assert!(matches!(keyring.hold(), Err(LogError::LostKey { .. })));
        fs::write(keyring.state_file(), "{}").unwrap();
        assert!(matches!(keyring.hold(), Err(LogError::State { .. })));
    }

    /// Wherever a rotation is interrupted, one key is the present one.
    #[test]
    fn an_interrupted_rotation_is_undone_or_finished() {
        let (_folder, keyring) = keyring();
        let mut held = keyring.hold().unwrap();
        let old = held.state.keys.clone();
        let (key, known) = keyring.next(&held.state).unwrap();
        keyring.write_next(&key).unwrap();
        drop(held);
        assert_eq!(keyring.hold().unwrap().state.keys, old, "it was not decided yet");
        assert!(!keyring.next_key_file().exists());
        held = keyring.hold().unwrap();
        keyring.write_next(&key).unwrap();
        held.state.keys.push(known);
        keyring.save(&held.state).unwrap();
        drop(held);
        held = keyring.hold().unwrap();
        assert_eq!((held.state.keys.len(), held.key.public()), (2, key.public()), "it was decided");
        let (third, known) = keyring.next(&held.state).unwrap();
        keyring.take_over(&mut held, third.clone(), known).unwrap();
        drop(held);
        assert_eq!(keyring.hold().unwrap().key.public(), third.public());
        assert!(!keyring.next_key_file().exists());
    }

    #[test]
    fn logs_in_one_place_are_told_apart() {
        let (_folder, keyring) = keyring();
        let mut state = keyring.hold().unwrap().state;
        let origin = |state: &mut LogState, name: &str, store: &str| {
            state.begin(name, Path::new(store)).unwrap().origin.rsplit_once('/').unwrap().1.to_owned()
        };
        assert_eq!(origin(&mut state, "activity", "/a"), "activity");
        assert_eq!(origin(&mut state, "activity", "/a"), "activity");
        assert_eq!(origin(&mut state, "activity", "/b"), "activity.2");
        assert_eq!(origin(&mut state, "approvals", "/b"), "approvals");
        state.begin("activity", Path::new("/a")).unwrap().closed = Some("restored".to_owned());
        assert_eq!(origin(&mut state, "activity", "/a"), "activity.3");
    }
}
