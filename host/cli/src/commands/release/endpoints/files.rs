//! What commands about endpoints read and write.

use std::path::Path;
use std::process::ExitCode;

use cavra_core::CoreError;
use cavra_evidence::{code, pretty};
use cavra_fleet::Documented;
use cavra_model::{Digest, Object, members};
use serde_json::{Value, json};

use super::super::{metadata, refused, report, write_files};
use crate::args::{Json, MetadataArgs};

/// Members of a document that people are shown.
const SHOWN: [&str; 16] = [
    "inventory_id",
    "report_id",
    "reconciliation_id",
    "automation_id",
    "request_id",
    "execution_id",
    "handoff_id",
    "status_id",
    "provider",
    "channel",
    "observed_at",
    "drift_status",
    "alert_level",
    "strategy",
    "action_count",
    "status",
];

/// A document for people: the members that matter.
pub fn markdown(title: &str, document: &Value) -> String {
    let mut text = format!("# {title}\n\n");
    for name in SHOWN {
        let Some(value) = document.get(name).filter(|value| value.is_string() || value.is_number()) else { continue };
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        text.push_str(&format!("- {}: {}\n", name.replace('_', " "), code(&value)));
    }
    let summary = document.get("summary").and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, count) in summary {
        text.push_str(&format!("- {}: {}\n", name.replace('_', " "), code(&count.to_string())));
    }
    for (list, word) in
        [("drift_items", "Drift"), ("actions", "Actions"), ("action_results", "Actions"), ("alerts", "Alerts")]
    {
        let items = document.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let said = |item: &Value| {
            ["message", "rationale", "action_type"].iter().find_map(|name| item.get(name)?.as_str().map(code))
        };
        let lines: String = items.iter().filter_map(said).map(|line| format!("- {line}\n")).collect();
        if !lines.is_empty() {
            text.push_str(&format!("\n## {word}\n\n{lines}"));
        }
    }
    text
}

/// The files of a document: itself and its summary.
pub fn pair(name: &str, title: &str, document: &Value) -> Vec<(String, String)> {
    vec![(format!("{name}.json"), pretty(document)), (format!("{name}.md"), markdown(title, document))]
}

/// Adds the list of their digests, by name.
pub fn with_checksums(mut files: Vec<(String, String)>) -> Vec<(String, String)> {
    files.sort();
    let lines: String = files.iter().map(|(name, text)| format!("{}  {name}\n", Digest::of(text).hex())).collect();
    files.push(("checksums.txt".to_owned(), lines));
    files
}

/// What a command is called when it is done, where it writes and what it prints.
pub struct Output<'a> {
    /// What was done, for people.
    pub what: &'a str,
    /// The directory.
    pub directory: &'a Path,
    /// The stores that the record is put into.
    pub metadata: &'a MetadataArgs,
    /// Whether JSON is printed.
    pub json: Json,
}

impl Output<'_> {
    /// Writes files and record, prints the answer.
    pub fn finish(
        &self,
        files: &[(String, String)],
        record: &Object,
        warnings: &[String],
        content: Value,
    ) -> anyhow::Result<ExitCode> {
        let files = write_files(self.directory, files)?;
        let indexed = metadata::index(self.metadata, record)?;
        self.print(&files, &indexed, record, warnings, content)
    }

    /// Prints the answer.
    pub fn print(
        &self,
        files: &[String],
        indexed: &[String],
        record: &Object,
        warnings: &[String],
        content: Value,
    ) -> anyhow::Result<ExitCode> {
        let mut answer = members::built(json!({
            "valid": true,
            "errors": [],
            "warnings": warnings,
            "files": files,
            "metadata": record,
            "indexed_metadata_stores": indexed,
        }));
        answer.extend(members::built(content));
        report(self.json, &Value::Object(answer), self.what)
    }

    /// Prints why it was not done, if that is something about the documents.
    pub fn refuse(&self, error: CoreError) -> anyhow::Result<ExitCode> {
        match error {
            CoreError::Refused { errors, warnings } => report(self.json, &refused(&errors, &warnings), self.what),
            other => Err(other.into()),
        }
    }
}

/// The document that an object is, or holds as one of these members.
pub fn within(mut found: Object, members: &[&str]) -> Object {
    for member in members {
        if let Some(Value::Object(inner)) = found.get_mut(*member) {
            return std::mem::take(inner);
        }
    }
    found
}

/// What was made, in the answer's member `name`.
pub fn answer(made: &Documented, id: &str, name: &str) -> Value {
    let mut content = Object::from_iter([(id.to_owned(), json!(made.id))]);
    content.insert(name.to_owned(), made.document.clone());
    Value::Object(content)
}
