//! Reads the state of an instance for the snapshot. The interface this serves has no errors, so the first one is kept
//! aside and the snapshot must be thrown away if there is one.

use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Instance, Lift, WasmList};
use wasmtime::error::format_err;
use wasmtime_wizer::ComponentInstanceState;

use crate::store::CallState;

/// An instance whose state is being read.
pub(crate) struct Reader<'a> {
    store: &'a mut Store<CallState>,
    instance: Instance,
    error: Option<wasmtime::Error>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(store: &'a mut Store<CallState>, instance: Instance) -> Self {
        Self { store, instance, error: None }
    }

    /// # Errors
    /// The first thing that could not be read.
    pub(crate) fn finish(self) -> wasmtime::Result<()> {
        self.error.map_or(Ok(()), Err)
    }

    async fn call<R>(&mut self, interface: &str, function: &str) -> Option<R>
    where
        R: Lift + Send + Sync + 'static,
        (R,): ComponentNamedList,
    {
        let result = self.try_call(interface, function).await;
        result.map_err(|error| self.error.get_or_insert(error)).ok()
    }

    async fn try_call<R>(&mut self, interface: &str, function: &str) -> wasmtime::Result<R>
    where
        R: Lift + Send + Sync + 'static,
        (R,): ComponentNamedList,
    {
        let missing = || format_err!("no accessor `{interface}#{function}`");
        let (_, interface_index) = self.instance.get_export(&mut *self.store, None, interface).ok_or_else(missing)?;
        let (_, index) =
            self.instance.get_export(&mut *self.store, Some(&interface_index), function).ok_or_else(missing)?;
        let accessor = self.instance.get_typed_func::<(), (R,)>(&mut *self.store, index)?;
        Ok(accessor.call_async(&mut *self.store, ()).await?.0)
    }
}

impl ComponentInstanceState for Reader<'_> {
    async fn call_func_ret_list_u8(&mut self, instance: &str, func: &str, contents: impl FnOnce(&[u8]) + Send) {
        match self.call::<WasmList<u8>>(instance, func).await {
            Some(list) => contents(list.as_le_slice(&*self.store)),
            None => contents(&[]),
        }
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.call(instance, func).await.unwrap_or_default()
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.call(instance, func).await.unwrap_or_default()
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.call::<f32>(instance, func).await.unwrap_or_default().to_bits()
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.call::<f64>(instance, func).await.unwrap_or_default().to_bits()
    }
}
