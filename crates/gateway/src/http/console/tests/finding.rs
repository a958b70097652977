//! Finding anything, and what of it nobody else may read.

use http::StatusCode;
use serde_json::json;

use super::world::{Answer, Browser, EVIL, RARE, World};

/// Looks for something, and follows to what is found.
async fn find(browser: &mut Browser<'_>, wanted: &str) -> (String, Answer) {
    browser.get("/console/find").await;
    let begun = browser.post("/console/find", &[("wanted", wanted)]).await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text);
    let address = begun.location().to_owned();
    (address.clone(), browser.get(&address).await)
}

#[tokio::test]
async fn a_policy_is_found_by_whatever_names_it_alone() {
    let world = World::with_users();
    let number = world.issue("010101004178221080402170019", json!({})).await;
    let other = json!({"applicantPersonalInfo": {"personName": "王五", "personLicenseNo": "9", "personPhone": "1"}, "insuredPersonalInfo": {}});
    world.issue("other", other).await;
    let mut viewer = world.signed_in("viewer").await;
    for wanted in [
        number.as_str(),
        &format!("  {number} "),
        "010101004178221080402170019",
        "11010119900307123X",
        "110101 19900307 123x",
        "139-1231-2323",
        EVIL,
        RARE,
    ] {
        let (_, answer) = find(&mut viewer, wanted).await;
        assert_eq!(
            (answer.status, answer.location()),
            (StatusCode::SEE_OTHER, &*format!("/console/policies/{number}")),
            "{wanted}"
        );
    }
}

#[tokio::test]
async fn what_is_looked_for_is_in_no_address() {
    let world = World::with_users();
    let mut viewer = world.signed_in("viewer").await;
    for wanted in ["11010119900307123X", "张三"] {
        let (address, answer) = find(&mut viewer, wanted).await;
        assert!(!address.contains(wanted) && address.is_ascii(), "{address}");
        answer.says("没有找到");
    }
    assert_eq!(viewer.get("/console/find/AAAA").await.status, StatusCode::NOT_FOUND);
    viewer.get("/console/find").await;
    assert_eq!(viewer.post("/console/find", &[("wanted", "  ")]).await.location(), "/console/find");
}

#[tokio::test]
async fn several_are_listed_and_the_name_is_not_shown_again() {
    let world = World::with_users();
    let numbers = [world.issue("01", json!({})).await, world.issue("02", json!({})).await];
    let mut viewer = world.signed_in("viewer").await;
    let (_, answer) = find(&mut viewer, EVIL).await;
    for number in &numbers {
        answer.says(number);
    }
    answer.says_not("alert(1)").says("data-open");
    let (_, answer) = find(&mut viewer, "<b>nobody</b>").await;
    answer.says("没有找到").says("&lt;b&gt;nobody&lt;/b&gt;").says_not("<b>nobody");
}

#[tokio::test]
async fn messages_auctions_and_notices_are_found_as_well() {
    let world = World::with_users();
    world.issue("01", json!({})).await;
    world.rescind("uuid-17", "order-17").await;
    world.report_auction("24010900100YSKSSG").await;
    let notice = world.kill_a_notice("policy:P1");
    let mut viewer = world.signed_in("viewer").await;
    for wanted in ["uuid-17", "order-17"] {
        let (_, answer) = find(&mut viewer, wanted).await;
        assert!(answer.location().starts_with("/console/policies/"), "{wanted}: {}", answer.text);
        viewer.get(answer.location()).await.says("已解约").says("由 HN_HT_QNW 提出").says("/console/messages/");
    }
    let auction = find(&mut viewer, "24010900100YSKSSG").await.1;
    auction.says("拍卖保险").says("auction:24010900100YSKSSG").says("家财险 · 预保").says("成功").says("合作方");
    viewer.get("/console/preferences?language=en").await;
    find(&mut viewer, "24010900100YSKSSG").await.1.says("household property · pre-insurance").says("succeeded");
    find(&mut viewer, "request-id-of-the-platform").await.1.says(&format!("/console/deliveries/{notice}"));
    find(&mut viewer, &format!("#{notice}")).await.1.says("policy:P1");
}

#[tokio::test]
async fn older_policies_are_found_by_name_once_they_are_named() {
    let world = World::with_users();
    let number = world.issue("01", json!({})).await;
    world.forget_names();
    let mut viewer = world.signed_in("viewer").await;
    find(&mut viewer, RARE).await.1.says("没有找到").says("baoqiao reindex");
    assert_eq!(world.name_all(), 1);
    assert_eq!(world.name_all(), 0);
    let (_, answer) = find(&mut viewer, RARE).await;
    assert_eq!(answer.location(), format!("/console/policies/{number}"));
    find(&mut viewer, "张三").await.1.says_not("baoqiao reindex");
}
