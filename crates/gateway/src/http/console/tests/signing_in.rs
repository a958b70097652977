//! Sessions: how they begin, and all the ways in which they do not.

use std::net::Ipv4Addr;

use http::Request;
use http::StatusCode;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use jiff::SignedDuration;

use super::world::{Browser, PASSWORD, World};
use crate::console::audit::{Action, AuditEntry, AuditFilter};
use crate::console::role::Role;
use crate::console::store::UserChange;

async fn try_to_sign_in(browser: &mut Browser<'_>, name: &str, password: &str) -> StatusCode {
    browser.get("/console/sign-in").await;
    browser.post("/console/sign-in", &[("name", name), ("password", password)]).await.status
}

#[tokio::test]
async fn without_users_the_page_says_how_to_add_the_first() {
    let world = World::new();
    let mut browser = world.browser();
    browser.get("/console/sign-in").await.says("baoqiao user add").says("还没有任何用户");
    world.add("li", Role::Admin);
    browser.get("/console/sign-in").await.says_not("baoqiao user add");
}

#[tokio::test]
async fn whoever_signs_in_comes_to_where_they_wanted_to_go() {
    let world = World::with_users();
    let mut browser = world.browser();
    let answer = browser.get("/console/users?done=added").await;
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::SEE_OTHER, "/console/sign-in?back=%2Fconsole%2Fusers%3Fdone%3Dadded")
    );
    browser.get(answer.location()).await.says("value=\"/console/users?done=added\"");
    let fields = [("name", " Admin "), ("password", PASSWORD), ("back", "/console/users?done=added")];
    let answer = browser.post("/console/sign-in", &fields).await;
    // Names are kept in lower case, and found as they are typed.
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    assert_eq!(answer.location(), "/console/users?done=added");
    let cookie = answer.headers.get(SET_COOKIE).unwrap().to_str().unwrap();
    for attribute in ["HttpOnly", "Secure", "SameSite=Strict", "Path=/console"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    browser.get("/console/users?done=added").await.says("已添加用户");
    assert_eq!(world.audit()[0].1, Action::SignedIn);
}

#[tokio::test]
async fn a_session_is_kept_as_a_digest_and_ends_when_it_should() {
    let world = World::with_users();
    let mut browser = world.signed_in("viewer").await;
    assert_eq!(browser.get("/console").await.status, StatusCode::OK);
    world.advance(SignedDuration::from_mins(29));
    assert_eq!(browser.get("/console").await.status, StatusCode::OK);
    world.advance(SignedDuration::from_mins(29));
    assert_eq!(browser.get("/console").await.status, StatusCode::OK, "each request begins the idle time anew");
    world.advance(SignedDuration::from_mins(30));
    assert_eq!(browser.get("/console").await.status, StatusCode::SEE_OTHER, "idle");

    let mut browser = world.signed_in("viewer").await;
    for _ in 0..47 {
        world.advance(SignedDuration::from_mins(15));
        assert_eq!(browser.get("/console").await.status, StatusCode::OK);
    }
    world.advance(SignedDuration::from_mins(15));
    assert_eq!(browser.get("/console").await.status, StatusCode::SEE_OTHER, "old");
}

#[tokio::test]
async fn signing_out_ends_the_session_and_not_only_the_cookie() {
    let world = World::with_users();
    let mut browser = world.signed_in("viewer").await;
    let kept = browser.cookies.clone();
    let answer = browser.post("/console/sign-out", &[]).await;
    assert_eq!(answer.location(), "/console/sign-in");
    assert!(!browser.cookies.contains_key("baoqiao_session"));
    browser.cookies = kept;
    assert_eq!(browser.get("/console").await.status, StatusCode::SEE_OTHER);
    assert_eq!(world.audit()[0].1, Action::SignedOut);
}

#[tokio::test]
async fn wrong_passwords_unknown_and_disabled_users_are_told_alike_and_slowed_down() {
    let world = World::with_users();
    let entry = AuditEntry {
        at: world.now(),
        user: "test".to_owned(),
        peer: "test".to_owned(),
        action: Action::UserDisabled,
        subject: "user:operator".to_owned(),
        reason: String::new(),
        detail: String::new(),
    };
    assert!(world.store.change_user("operator", &UserChange::Disable, None, &entry).unwrap());
    let mut browser = world.browser();
    let mut pages = Vec::new();
    for (name, password) in [("viewer", "wrong"), ("nobody", PASSWORD), ("operator", PASSWORD)] {
        browser.get("/console/sign-in").await;
        let answer = browser.post("/console/sign-in", &[("name", name), ("password", password)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        pages.push(answer.text.replace(name, "NAME"));
    }
    assert!(pages.iter().all(|page| *page == pages[0]), "the pages tell who exists");
    let users: Vec<_> = world.audit().into_iter().take(3).map(|(user, action, ..)| (user, action)).collect();
    let refused = |user: &str| (user.to_owned(), Action::SignInRefused);
    assert_eq!(users, [refused("operator"), refused("unknown"), refused("viewer")]);

    for _ in 0..4 {
        assert_eq!(try_to_sign_in(&mut browser, "viewer", "wrong").await, StatusCode::FORBIDDEN);
    }
    assert_eq!(try_to_sign_in(&mut browser, "viewer", PASSWORD).await, StatusCode::TOO_MANY_REQUESTS);
    let mut other = world.browser();
    assert_eq!(try_to_sign_in(&mut other, "admin", PASSWORD).await, StatusCode::SEE_OTHER, "others are not held up");
    world.advance(SignedDuration::from_secs(16));
    assert_eq!(try_to_sign_in(&mut browser, "viewer", PASSWORD).await, StatusCode::SEE_OTHER);
}

/// Nothing is ever deleted from the audit log: strangers must not fill it.
#[tokio::test]
async fn of_sign_ins_under_names_of_nobody_so_many_a_minute_are_written_down_and_the_others_counted() {
    let world = World::with_users();
    let mut browser = world.browser();
    let details = || {
        let log = world.store.audit(&AuditFilter::default(), None, 100).unwrap().items;
        let refused = log.into_iter().filter(|record| record.entry.action == Action::SignInRefused);
        refused.map(|record| record.entry.detail).collect::<Vec<_>>()
    };
    for number in 0_u8..23 {
        // From many places: one address alone would have to wait before.
        browser.peer = Ipv4Addr::new(192, 0, 2, number);
        let name = format!("nobody{number}");
        assert_eq!(try_to_sign_in(&mut browser, &name, PASSWORD).await, StatusCode::FORBIDDEN);
    }
    assert_eq!(details(), vec!["unknown user"; 20]);
    assert_eq!(try_to_sign_in(&mut browser, "viewer", "wrong").await, StatusCode::FORBIDDEN);
    assert_eq!(details()[0], "wrong password", "each of a user's");
    world.advance(SignedDuration::from_mins(1));
    assert_eq!(try_to_sign_in(&mut browser, "nobody", PASSWORD).await, StatusCode::FORBIDDEN);
    assert_eq!(details()[0], "unknown user; 3 more since the last that was written down");
}

#[tokio::test]
async fn a_form_counts_only_with_its_cookie_its_token_and_its_origin() {
    let world = World::with_users();
    let mut browser = world.signed_in("admin").await;
    let token = browser.form_token();
    let form = |fields: &str| format!("form_token={token}&{fields}");
    let add = "name=mallory&role=admin&password=correct+horse+battery";
    let request = |site: &'static str, origin: &'static str| {
        Request::post("/console/users/add")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site)
            .header("origin", origin)
    };
    let here = || request("same-origin", "https://gateway.test");
    for (request, body) in [
        (request("cross-site", "https://evil.test"), form(add)),
        (request("same-origin", "https://evil.test"), form(add)),
        (request("same-site", "https://gateway.test"), form(add)),
        (here(), add.to_owned()),
        (here(), format!("form_token=AAAA&{add}")),
        (Request::post("/console/users/add").header(CONTENT_TYPE, "application/x-www-form-urlencoded"), form(add)),
    ] {
        assert_eq!(browser.send(request, body).await.status, StatusCode::FORBIDDEN);
    }
    let plain = Request::post("/console/users/add").header("sec-fetch-site", "same-origin");
    assert_eq!(browser.send(plain, form(add)).await.status, StatusCode::BAD_REQUEST);
    let session = browser.cookies.remove("baoqiao_session").unwrap();
    assert_eq!(browser.send(here(), form(add)).await.status, StatusCode::SEE_OTHER, "to the sign-in page");
    browser.cookies.insert("baoqiao_session".to_owned(), session);
    assert!(world.store.user("mallory").unwrap().is_none());
    assert_eq!(browser.send(here(), form(add)).await.location(), "/console/users?done=added");
}

#[tokio::test]
async fn signing_in_needs_the_cookie_that_the_page_set() {
    let world = World::with_users();
    let mut browser = world.browser();
    browser.get("/console/sign-in").await;
    browser.cookies.clear();
    let answer = browser.post("/console/sign-in", &[("name", "admin"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    answer.says("HTTPS");
}
