//! Single packs by name: the policy directory's over the shipped ones, read again when their files change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use cavra_builtin::PACKS;
use cavra_documents::{Stamp, Watched, look};
use cavra_model::{Digest, PackName};
use serde_json::Value;

use crate::error::PackError;
use crate::memory::Memory;
use crate::parse::{MAX_POLICY_BYTES, parse_policy};
use crate::read::{ATTEMPTS, ReadFault, read};
use crate::signature::{MAX_SIGNATURE_BYTES, SIGNATURE_FILE, SignatureCheck, Standing, standing};
use crate::supply::{Stock, SuppliedPack, Supply};
use crate::{CallBounds, Pack, PackOrigin, PackSupply};

pub(crate) const POLICY: &str = "policy.yaml";
pub(crate) const COMPONENT: &str = "policy.wasm";

/// A `policy.wasm` and its digest.
pub(crate) type Component = (Arc<[u8]>, Digest);

/// Largest `policy.wasm`, in bytes.
pub const MAX_COMPONENT_BYTES: usize = 20 << 20;

/// Packs of the policy directory that are kept in memory. The largest installations have a few hundred.
const KEPT_PACKS: usize = 512;

/// One pack as its files say.
#[derive(Debug)]
pub(crate) struct RawPack {
    pub(crate) name: PackName,
    pub(crate) origin: PackOrigin,
    /// Digest of all its files: equal digests mean equal packs.
    pub(crate) digest: Digest,
    /// The document, or what is wrong with the text.
    pub(crate) document: Result<Value, String>,
    /// `policy.wasm`.
    pub(crate) component: Option<Component>,
    /// What calls of the component may use.
    pub(crate) bounds: CallBounds,
    /// What its signature showed.
    pub(crate) standing: Standing,
}

impl RawPack {
    fn shipped(name: PackName, yaml: &[u8]) -> Self {
        let files = Contents { policy: yaml.to_vec(), component: None, signature: None };
        Self::new(name, PackOrigin::Shipped, files, None)
    }

    /// A pack that somebody else vouches for.
    pub(crate) fn supplied(name: PackName, files: SuppliedPack) -> Self {
        let bounds = files.bounds;
        let files = Contents { policy: files.policy, component: Some(files.component), signature: None };
        Self { bounds, ..Self::new(name, PackOrigin::Plugin, files, None) }
    }

    fn new(name: PackName, origin: PackOrigin, files: Contents, check: Option<&SignatureCheck>) -> Self {
        let digest = files.fingerprint();
        let document = document_of(&files.policy);
        let known = document.as_ref().ok();
        let component = files.component.map(component_of);
        let signed = (files.policy.as_slice(), component.as_ref().map(|(_, digest)| digest));
        let standing = standing(check, Some(&name), signed, known, files.signature.as_deref());
        Self { name, origin, digest, document, component, bounds: CallBounds::default(), standing }
    }

    /// Says in the log what an operator should know of a pack that was just read.
    fn tell(&self) {
        let pack = self.name.as_str();
        if let Standing::Refused(problem) = &self.standing {
            tracing::error!(pack, problem, "a published policy pack does not verify; it decides nothing");
        }
        let warnings = self.document.as_ref().map(crate::ignored).unwrap_or_default();
        if !warnings.is_empty() {
            tracing::warn!(pack, warnings = warnings.join("; "), "a policy pack says what no engine reads");
        }
    }

    /// Whether it is, or was meant to be, a policy and no document of another kind.
    pub(crate) fn is_policy(&self) -> bool {
        self.document.as_ref().map_or(true, Value::is_object)
    }

    /// The pack for lists; none if it is a document of another kind.
    pub(crate) fn listed(&self, errors: Vec<String>) -> Option<Pack> {
        let document = match &self.document {
            Ok(document) if !document.is_object() => return None,
            Ok(document) => document.clone(),
            Err(_) => Value::Null,
        };
        let component = self.component.as_ref().map(|(_, digest)| digest.clone());
        Some(Pack { name: self.name.clone(), origin: self.origin, document, component, errors, is_unverified: false })
    }
}

pub(crate) fn component_of(bytes: Vec<u8>) -> Component {
    let digest = Digest::of(&bytes);
    (Arc::from(bytes), digest)
}

pub(crate) fn document_of(yaml: &[u8]) -> Result<Value, String> {
    let other_encoding = [&[0xff, 0xfe][..], &[0xfe, 0xff]].iter().any(|mark| yaml.starts_with(mark));
    let problem = if other_encoding { "is UTF-16; save it as UTF-8" } else { "is not UTF-8" };
    parse_policy(std::str::from_utf8(yaml).map_err(|_| problem)?)
}

/// The contents of a pack's files.
struct Contents {
    policy: Vec<u8>,
    component: Option<Vec<u8>>,
    signature: Option<Vec<u8>>,
}

impl Contents {
    /// Equal contents have equal fingerprints.
    fn fingerprint(&self) -> Digest {
        let of = |file: &Option<Vec<u8>>| file.as_ref().map(|bytes| Digest::of(bytes).to_string()).unwrap_or_default();
        Digest::of(format!("{} {} {}", Digest::of(&self.policy), of(&self.component), of(&self.signature)))
    }
}

/// What was last read of a pack in the policy directory.
#[derive(Clone)]
struct Slot {
    root: Arc<Path>,
    seen: [Watched; 3],
    pack: Arc<RawPack>,
}

/// Looks packs up.
pub(crate) struct Shelf {
    slots: Memory<PackName, Slot>,
    check: Option<SignatureCheck>,
    supply: Option<Supply>,
}

impl Shelf {
    /// With a check, the signatures of the policy directory's packs are looked at.
    pub(crate) fn new(check: Option<SignatureCheck>, supply: Option<Arc<dyn PackSupply>>) -> Self {
        Self { slots: Memory::new(KEPT_PACKS), check, supply: supply.map(Supply::new) }
    }

    /// What is supplied now.
    pub(crate) fn stock(&self) -> Option<Arc<Stock>> {
        self.supply.as_ref().map(Supply::stock)
    }

    pub(crate) fn check(&self) -> Option<&SignatureCheck> {
        self.check.as_ref()
    }

    /// The pack, as it is now; none if there is none of that name.
    ///
    /// # Errors
    /// [`PackError::Unreadable`]. A pack of the directory that cannot be read does not uncover the shipped one.
    pub(crate) fn pack(&self, root: Option<&Path>, name: &PackName) -> Result<Option<Arc<RawPack>>, PackError> {
        let Some(root) = root else { return self.elsewhere(name) };
        let folder = root.join(name.as_str());
        let files = Files::of(&folder, self.check.is_some());
        let now = files.look().map_err(|(file, error)| unreadable(name, file, ReadFault::Io(error)))?;
        let [Some(_), _, _] = now else {
            // A folder that is a link to nowhere looks like an absence of the file.
            look(&folder).map_err(|error| unreadable(name, "the folder", ReadFault::Io(error)))?;
            return self.elsewhere(name);
        };
        let known = self.slots.get(name).filter(|slot| *slot.root == *root);
        match known {
            Some(slot) if slot.seen.iter().zip(now).all(|(seen, now)| seen.is_unchanged(now)) => Ok(Some(slot.pack)),
            known => self.read(root, &files, name, known.map(|slot| slot.pack)),
        }
    }

    fn read(
        &self,
        root: &Path,
        files: &Files,
        name: &PackName,
        known: Option<Arc<RawPack>>,
    ) -> Result<Option<Arc<RawPack>>, PackError> {
        let Some((contents, seen)) = files.read(root).map_err(|(file, fault)| unreadable(name, file, fault))? else {
            return self.elsewhere(name);
        };
        let digest = contents.fingerprint();
        let pack = known.filter(|pack| pack.digest == digest).unwrap_or_else(|| {
            let pack = RawPack::new(name.clone(), PackOrigin::Directory, contents, self.check.as_ref());
            pack.tell();
            Arc::new(pack)
        });
        self.slots.put(name.clone(), Slot { root: root.into(), seen, pack: Arc::clone(&pack) });
        Ok(Some(pack))
    }

    /// A pack that the policy directory does not have: supplied, else shipped. While nothing can be supplied, a pack that is
    /// not shipped may be one that would be.
    fn elsewhere(&self, name: &PackName) -> Result<Option<Arc<RawPack>>, PackError> {
        if let Some(pack) = shipped(name) {
            return Ok(Some(pack));
        }
        let Some(stock) = self.stock() else { return Ok(None) };
        match (stock.pack(name)?, stock.fault()) {
            (None, Some(problem)) => Err(PackError::Unreadable {
                name: name.to_string(),
                problem: format!("plugins cannot be loaded: {problem}"),
                source: None,
            }),
            (pack, _) => Ok(pack),
        }
    }

    /// The names of all packs, sorted: folders of the directory that can be looked up, supplied packs and the shipped ones.
    pub(crate) fn names(&self, root: Option<&Path>) -> Vec<PackName> {
        let mut names: Vec<PackName> = PACKS.iter().filter_map(|pack| PackName::new(pack.name).ok()).collect();
        names.extend(self.stock().iter().flat_map(|stock| stock.names().cloned().collect::<Vec<_>>()));
        if let Some(root) = root {
            match fs::read_dir(root) {
                Ok(entries) => {
                    names.extend(entries.filter_map(|entry| PackName::new(entry.ok()?.file_name().to_str()?).ok()))
                }
                Err(error) => tracing::error!(%error, "the policy directory cannot be listed"),
            }
        }
        names.sort();
        names.dedup();
        names
    }
}

/// The files that make a pack.
struct Files {
    policy: PathBuf,
    component: PathBuf,
    /// Only where it is looked at.
    signature: Option<PathBuf>,
}

/// A file's name and what is wrong with it.
type FileFault<E> = (&'static str, E);

impl Files {
    fn of(folder: &Path, signed: bool) -> Self {
        Self {
            policy: folder.join(POLICY),
            component: folder.join(COMPONENT),
            signature: signed.then(|| folder.join(SIGNATURE_FILE)),
        }
    }

    /// The state of each.
    fn look(&self) -> Result<[Option<Stamp>; 3], FileFault<io::Error>> {
        let state = |file, path: &Path| look(path).map_err(|error| (file, error));
        let signature = self.signature.as_deref().map(|path| state(SIGNATURE_FILE, path)).transpose()?;
        Ok([state(POLICY, &self.policy)?, state(COMPONENT, &self.component)?, signature.flatten()])
    }

    /// The contents of all of them at one moment; none if there is no policy. A pack is replaced as a whole, so one that
    /// changed while it was read is read again.
    fn read(&self, root: &Path) -> Result<Option<(Contents, [Watched; 3])>, FileFault<ReadFault>> {
        let file = |file, path: &Path, limit| read(Some(root), path, limit).map_err(|fault| (file, fault));
        for _ in 0..ATTEMPTS {
            let (policy, policy_seen) = file(POLICY, &self.policy, MAX_POLICY_BYTES)?;
            let (component, component_seen) = file(COMPONENT, &self.component, MAX_COMPONENT_BYTES)?;
            let (signature, signature_seen) = match &self.signature {
                Some(path) => file(SIGNATURE_FILE, path, MAX_SIGNATURE_BYTES)?,
                None => (None, Watched::Absent),
            };
            let seen = [policy_seen, component_seen, signature_seen];
            let now = self.look().map_err(|(file, error)| (file, ReadFault::Io(error)))?;
            if seen.iter().zip(now).all(|(seen, now)| seen.is_still(now)) {
                return Ok(policy.map(|policy| (Contents { policy, component, signature }, seen)));
            }
        }
        Err((POLICY, ReadFault::Unsteady))
    }
}

fn unreadable(name: &PackName, file: &str, fault: ReadFault) -> PackError {
    let problem = fault.problem(file);
    let source = match fault {
        ReadFault::Io(error) => Some(Arc::new(error)),
        _ => None,
    };
    PackError::Unreadable { name: name.to_string(), problem, source }
}

/// A shipped pack, parsed when it is first needed.
fn shipped(name: &PackName) -> Option<Arc<RawPack>> {
    static PARSED: OnceLock<Vec<OnceLock<Arc<RawPack>>>> = OnceLock::new();
    let position = PACKS.iter().position(|pack| pack.name == name.as_str())?;
    let cells = PARSED.get_or_init(|| PACKS.iter().map(|_| OnceLock::new()).collect());
    let yaml = PACKS.get(position)?.policy_yaml;
    let parse = || Arc::new(RawPack::shipped(name.clone(), yaml.as_bytes()));
    Some(Arc::clone(cells.get(position)?.get_or_init(parse)))
}
