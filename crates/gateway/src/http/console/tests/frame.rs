//! What every page has in common.

use http::Request;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, STRICT_TRANSPORT_SECURITY};

use super::world::World;

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_it_safe() {
    let world = World::with_users();
    let mut browser = world.signed_in("admin").await;
    for path in
        ["/console", "/console/users", "/console/sign-in", "/console/nowhere", "/console/preferences?theme=dark"]
    {
        let answer = browser.get(path).await;
        let header = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
        let policy = header(CONTENT_SECURITY_POLICY.as_str());
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header(CACHE_CONTROL.as_str()), "no-store", "{path}");
        assert_eq!(header(STRICT_TRANSPORT_SECURITY.as_str()), "max-age=31536000", "{path}");
        assert!(!answer.text.contains(" style=") && !answer.text.contains("<style"), "{path} has a style in it");
        assert!(
            !answer.text.contains(" onclick=") && !answer.text.contains("javascript:"),
            "{path} has a script in it"
        );
    }
    let plain = World::at("http://127.0.0.1:8080");
    let answer = plain.browser().get("/console/sign-in").await;
    assert_eq!(answer.headers.get(STRICT_TRANSPORT_SECURITY), None, "over plain HTTP it would mean nothing");
}

#[tokio::test]
async fn assets_are_kept_for_ever_under_the_hash_of_their_content() {
    let world = World::new();
    let mut browser = world.browser();
    let page = browser.get("/console/sign-in").await.text;
    let mut found = 0;
    for address in page.split('"').filter(|piece| piece.starts_with("/console/assets/")) {
        let answer = browser.get(address).await;
        assert_eq!(answer.status, StatusCode::OK, "{address}");
        assert_eq!(answer.headers.get(CACHE_CONTROL).unwrap(), "public, max-age=31536000, immutable");
        found += 1;
    }
    assert_eq!(found, 4);
    assert_eq!(browser.get("/console/assets/console.css").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn language_and_colours_are_kept_and_lead_back() {
    let world = World::new();
    let mut browser = world.browser();
    browser.get("/console/sign-in").await.says("<html lang=\"zh-CN\" data-theme=\"system\">").says("用户名");
    let answer = browser.get("/console/preferences?language=en&back=%2Fconsole%2Fsign-in").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/console/sign-in"));
    browser.get("/console/preferences?theme=dark&back=https%3A%2F%2Fevil.test").await;
    browser.get("/console/sign-in").await.says("<html lang=\"en\" data-theme=\"dark\">").says("User name");
    browser.get("/console/preferences?language=fr&theme=pink").await;
    browser.get("/console/sign-in").await.says("<html lang=\"en\" data-theme=\"dark\">");
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_for_everybody_is_told() {
    let world = World::with_users();
    let mut viewer = world.signed_in("viewer").await;
    let answer = viewer.get("/console/nowhere").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    answer.says("没有这一页");
    for path in ["/console/users", "/console/audit"] {
        let answer = viewer.get(path).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        answer.says("管理员");
        viewer.get("/console").await.says_not(&format!("href=\"{path}\""));
    }
    let fragment = Request::get("/console/users").header("hx-request", "true");
    viewer.send(fragment, String::new()).await.says_not("<html").says("管理员");
    viewer.cookies.clear();
    let answer = viewer.send(Request::get("/console/users").header("hx-request", "true"), String::new()).await;
    assert_eq!(answer.headers.get("hx-redirect").unwrap(), "/console/sign-in");
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_does_not_answer_in_time_is_told_of() {
    let world = World::with_users();
    let mut viewer = world.signed_in("viewer").await;
    let turns = world.reading.acquire_many(32).await.unwrap();
    let page = viewer.get("/console/messages").await;
    assert_eq!(page.status, StatusCode::GATEWAY_TIMEOUT);
    page.says("台账没有及时答复").says("已等待 60 秒");
    drop(turns);
    assert_eq!(viewer.get("/console/messages").await.status, StatusCode::OK);
}
