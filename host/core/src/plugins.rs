//! Plugins that are installed, as far as they are policy packs: the pack library finds them through lock and trust only.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cavra_builtin::PACKS;
use cavra_model::Timestamp;
use cavra_packs::{CallBounds, ComponentRules, PackSupply, ResolvedPack, SuppliedPack, Supplies};
use cavra_plugins::Limits;
use cavra_trust::{Admitted, Kind, POLICY, Package, PluginDirectory, Refusal};

use crate::decide::within;
use crate::{CoreError, DecisionPoint, Settings};

/// The policy packs among the installed plugins.
pub(crate) struct InstalledPacks {
    directory: PluginDirectory,
}

impl InstalledPacks {
    pub(crate) fn new(directory: &Path) -> Self {
        Self { directory: PluginDirectory::new(directory) }
    }
}

impl PackSupply for InstalledPacks {
    fn watched(&self) -> Vec<PathBuf> {
        self.directory.documents().into()
    }

    fn load(&self) -> Result<Supplies, String> {
        let said = |error: cavra_trust::DirectoryError| error.to_string();
        let plugins = self.directory.load_all(Timestamp::now()).map_err(said)?;
        let mut supplies = Supplies::default();
        if self.directory.has_trust_set() {
            let trust = self.directory.rules().map_err(said)?.trust;
            let vouched = trust.unsigned().keys().cloned().collect();
            supplies.components = Some(ComponentRules { vouched, revoked: trust.revoked().clone() });
        }
        for (locked, loaded) in plugins.into_iter().filter(|(locked, _)| locked.kind == Kind::PolicyPack) {
            // The installer refuses such a name; a lock that was edited does not get around that.
            if PACKS.iter().any(|pack| pack.name == locked.name.as_str()) {
                tracing::error!(
                    plugin = locked.name.as_str(),
                    "a plugin has the name of a shipped pack and is not loaded"
                );
                continue;
            }
            if let (Ok(admitted), Some(rules)) = (&loaded, &mut supplies.components) {
                rules.vouched.insert(admitted.package.component_digest());
            }
            supplies.packs.insert(locked.name, supplied(loaded));
        }
        Ok(supplies)
    }
}

fn supplied(loaded: Result<Admitted, Refusal>) -> Result<SuppliedPack, String> {
    let admitted = loaded.map_err(|refusal| format!("the plugin is refused: {refusal}"))?;
    Ok(files_of(&admitted.package))
}

/// The files of a pack and what its calls may use, which is what it asks for: without a grant of that it is not admitted.
fn files_of(package: &Package) -> SuppliedPack {
    let policy = package.file(POLICY).unwrap_or_default().to_vec();
    let asks = &package.manifest.asks;
    let bounds = CallBounds { memory_mib: asks.memory_mib, time_ms: asks.time_ms };
    SuppliedPack { policy, component: package.component().to_vec(), bounds }
}

/// That this host has what a plugin asks for.
fn check_bounds(package: &Package) -> Result<(), Refusal> {
    let (limits, asked) = (Limits::default(), within(files_of(package).bounds));
    let refused = |what: &str, here: u128| {
        Err(Refusal::Load(format!("it asks for more {what} than this host gives a call ({here})")))
    };
    if asked.memory_bytes.is_some_and(|bytes| bytes > limits.memory_bytes) {
        return refused("bytes of memory", limits.memory_bytes as u128);
    }
    if asked.evaluate_time.is_some_and(|time| time > limits.evaluate_time) {
        return refused("milliseconds", limits.evaluate_time.as_millis());
    }
    Ok(())
}

/// The pack that a package would be if it were installed, its component loaded: compiled apart, linked, handed its document.
/// Nobody is asked who vouches for it.
///
/// # Errors
/// [`Refusal::Load`] and [`Refusal::UnsupportedWorld`].
pub async fn supplied_pack(decisions: &DecisionPoint, package: &Package) -> Result<Arc<ResolvedPack>, Refusal> {
    let manifest = &package.manifest;
    if manifest.kind != Kind::PolicyPack {
        let supported = "plugins of the kind policy-pack".to_owned();
        return Err(Refusal::UnsupportedWorld { world: manifest.world.to_string(), supported });
    }
    if PACKS.iter().any(|pack| pack.name == manifest.name.as_str()) {
        return Err(Refusal::Load(format!(
            "`{}` is the name of a pack that cavra ships; choose another",
            manifest.name
        )));
    }
    check_bounds(package)?;
    let (library, name, files) = (decisions.library().clone(), manifest.name.clone(), files_of(package));
    let resolved = tokio::task::spawn_blocking(move || library.resolve_supplied(&name, files)).await;
    let pack = resolved.map_err(|_| Refusal::Load("interrupted".to_owned()))?;
    let pack = pack.map_err(|error| Refusal::Load(error.to_string()))?;
    decisions.load(&pack).await.map_err(|error| Refusal::Load(error.to_string()))?;
    Ok(pack)
}

/// That the operator's documents about plugins can be read.
///
/// # Errors
/// [`CoreError::Configuration`] naming the file and what is wrong in it.
pub(crate) fn check_plugin_documents(settings: &Settings) -> Result<(), CoreError> {
    let directory = PluginDirectory::new(&settings.plugin_dir);
    let wrong = |error: cavra_trust::DirectoryError| CoreError::Configuration(error.to_string());
    directory.rules().map_err(wrong)?;
    directory.lock().map_err(wrong)?;
    Ok(())
}
