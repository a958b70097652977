//! Who is let in, and how errors are told.

use super::document::{document, operations};
use super::*;

#[tokio::test]
async fn every_operation_is_open_to_its_scope_alone() {
    let world = World::new();
    let operations = operations(&document());
    assert_eq!(operations.len(), 16);
    for (method, path, operation) in operations {
        let scope = operation["security"][0]["token"][0].as_str().unwrap();
        let scope = Scope::from_name(scope).unwrap();
        let call = async |authorization: Option<String>| {
            let mut request = Request::builder().method(method.as_str()).uri(path.replace(['{', '}'], ""));
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            world.send(request.body(Body::empty()).unwrap()).await
        };
        for nobody in [None, Some("Bearer unknown"), Some("Bearer "), Some("Basic Zm9vOmJhcg=="), Some(ALL)] {
            let answer = call(nobody.map(str::to_owned)).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path} {nobody:?}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
        let answer = call(Some(format!("Bearer {}", but(scope)))).await;
        assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::FORBIDDEN, &"SCOPE_MISSING".into()), "{path}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(scope.as_str()));
        let answer = call(Some(format!("bearer {}", only(scope)))).await;
        let let_in = [StatusCode::OK, StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST];
        assert!(let_in.contains(&answer.status), "{method} {path}: {}", answer.status);
    }
}

#[tokio::test]
async fn errors_are_problems() {
    let world = World::new();
    let problem = |answer: &Answer| {
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["status"], answer.status.as_u16());
        assert_eq!(problem["type"], format!("urn:baoqiao:problem:{}", problem["code"].as_str().unwrap()));
        assert!(problem["title"].is_string() && problem["detail"].is_string() && problem["retryable"] == false);
        problem
    };
    for (path, status, code) in [
        ("/policies/CESI20260102Q001", 404, "POLICY_NOT_FOUND"),
        ("/policies/%E5%BC%A0", 404, "POLICY_NOT_FOUND"),
        ("/messages/1", 404, "NOT_FOUND"),
        ("/messages/x", 404, "NOT_FOUND"),
        ("/deliveries/18446744073709551615", 404, "NOT_FOUND"),
        ("/nowhere", 404, "NOT_FOUND"),
        ("/policies?limit=201", 400, "INVALID_ARGUMENT"),
        ("/policies?cursor=x", 400, "INVALID_ARGUMENT"),
        ("/policies?state=lapsed&issuedFrom=today", 400, "INVALID_ARGUMENT"),
        ("/auctions/1/stages", 405, "METHOD_NOT_ALLOWED"),
    ] {
        let answer = world.get_as(ALL, path).await;
        let problem = problem(&answer);
        assert_eq!((&problem["status"], &problem["code"]), (&status.into(), &code.into()), "{path}");
    }
    let too_long = json!({ "endorsementNo": "x".repeat(5_000) });
    for (key, body, status, code) in [
        ("", json!({}), 400, "IDEMPOTENCY_KEY_REQUIRED"),
        ("1", json!({}), 422, "INVALID_ARGUMENT"),
        ("1", json!({"surrenderTime": "2026-01-02 00:00:00"}), 422, "INVALID_ARGUMENT"),
        ("1", json!({"surrenderTime": START, "refundMoney": "0.1.2"}), 422, "INVALID_ARGUMENT"),
        ("1", json!({"surrenderTime": START, "refund": "1"}), 422, "INVALID_ARGUMENT"),
        ("1", too_long, 413, "BODY_TOO_LARGE"),
        ("1", json!({"surrenderTime": START}), 404, "POLICY_NOT_FOUND"),
    ] {
        let problem = problem(&world.post("/policies/CESI1/surrender", key, &body).await);
        assert_eq!((&problem["status"], &problem["code"]), (&status.into(), &code.into()), "{body}");
    }
}
