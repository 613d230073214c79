//! A system that events are delivered to: an HTTP server of the test's own.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::Value;

use super::home::PATIENCE;

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// Method and path.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

type Log = Arc<(Mutex<Vec<Received>>, Condvar)>;

/// Takes requests until the test ends.
pub struct Receiver {
    pub address: String,
    log: Log,
}

impl Receiver {
    /// Answers every request with this status.
    pub fn answering(status: &'static str) -> Self {
        Self::answering_by(move |_, _| status.to_owned())
    }

    /// Answers each request with the status, and further headers if any, that `answer` says; it is told how many came before.
    pub fn answering_by(answer: impl Fn(usize, &Received) -> String + Send + Sync + 'static) -> Self {
        Self::with(move |number, request, stream| {
            let answer = answer(number, request);
            let text = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(text.as_bytes());
        })
    }

    /// Lets `answer` do with the connection of each request what it likes.
    pub fn with(answer: impl Fn(usize, &Received, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let log: Log = Arc::default();
        let (kept, answer) = (log.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), log, answer) = (stream, kept.clone(), answer.clone()) else { return };
                thread::spawn(move || {
                    let Some(request) = read(&mut stream) else { return };
                    let number = {
                        let mut got = log.0.lock().unwrap();
                        got.push(request.clone());
                        log.1.notify_all();
                        got.len() - 1
                    };
                    answer(number, &request, &mut stream);
                });
            }
        });
        Self { address, log }
    }

    /// The address of a path.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// What arrived so far.
    pub fn got(&self) -> Vec<Received> {
        self.log.0.lock().unwrap().clone()
    }

    /// Waits until so many requests have arrived.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Received> {
        let got = self.log.0.lock().unwrap();
        let (got, _) = self.log.1.wait_timeout_while(got, PATIENCE, |got| got.len() < count).unwrap();
        assert!(got.len() >= count, "{} of {count} requests arrived", got.len());
        got.clone()
    }
}

fn read(stream: &mut TcpStream) -> Option<Received> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut piece).ok()? {
            0 => return None,
            length => bytes.extend_from_slice(&piece[..length]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let line = head.lines().next()?.rsplit_once(' ')?.0.to_owned();
    let split = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let headers: Vec<_> = head.lines().skip(1).filter_map(split).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length.unwrap_or(0) {
        match stream.read(&mut piece).ok()? {
            0 => return None,
            length => body.extend_from_slice(&piece[..length]),
        }
    }
    Some(Received { line, headers, body: String::from_utf8(body).ok()? })
}
