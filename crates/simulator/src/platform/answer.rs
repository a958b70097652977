//! Answers in the platform's envelopes: XML by default, JSON and simplified JSON on request, gzip where accepted.

use std::fmt::Write as _;
use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use quick_xml::escape::escape;
use serde_json::{Map, Value, json};

use super::fault::Fault;

/// How the caller wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Xml,
    Json,
    /// `simplify=true`: no envelope around a success.
    SimplifiedJson,
}

/// The format, and whether it may be compressed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) format: Format,
    pub(super) gzip: bool,
}

/// A field's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Text(String),
    Flag(bool),
    Code(u32),
}

impl Field {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    fn as_json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Flag(flag) => json!(flag),
            Self::Code(code) => json!(code),
        }
    }

    fn as_xml(&self) -> String {
        match self {
            Self::Text(text) => escape(text.as_str()).into_owned(),
            Self::Flag(flag) => flag.to_string(),
            Self::Code(code) => code.to_string(),
        }
    }
}

/// The fields of an answer in their order.
pub(super) type Fields = Vec<(&'static str, Field)>;

/// An answer's envelope and fields.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    envelope: String,
    fields: Fields,
    fault: bool,
}

impl Answer {
    /// A success of that method, in the protocol's sense.
    pub(super) fn success(method: &str, mut fields: Fields, request_id: &str) -> Self {
        let name = method.strip_prefix("taobao.").unwrap_or(method);
        fields.push(("request_id", Field::text(request_id)));
        Self { envelope: format!("{}_response", name.replace('.', "_")), fields, fault: false }
    }

    /// An `error_response`.
    pub(super) fn fault(fault: &Fault, request_id: &str) -> Self {
        let mut fields = vec![("code", Field::Code(fault.code)), ("msg", Field::text(fault.msg.clone()))];
        fields.extend(fault.sub_code.clone().map(|code| ("sub_code", Field::text(code))));
        fields.extend(fault.sub_msg.clone().map(|msg| ("sub_msg", Field::text(msg))));
        fields.push(("request_id", Field::text(request_id)));
        Self { envelope: "error_response".to_owned(), fields, fault: true }
    }

    /// The answer as text.
    pub(super) fn text(&self, format: Format) -> String {
        if format == Format::Xml {
            return self.xml();
        }
        let fields: Map<String, Value> =
            self.fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_json())).collect();
        if format == Format::SimplifiedJson && !self.fault {
            return Value::Object(fields).to_string();
        }
        json!({ self.envelope.as_str(): fields }).to_string()
    }

    fn xml(&self) -> String {
        let root = &self.envelope;
        let mut xml = format!("<?xml version=\"1.0\" encoding=\"utf-8\" ?><{root}>");
        for (name, value) in &self.fields {
            let _ = write!(xml, "<{name}>{}</{name}>", value.as_xml());
        }
        let _ = write!(xml, "</{root}>");
        xml
    }
}

/// The content type that comes with a format: the platform calls its JSON JavaScript.
pub(super) fn content_type(format: Format) -> &'static str {
    match format {
        Format::Xml => "text/xml;charset=UTF-8",
        Format::Json | Format::SimplifiedJson => "text/javascript;charset=UTF-8",
    }
}

/// The HTTP response with these bytes, compressed where the caller accepts it.
pub(super) fn response(status: StatusCode, content_type: &str, body: Vec<u8>, gzip: bool) -> Response<Full<Bytes>> {
    let compressed = gzip.then(|| gzipped(&body)).flatten();
    let encoded = compressed.is_some();
    let mut response = Response::new(Full::new(Bytes::from(compressed.unwrap_or(body))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(content_type) {
        headers.insert(CONTENT_TYPE, value);
    }
    if encoded {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Writing into memory does not fail; were it to, the answer would go out as it is.
fn gzipped(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::super::interface::Interface;
    use super::*;

    #[test]
    fn the_envelope_is_the_method_without_taobao() {
        let interface = Interface::AuctionResult;
        let method = "taobao.auction.insurance.insuranceresultcallback";
        let answer = Answer::success(method, interface.refused("XXX_ERROR", "a<b&c"), "r1");
        let xml = "<?xml version=\"1.0\" encoding=\"utf-8\" ?><auction_insurance_insuranceresultcallback_response><call_success>false</call_success><fail_code>XXX_ERROR</fail_code><fail_message>a&lt;b&amp;c</fail_message><request_id>r1</request_id></auction_insurance_insuranceresultcallback_response>";
        assert_eq!(answer.text(Format::Xml), xml);
        let fields =
            json!({"call_success": false, "fail_code": "XXX_ERROR", "fail_message": "a<b&c", "request_id": "r1"});
        let json = json!({"auction_insurance_insuranceresultcallback_response": fields});
        assert_eq!(answer.text(Format::Json), json.to_string());
        assert_eq!(answer.text(Format::SimplifiedJson), fields.to_string());
    }

    #[test]
    fn a_fault_keeps_its_envelope_even_when_simplified() {
        let answer = Answer::fault(&Fault::remote_service(), "r2");
        let json = json!({"error_response": {"code": 15, "msg": "Remote service error", "sub_code": "isp.remote-service-error", "sub_msg": "远程服务调用异常", "request_id": "r2"}});
        assert_eq!(answer.text(Format::SimplifiedJson), json.to_string());
        assert!(Answer::fault(&Fault::of(25), "r").text(Format::Xml).contains("<error_response><code>25</code><msg>"));
    }
}
