//! The caller's signature (protocols.md §1): whoever calls TOP or Qimen signs by this rule.

use crate::sign_method::SignMethod;

/// The text that is signed: every parameter but `sign`, and but those with an empty name or value, sorted by
/// name in UTF-16 code units, name and value joined; then the body when the call has a text body.
pub fn string_to_sign<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>, body: Option<&str>) -> String {
    let mut signed: Vec<(&str, &str)> = parameters
        .into_iter()
        .filter(|(name, value)| *name != "sign" && !name.is_empty() && !value.is_empty())
        .collect();
    signed.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    let mut joined = String::new();
    for (name, value) in signed {
        joined.push_str(name);
        joined.push_str(value);
    }
    joined.push_str(body.unwrap_or_default());
    joined
}

/// The signature of a call: upper-case hex over [`string_to_sign`] in UTF-8.
pub fn sign<'a>(
    method: SignMethod,
    secret: &str,
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    body: Option<&str>,
) -> String {
    let joined = string_to_sign(parameters, body);
    method.sign(secret.as_bytes(), std::iter::once(joined.as_bytes()))
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
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../golden/vectors/top-caller-sign.json")).unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let parameters = case.params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let method = case.sign_method.parse().unwrap();
            let signature = sign(method, &case.secret, parameters, case.body.as_deref());
            assert_eq!(signature, case.sign, "{} by {}", case.name, case.sign_method);
        }
    }
}
