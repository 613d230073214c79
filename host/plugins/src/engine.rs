//! The engine: its settings, the pool of instances and the thread that makes time pass in it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, ModuleVersionStrategy, PoolingAllocationConfig};

use crate::limits::{FIBRE_BYTES, Limits, PER_PLACE, STACK_BYTES};
use crate::store::CallState;

/// Changes whenever a setting below changes what compiled code means, so that older cache files miss.
const CODE_VERSION: &str = concat!("cavra-plugins/", env!("CARGO_PKG_VERSION"), "/1");

/// One tick of the engine's clock: guests that are still running give way to others, and those whose time is over
/// are ended.
const TICK: Duration = Duration::from_millis(1);

/// Ticks without any call after which the clock stops, so that an idle server sleeps.
const IDLE_TICKS: u32 = 100;

/// Loads and snapshots in progress use the pool too; they are few.
const POOL_SPARE: usize = 8;

/// Ceiling of memories and of tables in [`Limits`].
const MOST_PER_MODULE: u32 = 64;

/// What memory may exceed its limit by while it is being snapshotted: one page for each memory.
pub(crate) const SNAPSHOT_SLACK: usize = 64 * 64 * 1024;

/// How an engine allocates and compiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Long-lived, many calls: instances come from a pool that is reserved once.
    Server,
    /// One call, or few: nothing is reserved.
    Cli,
    /// Compiles one component under memory limits, so with one thread.
    Compiler,
}

/// An engine with its clock and the linker of all worlds, which offers nothing.
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<CallState>,
    clock: Clock,
}

impl Runtime {
    /// # Errors
    /// If the machine cannot run it, such as when the pool's address space cannot be reserved.
    pub(crate) fn new(profile: Profile, limits: &Limits) -> wasmtime::Result<Self> {
        let engine = Engine::new(&config(profile, limits)?)?;
        let clock = Clock::start(&engine)?;
        let linker = Linker::new(&engine);
        Ok(Self { engine, linker, clock })
    }

    /// Makes time pass for as long as the answer lives.
    pub(crate) fn running(&self) -> Running {
        self.clock.running()
    }

    /// Stands for everything in the engine that compiled code depends on.
    pub(crate) fn compatibility(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.finish()
    }
}

fn config(profile: Profile, limits: &Limits) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config
        .module_version(ModuleVersionStrategy::Custom(CODE_VERSION.to_owned()))?
        // Wall clock and fairness; fuel for verdicts that do not depend on load.
        .epoch_interruption(true)
        .consume_fuel(true)
        .max_wasm_stack(STACK_BYTES)
        .async_stack_size(FIBRE_BYTES)
        // The same answer on every machine.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        // Not needed by any guest, so not offered. Several memories are: the module that reads a snapshot imports
        // every memory of a component.
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_multi_memory(true)
        // Frames carry names a guest has chosen and are for logs only; offsets would double the size of the cache.
        .wasm_backtrace_max_frames(NonZeroUsize::new(8))
        .generate_address_map(false)
        // The snapshot is mapped copy-on-write: instantiation copies nothing.
        .memory_init_cow(true)
        .parallel_compilation(profile != Profile::Compiler);
    if profile == Profile::Server {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    }
    Ok(config)
}

/// A pool for as many calls as may run at a time. Calls take places by their size before they take anything here, so
/// no mix of guests exhausts it; loads take none, and a few of the largest guests fit beside the calls. What is reserved
/// costs address space, not memory.
fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let each = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let calls = each(limits.places().saturating_add(POOL_SPARE));
    let of_places = limits.places().saturating_mul(PER_PLACE);
    let for_loads = |largest: usize| POOL_SPARE.saturating_mul(largest);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_stacks(calls)
        .total_core_instances(calls.saturating_mul(each(limits.core_instances)))
        .total_memories(each(of_places.saturating_add(for_loads(limits.memories))))
        .total_tables(each(of_places.saturating_add(for_loads(limits.tables))))
        .max_core_instances_per_component(each(limits.core_instances.saturating_add(1)))
        // The audit and the store limit these, with errors that say so.
        .max_memories_per_module(MOST_PER_MODULE)
        .max_tables_per_module(MOST_PER_MODULE)
        .table_elements(limits.table_elements)
        .max_memory_size(limits.memory_bytes.saturating_add(SNAPSHOT_SLACK))
        // Pages a call has touched are restored by copying instead of being given back and faulted in again.
        .linear_memory_keep_resident(512 * 1024)
        .table_keep_resident(64 * 1024)
        .async_stack_keep_resident(16 * 1024)
        .max_unused_warm_slots(16)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Increments the engine's epoch from an OS thread, because a busy executor would delay its own watchdog. Stops
/// when nothing runs.
struct Clock {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    /// Calls in progress.
    running: AtomicUsize,
    /// The thread is parked, or about to be.
    asleep: AtomicBool,
    stop: AtomicBool,
}

/// A call in progress; time passes while it exists.
pub(crate) struct Running(Arc<Shared>);

impl Clock {
    fn start(engine: &Engine) -> wasmtime::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (engine, seen) = (engine.weak(), shared.clone());
        let handle = thread::Builder::new().name("cavra-clock".to_owned()).spawn(move || {
            let mut idle = 0_u32;
            while !seen.stop.load(Ordering::SeqCst) {
                thread::sleep(TICK);
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
                idle = if seen.running.load(Ordering::SeqCst) == 0 { idle.saturating_add(1) } else { 0 };
                if idle > IDLE_TICKS {
                    drop(engine);
                    seen.sleep();
                    idle = 0;
                }
            }
        })?;
        Ok(Self { shared, thread: handle.thread().clone() })
    }

    fn running(&self) -> Running {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.swap(false, Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(self.shared.clone())
    }
}

impl Shared {
    /// Parks until a call begins. `asleep` is set before `running` is read again, and a call raises `running` before
    /// it reads `asleep`, so one of the two sees the other.
    fn sleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        let nothing_to_do = || {
            self.running.load(Ordering::SeqCst) == 0
                && self.asleep.load(Ordering::SeqCst)
                && !self.stop.load(Ordering::SeqCst)
        };
        while nothing_to_do() {
            thread::park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_can_load_what_another_compiled() {
        let limits = Limits::default();
        let of = |profile| Runtime::new(profile, &limits).unwrap().compatibility();
        assert_eq!(of(Profile::Server), of(Profile::Cli));
        assert_eq!(of(Profile::Server), of(Profile::Compiler));
    }

    #[test]
    fn the_clock_sleeps_when_nothing_runs_and_wakes_for_a_call() {
        let runtime = Runtime::new(Profile::Cli, &Limits::default()).unwrap();
        let asleep = || runtime.clock.shared.asleep.load(Ordering::SeqCst);
        let wait = |wanted: bool| {
            (0..5_000).any(|_| {
                (asleep() == wanted) || {
                    thread::sleep(TICK);
                    false
                }
            })
        };
        assert!(wait(true), "the clock never slept");
        let running = runtime.running();
        assert!(!asleep());
        thread::sleep(TICK * (IDLE_TICKS + 50));
        assert!(!asleep(), "the clock slept during a call");
        drop(running);
        assert!(wait(true), "the clock did not sleep again");
    }
}
