//! `[console.oidc]`: the OpenID provider through which people sign in to the console.

use super::reader::{Section, plain_text};
use super::server::{ServerConfig, public_url};
use super::{defaults, secret};
use crate::console::oidc::{PersonRules, ProviderConfig, is_safe_address};
use crate::console::role::Role;

const EXPECTED_ISSUER: &str = "the provider's https address as it names itself (issuer), without a query, such as \
     \"https://sso.example.com/realms/insurer\"";
const EXPECTED_CLIENT_ID: &str = "the client's id, as the provider has given it";
const EXPECTED_SECRET: &str = "the client's secret in quotes, { env = \"NAME\" } or { file = \"PATH\" }";
const EXPECTED_PUBLIC_URL: &str = "the https address under which people open the console, without /console, such as \
     \"https://gateway.example.com\"";
const EXPECTED_LABEL: &str = "one line of text for the button";
const EXPECTED_SCOPES: &str = "a list of scopes without blanks or quotes, such as [\"profile\", \"groups\"]";
const EXPECTED_CLAIM: &str = "a claim's name, such as \"groups\" or \"realm_access.roles\"";
const EXPECTED_ROLES: &str = "a table [console.oidc.roles] that says which values of the claim give which role";
const EXPECTED_VALUES: &str = "a list of values of the claim, such as [\"baoqiao-admins\"]";
/// The longest text on the button, in characters.
const MAX_LABEL_CHARS: usize = 40;

fn issuer(text: &str) -> Option<&str> {
    (is_safe_address(text) && !text.contains('?')).then_some(text)
}

/// A scope (RFC 6749, 3.3).
fn scope(text: &str) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    (!text.is_empty() && text.bytes().all(fits)).then(|| text.to_owned())
}

pub(super) fn read(section: &Section<'_>, server: &ServerConfig) -> Option<ProviderConfig> {
    let issuer = section.text("issuer", EXPECTED_ISSUER, issuer);
    let client_id = section.text("client_id", EXPECTED_CLIENT_ID, plain_text);
    let client_secret = section.required_item("client_secret", EXPECTED_SECRET).and_then(|item| secret::resolve(&item));
    let public_url = read_public_url(section, server);
    let label = |text: &str| {
        plain_text(text).filter(|text| text.chars().count() <= MAX_LABEL_CHARS).map(|text| Some(text.to_owned()))
    };
    let label = section.text_or("label", None, EXPECTED_LABEL, label);
    let scopes = section.item("scopes").map_or_else(
        || Some(defaults::OIDC_SCOPES.map(str::to_owned).to_vec()),
        |item| item.texts(EXPECTED_SCOPES, |item| item.text(EXPECTED_SCOPES, scope)),
    );
    let claim = |key, default: &'static str| section.text_or(key, default, EXPECTED_CLAIM, plain_text).to_owned();
    let (name_claim, role_claim) =
        (claim("name_claim", defaults::OIDC_NAME_CLAIM), claim("role_claim", defaults::OIDC_ROLE_CLAIM));
    let roles = read_roles(section);
    let password_sign_in = section.flag_or("password_sign_in", defaults::OIDC_PASSWORD_SIGN_IN);
    let timeout = section.duration_ms_or("timeout_ms", defaults::OIDC_TIMEOUT_MS);
    Some(ProviderConfig {
        issuer: issuer?.to_owned(),
        client_id: client_id?.to_owned(),
        client_secret: client_secret?,
        public_url,
        label,
        // Asked for in any case.
        scopes: scopes?.into_iter().filter(|scope| scope != "openid").collect(),
        person: PersonRules { name_claim, role_claim, roles },
        password_sign_in,
        timeout,
    })
}

/// The address that people come back to, which has to be one where browsers keep the console's cookies.
fn read_public_url(section: &Section<'_>, server: &ServerConfig) -> Option<String> {
    let safe = |text: &str| public_url(text).filter(|url| is_safe_address(url)).map(Some);
    let own = server.public_url_at(server.listen);
    if section.item("public_url").is_none() && !is_safe_address(&own) {
        let why =
            format!("{EXPECTED_PUBLIC_URL}, since browsers keep the console's cookies nowhere else than over https");
        section.required_item("public_url", format_args!("{why}; the server's is {own:?}"));
    }
    section.text_or("public_url", None, EXPECTED_PUBLIC_URL, safe)
}

/// `[console.oidc.roles]`: each value once, and at least one.
fn read_roles(section: &Section<'_>) -> Vec<(String, Role)> {
    let Some(table) = section.required_item("roles", EXPECTED_ROLES) else { return Vec::new() };
    let mut roles: Vec<(String, Role)> = Vec::new();
    section.section("roles", |section| {
        for role in Role::ALL {
            let Some(list) = section.item(role.as_str()) else { continue };
            for item in list.list(EXPECTED_VALUES).unwrap_or_default() {
                let Some(value) = item.text(EXPECTED_VALUES, plain_text) else { continue };
                if roles.iter().any(|(known, _)| known == value) {
                    item.refuse("each value once, so that it is plain which role it gives");
                }
                roles.push((value.to_owned(), role));
            }
        }
        if roles.is_empty() && table.is_table() {
            table.refuse_as("no value", format_args!("viewer, operator or admin, each {EXPECTED_VALUES}"));
        }
    });
    roles
}
