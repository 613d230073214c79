//! Components of any world: checked, linked with nothing, and started.

use wasmtime::Store;
use wasmtime::component::{Component, Instance, InstancePre};

use crate::engine::Runtime;
use crate::error::Failure;
use crate::limits::Limits;
use crate::store::CallState;
use crate::world::World;

/// A linked component of one world, by the bindings that were generated for its versions.
pub(crate) trait Linked: Sized + Send + Sync + 'static {
    /// The functions of an instance.
    type Exports: Send;

    /// The world.
    fn world() -> &'static World;

    /// Checks that the functions of a version are there.
    fn of(version: &str, instance: InstancePre<CallState>) -> wasmtime::Result<Self>;

    /// What instances are made from.
    fn instance_pre(&self) -> &InstancePre<CallState>;

    /// The functions of an instance.
    fn exports(&self, store: &mut Store<CallState>, instance: &Instance) -> wasmtime::Result<Self::Exports>;
}

/// Checks a component and links it: with nothing, because no world imports anything.
///
/// # Errors
/// [`Failure`]: it imports something, is for another world or version, or is too large.
pub(crate) fn link<L: Linked>(runtime: &Runtime, component: &Component, limits: &Limits) -> Result<L, Failure> {
    let world = L::world();
    let version = world.audit(&runtime.engine, component, limits)?;
    let incompatible = |error: wasmtime::Error| world.incompatible(&runtime.engine, component, &error);
    let instance = runtime.linker.instantiate_pre(component).map_err(incompatible)?;
    L::of(version, instance).map_err(incompatible)
}

/// An instance in a fresh store, as the component and as what it exports.
///
/// # Errors
/// [`Failure`], with why it cannot be made.
pub(crate) async fn start<L: Linked>(
    linked: &L,
    store: &mut Store<CallState>,
) -> Result<(Instance, L::Exports), Failure> {
    let instance = match linked.instance_pre().instantiate_async(&mut *store).await {
        Ok(instance) => instance,
        Err(error) => return Err(Failure::of_instantiation(&error, store.data())),
    };
    let exports = linked.exports(store, &instance);
    Ok((instance, exports.map_err(|error| Failure::load(format_args!("{error:#}")))?))
}
