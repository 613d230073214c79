//! A pack with its parents. Contract 10, section 2.2.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use cavra_model::{Digest, PackName, canonical};
use serde_json::Value;

use crate::error::{PackError, shown};
use crate::merge::{merge, normalize};
use crate::pack::metadata;
use crate::shelf::{Component, RawPack, Shelf};
use crate::{PackComponent, ResolvedPack};

/// Levels of inheritance, the pack itself included.
const MAX_LEVELS: usize = 16;

/// Packs that one pack may be made of. Bounds the work where many inherit many.
const MAX_PACKS: usize = 64;

/// Sections that only the rule interpreter understands.
const RULE_SECTIONS: [&str; 4] = ["filesystem", "commands", "git", "mcp"];

/// A pack with its parents, before it is finished.
struct Merged {
    document: Value,
    /// Levels of inheritance below and including this one.
    levels: usize,
}

/// Resolves one pack; knows the packs it met on the way.
pub(crate) struct Inheritance<'s> {
    shelf: &'s Shelf,
    root: Option<&'s Path>,
    /// The way from the pack that was asked for to the one at hand.
    way: Vec<String>,
    finished: HashMap<PackName, Rc<Merged>>,
    /// Every pack that takes part, parents first.
    used: Vec<Arc<RawPack>>,
}

impl<'s> Inheritance<'s> {
    pub(crate) fn new(shelf: &'s Shelf, root: Option<&'s Path>) -> Self {
        Self { shelf, root, way: Vec::new(), finished: HashMap::new(), used: Vec::new() }
    }

    /// Resolves a pack of the library. Also answers all packs that took part.
    pub(crate) fn resolve(mut self, name: &PackName) -> Result<(ResolvedPack, Vec<Arc<RawPack>>), PackError> {
        let pack = self.shelf.pack(self.root, name)?.ok_or_else(|| PackError::NotFound { name: name.to_string() })?;
        let merged = self.visit(&pack)?;
        let components = self.used.iter().filter_map(|pack| component_of_pack(pack)).collect();
        let resolved = finish(name.as_str(), merged.document.clone(), components)?;
        Ok((resolved, self.used))
    }

    /// Resolves a document that is not in the library, with the component beside it.
    pub(crate) fn resolve_document(
        mut self,
        label: &str,
        document: &Value,
        component: Option<Component>,
    ) -> Result<ResolvedPack, PackError> {
        let merged = self.with_parents(label, document)?;
        let own = component.map(|component| pack_component(label, document, &component));
        let components = self.used.iter().filter_map(|pack| component_of_pack(pack)).chain(own).collect();
        finish(label, merged.document, components)
    }

    fn visit(&mut self, pack: &Arc<RawPack>) -> Result<Rc<Merged>, PackError> {
        if let Some(merged) = self.finished.get(&pack.name) {
            return Ok(Rc::clone(merged));
        }
        let document = pack.document.as_ref().map_err(|problem| PackError::Invalid {
            name: pack.name.to_string(),
            errors: vec![format!("<root>: {problem}")],
        })?;
        let merged = Rc::new(self.with_parents(pack.name.as_str(), document)?);
        self.used.push(Arc::clone(pack));
        self.finished.insert(pack.name.clone(), Rc::clone(&merged));
        Ok(merged)
    }

    /// Checks a document as written and lays it over its parents.
    fn with_parents(&mut self, name: &str, document: &Value) -> Result<Merged, PackError> {
        check(name, document)?;
        self.way.push(name.to_owned());
        let mut merged: Option<Value> = None;
        let mut levels = 1;
        for parent in parents(name, document)? {
            let parent = self.parent(name, parent)?;
            levels = levels.max(parent.levels + 1);
            merged = Some(match merged {
                Some(earlier) => merge(&earlier, &parent.document),
                None => parent.document.clone(),
            });
        }
        self.way.pop();
        if self.way.len() + levels > MAX_LEVELS {
            return Err(PackError::TooDeep { pack: name.to_owned() });
        }
        let document = merged.map_or_else(|| document.clone(), |parents| merge(&parents, document));
        Ok(Merged { document, levels })
    }

    fn parent(&mut self, child: &str, name: &str) -> Result<Rc<Merged>, PackError> {
        if let Some(position) = self.way.iter().position(|above| above == name) {
            let mut chain = self.way.split_off(position);
            chain.push(name.to_owned());
            return Err(PackError::Cycle { chain });
        }
        if self.way.len() >= MAX_LEVELS || self.used.len() >= MAX_PACKS {
            return Err(PackError::TooDeep { pack: child.to_owned() });
        }
        let unknown = || PackError::UnknownParent { pack: child.to_owned(), parent: shown(name) };
        let name = PackName::new(name).map_err(|_| unknown())?;
        let pack = self.shelf.pack(self.root, &name)?.ok_or_else(unknown)?;
        self.visit(&pack)
    }
}

/// The names a document inherits from. What is no name is an error: the rules of that parent would be missing.
fn parents<'d>(name: &str, document: &'d Value) -> Result<Vec<&'d str>, PackError> {
    let invalid = |path: &str, message: &str| PackError::Invalid {
        name: name.to_owned(),
        errors: vec![format!("{path}: {message}")],
    };
    let metadata = match document.get("metadata") {
        None => return Ok(Vec::new()),
        Some(Value::Object(metadata)) => metadata,
        Some(_) => return Err(invalid("metadata", "must be a mapping")),
    };
    let malformed = || invalid("metadata.inherits", "must be a pack name or a list of pack names");
    match metadata.get("inherits") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(parent)) => Ok(vec![parent]),
        Some(Value::Array(parents)) if !parents.is_empty() => {
            parents.iter().map(|parent| parent.as_str().ok_or_else(malformed)).collect()
        }
        Some(_) => Err(malformed()),
    }
}

/// The parts of a document that decide are as they should be.
fn check(name: &str, document: &Value) -> Result<(), PackError> {
    let faults = cavra_rules::check_document(document);
    if faults.is_empty() {
        return Ok(());
    }
    let errors = faults.into_iter().map(|fault| format!("{}: {}", shown(&fault.path), fault.message)).collect();
    Err(PackError::Invalid { name: name.to_owned(), errors })
}

fn finish(name: &str, mut document: Value, components: Vec<PackComponent>) -> Result<ResolvedPack, PackError> {
    normalize(&mut document);
    check(name, &document)?;
    let has_rules = components.is_empty() || RULE_SECTIONS.iter().any(|section| document.get(section).is_some());
    let canonical = canonical(&document);
    Ok(ResolvedPack {
        name: name.to_owned(),
        version: metadata(&document, "version").map(ToOwned::to_owned),
        digest: Digest::of(&canonical),
        document,
        canonical,
        has_rules,
        components,
    })
}

fn component_of_pack(pack: &RawPack) -> Option<PackComponent> {
    let document = pack.document.as_ref().ok()?;
    Some(pack_component(pack.name.as_str(), document, pack.component.as_ref()?))
}

fn pack_component(name: &str, document: &Value, (wasm, digest): &Component) -> PackComponent {
    PackComponent {
        pack: name.to_owned(),
        version: metadata(document, "version").unwrap_or_default().to_owned(),
        wasm: Arc::clone(wasm),
        digest: digest.clone(),
    }
}
