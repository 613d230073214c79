//! Who may call what: every row of the endpoint table, under every way to establish who calls, by every kind of caller.
//! The rows are those of the served OpenAPI document, which is made from the table.

use serde_json::{Value, json};

use super::approvals::string;
use crate::support::{Home, Issuer, Response, Server};

/// The access of everything that is posted. Whoever changes it weighs what a stranger could do.
const POSTS: [(&str, &str); 74] = [
    ("/agents", "identity or scope"),
    ("/api/sandbox/run", "scope"),
    ("/api/sandbox/runs/{run_id}/replay", "scope"),
    ("/approval-callbacks/slack", "signed callback"),
    ("/approval-callbacks/teams", "signed callback"),
    ("/approval-escalations/plan", "identity or scope"),
    ("/approval-reminders/plan", "identity or scope"),
    ("/approval-reminders/{recurrence_plan_id}/deliver", "identity or scope"),
    ("/approvals", "scope"),
    ("/approvals/break-glass", "identity with group"),
    ("/approvals/{approval_id}/approve", "identity with group"),
    ("/approvals/{approval_id}/attach-decision", "scope"),
    ("/approvals/{approval_id}/deliver", "identity or scope"),
    ("/approvals/{approval_id}/deny", "identity with group"),
    ("/approvals/{approval_id}/expire", "identity with group"),
    ("/decisions", "scope"),
    ("/endpoint-deployment/reconcile", "scope"),
    ("/endpoint-inventory-ingestions/{inventory_id}/reconcile", "identity"),
    ("/endpoint-inventory/freshness-report", "scope"),
    ("/endpoint-inventory/ingest", "ingest token"),
    ("/endpoint-management-exports/{export_id}/publish", "identity"),
    ("/endpoint-reconciliations/{reconciliation_id}/remediation-request", "identity"),
    ("/endpoint-remediation-handoffs/{handoff_id}/status", "ingest token"),
    ("/endpoint-remediation-sla-escalation-recurrence-automation-health-alerts/deliver", "identity or scope"),
    (
        "/endpoint-remediation-sla-escalation-recurrence-automation-health-alerts/{health_id}/acknowledgements",
        "identity",
    ),
    ("/endpoint-remediation-sla-escalation-recurrences/automation-run", "identity or scope"),
    ("/endpoint-remediation-sla-escalation-recurrences/retry-plan", "identity or scope"),
    ("/endpoint-remediation-sla-escalation-recurrences/{recurrence_plan_id}/deliver", "identity or scope"),
    ("/endpoint-remediation-sla-escalation-recurrences/{recurrence_plan_id}/owner-digest", "identity or scope"),
    ("/endpoint-remediation-sla-escalations/recurrence-plan", "identity or scope"),
    ("/endpoint-remediation-sla-escalations/{plan_id}/deliver", "identity or scope"),
    ("/endpoint-remediation-sla-escalations/{plan_id}/reviews", "identity"),
    ("/endpoint-remediation-sla-notifications/escalation-plan", "identity or scope"),
    ("/endpoint-remediation-sla-reports/{report_id}/acknowledgements", "identity"),
    ("/endpoint-remediation-sla-reports/{report_id}/deliver", "identity or scope"),
    ("/endpoint-remediation-sla/report", "identity or scope"),
    ("/endpoint-remediations/{request_id}/execute", "identity"),
    ("/endpoint-remediations/{request_id}/handoff", "identity"),
    ("/evidence", "scope"),
    ("/evidence/{session_id}/promotion-execution", "identity"),
    ("/evidence/{session_id}/promotion-request", "identity"),
    ("/integration-deliveries/{delivery_id}/drop", "identity or scope"),
    ("/integration-deliveries/{delivery_id}/retry", "identity or scope"),
    ("/integrations", "identity or scope"),
    ("/integrations/{integration_id}/deliver", "identity or scope"),
    ("/mcp/servers", "identity or scope"),
    ("/policy-packs/draft", "scope"),
    ("/policy-packs/publish", "identity with group"),
    ("/policy-packs/publish-plan", "scope"),
    ("/policy-packs/publish-request", "identity"),
    ("/policy-rollouts", "identity or scope"),
    ("/policy-rollouts/apply-change", "identity"),
    ("/policy-rollouts/change-plan", "scope"),
    ("/promotion-executions/{execution_id}/audit-export/deliver", "identity or scope"),
    ("/promotion-executions/{execution_id}/rollback-execution", "identity"),
    ("/repositories", "identity or scope"),
    ("/rollback-executions/{rollback_id}/deliver", "identity or scope"),
    ("/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery", "identity or scope"),
    ("/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/retry-plan", "identity or scope"),
    (
        "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/retry-plans/{retry_plan_id}/acknowledgements",
        "identity",
    ),
    (
        "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/worker-health-alerts/deliver",
        "identity or scope",
    ),
    (
        "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/worker-health-alerts/{health_id}/acknowledgements",
        "identity",
    ),
    ("/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/worker-run", "identity or scope"),
    ("/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-package", "identity or scope"),
    ("/runtime/go-pilot/rollback-drill-notifications/acknowledgements/bulk", "identity"),
    ("/runtime/go-pilot/rollback-drill-notifications/deliver", "identity or scope"),
    ("/runtime/go-pilot/rollback-drill-notifications/escalation-plan", "identity or scope"),
    ("/runtime/go-pilot/rollback-drill-notifications/{schedule_id}/acknowledgements", "identity"),
    ("/sessions", "scope"),
    ("/standing-alert-reminders/{recurrence_plan_id}/deliver", "identity or scope"),
    ("/standing-alerts/deliver", "identity or scope"),
    ("/standing-alerts/escalation-plan", "identity or scope"),
    ("/standing-alerts/reminder-plan", "identity or scope"),
    ("/standing-alerts/{health_id}/acknowledgements", "identity"),
];

/// How callers are established.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setup {
    /// In no way.
    Open,
    /// The server asks for tokens.
    Tokens,
    Oidc,
    Rbac,
    Both,
    /// OpenID Connect, with `require_identity_for_all_mutations`.
    Closed,
    /// OpenID Connect, with `allow_anonymous_mutations`.
    Seed,
}

const SETUPS: [Setup; 7] =
    [Setup::Open, Setup::Tokens, Setup::Oidc, Setup::Rbac, Setup::Both, Setup::Closed, Setup::Seed];

/// What a caller brings along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Nobody,
    /// A machine with a token of the row's scope.
    Machine,
    /// A machine with tokens of all other scopes.
    WrongScope,
    /// A machine whose token ran out.
    ExpiredMachine,
    /// Somebody established: a provider's token, or claims where there is no provider.
    Person,
    /// Somebody whose token ran out.
    ExpiredPerson,
}

const CALLERS: [Caller; 6] = [
    Caller::Nobody,
    Caller::Machine,
    Caller::WrongScope,
    Caller::ExpiredMachine,
    Caller::Person,
    Caller::ExpiredPerson,
];

/// A row, as the document shows it.
struct Row {
    method: String,
    path: String,
    access: String,
    scope: Option<String>,
}

fn rows(server: &Server) -> Vec<Row> {
    let document = server.get("/openapi.json").ok();
    let row = |path: &String, method: &String, operation: &Value| Row {
        method: method.to_uppercase(),
        path: path.clone(),
        access: string(&operation["x-cavra-access"]),
        scope: operation["x-cavra-scope"].as_str().map(ToOwned::to_owned),
    };
    let paths = document["paths"].as_object().unwrap();
    let methods = |(path, item): (&String, &Value)| {
        let operations = item.as_object().unwrap().iter();
        operations.map(|(method, operation)| row(path, method, operation)).collect::<Vec<_>>()
    };
    paths.iter().flat_map(methods).collect()
}

/// What must come of a call: `None` if it is let through, whatever then comes of it.
fn wanted(setup: Setup, row: &Row, caller: Caller) -> Option<u16> {
    use Caller::{ExpiredMachine, ExpiredPerson, Machine, Nobody, Person, WrongScope};
    if row.access == "public" {
        return None;
    }
    if row.access == "signed callback" {
        // Whoever they are: no chat has signed this.
        return Some(401);
    }
    match caller {
        ExpiredMachine => return Some(401),
        WrongScope => return Some(403),
        _ => {}
    }
    let provider = matches!(setup, Setup::Oidc | Setup::Both | Setup::Closed | Setup::Seed);
    let identities = provider || setup == Setup::Rbac;
    let posts = row.method == "POST";
    let closed = setup == Setup::Closed && posts;
    // Whether an identity that is sent is looked at.
    let read = closed
        || setup == Setup::Tokens
        || row.path == "/console/session"
        || match row.access.as_str() {
            "read" => false,
            "scope" => ["/approvals", "/evidence"].contains(&row.path.as_str()),
            "ingest token" => provider,
            _ => true,
        };
    let needed = match row.access.as_str() {
        "identity" | "identity with group" => identities,
        "identity or scope" => identities && setup != Setup::Seed && caller != Machine,
        _ => closed && caller != Machine,
    };
    let tokens = setup == Setup::Tokens && caller != Machine;
    match caller {
        Nobody if tokens || needed => Some(401),
        Machine if needed => Some(401),
        // Where there is no provider, a token cannot be checked, and where there is one, this one has run out.
        ExpiredPerson if read => Some(if provider { 401 } else { 400 }),
        ExpiredPerson if needed => Some(401),
        Person if tokens => Some(401),
        _ => None,
    }
}

struct Site {
    server: Server,
    issuer: Issuer,
    setup: Setup,
    /// Tokens by scope: valid, run out, and of all scopes but that.
    tokens: Vec<(String, [String; 3])>,
}

impl Site {
    fn new(setup: Setup, scopes: &[String]) -> Self {
        let (home, issuer) = (Home::new(), Issuer::new());
        let more = json!({
            "require_identity_for_all_mutations": setup == Setup::Closed,
            "allow_anonymous_mutations": setup == Setup::Seed,
        });
        home.write("oidc.json", issuer.config(&more).to_string());
        home.write("rbac.yaml", "approval_rbac:\n  group_mappings: {okta-iam: IAM}\n");
        let (oidc, rbac) = (home.at("oidc.json"), home.at("rbac.yaml"));
        let store = home.at("data/tokens.json");
        let mut settings = vec![("CAVRA_TOKEN_STORE", store.as_str())];
        if matches!(setup, Setup::Oidc | Setup::Both | Setup::Closed | Setup::Seed) {
            settings.push(("CAVRA_APPROVAL_OIDC_CONFIG", &oidc));
        }
        if matches!(setup, Setup::Rbac | Setup::Both) {
            settings.push(("CAVRA_APPROVAL_RBAC_FILE", &rbac));
        }
        if setup == Setup::Tokens {
            settings.push(("CAVRA_REQUIRE_TOKEN", "true"));
        }
        let make = |name: &str, of: &[&String]| {
            let mut arguments = vec!["token", "create", "--name", name, "--json"];
            of.iter().for_each(|scope| arguments.extend(["--scope", scope.as_str()]));
            string(&home.cavra(&arguments).env("CAVRA_TOKEN_STORE", &store).run().ok().json()["token"])
        };
        let tokens = scopes
            .iter()
            .map(|scope| {
                let others: Vec<_> = scopes.iter().filter(|other| *other != scope).collect();
                let made = [make("valid", &[scope]), make("over", &[scope]), make("other", &others)];
                (scope.clone(), made)
            })
            .collect();
        let mut stored = home.json("data/tokens.json");
        for token in stored["tokens"].as_array_mut().unwrap().iter_mut().filter(|token| token["name"] == "over") {
            token["expires_at"] = json!("2021-01-01T00:00:00.000000+00:00");
        }
        home.write("data/tokens.json", stored.to_string());
        Self { server: home.serve(&settings), issuer, setup, tokens }
    }

    fn call(&self, row: &Row, caller: Caller) -> Response {
        let of = |at: usize| {
            let known = self.tokens.iter().find(|(scope, _)| Some(scope) == row.scope.as_ref());
            known.map(|(_, tokens)| tokens[at].clone())
        };
        let mut body = json!({});
        let token = match caller {
            Caller::Nobody => None,
            Caller::Machine => of(0),
            Caller::ExpiredMachine => of(1),
            Caller::WrongScope => of(2),
            Caller::Person if matches!(self.setup, Setup::Open | Setup::Tokens | Setup::Rbac) => {
                body["actor_claims"] = json!({"sub": "ann", "email": "ann@x.example", "groups": ["IAM"]});
                None
            }
            Caller::Person => Some(self.issuer.token("ann", &["IAM"])),
            Caller::ExpiredPerson => {
                let claims = json!({"sub": "ann", "groups": ["IAM"], "exp": 1_000_000_000});
                Some(self.issuer.signed(&json!({"alg": "RS256", "kid": "k1"}), claims))
            }
        };
        let segments = row.path.split('/').map(|segment| if segment.starts_with('{') { "x" } else { segment });
        let path = segments.collect::<Vec<_>>().join("/");
        let body = if row.method == "POST" { body.to_string() } else { String::new() };
        match token.map(|token| format!("Bearer {token}")) {
            Some(header) => {
                self.server.request_with(&row.method, &path, &[("authorization", &header)], body.as_bytes())
            }
            None => self.server.request(&row.method, &path, body.as_bytes()),
        }
    }

    /// Everything that a call could change. What a store notes about itself is written by the clock, too.
    fn state(&self) -> Vec<Value> {
        let home = &self.server.home;
        let read = |file: String| {
            let mut stored = if home.exists(&file) { home.json(&file) } else { Value::Null };
            stored.as_object_mut().and_then(|stored| stored.remove("store_properties"));
            stored
        };
        ["approvals", "activity", "integrations", "inventory", "evidence-metadata", "registry"]
            .iter()
            .map(|name| read(format!(".cavra/api/{name}.json")))
            .collect()
    }
}

#[test]
fn every_row_by_every_caller() {
    let table = rows(&Home::new().serve(&[]));
    let mut posts: Vec<_> =
        table.iter().filter(|row| row.method == "POST").map(|row| (row.path.as_str(), row.access.as_str())).collect();
    posts.sort_unstable();
    assert_eq!(posts, POSTS);
    let mut scopes: Vec<_> = table.iter().filter_map(|row| row.scope.clone()).collect();
    scopes.sort_unstable();
    scopes.dedup();
    assert!(scopes.len() >= 6, "{scopes:?}");
    let public: Vec<_> = table.iter().filter(|row| row.access == "public").map(|row| row.path.as_str()).collect();
    assert_eq!(public, ["/health", "/version"]);
    for setup in SETUPS {
        let site = Site::new(setup, &scopes);
        for row in &table {
            for caller in CALLERS {
                let case = format!("{setup:?} {caller:?} {} {}", row.method, row.path);
                let wanted = wanted(setup, row, caller);
                let before = wanted.map(|_| site.state());
                let answer = site.call(row, caller);
                match wanted {
                    Some(status) => {
                        assert_eq!(answer.status, status, "{case}: {}", answer.text());
                        answer.refused(&[status]);
                        assert_eq!(before, Some(site.state()), "{case}: a refused call changed something");
                    }
                    // What then comes of an empty body about nothing is not asked here; a machine that wants to do
                    // what people do is refused by the operation.
                    None if caller == Caller::Machine && row.access.starts_with("identity") => {}
                    None => {
                        assert!(![401, 403].contains(&answer.status), "{case}: {} {}", answer.status, answer.text())
                    }
                }
            }
        }
    }
}

/// What has no credentials may still not be what it was refused for: an identity in the body counts like one in the header.
#[test]
fn rollouts_have_no_side_door() {
    let issuer = Issuer::new();
    let rollout = json!({"repository": "payments", "policy_pack": "cavra-ai-agent-baseline", "mode": "audit_only",
        "state": "active", "coverage_percent": 100});
    let repository = json!({"repository": "payments", "policy_pack": "cavra-anything"});
    let home = Home::new();
    home.write("oidc.json", issuer.config(&json!({})).to_string());
    let server = home.serve(&[("CAVRA_APPROVAL_OIDC_CONFIG", &home.at("oidc.json"))]);
    for (path, body) in
        [("/policy-rollouts", &rollout), ("/policy-rollouts/apply-change", &rollout), ("/repositories", &repository)]
    {
        let with = |member: &str, value: Value| {
            let mut body = body.clone();
            body[member] = value;
            body
        };
        server.post(path, body).refused(&[401]);
        server.post(path, &with("actor_claims", json!({"sub": "ann", "groups": ["IAM"]}))).refused(&[401]);
        server.post(path, &with("actor_token", json!(issuer.forged("ann", &["IAM"])))).refused(&[401]);
        server.post_as(&issuer.forged("ann", &["IAM"]), path, body).refused(&[401]);
        server.post(path, &with("actor_token", json!(issuer.token("ann", &[])))).ok();
        server.post_as(&issuer.token("ann", &[]), path, body).ok();
    }
    let boundary = server.get("/console/security-boundary").ok();
    assert_eq!(boundary["anonymous_mutations"], "refused");
    let seed = Home::new();
    for (file, variable, text) in [
        (
            "oidc.json",
            "CAVRA_APPROVAL_OIDC_CONFIG",
            issuer.config(&json!({"allow_anonymous_mutations": true})).to_string(),
        ),
        ("rbac.yaml", "CAVRA_APPROVAL_RBAC_FILE", "allow_anonymous_mutations: true\n".to_owned()),
    ] {
        seed.write(file, text);
        let server = seed.serve(&[(variable, &seed.at(file))]);
        server.post("/policy-rollouts", &rollout).ok();
        server.post("/policy-rollouts/apply-change", &rollout).refused(&[401]);
        let boundary = server.get("/console/security-boundary").ok();
        assert_eq!(boundary["anonymous_mutations"], "allowed");
        let notes = boundary["operator_notes"].to_string();
        assert!(notes.contains("allow_anonymous_mutations"), "{notes}");
    }
}
