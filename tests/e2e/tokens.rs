//! API tokens of machines: made, used, ended; and a server that asks for them.

use serde_json::{Value, json};

use super::approvals::{decision, string};
use crate::support::{Backend, Home, Issuer, Response, Server, assert_id, on_both};

fn store(backend: Backend, home: &Home) -> (&'static str, String) {
    match backend {
        Backend::Json => ("CAVRA_TOKEN_STORE", home.at("data/tokens.json")),
        Backend::Sqlite => ("CAVRA_TOKEN_DB", home.at("data/tokens.db")),
    }
}

/// A home with its token store.
struct Site {
    home: Home,
    variable: &'static str,
    file: String,
}

impl Site {
    fn new(backend: Backend) -> Self {
        let home = Home::new();
        let (variable, file) = store(backend, &home);
        Self { home, variable, file }
    }

    fn run(&self, arguments: &[&str]) -> crate::support::Output {
        self.home.cavra(&[&["token"], arguments].concat()).env(self.variable, &self.file).run()
    }

    /// A new token: its text and its id.
    fn token(&self, name: &str, scopes: &[&str]) -> (String, String) {
        let mut arguments = vec!["create", "--name", name, "--json"];
        scopes.iter().for_each(|scope| arguments.extend(["--scope", scope]));
        let made = self.run(&arguments).ok().json();
        (string(&made["token"]), string(&made["record"]["token_id"]))
    }

    fn serve(&self, more: &[(&str, &str)]) -> Server {
        self.home.serve(&[&[(self.variable, self.file.as_str())], more].concat())
    }

    /// Every byte the token store left on the disk.
    fn bytes(&self) -> String {
        let folder = std::fs::read_dir(self.home.join("data")).unwrap();
        folder.map(|file| String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()).into_owned()).collect()
    }
}

fn call(server: &Server, method: &str, path: &str, token: &str, body: &Value) -> Response {
    let authorization = format!("Bearer {token}");
    let body = if method == "GET" { String::new() } else { body.to_string() };
    server.request_with(method, path, &[("authorization", &authorization)], body.as_bytes())
}

#[test]
fn tokens_are_made_listed_and_ended() {
    on_both(|backend| {
        let site = Site::new(backend);
        assert_eq!(site.run(&["list", "--json"]).ok().json(), json!([]));
        let made = site
            .run(&["create", "--name", "ci", "--scope", "read", "--scope", "decide", "--scope", "read", "--json"])
            .ok()
            .json();
        let (text, record) = (string(&made["token"]), &made["record"]);
        let id = string(&record["token_id"]);
        assert_id(&id, "tok_", 12);
        assert!(text.starts_with(&format!("cavra_{}_", &id[4..])) && text.len() == 6 + 12 + 1 + 43, "{text}");
        assert_eq!(
            (&record["name"], &record["scopes"], &record["state"]),
            (&json!("ci"), &json!(["decide", "read"]), &json!("active"))
        );
        // Made for people, it is the only thing on standard output.
        let plain = site.run(&["create", "--name", "agent", "--scope", "decide", "--ttl-days", "1"]).ok();
        assert!(plain.stdout.starts_with("cavra_") && plain.stdout.lines().count() == 1, "{}", plain.stdout);
        assert!(plain.stderr.contains("not shown again"));
        let listed = site.run(&["list", "--json"]).ok();
        let names: Vec<_> = listed.json().as_array().unwrap().iter().map(|token| string(&token["name"])).collect();
        assert_eq!(names, ["agent", "ci"], "newest first");
        // What is kept and shown is no secret.
        let secret = text.splitn(3, '_').nth(2).unwrap();
        let kept = site.bytes();
        assert!(kept.contains(&id) && !kept.contains(secret) && !kept.contains(plain.stdout.trim()));
        assert!(!listed.stdout.contains("sha256") && !listed.stdout.contains(secret));
        let ended = site.run(&["revoke", &id, "--json"]).ok().json();
        assert_eq!(ended["state"], "revoked");
        assert_eq!(site.run(&["revoke", &id, "--json"]).ok().json(), ended, "ended once");
        assert!(site.run(&["list"]).ok().stdout.contains("revoked"));
        assert!(site.run(&["revoke", "tok_000000000000"]).fails().stderr.contains("not found"));
        for wrong in [
            vec!["create", "--name", "x"],
            vec!["create", "--scope", "read"],
            vec!["create", "--name", "x", "--scope", "everything"],
            vec!["create", "--name", "x", "--scope", "read", "--ttl-days", "0"],
        ] {
            site.run(&wrong).exits(2);
        }
        site.run(&["create", "--name", " ", "--scope", "read"]).fails();
        site.run(&["create", "--name", "a\u{7}b", "--scope", "read"]).fails();
        assert_eq!(site.run(&["list", "--json"]).ok().json().as_array().unwrap().len(), 2);
    });
}

/// One call for each scope.
fn calls() -> [(&'static str, &'static str, &'static str, Value); 6] {
    [
        ("read", "GET", "/decisions", Value::Null),
        ("read", "GET", "/metrics", Value::Null),
        ("decide", "POST", "/decisions", json!({"action_type": "read_file", "target": "a"})),
        ("approvals", "POST", "/approvals", json!({"decision": decision("dec_1")})),
        ("inventory", "POST", "/repositories", json!({"repository": "r"})),
        ("policy", "POST", "/policy-packs/draft", json!({"id": "cavra-x", "title": "x", "description": "x"})),
    ]
}

#[test]
fn a_token_opens_what_its_scopes_say() {
    on_both(|backend| {
        let site = Site::new(backend);
        let server = site.serve(&[("CAVRA_REQUIRE_TOKEN", "true")]);
        for (_, method, path, body) in calls() {
            let (name, bytes) =
                (format!("{method} {path}"), if method == "GET" { String::new() } else { body.to_string() });
            let answer = server.request("GET", "/health", b"");
            assert_eq!(answer.status, 200, "whether it lives is no secret");
            let answer = server.request(method, path, bytes.as_bytes()).refused(&[401]);
            assert!(answer.is_string(), "{name}");
            for nonsense in ["cavra_0123456789ab_short", "cavra_", "nonsense", ""] {
                let status = call(&server, method, path, nonsense, &body).status;
                assert!([400, 401].contains(&status), "{name} with {nonsense}: {status}");
            }
        }
        for scope in ["read", "decide", "approvals", "inventory", "policy"] {
            let (token, id) = site.token(scope, &[scope]);
            for (of, method, path, body) in calls() {
                let wanted = if of == scope { 200 } else { 403 };
                let answer = call(&server, method, path, &token, &body);
                assert_eq!(answer.status, wanted, "{scope} {method} {path}: {}", answer.text());
            }
            // Another secret under the same id is as good as none.
            let forged = format!("{}{}", &token[..token.len() - 4], "AAAA");
            for (_, method, path, body) in calls() {
                call(&server, method, path, &forged, &body).refused(&[401]);
            }
            site.run(&["revoke", &id]).ok();
            for (_, method, path, body) in calls() {
                call(&server, method, path, &token, &body).refused(&[401]);
            }
            let secret = token.splitn(3, '_').nth(2).unwrap();
            assert!(!server.log().contains(secret) && !site.bytes().contains(secret));
        }
    });
}

#[test]
fn a_token_ends_by_the_clock() {
    let site = Site::new(Backend::Json);
    let (token, _) = site.token("ci", &["read"]);
    let mut stored = site.home.json("data/tokens.json");
    stored["tokens"][0]["expires_at"] = json!("2021-01-01T00:00:00.000000+00:00");
    site.home.write("data/tokens.json", stored.to_string());
    let server = site.serve(&[]);
    call(&server, "GET", "/decisions", &token, &Value::Null).refused(&[401]);
    // What cannot be read has passed.
    drop(server);
    stored["tokens"][0]["expires_at"] = json!("some day");
    site.home.write("data/tokens.json", stored.to_string());
    call(&site.serve(&[]), "GET", "/decisions", &token, &Value::Null).refused(&[401]);
}

/// It names a machine: what it asks for is recorded under its name, and it decides nothing.
#[test]
fn a_token_is_no_person() {
    let issuer = Issuer::new();
    for (oidc, statuses) in [(false, [401, 400]), (true, [401, 401])] {
        let site = Site::new(Backend::Sqlite);
        let (token, _) = site.token("ci", &["decide", "read", "approvals", "inventory", "policy"]);
        site.home.write("oidc.json", issuer.config(&json!({})).to_string());
        let config = site.home.at("oidc.json");
        let settings: &[_] = if oidc { &[("CAVRA_APPROVAL_OIDC_CONFIG", config.as_str())] } else { &[] };
        let server = site.serve(settings);
        let asked =
            call(&server, "POST", "/approvals", &token, &json!({"decision": decision("dec_1"), "requested_by": "ann"}))
                .ok();
        assert_eq!(asked["requested_by"], "ci", "nobody asks in another's name");
        let path = format!("/approvals/{}/approve", string(&asked["approval_id"]));
        let ruling = json!({"actor": "ann", "reason": "fine"});
        let decides = if oidc { 401 } else { 403 };
        for verb in ["approve", "deny", "expire"] {
            call(&server, "POST", &path.replace("/approve", &format!("/{verb}")), &token, &ruling).refused(&[decides]);
        }
        call(
            &server,
            "POST",
            "/approvals/break-glass",
            &token,
            &json!({"decision": decision("d"), "actor": "a", "reason": "r"}),
        )
        .refused(&[decides]);
        assert_eq!(server.total("/approvals"), 1);
        if oidc {
            let draft = json!({"id": "cavra-x", "title": "x", "description": "x"});
            call(&server, "POST", "/policy-packs/publish-request", &token, &draft).refused(&[401]);
        }
        let mut smuggled = ruling.clone();
        smuggled["actor_token"] = json!(token);
        server.post(&path, &smuggled).refused(&statuses);
        assert_eq!(server.get(&format!("/approvals/{}", string(&asked["approval_id"]))).ok()["state"], "pending");
        if oidc {
            // A person's token in the body, a machine's in the header: the person decides.
            let mut person = ruling.clone();
            person["actor_token"] = json!(issuer.token("bob", &["IAM"]));
            assert_eq!(call(&server, "POST", &path, &token, &person).ok()["decided_by"], "bob@x.example");
        }
        assert!(!server.log().contains(&token));
    }
}

/// A person's token opens a server that asks for tokens, too.
#[test]
fn people_need_no_machine_token() {
    let issuer = Issuer::new();
    let site = Site::new(Backend::Json);
    site.home.write("oidc.json", issuer.config(&json!({})).to_string());
    let server =
        site.serve(&[("CAVRA_APPROVAL_OIDC_CONFIG", &site.home.at("oidc.json")), ("CAVRA_REQUIRE_TOKEN", "true")]);
    for (_, method, path, body) in calls() {
        let answer = call(&server, method, path, &issuer.token("ann", &[]), &body);
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
        call(&server, method, path, &issuer.forged("ann", &["IAM"]), &body).refused(&[401]);
    }
}
