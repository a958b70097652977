//! Rescission, 解约: a channel's notice that a policy has ended and its premium goes back.
//!
//! Source: `avatar-rescission-notice.txt`. Its example carries refund fields that its table lacks; they are kept. It
//! serialises under the document's field names; `uuid` and `reqTime` are no part of it, since a retry has new ones.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::money::Amount;
use crate::policy_number::PolicyNumber;
use crate::refusal::FieldProblem;

/// One part of a refund: an entry of `installmentList`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Installment {
    /// `payNo`, as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pay_no: Option<String>,
    /// In yuan.
    pub amount: Amount,
    /// When it was refunded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_time: Option<Timestamp>,
}

/// A rescission notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rescission {
    /// 渠道代码: who gives notice.
    pub policy_source: String,
    /// 接口类型.
    pub interface_type: String,
    /// 订单号.
    pub order_no: String,
    /// 保单号, as it came: it may be none of ours.
    pub policy_no: String,
    /// The refund, in yuan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_refund_amount: Option<Amount>,
    /// When it was refunded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_refund_date: Option<Timestamp>,
    /// The refund's status, as it came: no document says what it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_refund_status: Option<String>,
    /// The refund's parts.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub installment_list: Vec<Installment>,
}

impl Rescission {
    /// The policy's number, where it could be one of ours.
    pub fn number(&self) -> Option<PolicyNumber> {
        self.policy_no.parse().ok()
    }

    /// The parts of a refund add up to it, to the last digit.
    pub fn problems(&self) -> Vec<FieldProblem> {
        if self.installment_list.is_empty() {
            return Vec::new();
        }
        let path = "secondRefundReq.secondRefundAmount";
        let Some(refund) = self.second_refund_amount else {
            return vec![FieldProblem {
                expected: "有 installmentList 时必填".to_owned(),
                ..FieldProblem::missing(path)
            }];
        };
        match Amount::sum(self.installment_list.iter().map(|part| part.amount)) {
            Some(sum) if sum == refund => Vec::new(),
            Some(sum) => vec![FieldProblem::wrong(path, refund, format!("installmentList 各期 amount 之和 {sum}"))],
            None => vec![FieldProblem::wrong(path, refund, "installmentList 各期 amount 之和，而该和过大")],
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The document's example, for a policy.
    pub(crate) fn example(policy_no: &str) -> Rescission {
        serde_json::from_value(serde_json::json!({
            "policySource": "HN_HT_QNW", "interfaceType": "proposalOrder", "orderNo": "QS221219154313290T12K25",
            "policyNo": policy_no, "secondRefundAmount": "10.2", "secondRefundStatus": "1",
            "installmentList": [{"payNo": "1", "amount": "10.2"}],
        }))
        .unwrap()
    }

    #[test]
    fn parts_add_up_to_the_refund_exactly() {
        let told = |refund: Option<&str>, parts: &[&str]| {
            let mut rescission = example("12345");
            rescission.second_refund_amount = refund.map(|text| text.parse().unwrap());
            let part = |text: &&str| Installment { pay_no: None, amount: text.parse().unwrap(), refund_time: None };
            rescission.installment_list = parts.iter().map(part).collect();
            rescission.problems().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(told(Some("10.20"), &["10.2"]), [""; 0]);
        assert_eq!(told(Some("0.3"), &["0.1", "0.2"]), [""; 0]);
        assert_eq!(told(Some("10.2"), &[]), [""; 0]);
        assert_eq!(told(None, &[]), [""; 0]);
        let path = "secondRefundReq.secondRefundAmount";
        assert_eq!(
            told(Some("10.2"), &["5.1", "5"]),
            [format!("{path}：收到“10.2”，应为installmentList 各期 amount 之和 10.1")]
        );
        assert_eq!(told(None, &["10.2"]), [format!("{path}：缺少，有 installmentList 时必填")]);
    }
}
