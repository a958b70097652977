//! The traffic record and the explanation of signatures, on the command line.

use baoqiao_channels::access::Secret;
use baoqiao_gateway::clock::{Clock as _, SystemClock};
use baoqiao_simulator::qimen::Rule;
use serde_json::json;

use crate::gateway::{APP_KEY, Gateway, SECRET, baoqiao, example, example_with, text};
use crate::life::rescind;

/// What a command says, with its exit status.
fn said<const N: usize>(arguments: [&str; N]) -> (String, Option<i32>) {
    let output = baoqiao(arguments);
    (text(&output.stdout) + &text(&output.stderr), output.status.code())
}

/// The number of the first message that a listing has.
fn number(listing: &str) -> String {
    listing.trim_start_matches('#').chars().take_while(char::is_ascii_digit).collect()
}

#[tokio::test]
async fn messages_are_listed_and_shown() {
    let gateway = Gateway::start();
    gateway.call(example()).await;
    gateway.call(example()).await;
    gateway.issue(|tree| drop(tree.insert("amount".to_owned(), json!("1019.0")))).await;
    gateway.issue(|tree| drop(tree.insert("premium".to_owned(), json!("6,36")))).await;
    let config = gateway.config();
    let config = config.to_str().unwrap();
    let (all, status) = said(["messages", "list", "--config", config]);
    assert_eq!(status, Some(0), "{all}");
    let heads: Vec<&str> = all.lines().filter(|line| line.starts_with('#')).collect();
    for (head, expected) in
        heads.iter().zip(["refused INVALID_ARGUMENT", "conflicting IDEMPOTENCY_CONFLICT", "replayed", "accepted"])
    {
        assert!(head.contains(expected) && head.contains("qimen/policy-issuing"), "{head}");
    }
    let (page, _) = said(["messages", "list", "--config", config, "--limit", "1"]);
    let place = page.split_once("--after ").unwrap().1.trim();
    let (next, _) = said(["messages", "list", "--config", config, "--after", place]);
    assert_eq!(next.lines().filter(|line| line.starts_with('#')).collect::<Vec<_>>(), heads[1..]);
    let (none, status) = said(["messages", "list", "--config", config, "--channel", "avatar"]);
    assert_eq!((none.as_str(), status), ("no such message\n", Some(1)));
    rescind(&gateway, "PBDI20260102QAA000001", |_| ()).await;
    let (unsigned, _) = said(["messages", "list", "--config", config, "--channel", "avatar"]);
    assert!(unsigned.contains("avatar/rescission-notice") && !unsigned.contains("by secret"), "{unsigned}");
    assert!(all.contains(", by secret 1\n"), "{all}");

    let (conflicting, _) = said(["messages", "list", "--config", config, "--verdict", "conflicting"]);
    let id = number(&conflicting);
    let (shown, _) = said(["messages", "show", "--config", config, "--id", &id]);
    assert!(shown.contains("these fields differ:\n    amount\n"), "{shown}");
    assert!(!shown.contains("张三"), "{shown}");
    let (shown, _) = said(["messages", "show", "--config", config, "--id", &id, "--content"]);
    assert!(shown.contains("    amount: first \"1018\", now \"1019\"\n"), "{shown}");
    assert!(shown.contains("request\n  POST /qimen?") && shown.contains("\ndecoded\n  {\n"), "{shown}");
    assert!(shown.contains("张三") && shown.contains("answer\n  {\"errorCode\":\"IDEMPOTENCY_CONFLICT\""), "{shown}");
    let (believed, status) = said(["sign", "explain", "--config", config, "--message", &id]);
    assert_eq!(status, Some(0), "{believed}");
    assert!(believed.contains("✓ the signature is right, by the secret of"), "{believed}");
    assert!(!believed.contains("张三"), "{believed}");
}

#[tokio::test]
async fn a_strangers_signature_is_explained_from_its_record_and_from_a_curl_command() {
    let gateway = Gateway::start();
    let mut call = example();
    call.rule = Rule::Caller;
    call.query.push(("session".to_owned(), String::new()));
    let signed = call.sign(SystemClock.now()).unwrap();
    gateway.send(&signed).await;
    // Answered after it was recorded.
    gateway.call(example()).await;
    let config = gateway.config();
    let config = config.to_str().unwrap();
    let (listed, status) = said(["messages", "strangers", "--config", config]);
    assert_eq!(status, Some(0), "{listed}");
    assert!(listed.contains("  qimen  the signature fits none of the partner's secrets\n"), "{listed}");
    let stranger = number(&listed);
    let (shown, _) = said(["messages", "strangers", "--config", config, "--number", &stranger]);
    assert!(shown.contains("POST /qimen?") && shown.contains("张三"), "{shown}");
    let (told, status) = said(["sign", "explain", "--config", config, "--stranger", &stranger]);
    assert_eq!(status, Some(1), "{told}");
    assert!(told.contains("✗ the signature is wrong: parameters with an empty value were left out: session"), "{told}");
    assert!(told.contains("更正办法：除 sign 外的参数都要参加签名，空值参数只拼参数名。"), "{told}");
    assert!(!told.contains("张三") && !told.contains(SECRET), "{told}");

    let pasted = gateway.directory().join("call.txt");
    let body = String::from_utf8(signed.body.to_vec()).unwrap();
    let quoted = body.replace('\'', "'\\''");
    let content_type = signed.headers["content-type"].to_str().unwrap();
    let command = format!(
        "curl -X POST 'https://gw.test/qimen?{}' \\\n -H 'Content-Type: {content_type}' --data-raw '{quoted}'",
        signed.query
    );
    std::fs::write(&pasted, command).unwrap();
    let pasted = pasted.to_str().unwrap();
    let (by_config, status) = said(["sign", "explain", "--config", config, "--curl", pasted]);
    assert!(status == Some(1) && by_config.contains("an empty value were left out: session"), "{by_config}");
    let (by_secret, status) = said(["sign", "explain", "--secret", SECRET, "--curl", pasted]);
    assert!(status == Some(1) && by_secret.contains("an empty value were left out: session"), "{by_secret}");
    let (gone, status) = said(["sign", "explain", "--config", config, "--stranger", "999"]);
    assert_eq!((gone.as_str(), status), ("there is no such message\n", Some(1)));
}

#[tokio::test]
async fn a_record_that_was_cut_is_said_not_to_decide() {
    let gateway =
        Gateway::start_with(|sample| sample.replace("stranger_body_bytes = 4096", "stranger_body_bytes = 900"));
    let mut call = example_with(|tree| drop(tree.insert("attrs".to_owned(), json!({"a": "x".repeat(2_000)}))));
    call.secret = Secret::new("another");
    gateway.send(&call.sign(SystemClock.now()).unwrap()).await;
    gateway.call(example()).await;
    let config = gateway.config();
    let config = config.to_str().unwrap();
    let (told, status) = said(["sign", "explain", "--config", config, "--stranger", "1"]);
    assert_eq!(status, Some(1), "{told}");
    assert!(told.contains("? cannot be decided: of the body's") && told.contains("900 were kept"), "{told}");
    assert!(told.contains(&format!("app_key {APP_KEY} is the partner")), "{told}");
}
