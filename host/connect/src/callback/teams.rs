//! Microsoft Teams: messages that mention an outgoing webhook, signed over their body. A card that a webhook or a workflow
//! posts has no buttons that come back (only links), so what a member writes is what decides.
//! <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cavra_model::{ChatService, Object, Timestamp};
use serde_json::Value;

use super::{Arrived, CallbackError, Choice, Key, Press, Said, Signed, id, is_by_one_of};

/// The key in a security token.
pub(super) fn decoded(token: &str) -> Option<Vec<u8>> {
    STANDARD.decode(token).ok()
}

/// The signature in the headers, if one of the keys made it. When it was made, the body says.
pub(super) fn signed(keys: &[Key], arrived: &Arrived<'_>) -> Option<Signed> {
    let header = (arrived.header)("authorization")?;
    let (scheme, signature) = header.trim().split_once(' ')?;
    let tag = STANDARD.decode(signature.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("hmac"))?;
    is_by_one_of(keys, &[arrived.body], &tag).then_some(Signed { tag, seconds: None })
}

/// The command in a message.
pub(super) fn read(body: &[u8]) -> Result<Said, CallbackError> {
    let wrong = CallbackError::Unreadable;
    let message: Object = serde_json::from_slice(body).map_err(|_| wrong("it is no JSON object"))?;
    if message.get("type").and_then(Value::as_str) != Some("message") {
        return Err(wrong("it is no message"));
    }
    let seconds = message.get("timestamp").and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
    let team = id(message.get("channelData").and_then(|data| data.get("tenant")).and_then(|tenant| tenant.get("id")));
    let user = id(message.get("from").and_then(|from| from.get("aadObjectId")));
    let (Some(team), Some(user)) = (team, user) else { return Err(wrong("it does not say who wrote it")) };
    let choice = Choice::parse(&command(message.get("text").and_then(Value::as_str).unwrap_or_default()));
    Ok(Said {
        press: Press { service: ChatService::Teams, team, user, choice, reply_to: None },
        seconds: seconds.map(|seconds| seconds.as_micros().div_euclid(1_000_000)),
    })
}

/// What is written, without whom it mentions and without markup.
fn command(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tag)) = rest.split_once('<') {
        plain.push_str(before);
        plain.push(' ');
        let Some((tag, after)) = tag.split_once('>') else { return String::new() };
        rest = match tag.trim_start().to_ascii_lowercase() {
            // Whom it is written to.
            name if name == "at" || name.starts_with("at ") => after.split_once("</at>").map_or("", |(_, after)| after),
            _ => after,
        };
    }
    plain.push_str(rest);
    plain.replace("&nbsp;", " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_what_is_written_to_the_webhook() {
        for (text, wanted) in [
            ("<at>cavra</at> approve apr_1 0a\n", "approve apr_1 0a"),
            ("<p><at id=\"0\">cavra</at>&nbsp;approve apr_1 <b>0a</b></p>", "approve apr_1 0a"),
            ("approve apr_1 0a", "approve apr_1 0a"),
            ("<at>approve apr_1 0a", ""),
            ("approve <", ""),
        ] {
            assert_eq!(command(text).split_whitespace().collect::<Vec<_>>().join(" "), wanted, "{text}");
        }
    }
}
