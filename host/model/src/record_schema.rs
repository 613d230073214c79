//! Records that clients write whole: what their members are, declared as data. From a declaration and a body comes the
//! normalised record, or the first thing that is wrong with it. docs/reference/approvals-identity-authoring.md, section 9.1.

use serde_json::{Value, json};
use thiserror::Error;

use crate::{Object, Timestamp};

/// Longest id, in characters.
const ID_LIMIT: usize = 256;
/// Longest other text, in bytes.
const TEXT_LIMIT: usize = 8 * 1024;
/// Longest list.
const LIST_LIMIT: usize = 1000;

/// A kind of record and its members.
#[derive(Debug)]
pub struct RecordSchema {
    /// Value of `schema_version`.
    pub version: &'static str,
    /// Its name in messages.
    pub name: &'static str,
    /// The members, in the order they are read; a default may refer to members before it.
    pub members: &'static [Member],
}

/// One member.
#[derive(Debug)]
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// Other names under which a client may send it; the first that is given counts.
    pub aliases: &'static [&'static str],
    /// Its type.
    pub shape: Shape,
    /// What applies if it is not given.
    pub default: Fallback,
}

/// Type of a member.
#[derive(Debug)]
pub enum Shape {
    /// A key or name: at most 256 characters, no control characters.
    Id,
    /// A text.
    Text,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A list of texts; a single text is a list of one.
    Texts,
    /// A list of texts; a single text is a list of one, nulls are left out, numbers and truth values are written out.
    Labels,
    /// A whole number between these; a text of digits counts as one.
    Integer(i64, i64),
    /// A time stamp.
    Time,
}

/// What applies to a member that is not given.
#[derive(Debug)]
pub enum Fallback {
    /// It has to be given.
    Required,
    /// It is left out.
    Absent,
    /// It is null.
    Null,
    /// This text.
    Text(&'static str),
    /// This number.
    Integer(i64),
    /// These texts.
    Texts(&'static [&'static str]),
    /// The values of other members, joined by a separator.
    Joined(&'static [&'static str], &'static str),
    /// The values of other members as one word, see [`crate::slug`].
    Slug(&'static [&'static str]),
    /// What stands beside the value of another member, else a text.
    ByMember(&'static str, &'static [(&'static str, &'static str)], &'static str),
    /// The time of the request.
    Now,
}

/// The body is no record of that kind.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct SchemaViolation(pub String);

/// A member whose default is the given one.
#[must_use]
pub const fn member(name: &'static str, shape: Shape, default: Fallback) -> Member {
    Member { name, aliases: &[], shape, default }
}

impl RecordSchema {
    /// The record that `body` describes. It replaces `stored`, of which only `created_at` is kept; members the schema
    /// does not have are dropped, and null is "not given".
    ///
    /// # Errors
    /// [`SchemaViolation`] naming the first wrong member.
    pub fn normalize(&self, body: &Object, stored: Option<&Object>, now: Timestamp) -> Result<Object, SchemaViolation> {
        let mut record = Object::new();
        record.insert("schema_version".to_owned(), json!(self.version));
        record.insert("product".to_owned(), json!("CAVRA"));
        for member in self.members {
            if let Some(value) = member.read(self.name, body, &record, now)? {
                record.insert(member.name.to_owned(), value);
            }
        }
        let created = stored.and_then(|stored| stored.get("created_at")).filter(|value| value.is_string()).cloned();
        record.insert("created_at".to_owned(), created.unwrap_or_else(|| json!(now)));
        record.insert("updated_at".to_owned(), json!(now));
        Ok(record)
    }
}

impl Member {
    fn read(
        &self,
        kind: &str,
        body: &Object,
        before: &Object,
        now: Timestamp,
    ) -> Result<Option<Value>, SchemaViolation> {
        let names = std::iter::once(&self.name).chain(self.aliases);
        let given = names.filter_map(|name| body.get(*name)).find(|value| is_given(value));
        match given {
            Some(value) => {
                self.shape.coerce(value).map(Some).map_err(|wrong| SchemaViolation(format!("{} {wrong}", self.name)))
            }
            None => self
                .default
                .value(before, now)
                .map_err(|()| SchemaViolation(format!("this {kind} needs {}", self.name))),
        }
    }
}

/// The texts of members, joined by a separator.
fn joined(before: &Object, members: &[&str], separator: &str) -> String {
    let texts = members.iter().filter_map(|name| before.get(*name).and_then(Value::as_str));
    texts.collect::<Vec<_>>().join(separator)
}

/// Null and blank texts are "not given".
fn is_given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        _ => true,
    }
}

impl Fallback {
    fn value(&self, before: &Object, now: Timestamp) -> Result<Option<Value>, ()> {
        Ok(Some(match self {
            Self::Required => return Err(()),
            Self::Absent => return Ok(None),
            Self::Null => Value::Null,
            Self::Text(text) => json!(text),
            Self::Integer(number) => json!(number),
            Self::Texts(texts) => json!(texts),
            Self::Joined(members, separator) => json!(joined(before, members, separator)),
            Self::Slug(members) => match crate::slug(&joined(before, members, "-")) {
                word if word.is_empty() => return Err(()),
                word => json!(word),
            },
            Self::ByMember(member, values, otherwise) => {
                let given = before.get(*member).and_then(Value::as_str);
                json!(values.iter().find(|(value, _)| given == Some(value)).map_or(otherwise, |(_, beside)| beside))
            }
            Self::Now => json!(now),
        }))
    }
}

impl Shape {
    /// The value in its own type, or what it must be.
    fn coerce(&self, value: &Value) -> Result<Value, String> {
        match (self, value) {
            (Self::Id, Value::String(text)) => {
                let text = text.trim();
                if text.chars().count() > ID_LIMIT {
                    Err(format!("must not be longer than {ID_LIMIT} characters"))
                } else if text.chars().any(char::is_control) {
                    Err("must not hold control characters".to_owned())
                } else {
                    Ok(json!(text))
                }
            }
            (Self::Text, Value::String(text)) if text.len() <= TEXT_LIMIT => Ok(json!(text.trim())),
            (Self::Text, Value::String(_)) => Err(format!("must not be longer than {TEXT_LIMIT} bytes")),
            (Self::Choice(known), Value::String(text)) if known.contains(&text.as_str()) => Ok(value.clone()),
            (Self::Choice(known), _) => Err(format!("must be one of {}", known.join(", "))),
            (Self::Texts, Value::String(text)) if text.len() <= TEXT_LIMIT => Ok(json!([text])),
            (Self::Texts, Value::Array(items)) if items.len() <= LIST_LIMIT && items.iter().all(is_short_text) => {
                Ok(value.clone())
            }
            (Self::Labels, Value::String(text)) if text.len() <= TEXT_LIMIT => Ok(json!([text])),
            (Self::Labels, Value::Array(items)) if items.len() <= LIST_LIMIT => {
                let labels = items.iter().filter(|item| !item.is_null()).map(label);
                labels.collect::<Option<Vec<_>>>().map(Value::from).ok_or_else(|| "must be a list of texts".to_owned())
            }
            (Self::Integer(low, high), _) => {
                let number = match value {
                    Value::Number(number) => number.as_i64(),
                    Value::String(digits) => digits.trim().parse().ok(),
                    _ => None,
                };
                let within = number.filter(|number| (low..=high).contains(&number));
                within.map(Value::from).ok_or_else(|| format!("must be a whole number from {low} to {high}"))
            }
            (Self::Time, Value::String(text)) => {
                text.parse::<Timestamp>().map(|time| json!(time)).map_err(|()| "must be an RFC 3339 time".to_owned())
            }
            (Self::Id | Self::Text, _) => Err("must be a text".to_owned()),
            (Self::Time, _) => Err("must be an RFC 3339 time".to_owned()),
            (Self::Texts | Self::Labels, _) => Err("must be a list of texts".to_owned()),
        }
    }
}

/// The text of an item that is one or can be written as one.
fn label(item: &Value) -> Option<String> {
    match item {
        Value::String(text) if text.len() <= TEXT_LIMIT => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(item.to_string()),
        _ => None,
    }
}

fn is_short_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() <= TEXT_LIMIT)
}
