//! A connector that tells two endpoints: first what happened, then that it was told, each with a credential of its own.

use connector::bindings::Guest;
use connector::types::{
    Context, Credential, CredentialKind, Description, Endpoint, Exchange, Header, Next, Outcome, Patience, Request,
    Subject, SubjectKind, Verdict,
};

struct Twofold;

#[cfg(target_family = "wasm")]
connector::bindings::export_bindings!(Twofold with_types_in connector::bindings);

impl Guest for Twofold {
    fn describe() -> Description {
        let credential = |name: &str, kind, required| Credential {
            name: name.to_owned(),
            kinds: vec![kind],
            required,
            reason: "lets messages in".to_owned(),
        };
        let endpoint = |name: &str| Endpoint {
            name: name.to_owned(),
            meaning: String::new(),
            example: String::new(),
            path_visible: false,
        };
        Description {
            id: "twofold".to_owned(),
            title: "Twofold".to_owned(),
            version: "1".to_owned(),
            subjects: vec![SubjectKind::Event],
            endpoints: vec![endpoint("records"), endpoint("files")],
            credentials: vec![
                credential("records-token", CredentialKind::Token("Bearer".to_owned()), true),
                credential("files-key", CredentialKind::Header("x-files-key".to_owned()), true),
            ],
            settings: Vec::new(),
        }
    }

    fn step(subject: Subject, context: Context, exchanges: Vec<Exchange>) -> Result<Next, String> {
        let Subject::Event(event) = subject else { return Err("it tells events".to_owned()) };
        let request = |endpoint: &str, credential: &str, body: &str| Request {
            method: "POST".to_owned(),
            endpoint: endpoint.to_owned(),
            path: String::new(),
            headers: vec![Header { name: "content-type".to_owned(), value: "application/json".to_owned() }],
            body: body.as_bytes().to_vec(),
            credentials: vec![credential.to_owned()],
            patience: Patience::Short,
        };
        Ok(match exchanges.len() {
            0 => Next::Send(vec![request("records", "records-token", &event)]),
            1 => Next::Send(vec![request("files", "files-key", &format!("{:?}", context.credentials))]),
            _ => Next::Done(Outcome {
                verdict: Verdict::Accepted,
                retry_after: None,
                reference: None,
                detail: String::new(),
            }),
        })
    }
}
