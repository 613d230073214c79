//! `cavra approval …`, row by row. docs/reference/approvals-identity-authoring.md, section 3.9.

use serde_json::{Value, json};

use super::approvals::{decision, serve, string};
use crate::support::{Backend, Home, Issuer, Output, Receiver, on_both, strings};

/// A home with a decision file, and the store the commands use.
struct Desk {
    home: Home,
    store: [String; 2],
}

impl Desk {
    fn new(backend: Backend) -> Self {
        let home = Home::new();
        home.write("decision.json", decision("dec_1").to_string());
        let store = match backend {
            Backend::Json => ["--store".to_owned(), home.at("deep/store.json")],
            Backend::Sqlite => ["--sqlite".to_owned(), home.at("deep/store.db")],
        };
        Self { home, store }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let store: Vec<_> = self.store.iter().map(String::as_str).collect();
        self.home.cavra(&[&["approval"], arguments, &store].concat()).run()
    }

    #[track_caller]
    fn answer(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments).ok();
        let value = output.json();
        assert_eq!(output.stdout, format!("{}\n", serde_json::to_string_pretty(&value).unwrap()), "indented JSON");
        assert_eq!(output.stderr, "");
        value
    }

    /// A failure: one line on standard error, nothing on standard output, nothing stored; answers the line.
    #[track_caller]
    fn refused(&self, arguments: &[&str]) -> String {
        let before = self.answer(&["list"]);
        let output = self.run(arguments).fails();
        assert_eq!((output.stdout.as_str(), output.stderr.trim_end().lines().count()), ("", 1), "{output:?}");
        assert_eq!(self.answer(&["list"]), before, "{arguments:?}");
        output.stderr
    }

    fn create(&self) -> String {
        string(&self.answer(&["create", "decision.json"])["approval_id"])
    }
}

#[test]
fn requests_are_made() {
    on_both(|backend| {
        let desk = Desk::new(backend);
        let made = desk.answer(&["create", "decision.json"]);
        for (member, wanted) in [
            ("schema_version", json!("cavra.approval.v1")),
            ("state", json!("pending")),
            ("approver_group", json!("IAM")),
            ("requested_by", json!("ai-agent")),
            ("decision", decision("dec_1")),
        ] {
            assert_eq!(made[member], wanted, "{member}");
        }
        let named =
            ["create", "decision.json", "--approver-group", "Mine", "--requested-by", "bob", "--ttl-hours", "9999"];
        let named = desk.answer(&named);
        assert_eq!((&named["approver_group"], &named["requested_by"]), (&json!("Mine"), &json!("bob")));
        assert!(string(&named["expires_at"]) > string(&made["expires_at"]));
        // A decision's own group ranks below the rules; a file replaces them.
        let mut own = decision("dec_2");
        own["approver_group"] = json!("Own");
        desk.home.write("own.json", own.to_string());
        assert_eq!(desk.answer(&["create", "own.json"])["approver_group"], "IAM");
        desk.home.write("routing.yaml", "routing_rules:\n- {severity: low, approver_group: Low}\n");
        let routed = desk.answer(&["create", "own.json", "--routing-file", "routing.yaml"]);
        assert_eq!(routed["approver_group"], "Own");
        desk.home.write("unknown.json", json!({"decision_id": "d"}).to_string());
        desk.home.write("list.json", "[]");
        desk.home.write("broken.json", "{");
        desk.home.write("bad-routing.yaml", "- {}");
        for (arguments, word) in [
            (vec!["create", "unknown.json"], "approver group"),
            (vec!["create", "missing.json"], "missing.json"),
            (vec!["create", "list.json"], "list.json"),
            (vec!["create", "broken.json"], "broken.json"),
            (vec!["create", "decision.json", "--routing-file", "bad-routing.yaml"], "bad-routing.yaml"),
            (vec!["create", "decision.json", "--routing-file", "nowhere.yaml"], "nowhere.yaml"),
        ] {
            let said = desk.refused(&arguments);
            assert!(said.contains(word), "{said}");
        }
        desk.run(&["create"]).exits(2);
        desk.run(&["create", "decision.json", "--ttl-hours", "soon"]).exits(2);
    });
}

#[test]
fn approvals_are_listed() {
    on_both(|backend| {
        let desk = Desk::new(backend);
        assert_eq!(desk.answer(&["list"]), json!({"items": [], "total": 0, "limit": 50, "offset": 0}));
        let ids: Vec<_> = (0..4).map(|_| desk.create()).collect();
        desk.answer(&["deny", &ids[0], "--actor", "ann", "--reason", "no"]);
        let listed = |more: &[&str]| {
            let page = desk.answer(&[&["list"], more].concat());
            let ids: Vec<_> =
                page["items"].as_array().unwrap().iter().map(|item| string(&item["approval_id"])).collect();
            (ids, page["total"].as_u64().unwrap(), page["limit"].as_i64().unwrap(), page["offset"].as_i64().unwrap())
        };
        let newest: Vec<_> = ids.iter().rev().cloned().collect();
        assert_eq!(listed(&[]), (newest.clone(), 4, 50, 0));
        assert_eq!(listed(&["--limit", "2", "--offset", "1"]), (newest[1..3].to_vec(), 4, 2, 1));
        assert_eq!(listed(&["--limit", "0", "--offset", "-7"]), (newest[..1].to_vec(), 4, 1, 0));
        assert_eq!(listed(&["--limit", "9999"]).2, 500);
        assert_eq!(listed(&["--state", "denied"]).0, [ids[0].clone()]);
        assert_eq!(listed(&["--state", "pending", "--approver-group", "IAM"]).1, 3);
        assert_eq!(listed(&["--approver-group", "iam"]).1, 0);
        desk.run(&["list", "--limit", "many"]).exits(2);
    });
}

#[test]
fn approvals_are_decided() {
    on_both(|backend| {
        let desk = Desk::new(backend);
        for (verb, state) in [("approve", "approved"), ("deny", "denied")] {
            let id = desk.create();
            assert!(desk.refused(&[verb, &id, "--reason", "r"]).contains("actor"));
            assert!(desk.refused(&[verb, &id, "--actor", "ann", "--reason", " "]).contains("reason"));
            desk.run(&[verb, &id, "--actor", "ann"]).exits(2);
            let ruled = desk.answer(&[verb, &id, "--actor", "ann", "--reason", "r", "--external-ref", "CHG-1"]);
            assert_eq!((&ruled["state"], &ruled["decided_by"]), (&json!(state), &json!("ann")));
            assert_eq!((&ruled["external_ref"], &ruled["decision_reason"]), (&json!("CHG-1"), &json!("r")));
            let said = desk.refused(&["approve", &id, "--actor", "bob", "--reason", "late"]);
            assert!(said.contains(state), "{said}");
        }
        assert!(desk.refused(&["approve", "apr_000000000000", "--actor", "a", "--reason", "r"]).contains("not found"));
        let (silent, told) = (desk.create(), desk.create());
        assert_eq!(desk.answer(&["expire", &silent])["decided_by"], "system");
        let told = desk.answer(&["expire", &told, "--actor", "ann", "--reason", "gone"]);
        assert_eq!(
            (&told["state"], &told["decided_by"], &told["decision_reason"]),
            (&json!("expired"), &json!("ann"), &json!("gone"))
        );
        desk.refused(&["expire", &silent]);
    });
}

#[test]
fn the_glass_is_broken() {
    on_both(|backend| {
        let desk = Desk::new(backend);
        let glass = ["break-glass", "decision.json", "--actor", "ann", "--reason", "fire"];
        let broken = desk.answer(&[&glass[..], &["--external-ref", "INC-1"]].concat());
        for (member, wanted) in [
            ("state", json!("break_glass")),
            ("break_glass", json!(true)),
            ("break_glass_reason", json!("fire")),
            ("approver_group", json!("Change Advisory Board")),
            ("requested_by", json!("ann")),
            ("decided_by", json!("ann")),
            ("external_ref", json!("INC-1")),
        ] {
            assert_eq!(broken[member], wanted, "{member}");
        }
        assert_eq!(desk.answer(&[&glass[..], &["--approver-group", "IAM"]].concat())["approver_group"], "IAM");
        desk.run(&["break-glass", "decision.json", "--actor", "ann"]).exits(2);
        desk.run(&["break-glass", "decision.json", "--reason", "fire"]).exits(2);
        desk.refused(&["break-glass", "decision.json", "--actor", "ann", "--reason", " "]);
        desk.home.write("empty.json", "{}");
        assert!(desk.refused(&["break-glass", "empty.json", "--actor", "a", "--reason", "r"]).contains("decision_id"));
    });
}

/// Where identity is configured, no command of the command line is a way around it.
#[test]
fn who_breaks_the_glass_or_gives_up_is_somebody() {
    let desk = Desk::new(Backend::Json);
    let issuer = Issuer::new();
    desk.home.write("oidc.json", issuer.config(&json!({})).to_string());
    for (file, groups) in
        [("board.jwt", &["Change Advisory Board"][..]), ("member.jwt", &["IAM"]), ("system.jwt", &["system"])]
    {
        desk.home.write(file, issuer.token("ann", groups));
    }
    let oidc = ["--oidc-config", "oidc.json"];
    let glass = ["break-glass", "decision.json", "--reason", "fire"];
    assert!(desk.refused(&[&glass[..], &oidc, &["--actor", "ann"]].concat()).contains("identity"));
    assert!(desk.refused(&[&glass[..], &oidc, &["--actor-token", "member.jwt"]].concat()).contains("board"));
    let other = [&glass[..], &oidc, &["--actor-token", "board.jwt", "--actor", "bob"]].concat();
    assert!(desk.refused(&other).contains("--actor"));
    let broken = desk.answer(&[&glass[..], &oidc, &["--actor-token", "board.jwt"]].concat());
    assert_eq!(
        (&broken["decided_by"], &broken["decided_by_identity"]["subject"]),
        (&json!("ann@x.example"), &json!("ann"))
    );
    let id = desk.create();
    let expire = ["expire", id.as_str()];
    assert!(desk.refused(&[&expire[..], &oidc].concat()).contains("identity"));
    let outsider = [&expire[..], &oidc, &["--actor-token", "board.jwt"]].concat();
    assert!(desk.refused(&outsider).contains("group"));
    let given_up = desk.answer(&[&expire[..], &oidc, &["--actor-token", "system.jwt"]].concat());
    assert_eq!((&given_up["state"], &given_up["decided_by"]), (&json!("expired"), &json!("ann@x.example")));
    // Without, expiring needs nobody.
    assert_eq!(desk.answer(&["expire", &desk.create()])["decided_by"], "system");
}

#[test]
fn what_the_requester_says_is_noted() {
    let desk = Desk::new(Backend::Json);
    let made = desk.answer(&["create", "decision.json", "--request-note", "for ticket 7"]);
    assert_eq!((&made["request_note"], &made["unverified"]), (&json!("for ticket 7"), &json!(true)));
    desk.home.write("routing.yaml", "require_recorded_decision: true\n");
    assert!(desk.refused(&["create", "decision.json", "--routing-file", "routing.yaml"]).contains("recorded"));
    let glass = ["break-glass", "decision.json", "--actor", "a", "--reason", "r", "--routing-file", "routing.yaml"];
    assert!(desk.refused(&glass).contains("recorded"));
}

#[test]
fn routes_are_shown_and_nothing_is_stored() {
    let desk = Desk::new(Backend::Json);
    let shown = desk.answer(&["route", "decision.json"]);
    assert_eq!((&shown["decision_id"], &shown["approver_group"]), (&json!("dec_1"), &json!("IAM")));
    assert_eq!(shown["routing_rules"].as_array().unwrap().len(), 5);
    assert_eq!(shown.as_object().unwrap().len(), 3);
    desk.home.write("routing.json", json!([{"repository": "other", "approver_group": "Other"}]).to_string());
    let mut own = decision("dec_2");
    own["approver_group"] = json!("Own");
    desk.home.write("own.json", own.to_string());
    // Only the rules are asked.
    let shown = desk.answer(&["route", "own.json", "--routing-file", "routing.json"]);
    assert_eq!(shown["approver_group"], Value::Null);
    assert_eq!(shown["routing_rules"], json!([{"repository": "other", "approver_group": "Other"}]));
    assert!(!desk.home.exists("deep"), "nothing is stored");
    desk.run(&["route", "missing.json"]).fails();
}

/// What the engine says is needed is routed: the decision file is what `evaluate --json` prints.
#[test]
fn decisions_go_from_evaluate_to_an_approval() {
    let desk = Desk::new(Backend::Json);
    for (action, target, group) in [
        ("write_file", "iam/admin.tf", "IAM"),
        ("write_file", ".github/workflows/ci.yml", "Platform Security"),
        ("execute_command", "frobnicate --all", "Repository Owners"),
        ("execute_command", "terraform destroy -auto-approve", "Cloud Security"),
    ] {
        let decided = desk.home.cavra(&["evaluate", action, target, "--json"]).run();
        desk.home.write("asked.json", &decided.stdout);
        assert_eq!(desk.answer(&["route", "asked.json"])["approver_group"], group, "{target}: {}", decided.stdout);
        assert_eq!(desk.answer(&["create", "asked.json"])["approver_group"], group);
        // An object that holds it is as good, for every command that takes a decision file.
        let bare: Value = serde_json::from_str(&decided.stdout).unwrap();
        for wrapper in ["decision", "base_decision"] {
            desk.home.write("wrapped.json", json!({wrapper: bare["base_decision"], "mode": "enforce"}).to_string());
            let shown = desk.answer(&["route", "wrapped.json"]);
            assert_eq!((&shown["decision_id"], &shown["approver_group"]), (&bare["decision_id"], &json!(group)));
            assert_eq!(desk.answer(&["create", "wrapped.json"])["decision_id"], bare["decision_id"]);
            let broken = ["break-glass", "wrapped.json", "--actor", "a", "--reason", "r"];
            assert_eq!(desk.answer(&broken)["decision_id"], bare["decision_id"]);
            let bundle = ["evidence", "bundle", "--decisions", "wrapped.json", "--output", "bundle", "--json"];
            assert_eq!(desk.home.cavra(&bundle).run().ok().json()["decision_count"], 1);
        }
    }
}

#[test]
fn identity_counts_more_than_names() {
    let issuer = Issuer::new();
    on_both(|backend| {
        let desk = Desk::new(backend);
        let write = |name: &str, content: String| drop(desk.home.write(name, content));
        write("oidc.json", issuer.config(&json!({})).to_string());
        write("member.jwt", format!("{}\n", issuer.token("ann", &["IAM"])));
        write("other.jwt", issuer.token("bob", &["Other"]));
        write("forged.jwt", issuer.forged("eve", &["IAM"]));
        write("claims.json", json!({"email": "cy@x.example", "groups": ["IAM"]}).to_string());
        write("outsider.json", json!({"email": "di@x.example", "groups": ["Other"]}).to_string());
        write("rbac.json", json!({"repository_permissions": [{"repository": "pay", "groups": ["Other"]}]}).to_string());
        write("list.json", "[]".to_owned());
        let id = desk.create();
        let base = ["approve", &id, "--reason", "fine"];
        let oidc = ["--oidc-config", "oidc.json"];
        for (more, word) in [
            (vec!["--actor-token", "member.jwt"], "--oidc-config"),
            (vec!["--actor-claims", "claims.json", "--actor-token", "member.jwt"], "not both"),
            ([&oidc[..], &["--actor-token", "forged.jwt"]].concat(), "signature"),
            ([&oidc[..], &["--actor-token", "other.jwt"]].concat(), "group"),
            ([&oidc[..], &["--actor-token", "missing.jwt"]].concat(), "missing.jwt"),
            ([&oidc[..], &["--actor-token", "member.jwt", "--actor", "bob"]].concat(), "--actor"),
            ([&oidc[..], &["--actor-claims", "claims.json"]].concat(), "claims"),
            ([&oidc[..], &["--actor", "ann"]].concat(), "identity"),
            (vec!["--rbac-file", "rbac.json", "--actor", "ann"], "identity"),
            (vec!["--rbac-file", "nowhere.json", "--actor", "ann"], "nowhere.json"),
            (vec!["--actor-claims", "outsider.json"], "group"),
            (vec!["--actor-claims", "list.json"], "list.json"),
        ] {
            let said = desk.refused(&[&base[..], &more].concat());
            assert!(said.contains(word) && !said.contains("eyJ"), "{more:?}: {said}");
        }
        let decided =
            desk.answer(&[&base[..], &oidc, &["--actor-token", "member.jwt", "--actor", "ANN@x.example"]].concat());
        assert_eq!((&decided["decided_by"], &decided["decided_via"]), (&json!("ann@x.example"), &json!("token")));
        for more in
            [vec!["--actor-claims", "claims.json"], vec!["--actor-claims", "outsider.json", "--rbac-file", "rbac.json"]]
        {
            let id = desk.create();
            let decided = desk.answer(&[&["approve", &id, "--reason", "fine"], &more[..]].concat());
            assert_eq!(decided["decided_via"], "claims");
        }
    });
}

#[test]
fn messages_and_requests_are_written() {
    let desk = Desk::new(Backend::Json);
    let mut ticket = decision("dec_1");
    ticket["correlation_id"] = json!("corr_9");
    desk.home.write("decision.json", ticket.to_string());
    let id = desk.create();
    let providers = ["jira", "servicenow", "slack", "teams", "webhook"];
    let written = desk.answer(&["export-notifications", &id]);
    let names: Vec<_> =
        providers.iter().map(|name| format!(".cavra/approvals/notifications/{name}-approval-payload.json")).collect();
    assert_eq!(strings(&written["files"]), names);
    let payload = |name: &str| desk.home.json(&format!(".cavra/approvals/notifications/{name}-approval-payload.json"));
    let (slack, teams, jira, servicenow, webhook) =
        (payload("slack"), payload("teams"), payload("jira"), payload("servicenow"), payload("webhook"));
    for title in [&slack["text"], &teams["summary"], &jira["fields"]["summary"], &servicenow["short_description"]] {
        let title = string(title);
        assert!(title.starts_with("CAVRA approval") && title.contains("pending") && title.contains("dec_1"), "{title}");
    }
    assert_eq!((&slack["blocks"][0]["type"], &slack["blocks"][1]["type"]), (&json!("header"), &json!("section")));
    assert_eq!((&teams["@type"], teams["@context"].is_string()), (&json!("MessageCard"), true));
    let facts = teams["sections"][0]["facts"].to_string();
    assert!(["IAM", "pending", "why"].iter().all(|fact| facts.contains(fact)), "{facts}");
    assert_eq!(jira["fields"]["labels"], json!(["cavra", "ai-agent-approval", "pending"]));
    let summary: Value = serde_json::from_str(jira["fields"]["description"].as_str().unwrap()).unwrap();
    assert_eq!((&summary["approval_id"], &summary["break_glass"]), (&json!(id), &json!(false)));
    assert_eq!(servicenow["description"], jira["fields"]["description"]);
    assert_eq!((&servicenow["assignment_group"], &servicenow["correlation_id"]), (&json!("IAM"), &json!("corr_9")));
    assert_eq!(
        (&webhook["schema_version"], &webhook["event_type"]),
        (&json!("cavra.approval.notification.v1"), &json!("cavra.approval.pending"))
    );
    assert_eq!(webhook["payload"]["approval_id"], json!(id));

    let written = desk.answer(&["provider-requests", &id, "--output", "out"]);
    assert_eq!(strings(&written["files"]).len(), 5);
    for name in providers {
        let request = desk.home.json(&format!("out/{name}-approval-request.json"));
        let mut members: Vec<_> = request.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["body", "headers", "method", "url"]);
        assert_eq!(
            (&request["method"], &request["headers"]["content-type"]),
            (&json!("POST"), &json!("application/json"))
        );
        let authorization = match name {
            "jira" => json!("Bearer ${JIRA_TOKEN}"),
            "servicenow" => json!("Bearer ${SERVICENOW_TOKEN}"),
            _ => Value::Null,
        };
        assert_eq!(request["headers"]["authorization"], authorization, "{name}");
        assert!(string(&request["url"]).starts_with("https://"));
        if name != "webhook" {
            assert_eq!(request["body"], payload(name), "{name}");
        }
    }
    let one = desk.answer(&["export-notifications", &id, "--provider", "teams", "--output", "one"]);
    assert_eq!(strings(&one["files"]), ["one/teams-approval-payload.json"]);
    desk.answer(&["approve", &id, "--actor", "ann", "--reason", "fine"]);
    desk.answer(&["export-notifications", &id, "--provider", "teams", "--output", "one"]);
    assert_ne!(desk.home.json("one/teams-approval-payload.json")["themeColor"], teams["themeColor"]);
    for verb in ["export-notifications", "provider-requests"] {
        assert!(desk.refused(&[verb, &id, "--provider", "fax"]).contains("slack"));
        assert!(desk.refused(&[verb, "apr_000000000000"]).contains("not found"));
    }
}

#[test]
fn approvals_are_delivered() {
    on_both(|backend| {
        let desk = Desk::new(backend);
        let id = desk.create();
        let (taking, failing) = (Receiver::answering("200 OK"), Receiver::answering("500 Internal Server Error"));
        let config = json!({"approval_providers": {
            "slack": {"url": format!("{}/slack", taking.address)},
            "webhook": {"url": format!("{}/hook", failing.address)},
        }});
        desk.home.write("providers.json", config.to_string());
        let deliver = |more: &[&str]| desk.run(&[&["deliver", &id, "--config", "providers.json"], more].concat());

        let output = deliver(&["--provider", "slack"]).ok();
        let (document, path) = output.stdout.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(path, format!(".cavra/approvals/deliveries/{id}-provider-delivery.json"));
        let delivery: Value = serde_json::from_str(document).unwrap();
        assert_eq!(
            (&delivery["schema_version"], &delivery["approval_id"]),
            (&json!("cavra.approval.delivery.v1"), &json!(id))
        );
        assert_eq!(delivery["success"], json!(true));
        assert_eq!(desk.home.json(path), delivery);
        assert_eq!(taking.got().len(), 1);

        let failed = deliver(&["--retries", "0", "--output", "out", "--json"]);
        assert_eq!((failed.code, &failed.json()["success"]), (1, &json!(false)));
        assert_eq!(desk.home.json(&format!("out/{id}-provider-delivery.json")), failed.json());

        for refused in [
            vec!["deliver", "apr_none", "--config", "providers.json"],
            vec!["deliver", &id, "--config", "nothing.json"],
            vec!["deliver", &id, "--config", "providers.json", "--provider", "jira"],
        ] {
            desk.refused(&refused);
        }
    });
}

#[test]
fn databases_are_migrated_once() {
    let home = Home::new();
    let run = |arguments: &[&str]| home.cavra(&[&["approval", "migrate"], arguments].concat()).run().ok().json();
    let first = run(&[]);
    assert_eq!(first["database"], ".cavra/approvals.db");
    assert!(first["migrations_dir"].is_string());
    assert_eq!((strings(&first["applied"]).len(), strings(&first["skipped"]).len()), (1, 0));
    let second = run(&[]);
    assert_eq!((&second["applied"], &second["skipped"]), (&json!([]), &first["applied"]));
    assert!(home.exists(".cavra/approvals.db"));
    assert_eq!(run(&["--sqlite", "other.db", "--migrations-dir", "nowhere"])["database"], "other.db");
    // A server works on it.
    let server = home.serve(&[("CAVRA_APPROVAL_DB", &home.at("other.db"))]);
    server.post("/approvals", &decision("dec_1")).ok();
}

/// The command line and a server share a store; without options the store is its own.
#[test]
fn stores_are_shared_with_a_server() {
    on_both(|backend| {
        let home = Home::new();
        home.write("decision.json", decision("dec_1").to_string());
        let server = serve(&home, backend, &[]);
        let option = match backend {
            Backend::Json => ["--store", "data/approvals.json"],
            Backend::Sqlite => ["--sqlite", "data/approvals.db"],
        };
        let made = home.cavra(&[&["approval", "create", "decision.json"], &option[..]].concat()).run().ok().json();
        let id = string(&made["approval_id"]);
        assert_eq!(server.get(&format!("/approvals/{id}")).ok(), made);
        server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "ann", "reason": "fine"})).ok();
        let late =
            home.cavra(&[&["approval", "deny", &id, "--actor", "bob", "--reason", "late"], &option[..]].concat()).run();
        assert!(late.fails().stderr.contains("approved"));
    });
    let home = Home::new();
    home.write("decision.json", decision("dec_1").to_string());
    home.cavra(&["approval", "create", "decision.json"]).run().ok();
    assert!(home.exists(".cavra/approvals.json") && !home.exists(".cavra/api/approvals.json"));
    let text = home.read(".cavra/approvals.json");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(text, format!("{}\n", serde_json::to_string_pretty(&value).unwrap()));
    home.write("broken.json", "{ half");
    let output = home.cavra(&["approval", "list", "--store", "broken.json"]).run().fails();
    assert!(output.stderr.contains("broken.json") && output.stdout.is_empty(), "{output:?}");
    assert_eq!(home.read("broken.json"), "{ half");
}
