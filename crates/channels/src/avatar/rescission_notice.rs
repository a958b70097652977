//! 解约通知: a channel gives notice that a policy is rescinded and its premium refunded.
//!
//! The document contradicts itself (protocols.md §3), and all of it is accepted: `interfaceType` as in its table and as
//! in its example, the blanks in the example's time, epoch milliseconds where it says `DateTime`, and the refund fields
//! that its table lacks.

use jiff::Timestamp;

use baoqiao_domain::idempotency::MessageUuid;
use baoqiao_domain::ledger::{Command, Outcome};
use baoqiao_domain::money::Amount;
use baoqiao_domain::product::Catalogue;
use baoqiao_domain::refusal::Refusal;
use baoqiao_domain::rescission::{Installment, Rescission};
use baoqiao_domain::time::parse_gmt8;

use super::envelope::Deal;
use super::{body, text};
use crate::channel::{CallResult, Decoded, Examples, Interface, Label, RawRequest, Reply, Verified};
use crate::fields::{Fields, Problems};

/// The interface.
#[derive(Debug, Clone, Copy)]
pub struct RescissionNotice;

const SCOPE: &str = "avatar/rescission-notice";
/// The document's table has the first, its example the second.
const INTERFACE_TYPES: [&str; 2] = ["recissionNotice", "proposalOrder"];
const EXPECTED_INTERFACE_TYPE: &str = "recissionNotice 或 proposalOrder";
const AMOUNT: &str = "不含正负号的十进制金额（元），如 10.2";
const TIME: &str = "yyyy-MM-dd HH:mm:ss 格式的北京时间，或自 1970 年起的毫秒数";
const REQUEST: &str = "secondRefundReq";

/// The caller's code and the interface types have no colon in them, so no two keys run together.
fn key(caller: &str, interface_type: &str, order_no: &str) -> String {
    format!("{caller}:{interface_type}:{order_no}")
}

impl Interface for RescissionNotice {
    fn scope(&self) -> &'static str {
        SCOPE
    }

    fn label(&self) -> Label {
        Label { zh: "解约通知", en: "Rescission notice" }
    }

    fn default_method(&self) -> Option<&'static str> {
        None
    }

    fn examples(&self) -> Examples {
        Examples {
            request: include_str!("golden/rescission_notice/example.json"),
            answer: include_str!("golden/rescission_notice/rescinded.json"),
        }
    }

    fn keys_named(&self, name: &str, callers: &[String]) -> Vec<String> {
        let of = |caller: &String| INTERFACE_TYPES.map(|interface_type| key(caller, interface_type, name));
        callers.iter().flat_map(of).collect()
    }

    fn decode(&self, call: &Verified<'_>, _catalogue: &Catalogue) -> Result<Decoded, Refusal> {
        let object = body(call.raw())?;
        let problems = Problems::default();
        let fields = Fields::root(&object, &problems);
        let head = fields.required_object("head", Head::read);
        let notice = fields.required_object(REQUEST, Notice::read);
        let unreadable = problems.into_vec();
        let rescission = head.zip(notice).and_then(|(head, notice)| Some((head.into_parts()?, notice)));
        match rescission {
            Some(((interface_type, order_no, uuid), notice)) if unreadable.is_empty() => {
                let rescission = notice.into_rescission(call.caller(), interface_type, order_no);
                let rescission = rescission.ok_or_else(|| Refusal::InvalidFields(Vec::new()))?;
                let key = key(call.caller(), &rescission.interface_type, &rescission.order_no);
                let uuid = MessageUuid { scope: SCOPE, sender: call.caller().to_owned(), uuid };
                Ok(Decoded { key, uuid: Some(uuid), command: Command::RescindPolicy(Box::new(rescission)) })
            }
            _ => Err(Refusal::InvalidFields(unreadable)),
        }
    }

    fn reply(&self, raw: &RawRequest, result: &CallResult, now: Timestamp) -> Reply {
        let deal = match result {
            Ok(_) => Deal::success(),
            Err(refusal) => Deal::refused(refusal),
        };
        let stated = match result {
            Ok(Outcome::PolicyRescinded { policy_no }) => Some(policy_no.to_string()),
            _ => body(raw).ok().and_then(|object| text(object.get(REQUEST)?.get("policyNo")?)),
        };
        deal.reply(raw, "secondRefundResp", stated.as_deref(), now)
    }
}

struct Head {
    interface_type: Option<String>,
    order_no: Option<String>,
    uuid: Option<String>,
}

impl Head {
    /// `reqTime` must be one, but there is no window: nothing signs it, and the idempotency key makes a late copy
    /// harmless. `policySource` is read where the caller is told.
    fn read(fields: &Fields<'_>) -> Self {
        let is_known = |text: &str| INTERFACE_TYPES.contains(&text).then(|| text.to_owned());
        let _ = fields.required("reqTime", TIME, time);
        Self {
            interface_type: fields.required("interfaceType", EXPECTED_INTERFACE_TYPE, is_known),
            order_no: fields.required_key("orderNo"),
            uuid: fields.required_key("uuid"),
        }
    }

    fn into_parts(self) -> Option<(String, String, String)> {
        Some((self.interface_type?, self.order_no?, self.uuid?))
    }
}

struct Notice {
    policy_no: Option<String>,
    refund_amount: Option<Amount>,
    refund_date: Option<Timestamp>,
    refund_status: Option<String>,
    installments: Vec<Option<Installment>>,
}

impl Notice {
    fn read(fields: &Fields<'_>) -> Self {
        Self {
            policy_no: fields.required_key("policyNo"),
            refund_amount: fields.optional("secondRefundAmount", AMOUNT, |text| text.parse().ok()),
            refund_date: fields.optional("secondRefundDate", TIME, time),
            refund_status: fields.text("secondRefundStatus"),
            installments: fields.objects("installmentList", installment),
        }
    }

    fn into_rescission(self, source: &str, interface_type: String, order_no: String) -> Option<Rescission> {
        Some(Rescission {
            policy_source: source.to_owned(),
            interface_type,
            order_no,
            policy_no: self.policy_no?,
            second_refund_amount: self.refund_amount,
            second_refund_date: self.refund_date,
            second_refund_status: self.refund_status,
            installment_list: self.installments.into_iter().collect::<Option<_>>()?,
        })
    }
}

fn installment(fields: &Fields<'_>) -> Option<Installment> {
    Some(Installment {
        pay_no: fields.text("payNo"),
        refund_time: fields.optional("refundTime", TIME, time),
        amount: fields.required("amount", AMOUNT, |text| text.parse().ok())?,
    })
}

/// A time as the document writes it, `2022-12-19 15: 44: 21` included, or in epoch milliseconds.
fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Timestamp::from_millisecond(text.parse().ok()?).ok();
    }
    let pieces: Vec<&str> = text.split(':').map(str::trim).collect();
    parse_gmt8(&pieces.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_may_have_the_documents_blanks() {
        let expected = parse_gmt8("2022-12-19 15:44:21");
        for text in ["2022-12-19 15:44:21", "2022-12-19 15: 44: 21", " 2022-12-19 15 : 44:21 ", "1671435861000"] {
            assert_eq!(time(text), expected, "{text}");
        }
        for text in ["", "2022-12-19", "2022-12-19 15: 44", "167143586100", "2022-12-19 1 5:44:21"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
