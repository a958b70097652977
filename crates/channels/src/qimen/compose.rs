//! A call as the platform makes it, to try things with.

use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use baoqiao_domain::time::format_gmt8;

use crate::access::Access;
use crate::channel::{Draft, Interface, RawRequest};
use crate::rule::Rule;
use crate::sign_method::SignMethod;

/// Signed by the receiver's rule with the partner's first secret, by the first method that it may use.
pub(super) fn compose(
    interface: &dyn Interface,
    caller: &str,
    draft: &Draft,
    access: &Access,
    now: Timestamp,
) -> Option<RawRequest> {
    let partner = access.partners().into_iter().find(|partner| partner.id == caller)?;
    let method = access.method_of(interface.scope())?;
    let sign_method = partner.sign_methods.first().copied().unwrap_or(SignMethod::Md5);
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let query = format!(
        "method={}&app_key={}&timestamp={}&format=json&v=2.0&sign_method={sign_method}",
        encoded(method),
        encoded(&partner.app_key),
        encoded(&format_gmt8(now)),
    );
    let mut raw = RawRequest { query: query.clone().into(), headers: draft.headers(), body: draft.body.clone() };
    let secret = partner.secrets.first()?;
    let signature = Rule::Receiver.signature(&raw, sign_method, secret.expose());
    raw.query = format!("{query}&sign={signature}").into();
    Some(raw)
}
