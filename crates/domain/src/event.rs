//! What happened, for the core system: facts without personal data, in the order in which they became durable.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::auction::{AuctionInsuranceType, AuctionReport, AuctionStage, AuctionStatus};
use crate::currency::Currency;
use crate::ledger::PolicyEnding;
use crate::money::Amount;
use crate::policy::{Policy, PolicyState};
use crate::policy_number::PolicyNumber;
use crate::recovery::{Discrepancy, RecordedRecovery, Unmatched};

/// A fact about one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Event {
    /// A policy was issued.
    #[serde(rename = "policy.issued")]
    PolicyIssued {
        /// Its number.
        policy_no: PolicyNumber,
        /// The partner that sold it.
        partner: String,
        /// Its product.
        product_code: String,
        /// The platform's idempotency key.
        identifier: String,
        /// The platform's number of it.
        insure_id: String,
        /// Sum insured, in `currency`.
        amount: Amount,
        /// Premium, in `currency`.
        premium: Amount,
        /// Premium in yuan.
        premium_of_cny: Amount,
        /// The currency of `amount` and `premium`.
        currency: Currency,
        /// The first moment insured.
        effect_time: Timestamp,
        /// The last moment insured.
        expire_time: Timestamp,
    },
    /// A policy was rescinded, 解约.
    #[serde(rename = "policy.rescinded")]
    PolicyRescinded {
        /// Its number.
        policy_no: PolicyNumber,
        /// The partner that sold it.
        partner: String,
        /// Its product.
        product_code: String,
        /// The `policySource` that gave notice.
        policy_source: String,
        /// Its `orderNo`.
        order_no: Option<String>,
        /// What is refunded, in yuan.
        refund_amount: Option<Amount>,
    },
    /// A policy was surrendered, 退保.
    #[serde(rename = "policy.surrendered")]
    PolicySurrendered {
        /// Its number.
        policy_no: PolicyNumber,
        /// The partner that sold it.
        partner: String,
        /// Its product.
        product_code: String,
        /// Who asked for it.
        caller: String,
        /// What is refunded, in yuan.
        refund_amount: Option<Amount>,
    },
    /// A recovery was recorded, 追缴.
    #[serde(rename = "recovery.recorded")]
    RecoveryRecorded {
        /// The partner that reported it.
        partner: String,
        /// The platform's idempotency key.
        identifier: String,
        /// Its product.
        product_code: String,
        /// The policy beside which it is recorded.
        policy_no: Option<PolicyNumber>,
        /// Why it is recorded beside none.
        unmatched: Option<Unmatched>,
        /// The policy number as it came.
        stated_policy_no: Option<String>,
        /// 报案号.
        case_no: Option<String>,
        /// What was recovered, in `currency`.
        recover_amount: Option<Amount>,
        /// What was recovered, in yuan, as stated.
        recover_amount_of_cny: Option<Amount>,
        /// The currency of `recover_amount`.
        currency: Option<Currency>,
        /// When it was recovered.
        recover_time: Option<Timestamp>,
        /// Where it disagrees with itself.
        discrepancies: Vec<Discrepancy>,
    },
    /// How a stage of an auction's insurance ended was reported.
    #[serde(rename = "auction.stage-reported")]
    AuctionStageReported {
        /// 拍卖业务编号.
        biz_id: String,
        /// The partner whose platform is told.
        partner: String,
        /// 保险类型.
        insurance_type: AuctionInsuranceType,
        /// 保险阶段.
        stage: AuctionStage,
        /// 状态.
        status: AuctionStatus,
        /// 保险单号, as it was reported.
        policy_number: Option<String>,
        /// 发生时间.
        time_of_occurrence: Timestamp,
    },
}

impl Event {
    /// Every type.
    pub const KINDS: [&str; 5] =
        ["policy.issued", "policy.rescinded", "policy.surrendered", "recovery.recorded", "auction.stage-reported"];

    /// That this policy was issued.
    pub fn policy_issued(policy: &Policy) -> Self {
        Self::PolicyIssued {
            policy_no: policy.number.clone(),
            partner: policy.partner.clone(),
            product_code: policy.product_code.clone(),
            identifier: policy.identifier.clone(),
            insure_id: policy.insure_id.clone(),
            amount: policy.amount,
            premium: policy.premium,
            premium_of_cny: policy.premium_of_cny,
            currency: policy.currency,
            effect_time: policy.effect_time,
            expire_time: policy.expire_time,
        }
    }

    /// That this policy ended before its time.
    pub fn policy_ended(policy: &Policy, ending: &PolicyEnding) -> Self {
        let (policy_no, partner) = (policy.number.clone(), policy.partner.clone());
        let (product_code, refund_amount) = (policy.product_code.clone(), ending.refund_amount);
        let asked_by = ending.asked_by.clone();
        match ending.to {
            PolicyState::Surrendered => {
                Self::PolicySurrendered { policy_no, partner, product_code, caller: asked_by, refund_amount }
            }
            PolicyState::Issued | PolicyState::Rescinded => Self::PolicyRescinded {
                policy_no,
                partner,
                product_code,
                policy_source: asked_by,
                order_no: ending.order_no.clone(),
                refund_amount,
            },
        }
    }

    /// That this recovery was recorded.
    pub fn recovery_recorded(recorded: &RecordedRecovery) -> Self {
        let recovery = &recorded.recovery;
        Self::RecoveryRecorded {
            partner: recovery.partner.clone(),
            identifier: recovery.identifier.clone(),
            product_code: recovery.product_code.clone(),
            policy_no: recorded.policy.as_ref().ok().cloned(),
            unmatched: recorded.policy.as_ref().err().copied(),
            stated_policy_no: recovery.policy_no.clone(),
            case_no: recovery.case_no.clone(),
            recover_amount: recovery.recover_amount,
            recover_amount_of_cny: recovery.recover_amount_of_cny,
            currency: recovery.currency,
            recover_time: recovery.recover_time,
            discrepancies: recorded.discrepancies.clone(),
        }
    }

    /// That a stage of an auction's insurance was reported.
    pub fn auction_stage_reported(report: &AuctionReport) -> Self {
        let result = &report.result;
        Self::AuctionStageReported {
            biz_id: result.biz_id.clone(),
            partner: report.partner.clone(),
            insurance_type: result.insurance_type,
            stage: result.stage,
            status: result.status,
            policy_number: result.policy_number.clone(),
            time_of_occurrence: result.time_of_occurrence,
        }
    }

    /// The event's type, as subscribers filter by it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PolicyIssued { .. } => "policy.issued",
            Self::PolicyRescinded { .. } => "policy.rescinded",
            Self::PolicySurrendered { .. } => "policy.surrendered",
            Self::RecoveryRecorded { .. } => "recovery.recorded",
            Self::AuctionStageReported { .. } => "auction.stage-reported",
        }
    }

    /// The policy it is about, where it is about one.
    pub fn policy_no(&self) -> Option<&PolicyNumber> {
        match self {
            Self::PolicyIssued { policy_no, .. }
            | Self::PolicyRescinded { policy_no, .. }
            | Self::PolicySurrendered { policy_no, .. } => Some(policy_no),
            Self::RecoveryRecorded { policy_no, .. } => policy_no.as_ref(),
            Self::AuctionStageReported { .. } => None,
        }
    }

    /// What it is about: `policy:<policyNo>`, `auction:<biz_id>`, or `recovery:<partner>/<identifier>` where it
    /// belongs to no policy.
    pub fn subject(&self) -> String {
        match (self, self.policy_no()) {
            (_, Some(policy_no)) => format!("policy:{policy_no}"),
            (Self::AuctionStageReported { biz_id, .. }, None) => format!("auction:{biz_id}"),
            (Self::RecoveryRecorded { partner, identifier, .. }, None) => format!("recovery:{partner}/{identifier}"),
            // These are about a policy always.
            (Self::PolicyIssued { .. } | Self::PolicyRescinded { .. } | Self::PolicySurrendered { .. }, None) => {
                String::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_listed() {
        let unknown = serde_json::from_str::<Event>(r#"{"type":"policy.lapsed"}"#).unwrap_err().to_string();
        let listed = Event::KINDS.map(|kind| format!("`{kind}`")).join(", ");
        assert!(unknown.contains(&format!("expected one of {listed}")), "{unknown}");
    }
}
