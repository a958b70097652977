//! Sign-in to the console through an OpenID provider, with the real binary.

use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_testkit::openid::{CLIENT_SECRET, Provider};

use crate::gateway::{Gateway, baoqiao, http_get, text};

fn cookies(headers: &http::HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    let cookie = lines.filter_map(|line| line.split(';').next()).find(|cookie| cookie.starts_with(name))?;
    Some(cookie.to_owned())
}

/// Goes the whole way, and gives the cookie of the session that it leads to.
async fn sign_in(gateway: &Gateway) -> String {
    let (status, headers, _) = gateway.get("/console/oidc/start?back=%2Fconsole%2Fusers").await;
    assert_eq!(status, 303);
    let pending = cookies(&headers, "baoqiao_provider=").unwrap();
    let (status, headers, _) = http_get(headers["location"].to_str().unwrap(), &[]).await;
    assert_eq!(status, 302);
    let back = headers["location"].to_str().unwrap();
    assert!(back.starts_with(&format!("{}/console/oidc/callback?", gateway.url)), "{back}");
    let (status, headers, page) = http_get(back, &[("cookie", &pending)]).await;
    assert_eq!(status, 200, "{}", text(&page));
    assert_eq!(headers["refresh"], "0; url=/console/users");
    cookies(&headers, "baoqiao_session=").unwrap()
}

// The provider has to answer while the test waits for a command.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn somebody_whom_the_provider_vouches_for_signs_in_and_nothing_secret_is_logged() {
    let provider = Provider::start(SystemClock.now().as_second()).await;
    provider.person("f3b0c442", "li.si", &["keepers"]);
    let mut gateway = Gateway::start_with(|sample| format!("{sample}\n{}", provider.section()));
    let session = sign_in(&gateway).await;
    let (status, _, page) = http_get(&format!("{}/console/users", gateway.url), &[("cookie", &session)]).await;
    assert_eq!(status, 200);
    assert!(text(&page).contains("sso:li.si") && text(&page).contains("f3b0c442"));
    assert_eq!(gateway.count("SELECT count(*) FROM sessions WHERE user_name = 'sso:li.si'"), 1);
    assert_eq!(gateway.count("SELECT count(*) FROM audit WHERE action = 'sign-in' AND detail LIKE '%sub=f3b0c442'"), 1);

    let config = gateway.config();
    let config = config.to_str().unwrap();
    let doctor = baoqiao(["doctor", "--config", config]);
    let said = text(&doctor.stdout);
    assert!(said.contains(&format!("ok       sign-in: {} answers, with 2 keys", provider.issuer())), "{said}");
    let listed = text(&baoqiao(["user", "list", "--config", config]).stdout);
    assert!(listed.contains("sso:li.si  admin  may sign in") && listed.contains("sub=f3b0c442"), "{listed}");
    let refused = baoqiao(["user", "role", "--config", config, "--name", "sso:li.si", "--role", "viewer"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stdout).contains("gives them their role"), "{}", text(&refused.stdout));
    // The only admin at that: somebody else has to be one first.
    provider.person("0001", "wang", &["keepers"]);
    sign_in(&gateway).await;
    let disabled = baoqiao(["user", "disable", "--config", config, "--name", "sso:li.si", "--reason", "left"]);
    assert!(disabled.status.success(), "{}", text(&disabled.stdout));
    let (status, ..) = http_get(&format!("{}/console", gateway.url), &[("cookie", &session)]).await;
    assert_eq!(status, 303, "to the sign-in page");

    assert!(gateway.stop().success());
    let log = gateway.log();
    assert!(log.contains("signed in") && log.contains("sso:li.si"), "{log}");
    let (_, token) = session.split_once('=').unwrap();
    for secret in [CLIENT_SECRET, token, "eyJ", "code=", "state="] {
        assert!(!log.contains(secret), "the log holds {secret}");
    }
}
