//! The policy language: what a policy document may say, and what it says about an action.
//!
//! Pure and lean, because it runs in two places: natively where packs are loaded and tested, and in the sandbox where
//! decisions are made. Source: contract 10, sections 2.1, 2.3 and 4.

mod action;
mod catalog;
mod command;
mod computed;
mod document;
mod finding;
mod index;
mod list;
mod matcher;
mod policy;
mod server_name;

pub use action::{Action, Command, Git, Part};
pub use computed::COMPUTED;
pub use document::{Diagnostic, check_document};
pub use finding::{Finding, Outcome, Severity};
pub use policy::Policy;
