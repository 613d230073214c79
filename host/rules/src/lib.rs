//! The policy language: what a policy document may say, and what it says about an action.
//!
//! Pure and lean, because it runs in two places: natively where packs are loaded and tested, and in the sandbox where
//! decisions are made.

mod action;
mod case;
mod catalog;
mod command;
mod computed;
mod document;
mod effects;
mod explain;
mod finding;
mod index;
mod lacking;
mod list;
mod matcher;
mod paths;
mod policy;
mod server_name;

pub use action::{
    Action, Certainty, ChangeEffect, Command, Doubt, Effects, EnvironmentEffect, FileEffect, FileUse, Git,
    NetworkEffect, Part, Place, RunEffect, Spelling,
};
pub use document::{Diagnostic, check_document};
pub use finding::{Finding, Outcome, Severity};
pub use lacking::Lacking;
pub use policy::Policy;
