//! The OpenAPI document and its page.

use serde_json::{Value, json};

use crate::support::{BASELINE, Home, Server, Shared, python, repository, strict, text};

static SERVER: Shared = Shared::new();

fn server() -> std::sync::Arc<Server> {
    SERVER.get(|| Home::new().serve(&[]))
}

/// Every operation of the document: method, path and what is said of it. The document is made from the same rows as the
/// router.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations: Vec<_> = paths
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().iter().map(|(method, said)| (&**method, &**path, said)))
        .collect();
    assert!(operations.len() > 60, "{} operations", operations.len());
    operations
}

#[test]
fn the_checked_in_document_is_the_served_one() {
    let served = server().get("/openapi.json").ok();
    let file = repository().join("docs/openapi.json");
    let pretty = format!("{}\n", serde_json::to_string_pretty(&served).unwrap());
    if std::env::var_os("CAVRA_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, pretty).unwrap();
        return;
    }
    let checked_in: Value =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap_or_default()).unwrap_or_default();
    assert_eq!(checked_in, served, "run `CAVRA_BLESS=1 cargo test -p cavra openapi`");
}

#[test]
fn every_endpoint_is_documented() {
    let document = server().get("/openapi.json").ok();
    assert_eq!(document["info"]["title"], "CAVRA API");
    assert!(text(&document, "openapi").starts_with("3.1"), "{}", document["openapi"]);
    let mut ids = std::collections::HashSet::new();
    for (method, path, operation) in operations(&document) {
        assert!(!text(operation, "summary").is_empty(), "{method} {path}");
        let id = text(operation, "operationId");
        assert!(!id.is_empty() && ids.insert(id), "{method} {path}: operation ids are unique");
        let answers = operation["responses"]["200"]["content"].as_object().unwrap();
        assert!(!answers.is_empty() && answers.values().all(|answer| answer["schema"].is_object()), "{method} {path}");
        let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let mut placed: Vec<_> =
            parameters.iter().filter(|one| one["in"] == "path").map(|one| text(one, "name")).collect();
        let mut named: Vec<_> = path.split(['{', '}']).skip(1).step_by(2).collect();
        placed.sort_unstable();
        named.sort_unstable();
        assert_eq!(placed, named, "{method} {path}");
    }
    let filters = |path: &str| -> Vec<&str> {
        let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        parameters.iter().map(|parameter| text(parameter, "name")).collect()
    };
    for name in [
        "session_id",
        "agent_id",
        "repository",
        "policy_pack",
        "decision",
        "severity",
        "action_type",
        "limit",
        "offset",
    ] {
        assert!(filters("/decisions").contains(&name) && filters("/risk/events").contains(&name), "{name}");
    }
    for name in ["session_id", "min_blocked", "has_approvals", "deployment_target", "approval_state", "limit"] {
        assert!(filters("/evidence").contains(&name), "{name}");
    }
    for name in ["agent_id", "repository", "policy_pack", "state", "limit", "offset"] {
        assert!(filters("/sessions").contains(&name), "{name}");
    }
    for status in ["400", "404", "409", "413", "422"] {
        assert!(document["paths"]["/decisions"]["post"]["responses"][status].is_object(), "{status}");
    }
    let named = document["components"]["schemas"].as_object().unwrap();
    for reference in document.to_string().split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(named.contains_key(name), "{name} is named and not described");
    }
}

/// A validator for one schema of the document.
fn validator(document: &Value, pointer: &str) -> jsonschema::Validator {
    let schema = document.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not documented"));
    strict(schema, document)
}

fn answer_pointer(path: &str, method: &str, status: u16) -> String {
    let kind = if status == 200 { "application~1json" } else { "application~1problem+json" };
    format!("/paths/{}/{method}/responses/{status}/content/{kind}/schema", path.replace('~', "~0").replace('/', "~1"))
}

/// Bodies that are sent are as documented, and so is what is answered to a plain question at every path: the client of these
/// tests holds each answer against the document.
#[test]
fn bodies_are_as_documented() {
    let server = server();
    let document = server.get("/openapi.json").ok();
    let read = json!({"action_type": "read_file", "target": "a"});
    for (path, body) in [
        (
            "/decisions",
            json!({"action_type": "read_file", "target": ".env", "policy_pack": BASELINE, "correlation_id": null}),
        ),
        ("/decisions", json!({"action_type": "read_file", "target": "a", "policy_mode": "strict"})),
        ("/sessions", json!({"session_id": "documented", "evidence_refs": ["x"], "state": "completed"})),
        (
            "/evidence",
            json!({"session_id": "documented", "blocked_count": 1, "deployment_targets": ["mac"], "more": {}}),
        ),
    ] {
        let pointer = format!("/paths/~1{}/post/requestBody/content/application~1json/schema", &path[1..]);
        let schema = document.pointer(&pointer).unwrap();
        let mut whole = schema.clone();
        whole["components"] = document["components"].clone();
        assert!(jsonschema::draft202012::new(&whole).unwrap().is_valid(&body), "{path}: {body}");
        server.post(path, &body).ok();
    }
    let decision = server.decide(&read);
    let mut asked = 0;
    for (method, path, operation) in operations(&document) {
        let whole = path.replace("{decision_id}", text(&decision, "decision_id"));
        let whole = whole.strip_suffix("{session_id}").map_or(whole.clone(), |parent| format!("{parent}documented"));
        let is_json = operation["responses"]["200"]["content"]["application/json"].is_object();
        if method == "get" && is_json && !whole.contains('{') {
            let asked_about = if path == "/mcp/trust" { "?server=x" } else { "" };
            server.get(&format!("{whole}{asked_about}")).ok();
            asked += 1;
        }
    }
    assert!(asked >= 20, "{asked} paths were asked");
    for (path, body, status) in [
        ("/decisions", "{}", 400),
        ("/decisions", "[", 422),
        ("/decisions", r#"{"action_type": "read_file", "target": "a", "policy_pack": "cavra-nobody"}"#, 404),
        ("/sessions", "{}", 400),
    ] {
        assert_eq!(server.request("POST", path, body.as_bytes()).status, status);
    }
}

/// The document is one by OpenAPI's own schema, as a validator of others reads it.
#[test]
fn the_document_is_valid_openapi() {
    let Some(python) = python() else { return };
    const CHECK: &str = "import json, sys\n\
                         from openapi_spec_validator import OpenAPIV31SpecValidator\n\
                         OpenAPIV31SpecValidator(json.load(open(sys.argv[1]))).validate()";
    let check = |document: &std::path::Path| {
        std::process::Command::new(&python).args(["-c", CHECK]).arg(document).output().unwrap()
    };
    let checked = check(&repository().join("docs/openapi.json"));
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let home = Home::new();
    let mut broken = server().get("/openapi.json").ok();
    broken["paths"]["/decisions"]["post"]["responses"] = json!([]);
    std::fs::write(home.join("broken.json"), broken.to_string()).unwrap();
    assert!(!check(&home.join("broken.json")).status.success(), "the validator accepts everything");
}

/// No schema is empty, and every one that is named is there and is used.
#[test]
fn schemas_say_something() {
    let document = server().get("/openapi.json").ok();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let whole = document.to_string();
    for (name, schema) in schemas {
        let says = ["properties", "enum", "pattern", "oneOf", "allOf"].iter().any(|key| schema.get(*key).is_some());
        assert!(says, "{name} says nothing: {schema}");
        let reference = format!("\"#/components/schemas/{name}\"");
        assert!(whole.contains(&reference), "{name} is not used");
    }
    for reference in whole.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is not there");
    }
    for (method, path, operation) in operations(&document) {
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let problem = answer["content"]["application/problem+json"].is_object();
            assert_eq!(problem, !status.starts_with('2'), "{method} {path} {status}");
            let text = answer["content"].to_string();
            assert!(problem || !text.contains("schemas/Problem"), "{method} {path} has no answer of its own");
        }
        let (public, signed) =
            (operation["x-cavra-access"] == "public", operation["x-cavra-access"] == "signed callback");
        for (status, wanted) in [("401", !public), ("403", method == "post" || !public), ("503", !public)] {
            assert_eq!(operation["responses"][status].is_object(), wanted, "{method} {path} {status}");
        }
        let security = operation["security"].as_array().unwrap();
        let asks = |scheme: &str| security.iter().any(|one| one.get(scheme).is_some());
        assert_eq!(asks("person"), !public && !signed, "{method} {path}");
        assert_eq!(asks("slack") || asks("teams"), signed, "{method} {path}");
    }
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    assert_eq!(schemes.keys().collect::<Vec<_>>(), ["machine", "person", "slack", "teams"]);
}

/// Whether an answer is as documented is worth nothing if the schemas accept everything.
#[test]
fn the_schemas_refuse() {
    let document = server().get("/openapi.json").ok();
    let record = server().decide(&json!({"action_type": "read_file", "target": "a"}));
    let schema = validator(&document, &answer_pointer("/decisions", "post", 200));
    for member in ["decision_id", "decision", "evidence_refs", "timestamp", "rule_id"] {
        let mut without = record.clone();
        without.as_object_mut().unwrap().remove(member);
        assert!(!schema.is_valid(&without), "{member} is required");
        let mut wrong = record.clone();
        wrong[member] = json!(5);
        assert!(!schema.is_valid(&wrong), "{member} has a type");
    }
}

#[test]
fn the_page_needs_no_other_host() {
    let server = server();
    let moved = server.get("/docs");
    if (300..400).contains(&moved.status) {
        assert_eq!(moved.header("location"), Some("/docs/"));
    }
    let page = server.get("/docs/");
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    let mut files = vec!["swagger-initializer.js".to_owned()];
    for attribute in ["src=\"", "href=\""] {
        for rest in page.text().split(attribute).skip(1) {
            let reference = rest.split('"').next().unwrap();
            assert!(!reference.contains("//"), "another host: {reference}");
            files.push(reference.trim_start_matches("./").trim_start_matches("/docs/").to_owned());
        }
    }
    assert!(files.iter().any(|file| file.ends_with("bundle.js")), "{files:?}");
    for file in files {
        let found = server.get(&format!("/docs/{file}"));
        assert_eq!(found.status, 200, "{file}");
        if file == "swagger-initializer.js" {
            let config = found.text();
            assert!(config.contains("/openapi.json"), "{config}");
            assert!(!config.contains("http://") && !config.contains("https://"), "{config}");
        }
    }
    server.get("/docs/../health").refused(&[404]);
    let metrics = server.get("/metrics");
    assert!(metrics.status == 200 && metrics.text().contains("cavra_http_request_seconds"), "{}", metrics.text());
}
