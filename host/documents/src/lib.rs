//! JSON and YAML that people write, read so that they mean one thing: settings, files that govern access, policies.
//!
//! What a lenient reader drops would be a rule or a control: a key given twice, a merge key, a tag, a key that nobody
//! knows, a value of another type are all errors that say where they are. [`read_document`] reads the text, [`Section`]
//! the members. A byte order mark, which some editors write, is skipped. [`WatchedFiles`] says whether files are still those that
//! were read.

mod file;
mod nearest;
mod section;
mod watch;
mod yaml;

pub use file::{Language, parse_document, read_document};
pub use nearest::{nearest, unknown_key};
pub use section::{DocumentError, Section};
pub use watch::{Stamp, Watched, WatchedFiles, look};
pub use yaml::{parse_yaml, shown};
