//! What a component asks for and offers, checked before anything of it runs.

use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::{self, ComponentItem};

use crate::bindings::PolicyPackPre;
use crate::engine::Runtime;
use crate::error::{Failure, PluginErrorKind, clip};
use crate::limits::Limits;
use crate::store::CallState;

/// The contract this host speaks.
const PACKAGE: &str = "cavra:policy";
const VERSION: &str = "1.0.0";

/// The only name a component may import: an interface of types alone, which gives names and no power.
const TYPES: &str = "cavra:policy/types@1.0.0";

/// Checks imports, exports and static sizes, and links the component: with nothing.
pub(crate) fn link(
    runtime: &Runtime,
    component: &Component,
    limits: &Limits,
) -> Result<PolicyPackPre<CallState>, Failure> {
    imports(&runtime.engine, component)?;
    sizes(component, limits)?;
    let instance =
        runtime.linker.instantiate_pre(component).map_err(|error| incompatible(&runtime.engine, component, &error))?;
    PolicyPackPre::new(instance).map_err(|error| incompatible(&runtime.engine, component, &error))
}

fn imports(engine: &Engine, component: &Component) -> Result<(), Failure> {
    for (name, item) in component.component_type().imports(engine) {
        let only_types = match &item.ty {
            ComponentItem::ComponentInstance(instance) => only_types(engine, instance),
            _ => false,
        };
        if !only_types {
            return Err(PluginErrorKind::Denied(name_of_import(engine, name, &item.ty)).into());
        }
        if name != TYPES {
            return Err(if package_of(name) == PACKAGE {
                other_version(name)
            } else {
                PluginErrorKind::Denied(shown(name)).into()
            });
        }
    }
    Ok(())
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

/// Exports that are missing or have another type, explained by the version found if there is one.
fn incompatible(engine: &Engine, component: &Component, error: &wasmtime::Error) -> Failure {
    let ty = component.component_type();
    let found = ty.exports(engine).map(|(name, _)| name).find(|name| package_of(name) == PACKAGE && *name != TYPES);
    match found {
        Some(name) => other_version(name),
        None => {
            let missing: Vec<_> =
                ["configure", "evaluate"].into_iter().filter(|name| ty.get_export(engine, name).is_none()).collect();
            let what = if missing.is_empty() {
                format!("its exports have other types than those of {PACKAGE}@{VERSION}")
            } else {
                format!("it is no policy pack of {PACKAGE}@{VERSION}: no export `{}`", missing.join("`, `"))
            };
            Failure::new(PluginErrorKind::Incompatible(what), format_args!("{error:#}"))
        }
    }
}

fn other_version(name: &str) -> Failure {
    let found = name.rsplit_once('@').map_or("no version", |(_, version)| version);
    let what = format!("expected {PACKAGE}@{VERSION}, found {PACKAGE}@{}", shown(found));
    PluginErrorKind::Incompatible(what).into()
}

/// `cavra:policy` of `cavra:policy/types@1.0.0`.
fn package_of(name: &str) -> &str {
    name.split(['/', '@']).next().unwrap_or(name)
}

/// A name chosen by a guest, fit for a sentence.
fn shown(name: &str) -> String {
    clip(name, 128)
}
