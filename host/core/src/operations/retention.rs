//! How long the stores are to be kept: a plan, which changes nothing.

use cavra_model::Timestamp;
use cavra_model::members::text;
use serde_json::{Value, json};

use super::PRODUCT;
use super::stores::store_items;
use crate::fields::truth;
use crate::{CoreError, PageRequest, Settings};

/// Most days; the plan's end stays within the years that a time stamp can say.
const MAX_DAYS: i64 = 36_500;

/// From so many days on, what is kept is protected against deletion.
const PROTECTED_DAYS: i64 = 365;

const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// What a plan is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRequest {
    /// Days.
    pub retention_days: i64,
    /// Class of the records.
    pub classification: String,
    /// Whether they are kept until a hold is lifted.
    pub legal_hold: bool,
}

impl RetentionRequest {
    /// What query parameters ask for.
    ///
    /// # Errors
    /// [`CoreError::Query`] for one that is not what it must be.
    pub fn of(page: &PageRequest) -> Result<Self, CoreError> {
        let default = Self::default();
        let days = page.parameter("retention_days").map(|days| {
            let expected = "a whole number";
            PageRequest::whole_number(days).ok_or(CoreError::Query { parameter: "retention_days", expected })
        });
        let hold = page
            .parameter("legal_hold")
            .map(|hold| truth(hold).ok_or(CoreError::Query { parameter: "legal_hold", expected: "true or false" }));
        Ok(Self {
            retention_days: days.transpose()?.unwrap_or(default.retention_days),
            classification: page.parameter("classification").map_or(default.classification, ToOwned::to_owned),
            legal_hold: hold.transpose()?.unwrap_or(default.legal_hold),
        })
    }
}

impl Default for RetentionRequest {
    /// Seven years.
    fn default() -> Self {
        Self { retention_days: 2555, classification: "regulated-sdlc".to_owned(), legal_hold: false }
    }
}

/// `cavra.persistent_api.retention.v1`.
///
/// # Errors
/// [`CoreError::BadRequest`] for a number of days that is none.
pub fn retention_plan(settings: &Settings, request: &RetentionRequest) -> Result<Value, CoreError> {
    let RetentionRequest { retention_days, classification, legal_hold } = request;
    if !(1..=MAX_DAYS).contains(retention_days) {
        return Err(CoreError::BadRequest(format!("retention_days must be between 1 and {MAX_DAYS}")));
    }
    crate::check_id("classification", classification)?;
    let created = Timestamp::now();
    let until =
        Timestamp::from_micros(created.as_micros().saturating_add(retention_days.saturating_mul(MICROS_PER_DAY)));
    let stores: Vec<Value> = store_items(settings)
        .into_iter()
        .map(|item| {
            let mut store = json!(item);
            if let Value::Object(store) = &mut store {
                store.insert("minimum_retention_days".to_owned(), json!(retention_days));
                store.insert("backup_required".to_owned(), json!(true));
                store.insert("restore_test_required".to_owned(), json!(true));
            }
            store
        })
        .collect();
    Ok(json!({
        "schema_version": "cavra.persistent_api.retention.v1",
        "product": PRODUCT,
        "created_at": created,
        "classification": classification,
        "retention_days": retention_days,
        "retain_until": until,
        "legal_hold": legal_hold,
        "delete_protection": *legal_hold || *retention_days >= PROTECTED_DAYS,
        "backup_frequency": "daily, and before every upgrade",
        "restore_test_frequency": "quarterly, and after every change of the stores' places",
        "stores": stores,
    }))
}

/// The plan for people.
#[must_use]
pub fn retention_markdown(plan: &Value) -> String {
    let mut out = String::from("# CAVRA retention plan\n\n| | |\n| --- | --- |\n");
    for (label, member) in [
        ("Created", "created_at"),
        ("Classification", "classification"),
        ("Retention days", "retention_days"),
        ("Retain until", "retain_until"),
        ("Legal hold", "legal_hold"),
        ("Delete protection", "delete_protection"),
        ("Backup", "backup_frequency"),
        ("Restore test", "restore_test_frequency"),
    ] {
        out.push_str(&format!("| {label} | {} |\n", cell(plan.get(member).unwrap_or(&Value::Null))));
    }
    out.push_str("\n| Store | Kind | Path | Exists | Bytes |\n| --- | --- | --- | --- | --- |\n");
    for store in plan.get("stores").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object) {
        let member = |name: &str| cell(store.get(name).unwrap_or(&Value::Null));
        let (exists, size) = (member("exists"), member("size_bytes"));
        out.push_str(&format!(
            "| {} | {} | {} | {exists} | {size} |\n",
            text(store, "name"),
            text(store, "kind"),
            member("path")
        ));
    }
    out
}

/// A value inside a table: no text can end its cell.
fn cell(value: &Value) -> String {
    let shown = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let escaped = shown.replace('\\', "\\\\").replace('|', "\\|");
    escaped.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_bounds_and_protect() {
        let settings = Settings::read(|_| None).unwrap();
        let plan = |days, legal_hold| {
            let request = RetentionRequest { retention_days: days, legal_hold, ..RetentionRequest::default() };
            retention_plan(&settings, &request)
        };
        for days in [i64::MIN, -1, 0, 36_501, i64::MAX] {
            assert!(matches!(plan(days, false), Err(CoreError::BadRequest(_))), "{days}");
        }
        for (days, hold, protected) in [(1, false, false), (364, false, false), (365, false, true), (1, true, true)] {
            assert_eq!(plan(days, hold).unwrap()["delete_protection"], protected, "{days} {hold}");
        }
    }

    #[test]
    fn a_text_does_not_end_its_cell() {
        assert_eq!(cell(&json!("a|b\n\\c")), "a\\|b \\\\c");
    }
}
