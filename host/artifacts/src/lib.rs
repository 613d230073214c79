//! Files below a root that others may write in: read, measured, checked and packed without ever leaving it. Contract 30,
//! sections 2 and 6.
//!
//! Every file is reached through [`Tree`], which opens it from an open directory downwards. What a name means may change
//! at any moment; what was opened does not.

mod archive;
mod checksums;
mod content;
mod tree;

pub use archive::{Archive, ArchiveError};
pub use checksums::{Checksums, Integrity, IntegrityStatus};
pub use content::{Content, Part, PartReader};
pub use tree::{Inside, Measured, Reach, ReachError, ReadError, Tree};
