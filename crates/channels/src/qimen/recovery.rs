//! 场景金融追缴: the platform reports money that was claimed back, and the insurer records it.
//!
//! The document does not say its method name, and its tables have lost the fields of their objects: those are the
//! example's, and whatever else comes in them is kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use baoqiao_domain::currency::Currency;
use baoqiao_domain::ledger::{Command, Outcome};
use baoqiao_domain::money::{Amount, Rate};
use baoqiao_domain::product::Catalogue;
use baoqiao_domain::recovery::{self, RecoveryCompany, RecoveryFigures, RecoveryPerson};
use baoqiao_domain::refusal::Refusal;
use baoqiao_domain::time::parse_gmt8;

use super::policy_issuing::{AMOUNT, TIME};
use super::{body, envelope};
use crate::channel::{CallResult, Decoded, Examples, Interface, Label, RawRequest, Reply, Verified};
use crate::fields::{Fields, Problems};

/// The interface.
#[derive(Debug, Clone, Copy)]
pub struct Recovery;

impl Interface for Recovery {
    fn scope(&self) -> &'static str {
        "qimen/recovery"
    }

    fn label(&self) -> Label {
        Label { zh: "追缴", en: "Recovery" }
    }

    /// Of the same form as issuing's: the document has none.
    fn default_method(&self) -> Option<&'static str> {
        Some("qimen.alibaba.finance.insurance.recovery")
    }

    fn examples(&self) -> Examples {
        Examples {
            request: include_str!("golden/recovery/example.json"),
            answer: include_str!("golden/recovery/recorded.json"),
        }
    }

    fn keys_named(&self, name: &str, _callers: &[String]) -> Vec<String> {
        vec![name.to_owned()]
    }

    fn decode(&self, call: &Verified<'_>, catalogue: &Catalogue) -> Result<Decoded, Refusal> {
        let object = body::read(call.raw())?;
        let problems = Problems::default();
        let form = Form::read(&Fields::root(&object, &problems));
        let rules = form.figures().problems(call.caller(), catalogue);
        let unreadable = problems.into_vec();
        if unreadable.is_empty()
            && let Some(recovery) = form.into_recovery(call.caller())
        {
            // Broken rules are for the ledger to refuse: a retry of what was once recorded is answered all the same.
            let key = recovery.identifier.clone();
            return Ok(Decoded { key, uuid: None, command: Command::RecordRecovery(Box::new(recovery)) });
        }
        Err(Refusal::InvalidFields(unreadable.into_iter().chain(rules).collect()))
    }

    fn reply(&self, raw: &RawRequest, result: &CallResult, _now: Timestamp) -> Reply {
        match result {
            Ok(Outcome::RecoveryRecorded { .. }) => {
                // The quotation marks are the document's.
                envelope::write(raw, &fields("SUCCESS", "“追缴成功”".to_owned(), true), None)
            }
            Ok(_) => refused(raw, &envelope::foreign_outcome()),
            Err(refusal) => refused(raw, refusal),
        }
    }
}

fn refused(raw: &RawRequest, refusal: &Refusal) -> Reply {
    envelope::write(raw, &fields(refusal.code().as_str(), refusal.public_message(), false), Some(refusal))
}

fn fields(code: &'static str, message: String, success: bool) -> [(&'static str, Value); 3] {
    [("responseCode", code.into()), ("responseMessage", message.into()), ("success", success.into())]
}

const RATE: &str = "大于 0 的十进制汇率，如 1.0";
const CURRENCY: &str = "ISO 4217 币种代码，如 CNY";

/// The message's fields as far as they could be read. `access_token` is a credential and no part of what is asked.
struct Form {
    identifier: Option<String>,
    institution: Option<String>,
    product_code: Option<String>,
    open_id: Option<String>,
    recover_stream_id: Option<String>,
    policy_no: Option<String>,
    insure_user_id: Option<String>,
    subject_matter_id: Option<String>,
    case_no: Option<String>,
    recover_time: Option<Timestamp>,
    recover_amount: Option<Amount>,
    currency: Option<Currency>,
    currency_rate: Option<Rate>,
    recover_cost: Option<Amount>,
    recover_amount_of_cny: Option<Amount>,
    recover_cost_of_cny: Option<Amount>,
    claim_id: Option<String>,
    insure_id: Option<String>,
    payment_channel_voucher: Option<String>,
    company: Option<RecoveryCompany>,
    person: Option<RecoveryPerson>,
    extensions: Option<BTreeMap<String, Value>>,
}

impl Form {
    fn read(fields: &Fields<'_>) -> Self {
        let amount = |name| fields.optional(name, AMOUNT, |text| text.parse().ok());
        Self {
            identifier: fields.required_key("identifier"),
            institution: fields.required_key("institution"),
            product_code: fields.required_key("productCode"),
            open_id: fields.text("openId"),
            recover_stream_id: fields.text("recoverStreamId"),
            policy_no: fields.text("policyNo"),
            insure_user_id: fields.text("insureUserId"),
            subject_matter_id: fields.text("subjectMatterId"),
            case_no: fields.text("caseNo"),
            recover_time: fields.optional("recoverTime", TIME, parse_gmt8),
            recover_amount: amount("recoverAmount"),
            currency: fields.optional("currency", CURRENCY, Currency::from_code),
            currency_rate: fields
                .optional("currencyRate", RATE, |text| text.parse().ok().filter(|rate: &Rate| !rate.is_zero())),
            recover_cost: amount("recoverCost"),
            recover_amount_of_cny: amount("recoverAmountOfCny"),
            recover_cost_of_cny: amount("recoverCostOfCny"),
            claim_id: fields.text("claimId"),
            insure_id: fields.text("insureId"),
            payment_channel_voucher: fields.text("paymentChannelVoucher"),
            company: fields.object("recoveryCompanyInfo", company),
            person: fields.object("recoveryPersonalInfo", person),
            extensions: fields.object("attrs", |attrs| attrs.others(&[])),
        }
    }

    fn figures(&self) -> RecoveryFigures<'_> {
        RecoveryFigures {
            product_code: self.product_code.as_deref(),
            currency_rate: self.currency_rate,
            recover_amount: self.recover_amount,
            recover_amount_of_cny: self.recover_amount_of_cny,
            recover_cost: self.recover_cost,
            recover_cost_of_cny: self.recover_cost_of_cny,
        }
    }

    /// The recovery, where every required field was read.
    fn into_recovery(self, partner: &str) -> Option<recovery::Recovery> {
        Some(recovery::Recovery {
            partner: partner.to_owned(),
            identifier: self.identifier?,
            institution: self.institution?,
            product_code: self.product_code?,
            open_id: self.open_id,
            recover_stream_id: self.recover_stream_id,
            policy_no: self.policy_no,
            insure_user_id: self.insure_user_id,
            subject_matter_id: self.subject_matter_id,
            case_no: self.case_no,
            recover_time: self.recover_time,
            recover_amount: self.recover_amount,
            currency: self.currency,
            currency_rate: self.currency_rate,
            recover_cost: self.recover_cost,
            recover_amount_of_cny: self.recover_amount_of_cny,
            recover_cost_of_cny: self.recover_cost_of_cny,
            claim_id: self.claim_id,
            insure_id: self.insure_id,
            payment_channel_voucher: self.payment_channel_voucher,
            company: self.company,
            person: self.person,
            extensions: self.extensions.unwrap_or_default(),
        })
    }
}

fn person(fields: &Fields<'_>) -> RecoveryPerson {
    RecoveryPerson {
        person_name: fields.text("personName"),
        person_license_type: fields.text("personLicenseType"),
        person_license_no: fields.text("personLicenseNo"),
        other: fields.others(&["personName", "personLicenseType", "personLicenseNo"]),
    }
}

fn company(fields: &Fields<'_>) -> RecoveryCompany {
    RecoveryCompany {
        company_name: fields.text("companyName"),
        company_license_type: fields.text("companyLicenseType"),
        company_license_no: fields.text("companyLicenseNo"),
        other: fields.others(&["companyName", "companyLicenseType", "companyLicenseNo"]),
    }
}
