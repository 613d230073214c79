//! Parsers for arguments that are a language of their own.

mod awk;
mod find;
mod git;
mod jq;
mod network;
mod refs;
mod sed;
mod shell;
mod small;

pub(super) use small::read;
