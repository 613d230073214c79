//! Values that are looked at and not kept.

use std::borrow::Cow;
use std::collections::HashSet;

use std::fmt;

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Number, Value};

use crate::{Object, Shape};

/// A JSON value. Its texts are those of the document, as far as they have no escapes.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Node<'t> {
    /// `null`.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(Cow<'t, str>),
    /// A list.
    List(Vec<Self>),
    /// An object.
    Object(Members<'t>),
}

/// Members of an object, in the order of the document. Names that come early are found fast: objects that people and tools
/// write have few.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members<'t>(Vec<(Cow<'t, str>, Node<'t>)>);

/// Up to so many members each new name is compared with the others; of more, all are compared at the end.
const FEW: usize = 16;

impl<'t> Node<'t> {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The members.
    #[must_use]
    pub fn as_object(&self) -> Option<&Members<'t>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The elements.
    #[must_use]
    pub fn as_array(&self) -> Option<&Vec<Self>> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.as_object().is_some()
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }

    /// The number, if it is whole, not negative and has at most 64 bits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// The same value without the document.
    #[must_use]
    pub fn into_owned(self) -> Node<'static> {
        match self {
            Self::Null => Node::Null,
            Self::Bool(flag) => Node::Bool(flag),
            Self::Number(number) => Node::Number(number),
            Self::Text(text) => Node::Text(Cow::Owned(text.into_owned())),
            Self::List(items) => Node::List(items.into_iter().map(Node::into_owned).collect()),
            Self::Object(members) => Node::Object(members.into_owned()),
        }
    }

    /// The same value as one to keep.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Text(text) => Value::String(text.clone().into_owned()),
            Self::List(items) => items.iter().map(Self::to_value).collect(),
            Self::Object(members) => {
                Value::Object(members.iter().map(|(name, value)| (name.to_owned(), value.to_value())).collect())
            }
        }
    }
}

impl<'t> Members<'t> {
    /// The member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Node<'t>> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Whether there is a member of that name.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Every member.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node<'t>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a member in, in place of the one of that name.
    pub fn insert(&mut self, name: impl Into<Cow<'t, str>>, value: Node<'t>) {
        let name = name.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, place)) => *place = value,
            None => self.0.push((name, value)),
        }
    }

    /// Takes a member out.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    /// The same members without the document.
    #[must_use]
    pub fn into_owned(self) -> Members<'static> {
        let own = |(name, value): (Cow<'t, str>, Node<'t>)| (Cow::Owned(name.into_owned()), value.into_owned());
        Members(self.0.into_iter().map(own).collect())
    }
}

impl<'t> Shape<'t> for Node<'t> {
    type Members = Members<'t>;

    fn null() -> Self {
        Self::Null
    }

    fn is_empty(members: &Members<'t>) -> bool {
        members.is_empty()
    }

    fn has(members: &Members<'t>, name: &str) -> bool {
        members.0.len() < FEW && members.contains_key(name)
    }

    fn add(members: &mut Members<'t>, name: Cow<'t, str>, value: Self) {
        members.0.push((name, value));
    }

    fn object(members: Members<'t>) -> Result<Self, String> {
        if members.0.len() > FEW {
            let mut seen = HashSet::with_capacity(members.0.len());
            if let Some((name, _)) = members.0.iter().find(|(name, _)| !seen.insert(name.as_ref())) {
                return Err(name.clone().into_owned());
            }
        }
        Ok(Self::Object(members))
    }
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => items.serialize(serializer),
            Self::Object(members) => members.serialize(serializer),
        }
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// As JSON.
impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// As JSON.
impl fmt::Display for Members<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl From<bool> for Node<'_> {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<i64> for Node<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Node<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number.into())
    }
}

impl From<Number> for Node<'_> {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}

impl<'t> From<Vec<Self>> for Node<'t> {
    fn from(items: Vec<Self>) -> Self {
        Self::List(items)
    }
}

impl<'t> From<Cow<'t, str>> for Node<'t> {
    fn from(text: Cow<'t, str>) -> Self {
        Self::Text(text)
    }
}

impl From<&Value> for Node<'static> {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::Text(Cow::Owned(text.clone())),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(members) => Self::Object(Members::from(members)),
        }
    }
}

impl From<&Object> for Members<'static> {
    fn from(object: &Object) -> Self {
        Self(object.iter().map(|(name, value)| (Cow::Owned(name.clone()), Node::from(value))).collect())
    }
}
