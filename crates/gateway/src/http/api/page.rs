//! Pages of a list, and the opaque cursors between them.

use std::fmt::Display;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::ToSchema;

use super::parameters::Parameters;
use crate::ledger::lists::Slice;

/// One page of a list, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// What fits the filter. A page may hold fewer than `limit`, even none, and not be the last.
    items: Vec<T>,
    /// The `cursor` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<T> Page<T> {
    /// The page that a slice of that list is.
    pub(super) fn of<R, P: Display>(list: &str, slice: Slice<R, P>, view: impl FnMut(R) -> T) -> Self {
        let next = slice.next.map(|place| encode(list, &place));
        Self { items: slice.items.into_iter().map(view).collect(), next }
    }
}

fn encode(list: &str, place: &impl Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list}:{place}"))
}

/// The parameter `cursor` of that list. It tells the place alone: the filter comes with each call again.
pub(super) fn cursor<P: FromStr>(parameters: &Parameters, list: &str) -> Option<P> {
    parameters.read("cursor", "上一页返回的 next", |text| {
        let decoded = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        decoded.strip_prefix(list)?.strip_prefix(':')?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::lists::PolicyPlace;

    #[test]
    fn a_cursor_fits_its_own_list_only() {
        let place = PolicyPlace { issued_ms: -5, sequence: 7 };
        let text = encode("policies", &place);
        let query = format!("cursor={text}");
        let parameters = || Parameters::of(Some(&query));
        assert_eq!(cursor(&parameters(), "policies"), Some(place));
        let other = parameters();
        assert_eq!(cursor::<PolicyPlace>(&other, "messages"), None);
        assert!(other.finish().is_err());
    }
}
