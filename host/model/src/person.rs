//! Who somebody is, as far as it is known: what is compared where one person must not count as two.
//!
//! Only issuer and subject identify a person (OpenID Connect Core, section 5.7); which names a token carries depends on
//! what was asked for when it was made. Where nobody vouches for issuer and subject, every name counts: rather two
//! people are taken for one than one for two.

use serde_json::{Value, json};

use crate::{ChatService, Object};

/// How somebody was established.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownBy {
    /// By a signed token.
    Token,
    /// By claims nobody signed.
    Claims,
    /// By what a chat signed, as the member whom the operator's file maps to them.
    Chat(ChatService),
    /// By what the request says, or by the name of a machine.
    Word,
}

impl KnownBy {
    /// The wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Claims => "claims",
            Self::Chat(service) => service.as_str(),
            Self::Word => "anonymous",
        }
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    issuer: Option<String>,
    subject: Option<String>,
    /// Every name: the subject, and those nobody has verified, too.
    names: Vec<String>,
    known_by: KnownBy,
}

impl Person {
    /// Somebody whom a token or claims describe.
    #[must_use]
    pub fn described(
        issuer: Option<String>,
        subject: Option<String>,
        names: impl IntoIterator<Item = String>,
        known_by: KnownBy,
    ) -> Self {
        let mut all: Vec<String> = Vec::new();
        for name in names.into_iter().chain(subject.clone()) {
            if !name.trim().is_empty() && !all.contains(&name) {
                all.push(name);
            }
        }
        Self { issuer, subject, names: all, known_by }
    }

    /// Somebody of whom only a name is known.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::described(None, None, [name.to_owned()], KnownBy::Word)
    }

    /// How they were established.
    #[must_use]
    pub const fn known_by(&self) -> KnownBy {
        self.known_by
    }

    /// Whether both may be the same person. Two tokens are compared by issuer and subject and by nothing else; otherwise
    /// one common name is enough, whatever its case.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        match (self.identified(), other.identified()) {
            (Some(one), Some(another)) => one == another,
            _ => self.names.iter().any(|name| other.is_called(name)),
        }
    }

    /// Whether it is one of the names.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        let plain = |name: &str| name.trim().to_lowercase();
        let name = plain(name);
        !name.is_empty() && self.names.iter().any(|known| plain(known) == name)
    }

    /// Issuer and subject, if a signature vouches for them.
    fn identified(&self) -> Option<(Option<&str>, &str)> {
        let vouched = matches!(self.known_by, KnownBy::Token | KnownBy::Chat(_));
        self.subject.as_deref().filter(|_| vouched).map(|subject| (self.issuer.as_deref(), subject))
    }

    /// A text that is the same for one person, however they are called, as long as their issuer and subject are known.
    #[must_use]
    pub fn key(&self) -> String {
        match (&self.subject, self.names.first()) {
            (Some(subject), _) => format!("{}|{subject}", self.issuer.as_deref().unwrap_or_default()),
            (None, Some(name)) => name.to_lowercase(),
            (None, None) => "unknown".to_owned(),
        }
    }

    /// What is stored: everything that a later comparison needs. `None` for somebody of whom only a name is known, which
    /// stands in the record anyway.
    #[must_use]
    pub fn to_value(&self) -> Option<Value> {
        (self.known_by != KnownBy::Word).then(|| {
            json!({ "issuer": self.issuer, "subject": self.subject, "names": self.names, "via": self.known_by.as_str() })
        })
    }

    /// What was stored.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let text = |member: &str| value.get(member).and_then(Value::as_str).map(ToOwned::to_owned);
        let known_by = match value.get("via").and_then(Value::as_str)? {
            "token" => KnownBy::Token,
            "claims" => KnownBy::Claims,
            other => KnownBy::Chat(other.parse().ok()?),
        };
        let names = value.get("names").and_then(Value::as_array).into_iter().flatten();
        let names = names.filter_map(Value::as_str).map(ToOwned::to_owned);
        Some(Self::described(text("issuer"), text("subject"), names, known_by))
    }

    /// Writes down whose doing something was, beside the name in `member`: as `<member>_identity`.
    pub fn note(&self, record: &mut Object, member: &str) {
        if let Some(identity) = self.to_value() {
            record.insert(format!("{member}_identity"), identity);
        }
    }

    /// Who stands in `member` of a record: the identity beside the name, else somebody of that name.
    #[must_use]
    pub fn noted(record: &Object, member: &str) -> Option<Self> {
        let identity = record.get(&format!("{member}_identity")).and_then(Self::read);
        identity.or_else(|| record.get(member).and_then(Value::as_str).map(Self::named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(issuer: &str, subject: &str, names: &[&str], known_by: KnownBy) -> Person {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Person::described(some(issuer), some(subject), names.iter().map(ToString::to_string), known_by)
    }

    /// Every pair of ways to be known, with the same and another subject, with and without a common name.
    #[test]
    fn tokens_are_compared_by_issuer_and_subject_all_else_by_names() {
        use KnownBy::{Claims, Token, Word};
        for (one, other, same) in [
            (("i", "u1", &["ann@x"][..], Token), ("i", "u1", &[][..], Token), true),
            (("i", "u1", &["ann@x"], Token), ("i", "u2", &["ann@x"], Token), false),
            (("i", "u1", &["ann@x"], Token), ("j", "u1", &["ann@x"], Token), false),
            (("i", "u1", &[], Token), ("i", "U1", &[], Token), false),
            (("i", "u1", &["ann@x"], Token), ("", "", &["ANN@x "], Claims), true),
            (("i", "u1", &["ann@x"], Token), ("j", "u1", &[], Claims), true),
            (("i", "u1", &["ann@x"], Token), ("i", "u2", &["ann"], Claims), false),
            (("i", "u1", &["ann@x"], Claims), ("i", "u2", &["ann@x"], Claims), true),
            (("i", "u1", &["ann@x", "ann"], Claims), ("", "", &["Ann"], Word), true),
            (("i", "u1", &["ann@x"], Token), ("", "", &["u1"], Word), true),
            (("i", "u1", &["ann@x"], Token), ("", "", &["bob"], Word), false),
            (("", "", &[], Claims), ("", "", &[], Claims), false),
        ] {
            let (one, other) = (person(one.0, one.1, one.2, one.3), person(other.0, other.1, other.2, other.3));
            assert_eq!(one.may_be(&other), same, "{one:?} {other:?}");
            assert_eq!(other.may_be(&one), same, "{other:?} {one:?}");
        }
    }

    #[test]
    fn what_is_stored_is_read_again() {
        for known_by in [KnownBy::Token, KnownBy::Claims] {
            let ann = person("i", "u1", &["ann@x", "ann"], known_by);
            assert_eq!(ann.to_value().as_ref().and_then(Person::read), Some(ann.clone()));
            let mut record = Object::new();
            record.insert("asked_by".to_owned(), json!("ann@x"));
            assert_eq!(Person::noted(&record, "asked_by"), Some(Person::named("ann@x")));
            ann.note(&mut record, "asked_by");
            assert_eq!(Person::noted(&record, "asked_by"), Some(ann));
        }
        assert_eq!(Person::named("ann").to_value(), None);
        assert_eq!(Person::read(&json!({"via": "word", "names": ["ann"]})), None);
        assert_eq!(Person::noted(&Object::new(), "asked_by"), None);
    }

    #[test]
    fn keys() {
        assert_eq!(person("i", "u1", &["ann"], KnownBy::Token).key(), "i|u1");
        assert_eq!(Person::named("Ann").key(), "ann");
        assert_eq!(person("", "", &[], KnownBy::Claims).key(), "unknown");
    }
}
