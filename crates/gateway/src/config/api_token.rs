//! `[[api_token]]`: who of the insurer's own systems may use `/api/v1`, and for what. None means nobody.

use super::partner::once;
use super::reader::{Section, name};
use super::secret;
use crate::http::api::{ApiToken, Scope};

const EXPECTED_NAME: &str = "a name of at most 64 letters, digits, hyphens, underscores and dots, such as \"core\"";
const EXPECTED_TOKEN: &str = "a token in quotes, { env = \"NAME\" } or { file = \"PATH\" }";
/// Digests of tokens are not salted: a token has to be long enough not to be guessed.
const MIN_BYTES: usize = 32;

pub(super) fn read_all(root: &Section<'_>) -> Vec<ApiToken> {
    let expected_scopes = format!("a list of {}", Scope::ALL.map(|scope| format!("{:?}", scope.as_str())).join(", "));
    let mut names = Vec::new();
    let tokens = root.optional_sections("api_token", |section| {
        let name = section.text("name", EXPECTED_NAME, name);
        once(&mut names, name, section.item("name"), "a name of its own");
        let token = read_token(section);
        let scopes = section
            .required_item("scopes", &expected_scopes)
            .and_then(|item| item.texts(&expected_scopes, |item| item.text(&expected_scopes, Scope::from_name)));
        Some(ApiToken::new(name?, &token?, &scopes?))
    });
    tokens.into_iter().flatten().collect()
}

fn read_token(section: &Section<'_>) -> Option<String> {
    let item = section.required_item("token", EXPECTED_TOKEN)?;
    let secret = secret::resolve(&item)?;
    let token = secret.expose();
    // RFC 6750 §2.1, `b64token`.
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.len() < MIN_BYTES || !token.bytes().all(allowed) {
        let expected =
            format!("at least {MIN_BYTES} letters, digits and - . _ ~ + / =, such as `openssl rand -hex 32` gives");
        item.refuse_as("a token that is too short or has other characters", expected);
        return None;
    }
    Some(token.to_owned())
}
