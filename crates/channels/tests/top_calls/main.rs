//! Our TOP calls, checked from protocols.md §1 and the platform's vectors alone: with digests, percent-decoding
//! and sorting written here, so that a mistake in the crate cannot vouch for itself.

#![cfg(test)]

mod digest;

use std::collections::BTreeMap;

use baoqiao_channels::access::Secret;
use baoqiao_channels::outbound::{AnswerFormat, OutboundRequest, TopApp, outbound_for};
use baoqiao_channels::sign_method::SignMethod;
use baoqiao_domain::auction::AuctionNotice;
use baoqiao_domain::notice::{Notice, NoticeContent};
use baoqiao_domain::surrender::SurrenderNotice;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use digest::{hex, hmac, md5, sha256};

/// "Caller's signature" of protocols.md §1.
fn expected_sign(parameters: &BTreeMap<String, String>, secret: &str, body: &str) -> String {
    let mut names: Vec<&String> = parameters.keys().collect();
    names.sort_by_key(|name| name.encode_utf16().collect::<Vec<u16>>());
    let mut joined = String::new();
    for name in names.into_iter().filter(|name| *name != "sign" && !name.is_empty()) {
        let value = &parameters[name];
        if !value.is_empty() {
            joined = format!("{joined}{name}{value}");
        }
    }
    joined.push_str(body);
    let digest = match parameters["sign_method"].as_str() {
        "md5" => md5(format!("{secret}{joined}{secret}").as_bytes()),
        "hmac" => hmac(md5, secret.as_bytes(), joined.as_bytes()),
        "hmac-sha256" => hmac(sha256, secret.as_bytes(), joined.as_bytes()),
        other => panic!("{other}"),
    };
    hex(&digest)
}

/// Decodes a query or a form. A name that comes twice is a mistake.
fn decoded(encoded: &str) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    for pair in encoded.split('&') {
        let (name, value) = pair.split_once('=').unwrap();
        let [name, value] = [name, value].map(|text| {
            let mut bytes = Vec::new();
            let mut rest = text.bytes();
            while let Some(byte) = rest.next() {
                match byte {
                    b'%' => {
                        let digits = [rest.next().unwrap(), rest.next().unwrap()];
                        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                    }
                    b'+' => bytes.push(b' '),
                    plain => {
                        assert!(plain.is_ascii_alphanumeric() || b"-._*".contains(&plain), "{plain} is not escaped");
                        bytes.push(plain);
                    }
                }
            }
            String::from_utf8(bytes).unwrap()
        });
        assert!(parameters.insert(name, value).is_none(), "{pair} comes twice");
    }
    parameters
}

/// The parameters of query and form together, after checking what every call must keep to.
fn checked(request: &OutboundRequest, secret: &str, form_name: &str) -> BTreeMap<String, String> {
    let query = decoded(&request.query);
    let form = decoded(std::str::from_utf8(&request.body).unwrap());
    assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded;charset=utf-8");
    assert_eq!(form.keys().collect::<Vec<_>>(), [form_name], "the form holds the application parameter alone");
    for name in ["method", "app_key", "timestamp", "v", "sign_method", "sign"] {
        assert!(query.contains_key(name), "{name} is not in the query");
    }
    let mut all = query;
    all.extend(form);
    assert!(all.values().all(|value| !value.is_empty()), "an empty parameter is sent: {all:?}");
    assert_eq!(all["sign"], expected_sign(&all, secret, ""));
    all
}

#[derive(serde::Deserialize)]
struct Vector {
    name: String,
    secret: String,
    params: BTreeMap<String, String>,
    body: Option<String>,
    sign: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../../golden/vectors/top-caller-sign.json")).unwrap()
}

/// `yyyy-MM-dd HH:mm:ss` in GMT+8.
fn instant(text: &str) -> Timestamp {
    format!("{}+08:00", text.replace(' ', "T")).parse().unwrap()
}

fn surrender(content: Value) -> Notice {
    Notice::surrender("partner", serde_json::from_value::<SurrenderNotice>(content).unwrap())
}

fn auction(content: Value) -> Notice {
    Notice::auction("partner", serde_json::from_value::<AuctionNotice>(content).unwrap())
}

fn request(notice: &Notice, app: &TopApp, now: Timestamp) -> OutboundRequest {
    outbound_for(notice.kind).unwrap().request(notice, app, now).unwrap()
}

#[test]
fn the_digests_here_are_the_standards() {
    assert_eq!(hex(&md5(b"")), "D41D8CD98F00B204E9800998ECF8427E");
    assert_eq!(hex(&md5(&b"1234567890".repeat(8))), "57EDF4A22BE3C955AC49DA2E2107B67A");
    assert_eq!(hex(&sha256(b"abc")), "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD");
    assert_eq!(hex(&hmac(md5, b"Jefe", b"what do ya want for nothing?")), "750C783E6AB0B503EAA86E310A5DB738");
}

/// The rule as written here gives every vector of the official SDK.
#[test]
fn the_rule_here_is_the_platforms() {
    let vectors = vectors();
    assert!(!vectors.is_empty());
    for vector in vectors {
        let body = vector.body.as_deref().unwrap_or_default();
        assert_eq!(expected_sign(&vector.params, &vector.secret, body), vector.sign, "{}", vector.name);
    }
}

/// The vectors' own calls, made by us: every parameter the same, but the empty one, and so the signature.
#[test]
fn the_vectors_calls_are_ours_as_they_stand() {
    let mut made = 0;
    for vector in vectors() {
        let notice = match vector.name.as_str() {
            name if name.starts_with("auction") => auction(json!({
                "bizId": "24010900100YSKSSG", "policyNumber": "12345678A", "insuranceCompany": 1, "stage": 1,
                "status": 1, "timeOfOccurrence": instant("2025-04-08 09:55:00"),
                "bankAccountManagerName": "王小丫", "insuranceDocument": "oss:aakkloi122", "insuranceType": 1,
            })),
            name if name.starts_with("surrender") => surrender(json!({
                "status": "APPLY", "refundMoney": "100", "surrenderTime": instant("2021-05-31 14:00:00"),
                "endorsementNo": "12345678", "instPolicyId": "ZA12345678", "alipayOpenId": "208812345678",
                "preFlowId": "12345678", "type": "USER_SUBMIT",
            })),
            _ => continue,
        };
        let parameter = |name: &str| vector.params.get(name).filter(|value| !value.is_empty()).cloned();
        let app = TopApp {
            app_key: vector.params["app_key"].clone(),
            secret: Secret::new(&*vector.secret),
            sign_method: vector.params["sign_method"].parse().unwrap(),
            format: AnswerFormat::from_name(&vector.params["format"]).unwrap(),
            session: vector.params.get("session").map(|session| Secret::new(&**session)),
            partner_id: parameter("partner_id"),
            target_app_key: parameter("target_app_key"),
        };
        let request = request(&notice, &app, instant(&vector.params["timestamp"]));
        let form = if vector.params.contains_key("biz_data") { "biz_data" } else { "insurance_result_a_p_i_request" };
        let mut sent = checked(&request, &vector.secret, form);
        assert_eq!(sent.remove("sign").unwrap(), vector.sign, "{}", vector.name);
        let mut expected = vector.params.clone();
        expected.retain(|_, value| !value.is_empty());
        assert_eq!(sent, expected, "{}", vector.name);
        made += 1;
    }
    assert_eq!(made, 6, "both interfaces by three methods");
}

#[test]
fn the_timestamp_is_chinas() {
    let app = app("secret", SignMethod::Md5, AnswerFormat::Json);
    let notice = surrender(json!({"instPolicyId": "P", "surrenderTime": "2021-12-31T16:00:59Z"}));
    let sent = checked(&request(&notice, &app, "2026-12-31T23:59:59.999Z".parse().unwrap()), "secret", "biz_data");
    assert_eq!(sent["timestamp"], "2027-01-01 07:59:59");
    assert_eq!(sent["biz_data"], r#"{"surrender_time":"202201010000","inst_policy_id":"P"}"#);
}

fn app(secret: &str, sign_method: SignMethod, format: AnswerFormat) -> TopApp {
    TopApp {
        app_key: "4272".to_owned(),
        secret: Secret::new(secret),
        sign_method,
        format,
        session: None,
        partner_id: None,
        target_app_key: None,
    }
}

/// The document's field and ours, for what is text and may be absent.
const AUCTION_TEXTS: [(&str, &str); 5] = [
    ("policy_number", "policyNumber"),
    ("bank_account_manager_name", "bankAccountManagerName"),
    ("insurance_document", "insuranceDocument"),
    ("appkey", "appkey"),
    ("request_id", "requestId"),
];

proptest! {
    /// Whatever the content, secret and method: the signature holds after decoding, and every value arrives as it
    /// was, rare characters, quotes, percent signs and all; what is absent or empty is not sent.
    #[test]
    fn any_content_arrives_whole_and_signed(
        texts in prop::collection::vec(prop::option::of("\\PC{0,8}|[&=+%\"\\\\\\n~ 𬭎㛃🙂王]{1,6}"), 5),
        biz_id in "[A-Z0-9𬭎&+ ]{1,12}",
        secret in "\\PC{1,80}",
        method in prop::sample::select(SignMethod::ALL.to_vec()),
        format in prop::sample::select(vec![AnswerFormat::Json, AnswerFormat::Xml]),
        second in 0_i64..4_102_444_800,
    ) {
        let now = Timestamp::from_second(second).unwrap();
        let mut content = json!({"bizId": biz_id, "stage": 3, "status": 2, "timeOfOccurrence": now, "insuranceType": 2});
        let mut expected = json!({"biz_id": biz_id, "stage": 3, "status": 2, "insurance_type": 2});
        for ((theirs, ours), text) in AUCTION_TEXTS.iter().zip(&texts) {
            if let Some(text) = text {
                content[ours] = json!(text);
                if !text.is_empty() {
                    expected[theirs] = json!(text);
                }
            }
        }
        let notice = auction(content);
        let stored: NoticeContent = serde_json::from_str(&serde_json::to_string(&notice.content).unwrap()).unwrap();
        prop_assert_eq!(&stored, &notice.content);
        let sent = checked(&request(&notice, &app(&secret, method, format), now), &secret, "insurance_result_a_p_i_request");
        prop_assert_eq!(sent["format"].as_str(), format.as_str());
        prop_assert_eq!(instant(&sent["timestamp"]), now);
        expected["time_of_occurrence"] = json!(sent["timestamp"]);
        let arrived: Value = serde_json::from_str(&sent["insurance_result_a_p_i_request"]).unwrap();
        prop_assert_eq!(arrived, expected);
    }
}
