//! A whole ledger checked by the command, while a gateway works on it and after somebody wrote into it.

use std::os::unix::fs::FileExt;

use serde_json::Value;

use crate::gateway::{Gateway, baoqiao, example, example_with, field, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_is_checked_while_policies_are_issued_and_after_it_was_tampered_with() {
    let mut gateway = Gateway::start();
    let issue = async |identifier: &str| {
        let call = example_with(|body| drop(body.insert("identifier".to_owned(), identifier.into())));
        field(&gateway.call(call).await, &["context", "policyNo"])
    };
    let policy_no = issue("first").await;
    let config = gateway.config();
    let check = move || baoqiao(["verify", "--config", config.to_str().unwrap()]);
    let checking = std::thread::spawn({
        let check = check.clone();
        move || check()
    });
    let mut during = 0;
    while !checking.is_finished() {
        issue(&format!("during {during}")).await;
        during += 1;
    }
    let checked = checking.join().unwrap();
    assert!(checked.status.success(), "{}{}", text(&checked.stdout), text(&checked.stderr));
    assert!(text(&checked.stdout).contains("all of it holds"), "{}", text(&checked.stdout));
    assert!(gateway.stop().success());
    gateway.change("UPDATE policies SET premium = '1' WHERE identifier = 'first'");
    let checked = check();
    assert_eq!(checked.status.code(), Some(1));
    let told = text(&checked.stdout);
    assert!(told.contains(&format!("policy-differs: {policy_no}: other than applied for in premium\n")), "{told}");
    let config = gateway.config();
    let checked = baoqiao(["verify", "--config", config.to_str().unwrap(), "--json"]);
    assert_eq!(checked.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(document["holds"], false);
    assert_eq!(document["foundByRule"]["policy-differs"], 1);
    assert_eq!(document["findings"][0]["subject"], policy_no.as_str());
    assert_eq!(document["looked"]["policies"], during + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raw_messages_go_when_their_time_is_over() {
    let mut gateway = Gateway::start_with(|sample| sample.replace("# messages_kept_d = 1825", "messages_kept_d = 30"));
    let issue = async |gateway: &Gateway, identifier: &str| {
        let call = example_with(|body| drop(body.insert("identifier".to_owned(), identifier.into())));
        field(&gateway.call(call).await, &["context", "policyNo"])
    };
    let policy_no = issue(&gateway, "old").await;
    // Age counts back from the newest message, and the sweeper may look before the first call after the restart.
    issue(&gateway, "new").await;
    assert!(gateway.stop().success());
    gateway.change("UPDATE messages SET received_ms = received_ms - 31 * 86400000 WHERE key = 'old'");
    gateway.restart();
    let mut later = 0;
    while gateway.count("SELECT count(*) FROM messages WHERE key = 'old'") > 0 {
        later += 1;
        assert!(later < 10_000, "the old message does not go");
        issue(&gateway, &format!("later {later}")).await;
    }
    assert_eq!(issue(&gateway, "old").await, policy_no, "its retry is answered as ever");
    assert_eq!(gateway.count("SELECT count(*) FROM messages"), later + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_its_parties_do_not_find_is_told_and_put_back_while_the_gateway_runs() {
    let gateway = Gateway::start();
    let policy_no = field(&gateway.call(example()).await, &["context", "policyNo"]);
    let config = gateway.config();
    let run = |[command, option]: [&str; 2]| {
        let done = baoqiao([command, "--config", config.to_str().unwrap(), option]);
        (done.status.code(), text(&done.stdout))
    };
    let find = ["find", "--phone=139231232323"];
    let verify = ["verify", "--json"];
    let reindex = ["reindex", "--unfound"];
    assert!(run(find).1.contains(&policy_no));
    gateway.change("DELETE FROM fresh_people");
    assert!(!run(find).1.contains(&policy_no));
    let (status, told) = run(verify);
    assert_eq!(status, Some(1));
    assert!(told.contains("\"rule\": \"policy-not-found\"") && told.contains(&policy_no), "{told}");
    let (status, told) = run(reindex);
    assert_eq!(status, Some(0));
    assert!(told.contains("1 policy was not found by all of its parties, and is now"), "{told}");
    assert!(run(find).1.contains(&policy_no));
    assert_eq!(run(verify).0, Some(0));
    assert!(run(reindex).1.contains("every policy that was looked up is found by all of its parties"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_was_overwritten_is_told_with_all_the_rest() {
    let mut gateway = Gateway::start();
    gateway.call(example()).await;
    assert!(gateway.stop().success());
    let page = gateway.count("SELECT rootpage FROM sqlite_schema WHERE name = 'messages_by_time'");
    let page_bytes = u64::try_from(gateway.count("PRAGMA page_size")).unwrap();
    gateway.change("UPDATE policies SET premium = '1'");
    let file = std::fs::OpenOptions::new().write(true).open(gateway.directory().join("ledger.db")).unwrap();
    file.write_all_at(&[0; 512], u64::try_from(page - 1).unwrap() * page_bytes).unwrap();
    let config = gateway.config();
    let whole = baoqiao(["verify", "--config", config.to_str().unwrap()]);
    let quick = baoqiao(["verify", "--config", config.to_str().unwrap(), "--quick"]);
    for checked in [whole, quick] {
        let told = text(&checked.stdout);
        assert_eq!(checked.status.code(), Some(1), "{told}{}", text(&checked.stderr));
        assert!(told.contains("file-damaged: "), "{told}");
        assert!(told.contains("policy-differs: "), "{told}");
    }
}
