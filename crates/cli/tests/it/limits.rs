//! What a caller may cost, and how the gateway ends.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_simulator::qimen::{Call, SignedRequest};

use crate::gateway::{Gateway, SECRET, example, example_with, field};

fn impatient() -> Gateway {
    Gateway::start_with(|sample| {
        sample
            .lines()
            .map(|line| {
                let timeout =
                    ["header_timeout_ms", "body_timeout_ms"].into_iter().find(|key| line.trim_start().starts_with(key));
                timeout.map_or(line.to_owned(), |key| format!("{key} = 100")) + "\n"
            })
            .collect()
    })
}

async fn raw(gateway: &Gateway, request: &[u8]) -> String {
    let address = gateway.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // The gateway may reset what it does not want to read on.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_or_without_a_length() {
    let gateway = Gateway::start();
    let long = "x".repeat((1 << 20) + 1);
    let declared =
        format!("POST /qimen HTTP/1.1\r\nhost: g\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{long}", long.len());
    let chunked = format!(
        "POST /qimen HTTP/1.1\r\nhost: g\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
        long.len()
    );
    for request in [declared, chunked] {
        let answer = raw(&gateway, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(answer.contains("BODY_TOO_LARGE"), "{answer}");
    }
    assert_eq!(field(&gateway.call(example()).await, &["success"]), "true");
}

/// Far more than the sockets' buffers hold, and more than a body may be long.
const LONG_BODY_BYTES: usize = 6 << 20;

async fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Some(length) = head.lines().find_map(|line| line.strip_prefix("content-length: "))
            && body.len() >= length.parse().unwrap()
        {
            return text;
        }
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "closed after {text}");
    }
}

#[tokio::test]
async fn who_is_refused_before_the_body_was_read_can_send_it_and_hears_of_it_and_may_call_again() {
    let gateway = Gateway::start();
    let body = vec![b'x'; LONG_BODY_BYTES];
    for path in ["/qimen", "/nowhere", "/documents/x", "/api/v1/policies/x/surrender"] {
        let mut stream = TcpStream::connect(gateway.authority()).await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nhost: g\r\n");
        let declared = format!("{head}content-length: {}\r\n\r\n", body.len());
        let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n", body.len());
        for (head, tail) in [(declared, ""), (chunked, "\r\n0\r\n\r\n")] {
            for part in [head.as_bytes(), &body, tail.as_bytes()] {
                stream.write_all(part).await.unwrap();
            }
            let answer = read_answer(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
        }
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: g\r\n\r\n").await.unwrap();
        assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 200"), "{path}");
    }
}

#[tokio::test]
async fn a_body_is_not_waited_for_that_nobody_needs_and_that_waits_to_be_asked_for_or_has_no_end() {
    // Longer than a test may take.
    let gateway = Gateway::start_with(|sample| sample.replace("body_timeout_ms = 10000", "body_timeout_ms = 3600000"));
    for rest in ["content-length: 10\r\nexpect: 100-continue", "content-length: 1000000000000"] {
        let request = format!("POST /nowhere HTTP/1.1\r\nhost: g\r\n{rest}\r\n\r\n");
        let answer = tokio::time::timeout(Duration::from_mins(1), raw(&gateway, request.as_bytes())).await;
        let answer = answer.expect("it is waited for");
        assert!(answer.starts_with("HTTP/1.1 404"), "{rest}: {answer}");
    }
}

#[tokio::test]
async fn who_sends_too_slowly_is_cut_off() {
    let gateway = impatient();
    let answer = raw(&gateway, b"POST /qimen HTTP/1.1\r\nhost: g").await;
    assert!(!answer.contains("200 OK"), "{answer}");
    let answer =
        raw(&gateway, b"POST /qimen HTTP/1.1\r\nhost: g\r\nconnection: close\r\ncontent-length: 10\r\n\r\nabc").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(field(&gateway.call(example()).await, &["success"]), "true");
}

#[tokio::test]
async fn nonsense_gets_a_refusal_and_never_a_stack_trace() {
    let gateway = Gateway::start();
    for (request, expected) in [
        ("GET /qimen HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n", "HTTP/1.1 405"),
        ("GET /nowhere HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n", "HTTP/1.1 404"),
        (
            "POST /qimen?%zz=%&=&&sign HTTP/1.1\r\nhost: g\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200",
        ),
        ("rubbish\r\n\r\n", "HTTP/1.1 400"),
    ] {
        let answer = raw(&gateway, request.as_bytes()).await;
        assert!(answer.starts_with(expected), "{request:?}: {answer}");
        assert!(!answer.contains("panicked"), "{answer}");
    }
}

#[tokio::test]
async fn health_is_told_and_a_stop_is_clean() {
    let mut gateway = Gateway::start();
    assert_eq!(gateway.get("/healthz").await.0, 200);
    assert_eq!(gateway.get("/readyz").await.0, 200);
    gateway.call(example()).await;
    assert!(gateway.stop().success());
    assert_eq!(gateway.count("SELECT count(*) FROM policies"), 1);
}

#[tokio::test]
async fn more_connections_than_the_limit_wait_for_their_turn() {
    let gateway = Gateway::start_with(|sample| sample.replace("connection_limit = 900", "connection_limit = 2"));
    let health = b"GET /healthz HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n";
    let held = [
        TcpStream::connect(gateway.authority()).await.unwrap(),
        TcpStream::connect(gateway.authority()).await.unwrap(),
    ];
    let mut third = TcpStream::connect(gateway.authority()).await.unwrap();
    third.write_all(health).await.unwrap();
    let mut answer = String::new();
    let early = tokio::time::timeout(Duration::from_millis(300), third.read_to_string(&mut answer)).await;
    assert!(early.is_err(), "answered beyond the limit: {answer}");
    drop(held);
    third.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_call_under_way_when_the_gateway_stops_is_answered_and_durable() {
    let mut gateway = Gateway::start();
    let SignedRequest { query, headers, body, .. } = example().sign(SystemClock.now()).unwrap();
    let mut stream = TcpStream::connect(gateway.authority()).await.unwrap();
    let head = format!(
        "POST /qimen?{query} HTTP/1.1\r\nhost: g\r\ncontent-type: {}\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        headers["content-type"].to_str().unwrap(),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut word = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut word).await.unwrap();
    assert!(word.starts_with(b"HTTP/1.1 100"), "the gateway waits for the body");
    gateway.ask_to_stop();
    // It has begun to stop when it takes no more connections.
    while TcpStream::connect(gateway.authority()).await.is_ok() {}
    stream.write_all(&body).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("\"success\":\"true\""), "{answer}");
    assert!(gateway.ended().success());
    assert_eq!(gateway.count("SELECT count(*) FROM policies"), 1);
}

#[tokio::test]
async fn no_input_makes_a_handler_panic() {
    let mut gateway = Gateway::start();
    let deep = format!("{}{}", "[".repeat(100_000), "{\"a\":".repeat(100_000));
    let bodies: [&[u8]; 8] = [
        b"",
        b"{",
        deep.as_bytes(),
        b"\xff\xfe{\0}",
        b"{\"head\":{\"policySource\":\"HN_HT_QNW\"},\"secondRefundReq\":[[[]]]}",
        b"{\"identifier\":1e999999999,\"amount\":-0.0,\"attrs\":[]}",
        b"<request><a>&#xFFFFFFFF;</a><request>",
        b"a=%zz&=&&&a=%F0%28%8C%28",
    ];
    for path in [
        "/qimen",
        "/avatar/refund/second/refundNotice",
        "/api/v1/policies/%00/surrender",
        "/documents/%ff",
        "/verify/-",
    ] {
        for query in
            ["", "?method=qimen.alibaba.finance.insurance.policy.issuing&format=xml&sign=%", "?%E4%BD=%00&sign&&="]
        {
            for content_type in
                ["application/json;charset=GBK", "text/xml;charset=nonsense", "application/x-www-form-urlencoded"]
            {
                for body in bodies {
                    let head = format!(
                        "POST {path}{query} HTTP/1.1\r\nhost: g\r\nconnection: close\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    let answer = raw(&gateway, &[head.as_bytes(), body].concat()).await;
                    assert!(
                        !answer.is_empty() && !answer.starts_with("HTTP/1.1 500"),
                        "{path}{query} {content_type}: {answer}"
                    );
                }
            }
        }
    }
    assert_eq!(field(&gateway.call(example()).await, &["success"]), "true");
    gateway.stop();
    let log = gateway.log();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn logs_are_text_or_json_and_tell_no_secret_and_no_person() {
    for (format, mark) in [("text", "verdict=\"accepted\""), ("json", "\"verdict\":\"accepted\"")] {
        let mut gateway =
            Gateway::start_with(|sample| sample.replace("format = \"text\"", &format!("format = \"{format}\"")));
        gateway.call(example()).await;
        gateway.call(Call { break_signature: true, ..example() }).await;
        gateway.call(Call { app_key: SECRET.to_owned(), ..example() }).await;
        gateway.stop();
        let log = gateway.log();
        assert!(log.contains(mark), "{log}");
        assert!(log.contains("the signature fits none of the partner's secrets"), "{log}");
        for private in [SECRET, "张三", "3321231232312342432", "139231232323", "premium"] {
            assert!(!log.contains(private), "{private} in {log}");
        }
        if format == "json" {
            let lines = log.lines().map(serde_json::from_str::<serde_json::Value>);
            assert!(lines.into_iter().all(|line| line.unwrap().is_object()));
        }
    }
}

#[tokio::test]
async fn a_strangers_trace_is_short_however_long_the_message() {
    let mut gateway = Gateway::start();
    let long = example_with(|body| drop(body.insert("pad".to_owned(), "x".repeat(500_000).into())));
    gateway.call(Call { break_signature: true, ..long }).await;
    let key = "1".repeat(20_000);
    gateway.call(Call { app_key: key.clone(), timestamp: Some(key), ..example() }).await;
    gateway.stop();
    assert_eq!(gateway.count("SELECT count(*) FROM strangers"), 2);
    assert!(gateway.count("SELECT max(length(request)) FROM strangers") < 9_000);
    assert!(gateway.count("SELECT max(length(reason)) FROM strangers") < 200);
    assert_eq!(gateway.count("SELECT max(body_bytes) > 500000 FROM strangers"), 1);
    assert!(gateway.log().lines().all(|line| line.len() < 1_000));
}

/// Holds the ledger's write lock, as a backup or a person with a shell may.
pub(crate) fn lock(gateway: &Gateway) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(gateway.directory().join("ledger.db")).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_refused_for_now_and_its_retry_answered_from_the_ledger() {
    let gateway =
        Gateway::start_with(|sample| sample.replace("request_deadline_ms = 3000", "request_deadline_ms = 100"));
    let locked = lock(&gateway);
    let refused = gateway.call(example()).await;
    assert_eq!(field(&refused, &["errorCode"]), "SYSTEM_BUSY");
    locked.execute_batch("ROLLBACK").unwrap();
    let mut answer = gateway.call(example()).await;
    // The first may still be on its way to the disk; the platform would come again as well.
    while field(&answer, &["errorCode"]) == "SYSTEM_BUSY" {
        answer = gateway.call(example()).await;
    }
    assert_eq!(field(&answer, &["success"]), "true");
    assert_eq!(gateway.count("SELECT count(*) FROM policies"), 1);
}

#[tokio::test]
async fn a_ledger_that_was_locked_is_ready_again_with_no_call_and_no_restart() {
    let gateway = Gateway::start();
    let locked = lock(&gateway);
    let refused = gateway.call(example()).await;
    assert_eq!(field(&refused, &["errorCode"]), "LEDGER_UNAVAILABLE");
    assert_eq!(gateway.get("/readyz").await.0, 503);
    locked.execute_batch("ROLLBACK").unwrap();
    assert_eq!(gateway.get("/readyz").await.0, 200);
    assert_eq!(field(&gateway.call(example()).await, &["success"]), "true");
}
