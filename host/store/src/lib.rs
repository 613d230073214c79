//! The record store: get, list, insert-once and upsert of JSON records, and units of work that commit what they wrote
//! whole or not at all. What a record looks like is declared as data, see [`cavra_model::Kind`].
//!
//! An installation has one store. Its kinds are in one file or, by area, in several; JSON files and SQLite databases are
//! engines behind one trait. All writes go through one thread, which commits what has queued up in one go (see `writer`);
//! reads run beside it. Processes that share files, such as the server and the CLI, never lose each other's writes.

mod apart;
mod attachments;
mod contended;
mod criteria;
mod cursor;
mod engine;
mod engines;
mod error;
mod files;
mod journal;
mod json;
mod log;
mod overlay;
mod place;
mod query;
mod snapshot;
mod sqlite;
mod store;
mod transaction;
mod writer;

pub use attachments::Attachment;
pub use criteria::{Criterion, Test};
pub use cursor::{Mark, Standing};
pub use error::StoreError;
pub use log::{Audited, LogFile, MAX_LEAF};
pub use place::{Area, Location, Mode};
pub use query::{Page, Parts, Query, Unreadable, Walk};
pub use snapshot::{FrozenFile, check_copy, freeze, put_in_place};
pub use sqlite::{Applied, apply_scripts, migrate, table_script};
pub use store::RecordStore;
pub use transaction::{LargeBytes, Transaction};
