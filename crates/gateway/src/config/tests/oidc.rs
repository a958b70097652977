//! `[console.oidc]`: what is taken, and how the rest is refused.

use super::*;
use crate::console::role::Role;

/// What is told when `from` of the least that can be said is `to`, the lines counted from the section's own.
fn told_with(from: &str, to: &str) -> Vec<String> {
    assert!(OIDC.contains(from), "{from}");
    let error = parse(&format!("{}{MINIMAL}", OIDC.replacen(from, to, 1))).unwrap_err().to_string();
    assert!(!error.contains("hidden"), "{error}");
    let line = |line: &str| line.strip_prefix("/etc/baoqiao/b.toml:").unwrap().to_owned();
    error.lines().map(line).collect()
}

#[test]
fn the_least_has_every_default() {
    assert_eq!(parse(MINIMAL).unwrap().console.oidc, None);
    let config = parse(&format!("{OIDC}{MINIMAL}")).unwrap();
    assert!(!format!("{config:?}").contains("hidden"));
    let provider = config.console.oidc.unwrap();
    assert_eq!(provider.issuer, "https://sso.example.com/realms/insurer");
    assert_eq!((provider.client_id.as_str(), provider.client_secret.expose()), ("baoqiao", "hidden-three"));
    assert_eq!((provider.public_url, provider.label), (None, None));
    assert_eq!(provider.scopes, ["profile"]);
    assert_eq!(provider.person.roles, [("baoqiao-admins".to_owned(), Role::Admin)]);
    assert!(provider.password_sign_in);
    let more = "scopes = [\"openid\", \"groups\"]\nlabel = \"集团统一登录\"\npublic_url = \"https://g.example.com/\"\n";
    let provider = parse(&format!("{OIDC}{more}{MINIMAL}")).unwrap().console.oidc.unwrap();
    assert_eq!((provider.scopes, provider.label.as_deref()), (vec!["groups".to_owned()], Some("集团统一登录")));
    assert_eq!(provider.public_url.as_deref(), Some("https://g.example.com"));
}

#[test]
fn wrong_values_are_refused() {
    let issuer = "expected the provider's https address as it names itself (issuer), without a query, such as \
         \"https://sso.example.com/realms/insurer\"";
    let right = "issuer = \"https://sso.example.com/realms/insurer\"";
    for wrong in
        ["http://sso.example.com", "https://sso.example.com?a=1", "https://u@sso.example.com", "sso", "https://x/#a"]
    {
        let told = told_with(right, &format!("issuer = \"{wrong}\""));
        assert_eq!(told, [format!("2: console.oidc.issuer: \"{wrong}\"; {issuer}")]);
    }
    assert!(told_with(right, "")[0].starts_with("1: console.oidc.issuer: absent; "));
    assert!(told_with("client_secret", "client_secrt").iter().any(|line| line.contains("did you mean client_secret?")));
    let values = "a list of values of the claim, such as [\"baoqiao-admins\"]";
    let roles = "roles = { admin = [\"baoqiao-admins\"] }";
    for (to, expected) in [
        (
            "roles = {}",
            format!("5: console.oidc.roles: no value; expected viewer, operator or admin, each {values}"),
        ),
        (
            "roles = { admin = [\"a\"], viewer = [\"a\"] }",
            "5: console.oidc.roles.admin: \"a\"; expected each value once, so that it is plain which role it gives".into(),
        ),
        ("roles = { admin = \"a\", viewer = [\"b\"] }", format!("5: console.oidc.roles.admin: \"a\"; expected {values}")),
        (
            "roles = { owner = [\"a\"], viewer = [\"b\"] }",
            "5: console.oidc.roles.owner: unknown key; expected one of viewer, operator, admin".into(),
        ),
        ("roles = 1", "5: console.oidc.roles: 1; expected a table, [console.oidc.roles]".into()),
        (
            "roles = { admin = [\"a\"] }\nscopes = [\"a b\"]",
            "6: console.oidc.scopes: \"a b\"; expected a list of scopes without blanks or quotes, such as [\"profile\", \"groups\"]".into(),
        ),
        (
            "roles = { admin = [\"a\"] }\nlabel = \"\"",
            "6: console.oidc.label: \"\"; expected one line of text for the button".into(),
        ),
    ] {
        assert_eq!(told_with(roles, to), [expected], "{to}");
    }
    assert!(told_with(roles, "")[0].starts_with("1: console.oidc.roles: absent; "));
}

#[test]
fn people_come_back_to_where_browsers_keep_cookies() {
    let url = "expected the https address under which people open the console, without /console, such as \
         \"https://gateway.example.com\"";
    let told = |server: &str, more: &str| {
        parse(&format!("{server}\n{OIDC}{more}{MINIMAL}")).map_err(|error| error.to_string())
    };
    let since = "since browsers keep the console's cookies nowhere else than over https; the server's is";
    assert_eq!(
        told("server.public_url = \"http://gateway.example.com\"", "").unwrap_err(),
        format!(
            "/etc/baoqiao/b.toml:2: console.oidc.public_url: absent; {url}, {since} \"http://gateway.example.com\""
        )
    );
    assert_eq!(
        told("", "public_url = \"http://gateway.example.com\"\n").unwrap_err(),
        format!("/etc/baoqiao/b.toml:7: console.oidc.public_url: \"http://gateway.example.com\"; {url}")
    );
    assert!(told("server.listen = \"10.0.0.5:8080\"", "").is_err());
    for (server, more) in [
        ("server.public_url = \"https://gateway.example.com\"", ""),
        ("server.listen = \"127.0.0.1:0\"", ""),
        ("server.listen = \"[::1]:8080\"", ""),
        ("server.public_url = \"http://gateway.example.com\"", "public_url = \"https://g.example.com\"\n"),
    ] {
        assert!(told(server, more).is_ok(), "{server} {more}");
    }
}
