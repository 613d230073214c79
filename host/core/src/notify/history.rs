//! Histories: lists over the records of several kinds, declared as data. A history is the kinds it shows and the questions
//! it understands, about its records or about the routes inside of them.

use std::cmp::Reverse;

use cavra_model::{EVIDENCE_METADATA, Object, RELEASE_DELIVERIES, Timestamp, members};
use cavra_notify::{Family, StageKind, provider_name};
use cavra_store::Page;
use serde_json::{Value, json};

use super::Desk;
use crate::fields::truth;
use crate::page::PAGE_BYTES;
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
        let mut found = Vec::new();
        desk.each_of(history, |record| {
            let matched = inside.as_ref().is_none_or(|(inside, asked)| !matching(&record, inside, asked).is_empty());
            if matched && outside.iter().all(|question| question.holds(&record)) {
                found.push((Reverse(moment(&record)), members::text(&record, EVIDENCE_METADATA.id).to_owned()));
            }
            true
        })
        .await?;
        found.sort_unstable();
        found.dedup();
        let page = self.notification_page(found, request).await?;
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

    /// The records of a page, as far as they fit into one answer.
    async fn notification_page(
        &self,
        found: Vec<(Reverse<Timestamp>, String)>,
        request: &PageRequest,
    ) -> Result<Page, CoreError> {
        let total = found.len();
        let skipped = usize::try_from(request.offset()).unwrap_or(usize::MAX);
        let most = usize::try_from(request.limit()).unwrap_or(usize::MAX);
        let mut page = Page { total: u64::try_from(total).unwrap_or(u64::MAX), ..Page::default() };
        let mut room = PAGE_BYTES;
        for (_, id) in found.into_iter().skip(skipped).take(most) {
            let Some(record) = self.evidence.store().get(&EVIDENCE_METADATA, &id).await? else { continue };
            let size = u64::try_from(json!(record).to_string().len()).unwrap_or(u64::MAX);
            if size > room && !page.items.is_empty() {
                page.full = true;
                break;
            }
            room = room.saturating_sub(size);
            page.items.push(record);
            page.places += 1;
        }
        Ok(page)
    }
}

impl Desk<'_> {
    /// Shows `visit` every record of a history.
    pub(super) async fn each_of(
        self,
        history: &'static History,
        mut visit: impl FnMut(Object) -> bool,
    ) -> Result<(), CoreError> {
        for kind in history.kinds {
            self.each(self.stage(*kind)?.metadata_kind, &mut visit).await?;
        }
        if !history.sources.is_empty() {
            let is_ours =
                |record: &Object| history.sources.contains(&members::text(record, "connector_delivery_source"));
            let value = RELEASE_DELIVERIES.value.unwrap_or_default();
            self.each(value, |record| !is_ours(&record) || visit(record)).await?;
        }
        Ok(())
    }
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
