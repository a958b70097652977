//! `[[partner]]`: who may call, and how each proves it.

use baoqiao_channels::access::Partner;
use baoqiao_channels::explain::{SpareKind, SpareSecret};

use super::reader::{Item, Section, name};
use super::{defaults, secret};

const EXPECTED_ID: &str = "an id of at most 64 letters, digits, hyphens, underscores and dots, such as \"alibaba\"";
pub(super) const EXPECTED_APP_KEY: &str = "an app key of at most 64 letters, digits, hyphens, underscores and dots";
const EXPECTED_SIGN_METHODS: &str = "a list of \"md5\", \"hmac\" and \"hmac-sha256\"";

/// The partners of the file.
pub(super) struct Partners {
    /// Those in which nothing is missing.
    pub(super) valid: Vec<Partner>,
    /// Every id, so that a product that names a partner with other problems is not told to be wrong too.
    pub(super) ids: Vec<String>,
    /// The ids of those that want to hear of rescinded and surrendered policies.
    pub(super) surrender_sync: Vec<String>,
    /// The secrets that are only tried when a signature is explained.
    pub(super) spare_secrets: Vec<SpareSecret>,
}

pub(super) fn read_all(root: &Section<'_>, platform_ids: &[String]) -> Partners {
    let mut ids = Vec::new();
    let mut app_keys = Vec::new();
    let mut surrender_sync = Vec::new();
    let mut spare_secrets = Vec::new();
    let partners = root.sections("partner", |section| {
        let id = section.text("id", EXPECTED_ID, name);
        once(&mut ids, id, section.item("id"), "an id of its own");
        let app_key = section.text("app_key", EXPECTED_APP_KEY, name);
        once(&mut app_keys, app_key, section.item("app_key"), "an app key of its own");
        let secrets = secret::read(section);
        for (key, kind) in [("previous_secrets", SpareKind::Previous), ("sandbox_secrets", SpareKind::Sandbox)] {
            let spare = secret::spare(section, key, secrets.as_deref()).unwrap_or_default();
            let named = |secret| SpareSecret { owner: id.unwrap_or_default().to_owned(), kind, secret };
            spare_secrets.extend(spare.into_iter().map(named));
        }
        let sign_methods = section.item("sign_methods").map_or_else(
            || Some(defaults::SIGN_METHODS.to_vec()),
            |item| item.texts(EXPECTED_SIGN_METHODS, |item| item.text(EXPECTED_SIGN_METHODS, |text| text.parse().ok())),
        );
        if section.flag_or("surrender_sync", defaults::SURRENDER_SYNC) {
            refuse_without_platform(section, id, platform_ids);
            surrender_sync.extend(id.map(str::to_owned));
        }
        let window_s = section.number_or("timestamp_window_s", defaults::TIMESTAMP_WINDOW_S, 1..=86_400);
        Some(Partner {
            id: id?.to_owned(),
            app_key: app_key?.to_owned(),
            secrets: secrets?,
            sign_methods: sign_methods?,
            timestamp_window_s: i64::try_from(window_s).unwrap_or(i64::MAX),
        })
    });
    Partners { valid: partners.into_iter().flatten().collect(), ids, surrender_sync, spare_secrets }
}

/// Notices to a partner that no platform leads to would wait for ever, and nobody would notice.
fn refuse_without_platform(section: &Section<'_>, id: Option<&str>, platform_ids: &[String]) {
    let Some(id) = id.filter(|id| !platform_ids.iter().any(|known| known == id)) else { return };
    if let Some(item) = section.item("surrender_sync") {
        item.refuse(format_args!("a [[platform]] with the id {id:?}, through which it can be told"));
    }
}

/// Adds the name to those seen, and notes when it was among them.
pub(super) fn once(seen: &mut Vec<String>, name: Option<&str>, item: Option<Item<'_>>, expected: &str) {
    let (Some(name), Some(item)) = (name, item) else { return };
    if seen.iter().any(|other| other == name) {
        item.refuse(format_args!("{expected}: it stands above already"));
    }
    seen.push(name.to_owned());
}
