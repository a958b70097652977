//! Issuing as the platform drives it.

use baoqiao_channels::access::Secret;
use baoqiao_channels::qimen::body::BodyKind;
use baoqiao_channels::sign_method::SignMethod;
use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_simulator::example::ISSUING_REQUEST;
use baoqiao_simulator::qimen::{AnswerFormat, Call, Charset};
use serde_json::json;

use crate::gateway::{Gateway, call_of, example, example_with, field};

const SIGN_CHECK_FAILURE: &str =
    r#"{"errorCode":"sign-check-failure","errorMessage":"Illegal request","success":"false"}"#;

#[tokio::test]
async fn the_example_as_printed_is_issued_and_every_spelling_of_it_is_a_retry() {
    let gateway = Gateway::start();
    let first = gateway.call(call_of(BodyKind::Json, Charset::Utf8, ISSUING_REQUEST)).await;
    assert_eq!(first.status, 200);
    assert_eq!(field(&first, &["success"]), "true");
    assert_eq!(field(&first, &["errorCode"]), "SUCCESS");
    assert_eq!(field(&first, &["errorMessage"]), "OK");
    assert!(field(&first, &["context", "policyNo"]).starts_with("PBDI"));
    for kind in [BodyKind::Json, BodyKind::Form, BodyKind::Xml, BodyKind::Text] {
        for charset in [Charset::Utf8, Charset::Gbk] {
            for sign_method in SignMethod::ALL {
                let call = Call { sign_method, ..call_of(kind, charset, ISSUING_REQUEST) };
                let again = gateway.call(call).await;
                assert_eq!(again.body, first.body, "{kind:?} {charset} {sign_method}");
            }
        }
    }
    let listed = vec![(http::HeaderName::from_static("x-trace"), "踪迹/1".to_owned())];
    assert_eq!(gateway.call(Call { signed_headers: listed, ..example() }).await.body, first.body);
    assert_eq!(gateway.count("SELECT count(*) FROM policies"), 1);
    assert_eq!(gateway.count("SELECT count(*) FROM messages WHERE verdict = 'replayed'"), 25);
}

#[tokio::test]
async fn an_answer_in_xml_when_xml_is_asked_for() {
    let gateway = Gateway::start();
    let answer = gateway.call(Call { format: AnswerFormat::Xml, ..example() }).await;
    assert!(
        answer
            .text()
            .starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?><response><errorCode>SUCCESS</errorCode><context>")
    );
    assert_eq!(answer.fields().unwrap()["success"], "true");
}

#[tokio::test]
async fn who_is_not_believed_changes_nothing_but_the_traffic_record() {
    let gateway = Gateway::start();
    let stale = Call { timestamp: Some("2021-08-04 15:23:28".to_owned()), ..example() };
    let stranger = Call { app_key: "1".to_owned(), ..example() };
    let wrong_secret = Call { secret: Secret::new("goodbye"), ..example() };
    let broken = Call { break_signature: true, ..example() };
    let mut requests =
        [stale, stranger, wrong_secret, broken].map(|call| call.sign(SystemClock.now()).unwrap()).to_vec();
    let mut unsigned = example().sign(SystemClock.now()).unwrap();
    unsigned.query.truncate(unsigned.query.find("&sign=").unwrap());
    requests.push(unsigned);
    for signed in requests {
        let answer = gateway.send(&signed).await;
        assert_eq!((answer.status.as_u16(), answer.text().as_ref()), (200, SIGN_CHECK_FAILURE));
    }
    let mut gateway = gateway;
    gateway.stop();
    for table in ["policies", "answers", "events", "messages", "conflicts", "people", "documents"] {
        assert_eq!(gateway.count(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    assert_eq!(gateway.count("SELECT count(*) FROM strangers"), 5);
}

#[tokio::test]
async fn other_content_under_an_identifier_is_refused_by_name() {
    let gateway = Gateway::start();
    let first = gateway.call(example()).await;
    let other = gateway
        .issue(|body| {
            body["amountOfCny"] = json!("1019");
            body["amount"] = json!("1019");
            body["applicantPersonalInfo"]["personName"] = json!("李四");
        })
        .await;
    assert_eq!(field(&other, &["errorCode"]), "IDEMPOTENCY_CONFLICT");
    let message = field(&other, &["errorMessage"]);
    assert!(message.ends_with("不一致的字段：amount、amountOfCny、applicantPersonalInfo.personName"), "{message}");
    assert!(!message.contains("张三") && !message.contains("李四"), "{message}");
    assert_eq!(gateway.call(example()).await.body, first.body);
}

#[tokio::test]
async fn a_mistake_mended_is_issued_under_the_same_identifier() {
    let gateway = Gateway::start();
    let wrong = gateway.issue(|body| body["premium"] = json!("7")).await;
    assert_eq!(field(&wrong, &["errorCode"]), "INVALID_ARGUMENT");
    assert_eq!(field(&wrong, &["success"]), "false");
    assert_eq!(field(&gateway.call(example()).await, &["success"]), "true");
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_and_is_answered_again() {
    let mut gateway = Gateway::start();
    let mut answers = Vec::new();
    for n in 0..20 {
        let call = example_with(|body| body["identifier"] = json!(format!("id-{n}")));
        answers.push((call.clone(), gateway.call(call).await.body));
    }
    // The second run listens on another port, and the answers still carry the first's address.
    gateway.kill_and_restart();
    for (call, body) in answers {
        assert_eq!(gateway.call(call).await.body, body);
    }
    assert_eq!(gateway.count("SELECT count(*) FROM policies"), 20);
}

#[tokio::test]
async fn twenty_copies_at_once_make_one_policy() {
    let gateway = Gateway::start();
    let calls = (0..20).map(|_| gateway.call(example()));
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    assert_eq!(gateway.count("SELECT count(*) FROM policies"), 1);
}

#[tokio::test]
async fn a_secret_in_rotation_works_beside_the_new_one() {
    let gateway = Gateway::start_with(|sample| {
        sample.replace(
            &format!("secrets = [\"{}\"]", crate::gateway::SECRET),
            "secrets = [\"newsecret\", \"helloworld\"]",
        )
    });
    for secret in ["newsecret", "helloworld"] {
        let answer = gateway.call(Call { secret: Secret::new(secret), ..example() }).await;
        assert_eq!(field(&answer, &["success"]), "true", "{secret}");
    }
    let used = "SELECT count(DISTINCT secret_index) FROM messages";
    assert_eq!(gateway.count(used), 2);
}
