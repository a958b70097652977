//! What a policy says: the contract in full, and its parties, masked unless somebody has given a reason.

use maud::{Markup, html};
use serde_json::Value;

use baoqiao_domain::issuing::{Extensions, PolicyApplication, SubjectMatter};
use baoqiao_domain::party::{Company, CompanyLicense, Person, PersonLicense, masked};
use baoqiao_domain::policy::Policy;
use baoqiao_domain::policy_number::PolicyNumber;

use crate::console::role::Role;
use crate::http::console::language::{Message, messages};
use crate::http::console::parts::{self, Question, code, question};
use crate::http::console::view::View;

messages! {
    CONTRACT: "保险合同", "Contract";
    AMOUNTS: "金额", "Amounts";
    PRODUCT: "产品码", "Product";
    PARTNER: "合作方", "Partner";
    IDENTIFIER: "幂等号", "Identifier";
    INSURE_ID: "平台业务单据号", "Platform's number";
    APPLIED: "投保时间", "Applied";
    ISSUED: "出单时间", "Issued";
    EFFECT: "生效时间", "In force from";
    EXPIRE: "终止时间", "In force to";
    PERIOD: "保期", "Period";
    DAYS: "{} 天", "{} days";
    SUM_INSURED: "保险金额", "Sum insured";
    SUM_INSURED_CNY: "保险金额（人民币）", "Sum insured (CNY)";
    PREMIUM: "保险费", "Premium";
    PREMIUM_CNY: "保险费（人民币）", "Premium (CNY)";
    RATE: "费率", "Premium rate";
    EXCHANGE: "汇率", "Exchange rate";
    PAY_ACCOUNT: "投保人支付 ID", "Holder's payment id";
    PARTIES: "当事人", "Parties";
    HOLDER: "投保人", "Holder";
    INSURED: "被保险人", "Insured";
    PERSON: "个人", "person";
    COMPANY: "公司", "company";
    NAME: "姓名", "Name";
    COMPANY_NAME: "公司名称", "Company";
    LICENSE_TYPE: "证件类型", "Document";
    ALI: "阿里ID", "Alibaba ID";
    IDENTITY_CARD: "居民身份证", "resident identity card";
    PASSPORT: "护照", "passport";
    UNITY: "统一社会信用代码", "unified social credit code";
    GENERAL: "工商注册号", "business registration number";
    LICENSE_NO: "证件号", "Number";
    PHONE: "电话", "Phone";
    EMAIL: "邮箱", "Email";
    ADDRESS: "地址", "Address";
    USER_ID: "平台用户 ID", "Platform's user id";
    LEGAL_PERSON: "法人", "Legal person";
    LEGAL_PERSON_NO: "法人证件号", "Legal person's number";
    SUBJECT: "标的", "Subject matter";
    SUBJECT_ID: "标的物 ID", "Id";
    SUBJECT_NAME: "标的物名称", "Name";
    CATEGORY: "订单类型", "Category";
    ORDER_AMOUNT: "订单金额", "Order amount";
    SELLER_ID: "卖家 ID", "Seller id";
    SELLER: "卖家", "Seller";
    BUYER_ID: "买家 ID", "Buyer id";
    BUYER: "买家", "Buyer";
    BUYER_OPEN_UID: "用户 openid", "Open id";
    EXTENSIONS: "扩展信息", "Extensions";
    FUND_STREAM: "支付流水 ID", "Payment stream";
    AGREED_SEND: "约定发货时间", "Agreed to send";
    TYPES: "险种", "Kinds of insurance";
    MASKED: "个人信息已脱敏", "Personal data is masked";
    SHOWN: "未脱敏，本次查看已写入审计日志", "Nothing is masked; this look is in the audit log";
    SHOW: "显示全部", "Show all of it";
    SHOW_ASK: "显示未脱敏的个人信息？", "Show personal data unmasked?";
    SHOW_HINT: "包括姓名、证件号、电话与地址。查看会写入审计日志。", "Names, numbers, phones and addresses. Looking at them goes into the audit log.";
}

/// The contract and its amounts.
pub(super) fn contract(view: &View, policy: &Policy, application: &PolicyApplication) -> Markup {
    let currency = policy.currency.code();
    let period = application.insure_period.map(|days| html! { (view.with(DAYS, &[&days])) });
    let contract = [
        (PRODUCT, code(&policy.product_code)),
        (PARTNER, html! { (policy.partner) }),
        (IDENTIFIER, code(&policy.identifier)),
        (INSURE_ID, code(&policy.insure_id)),
        (APPLIED, parts::time(application.insure_time)),
        (ISSUED, parts::time(policy.issued_at)),
        (EFFECT, parts::time(policy.effect_time)),
        (EXPIRE, parts::time(policy.expire_time)),
        (PERIOD, parts::or_none(view, period)),
    ];
    let yuan = |amount| parts::amount(amount, "CNY");
    let rate = application.premium_rate.map(|rate| html! { (rate.percent()) });
    let amounts = [
        (SUM_INSURED, parts::amount(policy.amount, currency)),
        (SUM_INSURED_CNY, parts::or_none(view, application.amount_of_cny.map(yuan))),
        (PREMIUM, parts::amount(policy.premium, currency)),
        (PREMIUM_CNY, yuan(policy.premium_of_cny)),
        (RATE, parts::or_none(view, rate)),
        (EXCHANGE, html! { (application.currency_rate) }),
    ];
    let told = |(name, value): (Message, Markup)| (view.t(name), value);
    html! {
        (parts::card(view.t(CONTRACT), &parts::fields(contract.map(told))))
        (parts::card(view.t(AMOUNTS), &parts::fields(amounts.map(told))))
    }
}

/// How much of a personal value is shown.
#[derive(Clone, Copy)]
struct Mask {
    shows_all: bool,
}

impl Mask {
    fn number(self, text: &str) -> String {
        if self.shows_all { text.to_owned() } else { masked(text) }
    }

    /// The first character.
    fn name(self, text: &str) -> String {
        if self.shows_all { text.to_owned() } else { hidden_after(text, 1) }
    }

    /// The first character and the domain.
    fn email(self, text: &str) -> String {
        match text.split_once('@') {
            _ if self.shows_all => text.to_owned(),
            Some((local, domain)) => format!("{}@{domain}", hidden_after(local, 1)),
            None => hidden_after(text, 1),
        }
    }

    /// The province or city.
    fn address(self, text: &str) -> String {
        if self.shows_all { text.to_owned() } else { hidden_after(text, 3) }
    }
}

fn hidden_after(text: &str, shown: usize) -> String {
    text.chars().take(shown).chain(text.chars().skip(shown).map(|_| '*')).collect()
}

type Fields = Vec<(Message, Markup)>;

fn text(value: Option<&String>, show: impl Fn(&str) -> String) -> Option<Markup> {
    value.map(|value| html! { (show(value)) })
}

fn present(pairs: impl IntoIterator<Item = (Message, Option<Markup>)>) -> Fields {
    pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn person_license(kind: PersonLicense) -> Message {
    match kind {
        PersonLicense::Ali => ALI,
        PersonLicense::IdentityCard => IDENTITY_CARD,
        PersonLicense::Passport => PASSPORT,
    }
}

fn company_license(kind: CompanyLicense) -> Message {
    match kind {
        CompanyLicense::Unity => UNITY,
        CompanyLicense::General => GENERAL,
    }
}

fn person(view: &View, person: &Person, mask: Mask) -> Fields {
    let number = |text: &str| mask.number(text);
    present([
        (NAME, text(person.person_name.as_ref(), |text| mask.name(text))),
        (LICENSE_TYPE, person.person_license_type.map(|kind| html! { (view.t(person_license(kind))) })),
        (LICENSE_NO, text(person.person_license_no.as_ref(), number)),
        (PHONE, text(person.person_phone.as_ref(), number)),
        (EMAIL, text(person.person_email.as_ref(), |text| mask.email(text))),
        (ADDRESS, text(person.person_address.as_ref(), |text| mask.address(text))),
        (USER_ID, text(person.user_id.as_ref(), number)),
    ])
}

fn company(view: &View, company: &Company, mask: Mask) -> Fields {
    let number = |text: &str| mask.number(text);
    present([
        (COMPANY_NAME, text(company.company_name.as_ref(), |text| mask.name(text))),
        (LICENSE_TYPE, company.company_license_type.map(|kind| html! { (view.t(company_license(kind))) })),
        (LICENSE_NO, text(company.company_license_no.as_ref(), number)),
        (PHONE, text(company.company_phone.as_ref(), number)),
        (EMAIL, text(company.company_email.as_ref(), |text| mask.email(text))),
        (ADDRESS, text(company.company_address.as_ref(), |text| mask.address(text))),
        (LEGAL_PERSON, text(company.legal_person_name.as_ref(), |text| mask.name(text))),
        (LEGAL_PERSON_NO, text(company.legal_person_license_no.as_ref(), number)),
        (USER_ID, text(company.user_id.as_ref(), number)),
    ])
}

fn subject_matter(subject: &SubjectMatter, mask: Mask) -> Fields {
    let plain = |text: &str| text.to_owned();
    let number = |text: &str| mask.number(text);
    let name = |text: &str| mask.name(text);
    present([
        (SUBJECT_ID, text(subject.subject_matter_id.as_ref(), plain)),
        (SUBJECT_NAME, text(subject.subject_matter_name.as_ref(), plain)),
        (CATEGORY, text(subject.subject_matter_category.as_ref(), plain)),
        (ORDER_AMOUNT, text(subject.order_amount.as_ref(), plain)),
        (SELLER_ID, text(subject.seller_id.as_ref(), plain)),
        (SELLER, text(subject.seller_name.as_ref(), name)),
        (BUYER_ID, text(subject.buyer_id.as_ref(), number)),
        (BUYER, text(subject.buyer_name.as_ref(), name)),
        (BUYER_OPEN_UID, text(subject.buyer_open_uid.as_ref(), number)),
    ])
}

/// What a platform has extended the document by may be anything: it is shown whole only with a reason.
fn extensions(view: &View, extensions: &Extensions, mask: Mask) -> Markup {
    let plain = |text: &str| text.to_owned();
    let known = present([
        (FUND_STREAM, text(extensions.premium_fund_stream_no.as_ref(), |text| mask.number(text))),
        (AGREED_SEND, text(extensions.agree_on_send_time.as_ref(), plain)),
        (TYPES, text(extensions.insurance_types.as_ref(), plain)),
    ]);
    let other = extensions.other.iter().map(|(name, value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        (name.as_str(), html! { (mask.number(&value)) })
    });
    parts::fields(known.into_iter().map(|(name, value)| (view.t(name), value)).chain(other))
}

fn party(view: &View, role: Message, kind: Message, fields: Fields) -> Markup {
    html! {
        div.party {
            h3 { (view.t(role)) " " span.muted { (view.t(kind)) } }
            (parts::fields(fields.into_iter().map(|(name, value)| (view.t(name), value))))
        }
    }
}

/// The parties and what else is personal.
pub(super) fn people(view: &View, number: &PolicyNumber, application: &PolicyApplication, shows_all: bool) -> Markup {
    let mask = Mask { shows_all };
    let persons = [(HOLDER, &application.applicant_person), (INSURED, &application.insured_person)];
    let companies = [(HOLDER, &application.applicant_company), (INSURED, &application.insured_company)];
    let account = application.applicant_pay_account.as_deref();
    html! {
        section.card #people {
            div.card-head {
                div { h2 { (view.t(PARTIES)) } p.muted { (view.t(if shows_all { SHOWN } else { MASKED })) } }
                @if !shows_all && view.may(Role::Operator) { div.card-actions { (show_question(view, number)) } }
            }
            @for (role, found) in persons {
                @if let Some(found) = found { (party(view, role, PERSON, person(view, found, mask))) }
            }
            @for (role, found) in companies {
                @if let Some(found) = found { (party(view, role, COMPANY, company(view, found, mask))) }
            }
            @if let Some(account) = account { (parts::fields([(view.t(PAY_ACCOUNT), html! { (mask.number(account)) })])) }
            @if let Some(subject) = &application.subject_matter {
                div.party {
                    h3 { (view.t(SUBJECT)) }
                    (parts::fields(subject_matter(subject, mask).into_iter().map(|(name, value)| (view.t(name), value))))
                }
            }
            @if let Some(found) = &application.extensions {
                div.party { h3 { (view.t(EXTENSIONS)) } (extensions(view, found, mask)) }
            }
        }
    }
}

fn show_question(view: &View, number: &PolicyNumber) -> Markup {
    question(
        view,
        &Question {
            id: "show-people",
            button: view.t(SHOW),
            is_grave: false,
            title: view.t(SHOW_ASK),
            hint: view.t(SHOW_HINT),
            action: &format!("{}/people", super::address(number)),
            fields: html! {},
            target: Some("#people"),
            again: None,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_hides_what_names_somebody() {
        let mask = Mask { shows_all: false };
        assert_eq!(mask.name("𠮷㐱䶮"), "𠮷**");
        assert_eq!(mask.number("11010119900307123X"), "110*************3X");
        assert_eq!(mask.email("zhang@example.com"), "z****@example.com");
        assert_eq!(mask.email("no mail"), "n******");
        assert_eq!(mask.address("北京市海淀区"), "北京市***");
        let all = Mask { shows_all: true };
        assert_eq!((all.name("张三"), all.number("1"), all.email("a@b")), ("张三".into(), "1".into(), "a@b".into()));
    }
}
