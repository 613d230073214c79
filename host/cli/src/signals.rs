//! Signals that ask a process to end.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Those that ask politely, and those that end a process which does not listen.
const ENDING: [fn() -> SignalKind; 7] = [
    SignalKind::terminate,
    SignalKind::hangup,
    SignalKind::interrupt,
    SignalKind::quit,
    SignalKind::alarm,
    SignalKind::user_defined1,
    SignalKind::user_defined2,
];

/// SIGXCPU and SIGXFSZ would end a process whose clock or whose write has told it already.
const IGNORED: [i32; 2] = [24, 25];

/// From when on signals wait to be asked for instead of ending the process.
pub struct Ending {
    runtime: Runtime,
    signals: Vec<Signal>,
}

impl Ending {
    /// Begins to listen.
    ///
    /// # Errors
    /// What the system said.
    pub fn listen() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let signals = ENDING.iter().map(|kind| signal(kind())).collect::<io::Result<_>>()?;
        // Once there is a handler, the default of ending the process never comes back.
        let _ignored = IGNORED.map(|kind| signal(SignalKind::from_raw(kind)));
        drop(entered);
        Ok(Self { runtime, signals })
    }

    /// Waits for a signal, at most this long if there is a limit; answers whether one came.
    pub fn wait(mut self, limit: Option<Duration>) -> bool {
        let signals = &mut self.signals;
        let come = std::future::poll_fn(|context| {
            let come = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if come { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        });
        self.runtime.block_on(async {
            match limit {
                Some(limit) => tokio::time::timeout(limit, come).await.is_ok(),
                None => {
                    come.await;
                    true
                }
            }
        })
    }
}
