//! The gateway's own calls, judged by the platform, which shares no code with what signs them; and the platform's
//! answers, right and wrong, judged by the gateway.

use std::time::Duration;

use baoqiao_channels::access::Secret;
use baoqiao_channels::outbound::{AnswerFormat, OutboundResponse, TopApp, Verdict, outbound_for};
use baoqiao_channels::sign_method::SignMethod;
use baoqiao_domain::auction::{AuctionInsuranceType, AuctionNotice, AuctionStage, AuctionStatus};
use baoqiao_domain::notice::Notice;
use baoqiao_domain::surrender::{SurrenderNotice, parse_minute_gmt8};
use baoqiao_domain::time::parse_gmt8;
use baoqiao_simulator::client::{Client, SendError};
use baoqiao_simulator::platform::{Platform, Scenario, Setup};
use baoqiao_simulator::qimen::SignedRequest;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

fn now() -> Timestamp {
    parse_gmt8("2026-01-02 03:04:05").unwrap()
}

fn surrender() -> Notice {
    let content = SurrenderNotice {
        status: Some("APPLY".parse().unwrap()),
        refund_money: Some("100".parse().unwrap()),
        surrender_time: parse_minute_gmt8("202105311400"),
        endorsement_no: Some("1 2+3%4&5=6".to_owned()),
        inst_policy_id: "ZA12345678".to_owned(),
        alipay_open_id: None,
        pre_flow_id: None,
        surrender_type: None,
    };
    Notice::surrender("health", content)
}

fn auction() -> Notice {
    let content = AuctionNotice {
        biz_id: "24010900100YSKSSG".to_owned(),
        policy_number: None,
        insurance_company: Some(1),
        stage: AuctionStage::PreInsurance,
        status: AuctionStatus::Success,
        time_of_occurrence: parse_gmt8("2025-04-08 09:55:00").unwrap(),
        bank_account_manager_name: Some("王小丫𬭎".to_owned()),
        insurance_document: None,
        insurance_type: AuctionInsuranceType::HouseholdProperty,
        appkey: None,
        request_id: None,
    };
    Notice::auction("auction", content)
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

async fn platform() -> Platform {
    Platform::start(Setup::new("12345678", "helloworld", now)).await.unwrap()
}

/// One attempt with that patience, and what the gateway makes of its end.
async fn attempt(platform: &Platform, notice: &Notice, app: &TopApp, patience: Duration) -> Verdict {
    let interface = outbound_for(notice.kind).unwrap();
    let request = interface.request(notice, app, now()).unwrap();
    let signed = SignedRequest {
        query: request.query,
        headers: request.headers,
        body: request.body,
        string_to_sign: String::new(),
    };
    let response = match Client::new(patience).unwrap().send(&platform.url(), &signed).await {
        Ok(answer) => {
            OutboundResponse::Answer { status: answer.status.as_u16(), headers: answer.headers, body: answer.body }
        }
        Err(SendError::TimedOut { .. }) => OutboundResponse::TimedOut,
        Err(error) => OutboundResponse::NetworkFailed { detail: error.to_string() },
    };
    interface.verdict(&response).verdict
}

const LONG: Duration = Duration::from_mins(1);

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn every_notice_is_taken_in_every_spelling() {
    run(async {
        let platform = platform().await;
        for sign_method in SignMethod::ALL {
            for format in [AnswerFormat::Json, AnswerFormat::Xml] {
                let session = Some(Secret::new("61 00+x"));
                let app = TopApp { sign_method, format, session, partner_id: Some("伙伴".to_owned()), ..app() };
                for notice in [surrender(), auction()] {
                    let verdict = attempt(&platform, &notice, &app, LONG).await;
                    assert_eq!(verdict, Verdict::Delivered, "{sign_method} {format:?} {}", notice.kind);
                }
            }
        }
        let taken = platform.taken();
        assert_eq!(taken.len(), 12);
        let surrender = json!({"status": "APPLY", "refund_money": "100", "surrender_time": "202105311400",
            "endorsement_no": "1 2+3%4&5=6", "inst_policy_id": "ZA12345678"});
        let auction = json!({"biz_id": "24010900100YSKSSG", "insurance_company": 1, "stage": 1, "status": 1,
            "time_of_occurrence": "2025-04-08 09:55:00", "bank_account_manager_name": "王小丫𬭎", "insurance_type": 1});
        for pair in taken.chunks(2) {
            assert_eq!([pair[0].content(), pair[1].content()], [surrender.clone(), auction.clone()]);
        }
    });
}

#[test]
fn each_misbehaviour_has_its_verdict() {
    let retry = Verdict::Retry { after: None };
    let slow_down = Verdict::SlowDown { pause: Some(SignedDuration::from_secs(1)) };
    let cases = [
        ("do = 'error'", retry, false),
        ("do = 'error', code = 10", retry, false),
        ("do = 'error', code = 7", slow_down, false),
        ("do = 'error', code = 50, sub_code = 'isv.invalid-parameter'", Verdict::Dead, false),
        ("do = 'error', code = 11", Verdict::Dead, false),
        ("do = 'refuse'", Verdict::Dead, false),
        ("do = 'drop'", retry, false),
        ("do = 'drop', taken = true", retry, true),
        ("do = 'garbage'", retry, true),
        ("do = 'status'", retry, false),
        ("do = 'status', status = 503", retry, false),
        ("do = 'duplicate'", Verdict::Delivered, true),
    ];
    run(async {
        let platform = platform().await;
        for (rule, expected, taken) in cases {
            for format in [AnswerFormat::Json, AnswerFormat::Xml] {
                for notice in [surrender(), auction()] {
                    platform.play(Scenario::default().with_rule(rule).unwrap());
                    let before = platform.taken().len();
                    let verdict = attempt(&platform, &notice, &TopApp { format, ..app() }, LONG).await;
                    assert_eq!(verdict, expected, "{rule} {format:?} {}", notice.kind);
                    assert_eq!(platform.taken().len() > before, taken, "{rule}");
                }
            }
        }
    });
}

#[test]
fn a_timeout_is_not_a_no() {
    run(async {
        let platform = platform().await;
        platform.play(Scenario::default().with_rule("do = 'timeout'").unwrap());
        let verdict = attempt(&platform, &auction(), &app(), Duration::from_millis(50)).await;
        assert_eq!(verdict, Verdict::Retry { after: None });
    });
}

#[test]
fn a_wrong_secret_is_for_a_person() {
    run(async {
        let platform = platform().await;
        let app = TopApp { secret: Secret::new("another"), ..app() };
        assert_eq!(attempt(&platform, &surrender(), &app, LONG).await, Verdict::Dead);
        assert!(platform.taken().is_empty());
    });
}
