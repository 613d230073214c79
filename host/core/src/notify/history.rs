//! Histories: lists over the records of several kinds, declared as data. A history is the kinds it shows and the questions
//! it understands, about its records or about the routes inside of them.

use cavra_model::{EVIDENCE_METADATA, Object, RELEASE_DELIVERIES, Timestamp, members};
use cavra_notify::{Family, StageKind, provider_name};
use serde_json::{Value, json};

use super::Desk;
use super::listing::{Item, Listing};
use crate::fields::truth;
use crate::{App, CoreError, PageRequest};

/// A list over several kinds of records.
#[derive(Debug)]
pub struct History {
    /// `schema_version` of the list.
    pub schema: &'static str,
    /// Its kinds.
    pub kinds: &'static [StageKind],
    /// The sources of the deliveries that it shows.
    pub sources: &'static [&'static str],
    /// Questions about its records.
    pub asked: &'static [Asked],
    /// Questions about the routes inside of its records.
    pub inside: Option<Inside>,
}

/// Questions about elements of a list inside of records: one element has to satisfy all of them.
#[derive(Debug)]
pub struct Inside {
    /// The list.
    pub list: &'static str,
    /// Member of an answered record that holds the elements that do.
    pub shown: &'static str,
    /// The questions.
    pub asked: &'static [Asked],
}

/// A question.
#[derive(Debug)]
pub struct Asked {
    /// Its query parameter.
    pub parameter: &'static str,
    /// Where its answer stands: paths, through lists. It holds if it holds at one of them.
    pub paths: &'static [&'static str],
    /// How it is asked.
    pub ask: Ask,
}

/// How a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// It is this text.
    Exactly,
    /// It is this word, however it is spelt.
    Word,
    /// It is this text in any case.
    AnyCase,
    /// It contains this text, in any case.
    Part,
    /// It is at least this number.
    AtLeast,
    /// It is this truth value.
    Flag,
    /// If the parameter is true, it is true.
    OnlyTrue,
    /// Whether there is anything.
    Filled,
    /// It is this text; records of these kinds count as if they said the first one.
    Source(&'static str, &'static [&'static str]),
}

/// The sources of which records are wanted, of a kind that has some.
type Sources = Option<&'static [&'static str]>;

/// A question with what is asked.
struct Question {
    asked: &'static Asked,
    wanted: Wanted,
}

enum Wanted {
    Text(String),
    Number(i64),
    Flag(bool),
}

impl History {
    /// Every question.
    pub fn questions(&self) -> impl Iterator<Item = &'static Asked> {
        self.asked.iter().chain(self.inside.iter().flat_map(|inside| inside.asked))
    }
}

impl App {
    /// A page of a history, newest first.
    ///
    /// # Errors
    /// [`CoreError::Query`] for a parameter of the wrong type; [`CoreError::Store`].
    pub async fn notification_history(
        &self,
        family: &'static Family,
        history: &'static History,
        request: &PageRequest,
    ) -> Result<Object, CoreError> {
        let desk = Desk { app: self, family };
        let outside = questions(history.asked, request)?;
        let inside = match &history.inside {
            Some(inside) => Some((inside, questions(inside.asked, request)?)),
            None => None,
        };
        let inside = inside.filter(|(_, questions)| !questions.is_empty());
        let listing = Listing::begin(self, history.schema, request).await?;
        let mut found = Vec::new();
        for (value, sources) in desk.kinds_of(history)? {
            let fits = |record: &Object| {
                let matched = inside.as_ref().is_none_or(|(inside, asked)| !matching(record, inside, asked).is_empty());
                is_from(record, sources) && matched && outside.iter().all(|question| question.holds(record))
            };
            let take = |standing, record: Object| {
                if fits(&record) {
                    found.push((standing, Item::Record(members::text(&record, EVIDENCE_METADATA.id).to_owned())));
                }
            };
            listing.each(desk, value, take).await?;
        }
        let page = listing.page(self, found).await?;
        let mut answer = request.answer(page);
        if let (Some((inside, asked)), Some(Value::Array(items))) = (&inside, answer.get_mut("items")) {
            for item in items.iter_mut().filter_map(Value::as_object_mut) {
                let matched = json!(matching(item, inside, asked));
                item.insert(inside.shown.to_owned(), matched);
            }
        }
        answer.insert("schema_version".to_owned(), json!(history.schema));
        answer.insert("product".to_owned(), json!("CAVRA"));
        Ok(answer)
    }
}

impl Desk<'_> {
    /// Shows `visit` every record of a history.
    pub(super) async fn each_of(
        self,
        history: &'static History,
        mut visit: impl FnMut(Object) -> bool,
    ) -> Result<(), CoreError> {
        for (value, sources) in self.kinds_of(history)? {
            self.each(value, |record| !is_from(&record, sources) || visit(record)).await?;
        }
        Ok(())
    }

    /// The kinds of records of a history; of some only those of some sources.
    fn kinds_of(self, history: &'static History) -> Result<Vec<(&'static str, Sources)>, CoreError> {
        let mut kinds = Vec::new();
        for kind in history.kinds {
            kinds.push((self.stage(*kind)?.metadata_kind, None));
        }
        if !history.sources.is_empty() {
            kinds.push((RELEASE_DELIVERIES.value.unwrap_or_default(), Some(history.sources)));
        }
        Ok(kinds)
    }
}

/// Whether a record comes from one of these sources, where it is of a kind that has some.
fn is_from(record: &Object, sources: Sources) -> bool {
    sources.is_none_or(|sources| sources.contains(&members::text(record, "connector_delivery_source")))
}

/// When a record was made; what is no time comes last.
pub(super) fn moment(record: &Object) -> Timestamp {
    members::text(record, "created_at").parse().unwrap_or(Timestamp::from_micros(i64::MIN))
}

/// The questions that are asked.
fn questions(asked: &'static [Asked], request: &PageRequest) -> Result<Vec<Question>, CoreError> {
    let mut found = Vec::new();
    for asked in asked {
        let Some(text) = request.parameter(asked.parameter) else { continue };
        let wrong = |expected| CoreError::Query { parameter: asked.parameter, expected };
        let wanted = match asked.ask {
            Ask::Exactly | Ask::Source(..) => Wanted::Text(text.to_owned()),
            Ask::Word => Wanted::Text(provider_name(text)),
            Ask::AnyCase | Ask::Part => Wanted::Text(text.to_lowercase()),
            Ask::AtLeast => Wanted::Number(PageRequest::whole_number(text).ok_or_else(|| wrong("a whole number"))?),
            Ask::Flag | Ask::OnlyTrue | Ask::Filled => Wanted::Flag(truth(text).ok_or_else(|| wrong("true or false"))?),
        };
        if !(asked.ask == Ask::OnlyTrue && matches!(wanted, Wanted::Flag(false))) {
            found.push(Question { asked, wanted });
        }
    }
    Ok(found)
}

/// The elements of a list inside of a record of which all questions hold.
fn matching<'a>(record: &'a Object, inside: &Inside, asked: &[Question]) -> Vec<&'a Value> {
    let elements = values(record, inside.list).into_iter();
    let fits = |element: &&Value| {
        element.as_object().is_some_and(|element| asked.iter().all(|question| question.holds(element)))
    };
    elements.filter(fits).collect()
}

impl Question {
    fn holds(&self, record: &Object) -> bool {
        let any = |holds: &dyn Fn(&Value) -> bool| {
            self.asked.paths.iter().any(|path| values(record, path).into_iter().any(holds))
        };
        let text = |holds: &dyn Fn(&str) -> bool| any(&|value| value.as_str().is_some_and(holds));
        match (&self.wanted, self.asked.ask) {
            (Wanted::Text(wanted), Ask::Word) => text(&|own| provider_name(own) == *wanted),
            (Wanted::Text(wanted), Ask::AnyCase) => text(&|own| own.to_lowercase() == *wanted),
            (Wanted::Text(wanted), Ask::Part) => text(&|own| own.to_lowercase().contains(wanted.as_str())),
            (Wanted::Text(wanted), Ask::Source(source, kinds)) => {
                let belongs = kinds.contains(&members::text(record, "metadata_kind"));
                text(&|own| own == wanted) || (belongs && wanted == source)
            }
            (Wanted::Text(wanted), _) => text(&|own| own == wanted),
            (Wanted::Number(bound), _) => any(&|value| value.as_i64().is_some_and(|own| own >= *bound)),
            (Wanted::Flag(wanted), Ask::Filled) => any(&|_| true) == *wanted,
            (Wanted::Flag(wanted), _) => any(&|value| value.as_bool() == Some(*wanted)),
        }
    }
}

/// What stands at a path, through the lists on the way.
fn values<'a>(record: &'a Object, path: &str) -> Vec<&'a Value> {
    let mut parts = path.split('.');
    let first = parts.next().and_then(|name| record.get(name));
    let start = first.map(elements).unwrap_or_default();
    parts.fold(start, |found, name| found.into_iter().filter_map(|value| value.get(name)).flat_map(elements).collect())
}

fn elements(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        value => vec![value],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_look_through_lists() {
        static ASKED: [Asked; 5] = [
            Asked { parameter: "provider", paths: &["provider", "plan.routes.provider"], ask: Ask::Word },
            Asked { parameter: "owner", paths: &["owners"], ask: Ask::Part },
            Asked { parameter: "least", paths: &["count"], ask: Ask::AtLeast },
            Asked { parameter: "suppressed", paths: &["none"], ask: Ask::Filled },
            Asked { parameter: "active", paths: &["plan.routes.active"], ask: Ask::OnlyTrue },
        ];
        let record = members::built(json!({"count": 3, "owners": ["Ann", 4], "none": [],
            "plan": {"routes": [{"provider": "slack"}, {"provider": "service_now", "active": true}]}}));
        for (parameter, value, holds) in [
            ("provider", "Service-Now ", true),
            ("provider", "jira", false),
            ("owner", "aNn", true),
            ("owner", "bob", false),
            ("least", "3", true),
            ("least", "4", false),
            ("suppressed", "true", false),
            ("suppressed", "false", true),
            ("active", "true", true),
            ("active", "false", true),
        ] {
            let parameters = vec![(parameter.to_owned(), value.to_owned())];
            let asked = questions(&ASKED, &PageRequest { parameters, ..PageRequest::default() }).unwrap();
            assert_eq!(asked.iter().all(|question| question.holds(&record)), holds, "{parameter} {value}");
        }
        let wrong = PageRequest { parameters: vec![("least".into(), "x".into())], ..PageRequest::default() };
        assert!(questions(&ASKED, &wrong).is_err());
    }
}
