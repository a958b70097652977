//! The interfaces that the platform offers: what each takes and how it answers.

use serde_json::{Map, Value};

use super::answer::{Field, Fields};
use super::call::{Call, SYSTEM};
use super::fault::Fault;

const SURRENDER_SYNC: &str = "alibaba.alihealth.insurance.inst.surrender.info.sync";
const AUCTION_RESULT: &str = "taobao.auction.insurance.insuranceresultcallback";

/// One interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interface {
    /// 保司向我方同步退保信息.
    SurrenderSync,
    /// 保险结果通知.
    AuctionResult,
    /// Any other method, where the scenario allows it.
    Other,
}

/// A field that the document marks 必须.
struct Required {
    name: &'static str,
    number: bool,
}

const REQUIRED_OF_AUCTION: [Required; 5] = [
    Required { name: "biz_id", number: false },
    Required { name: "stage", number: true },
    Required { name: "status", number: true },
    Required { name: "time_of_occurrence", number: false },
    Required { name: "insurance_type", number: true },
];

impl Interface {
    /// The interface with that method name.
    pub(super) fn of(method: &str, any: bool) -> Option<Self> {
        match method {
            SURRENDER_SYNC => Some(Self::SurrenderSync),
            AUCTION_RESULT => Some(Self::AuctionResult),
            _ => (any && is_a_name(method)).then_some(Self::Other),
        }
    }

    /// The parameter that carries the business content as one JSON object.
    fn parameter(self) -> Option<&'static str> {
        match self {
            Self::SurrenderSync => Some("biz_data"),
            Self::AuctionResult => Some("insurance_result_a_p_i_request"),
            Self::Other => None,
        }
    }

    /// Refuses content that is no JSON object (41), lacks a required field (40) or has text for a number (41).
    pub(super) fn check_arguments(self, call: &Call) -> Result<(), Fault> {
        let Some((name, text)) = self.parameter().and_then(|name| Some((name, call.parameter(name)?))) else {
            return Ok(());
        };
        let invalid = || Fault::about(41, name).sub("isv.invalid-parameter", "非法参数");
        let content: Map<String, Value> = serde_json::from_str(text).map_err(|_| invalid())?;
        let required: &[Required] = if self == Self::AuctionResult { &REQUIRED_OF_AUCTION } else { &[] };
        for field in required {
            let value = content.get(field.name).filter(|value| !value.is_null() && value.as_str() != Some(""));
            let value =
                value.ok_or_else(|| Fault::about(40, field.name).sub("isv.missing-parameter", "缺少必选参数"))?;
            if field.number && !is_whole_number(value) {
                return Err(Fault::about(41, field.name).sub("isv.invalid-parameter", "非法参数"));
            }
        }
        Ok(())
    }

    /// The business content: the one object of the interface; of another method every parameter of its own, objects
    /// and lists parsed.
    pub(super) fn content(parameters: &[(String, String)]) -> Value {
        let get = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let interface = get("method").and_then(|method| Self::of(method, true));
        let object = interface.and_then(Self::parameter).and_then(get).and_then(|text| serde_json::from_str(text).ok());
        object.unwrap_or_else(|| {
            let own = parameters.iter().filter(|(name, _)| !SYSTEM.contains(&name.as_str()));
            Value::Object(own.map(|(name, value)| (name.clone(), tree(value))).collect())
        })
    }

    /// The fields of an answer that says yes, as the document prints them.
    pub(super) fn accepted(self) -> Fields {
        match self {
            Self::SurrenderSync => vec![
                ("result_status", Field::text("")),
                ("data", Field::Flag(true)),
                ("result_code", Field::text("")),
                ("result_msg", Field::text("成功")),
            ],
            Self::AuctionResult => vec![("call_success", Field::Flag(true))],
            Self::Other => vec![("success", Field::Flag(true)), ("message", Field::text("成功"))],
        }
    }

    /// The fields of a business refusal: a success to the protocol, a no to the caller.
    pub(super) fn refused(self, code: &str, message: &str) -> Fields {
        match self {
            Self::SurrenderSync => vec![
                ("result_status", Field::text("FAIL")),
                ("data", Field::Flag(false)),
                ("result_code", Field::text(code)),
                ("result_msg", Field::text(message)),
            ],
            Self::AuctionResult => vec![
                ("call_success", Field::Flag(false)),
                ("fail_code", Field::text(code)),
                ("fail_message", Field::text(message)),
            ],
            Self::Other => {
                vec![("success", Field::Flag(false)), ("code", Field::text(code)), ("message", Field::text(message))]
            }
        }
    }
}

/// The name becomes that of an XML element.
fn is_a_name(method: &str) -> bool {
    method.starts_with(|first: char| first.is_ascii_alphabetic())
        && method.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_whole_number(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_i64().is_some(),
        Value::String(text) => text.parse::<i64>().is_ok(),
        _ => false,
    }
}

fn tree(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}
