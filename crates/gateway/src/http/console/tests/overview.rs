//! The overview: its figures, what it puts first, and how it stays up to date.

use std::time::Duration;

use axum::body::Body;
use http::header::{CONTENT_TYPE, COOKIE};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use jiff::SignedDuration;
use serde_json::json;
use tower::ServiceExt;

use super::world::World;
use crate::ledger::store::Verdict;
use crate::statistics::Ending;

#[tokio::test]
async fn an_empty_ledger_says_what_to_do() {
    let world = World::with_users();
    let mut viewer = world.signed_in("viewer").await;
    let page = viewer.get("/console").await;
    page.says("没有需要人工处理的事项").says("还没有保单").says("baoqiao demo").says("baoqiao simulate qimen --help");
}

#[tokio::test]
async fn what_was_issued_today_is_told_and_leads_to_the_policies() {
    let world = World::with_users();
    world.issue("01", json!({})).await;
    world.advance(SignedDuration::from_hours(24));
    let number = world.issue("02", json!({"premium": "7.00", "premiumOfCny": "7.00"})).await;
    world.issue("03", json!({})).await;
    let mut viewer = world.signed_in("viewer").await;
    let page = viewer.get("/console").await;
    page.says("<p class=\"tile-value\">2</p>").says("<p class=\"tile-value\">13.36</p>");
    page.says(&format!("data-open=\"/console/policies/{number}\""));
}

#[tokio::test]
async fn calls_are_told_by_interface_and_those_that_fail_often_come_first() {
    let world = World::with_users();
    let count = |ending, times, ms| {
        for _ in 0..times {
            world.meter.record("qimen/policy-issuing", ending, world.now(), Duration::from_millis(ms));
        }
    };
    count(Ending::Settled(Verdict::Accepted), 80, 2);
    count(Ending::Settled(Verdict::Replayed), 5, 2);
    count(Ending::Settled(Verdict::Refused), 10, 2);
    count(Ending::Disbelieved, 5, 200);
    let mut viewer = world.signed_in("viewer").await;
    let page = viewer.get("/console").await;
    page.says("85.0%").says("最近一小时有 15.0% 的调用未成功").says("最近一小时 5 次调用未受理");
    page.says("data-label=\"首次受理\">80<").says("data-label=\"重复答复\">5<");
    viewer.get("/console/preferences?language=en").await;
    viewer.get("/console").await.says("Policy issuing: 15.0% of the last hour's calls failed");
    // An hour later they are of the day alone.
    world.advance(SignedDuration::from_hours(1));
    let page = viewer.signed_in_again("viewer").await.get("/console").await;
    page.says_not("calls failed").says("data-label=\"24 hours\">100<");
}

#[tokio::test]
async fn what_a_person_must_look_at_is_told_first() {
    let world = World::with_users();
    world.issue("01", json!({})).await;
    world.conflict("01").await;
    world.kill_a_notice("policy:P1");
    let mut viewer = world.signed_in("viewer").await;
    let page = viewer.get("/console").await;
    page.says("24 小时内 1 次幂等冲突").says("1 条通知成了死信").says("href=\"/console/conflicts\"");
    world.advance(SignedDuration::from_hours(25));
    viewer.signed_in_again("viewer").await.get("/console").await.says_not("幂等冲突：").says("成了死信");
}

#[tokio::test(start_paused = true)]
async fn the_overview_is_sent_anew_when_it_has_changed() {
    let world = World::with_users();
    let viewer = world.signed_in("viewer").await;
    let cookies: Vec<String> = viewer.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = Request::get("/console/live").header(COOKIE, cookies.join("; ")).body(Body::empty()).unwrap();
    let response = world.router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers().get(CONTENT_TYPE).unwrap(), "text/event-stream");
    let mut stream = response.into_body();
    let first = next(&mut stream).await.unwrap();
    assert!(first.contains("event: part") && first.contains("还没有保单"), "{first}");
    let number = world.issue("01", json!({})).await;
    world.advance(SignedDuration::from_secs(2));
    let second = next(&mut stream).await.unwrap();
    assert!(second.contains(&number), "{second}");
    let mut nobody = world.browser();
    assert_eq!(nobody.get("/console/live").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_up_to_date_ends_with_its_session() {
    let world = World::with_users();
    let mut viewer = world.signed_in("viewer").await;
    let cookies: Vec<String> = viewer.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = Request::get("/console/live").header(COOKIE, cookies.join("; ")).body(Body::empty()).unwrap();
    let mut stream = world.router().oneshot(request).await.unwrap().into_body();
    assert!(next(&mut stream).await.unwrap().contains("还没有保单"));
    viewer.get("/console").await;
    viewer.post("/console/sign-out", &[]).await;
    world.issue("01", json!({})).await;
    world.advance(SignedDuration::from_secs(2));
    assert_eq!(next(&mut stream).await, None, "signed out, one is shown nothing more");
}

#[tokio::test]
async fn what_is_told_first_leads_to_a_list_of_just_that() {
    let world = World::with_users();
    let number = world.issue("01", json!({})).await;
    world.recover("fits", &number, "12").await;
    world.recover("nowhere", "CESI20260102Q000000000099", "12").await;
    world.recover("disagrees", &number, "1").await;
    for _ in 0..10 {
        let ending = Ending::Settled(Verdict::Refused);
        world.meter.record("qimen/recovery", ending, world.now(), Duration::from_millis(2));
    }
    let mut viewer = world.signed_in("viewer").await;
    let page = viewer.get("/console").await;
    page.says("href=\"/console/messages?interface=qimen%2Frecovery&amp;verdict=refused&amp;from=2026-01-02T10%3A04\"");
    page.says("href=\"/console/recoveries?odd=unmatched\"").says("href=\"/console/recoveries?odd=discrepant\"");
    let page = viewer.get("/console/recoveries?odd=unmatched").await;
    page.says("台账中没有此保单").says("nowhere").says_not("fits").says_not("disagrees");
    let page = viewer.get("/console/recoveries?odd=discrepant").await;
    page.says("recoverAmountOfCny 报 1").says("disagrees").says_not("nowhere").says_not("fits");
    let page = viewer.get("/console/recoveries").await;
    page.says("fits").says("nowhere").says("disagrees").says(&format!("href=\"/console/policies/{number}\""));
    let page = viewer.get("/console/recoveries?partner=another").await;
    page.says("没有符合条件的追缴");
}

#[tokio::test]
async fn orders_are_counted_under_names_that_people_know() {
    let world = World::with_users();
    world.meter.record("api/surrender", Ending::Settled(Verdict::Accepted), world.now(), Duration::from_millis(2));
    let mut viewer = world.signed_in("viewer").await;
    viewer.get("/console").await.says("退保指令（API）");
    viewer.get("/console/preferences?language=en").await;
    viewer.get("/console").await.says("Surrender order (API)").says_not("no known interface");
}

/// The next event; lines that only keep the connection alive are passed over.
async fn next(stream: &mut Body) -> Option<String> {
    loop {
        let frame = stream.frame().await?.unwrap().into_data().unwrap();
        let text = String::from_utf8(frame.to_vec()).unwrap();
        if text.contains("event:") {
            return Some(text);
        }
    }
}
