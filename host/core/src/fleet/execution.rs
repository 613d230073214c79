//! Executions of remediations, each once under its approval.

use cavra_fleet::{Documented, Execution, execute, execution_problems};
use cavra_model::{ENDPOINT_REMEDIATION_EXECUTIONS, Object, Timestamp, members};
use serde_json::{Value, json};

use super::{CONSOLE, answer, cleaned};
use crate::evidence::Written;
use crate::fields::{FIELD_LIMIT, label, text};
use crate::{App, Caller, CoreError};

impl App {
    /// Records that an approved remediation is executed, once. Nothing is sent anywhere.
    ///
    /// # Errors
    /// In this order: [`CoreError::NotFound`] for the request; [`CoreError::BadRequest`] for a record without a request or
    /// an approval; [`CoreError::NotFound`] for the approval; [`CoreError::Refused`] with everything that does not fit;
    /// [`CoreError::Store`].
    pub async fn execute_remediation(&self, id: &str, body: &Object, caller: &Caller) -> Result<Value, CoreError> {
        let (request, approval_id) = self.remediation_request(id, label(body, "approval_id")?).await?;
        let said = label(body, "executed_by")?.unwrap_or_else(|| CONSOLE.to_owned());
        let by = caller.doer(|| said);
        let (environment, notes) = (label(body, "execution_environment")?, text(body, "notes", FIELD_LIMIT)?);
        let approval = self.approvals.get(&approval_id).await?;
        let now = Timestamp::now();
        let execution = Execution {
            executed_by: &by.name,
            executor: Some(&by.person),
            environment: environment.as_deref(),
            notes: notes.as_deref(),
        };
        let made = execute(&request, &approval, &execution, now);
        let errors = execution_problems(&request, &approval, now);
        let written = if errors.is_empty() {
            let made = cleaned(self.settings.redactor, made)?;
            self.evidence.insert_once(made.record, None).await?
        } else {
            let earlier = self.executed_before(&made).await?;
            earlier.ok_or(CoreError::Refused { errors, warnings: Vec::new() })?
        };
        let record = written.record;
        tracing::info!(request = id, approval = approval_id, by = by.name, repeated = written.repeated, "executed");
        Ok(answer(
            &[],
            json!({
                "reconciliation_id": record.get("reconciliation_id"),
                "execution": record.get("execution"),
                "metadata": record,
            }),
        ))
    }

    /// The record of the same execution, if it was recorded before: whatever became of the approval since, it was one of
    /// this very request.
    async fn executed_before(&self, made: &Documented) -> Result<Option<Written>, CoreError> {
        if !self.evidence.is_ours(&made.id).await? {
            return Ok(None);
        }
        let record = self.evidence.get(&ENDPOINT_REMEDIATION_EXECUTIONS, &made.id).await?;
        let stored = members::object(&record, "execution").and_then(|execution| execution.get("request_sha256"));
        let same = stored.is_some() && stored == made.document.get("request_sha256");
        Ok(same.then_some(Written { record, repeated: true, replaced: false }))
    }
}
