//! Decides the actions of one event and records them before anything is answered.

use cavra_core::{Activity, At, Attributes, DecisionRequest, Protected};
use cavra_model::{ActionType, Context, DecisionRecord, Outcome};
use cavra_normalize::ActionRequest;

use super::answer::Stage;
use super::noted::Noted;
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

/// What an event is about.
#[derive(Default)]
pub struct Subjects<'a> {
    /// Actions that the policy decides.
    pub actions: Vec<ActionRequest>,
    /// What no action stands for.
    pub noted: Vec<Noted>,
    /// Addresses that are fetched.
    pub fetched: Vec<String>,
    /// Files that are read by the way.
    pub read: &'a [String],
    /// Where the agent works.
    pub at: At,
}

/// Decides every action, records each, and answers the strictest decision. Of the files that are read by the way, those
/// that may be read are not recorded, and of the others at most a few.
pub fn strictest(
    subjects: Subjects<'_>,
    context: &Context,
    pack: &PackArg,
    stage: &Stage,
) -> anyhow::Result<Judgement> {
    let local = Local::from_env()?;
    // The store is opened beside the decision: each takes about as long as the other.
    let place = local.place();
    let store = std::thread::spawn(move || place.open());
    let place = local.settings.activity.to_string();
    stage.enter("loading the policy");
    let pack = local.pack(pack)?;
    local.load(&pack)?;
    stage.enter(format!("opening the store of decisions, {place}"));
    let store = store.join().map_err(|_| anyhow::anyhow!("the store could not be opened"))??;
    stage.enter("deciding");
    let mut decided = Vec::with_capacity(subjects.actions.len());
    let caller = (context.clone(), local.attributes(context, &pack, &store)?);
    for Noted { subject, finding } in subjects.noted {
        decided.push(local.decisions().found(subject, finding, &pack, caller.clone())?.into());
    }
    for address in subjects.fetched {
        decided.push(local.wait(local.decisions().fetch(&address, &pack, caller.clone()))?.into());
    }
    for action in subjects.actions {
        let at = subjects.at.clone();
        let request = DecisionRequest { context: context.clone(), at, ..DecisionRequest::new(action) };
        decided.push(local.decide_governed(request, &pack, &store)?);
    }
    let protected = local.protected(subjects.read, &subjects.at, &pack)?;
    for (file, _) in protected.files.iter().take(HELD) {
        let attributes = Attributes::default().with_place(&subjects.at);
        let request = DecisionRequest { context: context.clone(), attributes, ..DecisionRequest::new(reading(file)) };
        decided.push(local.decide_governed(request, &pack, &store)?);
        if decided.last().is_some_and(|governed| governed.record.effective() == Outcome::Block) {
            break;
        }
    }
    stage.enter(format!("writing to the store of decisions, {place}"));
    let activity = Activity::new(store).with_redactor(local.settings.redactor);
    let recorded = local.wait(async {
        // One unit of work: an approval is used up only if the event as a whole may happen.
        let recorded = activity.record_all(decided, &pack).await;
        activity.store().close().await;
        recorded
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
