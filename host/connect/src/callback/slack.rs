//! Slack: presses of buttons. A form with one field, signed over the moment and the body.
//! <https://docs.slack.dev/authentication/verifying-requests-from-slack>,
//! <https://docs.slack.dev/reference/interaction-payloads/block_actions-payload>

use cavra_model::{ChatService, Object};
use serde_json::Value;
use url::form_urlencoded;

use super::{Arrived, CallbackError, Choice, Key, Press, Said, Signed, id, is_by_one_of};
use crate::Secret;

/// What stands before a signature, and in what is signed.
const VERSION: &str = "v0";

/// The signature in the headers, if one of the keys made it.
pub(super) fn signed(keys: &[Key], arrived: &Arrived<'_>) -> Option<Signed> {
    let time = (arrived.header)("x-slack-request-timestamp")?;
    let seconds: i64 = time.parse().ok()?;
    let header = (arrived.header)("x-slack-signature")?;
    let tag = bytes(header.strip_prefix(VERSION)?.strip_prefix('=')?)?;
    let parts: [&[u8]; 4] = [VERSION.as_bytes(), b":", time.as_bytes(), b":"];
    let parts: Vec<&[u8]> = parts.into_iter().chain([arrived.body]).collect();
    is_by_one_of(keys, &parts, &tag).then_some(Signed { tag, seconds: Some(seconds) })
}

/// The press in a form.
pub(super) fn read(body: &[u8]) -> Result<Said, CallbackError> {
    let wrong = CallbackError::Unreadable;
    let mut fields = form_urlencoded::parse(body).filter(|(name, _)| name == "payload");
    let payload = fields.next().ok_or(wrong("it has no payload"))?.1;
    let payload: Object = serde_json::from_str(&payload).map_err(|_| wrong("its payload is no JSON object"))?;
    if payload.get("type").and_then(Value::as_str) != Some("block_actions") {
        return Err(wrong("it is no press of a button"));
    }
    let user = payload.get("user");
    let member = |name: &str| user.and_then(|user| user.get(name));
    // Of a shared channel, others are members too: what counts is whose they are.
    let team = id(member("team_id")).or_else(|| id(payload.get("team").and_then(|team| team.get("id"))));
    let (Some(team), Some(user)) = (team, id(member("id"))) else { return Err(wrong("it does not say who pressed")) };
    let actions = payload.get("actions").and_then(Value::as_array);
    let [action] = actions.map(Vec::as_slice).unwrap_or_default() else { return Err(wrong("it is not one press")) };
    let choice = action.get("value").and_then(Value::as_str).and_then(Choice::parse);
    let reply_to = payload.get("response_url").and_then(Value::as_str).map(Secret::new);
    Ok(Said { press: Press { service: ChatService::Slack, team, user, choice, reply_to }, seconds: None })
}

/// The bytes of hexadecimal digits.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Vec<u8> = text.as_bytes().iter().map(digit).collect::<Option<_>>()?;
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some((high << 4) | low),
        _ => None,
    };
    digits.chunks(2).map(pair).collect()
}
