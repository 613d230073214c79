//! A pack with its parents. docs/reference/decisions-and-policy.md, section 2.2.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use cavra_model::{Digest, PackName, canonical};
use serde_json::Value;

use crate::error::{PackError, shown};
use crate::merge::{merge, normalize};
use crate::pack::metadata;
use crate::shelf::{COMPONENT, Component, RawPack, Shelf};
use crate::signature::{Standing, Unverified};
use crate::{CallBounds, PackComponent, PackOrigin, ResolvedPack, schema};

/// Levels of inheritance, the pack itself included.
const MAX_LEVELS: usize = 16;

/// Packs that one pack may be made of. Bounds the work where many inherit many.
const MAX_PACKS: usize = 64;

/// Sections that only the rule interpreter understands.
const RULE_SECTIONS: [&str; 5] = ["effects", "filesystem", "commands", "git", "mcp"];

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
    /// What a document that is not in the library calls itself.
    own_id: Option<String>,
    /// The way from the pack that was asked for to the one at hand.
    way: Vec<String>,
    finished: HashMap<PackName, Rc<Merged>>,
    /// Every pack that takes part, parents first.
    used: Vec<Arc<RawPack>>,
}

impl<'s> Inheritance<'s> {
    pub(crate) fn new(shelf: &'s Shelf, root: Option<&'s Path>) -> Self {
        Self { shelf, root, own_id: None, way: Vec::new(), finished: HashMap::new(), used: Vec::new() }
    }

    /// Resolves a pack of the library. Also answers all packs that took part.
    pub(crate) fn resolve(mut self, name: &PackName) -> Result<(ResolvedPack, Vec<Arc<RawPack>>), PackError> {
        let pack = self.shelf.pack(self.root, name)?.ok_or_else(|| PackError::NotFound { name: name.to_string() })?;
        let merged = self.visit(&pack)?;
        let components = self.used.iter().filter_map(|pack| component_of_pack(pack)).collect();
        let mut resolved = finish(name.as_str(), merged.document.clone(), components, &self.used)?;
        resolved.unverified.extend(self.objections());
        Ok((resolved, self.used))
    }

    /// Resolves a document that is not in the library, with the component beside it. Errors call it `label`; the pack is
    /// called `name`.
    pub(crate) fn resolve_document(
        mut self,
        label: &str,
        name: &str,
        document: &Value,
        component: Option<Component>,
        bounds: CallBounds,
    ) -> Result<ResolvedPack, PackError> {
        check(label, document)?;
        check_component(label, component.as_ref())?;
        self.own_id = metadata(document, "id").map(ToOwned::to_owned);
        let merged = self.with_parents(label, document)?;
        let own = component.map(|component| pack_component(name, document, &component, bounds));
        let components = self.used.iter().filter_map(|pack| component_of_pack(pack)).chain(own).collect();
        let mut resolved = finish(name, merged.document, components, &self.used)?;
        resolved.unverified.extend(self.objections());
        Ok(resolved)
    }

    /// Packs that took part whose component nobody vouches for.
    fn objections(&self) -> Vec<Unverified> {
        let Some(stock) = self.shelf.stock() else { return Vec::new() };
        let objection = |pack: &Arc<RawPack>| {
            let problem = stock.objection_to(pack).filter(|_| unverified(pack).is_none())?;
            Some(Unverified { pack: pack.name.to_string(), problem })
        };
        self.used.iter().filter_map(objection).collect()
    }

    fn visit(&mut self, pack: &Arc<RawPack>) -> Result<Rc<Merged>, PackError> {
        if let Some(merged) = self.finished.get(&pack.name) {
            return Ok(Rc::clone(merged));
        }
        let document = pack.document.as_ref().map_err(|problem| PackError::Invalid {
            name: pack.name.to_string(),
            errors: vec![format!("<root>: {problem}")],
        })?;
        // What is shipped is checked by a test, and reading the schema would cost every command a millisecond.
        if pack.origin != PackOrigin::Shipped {
            check(pack.name.as_str(), document)?;
            check_component(pack.name.as_str(), pack.component.as_ref())?;
        }
        let merged = Rc::new(self.with_parents(pack.name.as_str(), document)?);
        self.used.push(Arc::clone(pack));
        self.finished.insert(pack.name.clone(), Rc::clone(&merged));
        Ok(merged)
    }

    /// Lays a checked document over its parents.
    fn with_parents(&mut self, name: &str, document: &Value) -> Result<Merged, PackError> {
        self.way.push(name.to_owned());
        let mut merged: Option<Value> = None;
        let mut levels = 1;
        for parent in parents(document) {
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
        match self.shelf.pack(self.root, &name)? {
            Some(pack) => self.visit(&pack),
            // A document may build on the pack of its own name; where there is none it means itself.
            None if self.own_id.as_deref() == Some(name.as_str()) => {
                Err(PackError::Cycle { chain: vec![name.to_string(); 2] })
            }
            None => Err(unknown()),
        }
    }
}

/// The names that a checked document inherits from.
fn parents(document: &Value) -> Vec<&str> {
    match document.pointer("/metadata/inherits") {
        Some(Value::String(parent)) => vec![parent],
        Some(Value::Array(parents)) => parents.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The document may decide.
fn check(name: &str, document: &Value) -> Result<(), PackError> {
    let errors = schema::check(document);
    if errors.is_empty() { Ok(()) } else { Err(PackError::Invalid { name: name.to_owned(), errors }) }
}

/// How a component begins: the magic number, and version and layer of the binary format.
const COMPONENT_PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";

/// The bytes may be a component. Whether they are one that can decide is found out when it is loaded; lists, which load
/// nothing, show at least what never can.
fn check_component(name: &str, component: Option<&Component>) -> Result<(), PackError> {
    match component {
        Some((wasm, _)) if !wasm.starts_with(COMPONENT_PREAMBLE) => Err(PackError::Unreadable {
            name: name.to_owned(),
            problem: format!("{COMPONENT} is no WebAssembly component"),
            source: None,
        }),
        _ => Ok(()),
    }
}

fn finish(
    name: &str,
    mut document: Value,
    components: Vec<PackComponent>,
    used: &[Arc<RawPack>],
) -> Result<ResolvedPack, PackError> {
    normalize(&mut document);
    let has_rules = components.is_empty() || RULE_SECTIONS.iter().any(|section| document.get(section).is_some());
    let canonical = canonical(&document);
    // Each document was checked; together, two of them may describe one program.
    let programs = crate::programs::read(&document).map_err(|faults| PackError::Invalid {
        name: name.to_owned(),
        errors: faults.into_iter().map(|(path, problem)| format!("{path}: {problem}")).collect(),
    })?;
    Ok(ResolvedPack {
        name: name.to_owned(),
        version: metadata(&document, "version").map(ToOwned::to_owned),
        digest: Digest::of(&canonical),
        document,
        canonical,
        programs,
        has_rules,
        components,
        unverified: used.iter().filter_map(|pack| unverified(pack)).collect(),
        unsigned: used
            .iter()
            .filter(|pack| pack.standing == Standing::Unsigned)
            .map(|pack| pack.name.clone())
            .collect(),
    })
}

fn unverified(pack: &RawPack) -> Option<Unverified> {
    match &pack.standing {
        Standing::Refused(problem) => Some(Unverified { pack: pack.name.to_string(), problem: problem.clone() }),
        Standing::Unchecked | Standing::Unsigned | Standing::Verified => None,
    }
}

fn component_of_pack(pack: &RawPack) -> Option<PackComponent> {
    let document = pack.document.as_ref().ok()?;
    Some(pack_component(pack.name.as_str(), document, pack.component.as_ref()?, pack.bounds))
}

fn pack_component(name: &str, document: &Value, (wasm, digest): &Component, bounds: CallBounds) -> PackComponent {
    PackComponent {
        pack: name.to_owned(),
        version: metadata(document, "version").unwrap_or_default().to_owned(),
        wasm: Arc::clone(wasm),
        digest: digest.clone(),
        bounds,
    }
}
