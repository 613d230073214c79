//! Checks of what this installation stands on: credentials, stores, disk, clock, keys, files. Each does or looks at what it
//! speaks of when it is asked for.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use cavra_documents::read_document;
use cavra_evidence::{TrustRoot, TrustRoots};
use cavra_identity::{ApiToken, Envelope, IdentityError, Scope};
use cavra_model::members::text;
use cavra_model::{DECISIONS, EVIDENCE_METADATA, Object, Timestamp};
use cavra_store::{Criterion, Query, Test, Transaction, Unreadable};
use cavra_trust::PluginDirectory;
use serde_json::json;
use tokio::sync::Mutex;

use super::rehearsal;
use crate::pilot::Checks;
use crate::{AREAS, App, CoreError, Settings};

/// Days after which a key is to be exchanged for another one.
const KEY_DAYS: i64 = 365;
/// Days before its end in which a key ends soon.
const SOON_DAYS: i64 = 30;
/// Days in which a backup is to be restored once: a quarter.
const REHEARSAL_DAYS: i64 = 92;
/// Most records that are looked at for one that cavra wrote.
const CLAIMED: u64 = 20;
/// By how much clocks may differ.
const SKEW: Duration = Duration::from_secs(60);
/// How long it counts that the stores were written: whoever may look may not make the disk busy.
const WRITTEN: Duration = Duration::from_secs(10);

const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// A check that blocks: its id, what it says if nothing is wrong and if something is, and how it looks.
type Row = (&'static str, &'static str, &'static str, fn(&App) -> Vec<String>);

const ROWS: [Row; 4] = [
    ("disk_headroom", "there is room on every disk", "a disk is nearly full (CAVRA_DISK_HEADROOM_MIB)", headroom),
    ("key_ages", "no key or certificate is old or ends soon", "keys or certificates are old or end soon", ages),
    ("plugin_signatures", "every installed plugin is vouched for", "installed plugins are refused", plugins),
    (
        "file_permissions",
        "nobody else can change what governs this server",
        "others can change or read files",
        permissions,
    ),
];

/// When the stores were written, and what was wrong with those that could not be.
type Written = (Instant, Vec<String>);

/// When this process began, by both clocks, and when it last wrote every store.
#[derive(Clone)]
pub struct Vitals {
    began: (Instant, Timestamp),
    written: std::sync::Arc<Mutex<Option<Written>>>,
}

impl Vitals {
    pub(crate) fn new() -> Self {
        Self { began: (Instant::now(), Timestamp::now()), written: std::sync::Arc::default() }
    }
}

impl App {
    pub(super) async fn check_installation(&self, checks: &mut Checks) -> Result<(), CoreError> {
        let mut add = |id: &str, fine: &str, wrong: &str, problems: &[String]| {
            checks.with(id, problems.is_empty(), (fine, wrong), &[("problems", json!(problems))]);
        };
        add("tokens_refused", "made-up tokens are refused", "tokens cannot be checked", &self.let_in().await);
        add(
            "stores_written",
            "every store is written and synced",
            "a store cannot be written",
            &self.unwritable().await,
        );
        add("clock", "the clock goes as it should", "the clock is wrong", &self.clock().await);
        let problems: Vec<_> = self.files_not_in_force().await.into_iter().collect();
        let wrong = "files cannot be used as they are now; what was read before is in force";
        add("files_in_force", "the operator's files are in force", wrong, &problems);
        let broken = self.broken_packs().await;
        add("policy_packs", "every policy pack is whole", "policy packs are broken", &broken);
        let rehearsed = self.not_rehearsed().await;
        let wrong = "no backup was restored for long; see `cavra ops restore --dry-run`";
        add("backup_restored", "a backup was restored within its period", wrong, &rehearsed);
        let app = self.clone();
        let looked =
            tokio::task::spawn_blocking(move || ROWS.map(|(id, fine, wrong, look)| (id, fine, wrong, look(&app))));
        for (id, fine, wrong, problems) in looked.await.map_err(|_| CoreError::Conflict("interrupted".to_owned()))? {
            add(id, fine, wrong, &problems);
        }
        Ok(())
    }

    /// Whether tokens that nobody made let anybody in.
    async fn let_in(&self) -> Vec<String> {
        let mut problems = Vec::new();
        match ApiToken::generate() {
            Ok(token) => match self.tokens.authenticate(&token.text, Scope::Read).await {
                Err(CoreError::Unauthenticated(_)) => {}
                Err(error) => problems.push(format!("API tokens: {error}")),
                Ok(_) => problems.push("an API token that nobody made lets somebody in".to_owned()),
            },
            Err(error) => problems.push(format!("API tokens: {error}")),
        }
        // {"alg":"none"} {"sub":"nobody"}, signed by nobody.
        let token = Some("eyJhbGciOiJub25lIn0.eyJzdWIiOiJub2JvZHkifQ.".to_owned());
        match self.gatekeeper.identify(&Envelope { token, ..Envelope::default() }).await {
            Err(IdentityError::Unauthenticated(_) | IdentityError::TokenNotConfigured) => {}
            Err(error) => problems.push(format!("people's tokens: {error}")),
            Ok(_) => problems.push("a token that nobody signed lets somebody in".to_owned()),
        }
        if let Err(error) = self.gatekeeper.prepare().await {
            problems.push(format!("people's tokens: {error}"));
        }
        problems
    }

    /// Writes something into every store that is there; answers those that did not take it.
    async fn unwritable(&self) -> Vec<String> {
        let mut written = self.vitals.written.lock().await;
        if let Some((moment, problems)) = &*written
            && moment.elapsed() < WRITTEN
        {
            return problems.clone();
        }
        let mut problems = Vec::new();
        for area in AREAS.iter().filter(|area| area.location(&self.settings).exists()) {
            let Some(kind) = area.kinds.first() else { continue };
            let now = Timestamp::now().to_string();
            let write = move |tx: &mut dyn Transaction| tx.set_property(kind, "readiness_written_at", now.clone());
            if let Err(error) = self.store.transact(write).await {
                problems.push(format!("{}: {error}", area.name));
            }
        }
        *written = Some((Instant::now(), problems.clone()));
        problems
    }

    async fn clock(&self) -> Vec<String> {
        let query = Query { limit: 1, unreadable: Unreadable::Skip, ..Query::default() };
        let newest = self.store.list(&DECISIONS, query).await.ok().and_then(|page| page.items.into_iter().next());
        let newest = newest.and_then(|record| text(&record, "timestamp").parse().ok());
        let (began, wall) = self.vitals.began;
        clock_problems(newest, (began.elapsed(), wall), Timestamp::now())
    }

    /// Why no backup counts as restored.
    async fn not_rehearsed(&self) -> Vec<String> {
        let record = match self.newest_rehearsal().await {
            Ok(Some(record)) => record,
            Ok(None) => return vec!["no backup was ever restored".to_owned()],
            Err(error) => return vec![error.to_string()],
        };
        let at: Option<Timestamp> = text(&record, "created_at").parse().ok();
        match at.map(|at| days_between(at, Timestamp::now())) {
            Some(days) if days <= REHEARSAL_DAYS && text(&record, "status") == "pass" => Vec::new(),
            Some(days) if days <= REHEARSAL_DAYS => {
                vec!["the last backup that was tried could not be restored".to_owned()]
            }
            Some(days) => vec![format!("the last backup was restored {days} days ago")],
            None => vec!["it is not known when a backup was restored".to_owned()],
        }
    }

    /// The newest rehearsal that cavra itself recorded: a client may post what looks like one.
    async fn newest_rehearsal(&self) -> Result<Option<Object>, CoreError> {
        let of_kind = Criterion { member: "metadata_kind", test: Test::Equals(rehearsal::KIND.to_owned()) };
        let query = Query { criteria: vec![of_kind], limit: CLAIMED, unreadable: Unreadable::Skip, ..Query::default() };
        for record in self.store.list(&EVIDENCE_METADATA, query).await?.items {
            if self.evidence.is_ours(text(&record, EVIDENCE_METADATA.id)).await? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }
}

fn days_between(from: Timestamp, to: Timestamp) -> i64 {
    (to.as_micros() - from.as_micros()) / MICROS_PER_DAY
}

/// What the newest decision and the clock that is never set say of the one that is: `began` is how long ago by the former
/// it was what by the latter.
fn clock_problems(newest: Option<Timestamp>, began: (Duration, Timestamp), now: Timestamp) -> Vec<String> {
    let skew = i64::try_from(SKEW.as_micros()).unwrap_or(i64::MAX);
    let mut problems = Vec::new();
    if let Some(newest) = newest.filter(|newest| newest.as_micros() > now.as_micros() + skew) {
        problems.push(format!("the newest decision is of {newest}, which is not yet"));
    }
    let (elapsed, wall) = began;
    let expected = wall.as_micros().saturating_add(i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX));
    let seconds = (now.as_micros() - expected) / 1_000_000;
    if (now.as_micros() - expected).abs() > skew {
        problems.push(format!("it was set by {seconds} seconds since this server began"));
    }
    problems
}

/// The folder of a file, or the nearest one above that is there.
fn folder_of(file: &Path) -> PathBuf {
    let above = file.ancestors().skip(1).map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
    above.into_iter().find(|above| above.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

/// Disks that what this server writes lies on and that have less room than they should.
fn headroom(app: &App) -> Vec<String> {
    let settings = &app.settings;
    let stores = AREAS.iter().map(|area| area.location(settings).full_name());
    let files = stores.chain([settings.evidence_log_key.clone()]);
    let files = files.chain(settings.artifact_root.as_ref().map(|root| root.join("file")));
    let mut folders: Vec<PathBuf> = files.map(|file| folder_of(&file)).collect();
    folders.sort();
    folders.dedup();
    folders.iter().filter_map(|folder| room_problem(folder, settings.disk_headroom)).collect()
}

fn room_problem(folder: &Path, wanted: u64) -> Option<String> {
    let shown = folder.display();
    let Ok(disk) = rustix::fs::statvfs(folder) else { return Some(format!("{shown} cannot be looked at")) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < wanted {
        return Some(format!("{shown} has {} MiB left of {} MiB that should be", free >> 20, wanted >> 20));
    }
    (disk.f_files > 0 && disk.f_favail == 0).then(|| format!("{shown} has room for no further file"))
}

/// Keys that are used for long, and those that end or have ended.
fn ages(app: &App) -> Vec<String> {
    let (settings, now) = (&app.settings, Timestamp::now());
    let mut problems = Vec::new();
    match app.log.keyring().state() {
        Ok(state) => {
            let since = state.and_then(|state| state.keys.last()?.since.parse().ok());
            problems.extend(aged("the key of the evidence log", since, now));
        }
        Err(error) => problems.push(error.to_string()),
    }
    problems.extend(settings.secret_files.iter().filter_map(|file| aged(file.display(), changed(file), now)));
    for file in [&settings.release_trust_root, &settings.endpoint_manifest_roots].into_iter().flatten() {
        let roots = read_document(file).ok().and_then(|document| TrustRoots::read(&document).ok());
        let ending =
            |root: &TrustRoot| ending(format!("key {} of {}", root.key_id, file.display()), root.valid_until, now);
        problems.extend(roots.iter().flat_map(TrustRoots::active).filter_map(ending));
    }
    let rules = PluginDirectory::new(&settings.plugin_dir).rules();
    let keys = rules.iter().flat_map(|rules| rules.trust.active());
    problems.extend(keys.filter_map(|root| ending(format!("key {} of plugins", root.key_id), root.valid_until, now)));
    let certificates = app.outgoing.certificates().into_iter();
    problems
        .extend(certificates.filter_map(|(file, until)| ending(format!("a certificate of {file}"), Some(until), now)));
    problems
}

fn aged(what: impl std::fmt::Display, since: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let days = since.map(|since| days_between(since, now)).filter(|days| *days > KEY_DAYS)?;
    Some(format!("{what} is {days} days old"))
}

fn ending(what: impl std::fmt::Display, until: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let days = until.map(|until| days_between(now, until)).filter(|days| *days < SOON_DAYS)?;
    Some(format!("{what} ends in {days} days"))
}

/// When a file was last written.
fn changed(file: &Path) -> Option<Timestamp> {
    let since = fs::metadata(file).ok()?.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_micros(i64::try_from(since.as_micros()).ok()?))
}

/// Installed plugins that are not loaded, and why.
fn plugins(app: &App) -> Vec<String> {
    match PluginDirectory::new(&app.settings.plugin_dir).load_all(Timestamp::now()) {
        Err(error) => vec![error.to_string()],
        Ok(loaded) => loaded
            .into_iter()
            .filter_map(|(locked, loaded)| Some(format!("{}: {}", locked.name, loaded.err()?)))
            .collect(),
    }
}

/// Who may do what with a file that governs this server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// Rules: only its owner may write it.
    Rules,
    /// Secrets: only its owner and its group may read it, too.
    Secrets,
}

/// The files that govern this server.
fn governing(settings: &Settings, rules: Vec<PathBuf>) -> Vec<(PathBuf, Holds)> {
    let plugins = PluginDirectory::new(&settings.plugin_dir).documents();
    let open = rules.into_iter().chain(plugins).chain(settings.policy_dir.clone());
    let secrets = [&settings.connector_config, &settings.approval_provider_config].into_iter().flatten().cloned();
    let secrets = secrets.chain([settings.evidence_log_key.clone()]).chain(settings.secret_files.iter().cloned());
    open.map(|file| (file, Holds::Rules)).chain(secrets.map(|file| (file, Holds::Secrets))).collect()
}

/// Files that somebody else may change, or read although they hold secrets.
fn permissions(app: &App) -> Vec<String> {
    let files = governing(&app.settings, crate::reload::files(app));
    let mut problems: Vec<String> = files.iter().filter_map(|(file, holds)| loose(file, *holds)).collect();
    problems.sort();
    problems.dedup();
    problems
}

fn loose(file: &Path, holds: Holds) -> Option<String> {
    let found = fs::metadata(file).ok()?;
    let folder = fs::metadata(folder_of(file)).ok()?;
    let ours = [0, rustix::process::geteuid().as_raw()];
    let everybody_adds = folder.mode() & 0o002 != 0 && folder.mode() & 0o1000 == 0;
    let problem = match () {
        () if !ours.contains(&found.uid()) => "belongs to another user",
        () if found.mode() & 0o022 != 0 => "may be written by others than its owner",
        () if everybody_adds => "lies in a folder in which everybody may put another file in its place",
        () if holds == Holds::Secrets && found.mode() & 0o007 != 0 => "may be read by everybody",
        () => return None,
    };
    Some(format!("{} {problem}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_clock_that_is_set_shows() {
        let (wall, now) = (at("2030-01-01T00:00:00Z"), at("2030-01-01T01:00:00Z"));
        let hour = Duration::from_secs(3600);
        assert!(clock_problems(None, (hour, wall), now).is_empty());
        assert!(clock_problems(Some(at("2030-01-01T01:00:59Z")), (hour, wall), now).is_empty());
        let back = clock_problems(Some(at("2030-01-01T01:02:00Z")), (hour, wall), now);
        assert!(back.len() == 1 && back[0].contains("2030-01-01T01:02:00"), "{back:?}");
        for elapsed in [hour - Duration::from_secs(61), hour + Duration::from_secs(61)] {
            assert_eq!(clock_problems(None, (elapsed, wall), now).len(), 1, "{elapsed:?}");
        }
    }

    #[test]
    fn files_that_others_may_change_or_read_show() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "x").unwrap();
        let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        for (mode, rules, secrets) in [
            (0o600, None, None),
            (0o640, None, None),
            (0o644, None, Some("read")),
            (0o660, Some("written"), Some("written")),
            (0o602, Some("written"), Some("written")),
        ] {
            chmod(&file, mode);
            for (holds, said) in [(Holds::Rules, rules), (Holds::Secrets, secrets)] {
                let found = loose(&file, holds);
                assert_eq!(found.is_some(), said.is_some(), "{mode:o}: {found:?}");
                assert!(found.is_none_or(|found| found.contains(said.unwrap())), "{mode:o}");
            }
        }
        chmod(&file, 0o600);
        chmod(home.path(), 0o777);
        assert!(loose(&file, Holds::Rules).unwrap().contains("folder"));
        chmod(home.path(), 0o1777);
        assert!(loose(&file, Holds::Rules).is_none(), "as in /tmp");
        assert!(loose(&home.path().join("none"), Holds::Rules).is_none());
    }

    #[test]
    fn disks_have_room_or_not() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(room_problem(home.path(), 1), None);
        assert!(room_problem(home.path(), u64::MAX).unwrap().contains("MiB"));
        assert_eq!(folder_of(&home.path().join("a/b/c")), home.path());
    }
}
