//! What the pages are dressed in, embedded. An address carries its content's hash, so that browsers may keep it for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use sha2::{Digest, Sha256};

/// Where they are served.
pub(super) const BASE: &str = "/console/assets";
/// Characters of the hash in an address.
const HASH_CHARS: usize = 16;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: &'static str,
}

const ASSETS: [Asset; 4] = [
    Asset {
        name: "console.css",
        content_type: "text/css; charset=utf-8",
        content: concat!(
            include_str!("assets/tokens.css"),
            include_str!("assets/base.css"),
            include_str!("assets/layout.css"),
            include_str!("assets/parts.css"),
            include_str!("assets/pages.css"),
        ),
    },
    Asset {
        name: "console.js",
        content_type: "text/javascript; charset=utf-8",
        content: include_str!("assets/console.js"),
    },
    Asset {
        name: "htmx.js",
        content_type: "text/javascript; charset=utf-8",
        content: include_str!("assets/htmx.min.js"),
    },
    Asset { name: "icon.svg", content_type: "image/svg+xml", content: include_str!("assets/icon.svg") },
];

static ADDRESSES: LazyLock<[(&str, String); ASSETS.len()]> = LazyLock::new(|| {
    ASSETS.each_ref().map(|asset| {
        let digest = Sha256::digest(asset.content);
        let hash = URL_SAFE_NO_PAD.encode(digest);
        let (stem, extension) = asset.name.rsplit_once('.').unwrap_or((asset.name, ""));
        (asset.name, format!("{stem}-{}.{extension}", hash.get(..HASH_CHARS).unwrap_or_default()))
    })
});

/// The address of an asset.
pub(super) fn address(name: &str) -> String {
    let known = ADDRESSES.iter().find(|(known, _)| *known == name);
    format!("{BASE}/{}", known.map_or(name, |(_, address)| address))
}

/// `GET /console/assets/{name}-{hash}.{extension}`.
pub(super) async fn serve(Path(asked): Path<String>) -> Response {
    let found = ASSETS.iter().zip(ADDRESSES.iter()).find(|(_, (_, address))| *address == asked);
    let Some((asset, _)) = found else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [(CONTENT_TYPE, asset.content_type), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, asset.content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_its_content() {
        let address = address("console.css");
        let hash = address.strip_prefix("/console/assets/console-").unwrap().strip_suffix(".css").unwrap();
        assert_eq!(hash.len(), HASH_CHARS, "{address}");
    }

    /// A brace that is missing makes one rule swallow those after it: browsers read that as rules inside a rule.
    #[test]
    fn every_rule_of_the_style_sheet_ends_before_the_next_begins() {
        let style = ASSETS.iter().find(|asset| asset.name == "console.css").unwrap().content;
        let mut depth = 0;
        for line in style.lines() {
            let begins_at_the_margin = line.starts_with(|c: char| !c.is_whitespace() && c != '}');
            assert!(depth == 0 || !begins_at_the_margin, "inside another rule: {line}");
            depth += line.matches('{').count();
            depth = depth.checked_sub(line.matches('}').count()).unwrap();
        }
        assert_eq!(depth, 0);
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        for asset in ASSETS.iter().filter(|asset| asset.name != "htmx.js") {
            let content = asset.content.replace("http://www.w3.org/2000/svg", "");
            assert!(!content.contains("http:") && !content.contains("https:"), "{}", asset.name);
            assert!(!content.contains("@import") && !content.contains("url("), "{}", asset.name);
        }
    }
}
