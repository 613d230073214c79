//! The report as Markdown.

use super::{Cell, EvidenceReport};
use crate::markdown::{code, plain, word};

pub fn render(document: &EvidenceReport) -> String {
    let mut out = format!("# {}\n", document.title);
    for section in &document.sections {
        out.push_str(&format!("\n## {}\n", section.heading));
        for line in &section.lines {
            out.push_str(&format!("\n{}\n", cell(line)));
        }
        if !section.rows.is_empty() {
            out.push('\n');
            out.push_str(&row(section.columns.iter().map(|column| (*column).to_owned())));
            out.push_str(&row(section.columns.iter().map(|_| "---".to_owned())));
            for cells in &section.rows {
                out.push_str(&row(cells.iter().map(cell)));
            }
        }
    }
    out
}

fn row(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Words(text) | Cell::Prose(text) => plain(text),
        Cell::Value(value) => code(value),
        Cell::Values(values) => values.iter().map(|value| code(value)).collect::<Vec<_>>().join(", "),
        Cell::Verdict(verdict) if verdict.contains(' ') => format!("**{}**", plain(verdict)),
        Cell::Verdict(verdict) => format!("**{}**", word(verdict)),
    }
}
