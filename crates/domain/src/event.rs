//! What happened, for the core system: facts without personal data, in the order in which they became durable.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::currency::Currency;
use crate::money::Amount;
use crate::policy::Policy;
use crate::policy_number::PolicyNumber;

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
}

impl Event {
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

    /// The event's type, as subscribers filter by it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PolicyIssued { .. } => "policy.issued",
        }
    }

    /// The policy it is about.
    pub fn policy_no(&self) -> &PolicyNumber {
        match self {
            Self::PolicyIssued { policy_no, .. } => policy_no,
        }
    }
}
