//! Approvals decided by people whom a real OpenID provider vouches for: the npm package `oidc-provider`, whose keys
//! the server discovers. docs/reference/approvals-identity-authoring.md, section 2.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::approvals::{pending, serve};
use crate::support::{Backend, Connection, Home, Response, Server, node, text};

const SCRIPT: &str = include_str!("oidc_provider.mjs");
/// The provider's version.
const VERSION: &str = "9.13.3";
/// Where the provider sends people who have signed in. Nobody is there; the code is read from the address.
const CALLBACK: &str = "https://console.example/callback";
/// What a token is for, as the script knows it: the server, and somebody else.
const OURS: &str = "https://cavra.example/";
const THEIRS: &str = "https://other.example/";
/// A proof key and its challenge: RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A provider with people and machines; ended when dropped.
struct Provider {
    child: Child,
    tells: ChildStdin,
    hears: mpsc::Receiver<String>,
    issuer: String,
    address: SocketAddr,
}

impl Provider {
    /// One on a free port of loopback; `None`, said aloud, where it cannot run.
    fn start(home: &Home) -> Option<Self> {
        let folder = node("oidc-provider", VERSION)?;
        let mut child = Command::new("node")
            .args(["--input-type=module", "--eval", SCRIPT])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(home.join("provider.log")).unwrap())
            .spawn()
            .unwrap();
        let (tells, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let (says, hears) = mpsc::channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| says.send(line)));
        let Some(issuer) = hear(&hears, "http://") else {
            let _ = child.kill();
            panic!("the provider does not start: {}", home.read("provider.log"));
        };
        let address = issuer.strip_prefix("http://").unwrap().parse().unwrap();
        Some(Self { child, tells, hears, issuer, address })
    }

    /// Makes it start anew, with a new key, where it is.
    fn rotate(&mut self) {
        writeln!(self.tells).unwrap();
        hear(&self.hears, "key-2").expect("the provider takes a new key");
    }

    /// The settings of a server that trusts it and knows no more than its name.
    fn trusted(&self, home: &Home) -> Server {
        home.write("oidc.json", json!({"issuer": self.issuer, "audience": "cavra"}).to_string());
        serve(home, Backend::Json, &[("CAVRA_APPROVAL_OIDC_CONFIG", &home.at("oidc.json"))])
    }

    /// A machine's access token.
    fn machine(&self, client: &str) -> String {
        let grant =
            [("grant_type", "client_credentials"), ("client_id", client), ("scope", "approve"), ("resource", OURS)];
        text(&self.token(&grant), "access_token").to_owned()
    }

    /// What a person gets who signs in and consents: access token and ID token.
    fn person(&self, name: &str, resource: &str) -> Value {
        let code = Browser { provider: self, cookies: BTreeMap::new() }.sign_in(name, resource);
        self.token(&[
            ("grant_type", "authorization_code"),
            ("client_id", "cavra"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
            ("resource", resource),
        ])
    }

    fn token(&self, grant: &[(&str, &str)]) -> Value {
        let body = form(&[grant, &[("client_secret", "secret")]].concat());
        let answer = send(self.address, "POST", "/token", &[("content-type", FORM)], &body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

/// The next line that begins so; the package says things too.
fn hear(lines: &mpsc::Receiver<String>, beginning: &str) -> Option<String> {
    std::iter::from_fn(|| lines.recv_timeout(Duration::from_secs(60)).ok()).find(|line| line.starts_with(beginning))
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Somebody's browser: it keeps cookies and follows where it is sent.
struct Browser<'a> {
    provider: &'a Provider,
    cookies: BTreeMap<String, String>,
}

impl Browser<'_> {
    /// Signs in and agrees to everything; answers the code.
    fn sign_in(&mut self, name: &str, resource: &str) -> String {
        let query = form(&[
            ("client_id", "cavra"),
            ("response_type", "code"),
            ("redirect_uri", CALLBACK),
            ("scope", "openid email groups approve"),
            ("resource", resource),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        let mut path = format!("/auth?{query}");
        let mut answer = self.go("GET", &path, "");
        for _ in 0..12 {
            answer = if let Some(location) = answer.header("location") {
                if let Some(query) = location.strip_prefix(CALLBACK) {
                    let code = query.trim_start_matches('?').split('&').find_map(|pair| pair.strip_prefix("code="));
                    return code.unwrap_or_else(|| panic!("no code in {location}")).to_owned();
                }
                path = location.strip_prefix(&self.provider.issuer).unwrap_or(location).to_owned();
                self.go("GET", &path, "")
            } else if answer.text().contains("name=\"login\"") {
                self.go("POST", &path, &form(&[("prompt", "login"), ("login", name), ("password", "any")]))
            } else if answer.text().contains("value=\"consent\"") {
                self.go("POST", &path, &form(&[("prompt", "consent")]))
            } else {
                panic!("{} {}", answer.status, answer.text());
            };
        }
        panic!("signing in does not end: {path}");
    }

    fn go(&mut self, method: &str, path: &str, body: &str) -> Response {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let answer = send(self.provider.address, method, path, &[("content-type", FORM), ("cookie", &cookies)], body);
        for (_, cookie) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

/// A form's body, or a query.
fn form(members: &[(&str, &str)]) -> String {
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect()
    };
    members.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

/// One request with these headers.
fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut connection = Connection::open(address).unwrap();
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n{headers}content-length: {}\r\n\r\n", body.len());
    connection.send(format!("{head}{body}").as_bytes()).unwrap();
    connection.receive().unwrap()
}

/// Approves as the holder of a token, claiming to be somebody else.
fn approve(server: &Server, id: &str, token: Option<&str>) -> Response {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    let body = json!({"actor": "mallory", "reason": "fine"}).to_string();
    send(server.address, "POST", &format!("/approvals/{id}/approve"), &headers, &body)
}

/// Asserts that this token approves nothing, for that reason.
#[track_caller]
fn refused(server: &Server, id: &str, token: Option<&str>, status: u16) {
    let path = format!("/approvals/{id}");
    let before = server.get(&path).ok();
    approve(server, id, token).refused(&[status]);
    let after = server.get(&path).ok();
    assert_eq!((&after["state"], &after), (&json!("pending"), &before));
}

#[track_caller]
fn approved(record: Value, by: &str) {
    assert_eq!(record["state"], "approved");
    assert_eq!((&record["decided_by"], &record["decided_via"]), (&json!(by), &json!("token")));
    assert_eq!(record["history"].as_array().unwrap().last().unwrap()["actor"], by);
}

#[test]
fn people_and_machines_decide_with_their_tokens() {
    let home = Home::new();
    let Some(provider) = Provider::start(&home) else { return };
    let server = provider.trusted(&home);
    let id = pending(&server);
    let (ann, bob, elsewhere) =
        (provider.person("ann", OURS), provider.person("bob", OURS), provider.person("ann", THEIRS));
    let token = text(&ann, "access_token");

    refused(&server, &id, None, 401);
    refused(&server, &id, Some(text(&bob, "access_token")), 403);
    refused(&server, &id, Some(text(&elsewhere, "access_token")), 401);
    // Her name over his signature.
    let (his, signature) = (text(&bob, "access_token"), token.rsplit_once('.').unwrap().1);
    refused(&server, &id, Some(&format!("{}.{signature}", his.rsplit_once('.').unwrap().0)), 401);
    let claims = json!({"reason": "fine", "actor_claims": {"email": "ann@corp.example", "groups": ["IAM"]}});
    server.post(&format!("/approvals/{id}/approve"), &claims).refused(&[401]);
    approved(approve(&server, &id, Some(token)).ok(), "ann@corp.example");

    // An ID token, in the body.
    let id = pending(&server);
    let body = json!({"reason": "fine", "actor_token": text(&ann, "id_token")});
    approved(server.post(&format!("/approvals/{id}/approve"), &body).ok(), "ann@corp.example");
    // A machine of the right group.
    let id = pending(&server);
    approved(approve(&server, &id, Some(&provider.machine("ci-iam"))).ok(), "ci-iam");

    let bearer = format!("Bearer {token}");
    let session = send(server.address, "GET", "/console/session", &[("authorization", &bearer)], "").ok();
    assert_eq!((&session["mode"], &session["actor"]["actor"]), (&json!("authenticated"), &json!("ann@corp.example")));
    assert_eq!((&session["actor"]["groups"], &session["actor"]["issuer"]), (&json!(["IAM"]), &json!(provider.issuer)));
    for secret in [token, text(&ann, "id_token"), text(&bob, "access_token")] {
        let signature = secret.rsplit_once('.').unwrap().1;
        assert!(!server.log().contains(signature) && !home.read("data/approvals.json").contains(signature));
    }
}

#[test]
fn a_new_key_of_the_provider_is_found_and_the_old_one_forgotten() {
    let home = Home::new();
    let Some(mut provider) = Provider::start(&home) else { return };
    let server = provider.trusted(&home);
    let old = provider.machine("ci-iam");
    approved(approve(&server, &pending(&server), Some(&old)).ok(), "ci-iam");
    provider.rotate();
    let new = provider.machine("ci-iam");
    let id = pending(&server);
    let started = Instant::now();
    let record = loop {
        let answer = approve(&server, &id, Some(&new));
        if answer.status == 200 {
            break answer.ok();
        }
        // Just after the first key was fetched the server does not ask again.
        answer.refused(&[401]);
        assert!(started.elapsed() < Duration::from_secs(30), "the new key is not found");
        std::thread::sleep(Duration::from_millis(200));
    };
    approved(record, "ci-iam");
    refused(&server, &pending(&server), Some(&old), 401);
}

/// What is known of a provider outlives it for a while; without having met it, no server starts.
#[test]
fn a_provider_is_met_at_the_start() {
    let home = Home::new();
    let Some(provider) = Provider::start(&home) else { return };
    let server = provider.trusted(&home);
    let token = provider.machine("ci-iam");
    drop(provider);
    let id = pending(&server);
    refused(&server, &id, Some("not.a.token"), 401);
    refused(&server, &id, None, 401);
    approved(approve(&server, &id, Some(&token)).ok(), "ci-iam");
    drop(server);
    let again =
        home.cavra(&["serve", "--port", "0"]).env("CAVRA_APPROVAL_OIDC_CONFIG", home.at("oidc.json")).run().fails();
    assert!(again.stderr.contains("oidc.json") && again.stdout.is_empty(), "{again:?}");
}
