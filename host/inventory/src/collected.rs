//! Observations of one export, as a normalizer hands them out: checked one by one, kept until the export is read whole.

use std::collections::BTreeMap;

use cavra_json::read_json;
use serde_json::Value;

use crate::observation::check;
use crate::{MAX_RECORDS, Object};

/// Most observations held at a time: those of two ways to read an export.
const MOST_HELD: usize = 2 * MAX_RECORDS;

/// Most bytes of observations held at a time.
const MOST_BYTES: usize = 128 * 1024 * 1024;

/// How a normalizer broke its contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Breach(pub &'static str);

/// The observations so far.
#[derive(Debug)]
pub struct Collected {
    provider: String,
    parts: BTreeMap<u32, Part>,
    held: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Part {
    endpoints: Vec<Object>,
    bytes: usize,
}

impl Collected {
    /// None yet, of an export of this provider.
    #[must_use]
    pub fn new(provider: &str) -> Self {
        Self { provider: provider.to_owned(), parts: BTreeMap::new(), held: 0, bytes: 0 }
    }

    /// Takes in an observation as JSON text.
    ///
    /// # Errors
    /// [`Breach`]: it is none, or there are too many.
    pub fn take(&mut self, part: u32, payload: &str) -> Result<(), Breach> {
        self.held += 1;
        self.bytes = self.bytes.saturating_add(payload.len());
        if self.held > MOST_HELD || self.bytes > MOST_BYTES {
            return Err(Breach("more observations than an export has"));
        }
        let Ok(Value::Object(endpoint)) = read_json(payload.as_bytes()) else {
            return Err(Breach("an observation that is no JSON object"));
        };
        check(&endpoint, &self.provider).map_err(Breach)?;
        let part = self.parts.entry(part).or_default();
        part.bytes += payload.len();
        part.endpoints.push(endpoint);
        Ok(())
    }

    /// Gives up what was observed as a part.
    pub fn retract(&mut self, part: u32) {
        if let Some(part) = self.parts.remove(&part) {
            self.held -= part.endpoints.len();
            self.bytes -= part.bytes;
        }
    }

    /// All of them, of an export with so many records.
    ///
    /// # Errors
    /// [`Breach`]: there are more or fewer.
    pub fn whole(self, records: u64) -> Result<Vec<Object>, Breach> {
        let endpoints: Vec<_> = self.parts.into_values().flat_map(|part| part.endpoints).collect();
        if u64::try_from(endpoints.len()) != Ok(records) || endpoints.len() > MAX_RECORDS {
            return Err(Breach("another number of observations than of records"));
        }
        Ok(endpoints)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"endpoint_id":"a","deployment_target":"t","provider":"jamf"}"#;

    #[test]
    fn parts_are_put_in_order_and_retracted() {
        let mut collected = Collected::new("jamf");
        for (part, id) in [(3, "c"), (1, "a"), (2, "x"), (3, "d")] {
            collected.take(part, &GOOD.replace("\"a\"", &format!("\"{id}\""))).unwrap();
        }
        collected.retract(2);
        collected.retract(9);
        let ids: Vec<_> = collected.whole(3).unwrap().into_iter().map(|it| it["endpoint_id"].clone()).collect();
        assert_eq!(ids, ["a", "c", "d"]);
    }

    #[test]
    fn what_a_normalizer_may_not_answer() {
        for payload in ["", "7", "[]", "{", r#"{"a":1,"a":2}"#, r#"{"endpoint_id":"a"}"#] {
            assert!(Collected::new("jamf").take(0, payload).is_err(), "{payload}");
        }
        assert_eq!(Collected::new("jamf").whole(1), Err(Breach("another number of observations than of records")));
        let mut many = Collected::new("jamf");
        let taken = (0..=MOST_HELD).take_while(|_| many.take(0, GOOD).is_ok()).count();
        assert_eq!(taken, MOST_HELD);
    }
}
