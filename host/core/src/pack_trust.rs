//! Published packs are signed packs: with `CAVRA_POLICY_SIGNING_KEY`, one that does not verify decides nothing.
//!
//! Whether a signature fits is found out when the pack's files are read, and remembered with them. A pack without a
//! signature is somebody's own, unless this installation has published it: then its signature was taken away.

use std::borrow::Cow;
use std::sync::Arc;

use cavra_evidence::{PolicyTrust, Secret, verify_policy};
use cavra_model::{PUBLICATIONS, PackName};
use cavra_packs::{PackLibrary, PackRoot, ResolvedPack, SignatureCheck, Unverified};
use cavra_store::{Query, Unreadable};
use cavra_trust::PluginDirectory;
use serde_json::Value;

use crate::plugins::InstalledPacks;
use crate::{App, CoreError, Settings};

/// Newest attempts to publish a pack that are looked through for one that succeeded.
const LOOKED_AT: u64 = 100;

/// The operator's packs and those of installed plugins over the shipped ones; with a key, signatures are checked.
pub(crate) fn library(settings: &Settings) -> PackLibrary {
    let root = PackRoot::FromEnvironment(settings.policy_dir.clone());
    let check = settings.signing_key.clone().map(check);
    PackLibrary::over(root, check, Some(Arc::new(InstalledPacks::new(&settings.plugin_dir))))
}

/// A signature has to be that of the key's holder.
fn check(key: Secret) -> SignatureCheck {
    let trust = PolicyTrust { key: Some(key), public_key: None };
    SignatureCheck::new(move |policy, component, signature| {
        let document = cavra_model::read_json(signature).map_err(|_| "its signature file is not JSON".to_owned())?;
        verify_policy(policy, component, &document, &trust).map(|_| ()).map_err(|error| error.to_string())
    })
}

impl App {
    /// The pack, with those of its line that were published here and have lost their signature among the unverified.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub(crate) async fn trusted<'p>(&self, pack: &'p ResolvedPack) -> Result<Cow<'p, ResolvedPack>, CoreError> {
        let mut stripped = Vec::new();
        for name in &pack.unsigned {
            if self.was_published(name).await? {
                stripped.push(Unverified { pack: name.to_string(), problem: "its signature is missing".to_owned() });
            }
        }
        if stripped.is_empty() {
            return Ok(Cow::Borrowed(pack));
        }
        tracing::error!(pack = pack.name, "a published policy pack has lost its signature; it decides nothing");
        let mut pack = pack.clone();
        pack.unverified.extend(stripped);
        Ok(Cow::Owned(pack))
    }

    async fn was_published(&self, name: &PackName) -> Result<bool, CoreError> {
        let query = Query {
            filters: vec![("policy_id", name.to_string())],
            limit: LOOKED_AT,
            unreadable: Unreadable::Skip,
            ..Query::default()
        };
        let found = self.approvals.store().list(&PUBLICATIONS, query).await?.items;
        Ok(found.iter().any(|record| record.get("state").and_then(Value::as_str) == Some("published")))
    }

    /// What an operator should know of the installed packs' signatures; nothing where none are checked.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn pack_signatures(&self) -> Result<PackSignatures, CoreError> {
        let configured = self.settings.signing_key.is_some();
        let trusting = PluginDirectory::new(&self.settings.plugin_dir).has_trust_set();
        if !configured && !trusting {
            return Ok(PackSignatures::default());
        }
        let library = self.decisions.library().clone();
        let looked = tokio::task::spawn_blocking(move || {
            let unverified = library.list().into_iter().filter(|pack| pack.is_unverified);
            (unverified.map(|pack| pack.name).collect::<Vec<_>>(), library.unsigned())
        });
        let (unverified, unsigned) = looked.await.map_err(|_| CoreError::Conflict("interrupted".to_owned()))?;
        let mut found = PackSignatures { configured, unverified: names(&unverified), unsigned: Vec::new() };
        for name in &unsigned {
            let list = if self.was_published(name).await? { &mut found.unverified } else { &mut found.unsigned };
            list.push(name.to_string());
        }
        found.unverified.sort();
        Ok(found)
    }
}

/// How the installed packs stand.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct PackSignatures {
    /// There is a key to check them with.
    pub configured: bool,
    /// Packs that decide nothing, because they are not as they were published or inherit one that is not.
    pub unverified: Vec<String>,
    /// Packs that nobody published and nobody signed; they decide.
    pub unsigned: Vec<String>,
}

fn names(packs: &[PackName]) -> Vec<String> {
    packs.iter().map(ToString::to_string).collect()
}
