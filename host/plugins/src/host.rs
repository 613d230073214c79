//! The host of all plugins: one engine, the plugins in memory, and how they get there.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use cavra_model::Digest;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use wasmtime::component::Component;

use crate::cache::{Cache, CacheId};
use crate::child::compile_in_child;
use crate::compile::{Compiled, Facts, compile};
use crate::connector::Connector;
use crate::engine::{Profile, Runtime};
use crate::error::{Failure, Identity, PluginError, PluginErrorKind};
use crate::limits::{Limits, Within};
use crate::linked::{Linked, link};
use crate::loaded::{Key, Loaded};
use crate::normalizer::Normalizer;
use crate::pack::PolicyPack;
use crate::places::Places;
use crate::plugin::Plugin;

/// Compilations at a time; each takes a core.
const COMPILATIONS: usize = 2;

/// How to set a host up.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Limits of every call.
    pub limits: Limits,
    /// Where compiled packs are kept between runs; `None` compiles anew in each. Made if it is missing, for this user
    /// alone. If others can write to it, it is not used.
    pub cache_dir: Option<PathBuf>,
    /// True for a server: instances come from a pool that is reserved at the start. False for a process that makes
    /// few calls and should start fast. Compiled packs fit both.
    pub pooling: bool,
    /// Executable whose `__compile` subcommand is [`crate::compile_worker`]. `None` refuses operators' components.
    pub compile_worker: Option<PathBuf>,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self { limits: Limits::default(), cache_dir: None, pooling: true, compile_worker: None }
    }
}

/// Where a component comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Shipped with this binary: compiled in this process.
    FirstParty,
    /// Supplied by the operator: compiled in a process with limits of its own.
    Operator,
}

/// A policy pack to load.
#[derive(Clone, Copy, Debug)]
pub struct PackSource<'a> {
    /// Name of the plugin, for errors and metrics.
    pub plugin: &'a str,
    /// Version of the plugin, for errors.
    pub version: &'a str,
    /// The component.
    pub wasm: &'a [u8],
    /// `sha256:` digest of `wasm`. Packs are found by it; it is checked before anything is compiled.
    pub wasm_digest: &'a str,
    /// The document as canonical JSON.
    pub document: &'a str,
    /// `sha256:` digest of `document`, checked likewise.
    pub document_digest: &'a str,
    /// Whose component it is.
    pub origin: Origin,
    /// What its calls may use, if that is less than others'.
    pub within: Within,
}

/// A component to load that needs no document.
#[derive(Clone, Copy, Debug)]
pub struct ComponentSource<'a> {
    /// Name of the plugin, for errors and metrics.
    pub plugin: &'a str,
    /// Version of the plugin, for errors.
    pub version: &'a str,
    /// The component.
    pub wasm: &'a [u8],
    /// `sha256:` digest of `wasm`. It is checked before anything is compiled.
    pub wasm_digest: &'a str,
    /// Whose component it is.
    pub origin: Origin,
}

/// What is to be loaded, whatever its world.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) plugin: &'a str,
    pub(crate) version: &'a str,
    pub(crate) wasm: &'a [u8],
    pub(crate) wasm_digest: &'a str,
    pub(crate) origin: Origin,
    pub(crate) within: Within,
    /// The document of a pack, and its digest.
    document: Option<(&'a str, &'a str)>,
}

impl<'a> Wanted<'a> {
    /// Digest of the document; empty where there is none.
    pub(crate) fn document_digest(&self) -> &'a str {
        self.document.map_or("", |(_, digest)| digest)
    }

    fn is_genuine(&self) -> bool {
        let is = |bytes: &[u8], digest: &str| Digest::of(bytes).as_str() == digest;
        is(self.wasm, self.wasm_digest)
            && self.document.is_none_or(|(document, digest)| is(document.as_bytes(), digest))
    }
}

impl<'a> From<PackSource<'a>> for Wanted<'a> {
    fn from(source: PackSource<'a>) -> Self {
        let PackSource { plugin, version, wasm, wasm_digest, document, document_digest, origin, within } = source;
        Self { plugin, version, wasm, wasm_digest, origin, within, document: Some((document, document_digest)) }
    }
}

impl<'a> From<ComponentSource<'a>> for Wanted<'a> {
    fn from(source: ComponentSource<'a>) -> Self {
        let ComponentSource { plugin, version, wasm, wasm_digest, origin } = source;
        Self { plugin, version, wasm, wasm_digest, origin, within: Within::default(), document: None }
    }
}

/// Makes a plugin of compiled code and, for a pack, its document.
type Admit<T> = fn(&PluginHost, &Identity, &Compiled, Option<String>) -> Result<T, Failure>;

/// What the pool of a server holds at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUsage {
    /// Instances of components alive.
    pub instances: u64,
    /// Linear memories alive.
    pub memories: usize,
    /// Bytes of memory kept for the next calls.
    pub resident_bytes: usize,
}

/// Loads plugins and keeps them. Cheap to clone.
#[derive(Clone)]
pub struct PluginHost(Arc<Inner>);

struct Inner {
    runtime: Arc<Runtime>,
    limits: Arc<Limits>,
    compatibility: u64,
    cache: Option<Arc<Cache>>,
    compile_worker: Option<PathBuf>,
    packs: Loaded<PolicyPack>,
    connectors: Loaded<Connector>,
    normalizers: Loaded<Normalizer>,
    /// Places in the pool of instances.
    pool: Arc<Semaphore>,
    compilations: Arc<Semaphore>,
}

impl fmt::Debug for PluginHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginHost").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

impl PluginHost {
    /// Sets the engine up.
    ///
    /// # Errors
    /// [`PluginError`] if a limit is out of its range or the engine cannot be made. A cache that cannot be used is
    /// no error: the host works without it and says so in the log.
    pub fn new(config: HostConfig) -> Result<Self, PluginError> {
        let HostConfig { limits, cache_dir, pooling, compile_worker } = config;
        let profile = if pooling { Profile::Server } else { Profile::Cli };
        let runtime = limits
            .check()
            .map_err(Failure::load)
            .and_then(|()| Runtime::new(profile, &limits).map_err(|error| Failure::load(format_args!("{error:#}"))))
            .map_err(|failure| failure.about(&Identity::host()))?;
        let cache = cache_dir.and_then(|dir| match Cache::open(&dir) {
            Ok(cache) => Some(Arc::new(cache)),
            Err(error) => {
                tracing::warn!(dir = %dir.display(), %error, "compiled plugins are not cached");
                None
            }
        });
        Ok(Self(Arc::new(Inner {
            compatibility: runtime.compatibility(),
            runtime: Arc::new(runtime),
            pool: Arc::new(Semaphore::new(limits.places())),
            limits: Arc::new(limits),
            cache,
            compile_worker,
            packs: Loaded::default(),
            connectors: Loaded::default(),
            normalizers: Loaded::default(),
            compilations: Arc::new(Semaphore::new(COMPILATIONS)),
        })))
    }

    /// The pack of a component and a document: from memory, from the cache, or compiled.
    ///
    /// Callers that ask for the same pack at the same time wait for one load. A load that failed is remembered for
    /// some seconds, so that a broken pack cannot be used to keep the machine busy.
    ///
    /// # Errors
    /// [`PluginError`], of every kind: loading runs `configure`.
    pub async fn policy_pack(&self, source: PackSource<'_>) -> Result<Arc<PolicyPack>, PluginError> {
        let wanted = Wanted::from(source);
        let load = || async {
            let pack = self.load(wanted, Self::admit_pack).await?;
            Ok(Arc::new(pack.within(wanted.within)))
        };
        self.0.packs.get(Key::of(&wanted), load).await
    }

    /// The connector of a component: from memory, from the cache, or compiled. Callers that ask for the same one wait
    /// for one load, and a failure is remembered for some seconds, as with [`PluginHost::policy_pack`].
    ///
    /// # Errors
    /// [`PluginError`], of every kind but a rejected document: loading asks for its description.
    pub async fn connector(&self, source: ComponentSource<'_>) -> Result<Arc<Connector>, PluginError> {
        let wanted = Wanted::from(source);
        let load = || async {
            let plugin = self.plugin(source).await?;
            Connector::described(plugin).await.map(Arc::new)
        };
        self.0.connectors.get(Key::of(&wanted), load).await
    }

    /// The normalizer of a component, as [`PluginHost::connector`] gives a connector.
    ///
    /// # Errors
    /// [`PluginError`], of every kind but a rejected document: loading asks for its description.
    pub async fn normalizer(&self, source: ComponentSource<'_>) -> Result<Arc<Normalizer>, PluginError> {
        let wanted = Wanted::from(source);
        let load = || async {
            let plugin = self.plugin(source).await?;
            Normalizer::described(plugin).await.map(Arc::new)
        };
        self.0.normalizers.get(Key::of(&wanted), load).await
    }

    /// A component of a world without a snapshot, loaded anew.
    ///
    /// # Errors
    /// [`PluginError`].
    pub(crate) async fn plugin<L: Linked>(&self, source: ComponentSource<'_>) -> Result<Plugin<L>, PluginError> {
        self.load(Wanted::from(source), Self::admit_plugin).await
    }

    /// What the pool holds; `None` without a pool.
    #[must_use]
    pub fn pool_usage(&self) -> Option<PoolUsage> {
        self.0.runtime.engine.pooling_allocator_metrics().map(|pool| PoolUsage {
            instances: pool.component_instances(),
            memories: pool.memories(),
            resident_bytes: pool.unused_memory_bytes_resident().saturating_add(pool.unused_table_bytes_resident()),
        })
    }

    async fn load<T: Send + 'static>(&self, wanted: Wanted<'_>, admit: Admit<T>) -> Result<T, PluginError> {
        let identity = Identity::of(&wanted);
        let began = std::time::Instant::now();
        let plugin = match self.cached(&identity, &wanted, admit).await {
            Some(plugin) => plugin,
            None => self.compile_and_keep(&identity, &wanted, admit).await.map_err(|failure| {
                tracing::debug!(plugin = wanted.plugin, kind = failure.kind.as_str(), cause = ?failure.cause, "plugin does not load");
                failure.about(&identity)
            })?,
        };
        tracing::debug!(plugin = wanted.plugin, version = wanted.version, elapsed = ?began.elapsed(), "plugin loaded");
        Ok(plugin)
    }

    /// Any trouble with the cache is a miss.
    async fn cached<T: Send + 'static>(&self, identity: &Identity, wanted: &Wanted<'_>, admit: Admit<T>) -> Option<T> {
        let (host, id, identity) = (self.clone(), self.cache_id(wanted), identity.clone());
        let document = wanted.document.map(|(document, _)| document.to_owned());
        let cache = self.0.cache.clone()?;
        let read = move || {
            let compiled = cache.load(&id, host.0.limits.code_bytes)?;
            admit(&host, &identity, &compiled, document).map_err(|failure| tracing::debug!(?failure, "cache miss")).ok()
        };
        if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
            return read();
        }
        tokio::task::spawn_blocking(read).await.ok().flatten()
    }

    /// Compiles, keeps the result, and admits it.
    async fn compile_and_keep<T: Send + 'static>(
        &self,
        identity: &Identity,
        wanted: &Wanted<'_>,
        admit: Admit<T>,
    ) -> Result<T, Failure> {
        let slots = self.0.compilations.clone();
        let slot = tokio::time::timeout(self.0.limits.compile_time, slots.acquire_owned()).await;
        let slot = slot.map_err(|elapsed| Failure::new(PluginErrorKind::Busy, elapsed))?.map_err(Failure::load)?;
        if !wanted.is_genuine() {
            return Err(Failure::load("the component or the document is not what its digest says"));
        }
        let (host, identity, id, origin) = (self.clone(), identity.clone(), self.cache_id(wanted), wanted.origin);
        let (wasm, document) = (wanted.wasm.to_vec(), wanted.document.map(|(document, _)| document.to_owned()));
        let work = move || {
            // Held until the work is done, even if nobody waits for it any more.
            let _slot = slot;
            let compiled = host.compile(origin, wasm, document.as_deref())?;
            if let Some(cache) = &host.0.cache {
                cache.store(&id, &compiled);
            }
            admit(&host, &identity, &compiled, document)
        };
        tokio::task::spawn_blocking(work).await.map_err(Failure::load)?
    }

    /// Blocks. Runs on a thread that may be blocked.
    fn compile(&self, origin: Origin, wasm: Vec<u8>, document: Option<&str>) -> Result<Compiled, Failure> {
        let Inner { runtime, limits, compatibility, compile_worker, .. } = &*self.0;
        if wasm.len() > limits.wasm_bytes || document.is_some_and(|text| text.len() > limits.document_bytes) {
            return Err(PluginErrorKind::Input.into());
        }
        match (origin, compile_worker) {
            (Origin::FirstParty, _) => {
                let executor = tokio::runtime::Builder::new_current_thread().build().map_err(Failure::load)?;
                executor.block_on(compile(runtime, limits, &wasm, document))
            }
            (Origin::Operator, Some(executable)) => {
                compile_in_child(executable, *compatibility, limits, wasm, document.map(ToOwned::to_owned))
            }
            (Origin::Operator, None) => Err(Failure::load("no process to compile operators' components in")),
        }
    }

    /// Links compiled code, and gives it places in the pool by its size.
    fn linked<L: Linked>(&self, compiled: &Compiled) -> Result<(L, Places), Failure> {
        let Inner { runtime, limits, pool, .. } = &*self.0;
        let component = compiled.component(&runtime.engine)?;
        let linked = link(runtime, &component, limits)?;
        Ok((linked, Places::new(pool.clone(), limits, places_of(&component))))
    }

    fn shared(&self) -> (Arc<Runtime>, Arc<Limits>) {
        (self.0.runtime.clone(), self.0.limits.clone())
    }

    fn admit_pack(
        &self,
        identity: &Identity,
        compiled: &Compiled,
        document: Option<String>,
    ) -> Result<PolicyPack, Failure> {
        let linked = self.linked(compiled)?;
        let Facts::Pack { description, configured } = compiled.facts().clone() else {
            return Err(Failure::load("the pack was compiled without its document"));
        };
        if !configured {
            tracing::warn!(
                plugin = identity.plugin,
                "plugin cannot be snapshotted and is configured before every call"
            );
        }
        let document = document.filter(|_| !configured);
        Ok(PolicyPack::new(identity.clone(), self.shared(), linked, document, description))
    }

    fn admit_plugin<L: Linked>(
        &self,
        identity: &Identity,
        compiled: &Compiled,
        _document: Option<String>,
    ) -> Result<Plugin<L>, Failure> {
        let (linked, places) = self.linked(compiled)?;
        Ok(Plugin::new(identity.clone(), self.shared(), linked, places))
    }

    fn cache_id(&self, wanted: &Wanted<'_>) -> CacheId {
        CacheId {
            component: wanted.wasm_digest.to_owned(),
            document: wanted.document_digest().to_owned(),
            compatibility: self.0.compatibility,
        }
    }
}

/// Places in the pool that a call of the component takes.
fn places_of(component: &Component) -> u32 {
    let needs = component.resources_required();
    Limits::places_for(needs.map_or(0, |needs| needs.num_memories.max(needs.num_tables)))
}

impl Identity {
    fn of(source: &Wanted<'_>) -> Self {
        Self {
            plugin: source.plugin.to_owned(),
            version: source.version.to_owned(),
            digest: source.wasm_digest.to_owned(),
        }
    }

    /// For errors of the host itself.
    fn host() -> Self {
        Self { plugin: "host".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), digest: "built in".to_owned() }
    }
}
