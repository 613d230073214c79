//! Where in an export its records are: the lists that tools wrap them in, pages, single records, osquery's logs.
//!
//! What a list of objects is, pages or records, shows only when all of them are seen. So both readings go on side by side
//! until one is impossible, and the observations of that one are retracted.

use cavra_json::{Members, Node};
use serde_json::Value;

use crate::path::{first, says_something, values};
use crate::reading::{Context, Place, Reading};
use crate::{ABOUT, Batch, Object, RECORD_BYTES, Refusal, Summary, Tool};

/// Members that hold one record instead of a list.
const SINGLE: [&str; 3] = ["host", "computer", "device"];

/// Where pages say that there are more: texts that name the next one.
const NEXT: [&str; 3] = ["@odata.nextLink", "pagination.nextCursor", "next"];

/// Where pages say how many records there are in all of them.
const TOTAL: [&str; 4] = ["totalCount", "pagination.totalItems", "meta.pagination.total", "data.total_affected_items"];

/// The part of the records' reading; parts of the pages' reading are numbered behind it.
const RECORDS: u32 = 0;

/// osquery's rows of a log line. They stand in a record's stead, and know their host from the line around them.
const SNAPSHOT: &str = "snapshot";

/// An export so far, as the objects in its outermost list, or in a row, or alone.
#[derive(Debug)]
pub struct Export {
    context: Context,
    /// As pages; none once an object was no page.
    pages: Option<Reading>,
    /// As records.
    records: Reading,
    /// A page that is too large to be a record.
    no_record: Option<Refusal>,
    items: usize,
    /// The first object as a reading of its own, if it has no list: it counts if the object stands alone.
    alone: Option<(Vec<Node<'static>>, bool)>,
    /// What the first object says about itself.
    about: Object,
    page: Option<Page>,
    part: u32,
}

/// The page that is being read.
#[derive(Debug)]
struct Page {
    /// Where in the pages' reading it begins.
    place: Option<Place>,
    /// Lists that it has, by their rank among the tool's.
    lists: Vec<usize>,
    /// The one that counts so far: the most telling that is not empty.
    chosen: Option<usize>,
    /// Its entries.
    count: usize,
    current: usize,
}

impl Export {
    pub fn new(context: Context) -> Self {
        Self {
            context,
            pages: Some(Reading::default()),
            records: Reading::default(),
            no_record: None,
            items: 0,
            alone: None,
            about: Object::new(),
            page: None,
            part: RECORDS,
        }
    }

    /// Whether an object could be a page.
    pub fn expects_pages(&self) -> bool {
        self.pages.is_some()
    }

    /// Objects and other entries so far.
    pub fn items(&self) -> usize {
        self.items
    }

    /// The rank of the list with this name. Rows of a log line are no list by themselves.
    pub fn rank(&self, name: &str) -> Option<usize> {
        let tool = self.context.tool;
        tool.lists.iter().position(|list| *list == name && name != SNAPSHOT)
    }

    /// An entry that is no page.
    pub fn entry(&mut self, value: Node<'_>, batch: &mut Batch) {
        self.items += 1;
        self.alone = None;
        if let Some(pages) = self.pages.take() {
            pages.retract(batch);
        }
        self.records.entry(value, RECORDS, &self.context, batch);
    }

    /// An object begins that may be a page.
    pub fn begin_page(&mut self) {
        let place = self.pages.as_mut().map(Reading::place);
        self.page = Some(Page { place, lists: Vec::new(), chosen: None, count: 0, current: usize::MAX });
    }

    /// A list of the page begins.
    pub fn begin_list(&mut self, rank: usize) {
        if let Some(page) = &mut self.page {
            page.lists.push(rank);
            page.current = rank;
        }
    }

    /// Whether the page has this list already.
    pub fn has_list(&self, rank: usize) -> bool {
        self.page.as_ref().is_some_and(|page| page.lists.contains(&rank))
    }

    /// An entry of the list that has begun.
    pub fn list_entry(&mut self, value: Node<'_>, batch: &mut Batch) {
        let (Some(page), Some(pages)) = (&mut self.page, &mut self.pages) else { return };
        match page.chosen {
            Some(chosen) if chosen < page.current => return,
            Some(chosen) if chosen == page.current => {}
            _ => {
                // What was read of a less telling list does not count.
                if let Some(place) = page.place.take() {
                    pages.back_to(place, batch);
                }
                page.place = Some(pages.place());
                page.chosen = Some(page.current);
                page.count = 0;
                self.part += 1;
            }
        }
        page.count += 1;
        pages.entry(value, self.part, &self.context, batch);
    }

    /// The page ends. `head` is what it has beside lists, `whole` all of it, if that is no more than a record may be.
    pub fn end_page(
        &mut self,
        head: Members<'_>,
        whole: Option<Node<'_>>,
        too_large: impl FnOnce() -> Refusal,
        batch: &mut Batch,
    ) {
        self.items += 1;
        let Some(page) = self.page.take() else { return };
        match self.lists(&page, &head) {
            Some(records) => self.as_page(&page, &head, records, batch),
            None => {
                if let Some(pages) = self.pages.take() {
                    pages.retract(batch);
                }
            }
        }
        self.alone = None;
        if self.items == 1 {
            self.about = about(&head);
            self.alone = self.pages.is_none().then(|| single(head)).flatten();
        }
        match whole {
            Some(value) => self.records.entry(value, RECORDS, &self.context, batch),
            None => self.no_record = self.no_record.take().or_else(|| Some(too_large())),
        }
    }

    /// The records that stand in a page's head, if the page has lists at all.
    fn lists<'h>(&self, page: &Page, head: &'h Members<'h>) -> Option<Vec<Node<'h>>> {
        let rows = || head.get(SNAPSHOT).and_then(Node::as_array);
        let counted = self.context.tool.lists.contains(&SNAPSHOT);
        let nested = || self.context.tool.nested.iter().find_map(|path| nested(head, path));
        let listed = !page.lists.is_empty() || (counted && rows().is_some()) || nested().is_some();
        if !listed {
            return None;
        }
        let full = || counted && rows().is_some_and(|rows| !rows.is_empty());
        if page.chosen.is_some() || (observations(page, self.context.tool, head) && !full()) {
            return Some(Vec::new());
        }
        let records = rows().map(|rows| inherited(rows, head));
        Some(records.or_else(|| nested().cloned()).unwrap_or_default())
    }

    fn as_page(&mut self, page: &Page, head: &Members<'_>, records: Vec<Node<'_>>, batch: &mut Batch) {
        let Some(pages) = &mut self.pages else { return };
        if incomplete(head, page.count + records.len()) {
            pages.incomplete();
        }
        self.part += 1;
        for record in records {
            pages.entry(record, self.part, &self.context, batch);
        }
    }

    /// The export ends. `listed`: its objects stand in a list.
    ///
    /// # Errors
    /// [`Refusal`] of the reading that counts.
    pub fn finish(mut self, listed: bool, batch: &mut Batch) -> Result<Summary, Refusal> {
        let alone = !listed && self.items <= 1;
        let about = if alone { std::mem::take(&mut self.about) } else { Object::new() };
        self.summary(alone, batch).map(|summary| Summary { about, ..summary })
    }

    fn summary(mut self, alone: bool, batch: &mut Batch) -> Result<Summary, Refusal> {
        if let Some(pages) = self.pages.take_if(|_| self.items > 0) {
            self.records.retract(batch);
            return pages.summary(&self.context);
        }
        if !alone {
            return match self.no_record {
                Some(refusal) => Err(refusal),
                None => self.records.summary(&self.context),
            };
        }
        let (records, incomplete) = self.alone.ok_or(Refusal::NoRecords)?;
        self.records.retract(batch);
        let mut reading = Reading::default();
        if incomplete {
            reading.incomplete();
        }
        for record in records {
            reading.entry(record, self.part + 1, &self.context, batch);
        }
        reading.summary(&self.context)
    }
}

/// What a page says about itself.
fn about(head: &Members<'_>) -> Object {
    let said = ABOUT.iter().filter_map(|name| Some((*name, head.get(name)?)));
    let said = said.filter(|(_, value)| !value.is_null() && value.as_str() != Some(""));
    said.map(|(name, value)| {
        let value = if says_something(value) { value.to_value() } else { Value::Bool(false) };
        (name.to_owned(), value)
    })
    .collect()
}

/// Whether a page with so many records says that there are more.
fn incomplete(head: &Members<'_>, count: usize) -> bool {
    let text = |value: &Node<'_>| value.as_str().is_some_and(|text| !text.is_empty());
    let next = |path: &str| head.get(path).is_some_and(text) || first(head, path).is_some_and(text);
    let total = TOTAL.iter().filter_map(|path| first(head, path)?.as_u64()).max();
    NEXT.iter().any(|path| next(path))
        || total.is_some_and(|total| usize::try_from(total).is_ok_and(|total| total > count))
}

/// Whether these are observations of cavra's own, and none.
fn observations(page: &Page, tool: &Tool, head: &Members<'_>) -> bool {
    let endpoints = tool.lists.iter().position(|list| *list == "endpoints");
    let own = head.get("schema_version").and_then(Node::as_str) == Some("cavra.endpoint-observations.v1");
    own && endpoints.is_some_and(|rank| page.lists.contains(&rank))
}

/// The records of an object without lists that stands alone, and whether it says that there are more.
fn single(head: Members<'_>) -> Option<(Vec<Node<'static>>, bool)> {
    let head = head.into_owned();
    if let Some(Node::List(rows)) = head.get(SNAPSHOT) {
        let records = inherited(rows, &head).into_iter().map(Node::into_owned).collect();
        return Some((records, incomplete(&head, rows.len())));
    }
    if head.get("columns").is_some_and(Node::is_object) {
        return Some((vec![Node::Object(head)], false));
    }
    let record = SINGLE.iter().find_map(|name| head.get(name).filter(|value| value.is_object()));
    record.map(|record| (vec![record.clone()], false))
}

/// Rows of a log line, each with the host and time of the line.
fn inherited<'h>(rows: &[Node<'h>], line: &Members<'h>) -> Vec<Node<'h>> {
    let inherit = |row: &Node<'h>| {
        let mut record = Members::default();
        for name in ["hostIdentifier", "unixTime"] {
            if let Some(value) = line.get(name) {
                record.insert(name, value.clone());
            }
        }
        record.insert("columns", row.clone());
        Node::Object(record)
    };
    rows.iter().map(inherit).collect()
}

/// A list inside another member.
fn nested<'a>(head: &'a Members<'a>, path: &str) -> Option<&'a Vec<Node<'a>>> {
    values(head, path).into_iter().find_map(Node::as_array)
}

/// What a record that is too large is told.
pub fn too_large() -> String {
    format!("more than {RECORD_BYTES} bytes in one record")
}
