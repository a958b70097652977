//! Answers of Avatar interfaces: `head` echoed, and one named object with `dealCode` and `dealDesc`.
//!
//! The document gives one code, `1` for success. The others are ours; `docs/avatar-deal-codes.md` heads each.

use jiff::Timestamp;
use serde_json::Value;

use baoqiao_domain::refusal::{Distrust, Refusal};

use super::{body, head_text};
use crate::channel::{RawRequest, Reply};

const JSON: &str = "application/json;charset=UTF-8";

/// `dealCode` of success.
const SUCCESS: &str = "1";

/// What came of a call, in the document's words.
pub(super) struct Deal {
    code: &'static str,
    description: String,
    status: u16,
}

impl Deal {
    pub(super) fn success() -> Self {
        Self { code: SUCCESS, description: "成功".to_owned(), status: http::StatusCode::OK.as_u16() }
    }

    /// Without a signature there is nothing that a forger could learn by being told which check failed, and the
    /// document asks for a description.
    pub(super) fn refused(refusal: &Refusal) -> Self {
        let status = match refusal {
            Refusal::BodyTooLarge { .. } => http::StatusCode::PAYLOAD_TOO_LARGE,
            _ => http::StatusCode::OK,
        };
        let (code, description) = match refusal {
            Refusal::Untrusted(Distrust::UnknownSource(code)) => {
                ("UNKNOWN_POLICY_SOURCE", format!("渠道代码 policySource {code} 未登记"))
            }
            Refusal::Untrusted(Distrust::AddressNotAllowed { source_code, peer }) => {
                ("CALLER_NOT_ALLOWED", format!("来源地址 {peer} 不在渠道 {source_code} 的白名单内"))
            }
            Refusal::Untrusted(Distrust::NoCertificate(code)) => {
                ("CLIENT_CERTIFICATE_REQUIRED", format!("渠道 {code} 须以双向 TLS 出示客户端证书"))
            }
            Refusal::Untrusted(Distrust::CertificateNotAllowed { source_code, certificate }) => (
                "CLIENT_CERTIFICATE_NOT_ALLOWED",
                format!("客户端证书 {certificate} 不是渠道 {source_code} 登记的证书"),
            ),
            Refusal::Untrusted(Distrust::WrongHmac(code)) => {
                ("WRONG_SIGNATURE", format!("渠道 {code} 的签名头 {} 缺失或不符", super::HMAC_HEADER))
            }
            refusal => (refusal.code().as_str(), refusal.public_message()),
        };
        Self { code, description, status: status.as_u16() }
    }

    /// `dealCode`.
    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    /// The answer: the object `name` first and `head` after it, as in the document's sample. What the request does not
    /// have is echoed as an empty text.
    pub(super) fn reply(self, raw: &RawRequest, name: &str, policy_no: Option<&str>, now: Timestamp) -> Reply {
        let object = body(raw).unwrap_or_default();
        let quoted = |text: String| Value::from(text).to_string();
        let head = |name| quoted(head_text(&object, name).unwrap_or_default());
        let answer = format!(
            "{{{}:{{\"dealCode\":{},\"dealDesc\":{},\"policyNo\":{}}},\"head\":{{\"interfaceType\":{},\"orderNo\":{},\
             \"policySource\":{},\"respTime\":{},\"uuid\":{}}}}}",
            quoted(name.to_owned()),
            quoted(self.code.to_owned()),
            quoted(self.description),
            quoted(policy_no.unwrap_or_default().to_owned()),
            head("interfaceType"),
            head("orderNo"),
            head("policySource"),
            now.as_millisecond(),
            head("uuid"),
        );
        Reply { status: self.status, content_type: JSON, body: answer.into_bytes() }
    }
}
