//! Who may do what: every guarded endpoint under every way to configure identity, by every kind of caller. docs/reference/approvals-identity-authoring.md,
//! sections 2.1, 2.3 and 2.4.

use serde_json::{Value, json};

use super::approvals::{decision, string};
use crate::support::{Home, Issuer, Response, Server};

/// Guarded operations, in the order of the table's columns.
const OPERATIONS: [&str; 8] =
    ["approve", "deny", "expire", "break_glass", "break_glass_into_iam", "publish_request", "publish", "apply_change"];

/// How identity is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    Open,
    Oidc,
    /// Unsigned claims are accepted beside tokens.
    Proxy,
    Rbac,
    Both,
}

/// What a caller brings along.
#[derive(Clone, Copy, Debug)]
enum Caller {
    Nobody,
    Claims(&'static [&'static str]),
    Token(&'static [&'static str]),
    /// A token whose groups were changed.
    Forged(&'static [&'static str]),
    /// A valid token's claims beside a forged token.
    ForgedWithClaims(&'static [&'static str]),
    Basic,
}

use Caller::{Basic, Claims, Forged, ForgedWithClaims, Nobody, Token};

pub const MEMBER: &[&str] = &["IAM"];
pub const OTHER: &[&str] = &["Other"];
const CAB: &[&str] = &["Change Advisory Board"];
const CAB_AND_IAM: &[&str] = &["Change Advisory Board", "IAM"];
const SYSTEM: &[&str] = &["system"];
/// Mapped to IAM by the RBAC policy.
const MAPPED: &[&str] = &["okta-iam"];
/// May approve, by the RBAC policy, what is for IAM in the repository pay.
const LEADS: &[&str] = &["pay-leads"];
const LEADS_IN_CAB: &[&str] = &["pay-leads", "Change Advisory Board"];

const ALL_401: [u16; 8] = [401; 8];
const ALL_400: [u16; 8] = [400; 8];
const ALL_200: [u16; 8] = [200; 8];
const AS_MEMBER: [u16; 8] = [200, 200, 200, 403, 403, 200, 200, 200];
const AS_OTHER: [u16; 8] = [403, 403, 403, 403, 403, 200, 403, 200];
const AS_CAB: [u16; 8] = [403, 403, 403, 200, 403, 200, 403, 200];
const AS_SYSTEM: [u16; 8] = [403, 403, 200, 403, 403, 200, 403, 200];
const AS_LEAD: [u16; 8] = [200, 403, 403, 403, 403, 200, 200, 200];
const AS_LEAD_IN_CAB: [u16; 8] = [200, 403, 403, 200, 200, 200, 200, 200];

#[rustfmt::skip]
const TABLE: [(Setup, Caller, [u16; 8]); 35] = [
    (Setup::Open, Nobody, ALL_200),
    (Setup::Open, Claims(MEMBER), AS_MEMBER),
    (Setup::Open, Claims(OTHER), AS_OTHER),
    (Setup::Open, Claims(CAB_AND_IAM), ALL_200),
    (Setup::Open, Claims(SYSTEM), AS_SYSTEM),
    (Setup::Open, Token(MEMBER), ALL_400),
    (Setup::Open, Basic, ALL_401),

    (Setup::Oidc, Nobody, ALL_401),
    (Setup::Oidc, Claims(CAB_AND_IAM), ALL_401),
    (Setup::Oidc, Token(MEMBER), AS_MEMBER),
    (Setup::Oidc, Token(OTHER), AS_OTHER),
    (Setup::Oidc, Token(CAB), AS_CAB),
    (Setup::Oidc, Token(CAB_AND_IAM), ALL_200),
    (Setup::Oidc, Token(SYSTEM), AS_SYSTEM),
    (Setup::Oidc, Token(MAPPED), AS_OTHER),
    (Setup::Oidc, Forged(CAB_AND_IAM), ALL_401),
    (Setup::Oidc, ForgedWithClaims(CAB_AND_IAM), ALL_401),
    (Setup::Oidc, Basic, ALL_401),

    (Setup::Proxy, Nobody, ALL_401),
    (Setup::Proxy, Claims(MEMBER), AS_MEMBER),
    (Setup::Proxy, Token(OTHER), AS_OTHER),
    (Setup::Proxy, ForgedWithClaims(CAB_AND_IAM), ALL_401),

    (Setup::Rbac, Nobody, ALL_401),
    (Setup::Rbac, Claims(MEMBER), AS_MEMBER),
    (Setup::Rbac, Claims(MAPPED), AS_MEMBER),
    (Setup::Rbac, Claims(LEADS), AS_LEAD),
    (Setup::Rbac, Claims(LEADS_IN_CAB), AS_LEAD_IN_CAB),
    (Setup::Rbac, Claims(OTHER), AS_OTHER),
    (Setup::Rbac, Token(MEMBER), ALL_400),

    (Setup::Both, Nobody, ALL_401),
    (Setup::Both, Claims(CAB_AND_IAM), ALL_401),
    (Setup::Both, Token(MAPPED), AS_MEMBER),
    (Setup::Both, Token(LEADS), AS_LEAD),
    (Setup::Both, Token(CAB), AS_CAB),
    (Setup::Both, Forged(MEMBER), ALL_401),
];

/// A server set up one way, and who administers it.
pub struct Site {
    pub server: Server,
    pub issuer: Issuer,
    setup: Setup,
}

impl Site {
    pub fn new(setup: Setup) -> Self {
        let (home, issuer) = (Home::new(), Issuer::new());
        let trust = json!({"trust_actor_claims": setup == Setup::Proxy});
        home.write("oidc.json", issuer.config(&trust).to_string());
        let rbac = "approval_rbac:\n  group_mappings: {okta-iam: IAM}\n  repository_permissions:\n  \
            - {repository: pay, approver_group: IAM, groups: [pay-leads], actions: [approve]}\n";
        home.write("rbac.yaml", rbac);
        let (oidc, rbac, packs) = (home.at("oidc.json"), home.at("rbac.yaml"), home.at("packs"));
        let mut settings = vec![("CAVRA_POLICY_DIR", packs.as_str())];
        if matches!(setup, Setup::Oidc | Setup::Proxy | Setup::Both) {
            settings.push(("CAVRA_APPROVAL_OIDC_CONFIG", &oidc));
        }
        if matches!(setup, Setup::Rbac | Setup::Both) {
            settings.push(("CAVRA_APPROVAL_RBAC_FILE", &rbac));
        }
        Self { server: home.serve(&settings), issuer, setup }
    }

    /// Posts as somebody; tokens go into the header, or into the body.
    fn post_as(&self, caller: Caller, name: &str, in_body: bool, path: &str, mut body: Value) -> Response {
        let claims = |groups: &[&str]| json!({"email": format!("{name}@x.example"), "sub": name, "groups": groups});
        let token = match caller {
            Nobody => None,
            Basic => {
                return self.server.request_with(
                    "POST",
                    path,
                    &[("authorization", "Basic YTpi")],
                    body.to_string().as_bytes(),
                );
            }
            Claims(groups) => {
                body["actor_claims"] = claims(groups);
                None
            }
            Token(groups) => Some(self.issuer.token(name, groups)),
            Forged(groups) => Some(self.issuer.forged(name, groups)),
            ForgedWithClaims(groups) => {
                body["actor_claims"] = claims(groups);
                Some(self.issuer.forged(name, groups))
            }
        };
        match token {
            None => self.server.post(path, &body),
            Some(token) if in_body => {
                body["actor_token"] = json!(token);
                self.server.post(path, &body)
            }
            Some(token) => self.server.post_as(&token, path, &body),
        }
    }

    /// Posts as somebody who may.
    #[track_caller]
    fn administer(&self, path: &str, body: Value) -> Value {
        let caller = match self.setup {
            Setup::Open => Nobody,
            Setup::Rbac => Claims(MEMBER),
            Setup::Oidc | Setup::Proxy | Setup::Both => Token(MEMBER),
        };
        self.post_as(caller, if path.ends_with("approve") { "second" } else { "admin" }, false, path, body).ok()
    }

    fn draft(&self) -> Value {
        json!({"id": "cavra-table", "title": "T", "description": "d", "version": "1", "git": {"require_pull_request": true}})
    }

    /// Path, body, and the approval it is about, for one operation that would succeed for whoever may do it.
    pub fn prepare(&self, operation: &str) -> (String, Value, Option<String>) {
        let ruling = json!({"actor": "mallory", "reason": "because"});
        match operation {
            "approve" | "deny" | "expire" => {
                let id = string(&self.administer("/approvals", json!({"decision": decision("dec_1")}))["approval_id"]);
                (format!("/approvals/{id}/{operation}"), ruling, Some(id))
            }
            "break_glass" | "break_glass_into_iam" => {
                let mut body = json!({"decision": decision("dec_1"), "actor": "mallory", "reason": "fire"});
                if operation == "break_glass_into_iam" {
                    body["approver_group"] = json!("IAM");
                }
                ("/approvals/break-glass".to_owned(), body, None)
            }
            "publish_request" => {
                let body = json!({"draft": self.draft(), "requested_by": "mallory", "approver_group": "IAM", "repository": "pay"});
                ("/policy-packs/publish-request".to_owned(), body, None)
            }
            "publish" => {
                let body = json!({"draft": self.draft(), "approver_group": "IAM", "repository": "pay"});
                let asked = self.administer("/policy-packs/publish-request", body);
                let id = string(&asked["approval"]["approval_id"]);
                self.administer(&format!("/approvals/{id}/approve"), json!({"actor": "second", "reason": "fine"}));
                let body = json!({"draft": self.draft(), "approval_id": id, "actor": "mallory"});
                ("/policy-packs/publish".to_owned(), body, Some(id))
            }
            "apply_change" => {
                let body = json!({"changes": {"repository": "pay", "policy_pack": "p"}, "actor": "mallory"});
                ("/policy-rollouts/apply-change".to_owned(), body, None)
            }
            other => panic!("{other}"),
        }
    }

    /// Everything the operations could change.
    fn state(&self) -> Value {
        let home = &self.server.home;
        json!([
            self.server.get("/approvals?limit=500").ok(),
            self.server.get("/policy-rollouts").ok(),
            home.exists("packs/cavra-table/policy.yaml").then(|| home.read("packs/cavra-table/policy.yaml.sig.json")),
        ])
    }

    /// Who did it, as the answer says; `None` where the operation names nobody.
    fn author(operation: &str, answer: &Value) -> Option<String> {
        Some(string(match operation {
            "approve" | "deny" | "expire" | "break_glass" | "break_glass_into_iam" => &answer["decided_by"],
            "publish_request" => &answer["approval"]["requested_by"],
            "publish" => &answer["published_by"],
            _ if answer["actor"].is_null() => return None,
            _ => &answer["actor"]["actor"],
        }))
    }

    fn check(&self, caller: Caller, operation: &str, wanted: u16, in_body: bool) {
        let case = format!("{:?} {caller:?} {operation} (token in body: {in_body})", self.setup);
        let (path, body, approval) = self.prepare(operation);
        let before = self.state();
        let answer = self.post_as(caller, "eve", in_body, &path, body);
        assert_eq!(answer.status, wanted, "{case}: {}", answer.text());
        if wanted != 200 {
            answer.refused(&[wanted]);
            assert_eq!(self.state(), before, "{case}: a refused call changed something");
            return;
        }
        let answer = answer.json();
        let author = Self::author(operation, &answer);
        match caller {
            Nobody => assert!(author.is_none_or(|author| author == "mallory"), "{case}: {answer}"),
            _ => assert_eq!(author.as_deref(), Some("eve@x.example"), "{case}: {answer}"),
        }
        if let (Some(id), "approve" | "deny" | "expire") = (approval, operation) {
            let via = match caller {
                Nobody => "anonymous",
                Claims(_) => "claims",
                _ => "token",
            };
            let stored = self.server.get(&format!("/approvals/{id}")).ok();
            assert_eq!(stored["decided_via"], via, "{case}");
            assert_eq!(stored["history"][1]["actor"], stored["decided_by"], "{case}");
        }
    }
}

/// The rows of one configuration, with tokens in the header and in the body.
fn rows_of(setup: Setup) {
    let site = Site::new(setup);
    let mut tried = 0;
    for (_, caller, statuses) in TABLE.into_iter().filter(|(of, ..)| *of == setup) {
        for (operation, wanted) in OPERATIONS.into_iter().zip(statuses) {
            site.check(caller, operation, wanted, false);
            tried += 1;
            if matches!(caller, Token(_) | Forged(_) | ForgedWithClaims(_)) {
                site.check(caller, operation, wanted, true);
                tried += 1;
            }
        }
    }
    assert!(tried >= 32, "{tried}");
    let log = site.server.log();
    assert!(!log.contains("eyJ"), "a token in the log: {log}");
}

#[test]
fn without_configuration() {
    rows_of(Setup::Open);
}

#[test]
fn with_openid_connect() {
    rows_of(Setup::Oidc);
}

#[test]
fn behind_an_authenticating_proxy() {
    rows_of(Setup::Proxy);
}

#[test]
fn with_roles() {
    rows_of(Setup::Rbac);
}

#[test]
fn with_openid_connect_and_roles() {
    rows_of(Setup::Both);
}
