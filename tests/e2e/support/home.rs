//! A directory of its own for every test, and the binary run in it with a clean environment.

use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::Server;

/// What takes longer than this hangs.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Waits for the end of a program; one that does not come to an end is killed and complained about.
#[track_caller]
pub fn end_of(child: &mut Child, hung: impl FnOnce() -> String) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{}", hung());
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Working directory and home directory of the programs under test; removed with the last clone.
#[derive(Clone)]
pub struct Home(Arc<TempDir>);

impl Home {
    pub fn new() -> Self {
        Self(Arc::new(tempfile::tempdir().unwrap()))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    /// The same as text.
    pub fn at(&self, path: &str) -> String {
        self.join(path).to_str().unwrap().to_owned()
    }

    /// Writes a file and the directories above it.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.read(path)).unwrap()
    }

    pub fn exists(&self, path: &str) -> bool {
        self.join(path).exists()
    }

    /// Writes a pack under `packs`, the directory that [`Home::packs`] names.
    pub fn pack(&self, name: &str, yaml: &str) {
        self.write(&format!("packs/{name}/policy.yaml"), yaml);
    }

    /// The setting that lays `packs` over the shipped packs.
    pub fn packs(&self) -> (&'static str, String) {
        ("CAVRA_POLICY_DIR", self.at("packs"))
    }

    /// The binary with arguments, in this directory, with nothing in its environment but what it needs.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cavra"));
        let binaries = Path::new(env!("CARGO_BIN_EXE_cavra")).parent().unwrap().display();
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", format!("{binaries}:/usr/local/bin:/usr/bin:/bin"))
            .env("HOME", self.path())
            .env("CAVRA_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
        command
    }

    /// As [`Home::command`], to be run to its end.
    pub fn cavra(&self, arguments: &[&str]) -> Run {
        Run { command: self.command(arguments), stdin: None, held_open: false }
    }

    /// A server in this directory.
    pub fn serve(&self, settings: &[(&str, &str)]) -> Server {
        Server::start(self, settings)
    }
}

/// A program about to run.
pub struct Run {
    command: Command,
    stdin: Option<Vec<u8>>,
    held_open: bool,
}

impl Run {
    pub fn env(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.command.env(name, value.as_ref());
        self
    }

    pub fn dir(mut self, path: impl AsRef<Path>) -> Self {
        self.command.current_dir(path);
        self
    }

    pub fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(input.into());
        self
    }

    /// Standard input stays open and silent after what was given.
    pub fn hold_stdin_open(mut self) -> Self {
        self.held_open = true;
        self
    }

    /// Runs to the end.
    pub fn run(mut self) -> Output {
        let piped = self.stdin.is_some() || self.held_open;
        // Before the program's own clock starts, so that what it waits for is over when this is.
        let started = Instant::now();
        let mut child = self
            .command
            .stdin(if piped { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = reader(child.stdout.take().unwrap());
        let stderr = reader(child.stderr.take().unwrap());
        let mut input = child.stdin.take();
        let bytes = self.stdin.unwrap_or_default();
        let held_open = self.held_open;
        let writer = thread::spawn(move || {
            if let Some(input) = &mut input {
                // A program may answer without reading everything.
                let _ = input.write_all(&bytes);
            }
            held_open.then_some(input)
        });
        let status = end_of(&mut child, || format!("{:?} does not end", self.command));
        drop(writer.join().unwrap());
        Output {
            code: status.code().unwrap_or(-1),
            stdout: stdout.join().unwrap(),
            stderr: stderr.join().unwrap(),
            took: started.elapsed(),
        }
    }
}

fn reader(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    })
}

/// What a program left.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Output {
    /// Asserts success.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Asserts an exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Asserts a failure that says something, on standard error.
    #[track_caller]
    pub fn fails(self) -> Self {
        let said = self.exits(1);
        assert!(!said.stderr.trim().is_empty() && !said.stderr.contains("panicked"), "{said:#?}");
        said
    }

    /// Standard output as exactly one JSON value without colours.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert!(!self.stdout.contains('\u{1b}'), "colours: {self:#?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not one JSON value: {error}\n{self:#?}"))
    }
}
