//! Compiled components on disk.
//!
//! Compiled code is machine code: whoever can make the host load a file of theirs runs in the host. So every file
//! carries an HMAC under a key that only this user can read, over everything that matters about it. A file that is
//! missing, torn, stale, of another engine or not ours is a miss, never an error.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cavra_model::Digest;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::compile::{Compiled, Facts};

/// First bytes of every file; the digit is the version of this format.
const MAGIC: &[u8; 8] = b"cavrapk2";
const MAC_BYTES: usize = 32;
const KEY_BYTES: usize = 32;
const KEY_FILE: &str = "key";
const EXTENSION: &str = "pack";

/// Files and bytes kept; the oldest go first.
const MOST_FILES: usize = 256;
const MOST_BYTES: u64 = 512 * 1024 * 1024;

/// Longest header: a description and three names.
const MOST_HEADER: usize = 64 * 1024;

/// What a file is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CacheId {
    pub(crate) component: String,
    /// Digest of a pack's document; empty for components without one.
    pub(crate) document: String,
    /// The engine that can run the code.
    pub(crate) compatibility: u64,
}

#[derive(Serialize, Deserialize)]
struct Header {
    id: CacheId,
    facts: Facts,
}

/// A directory of compiled packs.
pub(crate) struct Cache {
    dir: PathBuf,
    key: [u8; KEY_BYTES],
}

impl Cache {
    /// Opens or makes a cache.
    ///
    /// # Errors
    /// If the directory or the key is not safe from other users, or cannot be made.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let directory = fs::symlink_metadata(dir)?;
        if !directory.is_dir() {
            return Err(unsafe_file("the cache is no directory"));
        }
        ours(&directory, 0o022, "others can write to the cache directory")?;
        let key = match read_key(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_key(dir).and_then(|()| read_key(dir))?,
            key => key?,
        };
        Ok(Self { dir: dir.to_owned(), key })
    }

    /// What was stored under `id`, if it is there and genuine.
    pub(crate) fn load(&self, id: &CacheId, most_bytes: usize) -> Option<Compiled> {
        let path = self.path(id)?;
        let result = read_bounded(&path, most_bytes.saturating_add(MOST_HEADER)).and_then(|file| self.decode(id, file));
        match result {
            Ok(compiled) => Some(compiled),
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "cache miss");
                None
            }
        }
    }

    /// Stores `compiled`, or does not: the cache only saves time.
    pub(crate) fn store(&self, id: &CacheId, compiled: &Compiled) {
        if let Err(error) = self.try_store(id, compiled) {
            tracing::debug!(%error, "compiled plugin is not cached");
        }
    }

    fn try_store(&self, id: &CacheId, compiled: &Compiled) -> io::Result<()> {
        let Some(path) = self.path(id) else { return Ok(()) };
        let header = serde_json::to_vec(&Header { id: id.clone(), facts: compiled.facts().clone() })?;
        let length = u32::try_from(header.len()).map_err(io::Error::other)?.to_le_bytes();
        let parts = [length.as_slice(), &header, compiled.code()];
        let mac = self.mac(&parts)?.finalize().into_bytes();
        let temporary = temporary_file(&self.dir)?;
        let written = temporary.write(&[MAGIC, mac.as_slice(), &length, &header, compiled.code()]);
        written.and_then(|()| fs::rename(&temporary.path, path))?;
        self.prune()
    }

    fn decode(&self, id: &CacheId, mut file: Vec<u8>) -> io::Result<Compiled> {
        let body = MAGIC.len() + MAC_BYTES;
        let (magic, rest) = file.split_at_checked(MAGIC.len()).ok_or_else(torn)?;
        let (mac, rest) = rest.split_at_checked(MAC_BYTES).ok_or_else(torn)?;
        if magic != MAGIC {
            return Err(unsafe_file("another format"));
        }
        self.mac(&[rest])?.verify_slice(mac).map_err(|_| unsafe_file("not genuine"))?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(torn)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (header, _) = rest.split_at_checked(length).ok_or_else(torn)?;
        let header: Header = serde_json::from_slice(header)?;
        if header.id != *id {
            return Err(unsafe_file("another pack"));
        }
        file.drain(..body + 4 + length);
        Ok(Compiled::authenticated(header.facts, file))
    }

    fn mac(&self, parts: &[&[u8]]) -> io::Result<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).map_err(io::Error::other)?;
        mac.update(MAGIC);
        for part in parts {
            mac.update(part);
        }
        Ok(mac)
    }

    fn path(&self, id: &CacheId) -> Option<PathBuf> {
        let name = Digest::of(serde_json::to_vec(id).ok()?);
        Some(self.dir.join(name.hex()).with_extension(EXTENSION))
    }

    /// Removes the oldest files beyond the bounds. Rare: it happens after a compilation.
    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let path = entry.path();
            if path.file_name().is_some_and(|name| name != KEY_FILE) {
                let metadata = entry.metadata()?;
                files.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), metadata.len(), path));
            }
        }
        files.sort_by(|left, right| right.cmp(left));
        let mut bytes = 0_u64;
        for (count, (_, length, path)) in files.into_iter().enumerate() {
            bytes = bytes.saturating_add(length);
            if count >= MOST_FILES || bytes > MOST_BYTES {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

fn read_key(dir: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut file = open_plain(&dir.join(KEY_FILE))?;
    ours(&file.metadata()?, 0o077, "others can read the cache key")?;
    let mut key = [0; KEY_BYTES];
    file.read_exact(&mut key)?;
    if file.read(&mut [0])? != 0 {
        return Err(unsafe_file("the cache key is too long"));
    }
    Ok(key)
}

/// Makes the key appear at once and complete, unless another process was faster.
fn make_key(dir: &Path) -> io::Result<()> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let temporary = temporary_file(dir)?;
    temporary.write(&[&key])?;
    match fs::hard_link(&temporary.path, dir.join(KEY_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// A file of this user alone that disappears unless it is renamed.
struct Temporary {
    path: PathBuf,
    file: File,
}

fn temporary_file(dir: &Path) -> io::Result<Temporary> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let path = dir.join(format!("{}.tmp", Digest::of(random).hex()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    // The file mode creation mask can only take rights away, but it may take the owner's.
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(Temporary { path, file })
}

impl Temporary {
    fn write(&self, parts: &[&[u8]]) -> io::Result<()> {
        let mut file = &self.file;
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone already if it was renamed; if it cannot be removed, pruning will.
        let _ = fs::remove_file(&self.path);
    }
}

fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(unsafe_file("no plain file"));
    }
    Ok(file)
}

/// The whole file, read into memory before it is looked at: what is verified is what is loaded.
fn read_bounded(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let file = open_plain(path)?;
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    if length > limit {
        return Err(unsafe_file("too long"));
    }
    let mut bytes = Vec::with_capacity(length);
    file.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn ours(metadata: &fs::Metadata, forbidden: u32, why: &'static str) -> io::Result<()> {
    let owned = metadata.uid() == rustix::process::geteuid().as_raw();
    if owned && metadata.mode() & forbidden == 0 { Ok(()) } else { Err(unsafe_file(why)) }
}

fn unsafe_file(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

fn torn() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}
