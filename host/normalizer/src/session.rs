//! One export from its first chunk to its last.

use std::collections::BTreeMap;

use cavra_json::read_json;
use serde_json::Value;

use crate::csv::Table;
use crate::decode::{Decoder, Malformed};
use crate::reading::Context;
use crate::scan::Scanner;
use crate::vendors::ROW;
use crate::{Batch, FACT_BYTES, Fault, Refusal, Summary, Tool};

/// What is said about an export in front of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Which deployment target a text of the vendor means.
    pub target_map: BTreeMap<String, String>,
}

impl Settings {
    /// Settings as JSON: an object whose `target_map` is an object of texts.
    ///
    /// # Errors
    /// [`Refusal::Settings`].
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let wrong = |what: &str| Refusal::Settings(what.to_owned());
        let Ok(Value::Object(settings)) = read_json(text.as_bytes()) else {
            return Err(wrong("the settings are no JSON object"));
        };
        let map = match settings.get("target_map") {
            None => return Ok(Self::default()),
            Some(Value::Object(map)) => map,
            Some(_) => return Err(wrong("target_map must be an object of texts")),
        };
        let mut target_map = BTreeMap::new();
        for (text, target) in map {
            let target = target.as_str().ok_or_else(|| wrong("target_map must be an object of texts"))?;
            if target.len() > FACT_BYTES {
                return Err(wrong("target_map has a target that is too long"));
            }
            target_map.insert(text.clone(), target.to_owned());
        }
        Ok(Self { target_map })
    }
}

/// An export that is being read. It may be JSON, JSON Lines or delimited text; which, its first byte tells.
#[derive(Debug)]
pub struct Session {
    decoder: Decoder,
    format: Format,
    tool: &'static Tool,
}

#[derive(Debug)]
enum Format {
    Unknown { map: BTreeMap<String, String>, blank: u64 },
    Json(Box<Scanner>),
    Text(Box<Table>),
}

impl Session {
    /// Begins an export of the tool.
    #[must_use]
    pub fn open(tool: &'static Tool, settings: Settings) -> Self {
        let format = Format::Unknown { map: settings.target_map, blank: 0 };
        Self { decoder: Decoder::default(), format, tool }
    }

    /// The next bytes, cut anywhere.
    ///
    /// # Errors
    /// [`Refusal`]; the export is over then.
    pub fn chunk(&mut self, bytes: &[u8]) -> Result<Batch, Refusal> {
        let mut batch = Batch::default();
        let text = self.decoder.decode(bytes, false).map_err(|Malformed| malformed())?;
        self.text(&text, &mut batch)?;
        Ok(batch)
    }

    /// The end of the export.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn finish(mut self) -> Result<(Batch, Summary), Refusal> {
        let mut batch = Batch::default();
        let text = self.decoder.decode(&[], true).map_err(|Malformed| malformed())?;
        self.text(&text, &mut batch)?;
        let summary = match self.format {
            Format::Unknown { .. } => Err(Refusal::NoRecords),
            Format::Json(scanner) => scanner.finish(&mut batch),
            Format::Text(table) => table.finish(&mut batch),
        }?;
        Ok((batch, summary))
    }

    fn text(&mut self, mut text: &[u8], batch: &mut Batch) -> Result<(), Refusal> {
        if let Format::Unknown { map, blank } = &mut self.format {
            let begins = text.iter().position(|byte| !byte.is_ascii_whitespace());
            *blank += u64::try_from(begins.unwrap_or(text.len())).unwrap_or_default();
            let Some(rest) = begins.and_then(|at| text.get(at..)) else { return Ok(()) };
            text = rest;
            let json = matches!(text.first(), Some(b'[' | b'{'));
            let (target_map, blank) = (std::mem::take(map), *blank);
            let form = (!json).then_some(&ROW);
            let context = Context { tool: self.tool, target_map, form };
            self.format = if json {
                Format::Json(Box::new(Scanner::new(context, blank)))
            } else {
                Format::Text(Box::new(Table::new(context, blank)))
            };
        }
        match &mut self.format {
            Format::Unknown { .. } => Ok(()),
            Format::Json(scanner) => scanner.chunk(text, batch),
            Format::Text(table) => table.chunk(text, batch),
        }
    }
}

fn malformed() -> Refusal {
    let message = "text that is not UTF-16, though its first bytes say so".to_owned();
    Refusal::Unreadable(Fault { offset: 0, record: None, message })
}
