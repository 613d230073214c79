//! Policies as callers write them: every member is read here, with its aliases and its limits, or refused.

use std::collections::BTreeSet;

use cavra_model::{Object, Timestamp};
use serde_json::Value;
use thiserror::Error;

/// A policy cannot be used; nothing may be sent or stored by it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct PolicyError(pub String);

/// An object of a policy, and where in the policy it stands.
#[derive(Clone, Copy)]
pub struct Section<'a> {
    /// Nothing, where the policy was not given.
    members: Option<&'a Object>,
    place: &'a str,
}

impl<'a> Section<'a> {
    /// The policy in a member of a request; absent and null are an empty one.
    pub fn of(value: Option<&'a Value>, place: &'a str) -> Result<Self, PolicyError> {
        match value {
            None | Some(Value::Null) => Ok(Self { members: None, place }),
            Some(Value::Object(members)) => Ok(Self { members: Some(members), place }),
            Some(_) => Err(PolicyError(format!("{place} must be an object"))),
        }
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.members.is_none_or(Object::is_empty)
    }

    /// The first of several spellings that is given.
    pub fn value(&self, names: &[&str]) -> Option<&'a Value> {
        let members = self.members?;
        names.iter().filter_map(|name| members.get(*name)).find(|value| !value.is_null())
    }

    /// A complaint about a member.
    pub fn wrong(&self, names: &[&str], must: &str) -> PolicyError {
        PolicyError(format!("{}.{} must be {must}", self.place, names.first().copied().unwrap_or_default()))
    }

    /// A text that is not blank.
    pub fn text(&self, names: &[&str]) -> Result<Option<String>, PolicyError> {
        match self.value(names) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Some(_) => Err(self.wrong(names, "a text")),
        }
    }

    /// A list of texts; one text is a list of one.
    pub fn texts(&self, names: &[&str]) -> Result<Vec<String>, PolicyError> {
        let wrong = || self.wrong(names, "a text or a list of texts");
        match self.value(names) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text.trim().to_owned()]),
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().map(|text| text.trim().to_owned()).ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    /// As [`Section::value`], of a member that has a default: null is no way to leave it out.
    fn stated(&self, names: &[&str]) -> Option<&'a Value> {
        let members = self.members?;
        self.value(names).or_else(|| names.iter().find_map(|name| members.get(*name)))
    }

    /// A whole number that has a default, raised to `floor`.
    pub fn number(&self, names: &[&str], floor: u64) -> Result<Option<u64>, PolicyError> {
        self.stated(names).map(|value| self.counted(names, value, floor)).transpose()
    }

    /// A whole number that means nothing where it is absent or null, raised to `floor`.
    pub fn number_if_any(&self, names: &[&str], floor: u64) -> Result<Option<u64>, PolicyError> {
        self.value(names).map(|value| self.counted(names, value, floor)).transpose()
    }

    fn counted(&self, names: &[&str], value: &Value, floor: u64) -> Result<u64, PolicyError> {
        let number = whole(value).ok_or_else(|| self.wrong(names, "a whole number"))?;
        Ok(u64::try_from(number).unwrap_or(0).max(floor))
    }

    /// A truth value.
    pub fn flag(&self, names: &[&str]) -> Result<Option<bool>, PolicyError> {
        match self.stated(names) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.wrong(names, "true or false")),
        }
    }

    /// A finite number, raised to `floor`.
    pub fn factor(&self, names: &[&str], floor: f64) -> Result<Option<f64>, PolicyError> {
        match self.stated(names) {
            None => Ok(None),
            Some(Value::Number(number)) => {
                let value = number.as_f64().filter(|value| value.is_finite());
                value.map(|value| Some(value.max(floor))).ok_or_else(|| self.wrong(names, "a finite number"))
            }
            Some(_) => Err(self.wrong(names, "a finite number")),
        }
    }

    /// A moment.
    pub fn time(&self, names: &[&str]) -> Result<Option<Timestamp>, PolicyError> {
        match self.value(names) {
            None => Ok(None),
            Some(Value::String(text)) => moment(text).map(Some).ok_or_else(|| self.wrong(names, "an RFC 3339 time")),
            Some(_) => Err(self.wrong(names, "an RFC 3339 time")),
        }
    }

    /// An object inside.
    pub fn section(&self, names: &[&str], place: &'a str) -> Result<Self, PolicyError> {
        Self::of(self.value(names), place)
    }

    /// The objects of a list inside.
    pub fn sections(&self, names: &[&str], place: &'a str) -> Result<Vec<Self>, PolicyError> {
        let wrong = || self.wrong(names, "a list of objects");
        match self.value(names) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_object().map(|members| Self { members: Some(members), place }).ok_or_else(wrong))
                .collect(),
            Some(_) => Err(wrong()),
        }
    }

    /// Its members by name, each an object.
    pub fn named_sections(&self, place: &'a str) -> Result<Vec<(&'a str, Self)>, PolicyError> {
        let read = |(name, value): (&'a String, &'a Value)| match value {
            Value::Object(members) => Ok((name.as_str(), Self { members: Some(members), place })),
            _ => Err(PolicyError(format!("{place}.{name} must be an object"))),
        };
        self.members.into_iter().flatten().map(read).collect()
    }
}

/// A whole number; one beyond the type counts as the largest.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_u64().map(|_| i64::MAX))
}

/// A moment as policies write it: RFC 3339, or without offset in UTC.
pub fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let local: jiff::civil::DateTime = text.parse().ok()?;
        let moment = jiff::tz::Offset::UTC.to_timestamp(local).ok()?;
        Some(Timestamp::from_micros(moment.as_microsecond()))
    })
}

/// Whether a condition that lists values holds for `value`; an empty list is no condition. Case does not matter.
pub fn lists(wanted: &[String], value: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
}

/// Texts, sorted, each once.
pub fn sorted<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let unique: BTreeSet<&str> = texts.into_iter().collect();
    unique.into_iter().map(ToOwned::to_owned).collect()
}
