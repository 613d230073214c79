//! What a call says: its members, with their defaults, floors and caps, or a refusal. docs/reference/remediation-sla.md, section 0.

use cavra_connect::Options;
use cavra_model::{Object, Timestamp};
use cavra_notify::{providers_asked, providers_named};
use serde_json::{Value, json};

use super::{Call, Desk};
use crate::{Caller, CoreError, JobRun, check_id};

/// A call that is looked at, at a moment.
#[derive(Clone)]
pub(super) struct Request {
    /// What the path names.
    pub id: String,
    body: Object,
    pub caller: Caller,
    /// The run of a job that the call is part of.
    pub run: Option<JobRun>,
    pub now: Timestamp,
}

impl Desk<'_> {
    /// Takes a call, whichever door it comes through. Secrets, those of connectors too, are cut out of what it says, wherever
    /// they stand.
    ///
    /// # Errors
    /// [`CoreError::SecretIdentifier`].
    pub fn request(self, mut call: Call) -> Result<Request, CoreError> {
        self.app.settings.redactor.clean(&mut call.body, &[])?;
        let mut body = Value::Object(call.body);
        if let Some(connectors) = &self.app.outgoing.events {
            connectors.scrubber().scrub(&mut body);
        }
        let body = cavra_model::members::built(body);
        Ok(Request { id: call.id, body, caller: call.caller, run: call.run, now: Timestamp::now() })
    }
}

impl Request {
    /// A member as it stands.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.body.get(name)
    }

    /// A text that is not blank, without the blanks around it.
    pub fn text(&self, name: &str) -> Result<Option<String>, CoreError> {
        match self.value(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Some(_) => Err(wrong(name, "a text")),
        }
    }

    /// A text that has to be there.
    pub fn required(&self, name: &str) -> Result<String, CoreError> {
        self.text(name)?.ok_or_else(|| CoreError::BadRequest(format!("{name} is required")))
    }

    /// An id, or a name for people.
    pub fn name(&self, name: &str) -> Result<Option<String>, CoreError> {
        let text = self.text(name)?;
        text.as_deref().map_or(Ok(()), |text| check_id(name, text))?;
        Ok(text)
    }

    /// A reference into another system. What lets somebody into it is cut out.
    pub fn reference(&self, name: &str) -> Result<Option<String>, CoreError> {
        Ok(self.text(name)?.map(|text| shown_reference(&text)))
    }

    /// A whole number with a default; what is below the floor is raised to it, what is above the cap is lowered.
    pub fn count(&self, name: &str, default: u64, (floor, cap): (u64, u64)) -> Result<u64, CoreError> {
        let number = self.value(name).map(|value| whole(name, value)).transpose()?;
        Ok(number.unwrap_or(default).clamp(floor, cap))
    }

    /// A whole number that means nothing where it is absent or null, raised to a floor.
    pub fn count_if_any(&self, name: &str, floor: u64) -> Result<Option<u64>, CoreError> {
        let number = self.value(name).filter(|value| !value.is_null()).map(|value| whole(name, value)).transpose()?;
        Ok(number.map(|number| number.max(floor)))
    }

    /// A truth value, if it is there.
    pub fn flag_if_any(&self, name: &str) -> Result<Option<bool>, CoreError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(wrong(name, "true or false")),
        }
    }

    /// A truth value that is false unless it is said.
    pub fn flag(&self, name: &str) -> Result<bool, CoreError> {
        Ok(self.flag_if_any(name)?.unwrap_or(false))
    }

    /// Who asks: a known caller, else who the body says, else the console.
    pub fn generated_by(&self) -> Result<String, CoreError> {
        let said = self.name("generated_by")?;
        Ok(self.caller.doer(|| said.unwrap_or_else(|| "console".to_owned())).name)
    }

    /// Who looks: a known caller, else the console; who looks without being known may say who they are only where nobody is
    /// asked.
    pub fn looked_by(&self, identifies: bool) -> Result<String, CoreError> {
        let said = self.name("generated_by")?.filter(|_| !identifies);
        Ok(self.caller.doer(|| said.unwrap_or_else(|| "console".to_owned())).name)
    }

    /// Who answers: a known caller, else who the body says.
    pub fn answered_by(&self, name: &'static str) -> Result<String, CoreError> {
        let said = self.name(name)?;
        let missing = said.is_none() && self.caller.identity.is_none() && self.caller.machine.is_none();
        if missing {
            return Err(CoreError::BadRequest(format!("{name} is required")));
        }
        Ok(self.caller.doer(|| said.unwrap_or_default()).name)
    }

    /// The connectors that are asked for, in a member: nothing for all. Each is one of `known`.
    pub fn providers(&self, member: &str, known: &[&str]) -> Result<Option<Vec<String>>, CoreError> {
        Ok(providers_asked(self.value(member), known)?)
    }

    /// The connectors that are asked for, in a member, whether they are known or not: nothing for all.
    pub fn providers_named(&self, member: &str) -> Result<Option<Vec<String>>, CoreError> {
        Ok(providers_named(self.value(member))?)
    }

    /// Says something else in a member.
    pub fn put(&mut self, member: &str, value: Value) {
        self.body.insert(member.to_owned(), value);
    }

    /// The word for the connectors that are asked for.
    pub fn provider_word(asked: Option<&Vec<String>>) -> String {
        asked.map_or_else(|| "all".to_owned(), |names| names.join(","))
    }

    /// How an event is sent to some connectors.
    pub fn options(&self) -> Result<Options, CoreError> {
        for (name, must) in [("retries", "a whole number"), ("timeout_seconds", "a number")] {
            if self.value(name).is_some_and(Value::is_null) {
                return Err(wrong(name, must));
            }
        }
        let mut body = self.body.clone();
        body.remove("provider");
        Ok(Options::of(&body, "all")?)
    }

    /// Who calls, as answers show it.
    pub fn actor(&self) -> Value {
        json!(self.caller.identity.as_ref().map(|identity| &identity.actor))
    }
}

fn wrong(name: &str, must: &str) -> CoreError {
    CoreError::BadRequest(format!("{name} must be {must}"))
}

/// A whole number; below 0 counts as 0, beyond the type as the largest.
fn whole(name: &str, value: &Value) -> Result<u64, CoreError> {
    match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.as_u64().unwrap_or(0)),
        _ => Err(wrong(name, "a whole number")),
    }
}

/// A reference without who is let in by it: what stands before the host of an address, and its query.
fn shown_reference(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (rest, fragment) = rest.split_once('#').map_or((rest, None), |(rest, fragment)| (rest, Some(fragment)));
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, _)| (rest, "?REDACTED"));
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = match authority.rsplit_once('@') {
        Some((_, host)) => format!("REDACTED@{host}"),
        None => authority.to_owned(),
    };
    // A fragment is part of what is linked to, unless it carries values as a query does.
    let fragment = match fragment {
        Some(fragment) if fragment.contains('=') => "#REDACTED".to_owned(),
        Some(fragment) => format!("#{fragment}"),
        None => String::new(),
    };
    format!("{scheme}://{host}{path}{query}{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_shown_without_what_lets_in() {
        for (given, shown) in [
            ("CHG-1", "CHG-1"),
            ("https://t.example/browse/CHG-1", "https://t.example/browse/CHG-1"),
            ("https://u:p@t.example/x?token=hush&a=b", "https://REDACTED@t.example/x?REDACTED"),
            ("https://t.example?a", "https://t.example?REDACTED"),
            ("https://t.example/x#comment-4", "https://t.example/x#comment-4"),
            ("https://t.example/x#access_token=hush", "https://t.example/x#REDACTED"),
            ("https://a@b@t.example", "https://REDACTED@t.example"),
        ] {
            assert_eq!(shown_reference(given), shown);
        }
    }
}
