//! A log that a server publishes, fetched over HTTP.

use std::collections::VecDeque;
use std::time::Duration;

use cavra_fetch::{Client, FetchError, Token, Url, is_private};
use cavra_log::{MAX_LEAF, TILE_WIDTH, Tile, TileKind};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::LogError;
use super::published::{Files, Served, TileVisitor};

/// Time for one file.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Files that are fetched ahead of the one that is looked at.
const AHEAD: usize = 8;
/// Pauses before a question that went unanswered is asked again.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(1000)];
/// Largest checkpoint.
const CHECKPOINT_LIMIT: usize = 64 * 1024;

/// A log at an address.
#[derive(Debug)]
pub struct RemoteLog {
    runtime: Runtime,
    client: Client,
    /// Address of the log, to which `/checkpoint` and `/tile/…` are appended.
    address: String,
}

impl RemoteLog {
    /// The log `log` that the server at `address` publishes; `token` opens a server that asks for one.
    ///
    /// # Errors
    /// [`LogError::Address`] for an address that logs are not fetched from, or to which a token is not sent.
    pub fn new(address: &str, log: &str, token: Option<Token>) -> Result<Self, LogError> {
        let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let bare = |url: &Url| url.username().is_empty() && url.password().is_none();
        let url = url.filter(|url| bare(url) && url.query().is_none() && url.fragment().is_none()).ok_or(
            LogError::Address("a log is fetched from an http or https address without user, query and fragment"),
        )?;
        let address = format!("{}/log/{log}", url.as_str().trim_end_matches('/'));
        let mut client = Client::new(url.scheme(), TIMEOUT)
            .map_err(|error| LogError::Published { file: address.clone(), problem: error.to_string() })?;
        if let Some(token) = token {
            if !is_private(&url) {
                return Err(LogError::Address("a token is sent over https only, or to this machine"));
            }
            client = client.with_token(token);
        }
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|_| LogError::Interrupted)?;
        Ok(Self { runtime, client, address })
    }

    /// Where the checkpoint is.
    #[must_use]
    pub fn checkpoint_address(&self) -> String {
        format!("{}/checkpoint", self.address)
    }

    /// The newest checkpoint, as it is served and not yet believed.
    ///
    /// # Errors
    /// [`LogError::Published`].
    pub fn checkpoint(&self) -> Result<String, LogError> {
        let file = self.checkpoint_address();
        let bytes = self.runtime.block_on(get(&self.client, &file, CHECKPOINT_LIMIT));
        let text = bytes
            .map_err(|error| error.to_string())
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "the answer is no text".to_owned()));
        text.map_err(|problem| LogError::Published { file, problem })
    }

    /// Fetches a tile in the background.
    fn fetch(&self, tile: Tile) -> JoinHandle<Result<Served, LogError>> {
        let (client, address) = (self.client.clone(), self.address.clone());
        self.runtime.spawn(async move {
            let asked = get(&client, &path(&address, &tile), limit(&tile)).await;
            // Once a tile is complete, what was published of it before may be gone.
            let (tile, answer) = match asked {
                Err(FetchError::Status(404)) if tile.width < TILE_WIDTH => {
                    match get(&client, &path(&address, &tile.full()), limit(&tile.full())).await {
                        Err(FetchError::Status(404)) => (tile, Err(FetchError::Status(404))),
                        answer => (tile.full(), answer),
                    }
                }
                answer => (tile, answer),
            };
            let wrong =
                |error: FetchError| LogError::Published { file: path(&address, &tile), problem: error.to_string() };
            answer.map(|bytes| Served { tile, bytes }).map_err(wrong)
        })
    }
}

impl Files for RemoteLog {
    fn name(&self, tile: &Tile) -> String {
        path(&self.address, tile)
    }

    fn read(&self, tiles: &mut dyn Iterator<Item = Tile>, visit: TileVisitor<'_>) -> Result<(), LogError> {
        let mut ahead: VecDeque<_> = tiles.take(AHEAD).map(|tile| self.fetch(tile)).collect();
        while let Some(next) = ahead.pop_front() {
            let served = self.runtime.block_on(next).unwrap_or(Err(LogError::Interrupted))?;
            ahead.extend(tiles.next().map(|tile| self.fetch(tile)));
            visit(served)?;
        }
        Ok(())
    }
}

fn path(address: &str, tile: &Tile) -> String {
    format!("{address}/tile/{tile}")
}

/// Most bytes that a tile can have.
fn limit(tile: &Tile) -> usize {
    let width = usize::try_from(tile.width).unwrap_or(0);
    match tile.kind {
        // Each leaf is preceded by its length in two bytes.
        TileKind::Entries => width * (MAX_LEAF + 2),
        TileKind::Hashes(_) => width * 32,
    }
}

/// Asks, and asks again if that may help.
async fn get(client: &Client, address: &str, limit: usize) -> Result<Vec<u8>, FetchError> {
    let url = Url::parse(address).map_err(|_| FetchError::NoAddress)?;
    for pause in PAUSES {
        match client.get(url.clone(), limit).await {
            Err(error) if error.is_passing() => tokio::time::sleep(pause).await,
            answer => return answer,
        }
    }
    client.get(url, limit).await
}
