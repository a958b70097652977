//! The platform's check of a caller's signature, from protocols.md §1 and judged by the SDK's vectors.
//!
//! Deliberately apart from `baoqiao_channels::top::sign`, which signs the gateway's calls.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;

/// The text that a caller signs: every parameter but `sign` and but those with an empty name or value, by name in
/// UTF-16 code units; then the body of a call that has a text body.
pub(super) fn string_to_sign(parameters: &[(String, String)], body: &str) -> String {
    let takes_part = |name: &str, value: &str| name != "sign" && !name.is_empty() && !value.is_empty();
    let mut names: Vec<(Vec<u16>, &str, &str)> = parameters
        .iter()
        .filter(|(name, value)| takes_part(name, value))
        .map(|(name, value)| (name.encode_utf16().collect(), name.as_str(), value.as_str()))
        .collect();
    names.sort();
    names.iter().map(|(_, name, value)| format!("{name}{value}")).chain([body.to_owned()]).collect()
}

/// The signature of that text, upper-case hex; `None` for a `sign_method` that the platform does not know.
pub(super) fn signature(sign_method: &str, secret: &str, text: &str) -> Option<String> {
    match sign_method {
        "md5" => Some(hex(&Md5::digest(format!("{secret}{text}{secret}")))),
        "hmac" => keyed::<Hmac<Md5>>(secret, text),
        "hmac-sha256" => keyed::<Hmac<Sha256>>(secret, text),
        _ => None,
    }
}

fn keyed<M: Mac + KeyInit>(secret: &str, text: &str) -> Option<String> {
    let mut mac = <M as KeyInit>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(text.as_bytes());
    Some(hex(&mac.finalize().into_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02X}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        secret: String,
        sign_method: String,
        params: HashMap<String, String>,
        body: Option<String>,
        sign: String,
    }

    #[test]
    fn every_vector_of_the_platforms_sdk() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../../channels/golden/vectors/top-caller-sign.json")).unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let mut parameters: Vec<(String, String)> = case.params.into_iter().collect();
            parameters.push(("sign".to_owned(), case.sign.clone()));
            let text = string_to_sign(&parameters, &case.body.unwrap_or_default());
            assert_eq!(signature(&case.sign_method, &case.secret, &text), Some(case.sign), "{}", case.name);
        }
    }

    #[test]
    fn another_method_signs_nothing() {
        assert_eq!(signature("MD5", "s", "t"), None);
    }
}
