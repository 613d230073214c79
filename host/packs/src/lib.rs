//! Policy packs: where they lie, what they say, and what they amount to with their parents. docs/reference/decisions-and-policy.md, section 2.
//!
//! [`PackLibrary`] lays the packs of the policy directory over the shipped ones and looks at the files at every use,
//! so that an edited pack takes effect at once. The other functions are pure: they parse, check, merge, count and
//! compare policy documents.
//!
//! No error leads to a weaker policy: a document that is malformed anywhere in a line of inheritance makes the pack
//! unusable, and a pack that cannot be read does not uncover the shipped pack of the same name.

mod cases;
mod diff;
mod draft;
mod error;
mod file;
mod ignored;
mod inherit;
mod library;
mod memory;
mod merge;
mod pack;
mod parse;
mod pattern;
mod programs;
mod publish;
mod read;
mod schema;
mod shelf;
mod signature;
mod supply;
mod views;
mod vocabulary;
mod yaml;

pub use cases::{CASES_FILE, Case, parse_cases, read_cases};
pub use diff::{Diff, diff};
pub use draft::{Draft, publish_risk};
pub use error::PackError;
pub use file::{component_digest, read_policy};
pub use ignored::ignored;
pub use library::{PackLibrary, PackRoot};
pub use merge::merge;
pub use pack::{CallBounds, Pack, PackComponent, PackOrigin, ResolvedPack};
pub use parse::{MAX_POLICY_BYTES, parse_policy};
pub use publish::{PublishError, Published, publish};
pub use schema::validate;
pub use shelf::MAX_COMPONENT_BYTES;
pub use signature::{SIGNATURE_FILE, SignatureCheck, Unverified};
pub use supply::{ComponentRules, PackSupply, SuppliedPack, Supplies};
pub use views::{catalog, compliance_mappings, listing, summary};
pub use yaml::to_yaml;
