//! What the platform is told of auctions, in order, whatever it does; and faults between the two.

use baoqiao_simulator::platform::{Platform, Scenario};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::core_system::{Core, with_core};
use crate::gateway::{APP_KEY, Gateway, SECRET, baoqiao, text};
use crate::life::platform;

const AUCTION: &str = "24010900100YSKSSG";

fn rules(rules: &[&str]) -> Scenario {
    rules.iter().fold(Scenario::default(), |scenario, rule| scenario.with_rule(rule).unwrap())
}

fn quickly(sample: String) -> String {
    with_core(sample)
        .replace("first_retry_ms = 1000", "first_retry_ms = 2")
        .replace("longest_retry_ms = 300000", "longest_retry_ms = 4")
}

async fn report(core: &Core<'_>, stage: u8) -> (u16, Value) {
    let order = json!({"partner": "alibaba", "insuranceType": 1, "stage": stage, "status": 1,
        "timeOfOccurrence": "2026-01-02T11:00:00+08:00"});
    let (status, body, _) =
        core.post(&format!("/auctions/{AUCTION}/stages"), &format!("{AUCTION}-{stage}"), &order).await;
    (status, body)
}

/// The stages in the order in which the platform met them, with whether it took them.
fn stages(platform: &Platform) -> Vec<(u64, bool)> {
    platform.received().iter().map(|call| (call.content()["stage"].as_u64().unwrap(), call.taken)).collect()
}

#[tokio::test]
async fn stages_arrive_in_order_although_the_platform_fails_and_can_be_sent_again() {
    let platform = platform().await;
    platform.play(rules(&[
        "do = 'error', times = 1",
        "do = 'drop', times = 1",
        "do = 'garbage', taken = false, times = 1",
    ]));
    let mut gateway = Gateway::start_before(&platform.url(), quickly);
    let core = Core(&gateway);
    for stage in 1..=3 {
        assert_eq!(report(&core, stage).await.0, 200);
    }
    let (status, refused) = report(&core, 3).await;
    assert_eq!((status, &refused["stage"]), (200, &3.into()), "the same order again");
    let (status, refused, _) = core
        .post(
            &format!("/auctions/{AUCTION}/stages"),
            "other",
            &json!({"partner": "alibaba", "insuranceType": 1, "stage": 2, "status": 1, "timeOfOccurrence": "2026-01-02T11:00:00Z"}),
        )
        .await;
    assert_eq!((status, &refused["code"]), (409, &"AUCTION_STAGE_ALREADY_SUCCEEDED".into()));
    platform.until(|received| received.len() >= 6).await;
    assert_eq!(stages(&platform), [(1, false), (1, false), (1, false), (1, true), (2, true), (3, true)]);

    let config = gateway.config();
    let config = config.to_str().unwrap();
    let shown = baoqiao(["outbox", "show", "--config", config, "--id", "1"]);
    for verdict in
        ["retry  platform-sub-code", "retry  network-failure", "retry  unintelligible", "delivered  accepted"]
    {
        assert!(text(&shown.stdout).contains(verdict), "{verdict} in {}", text(&shown.stdout));
    }
    let (status, counted, _) =
        core.post("/deliveries/resend", "r", &json!({"kind": "auction-result", "dryRun": true})).await;
    assert_eq!((status, &counted["matched"]), (200, &3.into()));
    let counted = baoqiao(["outbox", "resend", "--config", config, "--dead", "--dry-run"]);
    assert!(text(&counted.stdout).contains("0 notices fit"), "{}", text(&counted.stdout));
    let (status, resent, _) = core.post("/deliveries/2/resend", "r-2", &json!({})).await;
    assert_eq!((status, &resent["due"]), (200, &1.into()), "{resent}");
    platform.until(|received| received.len() >= 7).await;
    assert_eq!(stages(&platform)[6], (2, true));
    gateway.stop();
}

#[tokio::test]
async fn a_gateway_killed_between_send_and_record_sends_again() {
    let platform = platform().await;
    // The platform has the message, and the gateway will never learn it.
    platform.play(rules(&["do = 'timeout', times = 1"]));
    let mut gateway = Gateway::start_before(&platform.url(), quickly);
    for stage in 1..=2 {
        assert_eq!(report(&Core(&gateway), stage).await.0, 200);
    }
    platform.until(|received| !received.is_empty()).await;
    gateway.kill();
    assert_eq!(gateway.count("SELECT count(*) FROM attempts"), 0, "nothing of it is recorded");
    // Until its lease runs out nobody sends it: the time that passes.
    gateway.change("UPDATE notices SET due_ms = leased_ms WHERE lease_owner IS NOT NULL");
    gateway.restart();
    platform.until(|received| received.len() >= 3).await;
    assert_eq!(stages(&platform), [(1, true), (1, true), (2, true)], "once more, and nothing overtakes it");
    gateway.stop();
    let verdicts = "SELECT count(*) FROM attempts WHERE notice_id = 1 AND verdict = 'lost' AND number = 1";
    assert_eq!(gateway.count(verdicts), 1, "that it may have arrived is on record");
}

#[tokio::test]
async fn a_message_that_the_platform_took_without_an_answer_is_sent_again() {
    let platform = platform().await;
    platform.play(rules(&["do = 'timeout', times = 1"]));
    let mut gateway = Gateway::start_before(&platform.url(), |sample| {
        quickly(sample).replace("\ntimeout_ms = 10000", "\ntimeout_ms = 500")
    });
    assert_eq!(report(&Core(&gateway), 1).await.0, 200);
    platform.until(|received| received.len() >= 2).await;
    gateway.stop();
    assert_eq!(stages(&platform)[..2], [(1, true), (1, true)], "a timeout is not a no");
}

#[tokio::test]
async fn a_dead_letter_holds_up_its_own_auction_and_no_other_until_a_person_decides() {
    let platform = platform().await;
    platform.play(rules(&[&format!("contains = '{AUCTION}', do = 'refuse'")]));
    let mut gateway = Gateway::start_before(&platform.url(), quickly);
    let core = Core(&gateway);
    for stage in 1..=2 {
        assert_eq!(report(&core, stage).await.0, 200);
    }
    let other = json!({"partner": "alibaba", "insuranceType": 2, "stage": 1, "status": 1, "timeOfOccurrence": "2026-01-02T11:00:00Z"});
    assert_eq!(core.post("/auctions/OTHER/stages", "other", &other).await.0, 200);
    platform.until(|received| received.len() >= 2).await;
    let config = gateway.config();
    let config = config.to_str().unwrap();
    let mut dead = core.get("/deliveries?state=dead").await;
    // The attempt is recorded a moment after the platform has answered it.
    while dead["items"].as_array().unwrap().is_empty() {
        dead = core.get("/deliveries?state=dead").await;
    }
    assert_eq!((&dead["items"][0]["id"], &dead["items"][0]["waiting"]), (&1.into(), &1.into()));
    let listed = baoqiao(["outbox", "list", "--config", config]);
    for told in ["#1  DEAD since", "1 notice waits for it", "#2  waits for #1"] {
        assert!(text(&listed.stdout).contains(told), "{told} in {}", text(&listed.stdout));
    }
    platform.play(Scenario::default());
    let resent = baoqiao(["outbox", "resend", "--config", config, "--dead", "--reason", "mended"]);
    assert!(text(&resent.stdout).starts_with("1 notice fits\n1 to be sent now"), "{}", text(&resent.stdout));
    platform.until(|received| received.len() >= 4).await;
    gateway.stop();
    let taken: Vec<Value> = platform.taken().iter().map(|call| call.content()["stage"].clone()).collect();
    assert_eq!(taken, [json!(1), json!(1), json!(2)]);
}

/// One request as it came, to which nothing but 200 is answered.
async fn received(listener: &TcpListener) -> (String, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    loop {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "a whole request");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() == length.unwrap_or(0) {
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
            return (head.to_owned(), body.to_owned());
        }
    }
}

#[tokio::test]
async fn events_are_pushed_in_order_and_signed_as_the_specifications_own_library_verifies() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    let mut gateway = Gateway::start_with(|sample| {
        format!("{}\n[[webhook]]\nid = \"core\"\nurl = \"{url}\"\nsecret = \"{secret}\"\n", with_core(sample))
    });
    for identifier in ["1", "2"] {
        gateway.issue(|body| drop(body.insert("identifier".to_owned(), identifier.into()))).await;
    }
    let pushed = [received(&listener).await, received(&listener).await];
    gateway.stop();
    let library = standardwebhooks::Webhook::new(secret).unwrap();
    let mut identifiers = Vec::new();
    for (head, body) in &pushed {
        let header = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            (
                http::HeaderName::try_from(name).unwrap(),
                line.unwrap_or_else(|| panic!("{name} in {head}")).parse().unwrap(),
            )
        };
        let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(header);
        library.verify(body.as_bytes(), &http::HeaderMap::from_iter(headers)).unwrap();
        let event: Value = serde_json::from_str(body).unwrap();
        assert_eq!(event["type"], "policy.issued");
        identifiers.push(event["data"]["identifier"].as_str().unwrap().to_owned());
    }
    assert_eq!(identifiers, ["1", "2"]);
}

#[test]
fn the_callers_scenario_of_the_manual_ends_as_it_says_against_a_real_gateway() {
    let manual = include_str!("../../../../docs/simulator.md");
    let (_, rest) = manual.split_once("seed = 7                     # what \"shuffled\" is drawn from").unwrap();
    let (steps, _) = rest.split_once("```").unwrap();
    let gbk = "\n[[step]]\nname = \"GBK\"\nplay = \"issuing\"\nmessages = [60, 65]\ncharset = \"gbk\"\nbody = \"form\"\n\
               \n[[step]]\nplay = \"recovery\"\nmessages = [60, 65]\ncharset = \"gbk\"\nbody = \"xml\"\ncopies = 2\n";
    let mut gateway = Gateway::start();
    let scenario = gateway.directory().join("storm.toml");
    std::fs::write(&scenario, format!("seed = 7\n{steps}{gbk}")).unwrap();
    let played = baoqiao([
        "simulate",
        "callers",
        "--url",
        &gateway.url,
        "--app-key",
        APP_KEY,
        "--secret",
        SECRET,
        "--scenario",
        scenario.to_str().unwrap(),
    ]);
    assert!(played.status.success(), "{}{}", text(&played.stdout), text(&played.stderr));
    assert_eq!(gateway.count("SELECT count(*) FROM policies"), 56, "one of each message, and none of the wrong clock");
    assert_eq!(gateway.count("SELECT count(*) FROM policies WHERE state = 'rescinded'"), 50);
    assert_eq!(gateway.count("SELECT count(*) FROM recoveries"), 6);
    gateway.expect_open(50);
}

#[tokio::test]
#[should_panic(expected = "undelivered notices that it did not expect")]
async fn the_fixture_fails_a_test_that_leaves_notices_behind() {
    let gateway = Gateway::start_with(with_core);
    assert_eq!(report(&Core(&gateway), 1).await.0, 200);
}
