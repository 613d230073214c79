//! What a search through a directory reads.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ignore::WalkBuilder;
use ignore::overrides::OverrideBuilder;

use super::judge::relative;

/// Most files that are judged for one search: a few tenths of a second.
const FILE_LIMIT: usize = 20_000;

/// Folders of version control, which agents leave out of their searches.
const VERSION_CONTROL: [&str; 6] = [".git", ".hg", ".svn", ".bzr", ".jj", ".sl"];

/// A search for a text in the files below a directory.
pub struct Search {
    /// Where, absolute.
    pub directory: PathBuf,
    /// Which files, as ripgrep's `--glob` says it.
    pub glob: Option<String>,
}

/// The files a search would read.
pub struct Searched {
    /// Their names as the policy sees them.
    pub names: Vec<String>,
    /// There are more.
    pub more: bool,
}

/// Every glob that an agent may see in its one text: some take it as it is, some split it at blanks and commas. With several
/// none excludes, because a file too many is judged rather than one too few.
fn globs_in(text: &str) -> Vec<&str> {
    let parts = || text.split([' ', ',', '\t', '\n']).filter(|part| !part.is_empty());
    if parts().count() <= 1 {
        return vec![text];
    }
    let whole_words = text.split_whitespace().chain([text]);
    let mut globs: Vec<_> = whole_words.collect();
    if !text.contains(['{', '}']) {
        globs.extend(parts());
    }
    globs.retain(|glob| !glob.starts_with('!'));
    globs
}

impl Search {
    /// The files that ripgrep, with which agents search, would read: hidden ones too, ignored ones not, links not
    /// followed. None if there is no such directory.
    ///
    /// # Errors
    /// The glob is none, or a directory cannot be read.
    pub fn files(&self, project: &Path) -> anyhow::Result<Searched> {
        let mut searched = Searched { names: Vec::new(), more: false };
        let Some(directory) = self.directory.canonicalize().ok().filter(|directory| directory.is_dir()) else {
            return Ok(searched);
        };
        let root = project.canonicalize().unwrap_or_else(|_| project.to_owned());
        let mut globs = OverrideBuilder::new(&directory);
        for glob in self.glob.as_deref().map(globs_in).unwrap_or_default() {
            globs.add(glob).context("the search's glob cannot be understood")?;
        }
        let globs = globs.build().context("the search's glob cannot be understood")?;
        let left_out = |name: &OsStr| name.to_str().is_some_and(|name| VERSION_CONTROL.contains(&name));
        let walk = WalkBuilder::new(&directory)
            .hidden(false)
            .overrides(globs)
            .filter_entry(move |entry| !left_out(entry.file_name()))
            .build();
        for entry in walk {
            // What cannot be listed cannot be read by the search either.
            let Ok(entry) = entry else { continue };
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            if searched.names.len() == FILE_LIMIT {
                searched.more = true;
                break;
            }
            searched.names.push(relative(entry.path(), &root));
        }
        Ok(searched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_may_be_several_globs() {
        for (text, globs) in [
            ("*.rs", &["*.rs"][..]),
            ("!*.rs", &["!*.rs"]),
            ("*.{rs,toml}", &["*.{rs,toml}", "*.{rs,toml}"]),
            ("*.rs .env", &["*.rs", ".env", "*.rs .env", "*.rs", ".env"]),
            ("*.rs,.env", &["*.rs,.env", "*.rs,.env", "*.rs", ".env"]),
            (".env !*", &[".env", ".env !*", ".env"]),
        ] {
            assert_eq!(globs_in(text), globs, "{text}");
        }
    }
}
