//! What an approval is bound to: the exact action, although approvers see it without its secrets.

use cavra_model::{DECISIONS, Digest, Object, action_digest, shown_action};
use serde_json::Value;

use super::Approvals;
use crate::CoreError;

impl Approvals {
    /// A decision as it may be stored, and the digest of its action.
    ///
    /// What a decision shows decides what is bound. Where it shows that something was cut out, only the record of it that
    /// was made here knows the action; a digest that a caller brings along proves nothing, and the text with the gap in it
    /// would fit many actions.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] for a decision with a gap that was not recorded here, [`CoreError::Store`].
    pub(super) async fn bound(&self, mut decision: Object) -> Result<(Object, Option<Digest>), CoreError> {
        let shown = shown_action(&decision);
        let has_gap = shown.as_ref().is_some_and(|shown| texts(shown).any(cavra_redact::has_marker));
        let digest = if has_gap { Some(self.recorded(&decision).await?) } else { action_digest(&decision) };
        self.redactor.object(&mut decision);
        Ok((decision, digest))
    }

    /// The digest of the action of a decision that was recorded here and shows what `decision` shows.
    async fn recorded(&self, decision: &Object) -> Result<Digest, CoreError> {
        let unknown = || {
            CoreError::BadRequest(
                "a secret was removed from this decision, and it is not one that was recorded here, so no approval can be \
                 bound to its action"
                    .to_owned(),
            )
        };
        let id = decision.get(DECISIONS.id).and_then(Value::as_str).unwrap_or_default();
        let record = match &self.decisions {
            Some(decisions) => decisions.get(&DECISIONS, id).await?,
            None => None,
        };
        let Some(record) = record.filter(|record| shown_action(record) == shown_action(decision)) else {
            return Err(unknown());
        };
        let exact = match record.get("action_digest") {
            Some(digest) => serde_json::from_value(digest.clone()).ok(),
            // The marker was part of the action itself.
            None => action_digest(&record),
        };
        exact.ok_or_else(unknown)
    }
}

fn texts(shown: &Value) -> impl Iterator<Item = &str> {
    shown.as_object().into_iter().flat_map(|members| members.values()).filter_map(Value::as_str)
}
