//! Golden requests: what the documents' Java examples send, parameter by parameter as it travels.

use baoqiao_domain::auction::{AuctionInsuranceType, AuctionNotice, AuctionStage, AuctionStatus};
use baoqiao_domain::notice::{Notice, NoticeKind};
use baoqiao_domain::surrender::{SurrenderNotice, parse_minute_gmt8};
use baoqiao_domain::time::parse_gmt8;
use jiff::Timestamp;

use crate::OUTBOUND;
use crate::access::Secret;
use crate::outbound::{AnswerFormat, Outbound, OutboundRequest, TopApp, WrongInterface, outbound_for};
use crate::sign_method::SignMethod;
use crate::top::{AuctionResult, SurrenderSync};

/// The Java example of the surrender document.
fn surrender_example() -> Notice {
    let content = SurrenderNotice {
        status: Some("APPLY".parse().unwrap()),
        refund_money: Some("100".parse().unwrap()),
        surrender_time: parse_minute_gmt8("202105311400"),
        endorsement_no: Some("12345678".to_owned()),
        inst_policy_id: "ZA12345678".to_owned(),
        alipay_open_id: Some("208812345678".to_owned()),
        pre_flow_id: Some("12345678".to_owned()),
        surrender_type: Some("USER_SUBMIT".parse().unwrap()),
    };
    Notice::surrender("health", content)
}

/// The Java example of the auction document.
fn auction_example() -> AuctionNotice {
    AuctionNotice {
        biz_id: "24010900100YSKSSG".to_owned(),
        policy_number: Some("12345678A".to_owned()),
        insurance_company: Some(1),
        stage: AuctionStage::PreInsurance,
        status: AuctionStatus::Success,
        time_of_occurrence: parse_gmt8("2025-04-08 09:55:00").unwrap(),
        bank_account_manager_name: Some("王小丫".to_owned()),
        insurance_document: Some("oss:aakkloi122".to_owned()),
        insurance_type: AuctionInsuranceType::HouseholdProperty,
        appkey: Some("xxxxx".to_owned()),
        request_id: Some("xxxxx".to_owned()),
    }
}

fn app() -> TopApp {
    TopApp {
        app_key: "12345678".to_owned(),
        secret: Secret::new("helloworld"),
        sign_method: SignMethod::Md5,
        format: AnswerFormat::Json,
        session: None,
        partner_id: None,
        target_app_key: None,
    }
}

fn now() -> Timestamp {
    parse_gmt8("2026-01-02 03:04:05").unwrap()
}

/// The request as the golden files write it: query, blank line, content type, blank line, body.
fn written(request: &OutboundRequest) -> String {
    let content_type = request.headers["content-type"].to_str().unwrap();
    let body = std::str::from_utf8(&request.body).unwrap();
    format!("{}\n\n{content_type}\n\n{body}\n", request.query.replace('&', "\n&"))
}

#[test]
fn the_java_example_of_the_surrender_document() {
    let request = SurrenderSync.request(&surrender_example(), &app(), now()).unwrap();
    assert_eq!(written(&request), include_str!("golden/surrender_sync/example.request"));
}

#[test]
fn the_java_example_of_the_auction_document() {
    let request = AuctionResult.request(&Notice::auction("auction", auction_example()), &app(), now()).unwrap();
    assert_eq!(written(&request), include_str!("golden/auction_result/example.request"));
}

#[test]
fn what_is_absent_or_empty_is_not_sent() {
    let least = SurrenderNotice {
        status: None,
        refund_money: None,
        surrender_time: None,
        endorsement_no: Some(String::new()),
        inst_policy_id: "ZA12345678".to_owned(),
        alipay_open_id: None,
        pre_flow_id: None,
        surrender_type: None,
    };
    let request = SurrenderSync.request(&Notice::surrender("health", least), &app(), now()).unwrap();
    assert_eq!(request.body.as_ref(), b"biz_data=%7B%22inst_policy_id%22%3A%22ZA12345678%22%7D");
    assert!(["session", "partner_id", "target_app_key"].iter().all(|name| !request.query.contains(name)));
    let least = AuctionNotice {
        policy_number: None,
        insurance_company: None,
        bank_account_manager_name: Some(String::new()),
        insurance_document: None,
        appkey: None,
        request_id: None,
        ..auction_example()
    };
    let request = AuctionResult.request(&Notice::auction("auction", least), &app(), now()).unwrap();
    let body = percent_encoding::percent_decode(&request.body).decode_utf8().unwrap().into_owned();
    assert_eq!(
        body,
        r#"insurance_result_a_p_i_request={"biz_id":"24010900100YSKSSG","stage":1,"status":1,"time_of_occurrence":"2025-04-08 09:55:00","insurance_type":1}"#
    );
}

#[test]
fn what_is_configured_is_sent_and_signed() {
    let app = TopApp {
        sign_method: SignMethod::HmacSha256,
        format: AnswerFormat::Xml,
        session: Some(Secret::new("6100+/=")),
        partner_id: Some("top-apitools".to_owned()),
        target_app_key: Some("24840229".to_owned()),
        ..app()
    };
    let request = SurrenderSync.request(&surrender_example(), &app, now()).unwrap();
    assert_eq!(written(&request), include_str!("golden/surrender_sync/configured.request"));
}

#[test]
fn every_attempt_is_signed_anew_and_says_the_same() {
    let notice = surrender_example();
    let first = SurrenderSync.request(&notice, &app(), now()).unwrap();
    assert_eq!(SurrenderSync.request(&notice, &app(), now()).unwrap(), first);
    let later = SurrenderSync.request(&notice, &app(), now() + jiff::SignedDuration::from_secs(1)).unwrap();
    assert_eq!(later.body, first.body);
    assert_ne!(later.query, first.query);
    assert!(later.query.contains("timestamp=2026-01-02%2003%3A04%3A06"));
}

#[test]
fn every_kind_of_notice_has_one_interface() {
    for kind in NoticeKind::ALL {
        assert_eq!(OUTBOUND.iter().filter(|interface| interface.kind() == kind).count(), 1, "{kind}");
        assert_eq!(outbound_for(kind).unwrap().kind(), kind);
    }
    let refused = AuctionResult.request(&surrender_example(), &app(), now());
    let wrong = WrongInterface { interface: NoticeKind::AuctionResult, notice: NoticeKind::SurrenderSync };
    assert_eq!(refused, Err(wrong));
}

#[test]
fn no_secret_is_shown() {
    let app = TopApp { session: Some(Secret::new("6100secret")), ..app() };
    let shown = format!("{app:?}");
    assert!(!shown.contains("helloworld") && !shown.contains("6100secret"), "{shown}");
}
