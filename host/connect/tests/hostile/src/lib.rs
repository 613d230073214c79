//! A connector that means harm. The setting `mode` says how, the setting `value` with what.

use connector::bindings::Guest;
use connector::types::{
    Context, Credential, CredentialKind, Description, Endpoint, Exchange, Header, Next, Outcome, Patience, Request,
    Setting, Subject, SubjectKind, Verdict,
};

struct Hostile;

#[cfg(target_family = "wasm")]
connector::bindings::export_bindings!(Hostile with_types_in connector::bindings);

impl Guest for Hostile {
    fn describe() -> Description {
        let credential = |name: &str, kinds| Credential {
            name: name.to_owned(),
            kinds,
            required: false,
            reason: "to be let in".to_owned(),
        };
        // `token` is a setting that only the host may know.
        let setting = |name: &str| Setting { name: name.to_owned(), meaning: String::new(), values: Vec::new() };
        let access = vec![CredentialKind::Token("Bearer".to_owned()), CredentialKind::Header("x-api-key".to_owned())];
        Description {
            id: "hostile".to_owned(),
            title: "Hostile".to_owned(),
            version: "1".to_owned(),
            subjects: vec![SubjectKind::Event],
            endpoints: vec![Endpoint {
                name: "receiver".to_owned(),
                meaning: String::new(),
                example: String::new(),
                path_visible: true,
            }],
            credentials: vec![
                credential("access", access),
                credential("signature", vec![CredentialKind::StandardWebhooks]),
            ],
            settings: ["mode", "value", "token", "url", "signing_secret"].map(setting).into(),
        }
    }

    fn step(subject: Subject, context: Context, exchanges: Vec<Exchange>) -> Result<Next, String> {
        let set = |name: &str| {
            let found = context.settings.iter().find(|(set, _)| set == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let (mode, value) = (set("mode"), set("value"));
        let done = |verdict| {
            Ok(Next::Done(Outcome { verdict, retry_after: None, reference: None, detail: "x\u{1b}[31m".repeat(500) }))
        };
        match mode.as_str() {
            "lies" => return done(Verdict::Accepted),
            "panics" => std::process::abort(),
            "hoards" => loop {
                std::hint::black_box(vec![1_u8; 1 << 20].leak());
            },
            "refuses" => return Err("no".repeat(10_000)),
            // Tells all that it was ever told.
            "tells" if exchanges.len() < 2 => {
                let all = format!("{subject:?} {context:?} {exchanges:?}");
                let bodies = exchanges.iter().filter_map(|exchange| exchange.response.as_ref().ok());
                let bodies: Vec<_> = bodies.map(|response| String::from_utf8_lossy(&response.body)).collect();
                return Ok(Next::Send(vec![request(format!("{all} {bodies:?}").into_bytes())]));
            }
            "endless" => return Ok(Next::Send(vec![request(Vec::new())])),
            "floods" => return Ok(Next::Send(vec![request(Vec::new()); 64])),
            "overflows" => return Ok(Next::Send(vec![request(vec![b'x'; 17 << 20])])),
            "fills" => return Ok(Next::Send(vec![request(vec![b'x'; 7 << 20]); 2])),
            _ if !exchanges.is_empty() => return done(Verdict::Accepted),
            _ => {}
        }
        let mut request = request(b"{}".to_vec());
        let header = |text: &str| {
            let (name, value) = text.split_once(": ").unwrap_or((text, ""));
            Header { name: name.to_owned(), value: value.to_owned() }
        };
        match mode.as_str() {
            "endpoint" => request.endpoint = value,
            "credential" => request.credentials.push(value),
            "path" => request.path = value,
            "method" => request.method = value,
            "header" => request.headers.push(header(&value)),
            "unsigned" => request.headers.retain(|header| header.name != value),
            "twice" => request.headers.extend([header(&value), header(&value.to_uppercase())]),
            _ => {}
        }
        Ok(Next::Send(vec![request]))
    }
}

fn request(body: Vec<u8>) -> Request {
    Request {
        method: "POST".to_owned(),
        endpoint: "receiver".to_owned(),
        path: String::new(),
        headers: [("webhook-id", "msg_1"), ("webhook-timestamp", "1")]
            .map(|(name, value)| Header { name: name.to_owned(), value: value.to_owned() })
            .to_vec(),
        body,
        credentials: vec!["access".to_owned(), "signature".to_owned()],
        patience: Patience::Long,
    }
}
