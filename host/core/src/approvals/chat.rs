//! Decisions from a chat: who pressed is a person by the members file, and what they may decide is asked like anywhere else.

use cavra_connect::{Arrived, CallbackError, Choice, Press, Reply};
use cavra_model::members::{built, text};
use cavra_model::{ChatService, Object, Ruling};
use serde_json::{Value, json};

use crate::{App, Caller, CoreError};

impl From<CallbackError> for CoreError {
    fn from(error: CallbackError) -> Self {
        match error {
            CallbackError::Setting(error) => {
                tracing::error!(%error, "a callback cannot be checked");
                Self::Unavailable("callbacks cannot be checked; the log says why")
            }
            CallbackError::Busy => Self::Unavailable("too many callbacks at once"),
            CallbackError::Unreadable(_) => Self::BadRequest(error.to_string()),
            error => Self::Unauthenticated(error.to_string()),
        }
    }
}

/// What came of a press.
enum Outcome {
    /// The approval as it is now.
    Ruled(Object),
    /// A sentence for the one who pressed; nothing was changed.
    Refused(String),
}

impl App {
    /// What somebody did in a chat, once its service's signature counts.
    ///
    /// # Errors
    /// [`CoreError::Unauthenticated`], [`CoreError::BadRequest`], [`CoreError::Unavailable`].
    pub fn callback(&self, service: ChatService, arrived: &Arrived<'_>) -> Result<Press, CoreError> {
        let unconfigured = || CallbackError::NotConfigured(service.as_str());
        let connectors = self.outgoing.approvals.as_ref().ok_or_else(unconfigured)?;
        Ok(connectors.callback(service, arrived)?)
    }

    /// Decides the approval that a press names, as the person behind the member of the chat and by every rule that holds over
    /// HTTP; answers what the service shows to the one who pressed. A refusal is such an answer too.
    ///
    /// # Errors
    /// What is nobody's doing, such as [`CoreError::Store`].
    pub async fn decide_from_chat(&self, press: Press) -> Result<Object, CoreError> {
        let Some(choice) = &press.choice else {
            let help = "Nothing to decide: write approve or deny, the approval's id and its code, as the message says.";
            let sentence = if press.service == ChatService::Teams { help } else { "" };
            return Ok(built(press.said(sentence)));
        };
        let (service, team, user) = (press.service.as_str(), press.team.as_str(), press.user.as_str());
        let outcome = self.rule_from_chat(&press, choice).await?;
        let (sentence, reply) = match outcome {
            Outcome::Ruled(record) => {
                tracing::info!(
                    service,
                    team,
                    user,
                    approval = choice.approval_id,
                    "an approval is decided from a chat"
                );
                (ruled(&record, choice.ruling), Reply::Approval(record))
            }
            Outcome::Refused(why) => {
                tracing::warn!(service, team, user, approval = choice.approval_id, why, "a press in a chat is refused");
                let sentence = format!("Nothing was decided: {why}.");
                (sentence.clone(), Reply::Sentence(sentence))
            }
        };
        let said = built(press.said(&sentence));
        if let Some(connectors) = self.outgoing.approvals.clone() {
            // The service waits three seconds; the reply has longer.
            tokio::spawn(async move { connectors.reply(&press, reply).await });
        }
        Ok(said)
    }

    async fn rule_from_chat(&self, press: &Press, choice: &Choice) -> Result<Outcome, CoreError> {
        let (service, team, user) = (press.service, press.team.as_str(), press.user.as_str());
        let Some(identity) = self.gatekeeper.chat_member(service, team, user) else {
            let why = format!("member {user} of team {team} is nobody in this server's members file");
            return Ok(Outcome::Refused(why));
        };
        let caller = Caller { identity: Some(identity), machine: None };
        let verb = if choice.ruling == Ruling::Approve { "approved" } else { "denied" };
        let place = format!("{verb} in {}: team {team}, user {user}", service.as_str());
        let reason = choice.reason.as_ref().map_or_else(|| place.clone(), |reason| format!("{reason} ({place})"));
        let body = built(json!({ "reason": reason, "shown_digest": choice.shown }));
        match self.approvals.rule(&choice.approval_id, choice.ruling, &body, &caller).await {
            Ok(record) => Ok(Outcome::Ruled(record)),
            Err(
                refusal @ (CoreError::NotFound(_)
                | CoreError::Conflict(_)
                | CoreError::Forbidden(_)
                | CoreError::BadRequest(_)),
            ) => Ok(Outcome::Refused(refusal.to_string())),
            Err(error) => Err(error),
        }
    }
}

/// What became of an approval, for the one who decided.
fn ruled(record: &Object, ruling: Ruling) -> String {
    let (id, state) = (text(record, "approval_id"), text(record, "state"));
    match (state, ruling) {
        ("pending", Ruling::Approve) => {
            let given = record.get("approvals").and_then(Value::as_array).map_or(0, Vec::len);
            let needed = record.get("required_approvals").and_then(Value::as_u64).unwrap_or(1);
            format!("Your approval of {id} counts: {given} of {needed}.")
        }
        _ => format!("{id} is {state}."),
    }
}
