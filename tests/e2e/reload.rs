//! The operator's files are read again while the server runs: all of them or none, and nobody who is being answered notices.

use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::approvals::{decision, string};
use crate::support::{BASELINE, Connection, Home, Issuer, PATIENCE, Response, Server, pack_yaml, text};

/// Waits until something is so.
#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// How often files were read again with that outcome.
fn reloads(server: &Server, outcome: &str) -> u64 {
    let metrics = server.get("/metrics").text().to_owned();
    let name = format!("cavra_reloads_total{{outcome=\"{outcome}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

/// Asks the server to read its files again, and waits until it has.
#[track_caller]
pub fn reload(server: &Server, outcome: &str) {
    let before = reloads(server, outcome);
    server.hangup();
    wait_until(&format!("not {outcome}"), || reloads(server, outcome) > before);
}

/// The check of that name.
fn check(server: &Server, id: &str) -> Value {
    let readiness = server.get("/deployment/production-readiness").ok();
    let found = readiness["checks"].as_array().unwrap().iter().find(|check| check["id"] == id);
    found.cloned().unwrap_or_else(|| panic!("there is no check {id}"))
}

/// An installation with people.
struct Site {
    home: Home,
    issuer: Issuer,
}

/// Files that are read again, by their settings.
const FILES: [(&str, &str); 6] = [
    ("CAVRA_APPROVAL_OIDC_CONFIG", "oidc.json"),
    ("CAVRA_APPROVAL_RBAC_FILE", "rbac.json"),
    ("CAVRA_APPROVAL_ROUTING_FILE", "routing.json"),
    ("CAVRA_CONNECTOR_CONFIG", "connectors.json"),
    ("CAVRA_APPROVAL_PROVIDER_CONFIG", "providers.json"),
    ("CAVRA_WORKERS", "workers.json"),
];

impl Site {
    fn new() -> Self {
        let site = Self { home: Home::new(), issuer: Issuer::new() };
        site.home.write("oidc.json", site.issuer.config(&json!({})).to_string());
        for (_, file) in &FILES[2..] {
            site.home.write(file, "{}");
        }
        site.home.write("workers.json", json!({"jobs": {}}).to_string());
        site.home.write("routing.json", "[]");
        site.leads(&["pay-leads"]);
        site
    }

    /// Says which groups may approve what is for IAM in the repository pay.
    fn leads(&self, groups: &[&str]) {
        let rule = json!({"repository": "pay", "approver_group": "IAM", "groups": groups});
        self.home.write("rbac.json", json!({"repository_permissions": [rule]}).to_string());
    }

    fn serve(&self, more: &[(&str, &str)]) -> Server {
        let settings: Vec<_> = FILES.iter().chain(more).copied().collect();
        self.home.serve(&settings)
    }

    /// Asks for an approval; answers where it is decided.
    fn asked(&self, server: &Server) -> String {
        let asked = json!({"decision": decision("dec_1"), "approver_group": "IAM"});
        let asked = server.post_as(&self.issuer.token("ann", &[]), "/approvals", &asked).ok();
        format!("/approvals/{}/approve", string(&asked["approval_id"]))
    }

    /// A lead approves something.
    fn lead_approves(&self, server: &Server) -> Response {
        let lead = self.issuer.token("lee", &["pay-leads"]);
        server.post_as(&lead, &self.asked(server), &json!({"reason": "fine"}))
    }
}

#[test]
fn who_may_approve_changes_under_load_and_no_request_is_lost() {
    let site = Site::new();
    let server = site.serve(&[]);
    site.lead_approves(&server).ok();
    let (going_on, answered) = (AtomicBool::new(true), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = Connection::open(server.address).unwrap();
                let body = json!({"action_type": "read_file", "target": "src/a.rs"}).to_string();
                while going_on.load(Ordering::Relaxed) {
                    connection.exchange("POST", "/decisions", body.as_bytes()).unwrap().ok();
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 0..6 {
            site.leads(if round % 2 == 0 { &["others"] } else { &["pay-leads"] });
            reload(&server, "completed");
            let status = site.lead_approves(&server).status;
            assert_eq!(status, if round % 2 == 0 { 403 } else { 200 }, "round {round}");
        }
        let before = answered.load(Ordering::Relaxed);
        wait_until("nothing is decided any more", || answered.load(Ordering::Relaxed) > before + 20);
        going_on.store(false, Ordering::Relaxed);
    });
    assert_eq!(
        server.total("/decisions"),
        answered.load(Ordering::Relaxed),
        "what was answered is recorded, and only that"
    );
    assert!(server.terminate().success());
}

/// A request is judged by what was in force when it came, from beginning to end.
#[test]
fn who_is_being_answered_ends_as_he_began() {
    let site = Site::new();
    let server = site.serve(&[]);
    let lead = site.issuer.token("lee", &["pay-leads"]);
    let (path, later) = (site.asked(&server), site.asked(&server));
    let body = json!({"reason": "fine"}).to_string();
    let mut connection = Connection::open(server.address).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {lead}\r\ncontent-type: application/json\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    connection.send(head.as_bytes()).unwrap();
    assert_eq!(connection.receive().unwrap().status, 100, "it waits for the body");
    site.leads(&["others"]);
    reload(&server, "completed");
    server.post_as(&lead, &later, &json!({"reason": "fine"})).refused(&[403]);
    connection.send(body.as_bytes()).unwrap();
    connection.receive().unwrap().ok();
    // The next one on the same connection is judged anew.
    let authorization = format!("Bearer {lead}");
    let next = connection.exchange_with("POST", &later, &[("authorization", &authorization)], body.as_bytes());
    next.unwrap().refused(&[403]);
}

#[test]
fn a_broken_file_changes_nothing_and_is_told_everywhere() {
    let site = Site::new();
    let server = site.serve(&[]);
    assert_eq!(check(&server, "files_in_force")["status"], "pass");
    for (setting, file) in FILES {
        let whole = site.home.read(file);
        // The others are as good as ever, and none of them takes effect alone.
        if file != "rbac.json" {
            site.leads(&["others"]);
        }
        site.home.write(file, "{\"trust\": ");
        // It is told before anybody asks for it to be read, too.
        assert_eq!(check(&server, "files_in_force")["status"], "warn", "{setting}");
        reload(&server, "refused");
        site.lead_approves(&server).ok();
        let said = check(&server, "files_in_force");
        assert_eq!(said["status"], "warn", "{setting}");
        assert!(said["problems"].to_string().contains(file), "{setting}: {said}");
        assert!(server.get("/metrics").text().contains("\ncavra_reload_refused 1\n"), "{setting}");
        let log = server.log();
        let line =
            log.lines().rfind(|line| line.contains("stays in force")).unwrap_or_else(|| panic!("{setting}: {log}"));
        assert!(line.contains("ERROR") && line.contains(file), "{line}");
        site.home.write(file, whole);
        site.leads(&["pay-leads"]);
        reload(&server, "completed");
        assert!(server.get("/metrics").text().contains("\ncavra_reload_refused 0\n"), "{setting}");
        assert_eq!(check(&server, "files_in_force")["status"], "pass", "{setting}");
    }
}

/// Keys and routing are read again as well; whoever signed with the key that is gone is nobody.
#[test]
fn keys_and_routing_take_effect() {
    let site = Site::new();
    let server = site.serve(&[]);
    site.lead_approves(&server).ok();
    site.home.write("routing.json", json!([{"approver_group": "IAM", "quorum": 2}]).to_string());
    reload(&server, "completed");
    assert_eq!(site.lead_approves(&server).ok()["state"], "pending", "one of two");
    let path = site.asked(&server);
    let mut config = site.issuer.config(&json!({}));
    config["jwks"]["keys"][0]["kid"] = json!("k2");
    config["jwks"]["keys"][0]["n"] = json!("AQAB".repeat(86));
    site.home.write("oidc.json", config.to_string());
    reload(&server, "completed");
    let lead = site.issuer.token("lee", &["IAM"]);
    server.post_as(&lead, &path, &json!({"reason": "fine"})).refused(&[401]);
}

#[test]
fn secrets_in_files_are_read_again_and_shown_nowhere() {
    let home = Home::new();
    home.write("ingest-token", "first-hush\n");
    let server = home.serve(&[("CAVRA_ENDPOINT_INGEST_TOKEN_FILE", "ingest-token")]);
    let send = |token: &str| server.post_as(token, "/endpoint-inventory/ingest", &json!({"provider": "jamf"})).status;
    let (first, second) = (send("first-hush"), send("second-hush"));
    assert!(first != 401 && second == 401, "{first} {second}");
    home.write("ingest-token", "second-hush\n");
    reload(&server, "completed");
    assert_eq!((send("first-hush"), send("second-hush")), (401, first));
    // A secret that is gone is not a check that is off.
    std::fs::remove_file(home.join("ingest-token")).unwrap();
    reload(&server, "refused");
    assert_eq!((send("first-hush"), send("second-hush")), (401, first));
    // Neither is a credential that the service manager takes away.
    let elsewhere = Home::new();
    let credential = elsewhere.write("credentials/CAVRA_ENDPOINT_INGEST_TOKEN", "third-hush");
    let other = elsewhere.serve(&[("CREDENTIALS_DIRECTORY", "credentials")]);
    std::fs::remove_file(credential).unwrap();
    assert_eq!(check(&other, "files_in_force")["status"], "warn");
    reload(&other, "refused");
    let inventory = json!({"provider": "jamf"});
    let sent =
        ["third-hush", "first-hush"].map(|token| other.post_as(token, "/endpoint-inventory/ingest", &inventory).status);
    assert_eq!(sent, [first, 401]);
    assert!(!other.log().contains("hush"));
    let shown = home.cavra(&["config", "show"]).env("CAVRA_API_TOKEN_FILE", "ingest-token").run();
    assert!(!format!("{}{}{}", server.log(), shown.stdout, shown.stderr).contains("hush"));
    let refused = home.cavra(&["serve"]).env("CAVRA_POLICY_SIGNING_KEY_FILE", "nowhere").run().fails();
    assert!(refused.stderr.contains("CAVRA_POLICY_SIGNING_KEY: nowhere cannot be read"), "{}", refused.stderr);
}

#[test]
fn files_that_change_are_read_without_a_signal_where_that_is_wanted() {
    let site = Site::new();
    let server = site.serve(&[("CAVRA_RELOAD_SECONDS", "1")]);
    site.lead_approves(&server).ok();
    site.leads(&["others"]);
    wait_until("who may approve is not read", || site.lead_approves(&server).status == 403);
    let refused = site.home.cavra(&["serve"]).env("CAVRA_RELOAD_SECONDS", "0").run().fails();
    assert!(refused.stderr.contains("CAVRA_RELOAD_SECONDS"), "{}", refused.stderr);
}

/// A pack that is whole again decides as it says; until then it decides as it did.
#[test]
fn a_broken_pack_decides_as_before() {
    let home = Home::new();
    let blocking = |what: &str| pack_yaml("cavra-own", &format!("filesystem:\n  block_read: [{what}]\n"));
    home.pack("cavra-own", &blocking("a.txt"));
    let (name, packs) = home.packs();
    let server = home.serve(&[(name, &packs)]);
    let outcome = |target: &str| {
        let body = json!({"action_type": "read_file", "target": target, "policy_pack": "cavra-own"});
        let answer = server.post("/decisions", &body);
        if answer.status == 200 { text(&answer.json(), "decision").to_owned() } else { answer.status.to_string() }
    };
    assert_eq!(outcome("a.txt"), "block");
    assert_eq!(check(&server, "policy_packs")["status"], "pass");
    for broken in
        ["filesystem: [", "<<<<<<< HEAD\n", &blocking("a.txt, 5"), &pack_yaml("cavra-own", "  inherits: nobody\n")]
    {
        home.pack("cavra-own", broken);
        assert_eq!(outcome("a.txt"), "block", "{broken}");
        let said = check(&server, "policy_packs");
        assert!(said["status"] == "warn" && said["problems"].to_string().contains("cavra-own"), "{said}");
        assert!(server.get("/metrics").text().contains("\ncavra_policy_packs_broken 1\n"));
    }
    assert!(server.log().contains("it decides as it did before"));
    home.pack("cavra-own", &blocking("b.txt"));
    assert_eq!(
        (outcome("b.txt"), check(&server, "policy_packs")["status"].clone()),
        ("block".to_owned(), json!("pass"))
    );
    assert_ne!(outcome("a.txt"), "block");
    // Whoever takes a pack away means it.
    std::fs::remove_dir_all(home.join("packs/cavra-own")).unwrap();
    assert_eq!(outcome("b.txt"), "404");
    assert_eq!(server.decide_on("read_file", "README.md", BASELINE)["policy_pack"], BASELINE);
}

/// What `Type=notify-reload` asks for: the beginning with its moment, then the end.
#[test]
fn the_service_manager_follows() {
    let site = Site::new();
    let socket = site.home.join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut bytes = [0; 4000];
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let server = site.serve(&[("NOTIFY_SOCKET", socket.to_str().unwrap())]);
    assert_eq!(told(), "READY=1");
    let moment = || {
        let begins = told();
        let moment = begins.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{begins}"));
        moment.parse::<u64>().unwrap()
    };
    server.hangup();
    let first = moment();
    assert_eq!(told(), "READY=1\nSTATUS=");
    site.home.write("routing.json", "[");
    server.hangup();
    assert!(moment() > first);
    let ends = told();
    let status = ends.strip_prefix("READY=1\nSTATUS=not reloaded: ").unwrap_or_else(|| panic!("{ends}"));
    assert!(status.contains("routing.json") && !status.contains('\n'), "{status}");
}

/// A socket that somebody else has opened is the one that is listened on, as `sd_listen_fds` hands it over.
#[test]
fn a_socket_is_handed_over() {
    use std::io::{BufRead as _, BufReader};
    use std::os::fd::OwnedFd;
    use std::process::{Command, Stdio};

    let home = Home::new();
    let start = |socket: OwnedFd, count: u8| {
        // The shell is the parent that moves the socket to where it is expected; the server takes its place.
        let script = "exec 3<&0 0</dev/null; export LISTEN_PID=$$; exec \"$0\" serve --host 192.0.2.1 --port 1";
        Command::new("sh")
            .args(["-c", script, env!("CARGO_BIN_EXE_cavra")])
            .current_dir(home.path())
            .env_clear()
            .env("LISTEN_FDS", count.to_string())
            .env("CAVRA_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"))
            .stdin(Stdio::from(socket))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Whoever connects before the server runs is answered, too.
    let mut early = Connection::open(address).unwrap();
    early.send(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut server = start(listener.into(), 1);
    let mut said = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, format!("listening on http://{address}\n"));
    early.receive().unwrap().ok();
    server.kill().unwrap();
    server.wait().unwrap();
    // Of several, or of one of another kind, nobody knows what is meant.
    let refused = |socket: OwnedFd, count| {
        let output = start(socket, count).wait_with_output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    assert!(refused(udp.into(), 1).contains("handed over"));
    // An address that others reach is as closed as ever.
    let open = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    assert!(refused(open.into(), 1).contains("is not a loopback address"));
}
