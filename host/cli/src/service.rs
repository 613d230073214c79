//! Telling the service manager how far the server has come, as `sd_notify` describes: what depends on the server is then
//! started when it answers, not when its process begins.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable in which the service manager says where it listens.
const SOCKET: &str = "NOTIFY_SOCKET";

/// It answers requests.
pub const READY: &str = "READY=1";

/// It reads its files again, and says [`READY`] afterwards. The moment lets the manager tell this reload from an earlier one
/// (`Type=notify-reload`, systemd.service(5)).
pub fn reloading() -> String {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
    format!("RELOADING=1\nMONOTONIC_USEC={micros}")
}

/// [`READY`], and what came of reading the files again, which `systemctl status` shows. It is one line.
pub fn reloaded(problem: Option<&str>) -> String {
    let status =
        problem.map_or_else(String::new, |problem| format!("not reloaded: {problem}").replace(['\n', '\r'], " "));
    format!("{READY}\nSTATUS={status}")
}

/// It was asked to end, and does.
pub const STOPPING: &str = "STOPPING=1";

/// Tells the service manager, if there is one. That it cannot be told is no reason not to serve.
pub fn tell(state: &str) {
    let Some(socket) = std::env::var(SOCKET).ok().filter(|socket| !socket.is_empty()) else { return };
    let address = match socket.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&socket),
    };
    let sent = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(error) = sent {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}
