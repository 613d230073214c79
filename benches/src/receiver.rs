//! A system that events are delivered to, on this machine: takes everything at once and remembers the order.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;

/// Places in the log, in the order in which they arrived; those that came again are not repeated.
type Places = Arc<(Mutex<Vec<u64>>, Condvar)>;

pub struct Receiver {
    pub address: String,
    places: Places,
}

impl Receiver {
    pub fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = format!("http://{}/", listener.local_addr()?);
        let places = Places::default();
        let kept = Arc::clone(&places);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let places = Arc::clone(&kept);
                thread::spawn(move || serve(stream, &places));
            }
        });
        Ok(Self { address, places })
    }

    /// Waits until so many have arrived.
    pub fn wait_for(&self, count: usize, patience: Duration) -> anyhow::Result<()> {
        let (places, arrived) = &*self.places;
        let places = places.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = arrived.wait_timeout_while(places, patience, |places| places.len() < count);
        let (places, _) = waited.unwrap_or_else(PoisonError::into_inner);
        ensure!(places.len() >= count, "{} of {count} have arrived", places.len());
        Ok(())
    }

    /// As if nothing had arrived.
    pub fn forget(&self) {
        self.places.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether they arrived in the order of the log.
    pub fn is_in_order(&self) -> bool {
        self.places.0.lock().unwrap_or_else(PoisonError::into_inner).is_sorted()
    }
}

/// Answers every request of a connection with 200.
fn serve(stream: TcpStream, places: &Places) {
    let _ = stream.set_nodelay(true);
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Some(body) = body(&mut reader) {
        let event: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let Some(place) = event.pointer("/payload/log/index").and_then(Value::as_u64) {
            let (known, arrived) = &**places;
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.last() != Some(&place) {
                known.push(place);
            }
            arrived.notify_all();
        }
        if writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
            return;
        }
    }
}

/// The body of the next request.
fn body(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}
