//! Every limit of every plugin call, in one place: its default, its ceiling and why it is there.
//!
//! An operator may lower any limit and raise it up to the ceiling. What is not in this file is not limited by it:
//! the engine's own settings are in `engine`, the size of the cache is in `cache`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

const MIB: usize = 1024 * 1024;

/// Limits of plugin calls. Bytes unless a field says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// All linear memories of one instance together. Default 64 MiB, ceiling 512 MiB. Also bounds how late a deadline
    /// can be: `memory.fill` is not interruptible and fills about 2 GiB/s.
    pub memory_bytes: usize,
    /// Linear memories of one instance. Default 8, ceiling 64. A Rust guest has one, scripting guests a few.
    pub memories: usize,
    /// Tables of one instance. Default 8, ceiling 64.
    pub tables: usize,
    /// Elements of all tables of one instance together. Default 20,000, ceiling 200,000; 8 bytes of host memory each.
    pub table_elements: usize,
    /// Core instances in one component. Default 64, ceiling 256. A Rust guest has 3, a Python guest about 40.
    pub core_instances: usize,
    /// Instructions, roughly, of one `evaluate`, whatever it is asked about. Default 50 million (about 5 ms), ceiling
    /// 10 thousand million. It does not depend on load, so an action that is judged once is judged always.
    pub evaluate_fuel: u64,
    /// What every byte of the action and its facts adds to that, as [`input_bytes`](Self::input_bytes) counts them, so
    /// that a long command is judged like a short one. Default 1,000, ceiling 100,000; both together never exceed the
    /// ceiling of `evaluate_fuel`. The shipped interpreter needs up to 300.
    pub evaluate_fuel_per_byte: u64,
    /// The same for `configure`, which parses and compiles the whole document. Default 10 thousand million (about
    /// 1 s), ceiling 100 thousand million.
    pub configure_fuel: u64,
    /// Wall clock of one `evaluate`, instantiation included. Default 250 ms, ceiling 10 s. The backstop behind fuel:
    /// it is what a caller may have to wait.
    pub evaluate_time: Duration,
    /// Wall clock of `configure`. Default 5 s, ceiling 60 s.
    pub configure_time: Duration,
    /// How long a call waits for its turn before it is refused as busy. Default 1 s, ceiling 30 s.
    pub queue_time: Duration,
    /// All texts of an action and its facts together. Default 4 MiB, ceiling 16 MiB; checked before they are copied
    /// into the guest.
    pub input_bytes: usize,
    /// The document given to `configure`. Default 8 MiB, ceiling 32 MiB.
    pub document_bytes: usize,
    /// What the host copies out of a guest in one call. Default 256 KiB, ceiling 4 MiB.
    pub output_bytes: usize,
    /// Findings in one answer. Default 1,000, ceiling 10,000.
    pub findings: usize,
    /// Places in the pool that calls of one pack take at a time: one for a guest of up to two memories, more for larger
    /// ones. Default 16, ceiling 256. Lower than `calls`, so that one slow or large pack cannot take every place.
    pub calls_per_pack: usize,
    /// Places in the pool: calls of all packs running at a time, as long as the packs are small. Default 64, ceiling
    /// 1,024. The pool is made for this many, so it is never exhausted; times `memory_bytes` it is the most memory that
    /// guests can hold.
    pub calls: usize,
    /// A component file. Default 20 MiB, ceiling 64 MiB.
    pub wasm_bytes: usize,
    /// Wall clock of the compile process for an operator's component. Default 180 s, ceiling 300 s. A component with an
    /// interpreter in it takes some ten seconds on an idle core; a busy machine may take several times as long.
    pub compile_time: Duration,
    /// Data memory of the compile process. Default 2 GiB, ceiling 8 GiB.
    pub compile_memory_bytes: u64,
    /// Compiled code of one pack. Default 128 MiB, ceiling 512 MiB.
    pub code_bytes: usize,
    /// One step of a connector.
    pub connector: CallLimits,
    /// One export that a normalizer reads, and each call of it.
    pub normalizer: CallLimits,
}

/// What calls of one plugin may use where that is less than [`Limits`] let all of them use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Within {
    /// In the place of [`Limits::memory_bytes`].
    pub memory_bytes: Option<usize>,
    /// In the place of [`Limits::evaluate_time`].
    pub evaluate_time: Option<Duration>,
}

impl Within {
    /// These limits, and no more of anything than is in here.
    pub(crate) fn of(self, limits: &Limits) -> Limits {
        let mut limits = limits.clone();
        limits.memory_bytes = self.memory_bytes.map_or(limits.memory_bytes, |most| most.min(limits.memory_bytes));
        limits.evaluate_time = self.evaluate_time.map_or(limits.evaluate_time, |most| most.min(limits.evaluate_time));
        limits
    }
}

/// Limits of one call, or of one session of several calls, in a world without a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallLimits {
    /// Instructions, roughly, whatever it is given. Ceiling 10 thousand million.
    pub fuel: u64,
    /// What every byte that it is given adds to that. Ceiling 100,000; what a call has never exceeds the ceiling of
    /// `fuel`.
    pub fuel_per_byte: u64,
    /// Time in which the guest runs, its instantiation included. Ceiling 60 s.
    pub time: Duration,
    /// What it is given in one call. Ceiling 64 MiB.
    pub input_bytes: usize,
    /// What the host copies out of it in one call. Ceiling 64 MiB.
    pub output_bytes: usize,
}

impl CallLimits {
    /// The fuel that so many bytes add.
    pub(crate) fn fuel_for_bytes(&self, bytes: usize) -> u64 {
        self.fuel_per_byte.saturating_mul(u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    /// The most fuel that a call may have.
    pub(crate) const MOST_FUEL: u64 = MOST_EVALUATE_FUEL;

    /// Value and ceiling of each, under these names.
    fn rows(&self, names: [&'static str; 5]) -> [Row; 5] {
        let [fuel, fuel_per_byte, time, input_bytes, output_bytes] = names;
        let mib = MIB as u128;
        [
            (fuel, self.fuel.into(), MOST_EVALUATE_FUEL.into()),
            (fuel_per_byte, self.fuel_per_byte.into(), 100_000),
            (time, self.time.as_millis(), 60_000),
            (input_bytes, self.input_bytes as u128, 64 * mib),
            (output_bytes, self.output_bytes as u128, 64 * mib),
        ]
    }
}

/// A limit: its name, its value, its ceiling.
type Row = (&'static str, u128, u128);

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 * MIB,
            memories: 8,
            tables: 8,
            table_elements: 20_000,
            core_instances: 64,
            evaluate_fuel: 50_000_000,
            evaluate_fuel_per_byte: 1_000,
            configure_fuel: 10_000_000_000,
            evaluate_time: Duration::from_millis(250),
            configure_time: Duration::from_secs(5),
            queue_time: Duration::from_secs(1),
            input_bytes: 4 * MIB,
            document_bytes: 8 * MIB,
            output_bytes: 256 * 1024,
            findings: 1_000,
            calls_per_pack: 16,
            calls: 64,
            wasm_bytes: 20 * MIB,
            compile_time: Duration::from_secs(180),
            compile_memory_bytes: 2 * 1024 * MIB as u64,
            code_bytes: 128 * MIB,
            // An event has a megabyte at most, and a body may hold it as a text within a text.
            connector: CallLimits {
                fuel: 500_000_000,
                fuel_per_byte: 2_000,
                time: Duration::from_secs(5),
                input_bytes: 16 * MIB,
                output_bytes: 16 * MIB,
            },
            // What an export may cost grows with its size: a byte takes a normalizer of ours some hundred instructions, one in
            // Python a thousand. A record takes one of ours up to 30,000 however small it is, and there are 50,000 at most: that
            // is what it begins with.
            normalizer: CallLimits {
                fuel: 4_000_000_000,
                fuel_per_byte: 3_000,
                time: Duration::from_secs(60),
                input_bytes: 16 * MIB,
                output_bytes: 64 * MIB,
            },
        }
    }
}

/// Ceiling of the fuel of one `evaluate`.
const MOST_EVALUATE_FUEL: u64 = 10_000_000_000;

/// Longest rule id of a finding.
pub(crate) const RULE_ID_BYTES: usize = 128;
/// Longest reason of a finding.
pub(crate) const REASON_BYTES: usize = 4 * 1024;
/// Longest approver group of a finding.
pub(crate) const GROUP_BYTES: usize = 256;
/// Longest id, title or version in a pack's description.
pub(crate) const LABEL_BYTES: usize = 512;
/// Diagnostics kept of a rejected document; the rest is dropped, because people fix the first ones first.
pub(crate) const DIAGNOSTICS: usize = 100;
/// Characters kept of a diagnostic's path and message each.
pub(crate) const DIAGNOSTIC_CHARS: usize = 1_000;
/// Guest stack; deeper recursion is a trap. Part of no ceiling because it is compiled into the fibre stacks.
pub(crate) const STACK_BYTES: usize = 512 * 1024;
/// Fibre stack a guest runs on. What exceeds [`STACK_BYTES`] is left for the host's own frames.
pub(crate) const FIBRE_BYTES: usize = 1024 * 1024;

/// A limit is zero or above its ceiling.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("limit `{name}` must be between 1 and {ceiling} but is {value}")]
pub struct LimitOutOfRange {
    /// Field of [`Limits`].
    pub name: &'static str,
    /// The value given; milliseconds for times.
    pub value: u128,
    /// The highest value possible; milliseconds for times.
    pub ceiling: u128,
}

/// Memories, and tables, in one place of the pool. A guest of one or two memories takes a place, larger ones more.
pub(crate) const PER_PLACE: usize = 2;

impl Limits {
    /// Places in the pool. One call of the largest guest that is admitted always fits.
    pub(crate) fn places(&self) -> usize {
        self.calls.max(self.memories.max(self.tables).div_ceil(PER_PLACE))
    }

    /// Places that a guest of so many memories or tables takes, whichever are more.
    pub(crate) fn places_for(count: u32) -> u32 {
        count.div_ceil(u32::try_from(PER_PLACE).unwrap_or(1)).max(1)
    }

    /// The fuel of one `evaluate` about so many bytes.
    pub(crate) fn fuel_for(&self, bytes: usize) -> u64 {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let fuel = self.evaluate_fuel.saturating_add(self.evaluate_fuel_per_byte.saturating_mul(bytes));
        fuel.min(MOST_EVALUATE_FUEL)
    }

    /// Checks every limit against its ceiling.
    ///
    /// # Errors
    /// [`LimitOutOfRange`] for the first limit that is zero or too high.
    pub fn check(&self) -> Result<(), LimitOutOfRange> {
        let mib = MIB as u128;
        let rows: [Row; 21] = [
            ("memory_bytes", self.memory_bytes as u128, 512 * mib),
            ("memories", self.memories as u128, 64),
            ("tables", self.tables as u128, 64),
            ("table_elements", self.table_elements as u128, 200_000),
            ("core_instances", self.core_instances as u128, 256),
            ("evaluate_fuel", self.evaluate_fuel.into(), MOST_EVALUATE_FUEL.into()),
            ("evaluate_fuel_per_byte", self.evaluate_fuel_per_byte.into(), 100_000),
            ("configure_fuel", self.configure_fuel.into(), 100_000_000_000),
            ("evaluate_time", self.evaluate_time.as_millis(), 10_000),
            ("configure_time", self.configure_time.as_millis(), 60_000),
            ("queue_time", self.queue_time.as_millis(), 30_000),
            ("input_bytes", self.input_bytes as u128, 16 * mib),
            ("document_bytes", self.document_bytes as u128, 32 * mib),
            ("output_bytes", self.output_bytes as u128, 4 * mib),
            ("findings", self.findings as u128, 10_000),
            ("calls_per_pack", self.calls_per_pack as u128, 256),
            ("calls", self.calls as u128, 1_024),
            ("wasm_bytes", self.wasm_bytes as u128, 64 * mib),
            ("compile_time", self.compile_time.as_millis(), 300_000),
            ("compile_memory_bytes", self.compile_memory_bytes.into(), 8 * 1024 * mib),
            ("code_bytes", self.code_bytes as u128, 512 * mib),
        ];
        let connector = self.connector.rows([
            "connector.fuel",
            "connector.fuel_per_byte",
            "connector.time",
            "connector.input_bytes",
            "connector.output_bytes",
        ]);
        let normalizer = self.normalizer.rows([
            "normalizer.fuel",
            "normalizer.fuel_per_byte",
            "normalizer.time",
            "normalizer.input_bytes",
            "normalizer.output_bytes",
        ]);
        match rows
            .into_iter()
            .chain(connector)
            .chain(normalizer)
            .find(|(_, value, ceiling)| *value == 0 || value > ceiling)
        {
            Some((name, value, ceiling)) => Err(LimitOutOfRange { name, value, ceiling }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_below_their_ceilings() {
        assert_eq!(Limits::default().check(), Ok(()));
    }

    /// Whatever mix of guests is called, what their places stand for is in the pool, and one pack leaves room for others.
    #[test]
    fn no_guest_exhausts_the_pool() {
        let defaults = Limits::default();
        for limits in [
            Limits::default(),
            Limits { calls: 1, ..Limits::default() },
            Limits { memories: 64, tables: 64, ..Limits::default() },
            Limits { memories: 1, tables: 64, calls: 2, calls_per_pack: 1, ..Limits::default() },
        ] {
            let largest = u32::try_from(limits.memories.max(limits.tables)).unwrap();
            for count in 0..=largest {
                let places = Limits::places_for(count) as usize;
                assert!(places >= 1 && places <= limits.places(), "a call with {count} memories fits");
                let at_a_time = limits.places() / places;
                assert!(at_a_time * count as usize <= limits.places() * PER_PLACE, "{count} memories");
            }
        }
        for count in 0..=8 {
            let places = Limits::places_for(count) as usize;
            let of_one_pack = defaults.calls_per_pack / places * places;
            assert!(of_one_pack * 4 <= defaults.places(), "one pack takes at most a quarter");
        }
    }

    #[test]
    fn fuel_grows_with_the_input_up_to_the_ceiling() {
        let limits = Limits::default();
        assert_eq!(limits.fuel_for(0), limits.evaluate_fuel);
        assert_eq!(limits.fuel_for(64 * 1024), limits.evaluate_fuel + 65_536_000);
        assert_eq!(limits.fuel_for(usize::MAX), MOST_EVALUATE_FUEL);
    }

    #[test]
    fn zero_and_too_much_are_refused_by_name() {
        let none = Limits { findings: 0, ..Limits::default() };
        assert_eq!(none.check().unwrap_err().name, "findings");
        let long = Limits { evaluate_time: Duration::from_secs(11), ..Limits::default() };
        let error = long.check().unwrap_err();
        assert_eq!(error.to_string(), "limit `evaluate_time` must be between 1 and 10000 but is 11000");
    }
}
