//! The life of a policy over HTTP: a recovery beside it, its rescission, and what waits to be told.

use baoqiao_channels::qimen::body::BodyKind;
use baoqiao_simulator::qimen::{Call, Charset};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::gateway::{Gateway, baoqiao, call_of, example, field, text};

pub(crate) const RECOVERY: &str = include_str!("../../../channels/src/qimen/golden/recovery/example.json");

/// Posts to Avatar's address, as the document prints the notice, for that policy.
pub(crate) async fn rescind(gateway: &Gateway, policy_no: &str, uuid: &str) -> String {
    let body = json!({
        "head": {
            "interfaceType": "proposalOrder", "orderNo": "QS221219154313290T12K25", "policySource": "HN_HT_QNW",
            "reqTime": "2022-12-19 15: 44: 21", "uuid": uuid,
        },
        "secondRefundReq": {
            "policyNo": policy_no, "secondRefundAmount": 10.2, "secondRefundDate": "2021-05-10 12:00:00",
            "secondRefundStatus": 1,
            "installmentList": [{"payNo": 1, "amount": 10.2, "refundTime": "2021-05-10 11:59:59"}],
        },
    })
    .to_string();
    let head = format!(
        "POST /avatar/refund/second/refundNotice HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(gateway.url.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_policy_is_issued_recovered_on_and_rescinded_once() {
    let gateway = Gateway::start();
    let policy_no = field(&gateway.call(example()).await, &["context", "policyNo"]);

    let method = "qimen.alibaba.finance.insurance.recovery".to_owned();
    let recovery = Call { method, ..call_of(BodyKind::Json, Charset::Utf8, RECOVERY) };
    let recorded = gateway.call(recovery.clone()).await;
    assert_eq!(recorded.fields().unwrap()["success"], true, "{}", recorded.text());
    assert_eq!(gateway.call(recovery).await.body, recorded.body);
    assert_eq!(gateway.count("SELECT count(*) FROM recoveries"), 1);

    let rescinded = rescind(&gateway, &policy_no, "b5c9c977-8ba0-4ade-93c7-914ad0147342").await;
    assert!(rescinded.contains("\"dealCode\":\"1\""), "{rescinded}");
    let again = rescind(&gateway, &policy_no, "b5c9c977-8ba0-4ade-93c7-914ad0147343").await;
    assert!(again.contains("\"dealCode\":\"1\""), "{again}");
    assert_eq!(gateway.count("SELECT count(*) FROM policies WHERE state = 'rescinded'"), 1);
    assert_eq!(gateway.count("SELECT count(*) FROM notices WHERE kind = 'surrender-sync'"), 1);

    let unknown = rescind(&gateway, "12345", "b5c9c977-8ba0-4ade-93c7-914ad0147344").await;
    assert!(!unknown.contains("\"dealCode\":\"1\""), "{unknown}");
    let listed = baoqiao(["outbox", "list", "--config", gateway.config().to_str().unwrap()]);
    assert!(text(&listed.stdout).contains(&format!("policy:{policy_no}")), "{}", text(&listed.stdout));
}
