//! What a search through a directory reads: a model of the agent's `Grep`, which runs ripgrep.
//!
//! ripgrep's own libraries walk the directory. A test compares what comes of it with ripgrep itself.

mod globs;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use cavra_core::{Protected, Roots};
use cavra_model::Object;
use cavra_model::members::filled;
use ignore::WalkBuilder;
use ignore::overrides::{Override, OverrideBuilder};
use ignore::types::{Types, TypesBuilder};

use globs::leaving_out;

/// Most files that are judged for one search.
const FILE_LIMIT: usize = 100_000;

/// Longest that files are looked for. The hook has to answer in time, and so does a search that is let through.
const TIME_LIMIT: Duration = Duration::from_secs(1);

/// Most files that a refusal names one by one.
const SHOWN: usize = 10;

/// Folders of version control, which agents leave out of their searches.
const VERSION_CONTROL: [&str; 6] = [".git", ".hg", ".svn", ".bzr", ".jj", ".sl"];

/// A search for a text in the files below a directory.
pub struct Search {
    /// Where, absolute.
    pub directory: PathBuf,
    /// Where globs with a folder in them may start from, too.
    working_directory: PathBuf,
    /// Which files, each as ripgrep's `--glob` says it.
    globs: Vec<String>,
    /// Which kind of files, as ripgrep's `--type` says it.
    kind: Option<String>,
}

/// The files a search would read.
#[derive(Default)]
pub struct Searched {
    /// Their names as the policy sees them.
    pub names: Vec<String>,
    /// There are more, or may be.
    pub more: bool,
}

impl Search {
    /// The search that a tool's arguments describe.
    pub fn of(input: &Object, directory: &Path, working_directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            working_directory: working_directory.to_owned(),
            globs: filled(input, "glob").map(globs::globs_in).unwrap_or_default(),
            kind: filled(input, "type").map(ToOwned::to_owned),
        }
    }

    /// The files that the globs name, below `place`.
    pub fn named(&self, place: &str) -> Vec<String> {
        let naming = self.globs.iter().filter(|glob| !glob.starts_with('!'));
        naming.map(|glob| format!("{place}/{glob}")).collect()
    }

    /// Why the search is refused if that is because of files it would read: those in the way, and what leaves them all
    /// out.
    pub fn refused(&self, protected: &Protected, read: &[String], decided: &str, reason: String) -> String {
        let files: Vec<&str> = protected.files.iter().map(|(file, _)| file.as_str()).collect();
        if !files.contains(&decided) {
            return reason;
        }
        let mut shown = format!("`{decided}`");
        for file in files.iter().filter(|file| **file != decided).take(SHOWN - 1) {
            shown.push_str(&format!(", `{file}`"));
        }
        if files.len() > SHOWN {
            shown.push_str(&format!(" and {} more", files.len() - SHOWN));
        }
        let advice = match leaving_out(&files, read) {
            Some(glob) => {
                let globs: Vec<&str> = self.globs.iter().map(String::as_str).chain([glob.as_str()]).collect();
                format!(
                    "leave {} out with the glob `{}`",
                    if files.len() == 1 { "it" } else { "them" },
                    globs.join(" ")
                )
            }
            None => "search a directory without them".to_owned(),
        };
        format!("the search would read {shown}: {reason}; {advice}")
    }

    /// The files that ripgrep would read: hidden ones too, ignored ones not, links not followed. None if there is no
    /// such directory.
    ///
    /// # Errors
    /// A glob is none.
    pub fn files(&self, roots: &Roots) -> anyhow::Result<Searched> {
        let mut searched = Searched::default();
        let Some(directory) = self.directory.canonicalize().ok().filter(|directory| directory.is_dir()) else {
            return Ok(searched);
        };
        let until = Instant::now() + TIME_LIMIT;
        for start in self.starts(&directory) {
            self.add_files(&mut searched, &directory, &start, roots, until)?;
        }
        Ok(searched)
    }

    /// Where globs start from. A folder in a glob is one below the directory that ripgrep was started in, which is not
    /// told: both that are possible count.
    fn starts(&self, directory: &Path) -> Vec<PathBuf> {
        let mut starts = vec![directory.to_owned()];
        let has_folder = |glob: &String| glob.trim_start_matches('!').trim_end_matches('/').contains('/');
        if self.globs.iter().any(has_folder) {
            let other = self.working_directory.canonicalize().unwrap_or_else(|_| self.working_directory.clone());
            starts.extend(Some(other).filter(|other| other != directory));
        }
        starts
    }

    fn add_files(
        &self,
        searched: &mut Searched,
        directory: &Path,
        start: &Path,
        roots: &Roots,
        until: Instant,
    ) -> anyhow::Result<()> {
        let mut known: std::collections::HashSet<String> = searched.names.iter().cloned().collect();
        for entry in self.walk(directory, start)?.build() {
            if searched.names.len() == FILE_LIMIT || Instant::now() > until {
                searched.more = true;
                break;
            }
            // What cannot be listed cannot be read by the search either.
            let Ok(entry) = entry else { continue };
            if entry.file_type().is_some_and(|kind| kind.is_file()) {
                let names = roots.names_of_real(entry.path()).into_iter();
                searched.names.extend(names.filter(|name| known.insert(name.clone())));
            }
        }
        Ok(())
    }

    fn walk(&self, directory: &Path, root: &Path) -> anyhow::Result<WalkBuilder> {
        let left_out = |name: &OsStr| name.to_str().is_some_and(|name| VERSION_CONTROL.contains(&name));
        let mut walk = WalkBuilder::new(directory);
        walk.add_custom_ignore_filename(".rgignore")
            .overrides(self.overrides(root)?)
            .filter_entry(move |entry| !left_out(entry.file_name()));
        if let Some(types) = self.types() {
            walk.types(types);
        }
        // With a configuration of its own ripgrep may read what it would ignore.
        if std::env::var_os("RIPGREP_CONFIG_PATH").is_some_and(|path| !path.is_empty()) {
            walk.standard_filters(false);
        }
        walk.hidden(false);
        Ok(walk)
    }

    fn overrides(&self, root: &Path) -> anyhow::Result<Override> {
        let mut globs = OverrideBuilder::new(root);
        for glob in &self.globs {
            globs.add(glob).context("the search's glob cannot be understood")?;
        }
        globs.build().context("the search's glob cannot be understood")
    }

    /// The kind of files; `None` if there is no such kind here, because another version of ripgrep may know it.
    fn types(&self) -> Option<Types> {
        let mut types = TypesBuilder::new();
        types.add_defaults().select(self.kind.as_ref()?);
        types.build().ok()
    }
}
