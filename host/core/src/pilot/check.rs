//! Named checks, and the files that they look at.

use std::path::Path;

use cavra_model::members::{filled, list, object, text};
use cavra_model::{Object, Timestamp, read_json};
use serde_json::{Value, json};

/// Largest file that is looked at, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// Checks in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Checks(Vec<Value>);

impl Checks {
    /// Adds a check, and what it says if it holds and if it does not.
    pub(crate) fn add(&mut self, id: &str, holds: bool, said: (&str, &str)) {
        self.with(id, holds, said, &[]);
    }

    /// As [`Checks::add`], with further members.
    pub(crate) fn with(&mut self, id: &str, holds: bool, (pass, warn): (&str, &str), more: &[(&str, Value)]) {
        let (status, message) = if holds { ("pass", pass) } else { ("warn", warn) };
        let mut check = json!({ "id": id, "status": status, "message": message });
        if let Value::Object(check) = &mut check {
            check.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        }
        self.0.push(check);
    }

    /// Whether all hold.
    pub(crate) fn hold(&self) -> bool {
        self.0.iter().all(|check| check.get("status").and_then(Value::as_str) == Some("pass"))
    }

    /// What those that do not hold say.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let warns = |check: &&Value| check.get("status").and_then(Value::as_str) == Some("warn");
        let said = |check: &Value| Some(check.get("message")?.as_str()?.to_owned());
        self.0.iter().filter(warns).filter_map(said).collect()
    }

    /// The checks as documents show them.
    pub(crate) fn shown(self) -> Value {
        Value::Array(self.0)
    }
}

/// A file that holds a JSON object.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// The object; empty if there is none.
    pub(crate) object: Object,
    /// Why there is none.
    pub(crate) problem: Option<&'static str>,
}

impl Document {
    /// Reads a file as it is now.
    pub(crate) fn read(path: Option<&Path>) -> Self {
        let Some(path) = path else { return Self::missing("no file is named") };
        let Ok(bytes) = cavra_artifacts::read_file(path, MAX_BYTES) else {
            return Self::missing("the file is missing or cannot be read");
        };
        match read_json(&bytes) {
            Ok(Value::Object(object)) => Self { object, problem: None },
            _ => Self::missing("the file is no JSON object"),
        }
    }

    fn missing(problem: &'static str) -> Self {
        Self { object: Object::new(), problem: Some(problem) }
    }

    /// A text; empty if there is none.
    pub(crate) fn text(&self, member: &str) -> &str {
        text(&self.object, member)
    }

    /// Whether it says that it is of this schema.
    pub(crate) fn is(&self, schema: &str) -> bool {
        self.text("schema_version") == schema
    }

    /// Whether somebody has approved it: `approved`, or the state of its approval.
    pub(crate) fn is_approved(&self) -> bool {
        is_true(&self.object, "approved") || status_of(&self.object, "approval") == "approved"
    }
}

/// The `status` of a member that is an object.
pub(crate) fn status_of<'a>(of: &'a Object, member: &str) -> &'a str {
    object(of, member).map(|inner| text(inner, "status")).unwrap_or_default()
}

/// Whether a member is `true`.
pub(crate) fn is_true(of: &Object, member: &str) -> bool {
    of.get(member) == Some(&Value::Bool(true))
}

/// A number; truth values and texts are none.
pub(crate) fn number(of: &Object, member: &str) -> Option<f64> {
    of.get(member).and_then(Value::as_f64).filter(|number| number.is_finite())
}

/// A list of texts, none of them blank, with at least one.
pub(crate) fn texts(of: &Object, member: &str) -> Option<Vec<String>> {
    let items = list(of, member);
    let texts: Option<Vec<String>> =
        items.iter().map(|item| item.as_str().filter(|text| !text.trim().is_empty()).map(ToOwned::to_owned)).collect();
    texts.filter(|texts| !texts.is_empty())
}

/// A moment; without an offset it is of UTC.
pub(crate) fn moment(of: &Object, member: &str) -> Option<Timestamp> {
    let text = filled(of, member)?;
    text.parse().or_else(|()| format!("{text}Z").parse()).ok()
}

/// A number as documents show it: whole where it is.
pub(crate) fn shown_number(number: Option<f64>) -> Value {
    match number {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and far below the largest")]
        Some(whole) if whole.fract() == 0.0 && whole.abs() < 1e15 => json!(whole as i64),
        Some(number) => json!(number),
        None => Value::Null,
    }
}
