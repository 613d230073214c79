//! The members file: which member of a chat is which person. What a chat signs says who of its members acted; who that is
//! to cavra, the operator says here and nobody else.

use std::collections::HashMap;

use cavra_documents::{DocumentError, Section};
use cavra_model::{ChatService, Object};
use serde_json::{Value, json};

/// The list, and everything an entry of it may say.
const MEMBERS: &str = "chat_members";
const KEYS: [&str; 7] = ["service", "team", "user", "issuer", "subject", "name", "groups"];

/// Longest id of a team or a member, in bytes.
const ID_BYTES: usize = 64;

/// Members of chats, with the claims that the operator makes for them.
#[derive(Debug, Default)]
pub(crate) struct ChatMembers(HashMap<Key, Object>);

/// A member: service, team, user.
type Key = (ChatService, String, String);

impl ChatMembers {
    /// Reads a document. With an identity provider, its people are those of `issuer`: who asks over HTTP and decides in a
    /// chat must be seen to be one person.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(crate) fn parse(document: &Value, issuer: Option<&str>) -> Result<Self, DocumentError> {
        let outside = Section::document(document, &[MEMBERS])?;
        if outside.value(MEMBERS).is_none() {
            return Err(outside.wrong(MEMBERS, "is required"));
        }
        let mut members = HashMap::new();
        for entry in outside.sections(MEMBERS, &KEYS)? {
            let (key, claims) = member(&entry, issuer)?;
            if members.insert(key, claims).is_some() {
                return Err(entry.wrong("user", "stands there twice for this team"));
            }
        }
        Ok(Self(members))
    }

    /// What is claimed for a member.
    pub(crate) fn claims(&self, service: ChatService, team: &str, user: &str) -> Option<&Object> {
        self.0.get(&(service, team.to_owned(), user.to_owned()))
    }
}

fn member(entry: &Section<'_>, issuer: Option<&str>) -> Result<(Key, Object), DocumentError> {
    let service = entry.required_text("service")?.parse();
    let service = service.map_err(|()| entry.wrong("service", "must be slack or teams"))?;
    let id = |key: &str| {
        let id = entry.required_text(key)?;
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        let known = id.len() <= ID_BYTES && id.bytes().all(plain);
        if known { Ok(id) } else { Err(entry.wrong(key, "must be the id that the service gave, no name")) }
    };
    let key = (service, id("team")?, id("user")?);
    let issuer = match (entry.text("issuer")?, issuer) {
        (Some(own), Some(known)) if own != known => {
            return Err(entry.wrong("issuer", "must be the issuer of the OpenID Connect configuration, or left out"));
        }
        (None, None) => return Err(entry.wrong("issuer", "is required without an OpenID Connect configuration")),
        (own, known) => own.or_else(|| known.map(ToOwned::to_owned)),
    };
    let subject = entry.required_text("subject")?;
    let groups = entry.texts("groups")?.filter(|groups| !groups.is_empty());
    let groups = groups.ok_or_else(|| entry.wrong("groups", "must name a group"))?;
    let claims = json!({ "iss": issuer, "sub": subject, "preferred_username": entry.text("name")?, "groups": groups });
    match claims {
        Value::Object(claims) => Ok((key, claims)),
        _ => Err(entry.wrong("subject", "cannot be used")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> Value {
        json!({"service": "slack", "team": "T1", "user": "U1", "issuer": "https://i", "subject": "ann", "groups": ["IAM"]})
    }

    fn parse(entries: &[Value], issuer: Option<&str>) -> Result<ChatMembers, String> {
        ChatMembers::parse(&json!({ "chat_members": entries }), issuer).map_err(|error| error.to_string())
    }

    #[test]
    fn a_member_is_known_by_service_team_and_user() {
        let members = parse(&[ann()], None).unwrap();
        assert_eq!(members.claims(ChatService::Slack, "T1", "U1").unwrap()["sub"], "ann");
        for (service, team, user) in [
            (ChatService::Teams, "T1", "U1"),
            (ChatService::Slack, "T2", "U1"),
            (ChatService::Slack, "T1", "u1"),
            (ChatService::Slack, "", ""),
        ] {
            assert!(members.claims(service, team, user).is_none(), "{service:?} {team} {user}");
        }
    }

    #[test]
    fn people_are_those_of_the_identity_provider() {
        assert!(parse(&[ann()], Some("https://i")).is_ok());
        assert!(parse(&[ann()], Some("https://other")).unwrap_err().contains("chat_members[1].issuer"));
        let mut without = ann();
        without.as_object_mut().unwrap().remove("issuer");
        assert!(parse(std::slice::from_ref(&without), None).unwrap_err().contains("issuer: is required"));
        let members = parse(&[without], Some("https://i")).unwrap();
        assert_eq!(members.claims(ChatService::Slack, "T1", "U1").unwrap()["iss"], "https://i");
    }

    #[test]
    fn wrong_documents_are_refused_and_say_where() {
        for (member, value, wanted) in [
            ("service", json!("irc"), "chat_members[1].service: must be slack or teams"),
            ("team", json!(""), "chat_members[1].team"),
            ("user", json!("@ann"), "chat_members[1].user: must be the id"),
            ("user", json!("x".repeat(65)), "chat_members[1].user"),
            ("subject", json!(7), "chat_members[1].subject"),
            ("groups", json!([]), "chat_members[1].groups"),
            ("groups", json!("IAM"), "chat_members[1].groups"),
            ("grups", json!(["IAM"]), "unknown key `grups`; did you mean `groups`?"),
        ] {
            let mut entry = ann();
            entry[member] = value;
            let said = parse(&[entry], None).unwrap_err();
            assert!(said.contains(wanted), "{said}");
        }
        assert!(parse(&[ann(), ann()], None).unwrap_err().contains("chat_members[2].user: stands there twice"));
        for document in [json!({}), json!([]), json!({"members": []}), json!({"chat_members": null})] {
            assert!(ChatMembers::parse(&document, None).is_err(), "{document}");
        }
    }
}
