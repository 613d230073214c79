//! What the operator's files say, read again while the server runs: all of them or, if one cannot be used, none.
//!
//! An [`App`] never changes. Reading the files again makes another one over the same stores ([`Live`]): whoever is being
//! answered goes on with the one that was there when they came. Policy packs and plugins need nobody to ask for it; the
//! library looks at their files at every use.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cavra_documents::WatchedFiles;
use cavra_identity::Gatekeeper;
use cavra_model::Routing;
use cavra_plugins::PluginHost;
use tokio::sync::watch;

use crate::app::Parts;
use crate::approvals::read_routing;
use crate::outgoing::Outgoing;
use crate::plugins::check_plugin_documents;
use crate::{AREAS, App, CoreError, DecisionPoint, Evidence, Settings, Workers, pack_trust, package_signers};

/// How often the policy directory is looked through for packs that are broken.
const SURVEY: Duration = Duration::from_secs(60);

/// What the operator's files say: who people are and what they may, who approves what, which systems are told, which jobs
/// the server does.
pub(crate) struct Governing {
    pub(crate) gatekeeper: Gatekeeper,
    pub(crate) routing: Routing,
    pub(crate) outgoing: Outgoing,
    pub(crate) workers: Workers,
}

impl Governing {
    /// Reads them all. Connectors run in `plugins`; keys that a provider publishes, and the name under which jobs are taken,
    /// are taken over from `before`.
    ///
    /// # Errors
    /// [`CoreError::Configuration`] naming a file that cannot be used.
    pub(crate) fn read(settings: &Settings, plugins: &PluginHost, before: Option<&Parts>) -> Result<Self, CoreError> {
        let (oidc, rbac) = (settings.oidc_config.as_deref(), settings.rbac_file.as_deref());
        let gatekeeper = match before {
            Some(before) => before.gatekeeper.again(oidc, rbac),
            None => Gatekeeper::load(oidc, rbac),
        };
        let gatekeeper = gatekeeper.and_then(|gatekeeper| match &settings.chat_file {
            Some(file) => gatekeeper.with_chat_members(file),
            None => Ok(gatekeeper),
        });
        for roots in [&settings.release_trust_root, &settings.endpoint_manifest_roots] {
            roots.as_deref().map(package_signers).transpose()?;
        }
        check_plugin_documents(settings)?;
        Ok(Self {
            gatekeeper: gatekeeper.map_err(|error| CoreError::Configuration(error.to_string()))?,
            routing: settings.routing_file.as_deref().map_or_else(|| Ok(Routing::default()), read_routing)?,
            outgoing: match before {
                Some(before) => before.outgoing.again(settings, plugins)?,
                None => Outgoing::read(settings, plugins)?,
            },
            workers: match before {
                Some(before) => before.workers.again(settings)?,
                None => Workers::read(settings)?,
            },
        })
    }
}

/// Files that are read again, of those that an application was made from.
type Row = fn(&App) -> Vec<PathBuf>;

/// A file that a setting names, if it does.
fn named(file: Option<&PathBuf>) -> Vec<PathBuf> {
    file.cloned().into_iter().collect()
}

static ROWS: [Row; 8] = [
    |app| app.gatekeeper.files().to_vec(),
    |app| named(app.settings.routing_file.as_ref()),
    |app| named(app.settings.connector_config.as_ref()),
    |app| named(app.settings.approval_provider_config.as_ref()),
    |app| named(app.settings.workers_file.as_ref()),
    |app| named(app.settings.release_trust_root.as_ref()),
    |app| named(app.settings.endpoint_manifest_roots.as_ref()),
    |app| app.settings.secret_files.clone(),
];

impl App {
    /// The application as the files say now.
    ///
    /// # Errors
    /// [`CoreError::Configuration`] naming what cannot be used, or what only a restart can change.
    async fn again(&self, settings: Settings) -> Result<Self, CoreError> {
        let before = self.clone();
        let made = tokio::task::spawn_blocking(move || {
            let governing = before.governing(&settings)?;
            Ok::<_, CoreError>(before.governed_by(governing, settings))
        });
        let made = made.await.map_err(|_| CoreError::Conflict("interrupted".to_owned()))??;
        let keys = made.gatekeeper.renew().await;
        keys.map_err(|_| CoreError::Configuration("the identity provider's keys cannot be had".to_owned()))?;
        Ok(made)
    }

    /// What the files say that other settings name.
    fn governing(&self, settings: &Settings) -> Result<Governing, CoreError> {
        if let Some(moved) = self.settings.moved(settings) {
            return Err(CoreError::Configuration(format!(
                "{moved} is another one by now; restart the server for that"
            )));
        }
        Governing::read(settings, self.decisions.plugins(), Some(self))
    }

    fn governed_by(&self, governing: Governing, settings: Settings) -> Self {
        let Governing { gatekeeper, routing, outgoing, workers } = governing;
        let decisions = if settings.signing_key == self.settings.signing_key {
            self.decisions.clone()
        } else {
            let plugins = self.decisions.plugins().clone();
            DecisionPoint::new(pack_trust::library(&settings), plugins).with_redactor(settings.redactor)
        };
        let approvals = self.approvals.governed_by(routing, gatekeeper.clone());
        Self::of(Parts {
            evidence: Evidence::new(self.store.clone(), Some(approvals.clone())),
            approvals,
            decisions,
            gatekeeper,
            outgoing,
            workers,
            settings: Arc::new(settings),
            ..Parts::clone(self)
        })
    }

    /// What would keep settings and files, as they are now, from being read again; and what keeps those in force that are
    /// others by now.
    pub(crate) async fn files_not_in_force(&self) -> Option<String> {
        if let Some(problem) = self.reloads.problem() {
            return Some(problem);
        }
        let before = self.clone();
        let read = tokio::task::spawn_blocking(move || before.governing(&Settings::from_env()?).map(drop));
        let read = read.await.unwrap_or_else(|_| Err(CoreError::Conflict("interrupted".to_owned())));
        read.err().map(|error| error.to_string())
    }

    /// The packs of the policy directory that do not decide as their files say, because those are broken; the log and
    /// the metrics are told.
    pub(crate) async fn broken_packs(&self) -> Vec<String> {
        let library = self.decisions.library().clone();
        let broken = tokio::task::spawn_blocking(move || library.broken()).await.unwrap_or_default();
        metrics::gauge!("cavra_policy_packs_broken").set(f64::from(u32::try_from(broken.len()).unwrap_or(u32::MAX)));
        broken.into_iter().map(|(name, error)| format!("{name}: {error}")).collect()
    }
}

/// What only a restart can change: what it is, and whether two settings say the same of it.
type Fixed = (&'static str, fn(&Settings, &Settings) -> bool);

static FIXED: [Fixed; 6] = [
    ("the place of a store", |one, other| AREAS.iter().all(|area| area.location(one) == area.location(other))),
    ("CAVRA_EVIDENCE_LOG_KEY", |one, other| one.evidence_log_key == other.evidence_log_key),
    ("CAVRA_POLICY_DIR", |one, other| one.policy_dir == other.policy_dir),
    ("CAVRA_PLUGIN_DIR", |one, other| one.plugin_dir == other.plugin_dir),
    ("CAVRA_CACHE_DIR", |one, other| one.cache_dir == other.cache_dir),
    // A credential that is gone would be a check that is off.
    ("the list of files with secrets", |one, other| one.secret_files == other.secret_files),
];

impl Settings {
    /// What other settings say differently although only a restart can change it.
    fn moved(&self, now: &Self) -> Option<&'static str> {
        FIXED.iter().find(|(_, is_same)| !is_same(self, now)).map(|(what, _)| *what)
    }
}

/// What came of reading the files again.
#[derive(Clone, Default)]
pub struct Reloads(Arc<Mutex<Option<String>>>);

impl Reloads {
    /// Why the files as they are now are not in force, if so.
    fn problem(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes an outcome; answers whether it is another problem than before.
    fn note(&self, problem: Option<String>) -> bool {
        let outcome = if problem.is_none() { "completed" } else { "refused" };
        metrics::counter!("cavra_reloads_total", "outcome" => outcome).increment(1);
        metrics::gauge!("cavra_reload_refused").set(if problem.is_none() { 0.0 } else { 1.0 });
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = *noted != problem;
        *noted = problem;
        is_news
    }
}

/// The application as it is at each moment. Clones are handles of the same one.
#[derive(Clone)]
pub struct Live {
    current: Arc<watch::Sender<App>>,
    /// One reads the files at a time; as they were when they were last read.
    seen: Arc<tokio::sync::Mutex<WatchedFiles>>,
}

impl Live {
    /// Begins with an application that was just made.
    #[must_use]
    pub fn new(app: App) -> Self {
        metrics::gauge!("cavra_reload_refused").set(0.0);
        metrics::gauge!("cavra_policy_packs_broken").set(0.0);
        let seen = WatchedFiles::look(files(&app));
        Self { current: Arc::new(watch::Sender::new(app)), seen: Arc::new(tokio::sync::Mutex::new(seen)) }
    }

    /// The application now. Whoever answers something keeps it until they have.
    #[must_use]
    pub fn now(&self) -> App {
        self.current.borrow().clone()
    }

    /// Reads the settings and the files that they name again, hands the application that they make to `show`, and answers
    /// it. If one of them cannot be used, everything stays as it was.
    ///
    /// # Errors
    /// [`CoreError::Configuration`] naming what cannot be used. It is in the log already.
    pub async fn reload(&self, show: impl FnOnce(&App)) -> Result<App, CoreError> {
        let mut seen = self.seen.lock().await;
        let before = self.now();
        // Looked at before they are read: a change between the two shows the next time.
        *seen = WatchedFiles::look(files(&before));
        let made = match Settings::from_env() {
            Ok(settings) => before.again(settings).await,
            Err(error) => Err(error),
        };
        if let Ok(app) = &made {
            self.current.send_replace(app.clone());
            show(app);
        }
        let is_news = before.reloads.note(made.as_ref().err().map(ToString::to_string));
        match &made {
            Ok(app) => {
                let paths = files(app);
                if paths != files(&before) {
                    *seen = WatchedFiles::look(paths);
                }
                tracing::info!("settings and files are read again");
                app.say_broken_packs().await;
            }
            Err(error) if is_news => {
                tracing::error!(problem = %error, "files cannot be used as they are now; what was read before stays in force");
            }
            Err(_) => {}
        }
        made
    }

    /// Ends when a file has changed since it was read; looks so often.
    pub async fn files_change(&self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let (paths, seen) = (files(&self.now()), self.seen.lock().await.clone());
            let changed = tokio::task::spawn_blocking(move || !seen.are_unchanged(&paths)).await;
            if changed.unwrap_or(true) {
                return;
            }
        }
    }

    /// Looks now and then whether packs are broken, until the future is dropped.
    pub(crate) async fn survey_packs(&self) {
        loop {
            self.now().broken_packs().await;
            tokio::time::sleep(SURVEY).await;
        }
    }
}

impl App {
    async fn say_broken_packs(&self) {
        for problem in self.broken_packs().await {
            tracing::error!(problem, "a policy pack is broken");
        }
    }
}

/// All files that are read again.
pub(crate) fn files(app: &App) -> Vec<PathBuf> {
    let project = app.settings.project.as_ref().and_then(|project| project.config.as_ref());
    let project = project.map(|config| config.file.clone());
    ROWS.iter().flat_map(|row| row(app)).chain(project).collect()
}
