//! Whether a plugin may be loaded, and whether it may take the place of the one that is installed.

use cavra_model::{Digest, Timestamp};

use crate::{Grants, Locked, Package, Refusal, Signer, TrustSet};

/// What the operator says of plugins.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Whose signatures count.
    pub trust: TrustSet,
    /// What each may have.
    pub grants: Grants,
}

/// A plugin that may be loaded.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// Its files.
    pub package: Package,
    /// Who vouches for it. Nobody does for one that the trust set excepts.
    pub signers: Vec<Signer>,
}

/// Asks everybody about a package: who vouches for it, whether it is what it says, whether it gets what it asks for.
///
/// # Errors
/// The first [`Refusal`].
pub fn admit(package: Package, rules: &Rules, now: Timestamp) -> Result<Admitted, Refusal> {
    let signers = rules.trust.vouch(&package, now)?;
    check_component(&package)?;
    rules.grants.cover(&package.manifest)?;
    Ok(Admitted { package, signers })
}

/// That a package is the one that is locked, in each of its files.
///
/// # Errors
/// [`Refusal::Tampered`], [`Refusal::Renamed`].
pub fn check_locked(locked: &Locked, package: &Package) -> Result<(), Refusal> {
    let there = package.digests();
    let files = locked.files.keys().chain(there.keys());
    if let Some(file) = files.into_iter().find(|file| locked.files.get(*file) != there.get(*file)) {
        return Err(Refusal::Tampered { file: (*file).to_owned() });
    }
    let manifest = &package.manifest;
    let claimed = format!("{} {} {}", manifest.kind, manifest.name, manifest.version);
    let installed = format!("{} {} {}", locked.kind, locked.name, locked.version);
    if claimed == installed { Ok(()) } else { Err(Refusal::Renamed { signed: installed, claimed }) }
}

/// The component is what the manifest says, and imports nothing.
fn check_component(package: &Package) -> Result<(), Refusal> {
    let (manifest, interfaces) = (&package.manifest, package.interfaces()?);
    if let Some(import) = interfaces.forbidden() {
        return Err(Refusal::Imports { import });
    }
    let found = match (interfaces.kind(), interfaces.world()) {
        (Some(kind), _) if kind != manifest.kind => format!("the world of a {kind}"),
        (Some(_), Some(world)) if world != manifest.world => world.to_string(),
        (Some(_), _) => return Ok(()),
        (None, _) => "no world of cavra".to_owned(),
    };
    Err(Refusal::WrongWorld { claimed: manifest.world.to_string(), found })
}

/// What somebody who installs a version says of the one that it replaces.
#[derive(Clone, Copy, Debug, Default)]
pub struct Replacing {
    /// It may be newer.
    pub allow_downgrade: bool,
    /// It may be signed by others.
    pub accept_signer: bool,
}

impl Admitted {
    /// That it may take the place of what is installed under its name.
    ///
    /// # Errors
    /// [`Refusal::OtherKind`], [`Refusal::SameVersion`], [`Refusal::Downgrade`], [`Refusal::OtherSigner`].
    pub fn may_replace(&self, installed: &Locked, replacing: Replacing) -> Result<(), Refusal> {
        let manifest = &self.package.manifest;
        if installed.kind != manifest.kind {
            let [installed, offered] = [installed.kind, manifest.kind].map(|kind| kind.to_string());
            return Err(Refusal::OtherKind { installed, offered });
        }
        let mut known = std::iter::once(installed).chain(&installed.previous);
        let offered: Digest = self.package.digest();
        let differs = |known: &&Locked| known.version == manifest.version && known.package() != offered;
        if let Some(known) = known.find(differs) {
            return Err(Refusal::SameVersion {
                version: manifest.version.to_string(),
                installed: known.package().to_string(),
                offered: offered.to_string(),
            });
        }
        if manifest.version < installed.version && !replacing.allow_downgrade {
            return Err(Refusal::Downgrade {
                installed: installed.version.to_string(),
                offered: manifest.version.to_string(),
            });
        }
        let same = self.signers.iter().any(|signer| installed.signers.contains(&signer.key_id));
        if !same && !installed.signers.is_empty() && !replacing.accept_signer {
            let after: Vec<&str> = self.signers.iter().map(|signer| signer.key_id.as_str()).collect();
            return Err(Refusal::OtherSigner {
                installed: installed.version.to_string(),
                before: installed.signers.join(", "),
                offered: manifest.version.to_string(),
                after: if after.is_empty() { "nobody".to_owned() } else { after.join(", ") },
            });
        }
        Ok(())
    }
}
