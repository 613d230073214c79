//! Delimited text (RFC 4180): a line of column names, then a record each. Commas, semicolons and tabs separate; quoted
//! values may hold line breaks; names count whatever their case and spacing.

use std::borrow::Cow;

use cavra_json::{Members, Node};

use crate::reading::{Context, Reading};
use crate::tools::{Column, folded};
use crate::{Batch, Fault, RECORD_BYTES, Refusal, Summary};

/// Most columns of a line.
const MAX_COLUMNS: usize = 4096;

/// Columns named that no table knows.
const UNKNOWN_SHOWN: usize = 32;

/// Characters kept of such a name.
const NAME_CHARS: usize = 64;

/// A file of delimited text.
#[derive(Debug)]
pub struct Table {
    context: Context,
    reading: Reading,
    separator: Option<u8>,
    /// The line of names, until a separator is known.
    columns: Option<Vec<Option<Column>>>,
    unknown: Vec<String>,
    field: Vec<u8>,
    fields: Vec<Vec<u8>>,
    at: At,
    line_bytes: usize,
    offset: u64,
    began: u64,
    lines: u64,
}

/// Where in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// At the beginning of a value.
    Start,
    /// In a value without quotes.
    Plain,
    /// Between quotes.
    Quoted,
    /// Behind a quote between quotes: the end, or half of a doubled one.
    Quote,
    /// Behind a carriage return that ended a line.
    Return,
}

impl Table {
    /// Begins with so many bytes gone before.
    pub fn new(context: Context, offset: u64) -> Self {
        Self {
            context,
            reading: Reading::default(),
            separator: None,
            columns: None,
            unknown: Vec::new(),
            field: Vec::new(),
            fields: Vec::new(),
            at: At::Start,
            line_bytes: 0,
            offset,
            began: offset,
            lines: 0,
        }
    }

    /// The next bytes.
    pub fn chunk(&mut self, bytes: &[u8], batch: &mut Batch) -> Result<(), Refusal> {
        for byte in bytes {
            self.byte(*byte, batch)?;
            self.offset += 1;
        }
        Ok(())
    }

    /// No more bytes.
    pub fn finish(mut self, batch: &mut Batch) -> Result<Summary, Refusal> {
        if self.at == At::Quoted {
            return Err(self.fault("the export ends between quotes".to_owned()));
        }
        self.end_line(batch)?;
        if self.columns.is_none() {
            return Err(Refusal::NoRecords);
        }
        let mut summary = self.reading.summary(&self.context)?;
        summary.unknown_columns = self.unknown;
        Ok(summary)
    }

    fn byte(&mut self, byte: u8, batch: &mut Batch) -> Result<(), Refusal> {
        self.line_bytes += 1;
        if self.line_bytes > RECORD_BYTES {
            return Err(self.fault(crate::envelope::too_large()));
        }
        match (self.at, byte) {
            (At::Return, b'\n') => {
                self.at = At::Start;
                self.line_bytes = 0;
                self.began = self.offset + 1;
            }
            (At::Quoted, b'"') => self.at = At::Quote,
            (At::Quoted, _) => self.field.push(byte),
            (At::Quote, b'"') => {
                self.field.push(byte);
                self.at = At::Quoted;
            }
            (_, b'\n' | b'\r') => {
                self.end_line(batch)?;
                self.began = self.offset + 1;
                self.at = if byte == b'\r' { At::Return } else { At::Start };
            }
            (At::Start | At::Return, b'"') => self.at = At::Quoted,
            (_, b',' | b';' | b'\t') if self.separates(byte) => {
                self.end_field()?;
                self.at = At::Start;
            }
            (At::Quote, _) => return Err(self.fault("text behind a closing quote".to_owned())),
            _ => {
                self.field.push(byte);
                self.at = At::Plain;
            }
        }
        Ok(())
    }

    /// Whether a byte separates values. The first candidate in the file decides.
    fn separates(&mut self, byte: u8) -> bool {
        *self.separator.get_or_insert(byte) == byte
    }

    fn end_field(&mut self) -> Result<(), Refusal> {
        if self.fields.len() >= MAX_COLUMNS {
            return Err(self.fault(format!("more than {MAX_COLUMNS} columns")));
        }
        self.fields.push(std::mem::take(&mut self.field));
        Ok(())
    }

    fn end_line(&mut self, batch: &mut Batch) -> Result<(), Refusal> {
        self.line_bytes = 0;
        if self.fields.is_empty() && self.field.iter().all(u8::is_ascii_whitespace) {
            self.field.clear();
            return Ok(());
        }
        self.end_field()?;
        let fields = std::mem::take(&mut self.fields);
        let mut texts = Vec::with_capacity(fields.len());
        for field in fields {
            texts.push(String::from_utf8(field).map_err(|_| self.fault("text that is not UTF-8".to_owned()))?);
        }
        match &self.columns {
            // What Excel writes in front of the names to say what separates.
            None if texts.len() == 2 && texts.iter().map(String::as_str).eq(["sep=", ""]) => Ok(()),
            None => self.names(&texts),
            Some(columns) if texts.iter().skip(columns.len()).any(|text| !text.is_empty()) => {
                Err(self.fault(format!("{} values for {} columns", texts.len(), columns.len())))
            }
            Some(columns) => {
                self.lines += 1;
                let record = record(columns, &texts);
                self.reading.entry(Node::Object(record), 0, &self.context, batch);
                Ok(())
            }
        }
    }

    /// The line of names. Without a single one that means something, this is another file.
    fn names(&mut self, names: &[String]) -> Result<(), Refusal> {
        let tool = self.context.tool;
        let columns: Vec<_> = names.iter().map(|name| tool.column(&folded(name))).collect();
        if columns.iter().all(Option::is_none) {
            return Err(Refusal::NoRecords);
        }
        let unknown = names.iter().zip(&columns).filter(|(name, column)| column.is_none() && !name.is_empty());
        self.unknown = unknown.take(UNKNOWN_SHOWN).map(|(name, _)| name.chars().take(NAME_CHARS).collect()).collect();
        self.columns = Some(columns);
        Ok(())
    }

    fn fault(&self, message: String) -> Refusal {
        let record = self.columns.is_some().then_some(self.lines + 1);
        Refusal::Unreadable(Fault { offset: self.began, record, message })
    }
}

/// A line as a record: under each name the first value that says something.
fn record<'t>(columns: &[Option<Column>], texts: &'t [String]) -> Members<'t> {
    let mut record = Members::default();
    let mut tags = Vec::new();
    let of_text = |text: &'t str| Node::Text(Cow::Borrowed(text));
    for (column, text) in columns.iter().zip(texts) {
        let text = text.trim();
        match column {
            _ if text.is_empty() => {}
            None => {}
            Some(Column::Fact(name)) if record.contains_key(name) => {}
            Some(Column::Fact(name)) => record.insert(*name, of_text(text)),
            Some(Column::Tags) => {
                tags.push(of_text(text));
                let parts = text.split([',', ';', '|']).map(str::trim).filter(|part| *part != text && !part.is_empty());
                tags.extend(parts.map(of_text));
            }
        }
    }
    if !tags.is_empty() {
        record.insert("tags", Node::List(tags));
    }
    record
}
