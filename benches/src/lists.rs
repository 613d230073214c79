//! Lists of 50 out of many decisions, by every kind of filter.

use std::path::Path;

use crate::report::{Samples, head, row, show};
use crate::server::{Connection, Server};

const WARM_UP: usize = 50;
const COUNT: usize = 500;

const QUERIES: [(&str, &str); 8] = [
    ("no filter", ""),
    ("one agent", "&agent_id=agent-17"),
    ("an agent that is long gone", "&agent_id=agent-retired"),
    ("one repository", "&repository=group/repository-17"),
    ("one session", "&session_id=session-1700"),
    ("blocked", "&decision=block"),
    ("blocked in one repository by one agent", "&decision=block&repository=group/repository-17&agent_id=agent-17"),
    ("nobody's", "&agent_id=nobody&decision=block"),
];

pub fn run(cavra: &Path, database: &Path) -> anyhow::Result<()> {
    let server = Server::start(cavra, database)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    head("GET /decisions, 50 of all", &["filter", "p50", "p99"]);
    for (name, filter) in QUERIES {
        let address = &server.address;
        let request = format!("GET /decisions?limit=50{filter} HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes();
        let mut connection = runtime.block_on(Connection::open(address))?;
        let samples = Samples::take(WARM_UP, COUNT, || runtime.block_on(connection.exchange(&request)))?;
        row(&[name.to_owned(), show(samples.p50()), show(samples.p99())]);
    }
    Ok(())
}
