//! What answers requests at a moment: a router over an application, which another one takes the place of when the operator's
//! files are read again. A request is answered from beginning to end by the one that was there when it came.

use std::sync::Arc;

use axum::Router;
use cavra_core::App;
use tokio::sync::watch;

use crate::guard::HostGuard;
use crate::load::Load;
use crate::router::router;
use crate::telemetry::Telemetry;

/// The router as it is at each moment. Clones are handles of the same one.
#[derive(Clone)]
pub struct Site {
    current: Arc<watch::Sender<Router>>,
    guard: HostGuard,
    telemetry: Telemetry,
    load: Arc<Load>,
}

impl Site {
    /// Over an application. What the server does at once is bounded for all that follow together.
    #[must_use]
    pub fn new(app: &App, guard: HostGuard, telemetry: Telemetry) -> Self {
        let load = Arc::new(Load::new(app.settings.max_inventory_bytes));
        let first = router(app, guard, telemetry.clone(), &load);
        Self { current: Arc::new(watch::Sender::new(first)), guard, telemetry, load }
    }

    /// Requests that come from now on are answered by this application.
    pub fn show(&self, app: &App) {
        drop(self.current.send_replace(router(app, self.guard, self.telemetry.clone(), &self.load)));
    }

    /// The router for a request that has just come.
    pub(crate) fn router(&self) -> Router {
        self.current.borrow().clone()
    }
}
