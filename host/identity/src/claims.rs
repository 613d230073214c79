//! Claims as a person's names and groups: where they are, and why they may be missing.

use std::collections::BTreeSet;

use cavra_documents::{DocumentError, Section};
use cavra_model::Object;
use serde_json::Value;

/// Setting that names the claims with the groups.
const SETTING: &str = "groups_claim";
/// Where the groups are unless the configuration says otherwise.
const DEFAULT: [&str; 2] = ["groups", "roles"];
/// Most claims that are looked at.
const MOST: usize = 16;

/// The claims in which the groups may be, in order; the first that names any counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupsClaim(Vec<String>);

impl Default for GroupsClaim {
    fn default() -> Self {
        Self(DEFAULT.map(ToOwned::to_owned).to_vec())
    }
}

impl GroupsClaim {
    /// What the configuration says: a list of dotted paths, or one.
    pub(crate) fn read(section: &Section<'_>) -> Result<Self, DocumentError> {
        let paths = match section.value(SETTING) {
            None if section.has(SETTING) => return Err(section.wrong(SETTING, "must name a claim, or a list of them")),
            None => return Ok(Self::default()),
            Some(Value::String(_)) => vec![section.required_text(SETTING)?],
            Some(_) => section.texts(SETTING)?.unwrap_or_default(),
        };
        if paths.is_empty() || paths.len() > MOST {
            return Err(section.wrong(SETTING, &format!("must name 1 to {MOST} claims")));
        }
        Ok(Self(paths))
    }

    /// The groups that claims name.
    pub(crate) fn groups(&self, claims: &Object) -> BTreeSet<String> {
        let found = self.0.iter().map(|path| texts(at(claims, path)));
        found.into_iter().find(|groups| !groups.is_empty()).unwrap_or_default()
    }

    /// Whether the issuer left the groups out because there are too many of them: a reference to where they could be
    /// asked for stands in their place (`_claim_names`, OpenID Connect Core, section 5.6.2), or a note that there are
    /// some.
    pub(crate) fn is_overage(&self, claims: &Object) -> bool {
        let elsewhere = claims.get("_claim_names").and_then(Value::as_object);
        let named = |path: &String| {
            let first = path.split('.').next().unwrap_or_default();
            elsewhere.is_some_and(|names| names.contains_key(path) || names.contains_key(first))
        };
        self.0.iter().any(named) || claims.get("hasgroups").is_some_and(|flag| *flag == true || *flag == "true")
    }
}

/// The value at a dotted path. A claim whose own name has dots, as an address does, is found under it.
fn at<'c>(claims: &'c Object, path: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    path.match_indices('.').find_map(|(dot, _)| {
        let (first, rest) = (path.get(..dot)?, path.get(dot + 1..)?);
        at(claims.get(first)?.as_object()?, rest)
    })
}

/// A text or a list of texts and numbers, as a set.
fn texts(value: Option<&Value>) -> BTreeSet<String> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(one).collect(),
        Some(single) => one(single).into_iter().collect(),
        None => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn configured(setting: &Value) -> Result<GroupsClaim, DocumentError> {
        let document = json!({ "groups_claim": setting });
        GroupsClaim::read(&Section::document(&document, &[SETTING]).unwrap())
    }

    fn groups(claim: &GroupsClaim, claims: &Value) -> Vec<String> {
        claim.groups(claims.as_object().unwrap()).into_iter().collect()
    }

    /// What providers write: Okta and Entra, Cognito, Keycloak, Auth0.
    #[test]
    fn groups_are_where_the_provider_puts_them() {
        for (setting, claims, wanted) in [
            (json!(["groups"]), json!({"groups": ["b", "a"]}), &["a", "b"][..]),
            (json!("cognito:groups"), json!({"cognito:groups": ["a"], "groups": ["b"]}), &["a"]),
            (json!(["realm_access.roles"]), json!({"realm_access": {"roles": ["a"]}}), &["a"]),
            (
                json!(["resource_access.my.client.roles"]),
                json!({"resource_access": {"my.client": {"roles": ["a"]}}}),
                &["a"],
            ),
            (json!(["https://corp.example/groups"]), json!({"https://corp.example/groups": ["a"]}), &["a"]),
            (json!(["none", "groups"]), json!({"groups": "a"}), &["a"]),
            (json!(["groups", "roles"]), json!({"groups": [], "roles": [7]}), &["7"]),
            (json!(["a.b"]), json!({"a": "b"}), &[]),
            (json!(["a.b"]), json!({"a": [{"b": "c"}]}), &[]),
            (json!(["groups"]), json!({"roles": ["a"]}), &[]),
        ] {
            assert_eq!(groups(&configured(&setting).unwrap(), &claims), wanted, "{setting} {claims}");
        }
        assert_eq!(groups(&GroupsClaim::default(), &json!({"roles": ["c"]})), ["c"]);
    }

    #[test]
    fn a_setting_that_names_no_claim_is_refused() {
        for wrong in [json!(null), json!([]), json!(""), json!([""]), json!([1]), json!({}), json!(vec!["a"; 17])] {
            assert!(configured(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn groups_that_were_left_out_are_noticed() {
        for (claims, overage) in [
            (json!({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://x"}}}), true),
            (json!({"hasgroups": true}), true),
            (json!({"hasgroups": "true"}), true),
            (json!({"_claim_names": {"address": "src1"}}), false),
            (json!({"_claim_names": "groups"}), false),
            (json!({"hasgroups": false}), false),
            (json!({"groups": []}), false),
        ] {
            assert_eq!(GroupsClaim::default().is_overage(claims.as_object().unwrap()), overage, "{claims}");
        }
    }
}
