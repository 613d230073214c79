//! Versions of the protocol: how a client and the adapter agree on one, and what an answer of each looks like.

use cavra_model::Object;
use cavra_model::members::{filled, object};
use serde_json::{Value, json};

/// The version in which every request says what it speaks; there is no session.
const MODERN: &str = "2026-07-28";

/// Versions that begin with `initialize`, the newest first.
const WITH_SESSION: [&str; 3] = ["2025-11-25", "2025-06-18", "2024-11-05"];

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const SERVER: &str = "io.modelcontextprotocol/serverInfo";

/// How long a client may keep the list of tools, in milliseconds: it is part of the program.
const FRESH: u64 = 3_600_000;

/// The JSON-RPC code for a version that is not spoken.
const UNSUPPORTED_VERSION: i32 = -32022;

/// A request that is answered with an error.
pub struct Refusal {
    /// The JSON-RPC code.
    pub code: i32,
    /// A sentence.
    pub message: String,
    /// More about it, for programs.
    pub data: Option<Value>,
}

impl Refusal {
    /// Without anything for programs.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }
}

/// How a request is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// As within a session.
    Session,
    /// By itself.
    Modern,
}

impl Era {
    /// What a request speaks.
    ///
    /// # Errors
    /// A version that is not spoken, or a request that does not say what it has to.
    pub fn of(method: &str, params: &Object) -> Result<Self, Refusal> {
        let meta = object(params, "_meta");
        let Some(version) = meta.and_then(|meta| meta.get(VERSION)) else {
            let probes = method == "server/discover";
            let missing = || Refusal::new(super::INVALID_PARAMS, format!("_meta has no {VERSION}"));
            return if probes { Err(missing()) } else { Ok(Self::Session) };
        };
        match version.as_str() {
            Some(MODERN) if meta.is_some_and(|meta| meta.get(CAPABILITIES).is_some_and(Value::is_object)) => {
                Ok(Self::Modern)
            }
            Some(MODERN) => Err(Refusal::new(super::INVALID_PARAMS, format!("_meta has no {CAPABILITIES}"))),
            Some(version) if WITH_SESSION.contains(&version) => Ok(Self::Session),
            Some(version) => Err(unsupported(version)),
            None => Err(Refusal::new(super::INVALID_PARAMS, format!("{VERSION} is no text"))),
        }
    }

    /// A result as this version has it. Lists say how long they hold.
    pub fn result(self, method: &str, mut result: Object) -> Object {
        if self == Self::Modern {
            result.insert("resultType".to_owned(), json!("complete"));
            result.insert("_meta".to_owned(), json!({ SERVER: server_info() }));
            if method == "tools/list" || method == "server/discover" {
                result.insert("ttlMs".to_owned(), json!(FRESH));
                result.insert("cacheScope".to_owned(), json!("public"));
            }
        }
        result
    }
}

fn unsupported(version: &str) -> Refusal {
    let supported: Vec<&str> = std::iter::once(MODERN).chain(WITH_SESSION).collect();
    Refusal {
        code: UNSUPPORTED_VERSION,
        message: "Unsupported protocol version".to_owned(),
        data: Some(json!({ "supported": supported, "requested": version })),
    }
}

/// The answer to `initialize`: the version that is asked for, else the newest before it, else the newest that begins
/// like this. A client that cannot speak it goes away.
pub fn initialized(params: &Object) -> Object {
    let [newest, .., oldest] = WITH_SESSION;
    let version = match filled(params, "protocolVersion") {
        Some(asked) if asked > newest => newest,
        Some(asked) => WITH_SESSION.into_iter().find(|version| *version <= asked).unwrap_or(oldest),
        None => oldest,
    };
    Object::from_iter([
        ("protocolVersion".to_owned(), json!(version)),
        ("serverInfo".to_owned(), server_info()),
        ("capabilities".to_owned(), json!({ "tools": {} })),
    ])
}

/// The answer to `server/discover`.
pub fn discovered() -> Object {
    let versions: Vec<&str> = std::iter::once(MODERN).chain(WITH_SESSION).collect();
    Object::from_iter([
        ("supportedVersions".to_owned(), json!(versions)),
        ("capabilities".to_owned(), json!({ "tools": {} })),
    ])
}

fn server_info() -> Value {
    json!({ "name": "cavra-mcp-server", "version": env!("CARGO_PKG_VERSION") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(value: &Value) -> Object {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_session_has_a_version_that_both_speak() {
        for (asked, answered) in [
            (json!({"protocolVersion": "2024-11-05"}), "2024-11-05"),
            (json!({"protocolVersion": "2025-06-18"}), "2025-06-18"),
            (json!({"protocolVersion": "2025-11-25"}), "2025-11-25"),
            (json!({"protocolVersion": "2025-03-26"}), "2024-11-05"),
            (json!({"protocolVersion": "2026-07-28"}), "2025-11-25"),
            (json!({"protocolVersion": "2099-01-01"}), "2025-11-25"),
            (json!({"protocolVersion": "1999-01-01"}), "2024-11-05"),
            (json!({"protocolVersion": "soon"}), "2025-11-25"),
            (json!({}), "2024-11-05"),
        ] {
            assert_eq!(initialized(&members(&asked))["protocolVersion"], answered, "{asked}");
        }
    }

    #[test]
    fn requests_say_what_they_speak() {
        let era =
            |method: &str, meta: Value| Era::of(method, &members(&json!({ "_meta": meta }))).map_err(|it| it.code);
        assert_eq!(era("tools/list", json!({})), Ok(Era::Session));
        assert_eq!(era("tools/list", json!({VERSION: MODERN, CAPABILITIES: {}})), Ok(Era::Modern));
        assert_eq!(era("tools/list", json!({VERSION: "2025-06-18"})), Ok(Era::Session));
        assert_eq!(era("tools/list", json!({VERSION: MODERN})), Err(-32602));
        assert_eq!(era("tools/list", json!({VERSION: 5})), Err(-32602));
        assert_eq!(era("tools/list", json!({VERSION: "2099-01-01", CAPABILITIES: {}})), Err(UNSUPPORTED_VERSION));
        assert_eq!(era("server/discover", json!({})), Err(-32602));
    }
}
