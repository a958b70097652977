//! `[[api_token]]` and `[[webhook]]`: what is taken, and how the rest is refused.

use super::*;

const TOKEN: &str = r#"[[api_token]]
name = "core"
token = "hidden-0123456789-0123456789-0123456789"
scopes = ["policies:read", "people:read"]
"#;

fn told(text: &str) -> Vec<String> {
    let ConfigError::Invalid { problems, .. } = parse(text).unwrap_err() else { panic!("no problems") };
    problems.into_iter().map(|problem| format!("{}: {}", problem.key.unwrap(), problem.message)).collect()
}

#[test]
fn a_token_is_read_from_wherever_it_is_and_kept_as_a_digest() {
    assert_eq!(parse(MINIMAL).unwrap().api_tokens, []);
    let config = parse(&format!("{MINIMAL}{TOKEN}")).unwrap();
    assert_eq!(config.api_tokens.len(), 1);
    assert!(!format!("{config:?}").contains("hidden"));
    let folder = Folder::new("tokens");
    folder.write("token", "hidden-0123456789-0123456789-0123456789\n");
    let text = TOKEN.replace("\"hidden-0123456789-0123456789-0123456789\"", "{ file = \"token\" }");
    let path = folder.write("b.toml", format!("{MINIMAL}{text}"));
    assert_eq!(Config::load(&path, &env).unwrap().api_tokens, config.api_tokens);
}

#[test]
fn a_weak_token_and_an_unknown_scope_are_refused_without_showing_the_token() {
    for (from, to, expected) in [
        (
            "hidden-0123456789-0123456789-0123456789",
            "hidden",
            "api_token.token: a token that is too short or has other characters; expected at least 32",
        ),
        (
            "hidden-0123456789",
            "hidden 0123456789",
            "api_token.token: a token that is too short or has other characters; expected at least 32",
        ),
        (
            "\"people:read\"",
            "\"people:write\"",
            "api_token.scopes: \"people:write\"; expected a list of \"policies:read\", ",
        ),
        ("name = \"core\"\n", "", "api_token.name: absent; expected a name"),
    ] {
        assert!(TOKEN.contains(from), "{from}");
        let told = told(&format!("{MINIMAL}{}", TOKEN.replacen(from, to, 1)));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(expected) && !told[0].contains("hidden"), "{told:?}");
    }
    let twice = told(&format!("{MINIMAL}{TOKEN}{TOKEN}"));
    assert_eq!(twice, ["api_token.name: \"core\"; expected a name of its own: it stands above already"]);
}

#[test]
fn a_webhook_is_a_lane_of_its_own() {
    let config = parse(&format!("{MINIMAL}{WEBHOOK}events = [\"policy.issued\"]\n")).unwrap();
    let webhook = &config.webhooks[0];
    assert_eq!((webhook.lane.partner.as_str(), webhook.lane.concurrency), ("webhook:core", 1));
    assert_eq!(webhook.endpoint.kinds, ["policy.issued"]);
    assert_eq!(parse(&format!("{MINIMAL}{WEBHOOK}")).unwrap().webhooks[0].endpoint.kinds.len(), 5);
    for (from, to, expected) in [
        ("whsec_M", "whsec_", "webhook.secret: a secret of another form; expected \"whsec_\" and base64"),
        ("https://", "ftp://", "webhook.url: \"ftp://core.example.com/events\"; expected an http or https address"),
        (
            "id = \"core\"\n",
            "id = \"core\"\nevents = [\"policy.lapsed\"]\n",
            "webhook.events: \"policy.lapsed\"; expected a list of \"policy.issued\"",
        ),
    ] {
        assert!(WEBHOOK.contains(from), "{from}");
        let told = told(&format!("{MINIMAL}{}", WEBHOOK.replacen(from, to, 1)));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(expected) && !told[0].contains("MfKQ"), "{told:?}");
    }
}
