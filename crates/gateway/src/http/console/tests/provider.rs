//! Sign-in through the provider, over real HTTP: that it works, and each way in that it is not.

use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, REFRESH, SET_COOKIE};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use baoqiao_testkit::openid::{Health, Provider, Signing};

use super::world::{Answer, Browser, PASSWORD, START, World};
use crate::console::audit::Action;
use crate::console::role::Role;
use crate::console::session::{Session, Token};
use crate::console::store::{Admission, Identity, Vouched};
use crate::http::console::sign_in;

const HERE: &str = "https://gateway.test";

async fn provider() -> Provider {
    let provider = Provider::start(START.parse::<Timestamp>().unwrap().as_second()).await;
    provider.person("f3b0c442", "Li.Si", &["everybody", "doers"]);
    provider
}

/// A console that trusts the provider, with a local user `admin`.
fn world(provider: &Provider, more: &str) -> World {
    let world = World::with(HERE, &format!("{}public_url = \"{HERE}\"\n{more}", provider.section()));
    world.add("admin", Role::Admin);
    world
}

/// What the provider answers to a browser that is sent there: the address, within the gateway, to come back to.
async fn at_provider(address: &str) -> String {
    let (status, headers, body) = baoqiao_testkit::http::get(address, &[]).await.unwrap();
    assert_eq!(status, 302, "{}", String::from_utf8_lossy(&body));
    headers["location"].to_str().unwrap().strip_prefix(HERE).unwrap().to_owned()
}

/// Comes back from the provider as browsers do: of the console's cookies, only the one that is `Lax` is sent.
async fn come_back(browser: &mut Browser<'_>, path: &str) -> Answer {
    let lax = browser.cookies.remove("baoqiao_provider").map(|value| ("baoqiao_provider".to_owned(), value));
    let strict = std::mem::replace(&mut browser.cookies, lax.into_iter().collect());
    let answer = browser.get(path).await;
    for (name, value) in strict {
        browser.cookies.entry(name).or_insert(value);
    }
    answer
}

async fn sent_to_provider(browser: &mut Browser<'_>, back: &str) -> String {
    let answer = browser.get(&format!("/console/oidc/start?back={back}")).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    at_provider(answer.location()).await
}

/// The whole way, and what came of it.
async fn sign_in(browser: &mut Browser<'_>) -> Answer {
    let path = sent_to_provider(browser, "%2Fconsole").await;
    come_back(browser, &path).await
}

fn refresh(answer: &Answer) -> &str {
    answer.headers.get(REFRESH).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

/// That nobody was let in, and that it was written down why.
#[track_caller]
fn is_refused(world: &World, browser: &Browser<'_>, answer: &Answer, why: &str) {
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{why}: {}", answer.text);
    assert!(!browser.cookies.contains_key("baoqiao_session"), "{why}");
    assert!(!browser.cookies.contains_key("baoqiao_provider"), "{why}: it was for one answer");
    let (_, action, detail) = world.told_last();
    assert_eq!(action, Action::SignInRefused);
    assert!(detail.contains(why), "{detail:?} does not tell {why:?}");
}

#[tokio::test]
async fn somebody_signs_in_at_the_provider_and_is_known_here_for_what_they_are_there() {
    let provider = provider().await;
    let world = world(&provider, "label = \"集团 <SSO>\"");
    let mut browser = world.browser();
    let page = browser.get("/console/sign-in?back=%2Fconsole%2Fmessages%3Fcode%3DX").await;
    page.says("集团 &lt;SSO&gt;")
        .says("/console/oidc/start?back=%2Fconsole%2Fmessages%3Fcode%3DX")
        .says("name=\"password\"");
    let path = sent_to_provider(&mut browser, "%2Fconsole%2Fmessages%3Fcode%3DX").await;
    let answer = come_back(&mut browser, &path).await;
    // No redirect: it would still be the provider's, and a strict cookie would not be sent along.
    assert_eq!((answer.status, refresh(&answer)), (StatusCode::OK, "0; url=/console/messages?code=X"));
    answer.says("href=\"/console/messages?code=X\"").says_not("state=").says_not("code_challenge");
    let policy = answer.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("form-action 'self'") && !policy.contains("127.0.0.1"), "{policy}");
    let cookies: Vec<_> = answer.headers.get_all(SET_COOKIE).iter().map(|line| line.to_str().unwrap()).collect();
    assert!(cookies.iter().any(|line| line.starts_with("baoqiao_session=") && line.contains("SameSite=Strict")));
    browser.get("/console/account").await.says("sso:li.si").says_not("name=\"current\"");
    assert_eq!(browser.get("/console/users").await.status, StatusCode::FORBIDDEN, "an operator");
    let told = format!("iss={} sub=f3b0c442", provider.issuer());
    assert_eq!(world.told_last(), ("sso:li.si".to_owned(), Action::SignedIn, told.clone()));
    assert_eq!(world.audit()[1].1, Action::UserAdded);
    let mut admin = world.signed_in("admin").await;
    admin.get("/console/users").await.says("sso:li.si").says("f3b0c442").says("统一登录");
    admin.get("/console/audit?user=sso%3Ali.si").await.says(&told);
}

#[tokio::test]
async fn each_algorithm_and_proof_of_the_client_works() {
    let provider = provider().await;
    let world = world(&provider, "");
    for signing in [Signing::Rs256, Signing::Ps256, Signing::Es256] {
        provider.set(|behaviour| behaviour.signing = signing);
        assert_eq!(sign_in(&mut world.browser()).await.status, StatusCode::OK, "{signing:?}");
    }
    let methods = json!(["client_secret_post"]);
    provider.set(|behaviour| {
        behaviour.metadata.insert("token_endpoint_auth_methods_supported".to_owned(), methods);
    });
    world.advance(SignedDuration::from_hours(1));
    provider.set_now(world.now().as_second());
    assert_eq!(sign_in(&mut world.browser()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_token_that_the_provider_did_not_sign_lets_nobody_in() {
    let provider = provider().await;
    let world = world(&provider, "");
    for (signing, why) in [
        (Signing::Stranger, "its signature is wrong"),
        (Signing::Changed, "its signature is wrong"),
        (Signing::Unsigned, "its algorithm \"none\" is not accepted"),
        (Signing::Hs256, "its algorithm \"HS256\" is not accepted"),
    ] {
        provider.set(|behaviour| behaviour.signing = signing);
        let mut browser = world.browser();
        let answer = sign_in(&mut browser).await;
        is_refused(&world, &browser, &answer, why);
        answer.says("未通过校验").says_not("eyJ");
    }
    assert!(world.store.users().unwrap().iter().all(|user| user.provider.is_none()));
}

#[tokio::test]
async fn a_token_that_is_not_about_this_sign_in_lets_nobody_in() {
    type Change = fn(&mut Map<String, Value>);
    fn set(claims: &mut Map<String, Value>, name: &str, value: Value) {
        claims.insert(name.to_owned(), value);
    }
    fn move_by(claims: &mut Map<String, Value>, name: &str, seconds: i64) {
        let moved = claims["iat"].as_i64().unwrap() + seconds;
        set(claims, name, moved.into());
    }
    let provider = provider().await;
    let world = world(&provider, "");
    let changes: [(Change, &str); 13] = [
        (|claims| set(claims, "iss", "http://127.0.0.1/evil".into()), "another issuer's"),
        (|claims| set(claims, "aud", "another".into()), "another application"),
        (|claims| set(claims, "aud", json!(["another", "and-another"])), "another application"),
        (|claims| set(claims, "aud", json!(["baoqiao", "another"])), "another application"),
        (|claims| set(claims, "azp", "another".into()), "another application"),
        (|claims| set(claims, "nonce", "another".into()), "another sign-in (nonce)"),
        (|claims| drop(claims.remove("nonce")), "no nonce"),
        (|claims| move_by(claims, "exp", -60), "expired"),
        (|claims| drop(claims.remove("exp")), "no exp"),
        (|claims| move_by(claims, "iat", 61), "of the future"),
        (|claims| move_by(claims, "nbf", 61), "of the future"),
        (|claims| set(claims, "sub", "".into()), "no sub"),
        (|claims| set(claims, "sub", "a\nb".into()), "no sub"),
    ];
    for (change, why) in changes {
        provider.set(|behaviour| behaviour.change = change);
        let mut browser = world.browser();
        let answer = sign_in(&mut browser).await;
        is_refused(&world, &browser, &answer, why);
    }
    let within_leeway: [Change; 3] = [
        |claims| move_by(claims, "exp", -59),
        |claims| move_by(claims, "iat", 60),
        |claims| {
            set(claims, "aud", json!(["baoqiao", "another"]));
            set(claims, "azp", "baoqiao".into());
        },
    ];
    for change in within_leeway {
        provider.set(|behaviour| behaviour.change = change);
        assert_eq!(sign_in(&mut world.browser()).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn an_answer_counts_only_in_the_browser_that_asked_and_for_ten_minutes() {
    let provider = provider().await;
    let world = world(&provider, "");
    let mut victim = world.browser();
    let mut attacker = world.browser();
    let path = sent_to_provider(&mut attacker, "%2Fconsole").await;
    // The attacker's own answer, in a browser that asked for nothing, and in one that asked for another.
    let answer = come_back(&mut victim, &path).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    answer.says("请重新登录").says("href=\"/console/oidc/start");
    victim.get("/console/oidc/start").await;
    let answer = come_back(&mut victim, &path).await;
    is_refused(&world, &victim, &answer, "(state)");
    for changed in [path.replace("state=", "state=A"), path.replace("state=", "stat="), "/console/oidc/callback".into()]
    {
        let mut browser = world.browser();
        sent_to_provider(&mut browser, "%2Fconsole").await;
        let answer = come_back(&mut browser, &changed).await;
        is_refused(&world, &browser, &answer, "(state)");
    }
    assert_eq!(provider.asked("/token"), 0, "the provider hears of none of it");
    let mut slow = world.browser();
    let path = sent_to_provider(&mut slow, "%2Fconsole").await;
    world.advance(SignedDuration::from_mins(10));
    assert_eq!(come_back(&mut slow, &path).await.status, StatusCode::BAD_REQUEST);
    let mut forger = world.browser();
    forger.cookies.insert("baoqiao_provider".to_owned(), "AAAA".to_owned());
    assert_eq!(come_back(&mut forger, "/console/oidc/callback?state=&code=x").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_code_that_was_stolen_on_its_way_is_of_no_use_in_another_sign_in() {
    let provider = provider().await;
    let world = world(&provider, "");
    let (mut victim, mut thief) = (world.browser(), world.browser());
    let stolen = sent_to_provider(&mut victim, "%2Fconsole").await;
    let own = sent_to_provider(&mut thief, "%2Fconsole").await;
    let (_, code) = stolen.split_once("code=").unwrap();
    let (before, _) = own.split_once("code=").unwrap();
    let answer = come_back(&mut thief, &format!("{before}code={code}")).await;
    is_refused(&world, &thief, &answer, "the provider refused the code: invalid_grant");
    let mut empty = world.browser();
    let own = sent_to_provider(&mut empty, "%2Fconsole").await;
    let (before, _) = own.split_once("&code=").unwrap();
    let answer = come_back(&mut empty, before).await;
    is_refused(&world, &empty, &answer, "answer without a code");
}

#[tokio::test]
async fn an_answer_counts_once_even_where_the_provider_would_take_its_code_again() {
    let provider = provider().await;
    let world = world(&provider, "");
    for (reuses_codes, why) in [(false, "the provider refused the code"), (true, "used before")] {
        provider.set(|behaviour| behaviour.reuses_codes = reuses_codes);
        let mut browser = world.browser();
        let path = sent_to_provider(&mut browser, "%2Fconsole").await;
        let kept = browser.cookies.clone();
        assert_eq!(come_back(&mut browser, &path).await.status, StatusCode::OK);
        browser.cookies = kept;
        let answer = come_back(&mut browser, &path).await;
        is_refused(&world, &browser, &answer, why);
    }
}

#[tokio::test]
async fn nobody_is_led_out_of_the_console() {
    let provider = provider().await;
    let world = world(&provider, "");
    let long = format!("%2Fconsole%3F{}", "x".repeat(2_000));
    for back in ["https%3A%2F%2Fevil.test", "%2F%2Fevil.test", "%2Fconsole%2F%2Fevil.test", "%2Fconsole%0A", &long] {
        let mut browser = world.browser();
        let path = sent_to_provider(&mut browser, back).await;
        let answer = come_back(&mut browser, &path).await;
        assert_eq!((answer.status, refresh(&answer)), (StatusCode::OK, "0; url=/console"), "{back}");
        let answer = browser.get(&format!("/console/oidc/start?back={back}")).await;
        let within = if back == long { "/console?" } else { "/console" };
        assert!(
            answer.location().starts_with(within) && !answer.location().contains("evil"),
            "who is signed in already"
        );
    }
}

#[tokio::test]
async fn while_the_provider_is_of_no_use_that_is_told_and_passwords_still_count() {
    let provider = provider().await;
    let world = world(&provider, "");
    let plain = "http://sso.example.com/token".into();
    let faults: [(Health, Option<(&str, Value)>); 6] = [
        (Health::Down, None),
        (Health::Oversized, None),
        (Health::Well, Some(("issuer", "http://127.0.0.1/evil".into()))),
        (Health::Well, Some(("token_endpoint", plain))),
        (Health::Well, Some(("jwks_uri", Value::Null))),
        (Health::Well, Some(("code_challenge_methods_supported", json!(["plain"])))),
    ];
    let mut browser = world.browser();
    for (health, said) in faults {
        provider.set(|behaviour| {
            behaviour.health = health;
            behaviour.metadata = said.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        });
        let answer = browser.get("/console/oidc/start").await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{health:?}");
        answer.says("统一登录暂时无法使用").says("name=\"password\"").says_not("127.0.0.1");
        let asked = provider.asked("/.well-known/openid-configuration");
        assert_eq!(browser.get("/console/oidc/start").await.status, StatusCode::BAD_GATEWAY);
        assert_eq!(provider.asked("/.well-known/openid-configuration"), asked, "not asked again at once");
        world.advance(SignedDuration::from_secs(5));
    }
    let answer = browser.post("/console/sign-in", &[("name", "admin"), ("password", PASSWORD)]).await;
    assert_eq!(answer.location(), "/console");
    provider.set(|behaviour| behaviour.metadata = Map::new());
    assert_eq!(sign_in(&mut world.browser()).await.status, StatusCode::OK, "as soon as it is back");
    // Down after somebody was sent there.
    let mut browser = world.browser();
    let path = sent_to_provider(&mut browser, "%2Fconsole").await;
    provider.set(|behaviour| behaviour.health = Health::Down);
    assert_eq!(come_back(&mut browser, &path).await.status, StatusCode::BAD_GATEWAY);
    assert!(!browser.cookies.contains_key("baoqiao_session"));
}

#[tokio::test]
async fn a_provider_that_never_answers_is_not_waited_for() {
    let provider = provider().await;
    let world = world(&provider, "timeout_ms = 1");
    provider.set(|behaviour| behaviour.health = Health::Silent);
    let answer = world.browser().get("/console/oidc/start").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn keys_are_asked_for_anew_when_one_is_not_known_and_not_for_every_token() {
    let provider = provider().await;
    let world = world(&provider, "");
    for _ in 0..2 {
        assert_eq!(sign_in(&mut world.browser()).await.status, StatusCode::OK);
    }
    assert_eq!((provider.asked("/jwks"), provider.asked("/.well-known/openid-configuration")), (1, 1));
    provider.rotate();
    let mut browser = world.browser();
    let answer = sign_in(&mut browser).await;
    is_refused(&world, &browser, &answer, "a key that the provider does not publish");
    assert_eq!(provider.asked("/jwks"), 1, "they were asked for this very moment");
    world.advance(SignedDuration::from_secs(10));
    assert_eq!(sign_in(&mut world.browser()).await.status, StatusCode::OK);
    assert_eq!(provider.asked("/jwks"), 2);
}

#[tokio::test]
async fn who_has_no_role_is_told_so_and_a_role_that_changes_there_changes_here() {
    let provider = provider().await;
    let world = world(&provider, "");
    provider.person("s-1", "<b>wang", &["everybody"]);
    let mut browser = world.browser();
    let answer = sign_in(&mut browser).await;
    is_refused(&world, &browser, &answer, &format!("no role: iss={} sub=s-1", provider.issuer()));
    answer.says("&lt;b&gt;wang").says("没有使用本控制台的权限").says_not("<b>");
    assert!(world.store.users().unwrap().iter().all(|user| user.provider.is_none()), "nobody was added");

    provider.person("s-1", "wang", &["lookers", "keepers"]);
    let mut first = world.browser();
    assert_eq!(sign_in(&mut first).await.status, StatusCode::OK);
    assert_eq!(first.get("/console/users").await.status, StatusCode::OK, "the most that a group gives");
    provider.person("s-1", "wang", &["lookers"]);
    assert_eq!(first.get("/console/users").await.status, StatusCode::OK, "until the next sign-in");
    let mut second = world.browser();
    assert_eq!(sign_in(&mut second).await.status, StatusCode::OK);
    assert_eq!(second.get("/console/users").await.status, StatusCode::FORBIDDEN);
    assert_eq!(first.get("/console/users").await.status, StatusCode::SEE_OTHER, "sessions of the old role ended");
    let changed = world.audit().into_iter().find(|(_, action, ..)| *action == Action::UserRoleChanged);
    assert_eq!(changed.unwrap().2, "user:sso:wang");
    provider.person("s-1", "wang", &[]);
    assert_eq!(sign_in(&mut world.browser()).await.status, StatusCode::FORBIDDEN);
    assert_eq!(second.get("/console").await.status, StatusCode::SEE_OTHER, "who has no role any more is out");
}

#[tokio::test]
async fn one_text_and_a_claim_within_a_claim_give_roles_too() {
    let provider = provider().await;
    let world = world(&provider, "role_claim = \"realm_access.roles\"\nname_claim = \"email\"");
    let person =
        json!({"sub": "s-1", "email": "wang@example.com", "groups": ["keepers"], "realm_access": {"roles": "lookers"}});
    provider.set(|behaviour| behaviour.person = person.as_object().unwrap().clone());
    let mut browser = world.browser();
    assert_eq!(sign_in(&mut browser).await.status, StatusCode::OK);
    let user = world.store.user("sso:wang@example.com").unwrap().unwrap();
    assert_eq!(user.role, Role::Viewer, "of that claim alone");
}

#[tokio::test]
async fn what_the_provider_says_instead_is_shown_as_text() {
    let provider = provider().await;
    let world = world(&provider, "");
    provider.set(|behaviour| behaviour.refuses = Some(("access_denied", "<script>alert(1)</script>")));
    let mut browser = world.browser();
    let answer = sign_in(&mut browser).await;
    is_refused(&world, &browser, &answer, "refused by the provider: access_denied");
    answer.says("统一登录未允许登录：&lt;script&gt;").says_not("<script>alert");
}

#[tokio::test]
async fn an_answer_of_another_provider_is_not_taken() {
    let provider = provider().await;
    let world = world(&provider, "");
    let issuer = provider.issuer().to_owned();
    for (named, promised, works) in
        [(Some("http://127.0.0.1/evil"), false, false), (None, true, false), (Some(issuer.as_str()), true, true)]
    {
        provider.set(|behaviour| {
            behaviour.answers_as = named.map(str::to_owned);
            let name = "authorization_response_iss_parameter_supported".to_owned();
            behaviour.metadata.insert(name, promised.into());
        });
        world.advance(SignedDuration::from_hours(1));
        provider.set_now(world.now().as_second());
        let mut browser = world.browser();
        let answer = sign_in(&mut browser).await;
        if works {
            assert_eq!(answer.status, StatusCode::OK);
        } else {
            is_refused(&world, &browser, &answer, "another issuer's");
        }
    }
}

#[tokio::test]
async fn nobody_is_taken_for_somebody_of_the_same_name() {
    let provider = provider().await;
    let world = world(&provider, "");
    provider.person("s-1", "admin", &["lookers"]);
    let mut browser = world.browser();
    assert_eq!(sign_in(&mut browser).await.status, StatusCode::OK);
    browser.get("/console/account").await.says("sso:admin");
    assert_eq!(browser.get("/console/users").await.status, StatusCode::FORBIDDEN);
    provider.person("s-2", "admin", &["lookers"]);
    assert_eq!(sign_in(&mut world.browser()).await.status, StatusCode::OK);
    assert!(world.store.user("sso:admin:2").unwrap().is_some());
    // Nor has anybody of the provider a password here, or a role that an admin here gives.
    let mut other = world.browser();
    other.get("/console/sign-in").await;
    let answer = other.post("/console/sign-in", &[("name", "sso:admin"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let mut admin = world.signed_in("admin").await;
    admin.get("/console/users").await;
    for (path, extra) in [("role", ("role", "admin")), ("password", ("password", "another horse battery"))] {
        let fields = [("name", "sso:admin"), ("reason", "test"), extra];
        let answer = admin.post(&format!("/console/users/{path}"), &fields).await;
        assert_eq!(answer.location(), "/console/users?done=refused");
    }
    let fields = [("name", "sso:admin"), ("reason", "离职")];
    assert_eq!(admin.post("/console/users/disable", &fields).await.location(), "/console/users?done=changed");
    assert_eq!(browser.get("/console").await.status, StatusCode::SEE_OTHER);
    provider.person("s-1", "admin", &["keepers"]);
    let mut again = world.browser();
    let answer = sign_in(&mut again).await;
    is_refused(&world, &again, &answer, "disabled");
    assert_eq!(world.told_last().0, "sso:admin");
}

#[tokio::test]
async fn where_passwords_do_not_count_neither_do_the_sessions_that_they_began() {
    let provider = provider().await;
    let world = world(&provider, "password_sign_in = false");
    let mut browser = world.browser();
    browser.get("/console/sign-in").await.says("/console/oidc/start").says_not("name=\"password\"");
    let user = world.store.user("admin").unwrap().unwrap();
    let begin = |user: &crate::console::store::User| {
        let token = Token::random(getrandom::fill).unwrap();
        let session = Session {
            digest: token.digest(),
            user: user.name.clone(),
            began_at: world.now(),
            seen_at: world.now(),
            peer: String::new(),
        };
        let entry = sign_in::entry(Action::SignedIn, &user.name, "", world.now(), "");
        world.store.begin_session(&session, Timestamp::UNIX_EPOCH, &entry).unwrap();
        token.expose()
    };
    browser.cookies.insert("baoqiao_session".to_owned(), begin(&user));
    assert_eq!(browser.get("/console").await.status, StatusCode::SEE_OTHER, "a session of a password");
    let vouched = |issuer: &str, nonce| Vouched {
        identity: Identity { issuer: issuer.to_owned(), subject: "s-1".to_owned() },
        known_as: "li".to_owned(),
        role: Some(Role::Viewer),
        nonce: [nonce; 32],
        nonce_until: world.now(),
        at: world.now(),
        peer: String::new(),
    };
    for (issuer, nonce, status) in
        [("https://sso-of-before.test", 1, StatusCode::SEE_OTHER), (provider.issuer(), 2, StatusCode::OK)]
    {
        let Admission::User(user) = world.store.admit(&vouched(issuer, nonce)).unwrap() else { panic!("not admitted") };
        browser.cookies.insert("baoqiao_session".to_owned(), begin(&user));
        assert_eq!(browser.get("/console").await.status, status, "{issuer}");
    }
    let mut other = world.browser();
    let form = "name=admin&password=correct+horse+battery";
    let page = other.get("/console/sign-in").await;
    assert_eq!(page.status, StatusCode::OK);
    let token = Token::parse(&other.cookies["baoqiao_visitor"]).unwrap().form_token();
    let request = http::Request::post("/console/sign-in")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin");
    let answer = other.send(request, format!("form_token={token}&{form}")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    answer.says("只接受统一登录");
}

#[tokio::test]
async fn an_address_that_fails_often_waits() {
    let provider = provider().await;
    let world = world(&provider, "");
    let mut browser = world.browser();
    for _ in 0..20 {
        sent_to_provider(&mut browser, "%2Fconsole").await;
        let answer = come_back(&mut browser, "/console/oidc/callback?state=guess&code=x").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    let answer = sign_in(&mut browser).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    answer.says("秒后再试");
    world.advance(SignedDuration::from_secs(15));
    assert_eq!(sign_in(&mut browser).await.status, StatusCode::OK);
}

#[tokio::test]
async fn who_signs_out_is_signed_out_at_the_provider_too() {
    let provider = provider().await;
    let world = world(&provider, "");
    let mut browser = world.browser();
    sign_in(&mut browser).await;
    browser.get("/console").await;
    let kept = browser.cookies.clone();
    let answer = browser.post("/console/sign-out", &[]).await;
    let address = refresh(&answer).strip_prefix("0; url=").unwrap().to_owned();
    assert_eq!(answer.status, StatusCode::OK);
    answer.says("已退出控制台").says_not("sso:li.si");
    assert!(address.starts_with(&format!("{}/logout?client_id=baoqiao&", provider.issuer())), "{address}");
    assert_eq!(at_provider(&address).await, "/console/sign-in");
    browser.cookies = kept;
    assert_eq!(browser.get("/console").await.status, StatusCode::SEE_OTHER, "the session ended");
    // Where the provider has no such address, and for who signed in here, it is the sign-in page as ever.
    let mut admin = world.signed_in("admin").await;
    assert_eq!(admin.post("/console/sign-out", &[]).await.location(), "/console/sign-in");
    provider.set(|behaviour| drop(behaviour.metadata.insert("end_session_endpoint".to_owned(), Value::Null)));
    world.advance(SignedDuration::from_hours(1));
    provider.set_now(world.now().as_second());
    let mut browser = world.browser();
    sign_in(&mut browser).await;
    browser.get("/console").await;
    assert_eq!(browser.post("/console/sign-out", &[]).await.location(), "/console/sign-in");
}

#[tokio::test]
async fn without_a_provider_there_is_no_way_through_one() {
    let world = World::with_users();
    let mut browser = world.browser();
    browser.get("/console/sign-in").await.says_not("/console/oidc");
    assert_eq!(browser.get("/console/oidc/start").await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/console/oidc/callback?state=x&code=y").await.status, StatusCode::NOT_FOUND);
}
