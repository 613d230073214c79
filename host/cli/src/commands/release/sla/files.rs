//! Files of reports, audits and deliveries.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use cavra_evidence::{pretty, write_file};
use cavra_model::members::{object, objects, text};
use cavra_model::{Digest, Object};
use serde_json::Value;

/// Longest beginning of a file's name, in characters.
const NAME_LENGTH: usize = 120;

/// Writes a report for programs and for people, with the digests of both; answers the names of the files.
pub fn write_report(output: &Path, report: &Object) -> anyhow::Result<Vec<String>> {
    let mut page = format!("# Endpoint remediation: {}\n\n", text(report, "alert_level"));
    let _ = writeln!(page, "Report {} of {}.\n", text(report, "report_id"), text(report, "generated_at"));
    page.push_str(&table(report, "executive_summary"));
    page.push_str("\n| Severity | Hand-off | Connector | Status | Hours | What to do |\n| - | - | - | - | - | - |\n");
    for item in objects(report, "escalations") {
        let cell = |name: &str| cell(item.get(name));
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} |",
            cell("severity"),
            cell("handoff_id"),
            cell("provider"),
            cell("status"),
            cell("age_hours"),
            cell("recommended_action")
        );
    }
    write_all(output, "endpoint-remediation-sla-report", report, &page)
}

/// Writes an audit in the same way.
pub fn write_audit(output: &Path, audit: &Object) -> anyhow::Result<Vec<String>> {
    let mut page = format!("# Suppression of escalations: {}\n\n", text(audit, "alert_level"));
    let _ = writeln!(page, "Audit {} of plan {}.\n", text(audit, "audit_id"), text(audit, "recurrence_plan_id"));
    page.push_str(&table(audit, "summary"));
    page.push_str("\n| Action | Owner | Connector | Why |\n| - | - | - | - |\n");
    for name in ["suppressed_routes", "waiting_routes", "deliverable_routes"] {
        for route in objects(audit, name) {
            let cell = |name: &str| cell(route.get(name));
            let _ = writeln!(
                page,
                "| {} | {} | {} | {} |",
                cell("action"),
                cell("owner"),
                cell("provider"),
                cell("reason")
            );
        }
    }
    write_all(output, "endpoint-remediation-sla-escalation-suppression-audit", audit, &page)
}

/// Writes what came of a delivery, if there was one.
pub fn write_delivery(output: &Path, delivery: Option<&Object>) -> anyhow::Result<()> {
    let Some(delivery) = delivery else { return Ok(()) };
    std::fs::create_dir_all(output).with_context(|| output.display().to_string())?;
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let name: String = text(delivery, "event_id").chars().take(NAME_LENGTH).map(plain).collect();
    let file = output.join(format!("{}-connector-delivery.json", name.trim_start_matches('.')));
    Ok(write_file(&file, pretty(&Value::Object(delivery.clone())).as_bytes())?)
}

fn write_all(output: &Path, name: &str, document: &Object, page: &str) -> anyhow::Result<Vec<String>> {
    std::fs::create_dir_all(output).with_context(|| output.display().to_string())?;
    let (json, markdown) = (format!("{name}.json"), format!("{name}.md"));
    let text = pretty(&Value::Object(document.clone()));
    let line = |file: &str, content: &str| format!("{}  {file}\n", Digest::of(content).hex());
    let checksums = line(&json, &text) + &line(&markdown, page);
    for (file, content) in [(&json, text.as_str()), (&markdown, page), (&"checksums.txt".to_owned(), &checksums)] {
        write_file(&output.join(file), content.as_bytes())?;
    }
    Ok(vec![json, markdown, "checksums.txt".to_owned()])
}

/// The numbers of a document as a table.
fn table(document: &Object, member: &str) -> String {
    let rows = object(document, member).into_iter().flatten();
    let row = |(name, value): (&String, &Value)| format!("| {} | {} |\n", name.replace('_', " "), cell(Some(value)));
    format!("| | |\n| - | - |\n{}", rows.map(row).collect::<String>())
}

/// A value in a cell of a table: nothing in it ends the cell or begins a link.
fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(_)) => {
            let members = value.and_then(Value::as_array).into_iter().flatten();
            members.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        Some(other) => other.to_string(),
    };
    text.replace(['\n', '\r'], " ").replace('|', "\\|").replace('[', "\\[").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_stay_cells() {
        for (value, shown) in [
            (json!("a|b\nc"), "a\\|b c"),
            (json!("[x](y) <z>"), "\\[x](y) &lt;z>"),
            (json!(["a", "b"]), "a, b"),
            (json!(4), "4"),
            (json!(null), ""),
        ] {
            assert_eq!(cell(Some(&value)), shown);
        }
    }
}
