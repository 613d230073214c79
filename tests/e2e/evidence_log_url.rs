//! A log checked from elsewhere, by somebody who has its keys and its address: `cavra evidence log verify --url`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use cavra_evidence::SigningKey;
use cavra_log::{Checkpoint, VerifierKey};
use serde_json::{Value, json};

use crate::approvals::pending;
use crate::evidence::serve;
use crate::evidence_log::{checkpoint, keys};
use crate::support::{BASELINE, Backend, Connection, Home, Output, Server, on_both, text};

const LOGS: [&str; 3] = ["activity", "approvals", "evidence"];

/// A server with something in each of its logs.
fn filled(backend: Backend, decisions: usize) -> Server {
    let server = serve(&Home::new(), backend, &[]);
    for number in 0..decisions {
        server.decide_on("read_file", &format!("f{number}"), BASELINE);
    }
    for _ in 0..3 {
        pending(&server);
    }
    server.request("POST", "/api/sandbox/run", b"").ok();
    server
}

/// An auditor's machine: a place of its own, with no store.
fn verify(auditor: &Home, url: &str, key: &str, more: &[&str]) -> Output {
    auditor.cavra(&[&["evidence", "log", "verify", "--url", url, "--vkey", key], more].concat()).run()
}

#[track_caller]
fn problems(output: Output) -> String {
    let found = output.exits(1).json();
    assert_eq!(found["valid"], false, "{found}");
    found["problems"].as_array().unwrap().iter().map(|problem| problem.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_log_of_a_server_is_checked_from_elsewhere() {
    on_both(|backend| {
        let server = filled(backend, 300);
        let (auditor, url) = (Home::new(), format!("http://{}", server.address));
        for log in LOGS {
            let (note, key) = (checkpoint(&server, log), keys(&server, log).remove(0));
            let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
            auditor.write(&format!("{log}.txt"), &note);
            for url in [url.clone(), format!("{url}/")] {
                let kept = format!("{log}.txt");
                let found = verify(&auditor, &url, &key, &["--log", log, "--checkpoint", &kept, "--json"]).ok().json();
                let wanted = json!({
                    "valid": true, "problems": [], "size": size, "root_hash": note.lines().nth(2).unwrap(),
                    "checkpoints": 2, "signed_size": size, "closed_logs": [], "records": null,
                });
                assert_eq!(found, wanted, "{log}");
            }
        }
        let key = keys(&server, "activity").remove(0);
        assert_eq!(auditor.read("activity.txt").lines().nth(1), Some("307"), "the sandbox decides too");
        // The log goes on; what was kept is a beginning of it.
        server.decide_on("read_file", "later", BASELINE);
        let newer = checkpoint(&server, "activity");
        let found = verify(&auditor, &url, &key, &["--checkpoint", "activity.txt"]).ok();
        assert!(found.stdout.contains("308 leaves, root hash ") && found.stdout.ends_with("the log is whole\n"));
        assert!(found.stderr.is_empty(), "no bar where nobody looks: {found:?}");
        // What the server has not signed, or another log has, is no beginning of it.
        auditor.write("newer.txt", &newer);
        let other = verify(&auditor, &url, &key, &["--checkpoint", "newer.txt", "--checkpoint", "approvals.txt"]);
        assert!(other.fails().stderr.contains("approvals.txt: this is a checkpoint of the log cavra/"));
        let second = keys(&server, "approvals").remove(0);
        let both = ["--vkey", &second, "--checkpoint", "approvals.txt", "--json"];
        let said = problems(verify(&auditor, &url, &key, &both));
        assert!(said.contains("approvals.txt: is of the log cavra/"), "{said}");
        assert!(!auditor.exists(".cavra"), "an auditor has no store and no key");
    });
}

/// What a liar answers instead of what is there.
enum Lie {
    Truth,
    Bytes(Vec<u8>),
    /// Fewer bytes than were announced.
    Short(Vec<u8>),
    Status(&'static str),
}

/// Stands between the server and the auditor.
struct Liar {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Liar {
    fn start(server: SocketAddr, lie: impl Fn(&str, &[u8]) -> Lie + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let liar = Self { url, asked: Arc::clone(&asked) };
        let lie = Arc::new(lie);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (lie, asked) = (Arc::clone(&lie), Arc::clone(&asked));
                // Who was told enough hangs up; that is no concern here.
                thread::spawn(move || drop(answer(stream.unwrap(), server, &*lie, &asked)));
            }
        });
        liar
    }
}

fn answer(
    mut stream: TcpStream,
    server: SocketAddr,
    lie: &impl Fn(&str, &[u8]) -> Lie,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = BufReader::new(stream.try_clone()?).lines();
    let request = head.next().transpose()?.unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let _ = head.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).count();
    asked.lock().unwrap().push(path.clone());
    let truth = Connection::open(server)?.exchange("GET", &path, b"")?;
    let (status, body, more) = match lie(&path, &truth.body) {
        Lie::Truth => (truth.status.to_string(), truth.body, 0),
        Lie::Bytes(bytes) => ("200".to_owned(), bytes, 0),
        Lie::Short(bytes) => ("200".to_owned(), bytes, 5),
        Lie::Status(status) => (status.to_owned(), b"no".to_vec(), 0),
    };
    let length = body.len() + more;
    stream.write_all(
        format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n").as_bytes(),
    )?;
    stream.write_all(&body)
}

/// A path, what is answered there, and what the auditor says of it.
type Deed = (&'static str, fn(&[u8]) -> Lie, &'static [&'static str]);

fn flipped(truth: &[u8]) -> Lie {
    let mut bytes = truth.to_vec();
    bytes[40] ^= 1;
    Lie::Bytes(bytes)
}

/// A note with another first character in one line.
fn changed(note: &[u8], line: usize) -> Lie {
    let mut lines: Vec<_> = std::str::from_utf8(note).unwrap().split('\n').map(str::to_owned).collect();
    let other = if lines[line].starts_with('7') { "8" } else { "7" };
    lines[line].replace_range(..1, other);
    Lie::Bytes(lines.join("\n").into_bytes())
}

#[test]
fn whoever_lies_about_a_log_is_found_out() {
    const CHANGED: &str = "/checkpoint: the first 9 leaves are not those that were signed";
    let server = filled(Backend::Sqlite, 2);
    let auditor = Home::new();
    let note = checkpoint(&server, "activity");
    assert_eq!(note.lines().nth(1), Some("9"));
    let key = keys(&server, "activity").remove(0);
    let deeds: &[Deed] = &[
        ("tile/entries/000.p/9", flipped, &[CHANGED, "tile/0/000.p/9: its hash 0 is not that of leaf 0"]),
        ("tile/0/000.p/9", flipped, &["tile/0/000.p/9: its hash 1 is not that of leaf 1"]),
        (
            "tile/entries/000.p/9",
            |truth| Lie::Bytes(truth[..truth.len() - 1].to_vec()),
            &["9: the bytes are no entry bundle"],
        ),
        ("tile/entries/000.p/9", |_| Lie::Bytes(Vec::new()), &["000.p/9: holds 0 leaves instead of 9"]),
        ("tile/entries/000.p/9", |truth| Lie::Bytes([truth, &[0, 0]].concat()), &["holds 10 leaves instead of 9"]),
        (
            "tile/entries/000.p/9",
            |_| Lie::Bytes(vec![b'<'; 9 * 65_537 + 1]),
            &["000.p/9: the answer is larger than 589833 bytes"],
        ),
        ("tile/entries/000.p/9", |truth| Lie::Short(truth.to_vec()), &["000.p/9: the answer is cut off"]),
        ("tile/entries/000.p/9", |_| Lie::Status("404"), &["tile/entries/000.p/9: answered with status 404"]),
        ("tile/0/000.p/9", |_| Lie::Status("410"), &["tile/0/000.p/9: answered with status 410"]),
        (
            "tile/0/000.p/9",
            |_| Lie::Bytes(vec![7; 9 * 32 + 1]),
            &["tile/0/000.p/9: the answer is larger than 288 bytes"],
        ),
        ("tile/0/000.p/9", |_| Lie::Bytes(vec![7; 31]), &["tile/0/000.p/9: holds 31 bytes instead of 288"]),
        ("checkpoint", |_| Lie::Status("500"), &["/checkpoint: answered with status 500"]),
        ("checkpoint", |_| Lie::Status("204"), &["/checkpoint: the text is no signed note"]),
        ("checkpoint", |_| Lie::Status("302"), &["/checkpoint: answered with status 302: redirects are not followed"]),
        ("checkpoint", |_| Lie::Bytes(b"<html>".to_vec()), &["/checkpoint: the text is no signed note"]),
        ("checkpoint", |_| Lie::Bytes(vec![0xff; 50]), &["/checkpoint: the answer is no text"]),
        ("checkpoint", |_| Lie::Bytes(vec![b'x'; 70_000]), &["/checkpoint: the answer is larger than 65536 bytes"]),
        // The name of the log, its size, and its root hash.
        ("checkpoint", |truth| changed(truth, 0), &["/checkpoint: this is a checkpoint of the log 7avra/"]),
        ("checkpoint", |truth| changed(truth, 1), &["/checkpoint: a signature of the note is wrong"]),
        ("checkpoint", |truth| changed(truth, 2), &["/checkpoint: a signature of the note is wrong"]),
    ];
    for (path, deed, wanted) in deeds {
        let (full, deed) = (format!("/log/activity/{path}"), *deed);
        let liar =
            Liar::start(server.address, move |asked, truth| if asked == full { deed(truth) } else { Lie::Truth });
        let said = problems(verify(&auditor, &liar.url, &key, &["--json"]));
        for wanted in *wanted {
            assert!(said.contains(wanted), "{path}: {wanted} in: {said}");
        }
        assert!(said.contains(path) && said.contains(&liar.url), "{path} is named: {said}");
        let told = verify(&auditor, &liar.url, &key, &[]).exits(1);
        let told = format!("{}{}", told.stdout, told.stderr);
        assert!(told.contains(wanted[0]) && !told.contains("the log is whole"), "{told}");
    }
}

/// A server that shows each what they want to see has signed both; who kept a checkpoint notices.
#[test]
fn what_was_signed_and_is_not_served_any_more_is_missed() {
    let server = filled(Backend::Sqlite, 2);
    let (auditor, key) = (Home::new(), keys(&server, "activity").remove(0));
    let older = checkpoint(&server, "activity");
    server.decide_on("read_file", "later", BASELINE);
    let newer = checkpoint(&server, "activity");
    auditor.write("kept.txt", &newer);
    let served = older.clone();
    let cut = Liar::start(server.address, move |path, _| {
        if path.ends_with("/checkpoint") { Lie::Bytes(served.clone().into_bytes()) } else { Lie::Truth }
    });
    // On its own it is a log of nine leaves.
    verify(&auditor, &cut.url, &key, &[]).ok();
    let said = problems(verify(&auditor, &cut.url, &key, &["--checkpoint", "kept.txt", "--json"]));
    assert_eq!(said, "kept.txt: the log has 9 leaves, but 10 were signed");

    // Another key under the same name, and the checkpoint of another log.
    let origin = older.lines().next().unwrap().to_owned();
    let stranger = SigningKey::generate().unwrap();
    let name = VerifierKey::new(origin.as_str(), &stranger.public().bytes()).unwrap();
    let head = Checkpoint::unverified(&older).unwrap();
    let foreign = head.sign(&name, |text| stranger.sign(text)).unwrap();
    let others = checkpoint(&server, "approvals");
    // The log's own signature of another head under a text that the stranger signed.
    let mixed = format!("{}{}", foreign, newer.rsplit_once("\n\n").unwrap().1);
    for (note, wanted) in [
        (foreign.clone(), "/checkpoint: the note is not signed by a known key"),
        (others, "/checkpoint: this is a checkpoint of the log cavra/"),
        (mixed, "/checkpoint: a signature of the note is wrong"),
    ] {
        let liar = Liar::start(server.address, move |path, _| {
            if path.ends_with("/checkpoint") { Lie::Bytes(note.clone().into_bytes()) } else { Lie::Truth }
        });
        let said = problems(verify(&auditor, &liar.url, &key, &["--json"]));
        assert!(said.contains(wanted), "{said}");
        assert_eq!(liar.asked.lock().unwrap().as_slice(), ["/log/activity/checkpoint"], "nothing more was fetched");
    }
    // A key that somebody else hands out fits what they signed, and nothing else.
    let liar = Liar::start(server.address, move |path, _| {
        if path.ends_with("/checkpoint") { Lie::Bytes(foreign.clone().into_bytes()) } else { Lie::Truth }
    });
    verify(&auditor, &liar.url, &name.to_string(), &[]).ok();
    let said = problems(verify(&auditor, &liar.url, &name.to_string(), &["--checkpoint", "kept.txt", "--json"]));
    assert!(said.contains("kept.txt: the note is not signed by a known key"), "{said}");
}

/// What passes by itself is asked again, and nothing else is.
#[test]
fn a_server_that_stumbles_is_asked_again() {
    let server = filled(Backend::Sqlite, 2);
    let (auditor, key) = (Home::new(), keys(&server, "activity").remove(0));
    checkpoint(&server, "activity");
    let stumbles = AtomicUsize::new(0);
    let liar = Liar::start(server.address, move |_, truth| match stumbles.fetch_add(1, Ordering::SeqCst) {
        0 => Lie::Status("503"),
        2 => Lie::Short(truth.to_vec()),
        _ => Lie::Truth,
    });
    verify(&auditor, &liar.url, &key, &[]).ok();
    let liar = Liar::start(server.address, |_, _| Lie::Status("403"));
    problems(verify(&auditor, &liar.url, &key, &["--json"]));
    assert_eq!(liar.asked.lock().unwrap().len(), 1);
    // A redirect is named; nobody goes there.
    let elsewhere = Liar::start(server.address, |_, _| Lie::Truth);
    let target: &'static str = Box::leak(format!("301 X\r\nlocation: {}/", elsewhere.url).into_boxed_str());
    let liar = Liar::start(server.address, move |_, _| Lie::Status(target));
    let said = problems(verify(&auditor, &liar.url, &key, &["--json"]));
    assert!(said.contains("301: redirects are not followed") && elsewhere.asked.lock().unwrap().is_empty(), "{said}");
    // Nobody there, and somebody who speaks something else.
    let said = problems(verify(&auditor, "http://127.0.0.1:1", &key, &["--json"]));
    assert!(said.contains("/log/activity/checkpoint: no answer: "), "{said}");
    let said = problems(verify(&auditor, &format!("https://{}", server.address), &key, &["--json"]));
    assert!(said.contains("/log/activity/checkpoint: no answer: "), "{said}");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let auditor = Home::new();
    let url = "http://127.0.0.1:9";
    let key = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    let missing = auditor.cavra(&["evidence", "log", "verify", "--url", url, "--json"]).run().exits(2);
    assert!(missing.stderr.contains("--url needs --vkey"), "{missing:?}");
    for more in [["--store", "x"].as_slice(), &["--records"]] {
        assert!(verify(&auditor, url, key, more).exits(2).stderr.contains("cannot be used with"));
    }
    for wrong in [
        "",
        "nonsense",
        "ftp://a.example",
        "file:///etc/passwd",
        "https://ann:secret@a.example",
        "https://a.example?x=1",
        "https://a.example/#x",
    ] {
        let refused = verify(&auditor, wrong, key, &[]).fails();
        assert!(refused.stderr.contains("http or https address") && !refused.stderr.contains("secret"), "{refused:?}");
    }
    assert!(verify(&auditor, url, "nonsense", &[]).fails().stderr.contains("no Ed25519 verifier key"));
    // A token does not travel where others can read it. (The address is one that leads nowhere.)
    let far = ["evidence", "log", "verify", "--url", "http://192.0.2.1", "--vkey", key];
    let refused = auditor.cavra(&far).env("CAVRA_API_TOKEN", "hush-hush").run().fails();
    assert!(refused.stderr.contains("over https only") && !refused.stderr.contains("hush"), "{refused:?}");
    assert!(refused.took < Duration::from_secs(10));
}

#[test]
fn a_token_opens_a_server_that_asks_for_one() {
    let home = Home::new();
    let stored = ("CAVRA_TOKEN_DB", home.at("data/tokens.db"));
    let make = ["token", "create", "--name", "audit", "--scope", "read", "--json"];
    let made = home.cavra(&make).env(stored.0, &stored.1).run().ok().json();
    let token = text(&made, "token").to_owned();
    let server = home.serve(&[(stored.0, &stored.1), ("CAVRA_REQUIRE_TOKEN", "true")]);
    let authorization = format!("Bearer {token}");
    let logs = server.request_with("GET", "/log", &[("authorization", &authorization)], b"").ok();
    let key = logs["items"][0]["keys"][0].as_str().unwrap().to_owned();
    let (auditor, url) = (Home::new(), format!("http://{}", server.address));
    let said = problems(verify(&auditor, &url, &key, &["--json"]));
    assert!(said.ends_with("/log/activity/checkpoint: answered with status 401"), "{said}");
    let arguments = ["evidence", "log", "verify", "--url", &url, "--vkey", &key];
    let run = |token: &str| auditor.cavra(&arguments).env("CAVRA_API_TOKEN", token).run();
    let found = run(&token).ok();
    assert!(found.stdout.contains("the log is whole") && !format!("{found:?}").contains(&token));
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    let refused = run(&forged).fails();
    assert!(refused.stderr.contains("status 401") && !refused.stderr.contains(&forged), "{refused:?}");
    let refused = run("hush\u{7}hush").fails();
    assert!(refused.stderr.contains("CAVRA_API_TOKEN") && !refused.stderr.contains("hush"), "{refused:?}");
}

/// `openssl` serving files over TLS; ended when dropped.
struct Web {
    child: Child,
    address: String,
}

impl Web {
    /// Serves `www` on a port that it chooses itself, and says once it listens.
    fn start(home: &Home) -> Self {
        let arguments = "s_server -WWW -accept 127.0.0.1:0 -cert tls.pem -key tls.key";
        let mut child = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(home.join("www"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(home.join("web.log")).unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let found = lines.find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned));
        // It goes on talking, and would wait for somebody to listen.
        thread::spawn(move || lines.for_each(drop));
        let address = found.unwrap_or_else(|| panic!("openssl does not serve: {}", home.read("web.log")));
        Self { child, address }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `openssl` serves a copy of the files over TLS.
#[test]
fn a_copy_on_a_web_server_is_checked_over_tls() {
    let server = filled(Backend::Sqlite, 2);
    let (auditor, key) = (Home::new(), keys(&server, "activity").remove(0));
    let note = checkpoint(&server, "activity");
    for file in ["checkpoint", "tile/entries/000.p/9", "tile/0/000.p/9"] {
        let answer = server.get(&format!("/log/activity/{file}"));
        assert_eq!(answer.status, 200);
        auditor.write(&format!("www/log/activity/{file}"), answer.body);
    }
    auditor.write("www/log/activity/checkpoint", note);
    auditor.write("san", "subjectAltName=IP:127.0.0.1");
    let made = [
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 30",
        "req -newkey rsa:2048 -nodes -keyout www/tls.key -out tls.csr -subj /CN=tls",
        "x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out www/tls.pem -days 30 -extfile san",
    ]
    .iter()
    .all(|arguments| {
        let run = Command::new("openssl").args(arguments.split(' ')).current_dir(auditor.path()).output();
        run.is_ok_and(|output| output.status.success())
    });
    if !made {
        println!("SKIPPED: openssl is not available here");
        return;
    }
    let web = Web::start(&auditor);
    let url = format!("https://{}", web.address);
    let arguments = ["evidence", "log", "verify", "--url", &url, "--vkey", &key, "--json"];
    let known = || auditor.cavra(&arguments).env("SSL_CERT_FILE", auditor.at("ca.pem")).run();
    let found = known();
    let stranger = auditor.cavra(&arguments).run();
    auditor.write("www/log/activity/tile/0/000.p/9", [7; 288]);
    let edited = known();
    assert_eq!(found.ok().json()["size"], 9);
    let said = problems(stranger);
    assert!(said.contains("/checkpoint: no answer: invalid peer certificate: UnknownIssuer"), "{said}");
    assert!(problems(edited).contains("tile/0/000.p/9: its hash 0 is not that of leaf 0"));
}

/// What is counted is what is served, whoever asks for it.
#[test]
fn a_rotated_key_needs_both() {
    let server = filled(Backend::Json, 2);
    let (auditor, url) = (Home::new(), format!("http://{}", server.address));
    let old = keys(&server, "evidence").remove(0);
    auditor.write("old.txt", checkpoint(&server, "evidence"));
    let stores = crate::evidence::stores(&server.home, Backend::Json);
    let rotate = server.home.cavra(&["evidence", "log", "rotate-key"]);
    stores.iter().fold(rotate, |run, (name, value)| run.env(name, value)).run().ok();
    checkpoint(&server, "evidence");
    let both = keys(&server, "evidence");
    assert_eq!((both.len(), &both[0]), (2, &old));
    let old_key = ["--log", "evidence", "--checkpoint", "old.txt", "--json"];
    let said = problems(verify(&auditor, &url, &old, &old_key));
    assert!(said.contains("/log/evidence/checkpoint: the note is not signed by a known key"), "{said}");
    let found = verify(&auditor, &url, &old, &[&old_key[..], &["--vkey", &both[1]]].concat()).ok().json();
    assert_eq!((&found["checkpoints"], &found["size"]), (&json!(2), &json!(2)));
    assert_eq!(found["problems"], Value::Array(Vec::new()));
}
