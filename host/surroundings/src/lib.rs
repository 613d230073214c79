//! The place where a command would run, looked at on this machine's disk.
//!
//! The normaliser is pure: it asks [`cavra_normalize::Disk`] and gets facts. This crate answers from the real disk, for
//! every door that has one (hook, `agent exec`, `evaluate`, the MCP adapter):
//!
//! ```no_run
//! use cavra_surroundings::{Guard, Here};
//! # let (cwd, project, policy) = (std::path::Path::new("."), None, serde_json::json!({}));
//! let here = Here::at(cwd, project);
//! let guarded = here.guarded(Guard::of(&policy)); // the merged document of the pack that decides
//! let line = cavra_normalize::split_command_in("cat .e*", &guarded.surroundings());
//! ```
//!
//! Who asks the decision point hands it a [`Here`] (`DecisionRequest::at`), and it adds the pack.
//!
//! Every answer is bounded in time and size; what cannot be told in that is said to be unknown, never guessed.

mod below;
mod confined;
mod git;
mod git_config;
mod guard;
mod here;
mod links;
mod roots;

pub use git_config::names_program;
pub use guard::Guard;
pub use here::{Guarded, Here, home_directory};
pub use links::{cleaned, real_path};
pub use roots::repository_roots;
