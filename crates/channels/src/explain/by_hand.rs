//! A request held against one secret that somebody has at hand, without a configuration.

use super::Explanation;
use super::evidence::Evidence;
use super::letter::Subject;
use super::secrets::Known;
use super::signing::{Check, Signing};
use crate::access::Secret;
use crate::qimen::sign::SignedParts;
use crate::rule::Rule;
use crate::sign_method::{SignMethod, UnknownSignMethod};

/// How the signature of a request comes about by that rule and secret; by the method that the request names unless one is
/// given. The only step is that of the signature.
///
/// # Errors
/// When the request names a method that does not exist.
pub fn by_hand(
    evidence: &Evidence,
    rule: Rule,
    method: Option<SignMethod>,
    secret: &Secret,
) -> Result<Explanation, UnknownSignMethod> {
    let parts = SignedParts::of(&evidence.raw);
    let app_key = parts.text("app_key");
    let named = parts.text("sign_method").filter(|name| !name.is_empty());
    let method = match method {
        Some(method) => method,
        None => named.map_or(Ok(SignMethod::Md5), |name| name.parse())?,
    };
    let secrets = Known::given(secret, app_key.as_deref());
    let check = Check { rule, method, secrets: &secrets, header: None, body_only: false };
    let signing = Signing::of(evidence, &check);
    Ok(Explanation::of(Vec::new(), signing, 0, &Subject::of_parameters(&parts)))
}
