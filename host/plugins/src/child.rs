//! Compiling in a process of its own. Wasmtime promises that a hostile component cannot break out, not that compiling
//! one takes bounded time and memory; a process with limits does.

use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::compile::{Compiled, Facts, compile};
use crate::engine::{Profile, Runtime};
use crate::error::{Failure, PluginErrorKind};
use crate::limits::Limits;
use crate::wire;

/// What the compile process is started with.
const ARGUMENT: &str = "__compile";

#[derive(Serialize, Deserialize)]
struct Request {
    limits: Limits,
    /// The engine whose code is wanted; another build of the host must not answer.
    compatibility: u64,
    /// The second blob is the document of a pack.
    has_document: bool,
}

type Answer = Result<Facts, Failure>;

/// Compiles in `<executable> __compile`. Blocks for at most `limits.compile_time`.
pub(crate) fn compile_in_child(
    executable: &Path,
    compatibility: u64,
    limits: &Limits,
    wasm: Vec<u8>,
    document: Option<String>,
) -> Result<Compiled, Failure> {
    let mut child = Command::new(executable)
        .arg(ARGUMENT)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| Failure::load(format_args!("compile process does not start: {error}")))?;
    let answer = exchange(&mut child, compatibility, limits, wasm, document);
    // Also ends a process that has answered and does not go away.
    let killed = child.kill();
    let status = child.wait();
    match answer {
        Ok(frame) => frame.header.map(|facts| Compiled::answered(facts, frame.first)),
        Err(mpsc::RecvTimeoutError::Timeout) => {
            Err(Failure::new(PluginErrorKind::Deadline, "the compile process was killed"))
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(Failure::load(format_args!("the compile process gave no answer: {status:?}, {killed:?}")))
        }
    }
}

/// Sends the request and receives the answer on a thread, so that waiting for it can end.
fn exchange(
    child: &mut Child,
    compatibility: u64,
    limits: &Limits,
    wasm: Vec<u8>,
    document: Option<String>,
) -> Result<wire::Frame<Answer>, mpsc::RecvTimeoutError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (request, longest) =
        (Request { limits: limits.clone(), compatibility, has_document: document.is_some() }, limits.code_bytes);
    let talk = move || -> io::Result<wire::Frame<Answer>> {
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        let mut stdin = BufWriter::new(stdin.ok_or_else(closed)?);
        wire::write(&mut stdin, &request, &wasm, document.unwrap_or_default().as_bytes())?;
        drop(stdin);
        wire::read(&mut stdout.ok_or_else(closed)?, longest)
    };
    let spawned = thread::Builder::new().name("cavra-compile".to_owned()).spawn(move || match talk() {
        // The receiver may have stopped waiting; then nobody wants the answer.
        Ok(frame) => drop(sender.send(frame)),
        Err(error) => tracing::debug!(%error, "no answer from the compile process"),
    });
    match spawned {
        Ok(_) => receiver.recv_timeout(limits.compile_time),
        Err(_) => Err(mpsc::RecvTimeoutError::Disconnected),
    }
}

/// Body of the hidden `__compile` subcommand: reads one request from standard input, limits this process, compiles,
/// and writes the answer to standard output. Never call it in a process that does anything else.
#[must_use]
pub fn compile_worker() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve() -> io::Result<()> {
    let ceiling = 64 * 1024 * 1024;
    let mut stdin = io::stdin().lock();
    let wire::Frame { header: Request { limits, compatibility, has_document }, first: wasm, second: document } =
        wire::read(&mut stdin, ceiling)?;
    // Nothing may follow, so a host that is out of step is noticed.
    if stdin.read(&mut [0; 1])? != 0 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    confine(&limits)?;
    let document = String::from_utf8(document).map_err(|_| io::ErrorKind::InvalidData)?;
    let (answer, code) =
        match compile_here(&limits, compatibility, &wasm, Some(document.as_str()).filter(|_| has_document)) {
            Ok(compiled) => {
                let (facts, code) = compiled.into_parts();
                (Ok(facts), code)
            }
            Err(failure) => (Err(failure), Vec::new()),
        };
    let mut stdout = io::stdout().lock();
    wire::write(&mut stdout, &answer, &code, &[])?;
    stdout.flush()
}

fn compile_here(limits: &Limits, compatibility: u64, wasm: &[u8], document: Option<&str>) -> Result<Compiled, Failure> {
    let runtime = Runtime::new(Profile::Compiler, limits).map_err(|error| Failure::load(format_args!("{error:#}")))?;
    if runtime.compatibility() != compatibility {
        return Err(Failure::load("the compile process is another build than the host"));
    }
    let executor = tokio::runtime::Builder::new_current_thread().build().map_err(Failure::load)?;
    executor.block_on(compile(&runtime, limits, wasm, document))
}

/// Limits data memory rather than address space: linear memories reserve gigabytes they never touch.
fn confine(limits: &Limits) -> io::Result<()> {
    let seconds = limits.compile_time.saturating_add(Duration::from_secs(1)).as_secs();
    // The image of a snapshotted memory is a file in memory, and counts as one.
    let file = (limits.memory_bytes as u64).saturating_mul(2);
    for (resource, limit) in [
        (Resource::Data, limits.compile_memory_bytes),
        (Resource::Cpu, seconds),
        (Resource::Core, 0),
        (Resource::Fsize, file),
    ] {
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
    }
    Ok(())
}
