//! Stores: one for each call, and no other way to make one than with its limits.

use std::time::{Duration, Instant};

use wasmtime::{ResourceLimiter, Store, UpdateDeadline};

use crate::engine::{Running, Runtime};
use crate::limits::Limits;

/// What one call may use besides memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) fuel: u64,
    pub(crate) time: Duration,
    /// What the host copies out of the guest for one call.
    pub(crate) output_bytes: usize,
}

impl Budget {
    /// For a call that is given so many bytes.
    pub(crate) fn evaluate(limits: &Limits, bytes: usize) -> Self {
        Self { fuel: limits.fuel_for(bytes), time: limits.evaluate_time, output_bytes: limits.output_bytes }
    }

    pub(crate) fn configure(limits: &Limits) -> Self {
        Self { fuel: limits.configure_fuel, time: limits.configure_time, output_bytes: limits.output_bytes }
    }
}

/// State of one call: what it has used, and what it may use.
pub(crate) struct CallState {
    deadline: Instant,
    memory_limit: usize,
    memory_used: usize,
    table_limit: usize,
    table_used: usize,
    memory_limit_met: bool,
    instances: usize,
    memories: usize,
    tables: usize,
    _running: Running,
}

/// Makes the store for one call. Fuel, deadline, memory, tables, instances and the size of the answer are all set
/// here, before anything of the guest runs.
pub(crate) fn store(runtime: &Runtime, limits: &Limits, budget: Budget) -> wasmtime::Result<Store<CallState>> {
    let state = CallState {
        deadline: Instant::now() + budget.time,
        memory_limit: limits.memory_bytes,
        memory_used: 0,
        table_limit: limits.table_elements,
        table_used: 0,
        memory_limit_met: false,
        instances: limits.core_instances,
        memories: limits.memories,
        tables: limits.tables,
        _running: runtime.running(),
    };
    let mut store = Store::new(&runtime.engine, state);
    store.limiter(|state| state);
    store.set_fuel(budget.fuel)?;
    store.set_hostcall_fuel(budget.output_bytes);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|context| {
        let over = Instant::now() >= context.data().deadline;
        Ok(if over { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) })
    });
    Ok(store)
}

impl CallState {
    /// The guest asked for more memory or table elements than it may have and was refused.
    pub(crate) fn memory_limit_met(&self) -> bool {
        self.memory_limit_met
    }

    /// Time that is left.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Goes on with so much time, after a pause that does not count.
    pub(crate) fn resume(&mut self, left: Duration) {
        self.deadline = Instant::now() + left;
    }

    /// Lets the host itself grow memories while it reads a snapshot, and counts no more instances and time for it.
    pub(crate) fn extend_for_snapshot(&mut self, bytes: usize, time: Duration) {
        self.memory_limit = self.memory_limit.saturating_add(bytes);
        self.deadline += time;
    }
}

/// Sums over all memories and over all tables; the limiter that comes with wasmtime counts each by itself.
///
/// A growth that was permitted and then failed stays counted: failures are also reported for growths that nobody
/// asked about, so taking them back would let a guest lower its own count.
impl ResourceLimiter for CallState {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory_used.saturating_add(desired.saturating_sub(current));
        if total > self.memory_limit {
            self.memory_limit_met = true;
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.memory_used = total;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_limit_met = true;
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.table_used.saturating_add(desired.saturating_sub(current));
        if total > self.table_limit {
            self.memory_limit_met = true;
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.table_used = total;
        Ok(true)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_limit_met = true;
        Ok(())
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }
}
