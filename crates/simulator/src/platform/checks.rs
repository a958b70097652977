//! The checks of the system parameters, each with the platform's code, in the order of the codes.
//!
//! The app key's codes (28, 29) come before that of the signature (25), which cannot be checked without its secret;
//! a timestamp is judged (31) only once the signature vouches for it.

use std::collections::HashMap;

use http::Method;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use baoqiao_channels::access::Secret;

use super::call::Call;
use super::fault::Fault;
use super::interface::Interface;
use super::signature::{signature, string_to_sign};

/// How far a timestamp may be off, to either side (protocols.md §1).
const TIMESTAMP_WINDOW_S: i64 = 600;

/// Who may call, and what.
#[derive(Debug)]
pub(super) struct Rules<'a> {
    /// The secret of each app key.
    pub(super) apps: &'a HashMap<String, Secret>,
    /// Whether a method that is none of the interfaces is taken.
    pub(super) any_method: bool,
}

/// A call refused, and what helps to see why.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) fault: Fault,
    /// For code 25: the text that the platform has digested.
    pub(super) string_to_sign: Option<String>,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { fault, string_to_sign: None }
    }
}

/// The interface that the call is for, once everything about the call is right.
pub(super) fn check(call: &Call, rules: &Rules<'_>, now: Timestamp) -> Result<Interface, Refused> {
    if call.http_method != Method::POST && call.http_method != Method::GET {
        return Err(Fault::of(9).into());
    }
    let required = |name: &str, missing: u32| call.parameter(name).ok_or_else(|| Fault::of(missing));
    let method = required("method", 21)?;
    let interface = Interface::of(method, rules.any_method).ok_or_else(|| Fault::of(22))?;
    if call.parameter("format").is_some_and(|format| !matches!(format, "xml" | "json")) {
        return Err(Fault::of(23).into());
    }
    let sign = required("sign", 24)?;
    let app_key = required("app_key", 28)?;
    let secret = rules.apps.get(app_key).ok_or_else(|| Fault::of(29))?;
    check_signature(call, sign, secret)?;
    let timestamp = instant(required("timestamp", 30)?).ok_or_else(|| Fault::of(31))?;
    if timestamp.as_second().abs_diff(now.as_second()) > TIMESTAMP_WINDOW_S.unsigned_abs() {
        return Err(Fault::of(31).into());
    }
    check_version(required("v", 32)?)?;
    interface.check_arguments(call)?;
    Ok(interface)
}

/// Without `sign_method` the platform takes the signature for MD5.
fn check_signature(call: &Call, sign: &str, secret: &Secret) -> Result<(), Refused> {
    let text = string_to_sign(&call.parameters, &call.text);
    let expected = signature(call.parameter("sign_method").unwrap_or("md5"), secret.expose(), &text);
    if expected.as_deref() == Some(sign) {
        return Ok(());
    }
    Err(Refused { fault: Fault::of(25), string_to_sign: Some(text) })
}

fn check_version(version: &str) -> Result<(), Fault> {
    let well_formed = version.split_once('.').is_some_and(|(major, minor)| {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits(major) && digits(minor)
    });
    match version {
        "2.0" => Ok(()),
        _ if well_formed => Err(Fault::of(34)),
        _ => Err(Fault::of(33)),
    }
}

/// `yyyy-MM-dd HH:mm:ss` in GMT+8, to the letter.
fn instant(text: &str) -> Option<Timestamp> {
    let local = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
    let to_the_letter = local.strftime("%Y-%m-%d %H:%M:%S").to_string() == text;
    to_the_letter.then(|| Offset::constant(8).to_timestamp(local).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qimen::{Charset, encode_query};
    use baoqiao_channels::channel::RawRequest;

    type Changed<'a> = &'a [(&'a str, Option<&'a str>)];

    const SYSTEM: [(&str, &str); 6] = [
        ("method", "alibaba.alihealth.insurance.inst.surrender.info.sync"),
        ("app_key", "4272"),
        ("timestamp", "2021-05-31 14:00:00"),
        ("v", "2.0"),
        ("sign_method", "hmac-sha256"),
        ("biz_data", "{\"status\":\"APPLY\"}"),
    ];

    fn apps() -> HashMap<String, Secret> {
        HashMap::from([("4272".to_owned(), Secret::new("helloworld"))])
    }

    /// The code for the usual call with these parameters changed; an absent one is `None`. Signed unless it says.
    fn code_of(http_method: Method, changed: Changed<'_>) -> u32 {
        let mut parameters: Vec<(String, String)> =
            SYSTEM.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        for (name, value) in changed {
            parameters.retain(|(known, _)| known != name);
            parameters.extend(value.map(|value| ((*name).to_owned(), value.to_owned())));
        }
        if !changed.iter().any(|(name, _)| *name == "sign") {
            let method = parameters.iter().find(|(name, _)| name == "sign_method").map_or("md5", |(_, v)| v.as_str());
            let sign = signature(method, "helloworld", &string_to_sign(&parameters, "")).unwrap_or("X".to_owned());
            parameters.push(("sign".to_owned(), sign));
        }
        let pairs = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let raw = RawRequest { query: encode_query(pairs, Charset::Utf8).unwrap().into(), ..RawRequest::default() };
        let now: Timestamp = "2021-05-31T06:00:00Z".parse().unwrap();
        let rules = Rules { apps: &apps(), any_method: false };
        check(&Call::of(http_method, &raw), &rules, now).err().map_or(0, |refused| refused.fault.code)
    }

    #[test]
    fn every_fault_has_its_code() {
        let cases: [(Changed<'_>, u32); 24] = [
            (&[], 0),
            (&[("sign_method", None)], 0),
            (&[("format", Some("json"))], 0),
            (&[("session", Some(""))], 0),
            (&[("method", None)], 21),
            (&[("method", Some(""))], 21),
            (&[("method", Some("taobao.no.such"))], 22),
            (&[("format", Some("yaml"))], 23),
            (&[("sign", None)], 24),
            (&[("sign", Some("883D589ADEF74FF75E0CE22A2B53DD9C"))], 25),
            (&[("sign_method", Some("sha1"))], 25),
            (&[("app_key", None)], 28),
            (&[("app_key", Some("1"))], 29),
            (&[("timestamp", None)], 30),
            (&[("timestamp", Some("2021-05-31T14:00:00"))], 31),
            (&[("timestamp", Some("2021-5-31 14:00:00"))], 31),
            (&[("timestamp", Some("2021-05-31 13:49:59"))], 31),
            (&[("timestamp", Some("2021-05-31 14:10:01"))], 31),
            (&[("timestamp", Some("2021-05-31 14:10:00"))], 0),
            (&[("v", None)], 32),
            (&[("v", Some("two"))], 33),
            (&[("v", Some("1.0"))], 34),
            (&[("biz_data", Some("{"))], 41),
            (&[("biz_data", None)], 0),
        ];
        for (changed, code) in cases {
            assert_eq!(code_of(Method::POST, changed), code, "{changed:?}");
        }
        assert_eq!(code_of(Method::GET, &[]), 0);
        assert_eq!(code_of(Method::PUT, &[]), 9);
    }

    #[test]
    fn of_several_faults_the_first_in_the_order_is_told() {
        let mut faults: Vec<(&str, Option<&str>)> = vec![
            ("method", None),
            ("format", Some("yaml")),
            ("sign", None),
            ("app_key", None),
            ("timestamp", Some("never")),
            ("v", None),
        ];
        for code in [21, 23, 24, 28] {
            assert_eq!(code_of(Method::POST, &faults), code);
            faults.remove(0);
        }
        assert_eq!(code_of(Method::POST, &[("sign", Some("0")), ("timestamp", Some("never"))]), 25);
        assert_eq!(code_of(Method::POST, &faults), 31);
    }

    #[test]
    fn an_auction_result_needs_what_its_document_requires() {
        let auction = |content: Option<&str>| {
            let method = ("method", Some("taobao.auction.insurance.insuranceresultcallback"));
            code_of(Method::POST, &[method, ("biz_data", None), ("insurance_result_a_p_i_request", content)])
        };
        let whole =
            r#"{"biz_id":"24","stage":1,"status":"1","time_of_occurrence":"2025-04-08 09:55:00","insurance_type":1}"#;
        assert_eq!(auction(Some(whole)), 0);
        assert_eq!(auction(None), 0);
        assert_eq!(auction(Some(&whole.replace("\"24\"", "\"\""))), 40);
        assert_eq!(auction(Some(&whole.replace("\"stage\":1,", ""))), 40);
        assert_eq!(auction(Some(&whole.replace("\"stage\":1", "\"stage\":\"one\""))), 41);
        assert_eq!(auction(Some("[]")), 41);
    }
}
