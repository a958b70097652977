//! `[[platform]]`: where the notices of a partner are sent, with which application, and how fast.

use baoqiao_channels::access::Secret;
use baoqiao_channels::outbound::{AnswerFormat, TopApp};
use http::Uri;

use super::defaults;
use super::partner::{EXPECTED_APP_KEY, once};
use super::reader::{Section, name, plain_text};
use super::secret;
use crate::outbox::LaneConfig;

const EXPECTED_ID: &str = "the id of the partner whose notices are sent there, such as \"alibaba\"";
pub(super) const EXPECTED_URL: &str = "the platform's http or https address without a query, such as \
     \"https://eco.taobao.com/router/rest\"";
const EXPECTED_SECRET: &str = "a secret in quotes, { env = \"NAME\" } or { file = \"PATH\" }";
const EXPECTED_SIGN_METHOD: &str = "\"md5\", \"hmac\" or \"hmac-sha256\"";
const EXPECTED_FORMAT: &str = "\"json\" or \"xml\"";
const EXPECTED_PARTNER_ID: &str = "one line of text, as the platform has given it";

/// The platforms of the file.
pub(super) struct Platforms {
    /// Those in which nothing is missing.
    pub(super) valid: Vec<LaneConfig>,
    /// Every id, so that a partner whose platform has other problems is not told to have none.
    pub(super) ids: Vec<String>,
}

pub(super) fn read_all(root: &Section<'_>) -> Platforms {
    let mut ids = Vec::new();
    let mut app_keys = Vec::new();
    let platforms = root.optional_sections("platform", |section| {
        let id = section.text("id", EXPECTED_ID, name);
        once(&mut ids, id, section.item("id"), "an id of its own");
        let app_key = section.text("app_key", EXPECTED_APP_KEY, name);
        // Two would each keep the rate that the platform allows them together.
        once(&mut app_keys, app_key, section.item("app_key"), "an app key of its own, since rates are kept by it");
        let url = section.text("url", EXPECTED_URL, url);
        let secret = section.required_item("secret", EXPECTED_SECRET).and_then(|item| secret::resolve(&item));
        let app = read_app(section, app_key, secret);
        let rate = section.number_or("calls_per_second", defaults::CALLS_PER_SECOND, 1..=100_000);
        let burst = section.number_or("burst", defaults::BURST, 1..=100_000);
        let concurrency = section.count_or("concurrency", defaults::CONCURRENCY, 1..=10_000);
        let timeout = section.duration_ms_or("timeout_ms", defaults::PLATFORM_TIMEOUT_MS);
        Some(LaneConfig {
            partner: id?.to_owned(),
            url: url?.to_owned(),
            app: app?,
            calls_per_second: u32::try_from(rate).unwrap_or(u32::MAX),
            burst: u32::try_from(burst).unwrap_or(u32::MAX),
            concurrency,
            timeout,
        })
    });
    Platforms { valid: platforms.into_iter().flatten().collect(), ids }
}

fn read_app(section: &Section<'_>, app_key: Option<&str>, secret: Option<Secret>) -> Option<TopApp> {
    let sign_method =
        section.text_or("sign_method", defaults::PLATFORM_SIGN_METHOD, EXPECTED_SIGN_METHOD, |text| text.parse().ok());
    let format = section.text_or("format", AnswerFormat::Json, EXPECTED_FORMAT, AnswerFormat::from_name);
    let session = section.item("session").and_then(|item| secret::resolve(&item));
    let text =
        |key| section.text_or(key, None, EXPECTED_PARTNER_ID, |text| plain_text(text).map(str::to_owned).map(Some));
    let (partner_id, target_app_key) = (text("partner_id"), text("target_app_key"));
    Some(TopApp {
        app_key: app_key?.to_owned(),
        secret: secret?,
        sign_method,
        format,
        session,
        partner_id,
        target_app_key,
    })
}

/// The address, where it is one that can be posted to.
pub(super) fn url(text: &str) -> Option<&str> {
    let uri: Uri = text.parse().ok()?;
    let authority = uri.authority()?;
    let fits = matches!(uri.scheme_str(), Some("http" | "https"))
        && !authority.host().is_empty()
        && authority.port_u16() != Some(0)
        && !text.contains(['@', '?', '#']);
    fits.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platforms_address_is_one_that_can_be_posted_to() {
        for good in ["https://eco.taobao.com/router/rest", "http://127.0.0.1:8090/router/rest", "http://[::1]:8090/"] {
            assert_eq!(url(good), Some(good));
        }
        for bad in [
            "",
            "eco.taobao.com",
            "/router/rest",
            "ftp://x/",
            "http://x:0/",
            "http://u@x/",
            "http://x/?a=1",
            "http://x/#a",
        ] {
            assert_eq!(url(bad), None, "{bad}");
        }
    }
}
