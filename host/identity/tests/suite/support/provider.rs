//! An identity provider on loopback that publishes what it is told.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// Where the document about the provider is.
const DOCUMENT: &str = "/.well-known/openid-configuration";
/// Where its keys are.
const KEYS: &str = "/keys";

/// What is answered.
#[derive(Clone)]
pub enum Answer {
    /// 200 with this body.
    Body(String),
    /// The same, after a while.
    Late(String),
    /// A redirect to this path.
    Redirect(&'static str),
    /// 500, with a body that would be fine.
    Failure(String),
    /// Nothing; the connection stays open.
    Silence,
    /// The connection is closed.
    Hangup,
}

#[derive(Default)]
struct State {
    answers: HashMap<String, Answer>,
    asked: HashMap<String, usize>,
    /// Connections that are not answered.
    held: Vec<TcpStream>,
}

/// The provider; its thread ends with the process.
pub struct Provider {
    pub issuer: String,
    state: Arc<Mutex<State>>,
}

impl Provider {
    /// One that publishes these keys.
    pub fn start(keys: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let provider = Self { issuer, state: Arc::clone(&state) };
        provider.publishes(keys);
        provider.describes(json!({}));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&state);
                thread::spawn(move || answer(stream.unwrap(), &state));
            }
        });
        provider
    }

    /// Changes the keys.
    pub fn publishes(&self, keys: Value) {
        self.keys(Answer::Body(json!({ "keys": keys }).to_string()));
    }

    /// Changes members of the document about it.
    pub fn describes(&self, members: Value) {
        let mut document = json!({"issuer": self.issuer, "jwks_uri": format!("{}{KEYS}", self.issuer)});
        document.as_object_mut().unwrap().extend(super::object(members));
        self.document(Answer::Body(document.to_string()));
    }

    pub fn keys(&self, answer: Answer) {
        self.at(KEYS, answer);
    }

    pub fn document(&self, answer: Answer) {
        self.at(DOCUMENT, answer);
    }

    pub fn at(&self, path: &str, answer: Answer) {
        self.state.lock().unwrap().answers.insert(path.to_owned(), answer);
    }

    /// Whatever is asked, that is the answer.
    pub fn everywhere(&self, answer: Answer) {
        for known in self.state.lock().unwrap().answers.values_mut() {
            *known = answer.clone();
        }
    }

    /// How often the keys were asked for.
    pub fn asked(&self) -> usize {
        self.asked_at(KEYS)
    }

    /// How often the document was asked for.
    pub fn attempts(&self) -> usize {
        self.asked_at(DOCUMENT)
    }

    pub fn asked_at(&self, path: &str) -> usize {
        self.state.lock().unwrap().asked.get(path).copied().unwrap_or_default()
    }
}

/// Answers one request and closes the connection.
fn answer(mut stream: TcpStream, state: &Mutex<State>) {
    let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
    let request = head.next().and_then(Result::ok).unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    // All of it, or closing would reset the connection before the answer is read.
    let _ = head.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).count();
    let known = {
        let mut state = state.lock().unwrap();
        *state.asked.entry(path.clone()).or_default() += 1;
        state.answers.get(&path).cloned()
    };
    let (status, body) = match known {
        Some(Answer::Body(body)) => ("200 OK".to_owned(), body),
        Some(Answer::Late(body)) => {
            thread::sleep(Duration::from_millis(300));
            ("200 OK".to_owned(), body)
        }
        Some(Answer::Redirect(target)) => (format!("302 Found\r\nlocation: {target}"), String::new()),
        Some(Answer::Failure(body)) => ("500 Internal Server Error".to_owned(), body),
        Some(Answer::Silence) => return state.lock().unwrap().held.push(stream),
        Some(Answer::Hangup) => return,
        None => ("404 Not Found".to_owned(), String::new()),
    };
    // No length: the body ends with the connection. Who reads less than all of it is no concern.
    let _ = stream.write_all(format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\n{body}").as_bytes());
}
