//! Whether what a server answers is what its OpenAPI document says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};

use super::{Response, repository};

/// The document that is checked in; a test of its own says that it is the served one.
fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        serde_json::from_slice(&std::fs::read(repository().join("docs/openapi.json")).unwrap()).unwrap()
    })
}

/// Fails unless the answer to a request is documented: its status, its media type, and each member of its body. Paths that
/// are no endpoints are not looked at.
#[track_caller]
pub fn assert_documented(method: &str, target: &str, response: &Response) {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let method = method.to_ascii_lowercase();
    let Some((template, operation)) = operation(&method, path) else { return };
    // What a server answers before it looks at the path, or never of its own accord.
    if matches!(response.status, 304 | 406 | 431 | 503) || response.body.is_empty() {
        return;
    }
    let answer = &operation["responses"][response.status.to_string()];
    assert!(
        answer.is_object(),
        "{method} {template} answers {}, which is not documented: {}",
        response.status,
        response.text()
    );
    let media = response.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
    // A file has its own type, and what it holds is not ours to say.
    let content = &answer["content"];
    let of_its_own = content["*/*"].is_object();
    let schema = &content[if of_its_own { "*/*" } else { media }]["schema"];
    assert!(schema.is_object(), "{method} {template} answers {media}, which is not documented");
    if of_its_own || !media.ends_with("json") {
        return;
    }
    let place = format!("{method} {template} {}", response.status);
    let body = response.json();
    let problems: Vec<String> = validator(&place, schema)
        .iter_errors(&body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(problems.is_empty(), "{place} is not as documented: {problems:#?}\n{body:#}");
}

/// The operation that a path is of: the template with the most literal segments.
fn operation(method: &str, path: &str) -> Option<(&'static str, &'static Value)> {
    let paths = document()["paths"].as_object().unwrap();
    let operations = paths.iter().filter_map(|(template, methods)| Some((template.as_str(), methods.get(method)?)));
    let fitting = operations.filter(|(template, _)| fits(template, path));
    fitting.min_by_key(|(template, _)| (segments(path) != segments(template), template.matches('{').count()))
}

fn segments(path: &str) -> usize {
    path.split('/').count()
}

/// Whether a template stands for a path. A parameter at its end may take several segments.
fn fits(template: &str, path: &str) -> bool {
    let is_parameter = |segment: &str| segment.starts_with('{');
    let wanted: Vec<&str> = template.split('/').collect();
    let given: Vec<&str> = path.splitn(wanted.len(), '/').collect();
    let open_end = wanted.last().is_some_and(|last| is_parameter(last));
    wanted.len() == given.len()
        && (open_end || segments(path) == wanted.len())
        && wanted.iter().zip(&given).all(|(wanted, given)| wanted == given || is_parameter(wanted) && !given.is_empty())
}

/// The validator of one answer, which is made once.
fn validator(place: &str, schema: &Value) -> Arc<jsonschema::Validator> {
    static MADE: OnceLock<Mutex<HashMap<String, Arc<jsonschema::Validator>>>> = OnceLock::new();
    let mut made = MADE.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(made.entry(place.to_owned()).or_insert_with(|| Arc::new(strict(schema, document()))))
}

/// A validator for a schema of a document, references included, that accepts no member the schema does not name.
pub fn strict(schema: &Value, document: &Value) -> jsonschema::Validator {
    let mut whole = schema.clone();
    whole["components"] = json!({ "schemas": document["components"]["schemas"] });
    close(&mut whole);
    jsonschema::draft202012::new(&whole).unwrap()
}

/// Objects that say what they hold hold nothing else, unless they say that too.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("properties").is_some_and(Value::is_object) && members.contains_key("type") {
                members.entry("additionalProperties").or_insert(json!(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
