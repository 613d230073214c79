//! Decides the actions of one event and records them before anything is answered.

use std::path::{Component, Path, PathBuf};

use cavra_core::{ACTIVITY_KINDS, Activity, DecisionRequest, Protected};
use cavra_model::{ActionType, Context, DecisionRecord, Outcome};
use cavra_normalize::{ActionRequest, clean_path};
use cavra_store::{Location, RecordStore};

use super::answer::Stage;
use super::projection::permits;
use crate::args::PackArg;
use crate::local::Local;

/// Most decisions about files of one search that are recorded.
const HELD: usize = 8;

/// What was decided about one event.
pub struct Judgement {
    /// The strictest decision.
    pub strictest: DecisionRecord,
    /// Files that are read by the way and may not just be read.
    pub protected: Protected,
    /// A rule or an approval permits everything that the event is about.
    pub permitted: bool,
}

/// Decides every action, records each, and answers the strictest decision. Of the files that are read by the way, those
/// that may be read are not recorded, and of the others at most a few.
pub fn strictest(
    actions: Vec<ActionRequest>,
    read: &[String],
    context: &Context,
    pack: &PackArg,
    stage: &Stage,
) -> anyhow::Result<Judgement> {
    let local = Local::from_env()?;
    // The store is opened beside the decision: each takes about as long as the other.
    let location = local.settings.activity.clone();
    let store = std::thread::spawn(move || RecordStore::open(location, &ACTIVITY_KINDS));
    let (Location::Json(place) | Location::Sqlite(place)) = &local.settings.activity;
    let place = place.display().to_string();
    stage.enter("loading the policy");
    let pack = local.pack(pack)?;
    stage.enter("deciding");
    let mut decided = Vec::with_capacity(actions.len());
    for action in actions {
        let request = DecisionRequest { context: context.clone(), ..DecisionRequest::new(action) };
        decided.push(local.decide_governed(request, &pack)?);
    }
    let protected = local.protected(read, &pack)?;
    for (file, _) in protected.files.iter().take(HELD) {
        let request = DecisionRequest { context: context.clone(), ..DecisionRequest::new(reading(file)) };
        decided.push(local.decide_governed(request, &pack)?);
        if decided.last().is_some_and(|record| record.effective() == Outcome::Block) {
            break;
        }
    }
    stage.enter(format!("writing to the store of decisions, {place}"));
    let store = store.join().map_err(|_| anyhow::anyhow!("the store could not be opened"))??;
    let activity = Activity::new(store).with_redactor(local.settings.redactor);
    let recorded = local.wait(async {
        let mut recorded = Vec::with_capacity(decided.len());
        for record in decided {
            recorded.push(activity.record(record, &pack).await?);
        }
        activity.store().close().await;
        anyhow::Ok(recorded)
    })?;
    let permitted = recorded.iter().all(permits);
    recorded
        .into_iter()
        .max_by_key(|record| (record.effective().strictness(), record.severity))
        .map(|strictest| Judgement { strictest, protected, permitted })
        .ok_or_else(|| anyhow::anyhow!("the event holds no action"))
}

fn reading(file: &str) -> ActionRequest {
    ActionRequest { target: Some(file.to_owned()), ..ActionRequest::of(ActionType::ReadFile) }
}

/// Every name under which policy should see the file: relative to the project where it lies inside, and, if links
/// lead elsewhere, the file they lead to. A program may resolve `..` before it opens a file or leave that to the system,
/// and behind a link that makes two files of one path: both are named.
pub fn names_of_file(path: &str, project: &Path) -> Vec<String> {
    let given = project.join(path);
    let root = project.canonicalize().unwrap_or_else(|_| project.to_owned());
    let mut names: Vec<String> = Vec::new();
    for absolute in [cleaned(&given), given] {
        let real = real_path(&absolute).map(|real| relative(&real, &root));
        for name in std::iter::once(relative(&absolute, project)).chain(real) {
            if !names.iter().any(|known| clean_path(known) == clean_path(&name)) {
                names.push(name);
            }
        }
    }
    names
}

/// The path without `.` and `..`, as far as its text tells.
pub fn cleaned(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                cleaned.pop();
            }
            part => cleaned.push(part),
        }
    }
    cleaned
}

pub fn relative(path: &Path, project: &Path) -> String {
    let inside = path.strip_prefix(project).ok().filter(|inside| !inside.as_os_str().is_empty());
    inside.unwrap_or(path).to_string_lossy().into_owned()
}

/// The file behind links; for a file that does not exist yet, its real directory and its name.
fn real_path(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok().or_else(|| Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?)))
}
