//! A loaded component of a world without a snapshot, and sessions with it.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;

use crate::engine::Runtime;
use crate::error::{Failure, Identity, PluginError, PluginErrorKind};
use crate::limits::{CallLimits, Limits};
use crate::linked::{Linked, start};
use crate::places::{Places, Turn};
use crate::store::{Budget, CallState, store};

/// A component that is ready to be asked.
pub(crate) struct Plugin<L> {
    identity: Identity,
    runtime: Arc<Runtime>,
    limits: Arc<Limits>,
    linked: L,
    places: Places,
}

impl<L: Linked> Plugin<L> {
    pub(crate) fn new(
        identity: Identity,
        (runtime, limits): (Arc<Runtime>, Arc<Limits>),
        linked: L,
        places: Places,
    ) -> Self {
        Self { identity, runtime, limits, linked, places }
    }

    /// Opens a session: a fresh instance with one budget for everything it is asked. A world whose calls keep nothing
    /// asks one thing in each; a world that streams asks many.
    ///
    /// # Errors
    /// [`Failure`], [`PluginErrorKind::Busy`] among them.
    pub(crate) async fn open(&self, limits: &CallLimits) -> Result<Session<L::Exports>, Failure> {
        let turn = self.places.turn().await?;
        let budget = Budget { fuel: limits.fuel, time: limits.time, output_bytes: limits.output_bytes };
        let mut store = store(&self.runtime, &self.limits, budget).map_err(Failure::load)?;
        let (_, exports) = start(&self.linked, &mut store).await?;
        let left = store.data().left();
        Ok(Session { exports, store, left, limits: limits.clone(), is_over: false, _turn: turn })
    }

    /// The limits that the component is held to, of which `open` takes a part.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Says whose failure it is, and counts it.
    pub(crate) fn failed(&self, failure: Failure) -> PluginError {
        let error = failure.about(&self.identity);
        let (plugin, kind) = (self.identity.plugin.clone(), error.kind().as_str());
        metrics::counter!("cavra_plugin_errors_total", "plugin" => plugin, "kind" => kind).increment(1);
        error
    }

    /// Counts a call.
    pub(crate) fn called(&self) {
        metrics::counter!("cavra_plugin_calls_total", "plugin" => self.identity.plugin.clone()).increment(1);
    }
}

/// An instance that is asked one thing after the other. Memory, instructions and time are those of all calls together;
/// time passes only while it is asked something. It keeps its place in the pool until it is dropped.
pub(crate) struct Session<E> {
    exports: E,
    store: Store<CallState>,
    left: Duration,
    limits: CallLimits,
    is_over: bool,
    _turn: Turn,
}

impl<E> Session<E> {
    /// What to call, and with which store. What comes of the call has to be handed to [`Session::answered`].
    ///
    /// `bytes` is how much the call is given; it adds to the instructions that the session may use.
    ///
    /// # Errors
    /// [`Failure`]: that is more than a call may be given, or a call of this session has failed before. An instance is
    /// never asked again after that.
    pub(crate) fn ask(&mut self, bytes: usize) -> Result<(&E, &mut Store<CallState>), Failure> {
        if self.is_over {
            return Err(Failure::load("the session is over"));
        }
        if bytes > self.limits.input_bytes {
            self.is_over = true;
            return Err(PluginErrorKind::Input.into());
        }
        let fuel = self.store.get_fuel().map_err(Failure::load)?;
        let fuel = fuel.saturating_add(self.limits.fuel_for_bytes(bytes)).min(CallLimits::MOST_FUEL);
        self.store.set_fuel(fuel).map_err(Failure::load)?;
        self.store.data_mut().resume(self.left);
        // Until it has answered: whoever stops waiting leaves an instance in the middle of something.
        self.is_over = true;
        Ok((&self.exports, &mut self.store))
    }

    /// Takes over what came of a call.
    ///
    /// # Errors
    /// [`Failure`], with why there is no answer.
    pub(crate) fn answered<T>(&mut self, answer: wasmtime::Result<T>) -> Result<T, Failure> {
        self.left = self.store.data().left();
        match answer {
            Ok(answer) => {
                self.is_over = false;
                Ok(answer)
            }
            Err(error) => Err(Failure::of_call(&error, self.store.data())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::LinkedConnector;
    use crate::{ComponentSource, HostConfig, Origin, PluginHost};
    use cavra_model::Digest;
    use wit_component::{ComponentEncoder, StringEncoding};
    use wit_parser::Resolve;

    /// A connector that counts to a hundred thousand each time it is asked what it is, and takes a page of memory.
    const COUNTER: &str = r#"(module
        (memory $memory (export "memory") 2)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8192))
        (func (export "step") (param i32) (result i32) unreachable)
        (func (export "describe") (result i32) (local $count i32)
          (if (i32.eq (i32.const -1) (memory.grow $memory (i32.const 1))) (then unreachable))
          (loop $more
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $count) (i32.const 100000))))
          (i32.const 64)))"#;

    async fn counter(limits: Limits) -> Plugin<LinkedConnector> {
        let mut module = wat::parse_str(COUNTER).unwrap();
        let mut resolve = Resolve::default();
        let wit = include_str!("../../../wit/connector/1.0.0/connector.wit");
        let package = resolve.push_str("connector.wit", wit).unwrap();
        let world = resolve.select_world(&[package], Some("connector")).unwrap();
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        let wasm = ComponentEncoder::default().module(&module).unwrap().encode().unwrap();
        let host = PluginHost::new(HostConfig { limits, pooling: false, ..HostConfig::default() }).unwrap();
        let digest = Digest::of(&wasm);
        let source = ComponentSource {
            plugin: "counter",
            version: "1",
            wasm: &wasm,
            wasm_digest: digest.as_str(),
            origin: Origin::FirstParty,
        };
        host.plugin(source).await.unwrap()
    }

    /// How often a session answers before it fails, and of what.
    async fn answers(plugin: &Plugin<LinkedConnector>, limits: &CallLimits, bytes: usize) -> (usize, &'static str) {
        let mut session = plugin.open(limits).await.unwrap();
        for answered in 0..100 {
            let (connector, store) = session.ask(bytes).unwrap();
            let answer = connector.call_describe(store).await;
            if let Err(failure) = session.answered(answer) {
                assert_eq!(session.ask(0).err().map(|failure| failure.kind.as_str()), Some("load"), "it is over");
                return (answered, failure.kind.as_str());
            }
        }
        (100, "")
    }

    #[tokio::test]
    async fn a_session_has_one_budget_for_all_its_calls() {
        let limits = Limits { memory_bytes: 10 * 65_536, ..Limits::default() };
        let plugin = counter(limits.clone()).await;
        let unhurried = CallLimits { time: Duration::from_secs(60), ..limits.connector };
        assert_eq!(answers(&plugin, &unhurried, 0).await, (8, "memory"), "two pages at first, ten at most");
        let short = CallLimits { fuel: 2_000_000, fuel_per_byte: 0, ..unhurried.clone() };
        let (few, why) = answers(&plugin, &short, 1_000).await;
        assert_eq!(why, "fuel");
        assert!((1..8).contains(&few), "{few}");
        // What it is given adds to what it may use.
        let fed = CallLimits { fuel_per_byte: 1_000, ..short };
        assert_eq!(answers(&plugin, &fed, 1_000).await, (8, "memory"));
    }

    #[tokio::test]
    async fn time_passes_only_while_a_session_is_asked() {
        let limits = Limits::default();
        let plugin = counter(limits.clone()).await;
        let mut session = plugin.open(&limits.connector).await.unwrap();
        let before = session.left;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let (connector, store) = session.ask(0).unwrap();
        let answer = connector.call_describe(store).await;
        session.answered(answer).unwrap();
        assert!(session.left < before, "the call took its time");
        session.left = Duration::ZERO;
        let (connector, store) = session.ask(0).unwrap();
        // The clock ticks once a millisecond; the guest runs longer than that, or is refused at its next call.
        let mut answer = connector.call_describe(store).await;
        for _ in 0..1_000 {
            if answer.is_err() {
                break;
            }
            session.answered(answer).unwrap();
            let (connector, store) = session.ask(0).unwrap();
            answer = connector.call_describe(store).await;
        }
        assert_eq!(session.answered(answer).err().map(|failure| failure.kind.as_str()), Some("deadline"));
    }

    /// A call that nobody waits for any more leaves an instance that is never asked again.
    #[tokio::test]
    async fn a_call_that_was_left_ends_its_session() {
        let limits = Limits::default();
        let plugin = counter(limits.clone()).await;
        let mut session = plugin.open(&limits.connector).await.unwrap();
        assert!(session.ask(0).is_ok());
        assert!(session.ask(0).is_err());
    }
}
