//! Single packs by name: the policy directory's over the shipped ones, read again when their files change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use cavra_builtin::PACKS;
use cavra_model::{Digest, PackName};
use serde_json::Value;

use crate::error::PackError;
use crate::memory::Memory;
use crate::parse::{MAX_POLICY_BYTES, parse_policy};
use crate::read::{ReadFault, look, read};
use crate::stamp::Watched;
use crate::{Pack, PackOrigin};

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
}

impl RawPack {
    fn new(name: PackName, origin: PackOrigin, yaml: &[u8], wasm: Option<Vec<u8>>) -> Self {
        let component = wasm.map(component_of);
        let document = document_of(yaml);
        Self {
            name,
            origin,
            digest: fingerprint(yaml, component.as_ref().map(|(_, digest)| digest)),
            document,
            component,
        }
    }

    /// The pack for lists; none if it is a document of another kind.
    pub(crate) fn listed(&self, errors: Vec<String>) -> Option<Pack> {
        let document = match &self.document {
            Ok(document) if !document.is_object() => return None,
            Ok(document) => document.clone(),
            Err(_) => Value::Null,
        };
        Some(Pack { name: self.name.clone(), origin: self.origin, document, errors })
    }
}

pub(crate) fn component_of(bytes: Vec<u8>) -> Component {
    let digest = Digest::of(&bytes);
    (Arc::from(bytes), digest)
}

pub(crate) fn document_of(yaml: &[u8]) -> Result<Value, String> {
    parse_policy(std::str::from_utf8(yaml).map_err(|_| "is not UTF-8")?)
}

fn fingerprint(yaml: &[u8], component: Option<&Digest>) -> Digest {
    let component = component.map(Digest::as_str).unwrap_or_default();
    Digest::of(format!("{} {component}", Digest::of(yaml)))
}

/// What was last read of a pack in the policy directory.
#[derive(Clone)]
struct Slot {
    root: Arc<Path>,
    policy: Watched,
    component: Watched,
    pack: Arc<RawPack>,
}

/// Looks packs up.
pub(crate) struct Shelf {
    slots: Memory<PackName, Slot>,
}

impl Shelf {
    pub(crate) fn new() -> Self {
        Self { slots: Memory::new(KEPT_PACKS) }
    }

    /// The pack, as it is now; none if there is none of that name.
    ///
    /// # Errors
    /// [`PackError::Unreadable`]. A pack of the directory that cannot be read does not uncover the shipped one.
    pub(crate) fn pack(&self, root: Option<&Path>, name: &PackName) -> Result<Option<Arc<RawPack>>, PackError> {
        let Some(root) = root else { return Ok(shipped(name)) };
        let folder = root.join(name.as_str());
        let files = Files { policy: folder.join(POLICY), component: folder.join(COMPONENT) };
        let unreadable = |file| move |error| unreadable(name, file, ReadFault::Io(error));
        let Some(policy) = look(&files.policy).map_err(unreadable(POLICY))? else {
            // A folder that is a link to nowhere looks like an absence of the file.
            look(&folder).map_err(unreadable("the folder"))?;
            return Ok(shipped(name));
        };
        let component = look(&files.component).map_err(unreadable(COMPONENT))?;
        let known = self.slots.get(name).filter(|slot| *slot.root == *root);
        match known {
            Some(slot) if slot.policy.is_unchanged(Some(policy)) && slot.component.is_unchanged(component) => {
                Ok(Some(slot.pack))
            }
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
        let (yaml, policy) =
            read(Some(root), &files.policy, MAX_POLICY_BYTES).map_err(|fault| unreadable(name, POLICY, fault))?;
        let (wasm, component) = read(Some(root), &files.component, MAX_COMPONENT_BYTES)
            .map_err(|fault| unreadable(name, COMPONENT, fault))?;
        let Some(yaml) = yaml else { return Ok(shipped(name)) };
        let digest = fingerprint(&yaml, wasm.as_ref().map(Digest::of).as_ref());
        let pack = known
            .filter(|pack| pack.digest == digest)
            .unwrap_or_else(|| Arc::new(RawPack::new(name.clone(), PackOrigin::Directory, &yaml, wasm)));
        self.slots.put(name.clone(), Slot { root: root.into(), policy, component, pack: Arc::clone(&pack) });
        Ok(Some(pack))
    }

    /// The names of all packs, sorted: folders of the directory that can be looked up, and the shipped ones.
    pub(crate) fn names(root: Option<&Path>) -> Vec<PackName> {
        let mut names: Vec<PackName> = PACKS.iter().filter_map(|pack| PackName::new(pack.name).ok()).collect();
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

struct Files {
    policy: PathBuf,
    component: PathBuf,
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
    let parse = || Arc::new(RawPack::new(name.clone(), PackOrigin::Shipped, yaml.as_bytes(), None));
    Some(Arc::clone(cells.get(position)?.get_or_init(parse)))
}
