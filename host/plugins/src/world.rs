//! Worlds: the contracts that components are written for. A world is a description; what reads it is the same for all.

use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::{self, ComponentItem};

use crate::error::{Failure, PluginErrorKind, clip};
use crate::limits::Limits;

/// A contract between host and components.
///
/// Its versions are frozen: a component names the one it was built for, and an adapter of that version speaks with it.
/// Matching versions by their compatibility instead would offer a component functions and members that it does not
/// know, or withhold some that it needs.
#[derive(Debug)]
pub(crate) struct World {
    /// Package, as components name it.
    pub(crate) package: &'static str,
    /// What the components are, for sentences: "policy pack".
    pub(crate) noun: &'static str,
    /// Versions that there is an adapter for, oldest first.
    pub(crate) versions: &'static [&'static str],
    /// The functions every version exports.
    pub(crate) exports: &'static [&'static str],
}

impl World {
    /// The version a component was built for, once it is certain that it asks for nothing and is not too large.
    ///
    /// # Errors
    /// [`PluginErrorKind::Denied`], [`PluginErrorKind::Incompatible`], [`PluginErrorKind::Memory`].
    pub(crate) fn audit(
        &self,
        engine: &Engine,
        component: &Component,
        limits: &Limits,
    ) -> Result<&'static str, Failure> {
        let version = self.version_of_imports(engine, component)?;
        sizes(component, limits)?;
        Ok(version)
    }

    /// The only import there may be is the contract's interface of types, which gives names and no power. Its version
    /// is the component's; a component without it is held to the newest.
    fn version_of_imports(&self, engine: &Engine, component: &Component) -> Result<&'static str, Failure> {
        let mut version = None;
        for (name, item) in component.component_type().imports(engine) {
            let only_types = match &item.ty {
                ComponentItem::ComponentInstance(instance) => only_types(engine, instance),
                _ => false,
            };
            if !only_types {
                return Err(PluginErrorKind::Denied(name_of_import(engine, name, &item.ty)).into());
            }
            if package_of(name) != self.package {
                return Err(PluginErrorKind::Denied(shown(name)).into());
            }
            let found = self.versions.iter().copied().find(|version| name == self.types_of(version));
            let found = found.ok_or_else(|| self.other_version(name))?;
            if version.replace(found).is_some_and(|other| other != found) {
                let what = format!("it is built for two versions of {}", self.package);
                return Err(PluginErrorKind::Incompatible(what).into());
            }
        }
        let newest = self.versions.last().copied();
        version.or(newest).ok_or_else(|| Failure::load("the contract has no version"))
    }

    fn types_of(&self, version: &str) -> String {
        format!("{}/types@{version}", self.package)
    }

    /// Exports that are missing or have another type, explained by the version found if there is one.
    pub(crate) fn incompatible(&self, engine: &Engine, component: &Component, error: &wasmtime::Error) -> Failure {
        let ty = component.component_type();
        let ours = |name: &&str| {
            package_of(name) == self.package && !self.versions.iter().any(|version| **name == self.types_of(version))
        };
        if let Some(name) = ty.exports(engine).map(|(name, _)| name).find(ours) {
            return self.other_version(name);
        }
        let missing: Vec<_> =
            self.exports.iter().copied().filter(|name| ty.get_export(engine, name).is_none()).collect();
        let what = if missing.is_empty() {
            format!("its exports have other types than those of {}", self.spoken())
        } else {
            format!("it is no {} of {}: no export `{}`", self.noun, self.spoken(), missing.join("`, `"))
        };
        Failure::new(PluginErrorKind::Incompatible(what), format_args!("{error:#}"))
    }

    /// The versions this host speaks, for a sentence.
    fn spoken(&self) -> String {
        format!("{}@{}", self.package, self.versions.join(" or "))
    }

    fn other_version(&self, name: &str) -> Failure {
        let found = name.rsplit_once('@').map_or("no version", |(_, version)| version);
        let what = format!("expected {}, found {}@{}", self.spoken(), self.package, shown(found));
        PluginErrorKind::Incompatible(what).into()
    }
}

fn only_types(engine: &Engine, instance: &types::ComponentInstance) -> bool {
    instance.exports(engine).all(|(_, item)| matches!(item.ty, ComponentItem::Type(_)))
}

/// The import, with the first function in it, because that says more than the interface alone.
fn name_of_import(engine: &Engine, name: &str, item: &ComponentItem) -> String {
    let member = match item {
        ComponentItem::ComponentInstance(instance) => {
            instance.exports(engine).find(|(_, item)| !matches!(item.ty, ComponentItem::Type(_)))
        }
        _ => None,
    };
    member.map_or_else(|| shown(name), |(member, _)| format!("{}#{}", shown(name), shown(member)))
}

fn sizes(component: &Component, limits: &Limits) -> Result<(), Failure> {
    let Some(needs) = component.resources_required() else {
        return Err(
            PluginErrorKind::Incompatible("it contains modules that are not known before it runs".to_owned()).into()
        );
    };
    let above = |count: u32, limit: usize| usize::try_from(count).map_or(true, |count| count > limit);
    if above(needs.num_memories, limits.memories) || above(needs.num_tables, limits.tables) {
        let cause = format_args!("it has {} memories and {} tables", needs.num_memories, needs.num_tables);
        return Err(Failure::new(PluginErrorKind::Memory, cause));
    }
    Ok(())
}

/// `cavra:policy` of `cavra:policy/types@1.0.0`.
fn package_of(name: &str) -> &str {
    name.split(['/', '@']).next().unwrap_or(name)
}

/// A name chosen by a guest, fit for a sentence.
fn shown(name: &str) -> String {
    clip(name, 128)
}
