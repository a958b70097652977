//! The life of a policy over HTTP: recoveries beside it, its rescission or surrender, and what the platform is told.

use baoqiao_channels::qimen::body::BodyKind;
use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_simulator::example::{RECOVERY_METHOD, RECOVERY_REQUEST, RESCISSION_REQUEST};
use baoqiao_simulator::platform::{Platform, Setup};
use baoqiao_simulator::qimen::{Answer, AnswerFormat, Call, Charset};
use serde_json::{Value, json};

use crate::core_system::{Core, with_core};
use crate::gateway::{APP_KEY, Gateway, SECRET, call_of, example, example_with, field};

type Change = fn(&mut Value);

const NOTICE: &str = "/avatar/refund/second/refundNotice";

pub(crate) async fn platform() -> Platform {
    Platform::start(Setup::new(APP_KEY, SECRET, || SystemClock.now())).await.unwrap()
}

/// A gateway with a core system, and the platform that it tells.
async fn life() -> (Gateway, Platform) {
    let platform = platform().await;
    (Gateway::start_before(&platform.url(), with_core), platform)
}

async fn issue(gateway: &Gateway, identifier: &str) -> String {
    let call = example_with(|body| drop(body.insert("identifier".to_owned(), identifier.into())));
    field(&gateway.call(call).await, &["context", "policyNo"])
}

/// The document's recovery, changed.
fn recovery(change: impl FnOnce(&mut Value)) -> Call {
    let mut body: Value = serde_json::from_str(RECOVERY_REQUEST).unwrap();
    change(&mut body);
    Call { method: RECOVERY_METHOD.to_owned(), ..call_of(BodyKind::Json, Charset::Utf8, &body.to_string()) }
}

/// The document's notice of rescission for that policy, changed.
pub(crate) async fn rescind(gateway: &Gateway, policy_no: &str, change: impl FnOnce(&mut Value)) -> Answer {
    let mut body: Value = serde_json::from_str(RESCISSION_REQUEST).unwrap();
    body["secondRefundReq"]["policyNo"] = policy_no.into();
    change(&mut body);
    gateway.post(NOTICE, &[], &body.to_string()).await
}

pub(crate) fn deal_code(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    body["secondRefundResp"]["dealCode"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_examples_of_both_documents_are_taken_as_printed_by_the_sample_configuration() {
    let (gateway, _platform) = life().await;
    let printed =
        Call { method: RECOVERY_METHOD.to_owned(), ..call_of(BodyKind::Text, Charset::Utf8, RECOVERY_REQUEST) };
    let recorded = gateway.call(printed).await;
    assert_eq!(recorded.text(), r#"{"responseCode":"SUCCESS","responseMessage":"“追缴成功”","success":true}"#);
    // The document's policy is nobody's; source and address are believed.
    assert_eq!(deal_code(&gateway.post(NOTICE, &[], RESCISSION_REQUEST).await), "POLICY_NOT_FOUND");
}

#[tokio::test]
async fn a_recovery_is_kept_beside_its_policy_or_visibly_beside_none_and_answered_alike_for_ever() {
    let (gateway, _platform) = life().await;
    let core = Core(&gateway);
    let policy_no = issue(&gateway, "1").await;
    let unknown = gateway.call(recovery(|_| ())).await;
    let absent = recovery(|body| {
        body["identifier"] = "no-number".into();
        body.as_object_mut().unwrap().remove("policyNo");
    });
    assert_eq!(gateway.call(absent).await.body, unknown.body);
    let matched = |body: &mut Value| {
        body["identifier"] = "matched".into();
        body["policyNo"] = policy_no.as_str().into();
        body["productCode"] = "PERFORMANCE_SURETY_BONDS".into();
    };
    for spelling in [BodyKind::Json, BodyKind::Xml, BodyKind::Form] {
        let call = recovery(matched);
        let source = String::from_utf8(call.document.bytes().to_vec()).unwrap();
        let call = Call { method: call.method, ..call_of(spelling, Charset::Gbk, &source) };
        assert_eq!(gateway.call(call).await.body, unknown.body, "{spelling:?}");
    }
    let page = core.get("/recoveries").await;
    let told: Vec<_> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["identifier"].as_str().unwrap(), item["policyNo"].as_str(), item["unmatched"].as_str()))
        .collect();
    let printed = "010101004172821111702476033";
    let expected = [
        ("matched", Some(policy_no.as_str()), None),
        ("no-number", None, Some("no-number")),
        (printed, None, Some("unknown")),
    ];
    assert_eq!(told, expected);
    let discrepancy = json!([{"field": "recoverAmountOfCny", "stated": "1", "computed": "12"}]);
    assert_eq!(page["items"][0]["discrepancies"], discrepancy, "12 × 1 is not 1, and that is shown");
    let timeline = core.get(&format!("/policies/{policy_no}")).await["timeline"].clone();
    assert_eq!(timeline[1]["type"], "recovery-recorded");

    let other = gateway.call(recovery(|body| body["recoverAmount"] = "13".into())).await;
    assert_eq!(field(&other, &["responseCode"]), "IDEMPOTENCY_CONFLICT");
    assert_eq!(other.fields().unwrap()["success"], false);
    let xml = Call { format: AnswerFormat::Xml, ..recovery(|_| ()) };
    let xml = gateway.call(xml).await;
    assert!(xml.text().contains("<response><responseCode>SUCCESS</responseCode>"), "{}", xml.text());
}

#[tokio::test]
async fn a_product_may_refuse_recoveries_whose_amounts_disagree_and_the_method_may_have_another_name() {
    let gateway = Gateway::start_with(|sample| {
        let strict = sample.replace("recovery_discrepancy = \"record\"", "recovery_discrepancy = \"refuse\"");
        strict.replace(
            "# recovery = \"qimen.alibaba.finance.insurance.recovery\"",
            "recovery = \"qimen.insurer.recovery\"",
        )
    });
    let renamed = |call: Call| Call { method: "qimen.insurer.recovery".to_owned(), ..call };
    let refused = gateway.call(renamed(recovery(|_| ()))).await;
    assert_eq!(field(&refused, &["responseCode"]), "INVALID_ARGUMENT");
    assert!(field(&refused, &["responseMessage"]).contains("recoverAmountOfCny：收到“1”"), "{}", refused.text());
    let mended = gateway.call(renamed(recovery(|body| body["recoverAmountOfCny"] = "12".into()))).await;
    assert_eq!(field(&mended, &["responseCode"]), "SUCCESS");
    assert_eq!(field(&gateway.call(recovery(|_| ())).await, &["errorCode"]), "UNKNOWN_INTERFACE");
}

#[tokio::test]
async fn a_rescission_ends_a_policy_once_and_the_platform_that_sold_it_is_told() {
    let (mut gateway, platform) = life().await;
    let core = Core(&gateway);
    let policy_no = field(&gateway.call(example()).await, &["context", "policyNo"]);
    assert_eq!(core.get(&format!("/policies/{policy_no}")).await["policy"]["phase"], "expired", "it ended in 2021");
    let rescinded = rescind(&gateway, &policy_no, |_| ()).await;
    let body: Value = serde_json::from_slice(&rescinded.body).unwrap();
    let head = json!({"interfaceType": "proposalOrder", "orderNo": "QS221219154313290T12K25", "policySource": "HN_HT_QNW",
        "respTime": body["head"]["respTime"], "uuid": "b5c9c977-8ba0-4ade-93c7-914ad0147342"});
    assert!(body["head"]["respTime"].as_i64().unwrap() > 1_600_000_000_000);
    let deal = json!({"dealCode": "1", "dealDesc": "成功", "policyNo": policy_no});
    assert_eq!(body, json!({"secondRefundResp": deal, "head": head}));
    // A retry asks with a uuid and a time of its own.
    let retry = |body: &mut Value| {
        body["head"]["uuid"] = "another".into();
        body["head"]["reqTime"] = "2022-12-19 15:45:21".into();
    };
    assert_eq!(deal_code(&rescind(&gateway, &policy_no, retry).await), "1");
    platform.until(|received| !received.is_empty()).await;
    let told = core.get(&format!("/policies/{policy_no}")).await;
    assert_eq!((&told["policy"]["state"], &told["policy"]["phase"]), (&"rescinded".into(), &"rescinded".into()));
    gateway.stop();
    let taken = platform.taken();
    assert_eq!(taken.len(), 1, "once, whatever came twice");
    let content = taken[0].content();
    let known = ["status", "inst_policy_id", "refund_money", "surrender_time", "type"];
    assert!(content.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{content}");
    assert_eq!((&content["inst_policy_id"], &content["refund_money"]), (&policy_no.into(), &"10.2".into()));
    assert_eq!(gateway.count("SELECT count(*) FROM notices WHERE state = 'delivered'"), 1);
}

#[tokio::test]
async fn every_refusal_of_a_rescission_has_its_deal_code_and_changes_nothing() {
    let (mut gateway, platform) = life().await;
    let policy_no = issue(&gateway, "1").await;
    let wrong: [(&str, Change); 5] = [
        ("UNKNOWN_POLICY_SOURCE", |body| body["head"]["policySource"] = "HN_HT_QNX".into()),
        ("INVALID_ARGUMENT", |body| body["secondRefundReq"]["installmentList"][0]["amount"] = 10.into()),
        ("INVALID_ARGUMENT", |body| body["head"]["interfaceType"] = "endorsement".into()),
        ("INVALID_ARGUMENT", |body| drop(body["head"].as_object_mut().unwrap().remove("uuid"))),
        ("POLICY_NOT_FOUND", |body| body["secondRefundReq"]["policyNo"] = "12345".into()),
    ];
    for (expected, change) in wrong {
        assert_eq!(deal_code(&rescind(&gateway, &policy_no, change).await), expected);
    }
    assert_eq!(deal_code(&gateway.post(NOTICE, &[], "{").await), "MALFORMED_BODY");
    assert_eq!(gateway.count("SELECT count(*) FROM policies WHERE state <> 'issued'"), 0);
    assert_eq!(deal_code(&rescind(&gateway, &policy_no, |_| ()).await), "1", "a refusal uses no key up");

    let second = issue(&gateway, "2").await;
    let order = |order_no: &'static str, uuid: &'static str| {
        move |body: &mut Value| {
            body["head"]["orderNo"] = order_no.into();
            body["head"]["uuid"] = uuid.into();
        }
    };
    // The order of the first, of another policy; its uuid, in another order; and the first policy once more.
    assert_eq!(deal_code(&rescind(&gateway, &second, |_| ()).await), "IDEMPOTENCY_CONFLICT");
    let its_uuid = order("other", "b5c9c977-8ba0-4ade-93c7-914ad0147342");
    assert_eq!(deal_code(&rescind(&gateway, &second, its_uuid).await), "UUID_REUSED");
    assert_eq!(deal_code(&rescind(&gateway, &policy_no, order("other", "other")).await), "WRONG_POLICY_STATE");
    platform.until(|received| !received.is_empty()).await;
    gateway.stop();
}

#[tokio::test]
async fn who_may_rescind_what_is_configuration() {
    let narrow = Gateway::start_with(|sample| {
        sample.replace("# products = [\"PERFORMANCE_SURETY_BONDS\", \"CES\"]", "products = [\"CES\"]")
    });
    let policy_no = issue(&narrow, "1").await;
    assert_eq!(deal_code(&rescind(&narrow, &policy_no, |_| ()).await), "POLICY_NOT_PERMITTED");
    let mut elsewhere = Gateway::start_with(|sample| {
        sample.replace("allowed_addresses = [\"127.0.0.0/8\", \"::1\"]", "allowed_addresses = [\"192.0.2.0/24\"]")
    });
    assert_eq!(deal_code(&rescind(&elsewhere, "12345", |_| ()).await), "CALLER_NOT_ALLOWED");
    elsewhere.stop();
    assert!(elsewhere.log().contains(r#"code="CALLER_NOT_ALLOWED""#), "the log has the code that was told");
    let signed = Gateway::start_with(|sample| {
        sample.replace("# hmac_secrets = [{ env = \"BAOQIAO_AVATAR_SECRET\" }]", "hmac_secrets = [\"old\"]")
    });
    assert_eq!(deal_code(&signed.post(NOTICE, &[], RESCISSION_REQUEST).await), "WRONG_SIGNATURE");
    // Computed with `openssl dgst -sha256 -hmac old`.
    let hmac = include_str!("../../../channels/src/avatar/golden/rescission_notice/example.hmac").trim();
    let answer = signed.post(NOTICE, &[("x-avatar-signature", hmac)], RESCISSION_REQUEST).await;
    assert_eq!(deal_code(&answer), "POLICY_NOT_FOUND");
}

#[tokio::test]
async fn the_core_system_surrenders_a_policy_and_the_platform_is_told() {
    let (mut gateway, platform) = life().await;
    let core = Core(&gateway);
    let policy_no = issue(&gateway, "1").await;
    let path = format!("/policies/{policy_no}/surrender");
    let order = json!({"surrenderTime": "2026-01-02T11:00:00+08:00", "refundMoney": "3.50", "endorsementNo": "E1"});
    let (status, first, _) = core.post(&path, "key-1", &order).await;
    assert_eq!((status, &first), (200, &json!({"policyNo": policy_no, "state": "surrendered"})));
    let (status, again, replayed) = core.post(&path, "key-1", &order).await;
    assert_eq!((status, &again, replayed), (200, &first, true));
    let (status, refused, _) = core.post(&path, "key-2", &order).await;
    assert_eq!((status, &refused["code"]), (409, &"WRONG_POLICY_STATE".into()));
    assert_eq!(deal_code(&rescind(&gateway, &policy_no, |_| ()).await), "WRONG_POLICY_STATE");
    let (status, refused, _) = core.post("/policies/PBDI1/surrender", "key-3", &order).await;
    assert_eq!((status, &refused["code"]), (404, &"POLICY_NOT_FOUND".into()));
    platform.until(|received| !received.is_empty()).await;
    let events = core.get("/events?after=0&wait_s=30").await;
    let kinds: Vec<&str> =
        events["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["policy.issued", "policy.surrendered"]);
    gateway.stop();
    let expected = json!({"status": "APPLY", "type": "USER_SUBMIT", "inst_policy_id": policy_no, "refund_money": "3.5",
        "surrender_time": "202601021100", "endorsement_no": "E1"});
    let contents: Vec<Value> = platform.taken().iter().map(|message| message.content()).collect();
    assert_eq!(contents, [expected], "what was not said is not sent");
}
