//! Where records are: an installation is one logical store made of areas, and each area of kinds is in a file. Several
//! areas may share one.

use std::fmt;
use std::path::{Path, PathBuf};

use cavra_model::Kind;

use crate::StoreError;
use crate::overlay::check_kind;

/// Where an area is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A JSON file, created on first write.
    Json(PathBuf),
    /// A SQLite database.
    Sqlite(PathBuf),
}

impl Location {
    /// The place that a database address names, such as `sqlite:data/cavra.db`.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an address of another kind.
    pub fn of_url(url: &str) -> Result<Self, StoreError> {
        let path = url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
        match path {
            Some(path) if !path.is_empty() && !path.contains(['?', '#']) => Ok(Self::Sqlite(path.into())),
            _ => Err(StoreError::Refused("a database address has the form `sqlite:PATH`".to_owned())),
        }
    }

    /// What the store there is made of.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        match self {
            Self::Json(_) => Mode::Json,
            Self::Sqlite(_) => Mode::Sqlite,
        }
    }

    /// Whether there is something.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path().exists()
    }

    /// Its size in bytes; none if there is nothing.
    ///
    /// # Errors
    /// What the system said: what cannot be looked at may well be there.
    pub fn size(&self) -> std::io::Result<Option<u64>> {
        match std::fs::metadata(self.path()) {
            Ok(found) => Ok(Some(found.len())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The file's full name, whether it is there or not: two locations of one file have the same.
    #[must_use]
    pub fn full_name(&self) -> PathBuf {
        full_path(self.path())
    }

    /// The file that is meant: what a symbolic link points to, which must exist.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] for a link to nowhere.
    pub fn file(&self) -> Result<PathBuf, StoreError> {
        crate::json::resolve(self.path())
    }

    pub(crate) fn path(&self) -> &Path {
        let (Self::Json(path) | Self::Sqlite(path)) = self;
        path
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path().display().fmt(f)
    }
}

/// What a store is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A JSON file.
    Json,
    /// A SQLite database.
    Sqlite,
}

impl Mode {
    /// `json` or `sqlite`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Sqlite => "sqlite",
        }
    }
}

/// Kinds that are kept together and share a log. The first one gives the area its name.
pub type Area = &'static [&'static Kind];

/// The name of an area inside its file.
pub(crate) fn name_of(area: Area) -> &'static str {
    area.first().map_or("", |kind| kind.table)
}

/// Which file has which kinds.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    areas: Vec<Placed>,
    kinds: Vec<&'static Kind>,
}

/// An area and the number of the file it is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    /// The area.
    pub(crate) area: Area,
    /// Its file.
    pub(crate) engine: usize,
}

impl Layout {
    /// Gives areas of one file the same number; answers the files too, in the order of their first areas.
    pub(crate) fn of(places: &[(Location, Area)]) -> (Self, Vec<(Location, Vec<Area>)>) {
        let mut files: Vec<(Location, Vec<Area>)> = Vec::new();
        let mut areas = Vec::with_capacity(places.len());
        for (location, area) in places {
            let same = |(known, _): &(Location, Vec<Area>)| {
                known.mode() == location.mode() && known.full_name() == location.full_name()
            };
            let engine = files.iter().position(same).unwrap_or(files.len());
            match files.get_mut(engine) {
                Some((_, together)) => together.push(area),
                None => files.push((location.clone(), vec![area])),
            }
            areas.push(Placed { area, engine });
        }
        let kinds = areas.iter().flat_map(|placed| placed.area).copied().collect();
        (Self { areas, kinds }, files)
    }

    /// The area of a kind.
    pub(crate) fn area(&self, kind: &Kind) -> Result<Placed, StoreError> {
        check_kind(&self.kinds, kind)?;
        let has = |placed: &&Placed| placed.area.iter().any(|known| known.table == kind.table);
        self.areas.iter().find(has).copied().ok_or(StoreError::Closed)
    }

    /// The file of a kind.
    pub(crate) fn engine(&self, kind: &Kind) -> Result<usize, StoreError> {
        self.area(kind).map(|placed| placed.engine)
    }

    /// The kind of that table.
    pub(crate) fn kind(&self, table: &str) -> Option<&'static Kind> {
        self.kinds.iter().find(|kind| kind.table == table).copied()
    }
}

/// A file by its full name, whether it is there or not.
fn full_path(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = absolute.parent().and_then(|folder| folder.canonicalize().ok());
    match (real, absolute.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => absolute,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cavra_model::{APPROVALS, DECISIONS, SESSIONS};

    static ACTIVITY: [&Kind; 2] = [&DECISIONS, &SESSIONS];
    static APPROVAL: [&Kind; 1] = [&APPROVALS];

    #[test]
    fn addresses() {
        for (url, path) in [("sqlite:a/b.db", "a/b.db"), ("sqlite:/a.db", "/a.db"), ("sqlite:///a.db", "/a.db")] {
            assert_eq!(Location::of_url(url), Ok(Location::Sqlite(path.into())), "{url}");
        }
        for bad in ["", "a.db", "sqlite:", "postgres://x", "sqlite:a?mode=ro"] {
            assert!(Location::of_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn areas_of_one_file_are_together() {
        let at = |path: &str| Location::Json(path.into());
        let (apart, files) = Layout::of(&[(at("/a"), &ACTIVITY), (at("/b"), &APPROVAL)]);
        assert_eq!((files.len(), apart.engine(&SESSIONS), apart.engine(&APPROVALS)), (2, Ok(0), Ok(1)));
        let (together, files) = Layout::of(&[(at("/a"), &ACTIVITY), (at("/a"), &APPROVAL)]);
        assert_eq!((files.len(), files[0].1.len(), together.engine(&APPROVALS)), (1, 2, Ok(0)));
        assert!(together.engine(&cavra_model::API_TOKENS).is_err());
    }
}
