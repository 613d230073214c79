//! A server under test, and one connection to it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A running `cavra serve`; stopped when dropped.
pub struct Server {
    child: Child,
    /// `127.0.0.1:port`.
    pub address: String,
    _home: tempfile::TempDir,
}

impl Server {
    /// Starts one over a SQLite file.
    pub fn start(cavra: &Path, database: &Path) -> anyhow::Result<Self> {
        Self::start_with(cavra, &[("CAVRA_ACTIVITY_DB", &database.display().to_string())])
    }

    /// Starts one with these settings.
    pub fn start_with(cavra: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let home = tempfile::tempdir()?;
        let mut child = Command::new(cavra)
            .args(["serve", "--port", "0"])
            .current_dir(home.path())
            .env_clear()
            .env("HOME", home.path())
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the server")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let address =
            line.trim().strip_prefix("listening on http://").context("the server does not listen")?.to_owned();
        Ok(Self { child, address, _home: home })
    }

    /// Posts a document; anything but 200 is an error.
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> anyhow::Result<()> {
        let (address, body) = (&self.address, body.to_string());
        let head = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n\r\n", body.len());
        Connection::open(address).await?.exchange((head + &body).as_bytes()).await
    }

    /// Resident memory in MiB.
    pub fn memory(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes / 1024.0)
    }

    /// Processor time that the store's writer and everything else have used.
    pub fn processor_time(&self) -> anyhow::Result<ProcessorTime> {
        let mut used = ProcessorTime::default();
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let stat = std::fs::read_to_string(task?.path().join("stat"))?;
            let (head, fields) = stat.rsplit_once(')').context("no thread name")?;
            // The times in user mode and in the kernel are the 14th and 15th field, the name is the second.
            let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
            let time = Duration::from_millis(ticks * 1000 / TICKS);
            *(if head.ends_with("store-writer") { &mut used.writers } else { &mut used.rest }) += time;
        }
        Ok(used)
    }
}

/// Ticks of a second in `/proc`, on every Linux machine.
const TICKS: u64 = 100;

/// What threads have used.
#[derive(Clone, Copy, Default)]
pub struct ProcessorTime {
    /// The threads that write to stores; only one of them has much to do.
    pub writers: Duration,
    /// All others.
    pub rest: Duration,
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that is gone already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One keep-alive HTTP/1.1 connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(8 * 1024) })
    }

    /// Sends a request and reads its answer to the end; anything but 200 is an error.
    pub async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server closed the connection");
            if let Some(total) = answer_length(&self.buffer)? {
                while self.buffer.len() < total {
                    ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the answer was cut");
                }
                return Ok(());
            }
        }
    }
}

/// Length of head and body once the head is complete.
fn answer_length(answer: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default());
    ensure!(head.starts_with("HTTP/1.1 200"), "unexpected answer: {head}");
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(|text| text.trim().to_owned()))
        .context("no content length")?;
    Ok(Some(end + 4 + length.parse::<usize>()?))
}
