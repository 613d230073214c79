//! The actor: names and groups from claims.

use cavra_model::{KnownBy, Object, Person};
use serde::Serialize;
use serde_json::Value;

use crate::Rbac;
use crate::claims::GroupsClaim;

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Actor {
    /// The name that is recorded: e-mail address unless it is unverified, preferred user name or subject.
    pub actor: String,
    /// `sub`, to the letter.
    pub subject: Option<String>,
    /// `iss`.
    pub issuer: Option<String>,
    /// Groups, those mapped from others included; sorted, unique.
    pub groups: Vec<String>,
    /// The repository the claims name. It is never used to authorize.
    pub repository: Option<String>,
    /// Every name the claims give and the issuer stands for.
    #[serde(skip)]
    names: Vec<String>,
    /// An e-mail address that the issuer says it has not verified: anybody may have entered it.
    #[serde(skip)]
    unverified: Option<String>,
    /// The issuer left groups out because there are too many of them.
    #[serde(skip)]
    pub(crate) groups_left_out: bool,
}

/// Claims that name the actor, in order of preference.
const NAMES: [&str; 3] = ["email", "preferred_username", "sub"];

impl Actor {
    /// The actor that claims describe; `rbac` maps groups.
    pub(crate) fn from_claims(claims: &Object, groups_claim: &GroupsClaim, rbac: Option<&Rbac>) -> Self {
        let text = |claim: &str| {
            claims
                .get(claim)
                .and_then(Value::as_str)
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(ToOwned::to_owned)
        };
        let unverified = text("email").filter(|_| !is_verified(claims));
        // User names are chosen by their users too: one that is the unverified address is no better than it.
        let is_proven =
            |claim: &str, name: &String| claim == "sub" || unverified.as_ref().is_none_or(|not| !same(not, name));
        let names: Vec<_> =
            NAMES.into_iter().filter_map(|claim| text(claim).filter(|name| is_proven(claim, name))).collect();
        let mut groups = groups_claim.groups(claims);
        if let Some(rbac) = rbac {
            let mapped: Vec<_> = groups.iter().filter_map(|group| rbac.mapped(group)).map(ToOwned::to_owned).collect();
            groups.extend(mapped);
        }
        Self {
            actor: names.first().cloned().unwrap_or_else(|| "unknown".to_owned()),
            subject: claims
                .get("sub")
                .and_then(Value::as_str)
                .filter(|sub| !sub.trim().is_empty())
                .map(ToOwned::to_owned),
            issuer: text("iss"),
            groups: groups.into_iter().collect(),
            repository: text("repository").or_else(|| text("repo")),
            names,
            unverified,
            groups_left_out: groups_claim.is_overage(claims),
        }
    }

    /// Whether the actor is a member of `group`.
    #[must_use]
    pub fn in_group(&self, group: &str) -> bool {
        self.groups.iter().any(|member| member == group)
    }

    /// Whether `name` is one of the actor's names, whatever its case.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        let name = name.trim();
        !name.is_empty() && self.names.iter().any(|known| same(known, name))
    }

    /// The person, for comparisons that keep one from counting as two: the address nobody verified is a name too.
    pub(crate) fn person(&self, known_by: KnownBy) -> Person {
        let names = self.names.iter().chain(&self.unverified).cloned();
        let unnamed = self.names.is_empty() && self.unverified.is_none();
        let names = names.chain(unnamed.then(|| self.actor.clone()));
        Person::described(self.issuer.clone(), self.subject.clone(), names, known_by)
    }
}

/// Whether the issuer stands for the e-mail address. Without `email_verified` it does: many issuers have only addresses
/// that they assign themselves. Some write it as text. OpenID Connect Core 1.0, section 5.1.
fn is_verified(claims: &Object) -> bool {
    match claims.get("email_verified") {
        None => true,
        Some(Value::String(text)) => text == "true",
        Some(value) => *value == Value::Bool(true),
    }
}

/// Names are compared without case.
fn same(left: &str, right: &str) -> bool {
    left.to_lowercase() == right.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn actor(claims: &Value) -> Actor {
        Actor::from_claims(claims.as_object().unwrap(), &GroupsClaim::default(), None)
    }

    #[test]
    fn names_in_order_of_preference() {
        for (claims, name) in [
            (json!({"email": "a@x", "preferred_username": "b", "sub": "c"}), "a@x"),
            (json!({"email": " ", "preferred_username": "b", "sub": "c"}), "b"),
            (json!({"email": 5, "sub": "c"}), "c"),
            (json!({}), "unknown"),
        ] {
            assert_eq!(actor(&claims).actor, name);
        }
    }

    #[test]
    fn groups_are_sorted_and_fall_back_to_roles() {
        assert_eq!(actor(&json!({"groups": ["b", "a", "b", 7, {}], "roles": ["c"]})).groups, ["7", "a", "b"]);
        assert_eq!(actor(&json!({"groups": [], "roles": ["c"]})).groups, ["c"]);
        assert_eq!(actor(&json!({"groups": "one"})).groups, ["one"]);
        let rbac = Rbac::parse(&json!({"group_mappings": {"ext": "IAM"}})).unwrap();
        let mapped =
            Actor::from_claims(json!({"groups": ["ext"]}).as_object().unwrap(), &GroupsClaim::default(), Some(&rbac));
        assert_eq!(mapped.groups, ["IAM", "ext"]);
    }

    #[test]
    fn an_actor_is_known_by_all_names() {
        let ann = actor(&json!({"email": "Ann@X.example", "preferred_username": "ann", "sub": "u1", "iss": "i"}));
        assert!(ann.is_called(" ann@x.EXAMPLE") && ann.is_called("ANN") && ann.is_called("u1"));
        assert!(!ann.is_called("") && !ann.is_called("bob"));
        assert_eq!(ann.person(KnownBy::Token).key(), "i|u1");
        assert!(!actor(&json!({})).is_called("unknown"));
    }

    #[test]
    fn what_is_shown() {
        let shown = serde_json::to_value(actor(&json!({"sub": "u", "repo": "r"}))).unwrap();
        assert_eq!(shown, json!({"actor": "u", "subject": "u", "issuer": null, "groups": [], "repository": "r"}));
    }
}
