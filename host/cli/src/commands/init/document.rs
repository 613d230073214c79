//! Configuration files of other programs: members keep their order, numbers and texts the form in which their owner
//! wrote them; only the blanks between them are ours.

use std::fmt;

use anyhow::bail;
use cavra_model::read_json;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// A JSON value.
pub enum Node {
    /// Members in their order.
    Object(Vec<(String, Self)>),
    /// Items.
    List(Vec<Self>),
    /// Anything else, as it is written.
    Text(Box<RawValue>),
    /// Anything else that is new.
    New(Value),
}

impl Node {
    /// Reads an object.
    ///
    /// # Errors
    /// The text is none, or it means one thing to one reader and another to the next.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        read_json(text.as_bytes())?;
        match serde_json::from_str(text)? {
            Self::Object(members) => Ok(Self::Object(members)),
            _ => bail!("it is another value"),
        }
    }

    /// A member, which is added last if there is none; nothing if this is no object.
    pub fn member(&mut self, name: &str, default: Value) -> Option<&mut Self> {
        let Self::Object(members) = self else { return None };
        let place = members.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            members.push((name.to_owned(), default.into()));
            members.len() - 1
        });
        members.get_mut(place).map(|(_, value)| value)
    }

    /// The items, if this is a list.
    pub fn list(&mut self) -> Option<&mut Vec<Self>> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    /// What it means.
    pub fn value(&self) -> Value {
        match self {
            Self::Object(members) => members.iter().map(|(name, value)| (name.clone(), value.value())).collect(),
            Self::List(items) => items.iter().map(Self::value).collect(),
            Self::Text(text) => serde_json::from_str(text.get()).unwrap_or_default(),
            Self::New(value) => value.clone(),
        }
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        match value {
            Value::Object(members) => Self::Object(members.into_iter().map(|(name, it)| (name, it.into())).collect()),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            other => Self::New(other),
        }
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                members.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
            Self::List(items) => items.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::New(value) => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let inner = match text.get().as_bytes().first() {
            Some(b'{') => serde_json::from_str(text.get()).map(|Members(members)| Self::Object(members)),
            Some(b'[') => serde_json::from_str(text.get()).map(Self::List),
            _ => Ok(Self::Text(text)),
        };
        inner.map_err(serde::de::Error::custom)
    }
}

/// The members of an object in their order.
struct Members(Vec<(String, Node)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
