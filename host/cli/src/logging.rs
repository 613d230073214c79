//! The log on standard error. It is for information: whoever logs never waits for it and never fails because of it.
//! Lines go through a queue to a thread of their own; what does not fit or cannot be written is lost and counted.

use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Log targets of the shell parser.
const PARSER_TARGETS: [&str; 4] = ["arithmetic", "expansion", "parse", "tokenize"];

/// Lines that may wait to be written.
const QUEUED_LINES: usize = 4096;

/// How long a process that ends waits for its last lines.
const LAST_LINES: Duration = Duration::from_millis(500);

/// Starts logging: `CAVRA_LOG` sets the filter, `CAVRA_LOG_FORMAT=json` the format. The server says what it does; commands
/// are silent unless asked, because their errors are printed anyway. The log is written as long as the answer lives, and
/// what waits is written when it is dropped.
pub fn start(server: bool) -> Logging {
    let default = if server { "info" } else { "off" };
    let filter = EnvFilter::try_from_env("CAVRA_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    // The shell parser logs the texts it parses, and command lines may hold secrets.
    let filter = PARSER_TARGETS
        .iter()
        .filter_map(|target| format!("{target}=off").parse().ok())
        .fold(filter, EnvFilter::add_directive);
    let logging = Logging::to(io::stderr());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(logging.clone())
        .with_ansi(io::stderr().is_terminal())
        // Complaints about the log would go where the log cannot be written.
        .log_internal_errors(false);
    if std::env::var("CAVRA_LOG_FORMAT").is_ok_and(|format| format == "json") {
        builder.json().init();
    } else {
        builder.init();
    }
    logging
}

/// The way to the log.
#[derive(Clone)]
pub struct Logging {
    lines: SyncSender<Vec<u8>>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    lost: AtomicU64,
    /// Lines that were handed over and are neither written nor lost.
    waiting: Mutex<usize>,
    written: Condvar,
}

impl State {
    fn lose(&self, lines: u64) {
        self.lost.fetch_add(lines, Ordering::Relaxed);
        metrics::counter!("cavra_log_lines_lost_total").increment(lines);
    }

    fn waits(&self) {
        if let Ok(mut waiting) = self.waiting.lock() {
            *waiting += 1;
        }
    }

    fn done(&self) {
        if let Ok(mut waiting) = self.waiting.lock() {
            *waiting = waiting.saturating_sub(1);
        }
        self.written.notify_all();
    }
}

impl Logging {
    /// A log that is written to `stream`.
    fn to(stream: impl Write + Send + 'static) -> Self {
        let (lines, queue) = sync_channel(QUEUED_LINES);
        let state = Arc::new(State::default());
        let writer = state.clone();
        let started = std::thread::Builder::new()
            .name("cavra-log".to_owned())
            .spawn(move || write_lines(&queue, stream, &writer));
        if let Err(error) = started {
            crate::output::complain(format_args!("there is no log: {error}"));
        }
        Self { lines, state }
    }

    /// Waits a moment for the lines that are not written yet.
    pub fn finish(&self) {
        if let Ok(waiting) = self.state.waiting.lock() {
            let _ = self.state.written.wait_timeout_while(waiting, LAST_LINES, |waiting| *waiting > 0);
        }
    }
}

impl Write for Logging {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.state.waits();
        if self.lines.try_send(line.to_vec()).is_err() {
            self.state.done();
            self.state.lose(1);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logging {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Writes what comes until nobody can log any more. After a gap it says how many lines are missing.
fn write_lines(queue: &Receiver<Vec<u8>>, mut stream: impl Write, state: &State) {
    let mut told = 0;
    while let Ok(line) = queue.recv() {
        let lost = state.lost.load(Ordering::Relaxed);
        if lost > told {
            let gap = format!("cavra: {} lines of the log were lost\n", lost - told);
            if stream.write_all(gap.as_bytes()).is_ok() {
                told = lost;
            }
        }
        if stream.write_all(&line).is_err() {
            state.lose(1);
        }
        state.done();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// A stream that is as its last instruction says: writable, full, or stuck until the next one.
    struct Stream {
        text: Arc<Mutex<String>>,
        full: Arc<Mutex<bool>>,
        stuck: Option<Receiver<()>>,
    }

    impl Write for Stream {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(stuck) = self.stuck.take() {
                let _ = stuck.recv();
            }
            if *self.full.lock().unwrap() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.text.lock().unwrap().push_str(std::str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(stuck: Option<Receiver<()>>) -> (Logging, Arc<Mutex<String>>, Arc<Mutex<bool>>) {
        let (text, full) = (Arc::<Mutex<String>>::default(), Arc::<Mutex<bool>>::default());
        (Logging::to(Stream { text: text.clone(), full: full.clone(), stuck }), text, full)
    }

    #[test]
    fn lines_that_cannot_be_written_are_lost_and_counted() {
        let (mut log, text, full) = log(None);
        log.write_all(b"one\n").unwrap();
        log.finish();
        *full.lock().unwrap() = true;
        log.write_all(b"two\n").unwrap();
        log.write_all(b"three\n").unwrap();
        log.finish();
        *full.lock().unwrap() = false;
        log.write_all(b"four\n").unwrap();
        log.finish();
        assert_eq!(*text.lock().unwrap(), "one\ncavra: 2 lines of the log were lost\nfour\n");
    }

    #[test]
    fn nobody_waits_for_a_stream_that_is_stuck() {
        let (go_on, stuck): (Sender<()>, _) = channel();
        let (mut log, text, _) = log(Some(stuck));
        let more = 100;
        for _ in 0..QUEUED_LINES + 1 + more {
            log.write_all(b"x\n").unwrap();
        }
        let lost = log.state.lost.load(Ordering::Relaxed);
        // One line is in the hands of the thread, if it has come so far.
        assert!(lost == more as u64 || lost == more as u64 + 1, "{lost}");
        go_on.send(()).unwrap();
        drop(go_on);
        while *log.state.waiting.lock().unwrap() > 0 {
            log.finish();
        }
        assert!(text.lock().unwrap().contains(&format!("{lost} lines of the log were lost")));
    }
}
