//! Documents of what was done, in a directory: the newest has the name of its kind, the ones before it lie beside it under
//! their ids. Without a store they are all there is to know that something was done already.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use cavra_model::Object;
use cavra_release::{Action, ROLLBACK};

use super::read_object;

/// The documents of one kind in a directory.
pub struct Kept<'a> {
    action: &'static Action,
    /// File of the newest, without extension.
    place: PathBuf,
    output: &'a Path,
    newest: Option<Object>,
    before: Vec<Object>,
}

impl<'a> Kept<'a> {
    /// The documents called `name` in the directory `output`, which may be missing.
    ///
    /// # Errors
    /// The directory or a document cannot be read, or in the place of a document is something else, which is not replaced.
    pub fn look(action: &'static Action, output: &'a Path, name: &str) -> anyhow::Result<Self> {
        let mut kept = Self { action, place: output.join(name), output, newest: None, before: Vec::new() };
        let place = kept.file("json", None);
        if place.try_exists().with_context(|| place.display().to_string())? {
            let found = read_object(&place)?;
            let fits = action.id_in(&found).is_some();
            ensure!(fits, "{} is another document; choose another --output", place.display());
            kept.newest = Some(found);
        }
        for path in beside(output, &format!("{name}-"))? {
            kept.before.push(read_object(&path)?);
        }
        Ok(kept)
    }

    fn all(&self) -> impl Iterator<Item = &Object> {
        self.newest.iter().chain(&self.before)
    }

    /// The document of the same under the same approval: what was done is not done again.
    pub fn same(&self, document: &Object) -> Option<&Object> {
        let same = |found: &Object, member: &str| found.get(member) == document.get(member);
        self.all().find(|found| same(found, self.action.id) && same(found, self.action.digest))
    }

    /// Why there can be no such document beside the others. A promotion is rolled back once.
    pub fn refusal(&self, document: &Object) -> Option<String> {
        let of = |document: &Object| document.get("promotion_execution_id").cloned();
        let done = self.action.kind == ROLLBACK.kind && self.all().any(|found| of(found) == of(document));
        done.then(|| format!("this was done already, under another approval or otherwise: {}", self.output.display()))
    }

    /// Makes room for a document: the newest so far, and its summary, are kept beside it.
    ///
    /// # Errors
    /// The files cannot be renamed.
    pub fn make_room(&self, document: &Object) -> anyhow::Result<()> {
        let Some(id) = self.newest.as_ref().and_then(|newest| self.action.id_in(newest)) else { return Ok(()) };
        if self.action.id_in(document).as_ref() == Some(&id) {
            return Ok(());
        }
        for extension in ["json", "md"] {
            let (place, kept) = (self.file(extension, None), self.file(extension, Some(&id)));
            match fs::rename(&place, &kept) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                renamed => renamed.with_context(|| format!("cannot keep {} as {}", place.display(), kept.display()))?,
            }
        }
        Ok(())
    }

    fn file(&self, extension: &str, id: Option<&str>) -> PathBuf {
        let mut file = self.place.clone().into_os_string();
        for part in id.iter().flat_map(|id| ["-", id]).chain([".", extension]) {
            file.push(part);
        }
        file.into()
    }
}

/// The JSON files in a directory whose names begin so, in order.
fn beside(directory: &Path, prefix: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| directory.display().to_string())?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| directory.display().to_string())?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(prefix) && path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
