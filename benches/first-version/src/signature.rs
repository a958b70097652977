//! The receiver's check: MD5 over the sorted parameters and the body, between two secrets.

use md5::{Digest, Md5};

/// The query's parameters, decoded, sorted by name.
pub fn parameters(query: &str) -> Vec<(String, String)> {
    let mut parameters: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    parameters.sort();
    parameters
}

/// The value of a parameter.
pub fn value<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value.as_str())
}

/// Whether `secret` makes the signature that came.
pub fn is_right(parameters: &[(String, String)], body: &[u8], secret: &str) -> bool {
    let mut digest = Md5::new();
    digest.update(secret);
    for (name, value) in parameters.iter().filter(|(name, _)| name != "sign") {
        digest.update(name);
        digest.update(value);
    }
    digest.update(body);
    digest.update(secret);
    let ours: String = digest.finalize().iter().map(|byte| format!("{byte:02X}")).collect();
    value(parameters, "sign") == Some(ours.as_str())
}
