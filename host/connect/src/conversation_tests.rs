//! Connectors that mean harm: whatever they describe, nothing leaves but what was granted, and never a secret to them.

use std::sync::OnceLock;

use cavra_plugins::{ComponentSource, Origin};
use serde_json::json;

use super::*;
use crate::Provider;
use crate::delivery::tests::{BUSY, OK, Receiver, plugins};
use crate::network::Network;
use crate::plug::Plug;

const SECRET: &str = "a-very-secret-token";

/// The component, built once.
fn hostile() -> &'static [u8] {
    static WASM: OnceLock<Vec<u8>> = OnceLock::new();
    WASM.get_or_init(|| {
        let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        // Beside what the tests of the workspace are built into.
        let test = std::env::current_exe().unwrap();
        let target = test.ancestors().find(|folder| folder.ends_with("debug") || folder.ends_with("release")).unwrap();
        let built = cavra_guest_build::build_components(&here.join("tests/hostile"), &target.join("hostile-guests"));
        built.unwrap().remove(0).wasm
    })
}

async fn plug() -> Plug {
    let wasm = hostile();
    let digest = Digest::of(wasm);
    let source = ComponentSource {
        plugin: "hostile",
        version: "1",
        wasm,
        wasm_digest: digest.as_str(),
        origin: Origin::FirstParty,
    };
    Plug::of(plugins().connector(source).await.unwrap(), Origin::Operator).unwrap()
}

/// Lets it do something with what a receiver answers; what came of it, and what the receiver got.
async fn told(answers: &'static [&'static str], mode: &str, value: &str, more: Value) -> (Told, Vec<String>) {
    let receiver = Receiver::answering(answers).await;
    let mut entry = json!({
        "url": format!("{}/base/hidden-in-the-path?key=hidden-in-the-query", receiver.address), "token": SECRET,
        "mode": mode, "value": value, "signing_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    });
    entry.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    let target = Target::resolve(Provider::Webhook, plug().await, &entry, &Network::default(), &|_| None).unwrap();
    let message = Message { id: "msg_1".to_owned(), subject: Subject::Event("{\"a\": 1}".to_owned()), happened: None };
    let told = tell(&Outbound::new(Network::default()), &target, &message, Duration::from_secs(20)).await;
    (told, receiver.got())
}

/// Nothing was sent, and nothing is said but that.
async fn assert_nothing_leaves(mode: &str, value: &str) {
    let (told, got) = told(&[OK], mode, value, json!({})).await;
    assert!(got.is_empty(), "{mode} {value}: {got:?}");
    assert_eq!((told.error.as_deref(), told.status), (Some("connector delivery failed"), None), "{mode} {value}");
    assert_eq!((told.verdict, told.is_passing), (Verdict::Later(None), false), "{mode} {value}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_granted_is_not_sent() {
    for (mode, value) in [
        ("endpoint", "https://evil.example/"),
        ("endpoint", "other"),
        ("endpoint", ""),
        ("credential", "root"),
        ("credential", "token"),
        ("path", "../../secrets"),
        ("path", "/../x"),
        ("path", "%2e%2e/x"),
        ("path", "//evil.example/x"),
        ("path", "https://evil.example/x"),
        ("path", "@evil.example/x/"),
        ("path", "x\\..\\..\\y"),
        ("path", "x y"),
        ("path", "x\r\nhost: evil.example"),
        ("path", "x#y"),
        ("path", "?a\r\nb"),
        ("method", "CONNECT"),
        ("method", "TRACE"),
        ("method", "POST / HTTP/1.1\r\nx: y"),
        ("method", ""),
        ("header", "x-a: b\r\nx-evil: 1"),
        ("header", "x-a\r\nx-evil: 1"),
        ("header", "x-a: b\nc"),
        ("header", "x a: b"),
        ("header", ": b"),
        ("header", "x-a: ü"),
        ("header", "Host: evil.example"),
        ("header", "content-length: 5"),
        ("header", "Transfer-Encoding: chunked"),
        ("header", "connection: x-api-key"),
        ("header", "Authorization: Bearer forged"),
        ("header", "proxy-authorization: forged"),
        ("header", "x-api-key: forged"),
        ("header", "cookie: session=forged"),
        ("header", "webhook-signature: v1,forged"),
        ("header", "x-forwarded-for: 10.0.0.1"),
        ("header", "X-Forwarded-User: root"),
        ("path", "..;/x"),
        ("unsigned", "webhook-id"),
        ("unsigned", "webhook-timestamp"),
        ("header", "x-http-method-override: DELETE"),
        ("twice", "x-a: b"),
        ("panics", ""),
        ("hoards", ""),
        ("refuses", ""),
        ("lies", ""),
        ("overflows", ""),
    ] {
        assert_nothing_leaves(mode, value).await;
    }
}

/// What is granted leaves, with the credentials that the connector never saw.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_granted_is_sent() {
    let (done, got) = told(&[OK], "path", "issues/SEC-1?q=1", json!({})).await;
    assert_eq!((done.verdict, done.status), (Verdict::Accepted, Some(200)));
    assert!(got[0].starts_with("POST /base/hidden-in-the-path/issues/SEC-1?key=hidden-in-the-query&q=1 HTTP/1.1\r\n"));
    assert!(got[0].contains(&format!("authorization: Bearer {SECRET}\r\n")));
    assert!(got[0].contains("webhook-signature: v1,"), "{}", got[0]);
    let (done, got) = told(&[OK], "header", "x-own: 1", json!({"headers": {"x-own": "2"}, "method": "PUT"})).await;
    assert_eq!(done.verdict, Verdict::Accepted);
    assert!(got[0].starts_with("PUT ") && got[0].contains("x-own: 2\r\n"), "the operator's word counts: {got:?}");
}

/// That something has arrived, the receiver has to have said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connector_cannot_say_that_it_arrived() {
    let (done, got) = told(&[BUSY], "", "", json!({})).await;
    assert_eq!(got.len(), 1);
    assert_eq!((done.verdict, done.error.as_deref()), (Verdict::Later(Some(Duration::from_secs(1))), Some("HTTP 503")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_an_end_to_what_one_message_may_cost() {
    for (mode, most) in [("endless", MOST_STEPS), ("floods", MOST_REQUESTS), ("fills", 4)] {
        let (done, got) = told(&[OK], mode, "", json!({})).await;
        assert_eq!((got.len(), done.verdict), (most, Verdict::Later(None)), "{mode}");
        assert_eq!(done.error.as_deref(), Some("connector delivery failed"), "{mode}");
    }
    let (_, got) = told(&[BUSY], "floods", "", json!({})).await;
    assert!(got.len() <= MOST_STEPS, "nothing follows what was not taken: {}", got.len());
}

/// The receiver repeats everything that it is sent, and the connector sends everything that it is told: no secret comes
/// around.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_enters_a_connector() {
    let echo = Receiver::echoing().await;
    let entry = json!({
        "url": format!("{}/hidden-in-the-path?key=hidden-in-the-query", echo.address), "token": SECRET, "mode": "tells",
        "api_key": "another-secret-key", "signing_secret": "0123456789abcdef-signing", "headers": {"x-mine": "operators-own"},
    });
    let target = Target::resolve(Provider::Webhook, plug().await, &entry, &Network::default(), &|_| None).unwrap();
    let message = Message { id: "msg_1".to_owned(), subject: Subject::Event("{\"a\": 1}".to_owned()), happened: None };
    tell(&Outbound::new(Network::default()), &target, &message, Duration::from_secs(20)).await;
    let got = echo.got();
    assert_eq!(got.len(), 2);
    let bodies: Vec<&str> = got.iter().map(|request| request.split_once("\r\n\r\n").unwrap().1).collect();
    assert!(got[1].contains(SECRET) && bodies[1].contains("REDACTED") && bodies[1].contains("msg_1"), "{bodies:?}");
    for secret in [
        SECRET,
        "another-secret-key",
        "0123456789abcdef-signing",
        "hidden-in-the-query",
        "hidden-in-the-path",
        "operators-own",
    ] {
        assert!(bodies.iter().all(|body| !body.contains(secret)), "{secret} came around: {bodies:?}");
    }
}
