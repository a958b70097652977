//! Recovery, 追缴: money that was claimed back, recorded beside the policy.
//!
//! Source: `qimen-recovery.txt`. The document lets almost every field be absent and its own example disagrees with
//! itself (12 × 1 is not 1), so a recovery is recorded whatever it says, and what is odd about it is recorded with it:
//! that it fits no policy, and which of its amounts disagree. It serialises under the document's field names; that
//! form is sealed and fingerprinted, so fields may be added but none renamed. `access_token` is no part of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::currency::Currency;
use crate::money::{Amount, Rate};
use crate::policy::Policy;
use crate::policy_number::PolicyNumber;
use crate::product::{Catalogue, DiscrepancyPolicy, Product};
use crate::refusal::FieldProblem;

/// 追偿人-个人类型. The example's licence fields hold free text, so nothing here is judged.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryPerson {
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person_name: Option<String>,
    /// Kind of licence, as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person_license_type: Option<String>,
    /// Number of the licence, as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person_license_no: Option<String>,
    /// What the document's lost table may have named besides.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub other: BTreeMap<String, Value>,
}

/// 追偿人-企业类型. As [`RecoveryPerson`], nothing here is judged.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryCompany {
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_name: Option<String>,
    /// Kind of licence, as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_license_type: Option<String>,
    /// Number of the licence, as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_license_no: Option<String>,
    /// What the document's lost table may have named besides.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub other: BTreeMap<String, Value>,
}

/// A recovery, every field read and none yet judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recovery {
    /// Who reports it, by the partner's id in the configuration.
    pub partner: String,
    /// 幂等号, the idempotency key.
    pub identifier: String,
    /// 机构.
    pub institution: String,
    /// 机构险种编号.
    pub product_code: String,
    /// 险种id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_id: Option<String>,
    /// 保险平台追缴流水单号.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recover_stream_id: Option<String>,
    /// 保司侧保单号, as it came: it may be none of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_no: Option<String>,
    /// 投保人aliId.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insure_user_id: Option<String>,
    /// 标的物id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_matter_id: Option<String>,
    /// 报案号.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case_no: Option<String>,
    /// 追缴时间.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recover_time: Option<Timestamp>,
    /// 追偿金额, in `currency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recover_amount: Option<Amount>,
    /// 追缴币种.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// 追缴汇率: yuan for one unit of `currency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency_rate: Option<Rate>,
    /// 追缴成本, in `currency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recover_cost: Option<Amount>,
    /// 人民币追缴金额, in yuan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recover_amount_of_cny: Option<Amount>,
    /// 人民币追缴成本, in yuan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recover_cost_of_cny: Option<Amount>,
    /// 追缴ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_id: Option<String>,
    /// 阿里侧保单号.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insure_id: Option<String>,
    /// 资金流水号.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_channel_voucher: Option<String>,
    /// 追偿人-企业类型.
    #[serde(rename = "recoveryCompanyInfo", skip_serializing_if = "Option::is_none")]
    pub company: Option<RecoveryCompany>,
    /// 追偿人-个人类型.
    #[serde(rename = "recoveryPersonalInfo", skip_serializing_if = "Option::is_none")]
    pub person: Option<RecoveryPerson>,
    /// 非标扩展信息, as it came.
    #[serde(rename = "attrs", skip_serializing_if = "BTreeMap::is_empty", default)]
    pub extensions: BTreeMap<String, Value>,
}

/// Why a recovery is recorded beside no policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unmatched {
    /// It names no policy.
    NoNumber,
    /// The ledger has no policy of that number.
    Unknown,
    /// The policy was sold by another partner.
    OtherPartner,
    /// The policy is of another product.
    OtherProduct,
}

impl Unmatched {
    /// The name in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoNumber => "no-number",
            Self::Unknown => "unknown",
            Self::OtherPartner => "other-partner",
            Self::OtherProduct => "other-product",
        }
    }

    /// Reads the ledger's name.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::NoNumber, Self::Unknown, Self::OtherPartner, Self::OtherProduct];
        all.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// An amount in yuan that is not the amount in the message's currency times its rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Discrepancy {
    /// The field in yuan, such as `recoverAmountOfCny`.
    pub field: String,
    /// What it says.
    pub stated: Amount,
    /// What the other fields come to.
    pub computed: Amount,
}

/// A recovery as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRecovery {
    /// What was reported.
    pub recovery: Recovery,
    /// The policy it belongs to, or why it belongs to none.
    pub policy: Result<PolicyNumber, Unmatched>,
    /// Where it disagrees with itself.
    pub discrepancies: Vec<Discrepancy>,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

impl Recovery {
    /// The policy's number, where the message names one that could be ours.
    pub fn number(&self) -> Option<PolicyNumber> {
        self.policy_no.as_ref()?.parse().ok()
    }

    /// The policy that the recovery belongs to, of the one that has its number.
    ///
    /// # Errors
    /// [`Unmatched`], where it belongs to none.
    pub fn matched(&self, policy: Option<&Policy>) -> Result<PolicyNumber, Unmatched> {
        if self.policy_no.is_none() {
            return Err(Unmatched::NoNumber);
        }
        let policy = policy.ok_or(Unmatched::Unknown)?;
        if policy.partner != self.partner {
            Err(Unmatched::OtherPartner)
        } else if policy.product_code != self.product_code {
            Err(Unmatched::OtherProduct)
        } else {
            Ok(policy.number.clone())
        }
    }

    /// The fields by which its product's rules judge it.
    pub fn figures(&self) -> RecoveryFigures<'_> {
        RecoveryFigures {
            product_code: Some(&self.product_code),
            currency_rate: self.currency_rate,
            recover_amount: self.recover_amount,
            recover_amount_of_cny: self.recover_amount_of_cny,
            recover_cost: self.recover_cost,
            recover_cost_of_cny: self.recover_cost_of_cny,
        }
    }
}

/// The fields that the rules look at, as far as they could be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecoveryFigures<'a> {
    /// `productCode`.
    pub product_code: Option<&'a str>,
    /// `currencyRate`.
    pub currency_rate: Option<Rate>,
    /// `recoverAmount`.
    pub recover_amount: Option<Amount>,
    /// `recoverAmountOfCny`.
    pub recover_amount_of_cny: Option<Amount>,
    /// `recoverCost`.
    pub recover_cost: Option<Amount>,
    /// `recoverCostOfCny`.
    pub recover_cost_of_cny: Option<Amount>,
}

impl RecoveryFigures<'_> {
    /// Every rule that these figures break, for a message of that partner.
    pub fn problems(&self, partner: &str, catalogue: &Catalogue) -> Vec<FieldProblem> {
        let Some(code) = self.product_code else { return Vec::new() };
        let Some(product) = catalogue.sold_by(partner, code) else {
            return vec![FieldProblem::wrong("productCode", code, "本合作方可售的产品码")];
        };
        if product.recovery_discrepancy == DiscrepancyPolicy::Record {
            return Vec::new();
        }
        let problem = |found: Discrepancy| {
            let source = found.field.trim_end_matches("OfCny");
            let expected = format!("{source} × currencyRate = {}（允差 {} 元）", found.computed, product.cny_tolerance);
            FieldProblem::wrong(found.field.clone(), found.stated, expected)
        };
        self.discrepancies(product).into_iter().map(problem).collect()
    }

    /// Where the amounts disagree by more than the product's tolerance.
    pub fn discrepancies(&self, product: &Product) -> Vec<Discrepancy> {
        let pairs = [
            ("recoverAmountOfCny", self.recover_amount, self.recover_amount_of_cny),
            ("recoverCostOfCny", self.recover_cost, self.recover_cost_of_cny),
        ];
        let compared = pairs.into_iter().filter_map(|(field, figure, stated)| {
            let computed = figure?.times(self.currency_rate?);
            let stated = stated.filter(|stated| !stated.agrees_with(computed, product.cny_tolerance))?;
            Some(Discrepancy { field: field.to_owned(), stated, computed })
        });
        compared.collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::issuing::tests::catalogue;

    /// The figures of the document's example.
    pub(crate) fn example() -> Recovery {
        serde_json::from_value(serde_json::json!({
            "partner": "alibaba", "identifier": "010101004172821111702476033", "institution": "HYUNDAI",
            "productCode": "PERFORMANCE_SURETY_BONDS", "policyNo": "822042111010001111008", "recoverAmount": "12", "currency": "CNY",
            "currencyRate": "1", "recoverCost": "1", "recoverAmountOfCny": "1", "recoverCostOfCny": "1",
        }))
        .unwrap()
    }

    #[test]
    fn the_examples_amounts_disagree_and_that_is_told_or_refused() {
        let open = catalogue();
        let product = open.product("PERFORMANCE_SURETY_BONDS").unwrap();
        let recovery = example();
        let amount = |text: &str| text.parse::<Amount>().unwrap();
        let expected =
            Discrepancy { field: "recoverAmountOfCny".to_owned(), stated: amount("1"), computed: amount("12") };
        assert_eq!(recovery.figures().discrepancies(product), [expected]);
        assert_eq!(recovery.figures().problems("alibaba", &open), []);
        let ended = Catalogue::new([Product { on_sale: false, ..product.clone() }]);
        assert_eq!(recovery.figures().problems("alibaba", &ended), [], "what was sold goes on");
        let strict = Catalogue::new([Product { recovery_discrepancy: DiscrepancyPolicy::Refuse, ..product.clone() }]);
        let told: Vec<String> =
            recovery.figures().problems("alibaba", &strict).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["recoverAmountOfCny：收到“1”，应为recoverAmount × currencyRate = 12（允差 0.01 元）"]);
        assert_eq!(recovery.figures().problems("somebody-else", &open).len(), 1);
    }

    #[test]
    fn without_a_rate_nothing_is_compared() {
        let open = catalogue();
        let product = open.product("PERFORMANCE_SURETY_BONDS").unwrap();
        let recovery = Recovery { currency_rate: None, ..example() };
        assert_eq!(recovery.figures().discrepancies(product), []);
    }
}
