//! `cavra serve` on a free port; ended when dropped.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::home::{PATIENCE, end_of};
use super::{Connection, Home, Response};

/// A running server.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    log: PathBuf,
    /// Kept as long as the server runs in it.
    pub home: Home,
    /// Whether its answers are held against the OpenAPI document.
    documented: bool,
}

impl Server {
    /// Starts one and waits until it says that it listens.
    pub fn start(home: &Home, settings: &[(&str, &str)]) -> Self {
        Self::start_with(home, &[], settings)
    }

    /// As [`Server::start`], with further options.
    pub fn start_with(home: &Home, options: &[&str], settings: &[(&str, &str)]) -> Self {
        let log = home.join("server.log");
        let mut child = home
            .command(&[&["serve", "--port", "0"], options].concat())
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(&log).unwrap())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (said, hears) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let _ = output.read_line(&mut line);
            let _ = said.send(line);
        });
        let line = hears.recv_timeout(PATIENCE).unwrap_or_default();
        let Some(address) = line.trim().strip_prefix("listening on http://") else {
            let _ = child.kill();
            panic!("the server does not listen: {line:?}\n{}", std::fs::read_to_string(&log).unwrap());
        };
        Self { child, address: address.parse().unwrap(), log, home: home.clone(), documented: true }
    }

    /// Its answers are taken as they are: records that an older version stored lack members that the document promises.
    pub fn with_old_records(mut self) -> Self {
        self.documented = false;
        self
    }

    pub fn connect(&self) -> Connection {
        let connection = Connection::open(self.address).unwrap();
        if self.documented { connection } else { connection.undocumented() }
    }

    #[track_caller]
    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> Response {
        self.connect()
            .exchange(method, path, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.log()))
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        self.request("GET", path, b"")
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Response {
        self.request("POST", path, body.to_string().as_bytes())
    }

    /// A request with further headers.
    #[track_caller]
    pub fn request_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        self.connect()
            .exchange_with(method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.log()))
    }

    /// A post with a bearer token.
    #[track_caller]
    pub fn post_as(&self, token: &str, path: &str, body: &Value) -> Response {
        let authorization = format!("Bearer {token}");
        self.request_with("POST", path, &[("authorization", &authorization)], body.to_string().as_bytes())
    }

    /// The record of a decision.
    #[track_caller]
    pub fn decide(&self, body: &Value) -> Value {
        self.post("/decisions", body).ok()
    }

    /// The decision about an action of one target.
    #[track_caller]
    pub fn decide_on(&self, action_type: &str, target: &str, pack: &str) -> Value {
        self.decide(&json!({ "action_type": action_type, "target": target, "policy_pack": pack }))
    }

    /// A whole list, page by page.
    #[track_caller]
    pub fn all(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        loop {
            let glue = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{glue}limit=500&offset={}", items.len())).ok();
            let found = page["items"].as_array().unwrap().clone();
            let done = found.is_empty();
            items.extend(found);
            if done || items.len() as u64 >= page["total"].as_u64().unwrap() {
                return items;
            }
        }
    }

    pub fn total(&self, path: &str) -> u64 {
        self.get(path).ok()["total"].as_u64().unwrap()
    }

    /// What the server wrote to standard error, once nothing more comes: its log is written beside its answers.
    pub fn log(&self) -> String {
        let mut text = std::fs::read_to_string(&self.log).unwrap();
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(100));
            let more = std::fs::read_to_string(&self.log).unwrap();
            if more == text {
                break;
            }
            text = more;
        }
        text
    }

    /// Ends it as a crash would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Asks it to read its files again.
    pub fn hangup(&self) {
        rustix::process::kill_process(self.pid(), rustix::process::Signal::HUP).unwrap();
    }

    /// Asks it to stop; answers how it ended.
    #[track_caller]
    pub fn terminate(self) -> ExitStatus {
        rustix::process::kill_process(self.pid(), rustix::process::Signal::TERM).unwrap();
        self.wait()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> ExitStatus {
        end_of(&mut self.child, || format!("the server does not end\n{}", std::fs::read_to_string(&self.log).unwrap()))
    }

    /// Clients post to a path, each its bodies in turn and again, until the server is ended as a crash would: a `pause`
    /// after so many `answers`. Answers everything that was acknowledged.
    pub fn crash(self, path: &str, clients: &[Vec<String>], answers: usize, pause: Duration) -> Vec<Value> {
        let (told, hears) = mpsc::channel();
        let address = self.address;
        let acknowledged = thread::scope(|scope| {
            for bodies in clients {
                let told = told.clone();
                scope.spawn(move || {
                    let Ok(mut connection) = Connection::open(address) else { return };
                    for body in bodies.iter().cycle() {
                        let Ok(answer) = connection.exchange("POST", path, body.as_bytes()) else { return };
                        told.send(answer.ok()).unwrap();
                    }
                });
            }
            drop(told);
            let mut acknowledged: Vec<_> = (0..answers).map_while(|_| hears.recv_timeout(PATIENCE).ok()).collect();
            thread::sleep(pause);
            self.kill();
            acknowledged.extend(hears);
            acknowledged
        });
        assert!(acknowledged.len() >= answers, "only {} answers", acknowledged.len());
        acknowledged
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that the tests of a module share while any of them runs.
pub struct Shared(Mutex<Weak<Server>>);

impl Shared {
    pub const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    /// The running server, or a new one.
    pub fn get(&self, start: impl FnOnce() -> Server) -> Arc<Server> {
        let mut shared = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(start());
            *shared = Arc::downgrade(&server);
            server
        })
    }
}
