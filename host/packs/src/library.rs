//! All packs there are, and the hot path of every decision: the resolved pack of a name, as of now.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cavra_model::PackName;
use serde_json::Value;

use crate::cases::{Case, cases_of};
use crate::error::PackError;
use crate::file::{read_component, read_policy_bytes, standing_at};
use crate::inherit::Inheritance;
use crate::memory::Memory;
use crate::pack::metadata;
use crate::shelf::{RawPack, Shelf};
use crate::signature::{SignatureCheck, Standing, Unverified};
use crate::supply::{Stock, supplied};
use crate::{CallBounds, Pack, PackSupply, ResolvedPack, SuppliedPack, validate};

/// Resolved packs that are kept in memory: all of the largest installations, because all are looked at now and then
/// ([`PackLibrary::broken`]), and one that is forgotten cannot decide as before.
const KEPT_RESOLVED: usize = 512;

/// What a policy is called that does not say who it is, or whose name is none.
const UNNAMED: &str = "unnamed-policy";

/// Where the operator's packs lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackRoot {
    /// The given directory (`CAVRA_POLICY_DIR`) if it exists, else `./policies` if that exists; looked at again at each
    /// use.
    FromEnvironment(Option<PathBuf>),
    /// This directory.
    Fixed(PathBuf),
    /// Nowhere.
    ShippedOnly,
}

impl PackRoot {
    fn current(&self) -> Option<&Path> {
        let local = Path::new("policies");
        match self {
            Self::FromEnvironment(Some(directory)) if is_there(directory) => Some(directory),
            Self::FromEnvironment(_) => is_there(local).then_some(local),
            Self::Fixed(directory) => Some(directory),
            Self::ShippedOnly => None,
        }
    }
}

/// A directory that exists but cannot be looked at is there: reading from it fails, and nothing else takes its place.
fn is_there(directory: &Path) -> bool {
    match std::fs::metadata(directory) {
        Ok(metadata) => metadata.is_dir(),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// The packs of the operator's directory over the shipped ones. A clone shares the cache.
#[derive(Clone)]
pub struct PackLibrary {
    inner: Arc<Inner>,
}

struct Inner {
    root: PackRoot,
    shelf: Shelf,
    resolved: Memory<PackName, Arc<Resolution>>,
}

/// A resolved pack and what it was made of.
struct Resolution {
    used: Vec<Arc<RawPack>>,
    /// What was supplied then, which also says which components decide.
    stock: Option<Arc<Stock>>,
    pack: Arc<ResolvedPack>,
    /// Why it still decides although its files are others by now, if somebody was told.
    kept_because: Mutex<Option<String>>,
}

impl Resolution {
    /// The pack as it was, although its files are broken by now. That is said once for each thing that is wrong.
    fn kept(&self, name: &PackName, error: &PackError) -> Arc<ResolvedPack> {
        let problem = error.to_string();
        let mut told = self.kept_because.lock().unwrap_or_else(PoisonError::into_inner);
        if told.as_ref() != Some(&problem) {
            tracing::error!(pack = name.as_str(), problem, "a policy pack is broken; it decides as it did before");
            *told = Some(problem);
        }
        Arc::clone(&self.pack)
    }
}

impl PackLibrary {
    /// A library over `root`. Reads nothing yet.
    #[must_use]
    pub fn new(root: PackRoot) -> Self {
        Self::over(root, None, None)
    }

    /// As [`PackLibrary::new`], with packs that are supplied from elsewhere, and with a check that a signed pack of the policy
    /// directory has to pass. A pack that does not pass, or whose component nobody vouches for, is in
    /// [`ResolvedPack::unverified`] of every pack that it is part of.
    #[must_use]
    pub fn over(root: PackRoot, check: Option<SignatureCheck>, supply: Option<Arc<dyn PackSupply>>) -> Self {
        if let PackRoot::FromEnvironment(Some(directory)) = &root
            && !is_there(directory)
        {
            tracing::warn!(directory = %directory.display(), "the policy directory does not exist (yet)");
        }
        let inner = Inner { root, shelf: Shelf::new(check, supply), resolved: Memory::new(KEPT_RESOLVED) };
        Self { inner: Arc::new(inner) }
    }

    /// The packs of the policy directory that carry no signature, although signatures are checked.
    #[must_use]
    pub fn unsigned(&self) -> Vec<PackName> {
        let root = self.inner.root.current();
        let unsigned = |name: &PackName| {
            let pack = self.inner.shelf.pack(root, name).ok().flatten()?;
            (pack.standing == Standing::Unsigned).then(|| name.clone())
        };
        self.inner.shelf.names(root).iter().filter_map(unsigned).collect()
    }

    /// Every pack as written, sorted by directory name. A folder without `policy.yaml`, or whose YAML is not a mapping,
    /// is left out; a pack that [`PackLibrary::resolve`] refuses is listed with its errors.
    #[must_use]
    pub fn list(&self) -> Vec<Pack> {
        let root = self.inner.root.current();
        self.inner.shelf.names(root).iter().filter_map(|name| self.listed(root, name)).collect()
    }

    fn listed(&self, root: Option<&Path>, name: &PackName) -> Option<Pack> {
        match self.inner.shelf.pack(root, name) {
            Ok(pack) => self.described(&*pack?),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a policy pack cannot be read");
                Some(Pack::unreadable(name.clone(), &error))
            }
        }
    }

    /// The pack as written, with what keeps it from deciding.
    fn described(&self, pack: &RawPack) -> Option<Pack> {
        match self.resolve_now(self.inner.root.current(), &pack.name) {
            Ok(resolved) => {
                let errors = resolved.unverified.iter().map(|pack| format!("<root>: {pack}")).collect();
                let listed = pack.listed(errors)?;
                Some(Pack { is_unverified: !listed.errors.is_empty(), ..listed })
            }
            Err(error) => pack.listed(error.faults(pack.name.as_str())),
        }
    }

    /// The pack as written.
    ///
    /// # Errors
    /// [`PackError::NotFound`] and [`PackError::Unreadable`]; [`PackError::Invalid`] if its YAML is not a mapping.
    pub fn get(&self, name: &PackName) -> Result<Pack, PackError> {
        let pack = self.inner.shelf.pack(self.inner.root.current(), name)?;
        let pack = pack.ok_or_else(|| PackError::NotFound { name: name.to_string() })?;
        self.described(&pack).ok_or_else(|| PackError::Invalid {
            name: name.to_string(),
            errors: vec!["<root>: must be a mapping".to_owned()],
        })
    }

    /// The pack with its parents, as of now: the files of all of them are looked at, and read if they changed. While files
    /// that it was resolved from before are broken, it is what it was before, and the log says so.
    ///
    /// # Errors
    /// Every [`PackError`]. A document that is malformed anywhere in the line makes the pack unusable, unless it was whole
    /// before.
    pub fn resolve(&self, name: &PackName) -> Result<Arc<ResolvedPack>, PackError> {
        let root = self.inner.root.current();
        self.resolve_now(root, name).or_else(|error| {
            let known = self.inner.resolved.get(name).filter(|known| error.is_of_files() && self.is_of_stock(known));
            known.map(|known| known.kept(name, &error)).ok_or(error)
        })
    }

    /// As [`PackLibrary::resolve`], but files that are broken are never what they were.
    fn resolve_now(&self, root: Option<&Path>, name: &PackName) -> Result<Arc<ResolvedPack>, PackError> {
        if let Some(known) = self.inner.resolved.get(name)
            && self.is_current(root, &known)
        {
            return Ok(Arc::clone(&known.pack));
        }
        let stock = self.inner.shelf.stock();
        let (pack, used) = Inheritance::new(&self.inner.shelf, root).resolve(name)?;
        let pack = Arc::new(pack);
        let resolution = Resolution { used, stock, pack: Arc::clone(&pack), kept_because: Mutex::default() };
        self.inner.resolved.put(name.clone(), Arc::new(resolution));
        Ok(pack)
    }

    /// The packs that do not decide as their files say, because those are broken, and what is wrong with each.
    #[must_use]
    pub fn broken(&self) -> Vec<(PackName, PackError)> {
        let root = self.inner.root.current();
        let broken = |name: PackName| match self.inner.shelf.pack(root, &name) {
            Ok(None) => None,
            // A folder that is no pack, and was none before, breaks nothing.
            Ok(Some(pack)) if !pack.is_policy() && self.inner.resolved.get(&name).is_none() => None,
            _ => self.resolve_now(root, &name).err().map(|error| (name, error)),
        };
        self.inner.shelf.names(root).into_iter().filter_map(broken).collect()
    }

    /// The cases beside a pack of the policy directory. Shipped packs bring none along.
    ///
    /// # Errors
    /// As [`crate::read_cases`].
    pub fn cases(&self, name: &PackName) -> Result<Vec<Case>, PackError> {
        match self.inner.root.current() {
            Some(root) => cases_of(root, name.as_str()),
            None => Ok(Vec::new()),
        }
    }

    /// What is supplied, and with it what is revoked, is still the same.
    fn is_of_stock(&self, known: &Resolution) -> bool {
        match (&known.stock, self.inner.shelf.stock()) {
            (Some(known), Some(now)) => Arc::ptr_eq(known, &now),
            (known, now) => known.is_none() && now.is_none(),
        }
    }

    fn is_current(&self, root: Option<&Path>, known: &Resolution) -> bool {
        self.is_of_stock(known)
            && known.used.iter().all(|used| {
                let now = self.inner.shelf.pack(root, &used.name);
                matches!(now, Ok(Some(pack)) if Arc::ptr_eq(&pack, used) || pack.digest == used.digest)
            })
    }

    /// What is wrong with a document that is to be published, as `<dotted path>: <message>`: as [`validate`], and its
    /// parents have to be there and be whole.
    #[must_use]
    pub fn faults(&self, document: &Value) -> Vec<String> {
        let faults = validate(document);
        if !faults.is_empty() {
            return faults;
        }
        let label = "the document";
        let resolved = self.inheritance().resolve_document(label, label, document, None, CallBounds::default());
        resolved.err().map(|error| error.faults(label)).unwrap_or_default()
    }

    /// Resolves a document from outside the library; its parents come from the library. `label` becomes the pack's name.
    /// A document has no component: for a file or folder use [`PackLibrary::resolve_path`]. Not cached.
    ///
    /// # Errors
    /// Every [`PackError`] but `NotFound`.
    #[expect(clippy::needless_pass_by_value, reason = "the document is used up: a caller has no use for it afterwards")]
    pub fn resolve_document(&self, label: &str, document: Value) -> Result<Arc<ResolvedPack>, PackError> {
        self.inheritance().resolve_document(label, label, &document, None, CallBounds::default()).map(Arc::new)
    }

    /// As [`PackLibrary::resolve_document`], with the component of the directory's pack of that name if there is one: what
    /// that pack would be if the document took the place of its own.
    ///
    /// # Errors
    /// Every [`PackError`] but `NotFound`.
    pub fn resolve_draft(&self, name: &PackName, document: &Value) -> Result<Arc<ResolvedPack>, PackError> {
        let root = self.inner.root.current();
        let component = self.inner.shelf.pack(root, name)?.and_then(|pack| pack.component.clone());
        self.inheritance()
            .resolve_document(name.as_str(), name.as_str(), document, component, CallBounds::default())
            .map(Arc::new)
    }

    /// Resolves a pack that is not installed, from the files that a plugin brings along. Its parents come from the library.
    /// Not cached.
    ///
    /// # Errors
    /// Every [`PackError`] but `NotFound`.
    pub fn resolve_supplied(&self, name: &PackName, files: SuppliedPack) -> Result<Arc<ResolvedPack>, PackError> {
        let pack = supplied(name, files).map_err(|problem| PackError::Unreadable {
            name: name.to_string(),
            problem,
            source: None,
        })?;
        let document = pack.document.as_ref().map_err(|problem| PackError::Invalid {
            name: name.to_string(),
            errors: vec![format!("<root>: {problem}")],
        })?;
        let label = name.as_str();
        self.inheritance().resolve_document(label, label, document, pack.component.clone(), pack.bounds).map(Arc::new)
    }

    /// Resolves the policy at a path: a file, or a folder with a `policy.yaml`. A `policy.wasm` beside a `policy.yaml`
    /// counts, as it does in the library. The pack is called by its `metadata.id`: records say which policy decided, and not
    /// where it lies on some machine. Not cached.
    ///
    /// # Errors
    /// Every [`PackError`] but `NotFound`; they name the path as it was given.
    pub fn resolve_path(&self, path: &Path) -> Result<Arc<ResolvedPack>, PackError> {
        let (document, yaml) = read_policy_bytes(path)?;
        let component = read_component(path)?;
        let name = metadata(&document, "id").filter(|id| PackName::new(id).is_ok()).unwrap_or(UNNAMED);
        let digest = component.as_ref().map(|(_, digest)| digest.clone());
        let mut pack = self.inheritance().resolve_document(
            &path.display().to_string(),
            name,
            &document,
            component,
            CallBounds::default(),
        )?;
        let standing = match self.inner.shelf.check() {
            Some(check) => standing_at(path, (&yaml, digest.as_ref()), check)?,
            None => Standing::Unchecked,
        };
        let problem = match &standing {
            Standing::Refused(problem) => Some(problem.clone()),
            _ => digest.and_then(|digest| self.inner.shelf.stock()?.objection(&digest, standing == Standing::Verified)),
        };
        pack.unverified.extend(problem.map(|problem| Unverified { pack: name.to_owned(), problem }));
        Ok(Arc::new(pack))
    }

    fn inheritance(&self) -> Inheritance<'_> {
        Inheritance::new(&self.inner.shelf, self.inner.root.current())
    }
}
