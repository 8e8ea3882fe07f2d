//! Answers to programs against the OpenAPI document: every answer that any test gets, and the document against the router.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::http::{HeaderMap, Method};
use serde_json::Value;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&web::openapi()).expect("a document of JSON"));

/// Every method and path of the router, as its file says.
pub fn routes() -> Vec<(String, String)> {
    let text = include_str!("../../src/router.rs");
    let (routes, _) = text.split_once(".fallback(").expect("a fallback");
    let mut all = Vec::new();
    for route in routes.split(".route(\"").skip(1) {
        let (path, handlers) = route.split_once('"').expect("a path");
        for method in ["get", "post", "put", "delete", "patch"] {
            let called = [format!(" {method}("), format!(".{method}(")];
            if called.iter().any(|call| handlers.contains(call.as_str())) {
                all.push((method.to_uppercase(), path.to_owned()));
            }
        }
    }
    all
}

/// Asserts that an answer to a program is one that the document knows.
pub fn check(method: &Method, path: &str, status: u16, headers: &HeaderMap, bytes: &[u8]) {
    let path = path.split('?').next().unwrap_or_default();
    if !path.starts_with("/api/") || method == Method::HEAD {
        return;
    }
    let name = method.as_str().to_ascii_lowercase();
    let told = DOCUMENT["paths"].as_object().expect("paths");
    let Some((_, methods)) = told.iter().find(|(template, _)| fits(template, path)) else {
        assert_eq!(status, 404, "{path} is no path of the document");
        return;
    };
    let Some(operation) = methods.get(&name) else {
        assert_eq!(status, 405, "{method} is no method of {path}");
        return;
    };
    let answer = &operation["responses"][status.to_string()];
    let text = String::from_utf8_lossy(bytes);
    assert!(answer.is_object(), "{method} {path}: {status} is not in the document: {text}");
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    for (name, _) in answer["headers"].as_object().into_iter().flatten() {
        assert!(!header(name).is_empty(), "{method} {path}: {status} without {name}");
    }
    let Some(content) = answer["content"].as_object() else {
        assert!(bytes.is_empty(), "{method} {path}: {status} has content: {text}");
        return;
    };
    let (media, told) = content.iter().next().expect("a media type");
    assert_eq!(header("content-type"), media, "{method} {path}: {status}");
    if let (Some(schema), true) = (told.get("schema"), media.contains("json")) {
        let body: Value = serde_json::from_slice(bytes).unwrap_or_else(|fault| panic!("{fault}: {text}"));
        if let Err(why) = valid(&body, schema) {
            panic!("{method} {path}: {status}: {why}: {text}");
        }
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(path).all(|(part, given)| part.starts_with('{') || *part == given)
}

/// The part of JSON Schema that the document uses. Errors: where, and what is wrong there.
fn valid(value: &Value, schema: &Value) -> Result<(), String> {
    let wrong = |why: String| Err(format!("{value} {why}"));
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.strip_prefix('#').expect("a reference within the document");
        valid(value, DOCUMENT.pointer(pointer).unwrap_or_else(|| panic!("nothing is at {name}")))?;
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        valid(value, part)?;
    }
    if let Some(parts) = schema["oneOf"].as_array() {
        let fitting = parts.iter().filter(|part| valid(value, part).is_ok()).count();
        if fitting != 1 {
            return wrong(format!("is of {fitting} kinds of {schema}"));
        }
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        return wrong(format!("is none of {values:?}"));
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("what is {other}?"),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is(kind)) {
        return wrong(format!("is none of {kinds:?}"));
    }
    for item in value.as_array().into_iter().flatten() {
        valid(item, &schema["items"])?;
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.is_object() && value.get(name).is_none() {
            return wrong(format!("lacks {name}"));
        }
    }
    for (name, part) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(member) = value.get(name) {
            valid(member, part).map_err(|why| format!("{name}: {why}"))?;
        }
    }
    Ok(())
}

#[test]
fn the_document_has_every_route_for_programs_and_no_other() {
    let router: BTreeSet<(String, String)> =
        routes().into_iter().filter(|(_, path)| path.starts_with("/api/")).collect();
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    let told: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().expect("methods").keys().map(|method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    assert_eq!(router, told);
    assert!(router.len() >= 5);
}

#[test]
fn the_document_that_is_checked_in_is_the_one_that_is_served() {
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let kept = std::fs::read_to_string(place).expect("it is checked in");
    assert!(kept == web::openapi(), "docs/openapi.json is old: run `cargo xtask openapi`");
}

#[test]
fn names_of_operations_are_their_own_and_every_reference_leads_somewhere() {
    let mut names = BTreeSet::new();
    for operation in DOCUMENT["paths"]
        .as_object()
        .expect("paths")
        .values()
        .flat_map(|path| path.as_object().expect("methods").values())
    {
        let name = operation["operationId"].as_str().expect("a name");
        assert!(names.insert(name), "two operations are called {name}");
        assert!(!operation["summary"].as_str().expect("a summary").is_empty());
    }
    let mut waiting = vec![&*DOCUMENT];
    while let Some(value) = waiting.pop() {
        if let Some(name) = value["$ref"].as_str() {
            assert!(DOCUMENT.pointer(name.trim_start_matches('#')).is_some(), "nothing is at {name}");
        }
        waiting.extend(value.as_array().into_iter().flatten());
        waiting.extend(value.as_object().into_iter().flat_map(|members| members.values()));
    }
}
