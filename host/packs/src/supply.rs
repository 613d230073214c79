//! Packs that come from elsewhere than the policy directory: plugins that are installed. And what whoever supplies them
//! says of the components that lie in the policy directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cavra_documents::WatchedFiles;
use cavra_model::{Digest, PackName};

use crate::pack::metadata;
use crate::shelf::{COMPONENT, RawPack};
use crate::signature::Standing;
use crate::{CallBounds, PackError, PackOrigin};

/// How long what was supplied counts without being asked for again: keys and signatures run out with time.
const LASTS: Duration = Duration::from_secs(60);

/// The files of a supplied pack, which somebody vouches for.
#[derive(Clone, Debug)]
pub struct SuppliedPack {
    /// The policy document.
    pub policy: Vec<u8>,
    /// The component.
    pub component: Vec<u8>,
    /// What its calls may use.
    pub bounds: CallBounds,
}

/// What is said of the components in the policy directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComponentRules {
    /// Digests that somebody vouches for. A component whose pack is signed needs no other voucher.
    pub vouched: BTreeSet<Digest>,
    /// Digests that decide nothing, whoever signed them, and why.
    pub revoked: BTreeMap<Digest, String>,
}

/// Everything that is supplied at a moment.
#[derive(Clone, Debug, Default)]
pub struct Supplies {
    /// Packs, or why one is not there.
    pub packs: BTreeMap<PackName, Result<SuppliedPack, String>>,
    /// Without rules, a component in the policy directory is trusted as far as its folder.
    pub components: Option<ComponentRules>,
}

/// Whoever supplies packs.
pub trait PackSupply: Send + Sync {
    /// The files that everything depends on; whenever one of them changes, [`PackSupply::load`] is asked again.
    fn watched(&self) -> Vec<PathBuf>;

    /// What there is now.
    ///
    /// # Errors
    /// Why nothing can be supplied, for people. No pack of another place is taken instead, and no component in the policy
    /// directory decides.
    fn load(&self) -> Result<Supplies, String>;
}

/// A supply and what it last answered.
pub(crate) struct Supply {
    source: Arc<dyn PackSupply>,
    known: Mutex<Option<Known>>,
}

struct Known {
    seen: WatchedFiles,
    since: Instant,
    stock: Arc<Stock>,
}

/// What was supplied, read.
pub(crate) struct Stock {
    packs: BTreeMap<PackName, Result<Arc<RawPack>, String>>,
    components: Result<Option<ComponentRules>, String>,
}

impl Supply {
    pub(crate) fn new(source: Arc<dyn PackSupply>) -> Self {
        Self { source, known: Mutex::default() }
    }

    /// What there is now. It is asked for once, however many ask for it at a time.
    pub(crate) fn stock(&self) -> Arc<Stock> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let watched = self.source.watched();
        if let Some(known) = &*known
            && known.since.elapsed() < LASTS
            && known.seen.are_unchanged(&watched)
        {
            return Arc::clone(&known.stock);
        }
        // Looked at before they are read: a change between the two shows the next time.
        let (seen, since) = (WatchedFiles::look(watched), Instant::now());
        let stock = Arc::new(Stock::of(self.source.load()));
        if let Some(before) = &*known {
            stock.tell(&before.stock);
        } else {
            stock.tell(&Stock { packs: BTreeMap::new(), components: Ok(None) });
        }
        // What was resolved from the same stock stays resolved.
        let stock = match &*known {
            Some(before) if before.stock.is_same(&stock) => Arc::clone(&before.stock),
            _ => stock,
        };
        *known = Some(Known { seen, since, stock: Arc::clone(&stock) });
        stock
    }
}

impl Stock {
    fn of(supplies: Result<Supplies, String>) -> Self {
        match supplies {
            Ok(Supplies { packs, components }) => {
                let packs = packs.into_iter().map(|(name, pack)| {
                    let pack = pack.and_then(|pack| supplied(&name, pack));
                    (name, pack)
                });
                Self { packs: packs.collect(), components: Ok(components) }
            }
            Err(problem) => Self { packs: BTreeMap::new(), components: Err(problem) },
        }
    }

    /// Whether the same is supplied under the same rules.
    fn is_same(&self, other: &Self) -> bool {
        let same = |(name, pack): (&PackName, &Result<Arc<RawPack>, String>)| match (pack, other.packs.get(name)) {
            (Ok(one), Some(Ok(other))) => one.digest == other.digest && one.bounds == other.bounds,
            (Err(one), Some(Err(other))) => one == other,
            _ => false,
        };
        self.components == other.components && self.packs.len() == other.packs.len() && self.packs.iter().all(same)
    }

    /// Says in the log what is refused that was not refused before.
    fn tell(&self, before: &Self) {
        if let Err(problem) = &self.components
            && self.components.as_ref().err() != before.components.as_ref().err()
        {
            tracing::error!(problem, "plugins cannot be loaded");
        }
        for (name, pack) in &self.packs {
            if let Err(problem) = pack
                && before.packs.get(name).and_then(|pack| pack.as_ref().err()) != Some(problem)
            {
                tracing::error!(plugin = name.as_str(), problem, "a plugin is refused");
            }
        }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &PackName> {
        self.packs.keys()
    }

    /// The pack of that name, if one is supplied.
    ///
    /// # Errors
    /// [`PackError::Unreadable`] for one that is refused.
    pub(crate) fn pack(&self, name: &PackName) -> Result<Option<Arc<RawPack>>, PackError> {
        let refused =
            |problem: &String| PackError::Unreadable { name: name.to_string(), problem: problem.clone(), source: None };
        self.packs.get(name).map(|pack| pack.clone().map_err(|problem| refused(&problem))).transpose()
    }

    /// Why nothing can be supplied, if so.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.components.as_ref().err().map(String::as_str)
    }

    /// Why a component of the policy directory does not decide, if so.
    pub(crate) fn objection(&self, component: &Digest, is_signed: bool) -> Option<String> {
        let rules = match &self.components {
            Err(problem) => return Some(format!("nobody can vouch for its {COMPONENT}: {problem}")),
            Ok(None) => return None,
            Ok(Some(rules)) => rules,
        };
        if let Some(reason) = rules.revoked.get(component) {
            return Some(format!("its {COMPONENT} ({component}) is revoked in the trust set: {reason}"));
        }
        let vouched = is_signed || rules.vouched.contains(component);
        (!vouched).then(|| {
            format!(
                "nobody vouches for its {COMPONENT} ({component}): publish the pack, install the component as a plugin, or \
                 list its digest under `unsigned` in the trust set"
            )
        })
    }

    /// As [`Stock::objection`], of a pack.
    pub(crate) fn objection_to(&self, pack: &RawPack) -> Option<String> {
        let (_, digest) = pack.component.as_ref().filter(|_| pack.origin == PackOrigin::Directory)?;
        self.objection(digest, pack.standing == Standing::Verified)
    }
}

/// A supplied pack, which is called what it is supplied as.
pub(crate) fn supplied(name: &PackName, files: SuppliedPack) -> Result<Arc<RawPack>, String> {
    let pack = RawPack::supplied(name.clone(), files);
    let id = pack.document.as_ref().map(|document| metadata(document, "id")).map_err(Clone::clone)?;
    match id {
        Some(id) if id == name.as_str() => Ok(Arc::new(pack)),
        other => Err(format!(
            "its policy.yaml calls itself `{}`; metadata.id has to be the plugin's name",
            crate::error::shown(other.unwrap_or("nothing"))
        )),
    }
}
