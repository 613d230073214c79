//! Files below a root that others may write in: read, measured, checked and packed without ever leaving it. docs/reference/evidence-and-promotion.md,
//! sections 2 and 6.
//!
//! Every file is reached through [`Tree`], which opens it from an open directory downwards. What a name means may change
//! at any moment; what was opened does not. What cavra itself writes gets to its place as a whole: [`replace_file`],
//! [`put_directory`].

mod archive;
mod checksums;
mod content;
mod packed;
mod tree;
mod whole;

pub use archive::{Archive, ArchiveError};
pub use checksums::{Checksums, Integrity, IntegrityStatus};
pub use content::{Content, Part, PartReader};
pub use packed::{PackedError, unpacked};
pub use tree::{Inside, Measured, Reach, ReachError, ReadError, Tree};
pub use whole::{
    Access, Draft, FileError, Otherwise, create_file, create_parents, keep_out_of_version_control, parent,
    put_directory, read_file, replace_file, sibling, sync_directory, unique_sibling,
};
