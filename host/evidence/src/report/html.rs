//! The report as one HTML page.

use super::{Cell, EvidenceReport};
use crate::markdown::visible;

/// Light and dark as the reader's system has it; tables scroll instead of breaking the page; prints well.
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}\
.scroll{overflow-x:auto}\
table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid #8886}\
code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}\
.verdict{font-weight:700}.stop{color:#b3261e}.wait{color:#8a5a00}.go{color:#1b6e3a}\
@media(prefers-color-scheme:dark){.stop{color:#ff8a80}.wait{color:#ffcc66}.go{color:#7fd69b}}\
@media print{body{max-width:none}}";

pub fn render(document: &EvidenceReport) -> String {
    let title = escape(&document.title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    for section in &document.sections {
        out.push_str(&format!("<h2>{}</h2>\n", escape(section.heading)));
        for line in &section.lines {
            out.push_str(&format!("<p>{}</p>\n", cell(line)));
        }
        if !section.rows.is_empty() {
            out.push_str("<div class=\"scroll\"><table>\n");
            if section.columns.iter().any(|column| !column.is_empty()) {
                let heads: String =
                    section.columns.iter().map(|column| format!("<th scope=\"col\">{}</th>", escape(column))).collect();
                out.push_str(&format!("<thead><tr>{heads}</tr></thead>\n"));
            }
            out.push_str("<tbody>\n");
            for cells in &section.rows {
                let cells: String = cells.iter().map(|found| format!("<td>{}</td>", cell(found))).collect();
                out.push_str(&format!("<tr>{cells}</tr>\n"));
            }
            out.push_str("</tbody>\n</table></div>\n");
        }
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn cell(cell: &Cell) -> String {
    let code = |value: &str| match value {
        "" => "(none)".to_owned(),
        value => format!("<code>{}</code>", escape(value)),
    };
    match cell {
        Cell::Words(text) | Cell::Prose(text) => escape(text),
        Cell::Value(value) => code(value),
        Cell::Values(values) => values.iter().map(|value| code(value)).collect::<Vec<_>>().join(", "),
        Cell::Verdict(verdict) => {
            let class = match verdict.as_str() {
                "allow" | "allow_with_attestation" | "approved" | "intact" => "go",
                "require_approval" | "warn" | "audit_only" | "requested" | "pending" | "break_glass" => "wait",
                _ => "stop",
            };
            format!("<span class=\"verdict {class}\">{}</span>", escape(verdict))
        }
    }
}

/// Text that is only text, with what would not be seen spelled out.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_text() {
        assert_eq!(
            cell(&Cell::Value("<script>'\"&\n\u{202e}".to_owned())),
            "<code>&lt;script&gt;&#39;&quot;&amp;\\n\\u{202e}</code>"
        );
        assert_eq!(cell(&Cell::Verdict("<b>".to_owned())), "<span class=\"verdict stop\">&lt;b&gt;</span>");
    }
}
