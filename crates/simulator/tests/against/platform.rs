//! The platform over real connections, called by requests written out here.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use baoqiao_simulator::client::{Client, SendError};
use baoqiao_simulator::platform::{Answered, Platform, Scenario, Setup};
use baoqiao_simulator::qimen::{Answer, SignedRequest};
use encoding_rs::GBK;
use flate2::read::GzDecoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The surrender example's vector, signed with HMAC-SHA256: `top-caller-sign.json`.
const SURRENDER_TIME: &str = "2021-05-31T06:00:00Z";
const SURRENDER_QUERY: &str = "app_key=4272&format=xml&method=alibaba.alihealth.insurance.inst.surrender.info.sync&partner_id=top-apitools&session=&sign_method=hmac-sha256&timestamp=2021-05-31+14%3A00%3A00&v=2.0&sign=4850255C72133D28916D30F5E733E10B2268100C1039CA85D5E3242BAAE61CBB";
const SURRENDER_CONTENT: &str = r#"{"status":"APPLY","refund_money":"100","surrender_time":"202105311400","endorsement_no":"12345678","inst_policy_id":"ZA12345678","alipay_open_id":"208812345678","pre_flow_id":"12345678","type":"USER_SUBMIT"}"#;
/// The auction example's vector, signed with MD5.
const AUCTION_TIME: &str = "2026-01-01T19:04:05Z";
const AUCTION_QUERY: &str = "app_key=12345678&format=json&method=taobao.auction.insurance.insuranceresultcallback&sign_method=md5&timestamp=2026-01-02+03%3A04%3A05&v=2.0&sign=883D589ADEF74FF75E0CE22A2B53DD9C";
const AUCTION_CONTENT: &str = r#"{"biz_id":"24010900100YSKSSG","policy_number":"12345678A","insurance_company":1,"stage":1,"status":1,"time_of_occurrence":"2025-04-08 09:55:00","bank_account_manager_name":"王小丫","insurance_document":"oss:aakkloi122","insurance_type":1}"#;

const LONG: Duration = Duration::from_mins(1);

fn form(name: &str, content: &str) -> String {
    format!("{name}={}", form_urlencoded::byte_serialize(content.as_bytes()).collect::<String>())
}

fn request(query: &str, body: &str) -> SignedRequest {
    let content_type = "application/x-www-form-urlencoded;charset=utf-8".parse().unwrap();
    SignedRequest {
        query: query.to_owned(),
        headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]),
        body: body.to_owned().into(),
        string_to_sign: String::new(),
    }
}

fn auction() -> SignedRequest {
    request(AUCTION_QUERY, &form("insurance_result_a_p_i_request", AUCTION_CONTENT))
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

async fn platform(scenario: &str) -> Platform {
    let setup = Setup::new("12345678", "helloworld", || AUCTION_TIME.parse().unwrap());
    Platform::start(Setup { scenario: Scenario::parse(scenario).unwrap(), ..setup }).await.unwrap()
}

async fn send(platform: &Platform, request: &SignedRequest) -> Result<Answer, SendError> {
    Client::new(LONG).unwrap().send(&platform.url(), request).await
}

async fn body_of(platform: &Platform) -> Value {
    let answer = send(platform, &auction()).await.unwrap();
    serde_json::from_slice(&answer.body).unwrap()
}

async fn code_of(platform: &Platform) -> Value {
    body_of(platform).await["error_response"]["code"].take()
}

#[test]
fn the_documents_examples_are_taken_and_shown() {
    run(async {
        let setup = Setup::new("4272", "helloworld", || SURRENDER_TIME.parse().unwrap());
        let platform = Platform::start(setup).await.unwrap();
        let surrender = request(SURRENDER_QUERY, &form("biz_data", SURRENDER_CONTENT));
        let answer = send(&platform, &surrender).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers[CONTENT_TYPE], "text/xml;charset=UTF-8");
        let xml = String::from_utf8(answer.body.to_vec()).unwrap();
        let taken = platform.taken();
        assert_eq!(taken.len(), 1);
        let expected = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\" ?><alibaba_alihealth_insurance_inst_surrender_info_sync_response><result_status></result_status><data>true</data><result_code></result_code><result_msg>成功</result_msg><request_id>{}</request_id></alibaba_alihealth_insurance_inst_surrender_info_sync_response>",
            taken[0].request_id
        );
        assert_eq!(xml, expected);
        assert_eq!(taken[0].content(), serde_json::from_str::<Value>(SURRENDER_CONTENT).unwrap());
        assert_eq!(taken[0].parameter("session"), Some(""));
    });
}

#[test]
fn who_waits_for_a_call_is_woken_by_it() {
    run(async {
        let platform = platform("").await;
        let waiting = platform.until(|received| received.len() == 2);
        let calling = async {
            send(&platform, &auction()).await.unwrap();
            send(&platform, &auction()).await.unwrap();
        };
        tokio::join!(waiting, calling);
        platform.until(|received| received.len() == 2).await;
    });
}

#[test]
fn json_comes_compressed_where_it_may() {
    run(async {
        let platform = platform("").await;
        let mut request = auction();
        request.headers.insert(ACCEPT_ENCODING, "gzip".parse().unwrap());
        let answer = send(&platform, &request).await.unwrap();
        assert_eq!(answer.headers[CONTENT_ENCODING], "gzip");
        let mut json = String::new();
        GzDecoder::new(&*answer.body).read_to_string(&mut json).unwrap();
        let answer: Value = serde_json::from_str(&json).unwrap();
        let fields = &answer["auction_insurance_insuranceresultcallback_response"];
        assert_eq!(fields["call_success"], json!(true));
        assert_eq!(fields["request_id"], json!(platform.taken()[0].request_id));
    });
}

#[test]
fn a_wrong_signature_is_refused_and_explained() {
    run(async {
        let platform = platform("").await;
        let mut request = auction();
        request.query = request.query.replace("sign=883D", "sign=983D");
        let answer = send(&platform, &request).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["error_response"]["code"], json!(25));
        assert!(platform.taken().is_empty());
        let received = platform.received();
        assert_eq!(received[0].answered, Answered::Error { code: 25, sub_code: None });
        let text = received[0].string_to_sign.as_deref().unwrap();
        assert!(text.starts_with("app_key12345678formatjsoninsurance_result_a_p_i_request{") && text.ends_with("v2.0"));
    });
}

#[test]
fn the_record_is_served_as_json() {
    run(async {
        let platform =
            platform("[[rule]]\nname='twice'\ncalls=[1]\ndo='duplicate'\n[[rule]]\ncalls=[2]\ndo='refuse'").await;
        for _ in 0..3 {
            send(&platform, &auction()).await.unwrap();
        }
        let get = async |query: &str| {
            let url = format!("http://{}/received?{query}", platform.address()).parse::<http::Uri>().unwrap();
            let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
                .build_http::<http_body_util::Empty<bytes::Bytes>>();
            let answer = client.get(url).await.unwrap();
            let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
            serde_json::from_slice::<Value>(&body).unwrap()
        };
        let numbers = |calls: &Value| calls.as_array().unwrap().iter().map(|c| c["number"].clone()).collect::<Vec<_>>();
        let taken = get("").await;
        assert_eq!(numbers(&taken), [json!(1), json!(2), json!(4)]);
        assert_eq!((&taken[0]["rule"], &taken[1]["duplicate_of"]), (&json!("twice"), &json!(1)));
        assert_eq!(taken[0]["content"]["bank_account_manager_name"], json!("王小丫"));
        assert_eq!(taken[0]["parameters"]["timestamp"], json!("2026-01-02 03:04:05"));
        assert_eq!(taken[0]["time"], json!(AUCTION_TIME));
        let all = get("all=true&after=1&limit=2").await;
        assert_eq!(numbers(&all), [json!(2), json!(3)]);
        assert_eq!(all[1]["answered"], json!({"outcome": "refused", "fail_code": "BIZ_ERROR"}));
        assert_eq!(all[1]["taken"], json!(false));
    });
}

#[test]
fn errors_and_refusals_come_to_order() {
    run(async {
        let scenario = "[[rule]]\ncalls=[1]\ndo='error'\n[[rule]]\ncalls=[2]\ndo='error'\ncode=50\nsub_code='isv.invalid-parameter'\n[[rule]]\ncalls=[3]\ndo='refuse'\nfail_code='NO_SUCH_CASE'\nfail_message='无此案件'";
        let platform = platform(scenario).await;
        let isp = body_of(&platform).await;
        assert_eq!(isp["error_response"]["sub_code"], json!("isp.remote-service-error"));
        let isv = body_of(&platform).await;
        assert_eq!(isv["error_response"]["sub_code"], json!("isv.invalid-parameter"));
        let refusal = body_of(&platform).await;
        let fields = &refusal["auction_insurance_insuranceresultcallback_response"];
        assert_eq!((&fields["call_success"], &fields["fail_code"]), (&json!(false), &json!("NO_SUCH_CASE")));
        assert!(platform.taken().is_empty());
        send(&platform, &auction()).await.unwrap();
        assert_eq!(platform.taken().len(), 1);
    });
}

#[test]
fn more_than_the_rate_is_code_7() {
    run(async {
        let ms = Arc::new(AtomicI64::new(AUCTION_TIME.parse::<Timestamp>().unwrap().as_millisecond()));
        let clock = Arc::clone(&ms);
        let now = move || Timestamp::from_millisecond(clock.load(Ordering::Relaxed)).unwrap();
        let setup = Setup::new("12345678", "helloworld", now);
        let scenario = Scenario::default().with_calls_per_second(2);
        let platform = Platform::start(Setup { scenario, ..setup }).await.unwrap();
        assert_eq!([code_of(&platform).await, code_of(&platform).await], [Value::Null, Value::Null]);
        assert_eq!(code_of(&platform).await, json!(7));
        ms.fetch_add(1_000, Ordering::Relaxed);
        assert_eq!(code_of(&platform).await, Value::Null);
        assert_eq!(platform.taken().len(), 3);
    });
}

#[test]
fn broken_answers_come_to_order() {
    run(async {
        let scenario = "[[rule]]\ncalls=[1]\ndo='garbage'\nbody='<html>'\n[[rule]]\ncalls=[2]\ndo='status'\nstatus=503\n[[rule]]\ncalls=[3]\ndo='drop'";
        let platform = platform(scenario).await;
        let garbage = send(&platform, &auction()).await.unwrap();
        assert_eq!((garbage.status, &garbage.body[..]), (StatusCode::OK, &b"<html>"[..]));
        assert_eq!(send(&platform, &auction()).await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
        let dropped = send(&platform, &auction()).await.unwrap_err();
        assert!(matches!(dropped, SendError::Broken { .. }), "{dropped}");
        let answered: Vec<_> = platform.received().iter().map(|call| (call.taken, call.answered.clone())).collect();
        let expected =
            [(true, Answered::Garbage), (false, Answered::Status { status: 503 }), (false, Answered::Dropped)];
        assert_eq!(answered, expected);
    });
}

#[test]
fn a_wrong_charset_is_a_lie_of_the_content_type() {
    run(async {
        let setup = Setup::new("4272", "helloworld", || SURRENDER_TIME.parse().unwrap());
        let scenario = Scenario::default().with_rule("do = 'charset'").unwrap();
        let platform = Platform::start(Setup { scenario, ..setup }).await.unwrap();
        let surrender = request(SURRENDER_QUERY, &form("biz_data", SURRENDER_CONTENT));
        let answer = send(&platform, &surrender).await.unwrap();
        assert_eq!(answer.headers[CONTENT_TYPE], "text/xml;charset=UTF-8");
        assert!(std::str::from_utf8(&answer.body).is_err());
        assert!(GBK.decode(&answer.body).0.contains("<result_msg>成功</result_msg>"));
    });
}

#[test]
fn a_timeout_comes_after_the_message_was_taken() {
    run(async {
        let platform = platform("[[rule]]\ndo='timeout'\ntimes=1").await;
        let client = Client::new(LONG).unwrap();
        let (url, request) = (platform.url(), auction());
        let mut call = Box::pin(client.send(&url, &request));
        // The call is driven until the platform has the message; its answer never comes.
        while platform.taken().is_empty() {
            tokio::select! {
                biased;
                answer = &mut call => panic!("{answer:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
        assert_eq!(platform.taken()[0].answered, Answered::Timeout);
        drop(call);
        platform.play(Scenario::default());
        assert_eq!(code_of(&platform).await, Value::Null);
        drop(platform);
    });
}

#[test]
fn a_delay_holds_the_answer_and_not_the_record() {
    run(async {
        let scenario = Scenario::default().with_delay(Duration::from_hours(1));
        let setup = Setup::new("12345678", "helloworld", || AUCTION_TIME.parse().unwrap());
        let platform = Platform::start(Setup { scenario, ..setup }).await.unwrap();
        let client = Client::new(Duration::from_hours(2)).unwrap();
        let (url, request) = (platform.url(), auction());
        let mut call = Box::pin(client.send(&url, &request));
        while platform.taken().is_empty() {
            tokio::select! {
                biased;
                answer = &mut call => panic!("{answer:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
        tokio::time::pause();
        assert_eq!(call.await.unwrap().status, StatusCode::OK);
    });
}

#[test]
fn other_methods_are_taken_where_the_scenario_allows() {
    run(async {
        let platform = platform("").await;
        let mut other = auction();
        other.query = other.query.replace("insuranceresultcallback", "another");
        let code =
            |answer: Answer| serde_json::from_slice::<Value>(&answer.body).unwrap()["error_response"]["code"].clone();
        assert_eq!(code(send(&platform, &other).await.unwrap()), json!(22));
        platform.play(Scenario::default().with_any_method());
        assert_eq!(code(send(&platform, &other).await.unwrap()), json!(25));
    });
}
