//! 退保: a policy given up before its time, and what the platform is told of it.
//!
//! From the document `alibaba.alihealth.insurance.inst.surrender.info.sync`. It makes every field optional and
//! lists no values for `status` and `type`: it only shows `APPLY` and `USER_SUBMIT`. So both are codes of the
//! platform's own, of which only the shape is checked here.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use crate::money::Amount;
use crate::time::GMT8;

/// The longest code, in characters.
const MAX_CODE_CHARS: usize = 64;

/// Text that is no code of the platform's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a code of 1 to {MAX_CODE_CHARS} characters A-Z, 0-9 and _")]
pub struct InvalidCode(
    /// What came.
    pub String,
);

fn is_code(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=MAX_CODE_CHARS).contains(&text.len()) && text.bytes().all(fits)
}

macro_rules! code_newtype {
    ($(#[$doc:meta])* $name:ident, $(#[$known_doc:meta])* $known:ident = $text:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            $(#[$known_doc])*
            pub const $known: &str = $text;

            /// What the field may say.
            pub const EXPECTED: &str = "1 至 64 位大写字母、数字或下划线";

            /// The code.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self(Self::$known.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidCode;
            fn try_from(text: String) -> Result<Self, InvalidCode> {
                if is_code(&text) { Ok(Self(text)) } else { Err(InvalidCode(text)) }
            }
        }

        impl FromStr for $name {
            type Err = InvalidCode;
            fn from_str(text: &str) -> Result<Self, InvalidCode> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(code: $name) -> Self {
                code.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

code_newtype! {
    /// 状态: how far the surrender is; `APPLY` unless something else is agreed with the platform.
    SurrenderStatus,
    /// Applied for: the document's example.
    APPLY = "APPLY"
}

code_newtype! {
    /// 类型: on whose initiative; `USER_SUBMIT` unless something else is agreed with the platform.
    SurrenderType,
    /// The customer handed it in: the document's example.
    USER_SUBMIT = "USER_SUBMIT"
}

/// What the core system says when a policy is surrendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Surrender {
    /// Who asks, by its name in the configuration: part of the content, so that one caller never gets the
    /// answer that belongs to another.
    pub caller: String,
    /// The policy, as its number came.
    pub policy_no: String,
    /// 状态.
    #[serde(default)]
    pub status: SurrenderStatus,
    /// 退保金额, in yuan.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refund_money: Option<Amount>,
    /// 退保时间; the platform is told the minute.
    pub surrender_time: Timestamp,
    /// 批次号, by the example the endorsement's number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub endorsement_no: Option<String>,
    /// 用户支付宝ID.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub alipay_open_id: Option<String>,
    /// 预投保流水ID.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pre_flow_id: Option<String>,
    /// 类型.
    #[serde(rename = "type", default)]
    pub surrender_type: SurrenderType,
}

impl Surrender {
    /// What the platform is told of it.
    pub fn notice(&self) -> SurrenderNotice {
        SurrenderNotice {
            status: Some(self.status.clone()),
            refund_money: self.refund_money,
            surrender_time: Some(self.surrender_time),
            endorsement_no: self.endorsement_no.clone(),
            inst_policy_id: self.policy_no.clone(),
            alipay_open_id: self.alipay_open_id.clone(),
            pre_flow_id: self.pre_flow_id.clone(),
            surrender_type: Some(self.surrender_type.clone()),
        }
    }
}

/// What the platform is told of a surrender: `biz_data`, without anything of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SurrenderNotice {
    /// `status`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<SurrenderStatus>,
    /// `refund_money`, in yuan.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refund_money: Option<Amount>,
    /// `surrender_time`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub surrender_time: Option<Timestamp>,
    /// `endorsement_no`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub endorsement_no: Option<String>,
    /// `inst_policy_id`: the policy's number. The document lets it be absent; a notice without it tells nothing.
    pub inst_policy_id: String,
    /// `alipay_open_id`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub alipay_open_id: Option<String>,
    /// `pre_flow_id`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pre_flow_id: Option<String>,
    /// `type`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none", default)]
    pub surrender_type: Option<SurrenderType>,
}

/// Writes `yyyyMMddHHmm` in GMT+8, the form of `surrender_time`; seconds are cut off.
pub fn format_minute_gmt8(instant: Timestamp) -> String {
    let t = GMT8.to_datetime(instant);
    format!("{:04}{:02}{:02}{:02}{:02}", t.year(), t.month(), t.day(), t.hour(), t.minute())
}

/// Reads `yyyyMMddHHmm` in GMT+8; nothing shorter, longer or laxer.
pub fn parse_minute_gmt8(text: &str) -> Option<Timestamp> {
    if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let two = |at: usize| text.get(at..at + 2)?.parse::<i8>().ok();
    let year = text.get(..4)?.parse().ok()?;
    let local = DateTime::new(year, two(4)?, two(6)?, two(8)?, two(10)?, 0, 0).ok()?;
    GMT8.to_timestamp(local).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_written_and_read_in_china() {
        let instant = parse_minute_gmt8("202105311400").unwrap();
        assert_eq!(instant.to_string(), "2021-05-31T06:00:00Z");
        assert_eq!(format_minute_gmt8(instant), "202105311400");
        let midnight: Timestamp = "2021-12-31T16:00:59.9Z".parse().unwrap();
        assert_eq!(format_minute_gmt8(midnight), "202201010000");
    }

    #[test]
    fn only_twelve_digits_that_are_a_minute_are_one() {
        for text in [
            "",
            "2021053114",
            "20210531140000",
            "2021-05-31 14",
            "202102300000",
            "202113010000",
            "202105312400",
            "202105311460",
            "+20210531140",
            "２2105311400",
        ] {
            assert_eq!(parse_minute_gmt8(text), None, "{text:?}");
        }
    }

    #[test]
    fn codes_are_checked_by_shape_alone() {
        assert_eq!("CANCEL_2".parse::<SurrenderStatus>().unwrap().as_str(), "CANCEL_2");
        assert_eq!(SurrenderStatus::default().as_str(), "APPLY");
        assert_eq!(SurrenderType::default().to_string(), "USER_SUBMIT");
        for text in ["", "apply", "A B", "退保", &"A".repeat(65)] {
            assert_eq!(text.parse::<SurrenderType>(), Err(InvalidCode(text.to_owned())));
        }
        assert!(serde_json::from_str::<SurrenderStatus>("\"\"").is_err());
    }

    #[test]
    fn a_surrender_is_read_from_what_it_must_say_and_written_back() {
        let text = r#"{"caller":"core","policyNo":"P1","surrenderTime":"2021-05-31T06:00:00Z"}"#;
        let surrender: Surrender = serde_json::from_str(text).unwrap();
        let notice = surrender.notice();
        assert_eq!(notice.inst_policy_id, "P1");
        let stored = serde_json::to_string(&notice).unwrap();
        assert_eq!(
            stored,
            r#"{"status":"APPLY","surrenderTime":"2021-05-31T06:00:00Z","instPolicyId":"P1","type":"USER_SUBMIT"}"#
        );
        assert_eq!(serde_json::from_str::<SurrenderNotice>(&stored).unwrap(), notice);
    }
}
