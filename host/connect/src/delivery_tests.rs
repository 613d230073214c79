//! Deliveries to a receiver on this machine.

use std::sync::Mutex;
use std::time::Instant;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A receiver: answers each request with the next of its answers, the last one for ever, and keeps what it got.
pub(crate) struct Receiver {
    pub address: String,
    got: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    pub async fn answering(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let seen = got.clone();
        tokio::spawn(async move {
            for number in 0_usize.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let answer = answers[number.min(answers.len() - 1)];
                let request = read(&mut stream).await;
                seen.lock().unwrap().push(request);
                if !answer.is_empty() {
                    stream.write_all(answer.as_bytes()).await.unwrap();
                } else {
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }
            }
        });
        Self { address, got }
    }

    /// One that repeats what it is sent.
    pub async fn echoing() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let seen = got.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read(&mut stream).await;
                seen.lock().unwrap().push(request.clone());
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", request.len());
                stream.write_all((head + &request).as_bytes()).await.unwrap();
            }
        });
        Self { address, got }
    }

    pub fn got(&self) -> Vec<String> {
        self.got.lock().unwrap().clone()
    }
}

async fn read(stream: &mut tokio::net::TcpStream) -> String {
    let mut text = String::new();
    let mut piece = [0; 4096];
    loop {
        let length = stream.read(&mut piece).await.unwrap();
        text.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let wanted =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if length == 0 || body.len() >= wanted.unwrap_or(0) {
            return text;
        }
    }
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
pub(crate) const BUSY: &str = "HTTP/1.1 503 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const DENIED: &str = "HTTP/1.1 401 No\r\ncontent-length: 4\r\nconnection: close\r\n\r\nhush";
const ELSEWHERE: &str =
    "HTTP/1.1 307 There\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

fn connectors(map: &Value) -> Connectors {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("connectors.json");
    std::fs::write(&file, json!({ "connectors": map }).to_string()).unwrap();
    Connectors::new(Config::read(&file, crate::CONNECTOR_KEYS).unwrap(), Network::default(), plugins())
}

/// One host for all tests: each connector is compiled once.
pub(crate) fn plugins() -> PluginHost {
    static PLUGINS: std::sync::OnceLock<PluginHost> = std::sync::OnceLock::new();
    let new = || PluginHost::new(cavra_plugins::HostConfig { pooling: false, ..Default::default() }).unwrap();
    PLUGINS.get_or_init(new).clone()
}

fn options(value: &Value) -> Options {
    Options::of(value.as_object().unwrap(), "all").unwrap()
}

fn event() -> Object {
    json!({"event_type": "cavra.test", "session_id": "s1", "provider_payloads": {"webhook": {"own": 1}}})
        .as_object()
        .cloned()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_arrives_in_the_form_of_each_system() {
    let receiver = Receiver::answering(&[OK]).await;
    let url = |path: &str| format!("{}{path}", receiver.address);
    let connectors = connectors(&json!({
        "webhook": {"url": url("/hook?token=hush"), "headers": {"X-Own": "1"}},
        "splunk": {"url": url("/services/collector"), "token": "hush"},
        "jira": {"url": url("/rest/api/3/issue"), "token": "hush", "username": "me", "enabled": false},
    }));
    let delivered = connectors.deliver(event(), Source::Caller, &options(&json!({}))).await.unwrap();
    assert_eq!((&delivered["success"], &delivered["event_id"]), (&json!(true), &json!("s1")));
    let [splunk, webhook] = delivered["deliveries"].as_array().unwrap().as_slice() else { panic!("{delivered:?}") };
    assert_eq!((&splunk["provider"], &splunk["status_code"]), (&json!("splunk"), &json!(200)));
    assert_eq!(splunk["request"]["headers"]["authorization"], "REDACTED");
    assert_eq!(webhook["request"]["url"], url("/hook?REDACTED"));
    assert_eq!((&webhook["attempt_count"], &webhook["error"]), (&json!(1), &Value::Null));
    assert!(!json!(delivered).to_string().contains("hush"));
    let got = receiver.got();
    let to = |path: &str| got.iter().find(|request| request.starts_with(&format!("POST {path} "))).unwrap();
    assert!(to("/services/collector").contains("authorization: Splunk hush\r\n"));
    assert!(to("/hook?token=hush").contains("cavra.webhook.evidence.v1"), "the caller's own body is dropped");
    connectors.deliver(event(), Source::Server, &options(&json!({"provider": "webhook"}))).await.unwrap();
    assert!(receiver.got().last().unwrap().ends_with("{\"own\":1}"), "the server's own body is sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_is_tried_again_and_nothing_else() {
    for (answers, retries, attempts, status, error) in [
        (&[OK][..], 2, 1, json!(200), Value::Null),
        (&[BUSY, OK], 2, 2, json!(200), Value::Null),
        (&[BUSY, BUSY], 1, 2, json!(503), json!("HTTP 503")),
        (&[DENIED], 5, 1, json!(401), json!("HTTP 401")),
        (&[ELSEWHERE], 5, 1, json!(307), json!("HTTP 307")),
        (&[""], 0, 1, Value::Null, json!("connector delivery timed out")),
    ] {
        let receiver = Receiver::answering(answers).await;
        let connectors = connectors(&json!({"webhook": {"url": receiver.address}}));
        let options = options(&json!({"retries": retries, "timeout_seconds": 0.5}));
        let started = Instant::now();
        let delivered = connectors.deliver(event(), Source::Caller, &options).await.unwrap();
        let delivery = &delivered["deliveries"][0];
        let seen = (&delivery["attempt_count"], &delivery["status_code"], &delivery["error"]);
        assert_eq!(seen, (&json!(attempts), &status, &error), "{answers:?}");
        assert_eq!(receiver.got().len(), attempts, "{answers:?}");
        assert!(answers[0] != BUSY || started.elapsed() >= Duration::from_secs(1), "as long as it was asked to wait");
        assert!(!json!(delivered).to_string().contains("hush"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_to_where_nobody_granted() {
    for (url, error) in [
        ("http://169.254.169.254/latest/meta-data", "connector delivery failed"),
        ("http://[::ffff:169.254.169.254]/", "connector delivery failed"),
        ("http://0.0.0.0:1/", "connector delivery failed"),
        ("http://127.0.0.1:1/", "connector endpoint unreachable"),
    ] {
        let connectors = connectors(&json!({"webhook": {"url": url}}));
        let options = options(&json!({"retries": 0, "timeout_seconds": 3}));
        let delivered = connectors.deliver(event(), Source::Caller, &options).await.unwrap();
        let delivery = &delivered["deliveries"][0];
        assert_eq!((&delivery["error"], &delivery["status_code"]), (&json!(error), &Value::Null), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_systems_that_are_asked_for_have_to_work() {
    let connectors = connectors(&json!({
        "webhook": {"url": "http://127.0.0.1:1"}, "splunk": {"url": "x"}, "slack": {"enabled": false, "url": "x"},
    }));
    let chosen = async |names: &str| {
        let targets = connectors.targets(names, &|_| None).await;
        targets.map(|targets| targets.len()).map_err(|error| error.to_string())
    };
    assert_eq!(chosen("webhook").await, Ok(1));
    assert_eq!(chosen(" webhook, webhook ,").await, Ok(1));
    assert_eq!(chosen("webhook,splunk").await, Err("connector splunk: its address cannot be understood".into()));
    assert_eq!(
        chosen("nobody, slack,webhook").await,
        Err("connector provider is not configured: nobody, slack".into())
    );
    assert_eq!(chosen(",").await, Err("connector provider is not configured: ,".into()));
    let none = Connectors::new(Config::default(), Network::default(), plugins());
    assert!(none.targets("all", &|_| None).await.is_err(), "all of nothing is nothing");
}

#[test]
fn options_have_bounds() {
    let of = |value: Value| {
        let options = Options::of(value.as_object().unwrap(), "splunk");
        options.map(|options| (options.provider, options.retries, options.timeout.as_millis())).map_err(|_| ())
    };
    assert_eq!(of(json!({})), Ok(("splunk".into(), 2, 10_000)));
    assert_eq!(of(json!({"provider": "all", "retries": -3, "timeout_seconds": 0})), Ok(("all".into(), 0, 100)));
    assert_eq!(of(json!({"retries": 99, "timeout_seconds": 1e300})), Ok(("splunk".into(), 10, 60_000)));
    for wrong in [
        json!({"retries": "2"}),
        json!({"retries": 1.5}),
        json!({"retries": 1e30}),
        json!({"retries": true}),
        json!({"timeout_seconds": "1"}),
        json!({"timeout_seconds": []}),
        json!({"provider": 5}),
        json!({"provider": " "}),
    ] {
        assert_eq!(of(wrong.clone()), Err(()), "{wrong}");
    }
}
