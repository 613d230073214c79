//! JSON while it streams by: the outermost lists and objects are walked, what stands in them is cut out and read whole.

use cavra_json::{Node, read_node};
use memchr::memchr2;

use crate::envelope::{Export, too_large};
use crate::reading::Context;
use crate::{Batch, Fault, RECORD_BYTES, Refusal, Summary};

/// A stream of JSON: one value, or a row of them as in JSON Lines.
#[derive(Debug)]
pub struct Scanner {
    export: Export,
    at: At,
    offset: u64,
    /// The value that is being cut out.
    cut: Option<Cut>,
    text: Vec<u8>,
    /// Where it begins.
    began: u64,
    /// The member of the page whose value comes next.
    name: String,
    rank: Option<usize>,
    /// The page without its lists, as an object.
    head: Vec<u8>,
    /// The page with everything, while that is no more than a record may be.
    whole: Option<Vec<u8>>,
    in_page: bool,
    page_began: u64,
    /// Lists of the page so far.
    lists: Vec<String>,
    /// Whether the outermost value is a list.
    listed: bool,
    /// Values read as records so far.
    entries: u64,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// A value of the row.
    Row,
    /// In the outermost list.
    Outermost(Turn),
    /// In a page.
    Page(Turn),
    /// In a list of a page.
    List(Turn),
    /// Nothing more.
    End,
}

/// What comes next in a list or an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The first entry or the end.
    First,
    /// An entry: a value, or a member's name.
    Entry,
    /// The colon behind a name.
    Colon,
    /// A member's value.
    Value,
    /// A comma or the end.
    After,
}

/// How far a value is cut out.
#[derive(Debug)]
enum Cut {
    /// A number or a word.
    Plain,
    /// A text; whether the next byte is escaped.
    Text { escaped: bool },
    /// A list or object; in a text in it, perhaps behind a backslash.
    Nested { depth: u32, in_text: bool, escaped: bool },
}

impl Cut {
    fn of(byte: u8) -> Self {
        match byte {
            b'"' => Self::Text { escaped: false },
            b'[' | b'{' => Self::Nested { depth: 0, in_text: false, escaped: false },
            _ => Self::Plain,
        }
    }

    /// How many of the bytes belong to the value, and whether it ends there. `begun` is false for its first byte.
    fn take(&mut self, bytes: &[u8], begun: bool) -> (usize, bool) {
        match self {
            Self::Plain => match bytes.iter().position(|byte| ends_plain(*byte)) {
                Some(end) => (end, true),
                None => (bytes.len(), false),
            },
            Self::Text { escaped } => {
                let from = usize::from(!begun);
                match text_end(bytes, from, escaped) {
                    Some(end) => (end, true),
                    None => (bytes.len(), false),
                }
            }
            Self::Nested { depth, in_text, escaped } => nested_end(bytes, depth, in_text, escaped),
        }
    }
}

/// Where a text ends, behind its last quote, that goes on at a place of the bytes.
fn text_end(bytes: &[u8], mut from: usize, escaped: &mut bool) -> Option<usize> {
    loop {
        if std::mem::take(escaped) {
            from += 1;
        }
        let rest = bytes.get(from..).filter(|rest| !rest.is_empty());
        let Some(rest) = rest else {
            // What is escaped comes with the next bytes.
            *escaped = from > bytes.len();
            return None;
        };
        let at = memchr2(b'"', b'\\', rest)?;
        from += at + 1;
        if rest.get(at) == Some(&b'"') {
            return Some(from);
        }
        *escaped = true;
    }
}

/// How many bytes belong to a list or an object, and whether it ends there.
fn nested_end(bytes: &[u8], depth: &mut u32, in_text: &mut bool, escaped: &mut bool) -> (usize, bool) {
    let mut at = 0;
    loop {
        if *in_text {
            match text_end(bytes, at, escaped) {
                Some(end) => at = end,
                None => return (bytes.len(), false),
            }
            *in_text = false;
        }
        let mut rest = bytes.iter().enumerate().skip(at);
        let Some((index, byte)) = rest.find(|(_, byte)| matches!(byte, b'"' | b'[' | b'{' | b']' | b'}')) else {
            return (bytes.len(), false);
        };
        at = index + 1;
        match byte {
            b'"' => *in_text = true,
            b'[' | b'{' => *depth += 1,
            _ => {
                *depth -= 1;
                if *depth == 0 {
                    return (at, true);
                }
            }
        }
    }
}

fn ends_plain(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' | b'[' | b']' | b'{' | b'}' | b'"')
}

impl Scanner {
    /// Begins with so many bytes gone before.
    pub fn new(context: Context, offset: u64) -> Self {
        Self {
            export: Export::new(context),
            at: At::Row,
            offset,
            cut: None,
            text: Vec::new(),
            began: 0,
            name: String::new(),
            rank: None,
            head: Vec::new(),
            whole: None,
            in_page: false,
            page_began: 0,
            lists: Vec::new(),
            listed: false,
            entries: 0,
        }
    }

    /// The next bytes.
    pub fn chunk(&mut self, mut bytes: &[u8], batch: &mut Batch) -> Result<(), Refusal> {
        while let Some(byte) = bytes.first() {
            let within = self.in_page;
            let used = match &mut self.cut {
                None => self.step(*byte)?,
                Some(cut) => {
                    let (used, done) = cut.take(bytes, !self.text.is_empty());
                    let taken = bytes.get(..used).unwrap_or_default();
                    if self.text.len() + taken.len() > RECORD_BYTES {
                        return Err(self.fault(self.began, too_large()));
                    }
                    self.text.extend_from_slice(taken);
                    if done {
                        self.cut = None;
                        self.value(batch)?;
                    }
                    used
                }
            };
            let (taken, rest) = bytes.split_at_checked(used).unwrap_or((bytes, &[]));
            if within || self.in_page {
                self.keep(taken);
            }
            if within && !self.in_page {
                self.end_page(batch)?;
            }
            self.offset += u64::try_from(used).unwrap_or_default();
            bytes = rest;
        }
        Ok(())
    }

    /// No more bytes.
    pub fn finish(mut self, batch: &mut Batch) -> Result<Summary, Refusal> {
        if self.at == At::Row && matches!(self.cut, Some(Cut::Plain)) {
            self.cut = None;
            self.value(batch)?;
        }
        if self.cut.is_some() || !matches!(self.at, At::Row | At::End) {
            return Err(self.fault(self.offset, "the export ends in the middle".to_owned()));
        }
        self.export.finish(self.at == At::End, batch)
    }

    /// One byte between values: used, or the first of a value.
    fn step(&mut self, byte: u8) -> Result<usize, Refusal> {
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return Ok(1);
        }
        self.at = match (self.at, byte) {
            (At::Row, b'[') if self.export.items() == 0 => {
                self.listed = true;
                At::Outermost(Turn::First)
            }
            (At::Outermost(Turn::First | Turn::After), b']') => At::End,
            (At::Outermost(Turn::After), b',') => At::Outermost(Turn::Entry),
            (At::Row | At::Outermost(Turn::First | Turn::Entry), b'{') if self.export.expects_pages() => {
                self.begin_page();
                At::Page(Turn::First)
            }
            (At::Page(Turn::Colon), b':') => At::Page(Turn::Value),
            (At::Page(Turn::Value), b'[') if self.rank.is_some() => {
                self.begin_list()?;
                At::List(Turn::First)
            }
            (At::List(Turn::First | Turn::After), b']') => At::Page(Turn::After),
            (At::List(Turn::After), b',') => At::List(Turn::Entry),
            (At::Page(Turn::After), b',') => At::Page(Turn::Entry),
            (At::Page(Turn::First | Turn::After), b'}') => {
                self.in_page = false;
                self.outside()
            }
            (At::Page(Turn::First | Turn::Entry), b'"')
            | (At::Row | At::Page(Turn::Value), _)
            | (At::Outermost(Turn::First | Turn::Entry) | At::List(Turn::First | Turn::Entry), _) => {
                return self.begin(byte);
            }
            _ => return Err(self.fault(self.offset, NOT_JSON.to_owned())),
        };
        Ok(1)
    }

    fn begin(&mut self, byte: u8) -> Result<usize, Refusal> {
        if ends_plain(byte) && !matches!(byte, b'[' | b'{' | b'"') {
            return Err(self.fault(self.offset, NOT_JSON.to_owned()));
        }
        self.began = self.offset;
        self.text.clear();
        self.cut = Some(Cut::of(byte));
        Ok(0)
    }

    fn begin_page(&mut self) {
        self.export.begin_page();
        self.in_page = true;
        self.page_began = self.offset;
        self.lists.clear();
        self.head = b"{".to_vec();
        self.whole = Some(Vec::new());
    }

    fn begin_list(&mut self) -> Result<(), Refusal> {
        if let Some(rank) = self.rank {
            if self.export.has_list(rank) {
                return Err(self.fault(self.offset, TWICE.to_owned()));
            }
            self.export.begin_list(rank);
        }
        self.lists.push(self.name.clone());
        Ok(())
    }

    /// Keeps what was read of a page, as long as it may be a record.
    fn keep(&mut self, taken: &[u8]) {
        match &mut self.whole {
            Some(whole) if whole.len() + taken.len() <= RECORD_BYTES => whole.extend_from_slice(taken),
            whole => *whole = None,
        }
    }

    fn end_page(&mut self, batch: &mut Batch) -> Result<(), Refusal> {
        let (mut head, whole) = (std::mem::take(&mut self.head), self.whole.take());
        head.push(b'}');
        let head = self.read(self.page_began, &head)?;
        let whole = whole.as_deref().map(|whole| self.read(self.page_began, whole)).transpose()?;
        let Node::Object(head) = head else { return Ok(()) };
        if self.lists.iter().any(|name| head.contains_key(name)) {
            return Err(self.fault(self.page_began, TWICE.to_owned()));
        }
        let refusal = self.fault(self.page_began, too_large());
        self.export.end_page(head, whole, || refusal, batch);
        Ok(())
    }

    /// What follows a value of the outermost level.
    fn outside(&self) -> At {
        if self.listed { At::Outermost(Turn::After) } else { At::Row }
    }

    /// A value that was cut out.
    fn value(&mut self, batch: &mut Batch) -> Result<(), Refusal> {
        let text = std::mem::take(&mut self.text);
        self.at = self.behind(&text, batch)?;
        self.text = text;
        Ok(())
    }

    /// Takes a value that was cut out; answers what comes behind it.
    fn behind(&mut self, text: &[u8], batch: &mut Batch) -> Result<At, Refusal> {
        Ok(match self.at {
            At::Page(Turn::Value) => {
                self.member(text)?;
                At::Page(Turn::After)
            }
            At::Page(_) => {
                let name = self.read(self.began, text)?;
                name.as_str().unwrap_or_default().clone_into(&mut self.name);
                self.rank = self.export.rank(&self.name);
                At::Page(Turn::Colon)
            }
            at => {
                let value = self.read(self.began, text)?;
                self.entries += 1;
                if matches!(at, At::List(_)) {
                    self.export.list_entry(value, batch);
                    At::List(Turn::After)
                } else {
                    self.export.entry(value, batch);
                    self.outside()
                }
            }
        })
    }

    /// Puts a member that is no list into the page's head.
    fn member(&mut self, text: &[u8]) -> Result<(), Refusal> {
        let name = Node::Text(self.name.as_str().into()).to_string();
        if self.head.len() + name.len() + text.len() > RECORD_BYTES {
            return Err(self.fault(self.began, too_large()));
        }
        if self.head.len() > 1 {
            self.head.push(b',');
        }
        self.head.extend_from_slice(name.as_bytes());
        self.head.push(b':');
        self.head.extend_from_slice(text);
        Ok(())
    }

    fn read<'t>(&self, began: u64, text: &'t [u8]) -> Result<Node<'t>, Refusal> {
        read_node(text).map_err(|error| self.fault(began, error.fault()))
    }

    /// What is wrong with what begins there.
    fn fault(&self, offset: u64, message: String) -> Refusal {
        let item = u64::try_from(self.export.items()).unwrap_or(u64::MAX);
        let record = match self.at {
            At::List(_) => Some(self.entries + 1),
            At::Outermost(_) => Some(item + 1),
            At::Page(_) | At::Row => (self.listed || item > 0).then_some(item + 1),
            At::End => None,
        };
        Refusal::Unreadable(Fault { offset, record, message })
    }
}

/// What is said of bytes that JSON does not allow where they stand.
const NOT_JSON: &str = "not JSON";

/// What is said of a page with a list twice.
const TWICE: &str = "an object with two members of the same name";
