//! A call as a policy source makes it, to try things with.

use http::HeaderValue;

use super::HMAC_HEADER;
use crate::access::Access;
use crate::channel::{Draft, RawRequest};
use crate::sign_method::SignMethod;

/// With the HMAC header of the source's first secret, where it has one.
pub(super) fn compose(caller: &str, draft: &Draft, access: &Access) -> Option<RawRequest> {
    let source = access.source(caller)?;
    let mut headers = draft.headers();
    if let Some(secret) = source.hmac_secrets.first() {
        let hmac = SignMethod::HmacSha256.sign(secret.expose().as_bytes(), std::iter::once(draft.body.as_ref()));
        headers.insert(HMAC_HEADER, HeaderValue::from_str(&hmac).ok()?);
    }
    Some(RawRequest { headers, body: draft.body.clone(), ..RawRequest::default() })
}
