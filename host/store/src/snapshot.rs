//! Copies of a store's files as they are at one moment, and how a copy takes the place of a file. Others may go on reading
//! and writing meanwhile.
//!
//! To see all files at the same moment, all of them are locked for writers at once, in the order in which units of work lock
//! them; each is opened as it is then, and the locks are given back before anything is copied. So no unit of work that
//! spans files is there by halves.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::files::{FILE_MODE, parent, sibling, sync_directory};
use crate::json::Lock;
use crate::place::Location;
use crate::sqlite::{FrozenDatabase, HeldDatabase, Replaced};
use crate::{StoreError, sqlite};

/// How long a file that somebody else is writing into is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pause between two looks at a lock.
const PAUSE: Duration = Duration::from_micros(500);

/// A store's file as it was at one moment.
pub struct FrozenFile {
    location: Location,
    content: Content,
}

enum Content {
    Json(File),
    Sqlite(FrozenDatabase),
}

/// What keeps writers out of a file.
enum Held {
    Json(Lock),
    Sqlite(HeldDatabase),
}

/// The files at these places as they are at one moment. Each place is named once and holds a file; in the order in which
/// the store locks them.
///
/// # Errors
/// [`StoreError::Unavailable`] for a file that stays locked or cannot be opened, [`StoreError::Corrupt`].
pub fn freeze(places: &[Location]) -> Result<Vec<FrozenFile>, StoreError> {
    let held: Vec<Held> = places.iter().map(hold).collect::<Result<_, _>>()?;
    let frozen = places.iter().map(FrozenFile::open).collect();
    held.into_iter().for_each(Held::release);
    frozen
}

fn hold(location: &Location) -> Result<Held, StoreError> {
    match location {
        Location::Json(_) => {
            let (mut lock, path) = (Lock::default(), location.file()?);
            patiently(&path, || lock.take(&path))?;
            Ok(Held::Json(lock))
        }
        Location::Sqlite(path) => {
            let database = HeldDatabase::open(path)?;
            patiently(path, || database.take())?;
            Ok(Held::Sqlite(database))
        }
    }
}

/// Tries until it works, or for as long as a request would wait.
fn patiently(path: &Path, mut attempt: impl FnMut() -> Result<bool, StoreError>) -> Result<(), StoreError> {
    let until = Instant::now() + PATIENCE;
    while !attempt()? {
        if Instant::now() > until {
            return Err(StoreError::unavailable(path, "another process keeps it locked"));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

impl Held {
    fn release(self) {
        match self {
            Self::Json(mut lock) => lock.release(),
            // The transaction ends with its connection.
            Self::Sqlite(database) => drop(database),
        }
    }
}

impl FrozenFile {
    fn open(location: &Location) -> Result<Self, StoreError> {
        let content = match location {
            // A commit puts another file in place; this one stays as it is.
            Location::Json(_) => {
                let path = location.file()?;
                Content::Json(File::open(&path).map_err(|error| StoreError::unavailable(&path, &error))?)
            }
            Location::Sqlite(path) => Content::Sqlite(FrozenDatabase::open(path)?),
        };
        Ok(Self { location: location.clone(), content })
    }

    /// Where it is.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Writes it into a new file that only its owner can read; durable when this returns, but for its name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn write(&self, target: &Path) -> Result<(), StoreError> {
        let unavailable = |error: io::Error| StoreError::unavailable(target, &error);
        let mut created =
            OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(target).map_err(unavailable)?;
        match &self.content {
            Content::Json(file) => {
                let mut file: &File = file;
                io::copy(&mut file, &mut created).and_then(|_| created.sync_all()).map_err(unavailable)
            }
            Content::Sqlite(database) => database.write(target).and_then(|()| created.sync_all().map_err(unavailable)),
        }
    }
}

/// Puts the file `draft`, which lies in the same directory, where a store's file is or is to be; durable when this returns.
/// Processes that have the store open go on with what it holds then. What a database left beside its file is gone.
///
/// # Errors
/// [`StoreError::Unavailable`]; the draft is still there.
pub fn put_in_place(location: &Location, draft: &Path) -> Result<(), StoreError> {
    let path = location.file()?;
    let unavailable = |error: io::Error| StoreError::unavailable(&path, &error);
    let rename = || fs::rename(draft, &path).and_then(|()| sync_directory(parent(&path))).map_err(unavailable);
    match location {
        Location::Json(_) => {
            let mut lock = Lock::default();
            patiently(&path, || lock.take(&path))?;
            let done = rename();
            lock.release();
            done
        }
        Location::Sqlite(_) => match sqlite::make_way(&path, draft)? {
            Replaced::Within => fs::remove_file(draft).map_err(unavailable),
            Replaced::NotYet => {
                remove_beside(&path).map_err(unavailable)?;
                rename()
            }
        },
    }
}

/// Removes what an older database has left beside its file: it would be taken for the new one's.
fn remove_beside(path: &Path) -> io::Result<()> {
    for suffix in ["-wal", "-shm", "-journal"] {
        match fs::remove_file(sibling(path, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Reads a copy of a store for damage.
///
/// # Errors
/// [`StoreError::Corrupt`], [`StoreError::Unreadable`].
pub fn check_copy(location: &Location) -> Result<(), StoreError> {
    crate::store::reader_of(location)?.check()
}
