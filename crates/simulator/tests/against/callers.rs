//! Scenarios of callers against gateways of known behaviour.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use baoqiao_channels::access::Secret;
use baoqiao_channels::channel::RawRequest;
use baoqiao_channels::qimen::body;
use baoqiao_channels::qimen::sign::SignedParts;
use baoqiao_channels::sign_method::SignMethod;
use baoqiao_simulator::callers::{Callers, Report, Scenario};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::server::{Reaction, Server};

/// A gateway that keeps its promises, and notes what came.
#[derive(Default)]
struct Gateway {
    contents: HashMap<String, Value>,
    came: Vec<(String, String)>,
}

impl Gateway {
    fn answer(&mut self, raw: &RawRequest) -> String {
        if let Ok(notice) = serde_json::from_slice::<Value>(&raw.body)
            && notice.get("secondRefundReq").is_some()
        {
            return self.rescind(&notice);
        }
        let parts = SignedParts::of(raw);
        let timestamp = parts.text("timestamp").unwrap().into_owned();
        if !parts.is_signed_with(SignMethod::Md5, "s") || timestamp != "1970-01-01 08:00:00" {
            return json!({"success": "false", "errorCode": "sign-check-failure"}).to_string();
        }
        let fields = Value::Object(body::read(raw).unwrap());
        let key = fields["identifier"].as_str().unwrap().to_owned();
        let name = |fields: &Value| match &fields["applicantPersonalInfo"] {
            Value::String(text) => text.contains("李四"),
            object => object["personName"] == "李四",
        };
        self.came.push((key.clone(), fields["policyNo"].as_str().unwrap_or_default().to_owned()));
        let first = self.contents.entry(key.clone()).or_insert_with(|| fields.clone());
        if name(first) != name(&fields) {
            return json!({"success": "false", "errorCode": "IDEMPOTENCY_CONFLICT"}).to_string();
        }
        json!({"success": "true", "context": {"policyNo": format!("P-{key}")}}).to_string()
    }

    fn rescind(&mut self, notice: &Value) -> String {
        let text = |pointer: &str| notice.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let (uuid, policy_no) = (text("/head/uuid"), text("/secondRefundReq/policyNo"));
        self.came.push((uuid, policy_no.clone()));
        json!({"secondRefundResp": {"dealCode": "1", "policyNo": policy_no}}).to_string()
    }
}

fn play(server: &Server, scenario: &str) -> Report {
    let gateway = server.url().replace("/qimen", "");
    let callers = Callers::new(&gateway, "24589063", Secret::new("s"), "run");
    let scenario = Scenario::parse(scenario).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(callers.play(&scenario, || Timestamp::UNIX_EPOCH)).unwrap()
}

fn honest() -> (Server, Arc<Mutex<Gateway>>) {
    let gateway = Arc::new(Mutex::new(Gateway::default()));
    let shared = Arc::clone(&gateway);
    (Server::start(move |raw| Reaction::Answer(shared.lock().unwrap().answer(raw))), gateway)
}

#[test]
fn duplicates_storms_and_other_content_come_as_the_scenario_says() {
    let (server, gateway) = honest();
    let report = play(
        &server,
        "[[step]]\nplay='issuing'\nmessages=[1,5]\ncopies=3\nrounds=2\ncharset='gbk'\nbody='xml'
         [[step]]\nplay='issuing'\nmessages=[1,5]\nchanged=true\nbody='form'
         [[step]]\nplay='issuing'\nskew_ms=-900000\nexpect='refused'
         [[step]]\nplay='issuing'\nbreak_signature=true",
    );
    assert!(report.is_clean(), "{report}");
    let counts: Vec<(u64, u64)> = report.steps.iter().map(|step| (step.accepted, step.refused)).collect();
    assert_eq!(counts, [(30, 0), (0, 5), (0, 1), (0, 1)]);
    assert_eq!(gateway.lock().unwrap().contents.len(), 5);
}

#[test]
fn later_steps_are_about_the_policies_of_earlier_ones() {
    let (server, gateway) = honest();
    let report = play(
        &server,
        "[[step]]\nplay='issuing'\nmessages=[1,3]\n[[step]]\nplay='recovery'\nmessages=[2,2]
         [[step]]\nplay='rescission'\nmessages=[1,3]\norder='descending'\nconcurrency=2\ncopies=2\nrounds=2",
    );
    assert!(report.is_clean(), "{report}");
    let came = &gateway.lock().unwrap().came;
    assert_eq!(came[3].1, "P-run-2");
    let mut uuids: HashMap<&str, usize> = HashMap::new();
    for (uuid, _) in &came[4..] {
        *uuids.entry(uuid).or_default() += 1;
    }
    assert_eq!(uuids.len(), 6);
    assert!(uuids.values().all(|copies| *copies == 2));
    let policies: Vec<&str> = came[4..].chunks(2).map(|copies| copies[0].1.as_str()).collect();
    assert_eq!(policies, ["P-run-3", "P-run-2", "P-run-1", "P-run-3", "P-run-2", "P-run-1"]);
}

#[test]
fn a_gateway_that_breaks_its_word_is_found_out() {
    let mut issued = 0;
    let server = Server::start(move |_| {
        issued += 1;
        Reaction::Answer(json!({"success": "true", "context": {"policyNo": format!("P{issued}")}}).to_string())
    });
    let report = play(&server, "[[step]]\nplay='issuing'\ncopies=3\n[[step]]\nplay='issuing'\nchanged=true");
    assert!(!report.is_clean());
    assert_eq!((report.steps[0].mismatched, report.steps[1].unexpected), (2, 1), "{report}");

    let rude = Server::start(|_| Reaction::HangUp);
    let report = play(&rude, "[[step]]\nplay='rescission'\n[[step]]\nplay='rescission'\nexpect='any'");
    assert_eq!((report.steps[0].unanswered, report.steps[0].unexpected), (1, 1));
    assert_eq!((report.steps[1].unanswered, report.steps[1].unexpected), (1, 0));
}
