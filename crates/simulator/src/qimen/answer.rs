//! What a gateway answered.

use std::borrow::Cow;
use std::time::Duration;

use baoqiao_channels::channel::RawRequest;
use baoqiao_channels::qimen::body;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

/// An answer as it came, and how long it took.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// From the start of sending to the last byte.
    pub elapsed: Duration,
}

/// What an answer says of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// `success` is true.
    Accepted,
    /// `success` is there and is not true.
    Refused {
        /// `errorCode` or `responseCode`, as the interface calls it.
        code: String,
        /// `errorMessage` or `responseMessage`.
        message: String,
    },
    /// Not an answer of any Qimen interface.
    NotAnAnswer {
        /// Why not, in English.
        reason: String,
    },
}

impl Answer {
    /// The body as text, by its charset.
    pub fn text(&self) -> Cow<'_, str> {
        body::charset(&self.headers).decode(&self.body).0
    }

    /// The body's fields, from JSON or from `<response>`; `None` when it is neither.
    pub fn fields(&self) -> Option<Map<String, Value>> {
        let raw = RawRequest { headers: self.headers.clone(), body: self.body.clone(), ..RawRequest::default() };
        body::read(&raw).ok()
    }

    /// What the answer says, by its body and not by its status alone (protocols.md §2).
    pub fn verdict(&self) -> Verdict {
        self.verdict_of(self.fields().as_ref())
    }

    /// The verdict where the fields have been read already.
    pub(crate) fn verdict_of(&self, fields: Option<&Map<String, Value>>) -> Verdict {
        if self.status != StatusCode::OK {
            return Verdict::NotAnAnswer {
                reason: format!("HTTP status {} where business answers have 200", self.status),
            };
        }
        let field = |names: &[&str]| {
            let value = names.iter().find_map(|name| fields?.get(*name))?;
            Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        match field(&["success"]) {
            None => Verdict::NotAnAnswer { reason: "the body has no field \"success\"".to_owned() },
            Some(success) if success == "true" => Verdict::Accepted,
            Some(_) => Verdict::Refused {
                code: field(&["errorCode", "responseCode"]).unwrap_or_default(),
                message: field(&["errorMessage", "responseMessage"]).unwrap_or_default(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::CONTENT_TYPE;

    fn answer(status: u16, content_type: &str, body: &[u8]) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]),
            body: Bytes::copy_from_slice(body),
            elapsed: Duration::ZERO,
        }
    }

    fn json(status: u16, body: &str) -> Verdict {
        answer(status, "application/json;charset=utf-8", body.as_bytes()).verdict()
    }

    #[test]
    fn success_is_a_string_in_one_interface_and_a_boolean_in_another() {
        assert_eq!(json(200, r#"{"success":"true"}"#), Verdict::Accepted);
        assert_eq!(json(200, r#"{"success":true}"#), Verdict::Accepted);
        let (xml, _, _) = encoding_rs::GBK.encode("<response><success>true</success><m>张</m></response>");
        let xml = answer(200, "text/xml;charset=gbk", &xml);
        assert_eq!(xml.verdict(), Verdict::Accepted);
        assert!(xml.text().contains('张'));
    }

    #[test]
    fn a_refusal_is_told_under_either_interfaces_names() {
        let refused =
            |code: &str, message: &str| Verdict::Refused { code: code.to_owned(), message: message.to_owned() };
        assert_eq!(
            json(200, r#"{"success":"不等于true","errorMessage":"Illegal request","errorCode":"sign-check-failure"}"#),
            refused("sign-check-failure", "Illegal request")
        );
        assert_eq!(json(200, r#"{"success":false,"responseCode":"X","responseMessage":"y"}"#), refused("X", "y"));
    }

    #[test]
    fn anything_else_is_no_answer() {
        for (status, body) in [
            (404, "<html>not found</html>"),
            (200, "<html>hello</html>"),
            (200, "{}"),
            (200, ""),
            (500, r#"{"success":"true"}"#),
        ] {
            let verdict = json(status, body);
            assert!(matches!(verdict, Verdict::NotAnAnswer { .. }), "{status} {body}");
        }
    }
}
