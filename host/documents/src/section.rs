//! The members of an object in a document: every one of them known, of its type, and named where it is wrong.

use cavra_model::Object;
use serde_json::Value;
use thiserror::Error;

use crate::nearest::unknown_key;

/// What is wrong in a document, and where: `repository_permissions[2].repo: unknown key …`.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct DocumentError(String);

impl DocumentError {
    /// Something that is wrong with the whole document.
    #[must_use]
    pub fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

/// An object in which only known keys stand.
#[derive(Clone, Debug)]
pub struct Section<'d> {
    path: String,
    members: &'d Object,
}

impl<'d> Section<'d> {
    /// The document itself, which may hold `keys` only.
    ///
    /// # Errors
    /// [`DocumentError`] naming the first key that is not among them and the one it may be meant for.
    pub fn document(value: &'d Value, keys: &[&str]) -> Result<Self, DocumentError> {
        Self::new(value, String::new(), keys)
    }

    fn new(value: &'d Value, path: String, keys: &[&str]) -> Result<Self, DocumentError> {
        let section = match value {
            Value::Object(members) => Self { path, members },
            _ if path.is_empty() => return Err(DocumentError::new("must be an object")),
            _ => return Err(DocumentError(format!("{path}: must be an object"))),
        };
        match section.members.keys().find(|key| !keys.contains(&key.as_str())) {
            Some(unknown) if section.path.is_empty() => Err(DocumentError(unknown_key(unknown, keys))),
            Some(unknown) => Err(DocumentError(format!("{}: {}", section.path, unknown_key(unknown, keys)))),
            None => Ok(section),
        }
    }

    /// Something that is wrong with a member.
    #[must_use]
    pub fn wrong(&self, key: &str, problem: &str) -> DocumentError {
        let dot = if self.path.is_empty() { "" } else { "." };
        DocumentError(format!("{}{dot}{key}: {problem}", self.path))
    }

    /// Whether the key is there, with whatever value.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.members.contains_key(key)
    }

    /// The value of a member as it is. `null` stands for a member that is not there: use it only where that is at least
    /// as strict as any value.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&'d Value> {
        self.members.get(key).filter(|value| !value.is_null())
    }

    /// All members.
    pub fn members(&self) -> impl Iterator<Item = (&'d String, &'d Value)> {
        self.members.iter()
    }

    /// A text that is not blank, without the blanks around it. An empty value is refused: it looks like a condition.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn text(&self, key: &str) -> Result<Option<String>, DocumentError> {
        let Some(value) = self.members.get(key) else { return Ok(None) };
        let text = value.as_str().map(str::trim).filter(|text| !text.is_empty());
        text.map(|text| Some(text.to_owned())).ok_or_else(|| self.wrong(key, "must be a text that is not empty"))
    }

    /// A text that has to be there.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn required_text(&self, key: &str) -> Result<String, DocumentError> {
        self.text(key)?.ok_or_else(|| self.wrong(key, "is required"))
    }

    /// A switch.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn flag(&self, key: &str) -> Result<Option<bool>, DocumentError> {
        match self.members.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.wrong(key, "must be true or false")),
        }
    }

    /// A whole number within `least..=most`.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn whole(&self, key: &str, least: u64, most: u64) -> Result<Option<u64>, DocumentError> {
        let Some(value) = self.members.get(key) else { return Ok(None) };
        let number = value.as_u64().filter(|number| (least..=most).contains(number));
        number.map(Some).ok_or_else(|| self.wrong(key, &format!("must be a whole number from {least} to {most}")))
    }

    /// A list of texts that are not blank.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn texts(&self, key: &str) -> Result<Option<Vec<String>>, DocumentError> {
        let Some(value) = self.members.get(key) else { return Ok(None) };
        let text = |item: &Value| item.as_str().map(str::trim).filter(|text| !text.is_empty()).map(ToOwned::to_owned);
        let list = value.as_array().and_then(|items| items.iter().map(text).collect::<Option<Vec<_>>>());
        list.map(Some).ok_or_else(|| self.wrong(key, "must be a list of texts"))
    }

    /// An object below this one, which may hold `keys` only.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn section(&self, key: &str, keys: &[&str]) -> Result<Option<Self>, DocumentError> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        self.members.get(key).map(|value| Section::new(value, path, keys)).transpose()
    }

    /// A list of objects, each of which may hold `keys` only.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn sections(&self, key: &str, keys: &[&str]) -> Result<Vec<Self>, DocumentError> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        match self.value(key) {
            None => Ok(Vec::new()),
            Some(list) => Self::list(list, &path, keys),
        }
    }

    /// The objects of a list that is called `name` in messages.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn list(value: &'d Value, name: &str, keys: &[&str]) -> Result<Vec<Self>, DocumentError> {
        let items = value.as_array().ok_or_else(|| DocumentError(format!("{name}: must be a list")))?;
        (1..).zip(items).map(|(number, item)| Self::new(item, format!("{name}[{number}]"), keys)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_known_and_of_their_type() {
        let document =
            json!({"name": " a ", "on": true, "n": 3, "list": ["x"], "rules": [{"name": "r"}], "in": {"a": "b"}});
        let keys = ["name", "on", "n", "list", "rules", "in"];
        let section = Section::document(&document, &keys).unwrap();
        assert_eq!(section.required_text("name"), Ok("a".to_owned()));
        assert_eq!((section.flag("on"), section.flag("off")), (Ok(Some(true)), Ok(None)));
        assert_eq!((section.whole("n", 1, 3), section.whole("m", 1, 3)), (Ok(Some(3)), Ok(None)));
        assert_eq!(section.texts("list"), Ok(Some(vec!["x".to_owned()])));
        assert_eq!(section.sections("rules", &["name"]).unwrap()[0].text("name"), Ok(Some("r".to_owned())));
        assert_eq!(section.section("in", &["a"]).unwrap().unwrap().text("a"), Ok(Some("b".to_owned())));
        assert!(section.has("on") && !section.has("off"));
        let said = |problem: DocumentError| problem.to_string();
        assert!(said(section.whole("n", 4, 5).unwrap_err()).starts_with("n: must be a whole number from 4"));
        assert!(said(section.sections("rules", &["names"]).unwrap_err()).starts_with("rules[1]: unknown key `name`"));
        assert!(said(section.section("in", &["b"]).unwrap_err()).starts_with("in: unknown key `a`"));
        assert!(said(Section::document(&document, &keys[1..]).unwrap_err()).starts_with("unknown key `name`"));
    }

    /// Null, empty and wrong values look like conditions and switches; none of them may count as "not given".
    #[test]
    fn empty_values_are_refused() {
        for value in [json!(null), json!(""), json!("  "), json!(1), json!([]), json!({}), json!([""]), json!([null])] {
            let document = json!({ "a": value });
            let section = Section::document(&document, &["a"]).unwrap();
            assert!(section.text("a").is_err() && section.flag("a").is_err(), "{value}");
            assert_eq!(section.texts("a").is_ok(), value == json!([]), "{value}");
            assert_eq!(section.section("a", &[]).is_ok(), value == json!({}), "{value}");
        }
        assert!(Section::document(&json!([]), &[]).is_err() && Section::document(&Value::Null, &[]).is_err());
    }
}
