//! A bundle as one document for people: what happened, who approved it, which controls it is evidence for, and whether
//! the bundle is intact. One document, two spellings.

mod html;
mod markdown;

use std::path::Path;

use cavra_model::Object;
use cavra_model::members::text;
use serde_json::Value;

use crate::bundle::{EVIDENCE, MANIFEST};
use crate::checks::Report;
use crate::compliance::control_evidence;
use crate::folder::{BundleFileError, BundleFolder};
use crate::retention::RETENTION;
use crate::tally::{Tally, decisions};
use crate::verify::Expectations;

/// The report as headings, lines and tables.
pub struct EvidenceReport {
    title: String,
    sections: Vec<Section>,
}

struct Section {
    heading: &'static str,
    /// Lines before the table.
    lines: Vec<Cell>,
    columns: &'static [&'static str],
    rows: Vec<Vec<Cell>>,
}

/// A piece of text.
enum Cell {
    /// Our own words.
    Words(String),
    /// What somebody else chose: a name, a path, a command.
    Value(String),
    /// What somebody else wrote: a sentence.
    Prose(String),
    /// Several values.
    Values(Vec<String>),
    /// A verdict, which is shown so that it stands out.
    Verdict(String),
}

impl EvidenceReport {
    /// The report about the bundle in a directory, with the outcome of its verification without keys.
    ///
    /// # Errors
    /// [`BundleFileError`] if its evidence cannot be read.
    pub fn of_bundle(directory: &Path) -> Result<Self, BundleFileError> {
        let folder = BundleFolder::open(directory)?;
        let evidence = folder.json(EVIDENCE)?;
        let evidence = evidence.as_object().cloned().unwrap_or_default();
        let manifest = folder.json(MANIFEST).ok().and_then(|value| value.as_object().cloned()).unwrap_or_default();
        let decisions: Vec<Object> = decisions(evidence.get("decisions")).cloned().collect();
        let verified = folder.verify(&Expectations::keyless());
        let mut sections = vec![overview(&evidence, &manifest, &decisions), integrity(&verified), table(&decisions)];
        sections.extend(approvals(&decisions));
        sections.push(controls(&decisions));
        sections.extend(folder.json(RETENTION).ok().map(|document| retention(&document)));
        Ok(Self { title: "CAVRA Evidence Report".to_owned(), sections })
    }

    /// As Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        markdown::render(self)
    }

    /// As one HTML page without scripts and without anything from elsewhere.
    #[must_use]
    pub fn to_html(&self) -> String {
        html::render(self)
    }
}

fn value(text: &str) -> Cell {
    Cell::Value(text.to_owned())
}

fn words(text: impl Into<String>) -> Cell {
    Cell::Words(text.into())
}

fn overview(evidence: &Object, manifest: &Object, decisions: &[Object]) -> Section {
    let tally = Tally::of(decisions);
    let row = |label: &str, cell| vec![words(label), cell];
    let signature = manifest.get("signature").and_then(Value::as_object).cloned().unwrap_or_default();
    Section {
        heading: "Overview",
        lines: vec![],
        columns: &["", ""],
        rows: vec![
            row("Session", value(text(evidence, "session_id"))),
            row("Created", value(text(evidence, "created_at"))),
            row("Signer", value(text(manifest, "signer"))),
            row("Signature", value(text(&signature, "algorithm"))),
            row("Key", value(text(&signature, "key_id"))),
            row("Decisions", words(decisions.len().to_string())),
            row("Allowed", words(tally.allowed.to_string())),
            row("Blocked", words(tally.blocked.to_string())),
            row("Approval required", words(tally.approval_required.to_string())),
        ],
    }
}

fn integrity(verified: &Report) -> Section {
    let verdict = if verified.is_valid() { "intact" } else { "not intact" };
    let mut lines = vec![Cell::Verdict(verdict.to_owned())];
    lines.extend(verified.errors().iter().chain(verified.warnings()).map(|found| Cell::Prose(found.clone())));
    let rows = verified.checks().iter().map(|(name, status)| vec![words(*name), words(status.as_str())]).collect();
    Section { heading: "Integrity", lines, columns: &["Check", "Result"], rows }
}

fn table(decisions: &[Object]) -> Section {
    let row = |decision: &Object| {
        let of = |member| value(text(decision, member));
        vec![
            of("timestamp"),
            of("action_type"),
            of("target"),
            Cell::Verdict(text(decision, "decision").to_owned()),
            of("severity"),
            of("rule_id"),
            Cell::Prose(text(decision, "reason").to_owned()),
        ]
    };
    Section {
        heading: "Decisions",
        lines: if decisions.is_empty() { vec![words("No decisions were recorded.")] } else { vec![] },
        columns: &["Time", "Action", "Target", "Decision", "Severity", "Rule", "Reason"],
        rows: decisions.iter().map(row).collect(),
    }
}

fn approvals(decisions: &[Object]) -> Option<Section> {
    let row = |decision: &Object| {
        let approval = decision.get("approval").and_then(Value::as_object)?;
        let of = |member| value(text(approval, member));
        let decided = if text(approval, "decided_by").is_empty() { "approver_group" } else { "decided_by" };
        let state = Cell::Verdict(text(approval, "state").to_owned());
        Some(vec![of("approval_id"), value(text(decision, "target")), state, of(decided)])
    };
    let rows: Vec<_> = decisions.iter().filter_map(row).collect();
    let columns: &[&str] = &["Approval", "Target", "State", "By"];
    (!rows.is_empty()).then_some(Section { heading: "Approval Outcomes", lines: vec![], columns, rows })
}

fn controls(decisions: &[Object]) -> Section {
    let rows = control_evidence(decisions)
        .into_iter()
        .map(|control| vec![words(control.objective), words(control.counts), Cell::Values(control.rules)])
        .collect();
    Section { heading: "Controls", lines: vec![], columns: &["Control objective", "Evidence", "Rules"], rows }
}

fn retention(document: &Value) -> Section {
    let rows = [("Classification", "classification"), ("Retain until", "retain_until"), ("Legal hold", "legal_hold")]
        .into_iter()
        .map(|(label, member)| {
            let found = document.get(member).unwrap_or(&Value::Null);
            vec![words(label), value(&found.as_str().map_or_else(|| found.to_string(), str::to_owned))]
        })
        .collect();
    Section { heading: "Retention", lines: vec![], columns: &["", ""], rows }
}
