//! The OpenAPI document: golden, and true.

use super::*;

fn described() -> Value {
    serde_json::to_value(routes().split_for_parts().1).unwrap()
}

/// Method, path and operation of everything that is described.
pub(super) fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
    });
    each.collect()
}

pub(super) fn document() -> Value {
    described()
}

fn parameters<'a>(operation: &'a Value, place: &str) -> Vec<&'a str> {
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    parameters.iter().filter(|one| one["in"] == place).map(|one| one["name"].as_str().unwrap()).collect()
}

#[test]
fn paths_are_the_golden_ones() {
    let mut lines: Vec<String> = operations(&described())
        .iter()
        .map(|(method, path, operation)| {
            let scopes = operation["security"][0]["token"].as_array().unwrap();
            let query = parameters(operation, "query").join(",");
            format!("{method} {path} {} {query}", scopes[0].as_str().unwrap()).trim_end().to_owned()
        })
        .collect();
    lines.sort();
    assert_eq!(lines.join("\n") + "\n", include_str!("paths.golden.txt"));
}

#[test]
fn every_operation_is_described_in_full() {
    let document = described();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
    let mut ids = std::collections::BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{path}");
        assert!(operation["summary"].is_string() && operation["responses"]["200"].is_object(), "{path}");
        let problem = &operation["responses"]["default"]["content"]["application/problem+json"];
        assert_eq!(problem["schema"]["$ref"], "#/components/schemas/Problem", "{path}");
        assert_eq!(parameters(&operation, "header") == ["Idempotency-Key"], method == "POST", "{path}");
        let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        assert_eq!(in_path.collect::<Vec<_>>(), parameters(&operation, "path"), "{path}");
    }
}

/// A client made from the document would refuse to send what is not in it.
#[test]
fn orders_by_a_filter_may_be_counted_first() {
    for order in ["ResendOrder", "SkipOrder"] {
        let schema = &described()["components"]["schemas"][order];
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["dryRun"]["type"], "boolean", "{order}");
        assert_eq!(schema["required"], Value::Null, "{order}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn check(value: &Value, document: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                fields.values().for_each(|inner| check(inner, document));
            }
            Value::Array(items) => items.iter().for_each(|inner| check(inner, document)),
            _ => {}
        }
    }
    let document = described();
    check(&document, &document);
}

#[tokio::test]
async fn the_document_is_served_and_its_query_parameters_are_those_that_are_read() {
    let world = World::new();
    let served = world.send(Request::get("/api/v1/openapi.json").body(Body::empty()).unwrap()).await;
    assert_eq!((served.status, served.json()), (StatusCode::OK, described()));
    for (method, path, operation) in operations(&described()).iter().filter(|(method, ..)| method == "GET") {
        let path = path.strip_prefix("/api/v1").unwrap().replace(['{', '}'], "");
        let answer = world.get_as(ALL, &format!("{path}?zzz=1")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{method} {path}");
        let problem = answer.json();
        let known = parameters(operation, "query");
        let expected = if known.is_empty() { "无参数".to_owned() } else { known.join("、") };
        let mut told: Vec<&str> = problem["errors"][0]["expected"].as_str().unwrap().split('、').collect();
        let mut expected: Vec<&str> = expected.split('、').collect();
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!((&problem["errors"][0]["field"], told), (&"zzz".into(), expected), "{path}");
    }
}

#[test]
fn the_document_for_people_has_every_scope_event_and_code() {
    const API_MD: &str = include_str!("../../../../../../docs/api.md");
    let has = |name: &str| assert!(API_MD.contains(&format!("`{name}`")), "docs/api.md lacks {name}");
    for scope in Scope::ALL {
        has(scope.as_str());
    }
    for kind in baoqiao_domain::event::Event::KINDS {
        has(kind);
    }
    let problems = [
        Problem::unauthenticated(),
        Problem::scope_missing(Scope::PeopleRead),
        Problem::not_found(""),
        Problem::method_not_allowed(),
        Problem::not_json(),
        Problem::body_late(),
        Problem::key_required(),
        Problem::invalid(Vec::new()),
    ];
    let code = |problem: &Problem| serde_json::to_value(problem).unwrap()["code"].as_str().unwrap().to_owned();
    for problem in &problems {
        has(&code(problem));
    }
}
