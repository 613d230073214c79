//! The rows of `effects.programs`: what a policy says about tools of its team. What rows are is `cavra_normalize`'s.

use cavra_normalize::{Programs, check_cases};
use serde_json::Value;

/// Where the rows stand.
const PLACE: &str = "effects.programs";

/// The rows of a document, as they are written.
pub(crate) fn rows(document: &Value) -> Option<&Value> {
    document.get("effects")?.get("programs")
}

/// The table of a document: what is built in, and its rows.
///
/// # Errors
/// What is wrong with the rows, as dotted paths and messages.
pub(crate) fn read(document: &Value) -> Result<Programs, Vec<(String, String)>> {
    let Some(rows) = rows(document) else { return Ok(Programs::default()) };
    Programs::with(rows).map_err(|faults| {
        let placed = |(row, problem): (Option<usize>, String)| (place(row), crate::error::shown(&problem));
        faults.into_iter().map(placed).collect()
    })
}

/// The rows that do not do what their own tests say, as dotted paths and messages.
pub(crate) fn failing_cases(document: &Value) -> Vec<(String, String)> {
    // What cannot be read is a fault of its own.
    let Ok(programs) = read(document) else { return Vec::new() };
    let rows = rows(document).and_then(Value::as_array).into_iter().flatten().enumerate();
    let of_row = |(position, row)| {
        let problems = check_cases(row, &programs).into_iter();
        problems.map(move |problem| (place(Some(position)), crate::error::shown(&problem)))
    };
    rows.flat_map(of_row).collect()
}

fn place(row: Option<usize>) -> String {
    row.map_or_else(|| PLACE.to_owned(), |row| format!("{PLACE}.{row}"))
}
