//! A plain HTTP/1.1 client that sends exactly what it is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::documented::assert_documented;

/// One keep-alive connection.
pub struct Connection {
    stream: BufReader<TcpStream>,
    /// Whether answers are held against the OpenAPI document.
    documented: bool,
}

impl Connection {
    pub fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream: BufReader::new(stream), documented: true })
    }

    /// Takes answers as they are.
    pub fn undocumented(self) -> Self {
        Self { documented: false, ..self }
    }

    /// Sends raw bytes. A server that has answered already may have stopped reading.
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads one answer.
    pub fn receive(&mut self) -> std::io::Result<Response> {
        let status = self.line()?;
        let status =
            status.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or(std::io::ErrorKind::InvalidData)?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response { status, headers, body: Vec::new() };
        let length = response.header("content-length").map_or(0, |length| length.parse().unwrap());
        response.body = vec![0; length];
        self.stream.read_exact(&mut response.body)?;
        Ok(response)
    }

    /// Sends a request and reads its answer.
    pub fn exchange(&mut self, method: &str, path: &str, body: &[u8]) -> std::io::Result<Response> {
        self.exchange_with(method, path, &[], body)
    }

    /// As [`Connection::exchange`], with further headers.
    pub fn exchange_with(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Response> {
        let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{more}content-length: {}\r\n\r\n",
            body.len()
        );
        let sent = self.send(head.as_bytes()).and_then(|()| self.send(body));
        let response = self.receive().or_else(|error| sent.and(Err(error)))?;
        if self.documented {
            assert_documented(method, path, &response);
        }
        Ok(response)
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        // The other side may die in the middle of a line.
        if !line.ends_with('\n') {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text()))
    }

    /// Asserts success and answers the body.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        let kind = self.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("application/json"), "{kind}");
        self.json()
    }

    /// Asserts a refusal with one of the statuses, in the form every refusal has; answers its `detail`.
    #[track_caller]
    pub fn refused(&self, statuses: &[u16]) -> Value {
        assert!(statuses.contains(&self.status), "{} instead of {statuses:?}: {}", self.status, self.text());
        let problem = self.json();
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(problem["status"], self.status, "{problem}");
        assert!(problem["type"].is_string() && problem["title"].is_string(), "{problem}");
        let detail = &problem["detail"];
        match self.status {
            422 if detail.is_array() => {
                for place in detail.as_array().unwrap() {
                    assert!(
                        place["loc"].is_array() && place["msg"].is_string() && place["type"].is_string(),
                        "{place}"
                    );
                }
            }
            _ => assert!(detail.as_str().is_some_and(|text| !text.is_empty()), "{problem}"),
        }
        detail.clone()
    }
}
