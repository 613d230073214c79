//! Listings: pages of lists that are put together of several kinds of records, or of what stands inside of them. They are
//! paged and walked as the lists of one kind are: by offset, by cursor, from a time on, in the order of commits.

use cavra_model::{EVIDENCE_METADATA, Object};
use cavra_store::{Criterion, Mark, Page, Query, Standing, Test};

use super::Desk;
use crate::page::PAGE_BYTES;
use crate::{App, CoreError, MAX_LIMIT, PageRequest};

/// What is asked of a listing.
pub(super) struct Listing<'a> {
    name: &'static str,
    request: &'a PageRequest,
    committed: bool,
    began: Option<Mark>,
    /// The last place that had been given away when it was begun.
    settled: i64,
}

/// Something that was found.
pub(super) enum Item {
    /// A record, by its key; it is read when it is shown.
    Record(String),
    /// A row that was made of one.
    Row(Object),
}

impl<'a> Listing<'a> {
    /// A listing by its name, which its cursors carry.
    pub async fn begin(app: &App, name: &'static str, request: &'a PageRequest) -> Result<Self, CoreError> {
        let query = request.page();
        let began = query.cursor.as_deref().map(|text| Mark::parse(name, query.committed, text)).transpose()?;
        let settled = app.evidence.store().last_place(&EVIDENCE_METADATA).await?;
        Ok(Self { name, request, committed: query.committed, began, settled })
    }

    /// Shows `visit` every record of a `metadata_kind` from the time on that is asked for.
    pub async fn each(
        &self,
        desk: Desk<'_>,
        value: &str,
        mut visit: impl FnMut(Standing, Object),
    ) -> Result<(), CoreError> {
        let of_kind = Criterion { member: "metadata_kind", test: Test::Equals(value.to_owned()) };
        let mut query = Query {
            criteria: vec![of_kind],
            limit: MAX_LIMIT,
            offset: 0,
            cursor: None,
            bytes: Some(PAGE_BYTES),
            standings: true,
            ..self.request.page()
        };
        loop {
            let page = desk.app.evidence.store().list(&EVIDENCE_METADATA, query.clone()).await?;
            let settled = |standing: &Standing| standing.position() <= self.settled;
            for (standing, record) in page.standings.into_iter().zip(page.items) {
                if settled(&standing) {
                    visit(standing, record);
                }
            }
            if page.next_cursor.is_none() || page.places == 0 {
                return Ok(());
            }
            query.cursor = page.next_cursor;
        }
    }

    /// The page of everything that was found.
    pub async fn page(&self, app: &App, mut found: Vec<(Standing, Item)>) -> Result<Page, CoreError> {
        found.sort_by(|(left, _), (right, _)| left.compare(right, &EVIDENCE_METADATA, self.committed));
        let total = found.len();
        if let Some(began) = &self.began {
            found.retain(|(standing, _)| began.is_before(&EVIDENCE_METADATA, standing));
        }
        let skipped = usize::try_from(self.request.offset()).unwrap_or(usize::MAX);
        let (limit, mut room) = (self.request.limit(), PAGE_BYTES);
        let mut page = Page { total: u64::try_from(total).unwrap_or(u64::MAX), ..Page::default() };
        let (mut last, mut more) = (None, false);
        for (standing, item) in found.into_iter().skip(skipped) {
            more = page.places == limit;
            if more {
                break;
            }
            let record = match item {
                Item::Record(id) => app.evidence.store().get(&EVIDENCE_METADATA, &id).await?,
                Item::Row(row) => Some(row),
            };
            if let Some(record) = record {
                let size = u64::try_from(serde_json::json!(record).to_string().len()).unwrap_or(u64::MAX);
                if size > room && !page.items.is_empty() {
                    (page.full, more) = (true, true);
                    break;
                }
                room = room.saturating_sub(size);
                page.items.push(record);
            }
            page.places += 1;
            last = Some(standing);
        }
        if let Some(last) = last.filter(|_| more || self.committed) {
            let cursor = Mark::after(self.name, self.committed, &last, self.settled, self.began.as_ref());
            page.next_cursor = Some(cursor);
        }
        Ok(page)
    }
}
