//! Who vouches for a plugin, what it may do, and how it gets here (`docs/plugins.md`).
//!
//! A [`Package`] is the files of one version of a plugin: its [`Manifest`], which says what it is and what it asks for,
//! its component, and what belongs to its kind. A signature is an in-toto statement about the digests of all of them. The
//! operator's [`TrustSet`] says whose signatures count, the [`Grants`] what each plugin may have, the [`Lock`] which bytes
//! are installed. [`admit`] asks all of them; a plugin that does not pass is refused with one sentence that says what to
//! do. All of it is functions of bytes and the moment, but for [`PluginDirectory`], which keeps the files.

mod admit;
mod archive;
mod component;
mod directory;
mod grants;
mod lock;
mod manifest;
mod package;
mod refusal;
mod statement;
mod trust_set;

pub use admit::{Admitted, Replacing, Rules, admit, check_locked};
pub use archive::{ARCHIVE_ENDING, read_archive, write_archive};
pub use component::Interfaces;
pub use directory::{DirectoryError, GRANTS_FILE, LOCK_FILE, Loaded, PluginDirectory, TRUST_FILE};
pub use grants::{Grant, Grants};
pub use lock::{Lock, Locked, Source};
pub use manifest::{Asks, Kind, Manifest, Secret, WorldName};
pub use package::{COMPONENT, ENVELOPE, MANIFEST, MAX_PACKAGE_BYTES, POLICY, Package, TESTS, limit_of};
pub use refusal::Refusal;
pub use statement::{PREDICATE, Statement, sign};
pub use trust_set::{Signer, TrustSet};
