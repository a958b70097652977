//! The channel as a caller meets it: JSON in, command or refusal, answer out.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::access::SourceAccess;
use crate::channel::Decoded;
use crate::origin::ClientCertificate;
use baoqiao_domain::ledger::{Command, Outcome};
use baoqiao_domain::product::Catalogue;

const EXAMPLE: &str = include_str!("golden/rescission_notice/example.json");

fn access(secrets: &[&str]) -> Access {
    Access::default().with_sources([SourceAccess {
        code: "HN_HT_QNW".to_owned(),
        addresses: vec!["192.0.2.0/24".parse().unwrap()],
        client_certificates: Vec::new(),
        hmac_secrets: secrets.iter().map(|secret| Secret::new(*secret)).collect(),
    }])
}

fn peer(text: &str) -> Origin {
    Origin::address(text.parse().unwrap())
}

fn raw(body: &str) -> RawRequest {
    RawRequest { body: body.to_owned().into(), ..RawRequest::default() }
}

fn now() -> Timestamp {
    Timestamp::from_millisecond(1_671_435_862_121).unwrap()
}

fn decode(raw: &RawRequest) -> Result<Decoded, Refusal> {
    let access = access(&[]);
    let call = Avatar.authenticate(raw, &peer("192.0.2.7"), &access, now())?;
    Avatar.interface(raw, &access).unwrap().decode(&call, &Catalogue::default())
}

fn answer(raw: &RawRequest, result: &crate::channel::CallResult) -> String {
    String::from_utf8(rescission_notice::RescissionNotice.reply(raw, result, now()).body).unwrap()
}

/// Problems of the example changed at one place.
fn problems(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut tree: Value = serde_json::from_str(EXAMPLE).unwrap();
    change(&mut tree);
    match decode(&raw(&tree.to_string())) {
        Err(Refusal::InvalidFields(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_example_as_printed_is_read_with_all_its_refund_fields() {
    let decoded = decode(&raw(EXAMPLE)).unwrap();
    assert_eq!(decoded.key, "HN_HT_QNW:proposalOrder:QS221219154313290T12K25");
    let uuid = decoded.uuid.unwrap();
    assert_eq!((uuid.sender.as_str(), uuid.uuid.as_str()), ("HN_HT_QNW", "b5c9c977-8ba0-4ade-93c7-914ad0147342"));
    let Command::RescindPolicy(rescission) = decoded.command else { panic!("another command") };
    let expected: Value = serde_json::from_str(include_str!("golden/rescission_notice/example.command.json")).unwrap();
    assert_eq!(serde_json::to_value(&rescission).unwrap(), expected);
    assert_eq!(rescission.problems(), []);
}

#[test]
fn whoever_knows_the_order_number_finds_the_key() {
    let decoded = decode(&raw(EXAMPLE)).unwrap();
    let access = access(&[]);
    let keys = rescission_notice::RescissionNotice.keys_named("QS221219154313290T12K25", &Avatar.callers(&access));
    assert!(keys.contains(&decoded.key), "{keys:?}");
}

#[test]
fn a_retry_has_a_new_uuid_and_time_and_the_same_content() {
    let first = decode(&raw(EXAMPLE)).unwrap();
    let retry = EXAMPLE.replace("b5c9c977", "b5c9c978").replace("15: 44: 21", "15:44:51");
    let retry = decode(&raw(&retry)).unwrap();
    assert_eq!((&retry.key, &retry.command), (&first.key, &first.command));
    assert_ne!(retry.uuid, first.uuid);
}

#[test]
fn other_spellings_of_the_document_are_the_same() {
    let first = decode(&raw(EXAMPLE)).unwrap();
    let loose = EXAMPLE
        .replace("10.2", "\"10.20\"")
        .replace("\"secondRefundStatus\":1", "\"secondRefundStatus\":\"1\"")
        .replace("\"2021-05-10 12:00:00\"", "1620619200000")
        .replace("} ]", "}, ]");
    assert_eq!(decode(&raw(&loose)).unwrap().command, first.command);
    let of_the_table = decode(&raw(&EXAMPLE.replace("proposalOrder", "recissionNotice"))).unwrap();
    assert_eq!(of_the_table.key, "HN_HT_QNW:recissionNotice:QS221219154313290T12K25");
}

#[test]
fn trailing_commas_go_and_texts_stay() {
    let text = r#"{"a": [1, 2 , ], "b": ",]", "c": "\",}", }"#;
    assert_eq!(without_trailing_commas(text), r#"{"a": [1, 2  ], "b": ",]", "c": "\",}" }"#);
}

#[test]
fn the_table_alone_is_enough() {
    let body = json!({
        "head": {"policySource": "HN_HT_QNW", "reqTime": "2022-12-19 15:44:21", "interfaceType": "recissionNotice", "orderNo": "1", "uuid": "2"},
        "secondRefundReq": {"policyNo": "12345"},
    });
    let Command::RescindPolicy(rescission) = decode(&raw(&body.to_string())).unwrap().command else { panic!() };
    assert_eq!(rescission.second_refund_amount, None);
    assert_eq!(rescission.installment_list, []);
}

#[test]
fn what_is_wrong_is_told_at_once_by_its_path() {
    assert_eq!(problems(|tree| tree["secondRefundReq"] = json!("")), ["secondRefundReq：缺少，必填"]);
    let told = problems(|tree| {
        tree["head"] = json!({"policySource": "HN_HT_QNW", "interfaceType": "endorse", "reqTime": "yesterday"});
        tree["secondRefundReq"] = json!({"secondRefundAmount": -1, "installmentList": [{"payNo": 1}, 7]});
    });
    assert_eq!(
        told,
        [
            "head.reqTime：收到“yesterday”，应为yyyy-MM-dd HH:mm:ss 格式的北京时间，或自 1970 年起的毫秒数",
            "head.interfaceType：收到“endorse”，应为recissionNotice 或 proposalOrder",
            "head.orderNo：缺少，必填",
            "head.uuid：缺少，必填",
            "secondRefundReq.policyNo：缺少，必填",
            "secondRefundReq.secondRefundAmount：收到“-1”，应为不含正负号的十进制金额（元），如 10.2",
            "secondRefundReq.installmentList[0].amount：缺少，必填",
            "secondRefundReq.installmentList[1]：收到“非对象”，应为对象",
        ]
    );
}

#[test]
fn every_distrust_has_its_deal_code() {
    let open = access(&[]);
    let closed = access(&["k"]);
    let example = raw(EXAMPLE);
    let cases = [
        (raw("{"), peer("192.0.2.7"), &open, "MALFORMED_BODY"),
        (raw("{\"head\":{}}"), peer("192.0.2.7"), &open, "INVALID_ARGUMENT"),
        (raw(&EXAMPLE.replace("HN_HT", "XX")), peer("192.0.2.7"), &open, "UNKNOWN_POLICY_SOURCE"),
        (example.clone(), peer("192.0.3.7"), &open, "CALLER_NOT_ALLOWED"),
        (example.clone(), Origin::default(), &open, "CALLER_NOT_ALLOWED"),
        (example, peer("192.0.2.7"), &closed, "WRONG_SIGNATURE"),
    ];
    for (raw, origin, access, code) in cases {
        let refusal = Avatar.authenticate(&raw, &origin, access, now()).unwrap_err();
        let reply = Avatar.reply_refused(&raw, &refusal, now());
        let tree: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!((reply.status, tree["secondRefundResp"]["dealCode"].as_str()), (200, Some(code)));
        assert_ne!(tree["secondRefundResp"]["dealDesc"], "");
        assert_eq!(Avatar.told_code(&refusal), code);
    }
}

#[test]
fn a_source_that_must_show_a_certificate_is_told_which_it_lacks() {
    let certificate = |sha256: u8, name: &str| {
        let names = vec![name.parse().unwrap()];
        Origin { certificate: Some(Arc::new(ClientCertificate { sha256: [sha256; 32], names })), ..peer("192.0.2.7") }
    };
    let fingerprint = ClientCertificate { sha256: [7; 32], names: Vec::new() }.fingerprint();
    let pinned = Access::default().with_sources([SourceAccess {
        client_certificates: vec![fingerprint, "dns:avatar.example.com".parse().unwrap()],
        ..access(&["old"]).source("HN_HT_QNW").unwrap().clone()
    }]);
    let refused = |origin: &Origin| match Avatar.authenticate(&raw(EXAMPLE), origin, &pinned, now()) {
        Err(refusal) => answer(&raw(EXAMPLE), &Err(refusal)),
        Ok(_) => panic!("believed"),
    };
    assert!(refused(&peer("192.0.2.7")).contains("\"dealCode\":\"CLIENT_CERTIFICATE_REQUIRED\""));
    let other = refused(&certificate(8, "dns:other.example.com"));
    assert!(other.contains("\"dealCode\":\"CLIENT_CERTIFICATE_NOT_ALLOWED\""), "{other}");
    assert!(other.contains(&"08".repeat(32)), "the fingerprint tells which it was: {other}");
    let elsewhere = Origin { address: "192.0.3.7".parse().ok(), ..certificate(7, "cn:x") };
    assert!(refused(&elsewhere).contains("CALLER_NOT_ALLOWED"), "a certificate opens no other address");
    for origin in [certificate(7, "cn:renamed"), certificate(8, "dns:avatar.example.com")] {
        assert!(refused(&origin).contains("WRONG_SIGNATURE"), "a certificate is no HMAC");
        let mut signed = raw(EXAMPLE);
        signed
            .headers
            .insert(HMAC_HEADER, include_str!("golden/rescission_notice/example.hmac").trim().parse().unwrap());
        assert!(Avatar.authenticate(&signed, &origin, &pinned, now()).is_ok());
    }
}

#[test]
fn the_hmac_is_over_the_body_as_it_came() {
    let access = access(&["new", "old"]);
    // Computed with `openssl dgst -sha256 -hmac old`.
    let hex = include_str!("golden/rescission_notice/example.hmac").trim();
    for hex in [hex.to_owned(), hex.to_uppercase()] {
        let mut signed = raw(EXAMPLE);
        signed.headers.insert(HMAC_HEADER, hex.parse().unwrap());
        let verified = Avatar.authenticate(&signed, &peer("192.0.2.7"), &access, now()).unwrap();
        assert_eq!((verified.caller(), verified.secret_index()), ("HN_HT_QNW", 1));
        signed.body = EXAMPLE.replace("12345", "12346").into();
        assert!(Avatar.authenticate(&signed, &peer("192.0.2.7"), &access, now()).is_err());
    }
}

#[test]
fn answers_have_the_documents_shape() {
    let example = raw(EXAMPLE);
    let outcome = Outcome::PolicyRescinded { policy_no: "PBDI20211201Q000F0001".parse().unwrap() };
    assert_eq!(answer(&example, &Ok(outcome)), include_str!("golden/rescission_notice/rescinded.json").trim_end());
    let refusal = Refusal::PolicyNotFound { policy_no: "12345".to_owned() };
    assert_eq!(answer(&example, &Err(refusal)), include_str!("golden/rescission_notice/not_found.json").trim_end());
    let too_large = rescission_notice::RescissionNotice.reply(
        &RawRequest::default(),
        &Err(Refusal::BodyTooLarge { limit_bytes: 1 }),
        now(),
    );
    assert_eq!(too_large.status, 413);
    assert!(serde_json::from_slice::<Value>(&too_large.body).is_ok());
}

#[test]
fn every_deal_code_is_documented() {
    let docs = include_str!("../../../../docs/avatar-deal-codes.md");
    let ours = [
        "1",
        "UNKNOWN_POLICY_SOURCE",
        "CALLER_NOT_ALLOWED",
        "CLIENT_CERTIFICATE_REQUIRED",
        "CLIENT_CERTIFICATE_NOT_ALLOWED",
        "WRONG_SIGNATURE",
    ];
    let shared = [
        "BODY_TOO_LARGE",
        "MALFORMED_BODY",
        "SYSTEM_BUSY",
        "LEDGER_UNAVAILABLE",
        "IDEMPOTENCY_CONFLICT",
        "UUID_REUSED",
        "INVALID_ARGUMENT",
        "POLICY_NOT_FOUND",
        "POLICY_NOT_PERMITTED",
        "WRONG_POLICY_STATE",
    ];
    for code in ours.into_iter().chain(shared) {
        assert!(docs.contains(&format!("\n## `{code}`")), "{code}");
    }
}

proptest! {
    #[test]
    fn decoding_never_panics(body in "[\\[\\]{}\",:a-z0-9 \\\\]{0,200}") {
        let _ = decode(&raw(&body));
        let _ = answer(&raw(&body), &Err(Refusal::Busy));
    }

    #[test]
    fn a_field_of_any_kind_never_panics(name in prop::sample::select(vec!["policyNo", "secondRefundAmount", "secondRefundDate", "installmentList"]), value in prop_oneof![Just(json!(null)), Just(json!([[]])), Just(json!([{"amount": {}}])), any::<i64>().prop_map(Value::from), "\\PC{0,40}".prop_map(Value::from)]) {
        let mut tree: Value = serde_json::from_str(EXAMPLE).unwrap();
        tree["secondRefundReq"][name] = value;
        let _ = decode(&raw(&tree.to_string()));
    }
}
