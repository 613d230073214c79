//! Landlock.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, PathFdError,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};

use crate::{Access, ConfineError, Profile};

/// The newest rights that are known here. A kernel that has fewer restricts by those it has.
const NEWEST: ABI = ABI::V6;
/// The oldest that does what is promised: TCP, and truncation and renaming of files.
const OLDEST: ABI = ABI::V4;

/// Confines this thread, and what it starts.
pub(crate) fn restrict(profile: &Profile) -> Result<(), ConfineError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(OLDEST))
        .map_err(|_| ConfineError::Unavailable)?;
    if !profile.network {
        ruleset = ruleset.handle_access(AccessNet::from_all(OLDEST)).map_err(|_| ConfineError::Unavailable)?;
    }
    // What newer kernels can keep apart, too: devices, and the processes outside.
    let ruleset = ruleset.set_compatibility(CompatLevel::BestEffort);
    let ruleset = ruleset.handle_access(AccessFs::from_all(NEWEST)).map_err(refused)?;
    let mut ruleset = ruleset.scope(Scope::from_all(NEWEST)).map_err(refused)?.create().map_err(refused)?;
    for (path, access) in &profile.files {
        if let Some(file) = open(path)? {
            ruleset = ruleset.add_rule(PathBeneath::new(file, rights(path, *access))).map_err(refused)?;
        }
    }
    let status = ruleset.restrict_self().map_err(refused)?;
    if status.ruleset == RulesetStatus::NotEnforced {
        return Err(ConfineError::Unavailable);
    }
    Ok(())
}

/// The file or folder; none if there is none, or if this process cannot reach it either.
fn open(path: &Path) -> Result<Option<PathFd>, ConfineError> {
    match PathFd::new(path) {
        Ok(file) => Ok(Some(file)),
        Err(PathFdError::OpenCall { .. }) => Ok(None),
        Err(error) => Err(refused(error)),
    }
}

fn rights(path: &Path, access: Access) -> BitFlags<AccessFs> {
    let wanted = match access {
        Access::List => AccessFs::ReadDir.into(),
        Access::Read => AccessFs::from_read(NEWEST),
        Access::Make => AccessFs::from_write(NEWEST),
        Access::Write => AccessFs::from_all(NEWEST),
    };
    if path.is_dir() { wanted } else { wanted & AccessFs::from_file(NEWEST) }
}

fn refused(error: impl std::error::Error + Send + Sync + 'static) -> ConfineError {
    ConfineError::Refused(Box::new(error))
}
