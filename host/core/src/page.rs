//! Paging and filters of every list. docs/reference/decisions-and-policy.md, section 1.

use std::num::IntErrorKind;

use cavra_model::{Kind, Object};
use cavra_store::{Page, Query, Unreadable};
use serde_json::{Value, json};

/// Largest page.
pub const MAX_LIMIT: u64 = 500;
/// Largest page in bytes. A record of evidence may have 8 MiB, so 500 of them would be 4 GB in one answer; a page that holds
/// less than it was asked for says so by its `limit`.
pub const PAGE_BYTES: u64 = 16 * 1024 * 1024;
const DEFAULT_LIMIT: i64 = 50;

/// Values of the parameter `order`: the list's own order, or that in which records were first written, the oldest first.
pub const ORDERS: [&str; 2] = ["list", COMMITTED];
const COMMITTED: &str = "committed";

/// What a caller asks of a list.
#[derive(Clone, Debug, Default)]
pub struct PageRequest {
    /// Name and value of every query parameter, in order; unknown names are ignored.
    pub parameters: Vec<(String, String)>,
    /// Page size as given.
    pub limit: Option<i64>,
    /// Start as given.
    pub offset: Option<i64>,
}

impl PageRequest {
    /// Page size, clamped to 1..=500.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit_or(DEFAULT_LIMIT)
    }

    /// Page size with another default, clamped to 1..=500.
    #[must_use]
    pub fn limit_or(&self, default: i64) -> u64 {
        u64::try_from(self.limit.unwrap_or(default)).unwrap_or(0).clamp(1, MAX_LIMIT)
    }

    /// Start, clamped to at least 0.
    #[must_use]
    pub fn offset(&self) -> u64 {
        u64::try_from(self.offset.unwrap_or(0)).unwrap_or(0)
    }

    /// The first non-empty value of `name`.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(given, value)| given == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// A whole number as a parameter writes it; one that is too large or too small for the type counts as the largest
    /// or smallest.
    #[must_use]
    pub fn whole_number(value: &str) -> Option<i64> {
        match value.trim().parse::<i64>() {
            Ok(number) => Some(number),
            Err(error) if *error.kind() == IntErrorKind::PosOverflow => Some(i64::MAX),
            Err(error) if *error.kind() == IntErrorKind::NegOverflow => Some(i64::MIN),
            Err(_) => None,
        }
    }

    /// The store's query: the filters that `kind` declares.
    #[must_use]
    pub fn query(&self, kind: &'static Kind) -> Query {
        let filters = kind
            .parameters()
            .filter_map(|column| self.parameter(column.name).map(|value| (column.name, value.to_owned())))
            .collect();
        Query { filters, ..self.page() }
    }

    /// The store's query without filters. What is only shown is shown without the records that cannot be read.
    #[must_use]
    pub fn page(&self) -> Query {
        let given = |name| self.parameter(name).map(ToOwned::to_owned);
        Query {
            limit: self.limit(),
            offset: self.offset(),
            cursor: given("cursor"),
            since: given("since"),
            committed: self.parameter("order") == Some(COMMITTED),
            bytes: Some(PAGE_BYTES),
            unreadable: Unreadable::Skip,
            ..Query::default()
        }
    }

    /// What is answered with a page. `next_cursor` is where the next one begins, if there is one. `limit` is how many records
    /// it was allowed to hold: for one that was full before, that is how many it holds, so that the next one begins where it
    /// ends.
    #[must_use]
    pub fn answer(&self, page: Page) -> Object {
        let limit = if page.full { page.places } else { self.limit() };
        let mut answer = Object::from_iter([
            ("items".to_owned(), page.items.into_iter().map(Value::Object).collect()),
            ("total".to_owned(), json!(page.total)),
            ("limit".to_owned(), json!(limit)),
            ("offset".to_owned(), json!(self.offset())),
        ]);
        answer.extend(page.next_cursor.map(|cursor| ("next_cursor".to_owned(), Value::String(cursor))));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paging_is_clamped() {
        let page = |limit, offset| {
            let request = PageRequest { limit, offset, ..PageRequest::default() };
            (request.limit(), request.offset())
        };
        assert_eq!(page(None, None), (50, 0));
        assert_eq!(page(Some(0), Some(-4)), (1, 0));
        assert_eq!(page(Some(9999), Some(7)), (500, 7));
        assert_eq!(page(Some(-1), None), (1, 0));
    }

    #[test]
    fn a_full_page_says_how_much_it_holds() {
        let request = PageRequest { limit: Some(9), offset: Some(3), ..PageRequest::default() };
        let page = |full| Page { items: vec![Object::new(); 2], places: 2, total: 40, full, ..Page::default() };
        let more = Page { next_cursor: Some("c".to_owned()), ..page(false) };
        assert_eq!(request.answer(more)["next_cursor"], json!("c"));
        let answer = |full| Value::Object(request.answer(page(full)));
        assert_eq!(answer(false), json!({"items": [{}, {}], "total": 40, "limit": 9, "offset": 3}));
        assert_eq!(answer(true), json!({"items": [{}, {}], "total": 40, "limit": 2, "offset": 3}));
    }

    #[test]
    fn empty_filters_do_not_filter() {
        let request = PageRequest {
            parameters: vec![
                ("agent_id".into(), String::new()),
                ("decision".into(), "block".into()),
                ("target".into(), "x".into()),
            ],
            ..PageRequest::default()
        };
        assert_eq!(request.query(&cavra_model::DECISIONS).filters, [("decision", "block".to_owned())]);
    }
}
