//! The policy document that Baoqiao comes with, and the names that the gateway fills in it.

use crate::schema::{Field, Group, Schema};

/// The default template, `assets/templates/policy.svg`: one A4 page. It has room for 4 parties, 4 lines of the subject
/// matter's name, 3 rows of amounts and 3 lines of special terms, all at once; what goes beyond ends in an ellipsis or
/// is left out, and [`crate::Rendered::shortened`] names it.
pub const POLICY_TEMPLATE: &str = include_str!("../../../assets/templates/policy.svg");

/// The names that the gateway fills for every policy document, whichever template an insurer draws.
///
/// All are texts as they are to be shown; the caller formats amounts and times, and masks ID and phone numbers.
pub fn policy_schema() -> &'static Schema {
    &POLICY
}

static POLICY: Schema = Schema {
    fields: POLICY_FIELDS,
    groups: &[
        Group {
            name: "parties",
            meaning: "投保人和被保险人, holders and insured: one row a person or company",
            fields: PARTY_FIELDS,
        },
        Group {
            name: "amounts",
            meaning: "金额明细, amounts beside sum insured and premium, such as those in CNY of a policy in USD; may be empty",
            fields: AMOUNT_FIELDS,
        },
    ],
    qr: &[Field {
        name: "verify",
        meaning: "扫码验真, what the QR code says: the verification address, at most 2,331 bytes",
    }],
};

const fn field(name: &'static str, meaning: &'static str) -> Field {
    Field { name, meaning }
}

const POLICY_FIELDS: &[Field] = &[
    field("insurer_name", "保险人, the insurer's full name"),
    field("title", "the product's name as the document's title, such as 网络交易履约保证保险"),
    field("policy_no", "保险单号"),
    field("subject_name", "标的名称, what is insured; may be long"),
    field("subject_category", "标的类别"),
    field("subject_id", "标的编号"),
    field("order_amount", "订单金额, as the platform sent it: its document names no unit"),
    field("seller", "卖家, name or id of the seller"),
    field("buyer", "买家, name or id of the buyer"),
    field("sum_insured", "保险金额 in figures, with currency sign, such as ¥1,018.00"),
    field("sum_insured_capitals", "保险金额大写, such as 人民币壹仟零壹拾捌元整"),
    field("premium", "保险费 in figures, with currency sign"),
    field("premium_capitals", "保险费大写"),
    field("premium_rate", "保险费率, such as 0.625%"),
    field("currency", "币种, such as 人民币 CNY"),
    field("currency_rate", "汇率, to CNY, such as 1.0"),
    field("period_from", "保险期间 from, GMT+8, such as 2021-08-04 15:23:26"),
    field("period_to", "保险期间 to, GMT+8"),
    field("period_length", "保期, such as 40 天"),
    field("insure_time", "投保时间, GMT+8"),
    field("issue_time", "签发时间, GMT+8"),
    field("insurance_types", "险种, all of them in one text, such as 质量保证、交期保证"),
    field("identifier", "投保流水号, the request's `identifier`"),
    field("insure_id", "业务单据号, the request's `insureId`"),
    field("special_terms", "特别约定; its section is gone when empty, as it always is so far: no setting fills it yet"),
    field("verify_url", "验真地址, where the policy can be verified, to read and type"),
    field("footer", "the insurer's address, hotline and whatever the law wants at the foot"),
];

const PARTY_FIELDS: &[Field] = &[
    field("role", "投保人 or 被保险人"),
    field("name", "姓名 or 公司名称"),
    field("licence", "证件类型, such as 居民身份证 or 统一社会信用代码"),
    field("licence_no", "证件号码, masked by the caller"),
    field("phone", "电话, masked by the caller"),
    field("address", "地址"),
];

const AMOUNT_FIELDS: &[Field] = &[
    field("label", "what the amount is, such as 保险金额（折合人民币）"),
    field("figures", "in figures, with currency sign"),
    field("capitals", "大写"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Template;

    #[test]
    fn the_default_template_shows_every_name() {
        let template = Template::parse(POLICY_TEMPLATE, policy_schema()).unwrap();
        let schema = policy_schema();
        let single = schema.fields.iter().chain(schema.qr).map(|field| field.name.to_owned());
        let rows = schema.groups.iter().flat_map(|group| {
            let fields = group.fields.iter();
            fields.map(|field| format!("{}.{}", group.name, field.name))
        });
        let groups = schema.groups.iter().map(|group| group.name.to_owned());
        for name in single.chain(rows).chain(groups) {
            assert!(template.names().contains(&name), "{name} is not in the template");
        }
    }
}
