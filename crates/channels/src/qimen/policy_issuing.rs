//! 场景金融保险出单交互接口, `qimen.alibaba.finance.insurance.policy.issuing`: the platform applies for a policy and
//! gets its number and the address of its document.

use serde_json::Value;

use baoqiao_domain::currency::Currency;
use baoqiao_domain::issuing::{Extensions, Figures, PolicyApplication, SubjectMatter};
use baoqiao_domain::ledger::{Command, Outcome};
use baoqiao_domain::money::{Amount, Rate};
use baoqiao_domain::party::{Company, CompanyLicense, Person, PersonLicense};
use baoqiao_domain::product::Catalogue;
use baoqiao_domain::refusal::{FieldProblem, Refusal};
use baoqiao_domain::time::parse_gmt8;
use jiff::Timestamp;

use super::{body, envelope};
use crate::channel::{CallResult, Decoded, Examples, Interface, Label, RawRequest, Reply, Verified};
use crate::fields::{Fields, Problems};

/// The interface.
#[derive(Debug, Clone, Copy)]
pub struct PolicyIssuing;

impl Interface for PolicyIssuing {
    fn scope(&self) -> &'static str {
        "qimen/policy-issuing"
    }

    fn label(&self) -> Label {
        Label { zh: "出单", en: "Policy issuing" }
    }

    fn default_method(&self) -> Option<&'static str> {
        Some("qimen.alibaba.finance.insurance.policy.issuing")
    }

    fn examples(&self) -> Examples {
        Examples {
            request: include_str!("golden/policy_issuing/example.json"),
            answer: include_str!("golden/policy_issuing/issued.json"),
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
            && let Some(application) = form.into_application(call.caller())
        {
            // Broken rules are for the ledger to refuse: a retry of what was once issued is answered all the same.
            let key = application.identifier.clone();
            return Ok(Decoded { key, uuid: None, command: Command::IssuePolicy(Box::new(application)) });
        }
        Err(Refusal::InvalidFields(unreadable.into_iter().chain(rules).collect::<Vec<FieldProblem>>()))
    }

    fn reply(&self, raw: &RawRequest, result: &CallResult, _now: Timestamp) -> Reply {
        match result {
            Ok(Outcome::PolicyIssued { policy_no, policy_file_url }) => {
                let context =
                    envelope::object([("policyFileUrl", policy_file_url.as_str()), ("policyNo", policy_no.as_str())]);
                let fields = [
                    ("errorCode", Value::from("SUCCESS")),
                    ("context", context),
                    ("errorMessage", "OK".into()),
                    ("success", "true".into()),
                ];
                envelope::write(raw, &fields, None)
            }
            Ok(_) => refused(raw, &envelope::foreign_outcome()),
            Err(refusal) => refused(raw, refusal),
        }
    }
}

fn refused(raw: &RawRequest, refusal: &Refusal) -> Reply {
    let fields = [
        ("errorCode", Value::from(refusal.code().as_str())),
        ("errorMessage", refusal.public_message().into()),
        ("success", "false".into()),
    ];
    envelope::write(raw, &fields, Some(refusal))
}

pub(super) const AMOUNT: &str = "不含正负号的十进制金额，如 1018.0";
const RATE: &str = "不含正负号的十进制比率，如 0.00625";
pub(super) const TIME: &str = "yyyy-MM-dd HH:mm:ss 格式的北京时间";

/// The message's fields as far as they could be read.
struct Form {
    identifier: Option<String>,
    insure_id: Option<String>,
    product_code: Option<String>,
    insure_time: Option<Timestamp>,
    effect_time: Option<Timestamp>,
    expire_time: Option<Timestamp>,
    insure_period: Option<u32>,
    amount: Option<Amount>,
    amount_of_cny: Option<Amount>,
    premium: Option<Amount>,
    premium_of_cny: Option<Amount>,
    premium_rate: Option<Rate>,
    currency: Option<Currency>,
    currency_rate: Option<Rate>,
    applicant_pay_account: Option<String>,
    subject_matter: Option<SubjectMatter>,
    applicant_person: Option<Person>,
    applicant_company: Option<Company>,
    insured_person: Option<Person>,
    insured_company: Option<Company>,
    extensions: Option<Extensions>,
}

impl Form {
    fn read(fields: &Fields<'_>) -> Self {
        let time = |name| fields.required(name, TIME, parse_gmt8);
        let amount = |name| fields.required(name, AMOUNT, |text| text.parse().ok());
        Self {
            identifier: fields.required_key("identifier"),
            insure_id: fields.required_key("insureId"),
            product_code: fields.required_key("productCode"),
            insure_time: time("insureTime"),
            effect_time: time("effectTime"),
            expire_time: time("expireTime"),
            insure_period: fields.optional("insurePeriod", "不为负的整数", whole_number),
            amount: amount("amount"),
            amount_of_cny: fields.optional("amountOfCny", AMOUNT, |text| text.parse().ok()),
            premium: amount("premium"),
            premium_of_cny: amount("premiumOfCny"),
            premium_rate: fields.optional("premiumRate", RATE, |text| text.parse().ok()),
            currency: fields.required("currency", "ISO 4217 币种代码，如 CNY", Currency::from_code),
            currency_rate: fields.required("currencyRate", "大于 0 的十进制汇率，如 1.0", |text| {
                text.parse().ok().filter(|rate: &Rate| !rate.is_zero())
            }),
            applicant_pay_account: fields.text("applicantPayAccount"),
            subject_matter: fields.object("orderSubjectMatterInfo", subject_matter),
            applicant_person: fields.object("applicantPersonalInfo", person),
            applicant_company: fields.object("applicantCompanyInfo", company),
            insured_person: fields.object("insuredPersonalInfo", person),
            insured_company: fields.object("insuredCompanyInfo", company),
            extensions: fields.object("attrs", extensions),
        }
    }

    fn figures(&self) -> Figures<'_> {
        Figures {
            product_code: self.product_code.as_deref(),
            amount: self.amount,
            amount_of_cny: self.amount_of_cny,
            premium: self.premium,
            premium_of_cny: self.premium_of_cny,
            premium_rate: self.premium_rate,
            currency: self.currency,
            currency_rate: self.currency_rate,
            effect_time: self.effect_time,
            expire_time: self.expire_time,
        }
    }

    /// The application, where every required field was read.
    fn into_application(self, partner: &str) -> Option<PolicyApplication> {
        Some(PolicyApplication {
            partner: partner.to_owned(),
            identifier: self.identifier?,
            insure_id: self.insure_id?,
            product_code: self.product_code?,
            insure_time: self.insure_time?,
            effect_time: self.effect_time?,
            expire_time: self.expire_time?,
            insure_period: self.insure_period,
            amount: self.amount?,
            amount_of_cny: self.amount_of_cny,
            premium: self.premium?,
            premium_of_cny: self.premium_of_cny?,
            premium_rate: self.premium_rate,
            currency: self.currency?,
            currency_rate: self.currency_rate?,
            applicant_pay_account: self.applicant_pay_account,
            subject_matter: self.subject_matter,
            applicant_person: self.applicant_person,
            applicant_company: self.applicant_company,
            insured_person: self.insured_person,
            insured_company: self.insured_company,
            extensions: self.extensions,
        })
    }
}

/// `40`, and `40.0` where a platform's serialiser writes numbers so.
fn whole_number(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_whole = !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0');
    let digits = whole.bytes().all(|digit| digit.is_ascii_digit());
    (is_whole && digits).then(|| whole.parse().ok())?
}

fn subject_matter(fields: &Fields<'_>) -> SubjectMatter {
    SubjectMatter {
        subject_matter_id: fields.text("subjectMatterId"),
        subject_matter_name: fields.text("subjectMatterName"),
        subject_matter_category: fields.text("subjectMatterCategory"),
        order_amount: fields.text("orderAmount"),
        seller_id: fields.text("sellerId"),
        seller_name: fields.text("sellerName"),
        buyer_id: fields.text("buyerId"),
        buyer_name: fields.text("buyerName"),
        buyer_open_uid: fields.text("buyer_open_uid"),
    }
}

fn person(fields: &Fields<'_>) -> Person {
    Person {
        person_name: fields.text("personName"),
        person_license_type: fields.optional("personLicenseType", PersonLicense::EXPECTED, PersonLicense::from_code),
        person_license_no: fields.text("personLicenseNo"),
        person_phone: fields.text("personPhone"),
        person_email: fields.text("personEmail"),
        person_address: fields.text("personAddress"),
        user_id: fields.text("userId"),
    }
}

fn company(fields: &Fields<'_>) -> Company {
    Company {
        company_name: fields.text("companyName"),
        company_license_type: fields.optional(
            "companyLicenseType",
            CompanyLicense::EXPECTED,
            CompanyLicense::from_code,
        ),
        company_license_no: fields.text("companyLicenseNo"),
        company_phone: fields.text("companyPhone"),
        company_email: fields.text("companyEmail"),
        company_address: fields.text("companyAddress"),
        legal_person_name: fields.text("legalPersonName"),
        legal_person_license_no: fields.text("legalPersonLicenseNo"),
        user_id: fields.text("userId"),
    }
}

fn extensions(fields: &Fields<'_>) -> Extensions {
    Extensions {
        premium_fund_stream_no: fields.text("premiumFundStreamNo"),
        agree_on_send_time: fields.text("agreeOnSendTime"),
        insurance_types: fields.text("insuranceTypes"),
        other: fields.others(&["premiumFundStreamNo", "agreeOnSendTime", "insuranceTypes"]),
    }
}
