//! What a policy's document says: the policy's fields in the words of the template's schema
//! (`baoqiao_documents::policy_schema`).

use std::collections::BTreeMap;

use baoqiao_documents::{Fields, Row};
use baoqiao_domain::capitals::renminbi_capitals;
use baoqiao_domain::currency::Currency;
use baoqiao_domain::issuing::{Extensions, PolicyApplication, SubjectMatter};
use baoqiao_domain::money::{Amount, Rate};
use baoqiao_domain::party::{Company, CompanyLicense, Person, PersonLicense, masked};
use baoqiao_domain::policy::Policy;
use baoqiao_domain::time::format_gmt8;

use super::Insurer;

/// Everything that one page is made of.
pub(super) struct Page<'a> {
    pub(super) policy: &'a Policy,
    pub(super) application: &'a PolicyApplication,
    pub(super) product_name: &'a str,
    pub(super) insurer: &'a Insurer,
    pub(super) verify_url: &'a str,
}

impl Page<'_> {
    /// The page's fields. ID and phone numbers are masked: the document travels.
    pub(super) fn fields(&self) -> Fields {
        let Page { policy, application, insurer, .. } = self;
        let none = SubjectMatter::default();
        let subject = application.subject_matter.as_ref().unwrap_or(&none);
        let values = [
            ("insurer_name", insurer.name.clone()),
            ("title", self.product_name.to_owned()),
            ("policy_no", policy.number.to_string()),
            ("subject_name", text(subject.subject_matter_name.as_ref())),
            ("subject_category", text(subject.subject_matter_category.as_ref())),
            ("subject_id", text(subject.subject_matter_id.as_ref())),
            ("order_amount", text(subject.order_amount.as_ref())),
            ("seller", text(subject.seller_name.as_ref().or(subject.seller_id.as_ref()))),
            ("buyer", text(subject.buyer_name.as_ref().or(subject.buyer_id.as_ref()))),
            ("sum_insured", figures(policy.amount, policy.currency)),
            ("sum_insured_capitals", capitals(policy.amount, policy.currency)),
            ("premium", figures(policy.premium, policy.currency)),
            ("premium_capitals", capitals(policy.premium, policy.currency)),
            ("premium_rate", application.premium_rate.map(Rate::percent).unwrap_or_default()),
            ("currency", currency_name(policy.currency)),
            ("currency_rate", application.currency_rate.to_string()),
            ("period_from", format_gmt8(policy.effect_time)),
            ("period_to", format_gmt8(policy.expire_time)),
            ("period_length", application.insure_period.map(|days| format!("{days} 天")).unwrap_or_default()),
            ("insure_time", format_gmt8(application.insure_time)),
            ("issue_time", format_gmt8(policy.issued_at)),
            ("insurance_types", application.extensions.as_ref().map(insurance_types).unwrap_or_default()),
            ("identifier", policy.identifier.clone()),
            ("insure_id", policy.insure_id.clone()),
            ("verify_url", self.verify_url.to_owned()),
            ("footer", footer(insurer)),
        ];
        Fields {
            values: values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            groups: BTreeMap::from([
                ("parties".to_owned(), self.parties()),
                ("amounts".to_owned(), self.amounts_in_renminbi()),
            ]),
            qr: BTreeMap::from([("verify".to_owned(), self.verify_url.to_owned())]),
        }
    }

    fn parties(&self) -> Vec<Row> {
        let application = self.application;
        [
            application.applicant_person.as_ref().map(|person| person_row("投保人", person)),
            application.applicant_company.as_ref().map(|company| company_row("投保人", company)),
            application.insured_person.as_ref().map(|person| person_row("被保险人", person)),
            application.insured_company.as_ref().map(|company| company_row("被保险人", company)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// What a policy in another currency comes to; one in renminbi has nothing to add.
    fn amounts_in_renminbi(&self) -> Vec<Row> {
        if self.policy.currency == Currency::CNY {
            return Vec::new();
        }
        let sum_insured = self.application.amount_of_cny.map(|amount| ("保险金额（折合人民币）", amount));
        let premium = ("保险费（折合人民币）", self.policy.premium_of_cny);
        let rows = sum_insured.into_iter().chain([premium]);
        rows.map(|(label, amount)| {
            row([
                ("label", label.to_owned()),
                ("figures", figures(amount, Currency::CNY)),
                ("capitals", capitals(amount, Currency::CNY)),
            ])
        })
        .collect()
    }
}

fn row<const N: usize>(fields: [(&str, String); N]) -> Row {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn person_row(role: &str, person: &Person) -> Row {
    row([
        ("role", role.to_owned()),
        ("name", text(person.person_name.as_ref())),
        ("licence", person.person_license_type.map(PersonLicense::label).unwrap_or_default().to_owned()),
        ("licence_no", hidden(person.person_license_no.as_ref())),
        ("phone", hidden(person.person_phone.as_ref())),
        ("address", text(person.person_address.as_ref())),
    ])
}

fn company_row(role: &str, company: &Company) -> Row {
    row([
        ("role", role.to_owned()),
        ("name", text(company.company_name.as_ref())),
        ("licence", company.company_license_type.map(CompanyLicense::label).unwrap_or_default().to_owned()),
        ("licence_no", hidden(company.company_license_no.as_ref())),
        ("phone", hidden(company.company_phone.as_ref())),
        ("address", text(company.company_address.as_ref())),
    ])
}

fn text(value: Option<&String>) -> String {
    value.cloned().unwrap_or_default()
}

fn hidden(value: Option<&String>) -> String {
    value.map(|number| masked(number)).unwrap_or_default()
}

fn figures(amount: Amount, currency: Currency) -> String {
    if currency == Currency::CNY {
        format!("¥{}", amount.grouped())
    } else {
        format!("{currency} {}", amount.grouped())
    }
}

/// Capitals are for renminbi alone; an amount with parts of a fen has none either.
fn capitals(amount: Amount, currency: Currency) -> String {
    let words = (currency == Currency::CNY).then(|| renminbi_capitals(amount)).flatten();
    words.map(|words| format!("人民币{words}")).unwrap_or_default()
}

fn currency_name(currency: Currency) -> String {
    if currency == Currency::CNY { "人民币 CNY".to_owned() } else { currency.to_string() }
}

/// The kinds of insurance that the issuing document names; others as they came.
fn insurance_types(extensions: &Extensions) -> String {
    let kinds = extensions.insurance_types.as_deref().unwrap_or_default().split(',').map(str::trim);
    let names = kinds.filter(|kind| !kind.is_empty()).map(|kind| match kind {
        "QUALITY" => "质量",
        "DELIVERY" => "交期",
        "APPEARANCE" => "外观",
        other => other,
    });
    names.collect::<Vec<_>>().join("、")
}

fn footer(insurer: &Insurer) -> String {
    let address = (!insurer.address.is_empty()).then(|| format!("地址：{}", insurer.address));
    let hotline = (!insurer.hotline.is_empty()).then(|| format!("客服电话：{}", insurer.hotline));
    address.into_iter().chain(hotline).collect::<Vec<_>>().join("　")
}
