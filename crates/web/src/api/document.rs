//! The OpenAPI 3.1 document: made from the table of operations and the types of the answers, and nothing else.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use rules::credential::Scope;
use serde_json::{Map, Value, json};

use super::operation::{Access, Answer, Operation, Schemas, Shape, shape};
use super::{TABLES, codes};
use crate::problem::Problem;

pub(crate) const OPERATIONS: &[Operation] = &[Operation {
    method: "GET",
    path: "/api/v1/openapi.json",
    name: "describe",
    summary: "This description",
    detail: "",
    access: Access::Anyone,
    query: None,
    input: None,
    answer: Answer::File("application/json"),
    refusals: &[],
}];

const ABOUT: &str = "\
What a holder's pages show and do, for programs. Money is whole fen (1/100 yuan) in members that end in `_fen`; moments are \
RFC 3339 with the campus's offset. Errors are RFC 9457 with a stable `code`. Members may be added to answers: leave alone \
what you do not know.

A program shows an access token that its holder made under Security: `Authorization: Bearer oc_...`. With the header, \
cookies count for nothing. A changing call needs an `Idempotency-Key`: the same call again within 30 days gets the same \
answer with `Idempotency-Replayed: true`; the same key with another call is refused with 409. A refusal is not kept: nothing \
was done, and the same call may go well later.";

/// The document, made once.
static SERVED: LazyLock<String> = LazyLock::new(text);

/// `GET /api/v1/openapi.json`
pub(crate) async fn served() -> Response {
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (kind, SERVED.as_str()).into_response()
}

/// The document as it is checked in and served.
pub fn text() -> String {
    let (mut sent, mut answered) = (Schemas::new(), Schemas::new());
    let paths = paths(&mut sent, &mut answered);
    shape::<Problem>(&mut sent);
    let value = |(name, schema): (String, _)| (name, serde_json::to_value(schema).unwrap_or_default());
    let mut schemas: BTreeMap<String, Value> = answered.into_iter().map(value).collect();
    schemas.values_mut().for_each(whole);
    schemas.extend(sent.into_iter().map(value));
    let scopes: Vec<String> = Scope::ALL.iter().map(|scope| format!("`{}`", scope.word())).collect();
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "onecard",
            "version": "1",
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": format!("An access token with the scope of the operation: {}.", scopes.join(", ")),
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-sid",
                    "description": "A browser's session; changing calls then need an `Origin` of ours.",
                },
            },
        },
    });
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// An answer has all its members, those that are null too.
fn whole(schema: &mut Value) {
    let names: Vec<Value> = schema["properties"]
        .as_object()
        .map(|members| members.keys().cloned().map(Value::from).collect())
        .unwrap_or_default();
    if !names.is_empty() {
        schema["required"] = names.into();
    }
    for parts in ["allOf", "oneOf"] {
        let parts = schema.get_mut(parts).and_then(Value::as_array_mut);
        parts.into_iter().flatten().for_each(whole);
    }
}

fn paths(sent: &mut Schemas, answered: &mut Schemas) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in TABLES.iter().copied().flatten() {
        let told = told(operation, sent, answered);
        paths.entry(operation.path).or_default().insert(operation.method.to_ascii_lowercase(), told);
    }
    json!(paths)
}

fn told(operation: &Operation, sent: &mut Schemas, answered: &mut Schemas) -> Value {
    let mut told = json!({
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": parameters(operation, sent),
        "responses": responses(operation, answered),
        "security": security(operation.access),
    });
    let Some(members) = told.as_object_mut() else { return told };
    if !operation.detail.is_empty() {
        members.insert("description".to_owned(), operation.detail.into());
    }
    if let Access::Holder(scope) | Access::School(scope) = operation.access {
        members.insert("x-scope".to_owned(), scope.word().into());
    }
    if let Some(input) = operation.input {
        let content = json!({ "application/json": { "schema": reference(&input(sent)) } });
        members.insert("requestBody".to_owned(), json!({ "required": true, "content": content }));
    }
    told
}

fn security(access: Access) -> Value {
    match access {
        Access::Anyone => json!([]),
        Access::Holder(_) => json!([{ "token": [] }, { "session": [] }]),
        Access::SessionOnly => json!([{ "session": [] }]),
        Access::School(_) => json!([{ "token": [] }]),
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn parameters(operation: &Operation, schemas: &mut Schemas) -> Vec<Value> {
    let in_path = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<Value> = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    all.extend(operation.query.into_iter().flat_map(|query| in_query(query, schemas)));
    if operation.keyed() {
        all.push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "required": true,
            "description": "1 to 128 visible ASCII letters, new for every new call and the same when it is repeated.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$" },
        }));
    }
    all
}

/// Every member of the query's type is a parameter.
fn in_query(query: Shape, schemas: &mut Schemas) -> Vec<Value> {
    let mut own = Schemas::new();
    let name = query(&mut own);
    let place = own.iter().position(|(each, _)| *each == name);
    let kind = place.map(|place| own.remove(place).1);
    // The query itself is no schema of its own; what its members are made of is.
    schemas.append(&mut own);
    let kind = serde_json::to_value(kind).unwrap_or_default();
    let needed = |name: &str| kind["required"].as_array().is_some_and(|names| names.iter().any(|each| each == name));
    let members = kind["properties"].as_object().cloned().unwrap_or_default();
    let parameter = |(name, mut schema): (String, Value)| {
        let required = needed(&name);
        let about = schema.as_object_mut().and_then(|schema| schema.remove("description")).unwrap_or_default();
        // In a query what is not there is left out; it is never null.
        if let Some(kinds) = schema["type"].as_array() {
            let kind = kinds.iter().find(|kind| *kind != "null").cloned().unwrap_or_default();
            schema["type"] = kind;
        }
        let named = schema["oneOf"].as_array().and_then(|kinds| kinds.iter().find(|kind| kind["$ref"].is_string()));
        if let Some(named) = named.cloned() {
            schema = named;
        }
        json!({ "name": name, "in": "query", "required": required, "description": about, "schema": schema })
    };
    members.into_iter().map(parameter).collect()
}

fn responses(operation: &Operation, schemas: &mut Schemas) -> Value {
    let good = match operation.answer {
        Answer::Found(shape) => json!({
            "description": "What was asked for.",
            "content": { "application/json": { "schema": reference(&shape(schemas)) } },
        }),
        Answer::Made(shape) => json!({
            "description": "It is made; the same call again is answered the same.",
            "headers": { "Location": { "required": true, "schema": { "type": "string" } } },
            "content": { "application/json": { "schema": reference(&shape(schemas)) } },
        }),
        Answer::Done => json!({ "description": "It is done." }),
        Answer::File(media) => json!({ "description": "The file.", "content": { media: {} } }),
    };
    let mut by_status: BTreeMap<String, Value> = BTreeMap::from([(operation.answer.status().to_string(), good)]);
    let mut codes: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for (status, code) in codes::of(operation) {
        codes.entry(status).or_default().push(code);
    }
    for (status, codes) in codes {
        by_status.insert(status.to_string(), refused(status, &codes));
    }
    json!(by_status)
}

fn refused(status: u16, codes: &[&str]) -> Value {
    let words: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
    let narrowed = json!({ "properties": { "code": { "enum": codes } } });
    let mut told = json!({
        "description": words.join(", "),
        "content": { "application/problem+json": { "schema": { "allOf": [reference("Problem"), narrowed] } } },
    });
    let header = match status {
        401 => Some("WWW-Authenticate"),
        passing if codes::passes(passing) => Some("Retry-After"),
        _ => None,
    };
    if let Some(header) = header {
        told["headers"] = json!({ header: { "required": true, "schema": { "type": "string" } } });
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_kinds_of_answers_never_have_one_name() {
        let (mut sent, mut answered) = (Schemas::new(), Schemas::new());
        paths(&mut sent, &mut answered);
        shape::<Problem>(&mut sent);
        let mut known: BTreeMap<String, Value> = BTreeMap::new();
        for (name, schema) in sent.into_iter().chain(answered) {
            let schema = serde_json::to_value(schema).expect("a schema");
            let first = known.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(*first, schema, "{name}");
        }
        assert!(known.len() > 20);
    }

    #[test]
    fn no_body_has_an_array() {
        let mut sent = Schemas::new();
        for operation in TABLES.iter().copied().flatten() {
            operation.input.into_iter().for_each(|shape| drop(shape(&mut sent)));
        }
        let arrays = serde_json::to_string(&sent).expect("JSON").matches("\"array\"").count();
        assert!(!sent.is_empty() && arrays == 0, "`Sent` refuses every array");
    }
}
