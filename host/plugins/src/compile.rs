//! From a component to compiled code; with a document, to code whose memory already holds the compiled document.

use serde::{Deserialize, Serialize};
use wasmtime::component::{Component, Instance};
use wasmtime::{Engine, Store};
use wasmtime_wizer::{ComponentContext, Wizer};

use crate::engine::{Runtime, SNAPSHOT_SLACK};
use crate::error::{Failure, PluginErrorKind};
use crate::limits::Limits;
use crate::linked::{link, start};
use crate::pack::Description;
use crate::policy;
use crate::snapshot::Reader;
use crate::store::{Budget, CallState, store};

/// What is known about compiled code besides the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Facts {
    /// It is a pack that was given its document.
    Pack {
        description: Description,
        /// The code starts configured. Components of unusual shape cannot be snapshotted; they are configured again
        /// before each call.
        configured: bool,
    },
    /// Nothing: it was compiled and not run.
    Plain,
}

/// A compiled component. Its code is machine code, so there are three ways to make one and no other: [`compile`], an
/// answer of the compile process, and a cache file that has been authenticated.
pub(crate) struct Compiled {
    facts: Facts,
    /// Machine code in wasmtime's own format, for this engine only.
    code: Vec<u8>,
}

impl Compiled {
    /// From a cache file whose authenticity has been verified.
    pub(crate) fn authenticated(facts: Facts, code: Vec<u8>) -> Self {
        Self { facts, code }
    }

    /// From a process that runs [`compile`].
    pub(crate) fn answered(facts: Facts, code: Vec<u8>) -> Self {
        Self { facts, code }
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(crate) fn code(&self) -> &[u8] {
        &self.code
    }

    pub(crate) fn into_parts(self) -> (Facts, Vec<u8>) {
        (self.facts, self.code)
    }

    /// Makes the code executable.
    pub(crate) fn component(&self, engine: &Engine) -> Result<Component, Failure> {
        #[allow(unsafe_code, reason = "loading machine code; the type's constructors vouch for where it comes from")]
        // SAFETY: the bytes are the unchanged output of `precompile_component`: made in this process or the compile
        // process of the same build, or read from a file whose HMAC proves that one of these wrote it. They are
        // copied, so nobody can change them afterwards. Another version or configuration is noticed by wasmtime.
        let component = unsafe { Component::deserialize(engine, &self.code) };
        component.map_err(|error| Failure::load(format_args!("{error:#}")))
    }
}

/// How a core module begins: the commonest mistake is to forget to make a component of it.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Compiles `wasm`, and configures it with `document` where there is one.
pub(crate) async fn compile(
    runtime: &Runtime,
    limits: &Limits,
    wasm: &[u8],
    document: Option<&str>,
) -> Result<Compiled, Failure> {
    if wasm.len() > limits.wasm_bytes || document.is_some_and(|document| document.len() > limits.document_bytes) {
        return Err(PluginErrorKind::Input.into());
    }
    if wasm.starts_with(CORE_MODULE) {
        return Err(PluginErrorKind::Incompatible("it is a core module, not a component".to_owned()).into());
    }
    let (facts, snapshot) = match document {
        Some(document) => configured(runtime, limits, wasm, document).await?,
        None => (Facts::Plain, None),
    };
    let code = runtime
        .engine
        .precompile_component(snapshot.as_deref().unwrap_or(wasm))
        .map_err(|error| Failure::load(format_args!("{error:#}")))?;
    if code.len() > limits.code_bytes {
        return Err(Failure::load(format_args!("{} bytes of compiled code", code.len())));
    }
    Ok(Compiled { facts, code })
}

/// What a pack says about itself, and its component as it is after `configure` unless it cannot be read.
async fn configured(
    runtime: &Runtime,
    limits: &Limits,
    wasm: &[u8],
    document: &str,
) -> Result<(Facts, Option<Vec<u8>>), Failure> {
    let mut wizer = Wizer::new();
    wizer.init_func("configure").keep_init_func(true);
    let instrumented = wizer.instrument_component(wasm).map_err(|error| {
        tracing::debug!(%error, "component cannot be snapshotted");
    });
    let compiled = instrumented.ok().and_then(|(context, instrumented)| {
        Some((context, Component::from_binary(&runtime.engine, &instrumented).ok()?))
    });
    let (description, snapshot) = match compiled {
        Some((context, component)) => {
            configure_and_snapshot(runtime, limits, &component, document, &wizer, &context).await?
        }
        None => {
            let component = Component::from_binary(&runtime.engine, wasm)
                .map_err(|error| Failure::load(format_args!("{error:#}")))?;
            let (description, ..) = configure(runtime, limits, &component, document).await?;
            (description, None)
        }
    };
    Ok((Facts::Pack { description, configured: snapshot.is_some() }, snapshot))
}

/// The description, and the component as it is after `configure` unless it cannot be read.
async fn configure_and_snapshot(
    runtime: &Runtime,
    limits: &Limits,
    component: &Component,
    document: &str,
    wizer: &Wizer,
    context: &ComponentContext<'_>,
) -> Result<(Description, Option<Vec<u8>>), Failure> {
    let (description, mut store, instance) = configure(runtime, limits, component, document).await?;
    store.data_mut().extend_for_snapshot(SNAPSHOT_SLACK, limits.configure_time);
    store.set_fuel(limits.configure_fuel).map_err(Failure::load)?;
    // Whole memories are read as lists of bytes; they are not copied.
    store.set_hostcall_fuel(limits.memory_bytes.saturating_add(SNAPSHOT_SLACK));
    let mut reader = Reader::new(&mut store, instance);
    let snapshot = wizer.snapshot_component(context, &mut reader).await;
    match reader.finish().and(snapshot) {
        Ok(snapshot) => Ok((description, Some(snapshot))),
        Err(error) => {
            tracing::debug!(%error, "component cannot be snapshotted");
            Ok((description, None))
        }
    }
}

async fn configure(
    runtime: &Runtime,
    limits: &Limits,
    component: &Component,
    document: &str,
) -> Result<(Description, Store<CallState>, Instance), Failure> {
    let linked: policy::Linked = link(runtime, component, limits)?;
    let mut store = store(runtime, limits, Budget::configure(limits)).map_err(Failure::load)?;
    let (instance, running) = start(&linked, &mut store).await?;
    let description = running.configure(&mut store, document).await?;
    Ok((description, store, instance))
}
