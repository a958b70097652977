//! Issuing: what a platform applies for, and the rules by which it becomes a policy.
//!
//! Source: 场景金融保险出单交互接口 (`qimen.alibaba.finance.insurance.policy.issuing`). The application serialises
//! under that document's field names; this form is what the ledger seals and what fingerprints are taken of,
//! so a field may be added (absent ones are left out) but none may be renamed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::currency::Currency;
use crate::money::{Amount, Rate};
use crate::party::{Company, Person, PersonKey};
use crate::product::{AmountRange, Catalogue, Product};
use crate::refusal::FieldProblem;
use crate::time::format_gmt8;

/// What is insured: `orderSubjectMatterInfo`. The document gives no unit for `orderAmount`, so it stays text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubjectMatter {
    /// 标的物 id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_matter_id: Option<String>,
    /// 标的物名称.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_matter_name: Option<String>,
    /// 订单类型.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_matter_category: Option<String>,
    /// 订单金额, as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_amount: Option<String>,
    /// 卖家 id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seller_id: Option<String>,
    /// 卖家登录 id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seller_name: Option<String>,
    /// 买家 id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buyer_id: Option<String>,
    /// 买家登录昵称.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buyer_name: Option<String>,
    /// 用户 openid; the document spells this one name with underscores.
    #[serde(rename = "buyer_open_uid", skip_serializing_if = "Option::is_none")]
    pub buyer_open_uid: Option<String>,
}

/// Extensions: `attrs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extensions {
    /// 支付流水 id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub premium_fund_stream_no: Option<String>,
    /// 约定发货时间, epoch milliseconds as text; delivery insurance needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agree_on_send_time: Option<String>,
    /// 险种, separated by commas: `QUALITY,DELIVERY,APPEARANCE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insurance_types: Option<String>,
    /// What the platform extends the document by: texts, and lists and objects of texts.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// An application for a policy, every field read and none yet judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyApplication {
    /// Who applies, by the partner's id in the configuration: part of the content, so that one partner never
    /// gets the answer that belongs to another.
    pub partner: String,
    /// 唯一识别 id, the idempotency key.
    pub identifier: String,
    /// 本地业务单据号: the platform's number of the policy.
    pub insure_id: String,
    /// 产品码.
    pub product_code: String,
    /// When the platform's customer applied.
    pub insure_time: Timestamp,
    /// 生效时间.
    pub effect_time: Timestamp,
    /// 保险结束日期, the last moment insured.
    pub expire_time: Timestamp,
    /// 保期, in days as the example counts them (40 from 4 August to 12 September).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insure_period: Option<u32>,
    /// 保额: the sum insured, in `currency`.
    pub amount: Amount,
    /// 人民币保额, in yuan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_of_cny: Option<Amount>,
    /// 保费, in `currency`.
    pub premium: Amount,
    /// 人民币保费, in yuan.
    pub premium_of_cny: Amount,
    /// 保费费率.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub premium_rate: Option<Rate>,
    /// 币种.
    pub currency: Currency,
    /// 汇率: yuan for one unit of `currency`.
    pub currency_rate: Rate,
    /// 投保人支付 ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applicant_pay_account: Option<String>,
    /// 标的物信息.
    #[serde(rename = "orderSubjectMatterInfo", skip_serializing_if = "Option::is_none")]
    pub subject_matter: Option<SubjectMatter>,
    /// 投保人（个人类型）: the holder, a person.
    #[serde(rename = "applicantPersonalInfo", skip_serializing_if = "Option::is_none")]
    pub applicant_person: Option<Person>,
    /// 投保人公司信息: the holder, a company.
    #[serde(rename = "applicantCompanyInfo", skip_serializing_if = "Option::is_none")]
    pub applicant_company: Option<Company>,
    /// 被保险人（个人类型）.
    #[serde(rename = "insuredPersonalInfo", skip_serializing_if = "Option::is_none")]
    pub insured_person: Option<Person>,
    /// 被保人（公司类型）.
    #[serde(rename = "insuredCompanyInfo", skip_serializing_if = "Option::is_none")]
    pub insured_company: Option<Company>,
    /// 扩展.
    #[serde(rename = "attrs", skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Extensions>,
}

impl PolicyApplication {
    /// The numbers by which its parties are found again, each once.
    pub fn person_keys(&self) -> Vec<PersonKey> {
        let persons = [&self.applicant_person, &self.insured_person];
        let companies = [&self.applicant_company, &self.insured_company];
        let mut keys: Vec<PersonKey> = persons.into_iter().flatten().flat_map(Person::keys).collect();
        keys.extend(companies.into_iter().flatten().flat_map(Company::keys));
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// The figures that the rules look at.
    pub fn figures(&self) -> Figures<'_> {
        Figures {
            product_code: Some(&self.product_code),
            amount: Some(self.amount),
            amount_of_cny: self.amount_of_cny,
            premium: Some(self.premium),
            premium_of_cny: Some(self.premium_of_cny),
            premium_rate: self.premium_rate,
            currency: Some(self.currency),
            currency_rate: Some(self.currency_rate),
            effect_time: Some(self.effect_time),
            expire_time: Some(self.expire_time),
        }
    }
}

/// The fields that the rules look at, as far as they could be read: a rule speaks only where all it needs is
/// there, so that unreadable fields and broken rules can be told in one answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures<'a> {
    /// `productCode`.
    pub product_code: Option<&'a str>,
    /// `amount`.
    pub amount: Option<Amount>,
    /// `amountOfCny`.
    pub amount_of_cny: Option<Amount>,
    /// `premium`.
    pub premium: Option<Amount>,
    /// `premiumOfCny`.
    pub premium_of_cny: Option<Amount>,
    /// `premiumRate`.
    pub premium_rate: Option<Rate>,
    /// `currency`.
    pub currency: Option<Currency>,
    /// `currencyRate`.
    pub currency_rate: Option<Rate>,
    /// `effectTime`.
    pub effect_time: Option<Timestamp>,
    /// `expireTime`.
    pub expire_time: Option<Timestamp>,
}

impl Figures<'_> {
    /// Every rule that these figures break, for a message of that partner.
    pub fn problems(&self, partner: &str, catalogue: &Catalogue) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        problems.extend(self.period_problem());
        let Some(code) = self.product_code else {
            return problems;
        };
        let Some(product) = catalogue.sold_by(partner, code) else {
            problems.push(FieldProblem::wrong("productCode", code, "本合作方可售的产品码"));
            return problems;
        };
        if !product.on_sale {
            problems.push(FieldProblem::wrong("productCode", code, "在售的产品码：该产品已停售"));
        }
        problems.extend(self.currency_problem(product));
        problems.extend(self.rate_problem());
        problems.extend(self.fen_problems());
        problems.extend(self.premium_problem(product));
        for (figure, of_cny, path, cny_path, range, what) in [
            (self.amount, self.amount_of_cny, "amount", "amountOfCny", product.sum_insured_cny, "保额"),
            (self.premium, self.premium_of_cny, "premium", "premiumOfCny", product.premium_cny, "保费"),
        ] {
            let Some((figure, rate)) = figure.zip(self.currency_rate) else {
                continue;
            };
            let in_cny = figure.times(rate);
            problems.extend(limit_problem(path, figure, in_cny, range, what));
            if let Some(stated) = of_cny.filter(|stated| !stated.agrees_with(in_cny, product.cny_tolerance)) {
                let expected = format!("{path} × currencyRate = {in_cny}（允差 {} 元）", product.cny_tolerance);
                problems.push(FieldProblem::wrong(cny_path, stated, expected));
            }
        }
        problems
    }

    /// A period already over is allowed: platforms report late. One that ends before it begins is not.
    fn period_problem(&self) -> Option<FieldProblem> {
        let (effect, expire) = self.effect_time.zip(self.expire_time)?;
        (expire <= effect).then(|| {
            let expected = format!("晚于 effectTime {} 的时间", format_gmt8(effect));
            FieldProblem::wrong("expireTime", format_gmt8(expire), expected)
        })
    }

    fn currency_problem(&self, product: &Product) -> Option<FieldProblem> {
        let currency = self.currency.filter(|currency| !product.currencies.contains(currency))?;
        let codes: Vec<&str> = product.currencies.iter().map(|currency| currency.code()).collect();
        Some(FieldProblem::wrong("currency", currency, format!("产品可用币种 {}", codes.join("、"))))
    }

    /// Renminbi is worth itself. With another rate, a caller could slip past every limit, which are in renminbi.
    fn rate_problem(&self) -> Option<FieldProblem> {
        let (_, rate) = self.currency.zip(self.currency_rate).filter(|(currency, _)| *currency == Currency::CNY)?;
        (!rate.is_one()).then(|| FieldProblem::wrong("currencyRate", rate, "1（币种为 CNY）"))
    }

    /// Renminbi is paid in fen: an amount with parts of one cannot be paid, nor written in capitals.
    fn fen_problems(&self) -> impl Iterator<Item = FieldProblem> {
        let in_cny = self.currency == Some(Currency::CNY);
        let amounts = [
            ("amount", self.amount.filter(|_| in_cny)),
            ("amountOfCny", self.amount_of_cny),
            ("premium", self.premium.filter(|_| in_cny)),
            ("premiumOfCny", self.premium_of_cny),
        ];
        let parted = amounts.into_iter().filter_map(|(path, amount)| Some((path, amount?)));
        parted
            .filter(|(_, amount)| amount.has_parts_of_a_hundredth())
            .map(|(path, amount)| FieldProblem::wrong(path, amount, "至多两位小数的人民币金额"))
    }

    fn premium_problem(&self, product: &Product) -> Option<FieldProblem> {
        let ((amount, rate), premium) = self.amount.zip(self.premium_rate).zip(self.premium)?;
        let exact = amount.times(rate);
        (!premium.agrees_with(exact, product.premium_tolerance)).then(|| {
            let expected = format!("amount × premiumRate = {exact}（允差 {}）", product.premium_tolerance);
            FieldProblem::wrong("premium", premium, expected)
        })
    }
}

fn limit_problem(path: &str, figure: Amount, in_cny: Amount, range: AmountRange, what: &str) -> Option<FieldProblem> {
    (!range.contains(in_cny)).then(|| {
        let expected = format!("产品{what}限额（人民币）{} 至 {} 元之间", range.min, range.max);
        FieldProblem::wrong(path, figure, expected)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::product::DiscrepancyPolicy;

    pub(crate) fn range(min: &str, max: &str) -> AmountRange {
        AmountRange { min: min.parse().unwrap(), max: max.parse().unwrap() }
    }

    pub(crate) fn catalogue() -> Catalogue {
        Catalogue::new([Product {
            code: "PERFORMANCE_SURETY_BONDS".to_owned(),
            name: "履约保证保险".to_owned(),
            prefix: "PBDI".parse().unwrap(),
            sum_insured_cny: range("1", "10000"),
            premium_cny: range("0.01", "100"),
            premium_tolerance: "0.01".parse().unwrap(),
            cny_tolerance: "0.01".parse().unwrap(),
            currencies: vec![Currency::CNY, Currency::from_code("USD").unwrap()],
            partners: vec!["alibaba".to_owned()],
            on_sale: true,
            recovery_discrepancy: DiscrepancyPolicy::Record,
        }])
    }

    /// The figures of the document's example.
    pub(crate) fn example() -> PolicyApplication {
        serde_json::from_value(serde_json::json!({
            "partner": "alibaba", "identifier": "010101004178221080402170019", "insureId": "010101001178221080402961044",
            "productCode": "PERFORMANCE_SURETY_BONDS", "insureTime": "2021-08-04T07:23:28Z",
            "effectTime": "2021-08-04T07:23:26Z", "expireTime": "2021-09-12T15:59:59Z", "amount": "1018.0",
            "amountOfCny": "1018.0", "premium": "6.36", "premiumOfCny": "6.36", "premiumRate": "0.00625",
            "currency": "CNY", "currencyRate": "1.0",
        }))
        .unwrap()
    }

    fn paths(change: impl FnOnce(&mut PolicyApplication)) -> Vec<String> {
        let mut application = example();
        change(&mut application);
        let problems = application.figures().problems(&application.partner, &catalogue());
        problems.into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn the_documents_example_breaks_no_rule() {
        assert_eq!(paths(|_| ()), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_longer_sold_is_issued_no_more() {
        let product = catalogue().product("PERFORMANCE_SURETY_BONDS").unwrap().clone();
        let ended = Catalogue::new([Product { on_sale: false, ..product }]);
        let problems = example().figures().problems("alibaba", &ended);
        assert_eq!(problems.len(), 1);
        assert_eq!((problems[0].path.as_str(), &*problems[0].expected), ("productCode", "在售的产品码：该产品已停售"));
    }

    #[test]
    fn each_rule_names_its_field() {
        assert_eq!(paths(|a| a.expire_time = a.effect_time), ["expireTime"]);
        assert_eq!(paths(|a| a.product_code = "CES".to_owned()), ["productCode"]);
        assert_eq!(paths(|a| a.partner = "somebody-else".to_owned()), ["productCode"]);
        assert_eq!(paths(|a| a.premium_rate = Some("0.007".parse().unwrap())), ["premium"]);
        assert_eq!(paths(|a| a.amount_of_cny = Some("1018.02".parse().unwrap())), ["amountOfCny"]);
        assert_eq!(paths(|a| a.premium_of_cny = "6.38".parse().unwrap()), ["premiumOfCny"]);
        assert_eq!(paths(|a| a.currency = Currency::from_code("EUR").unwrap()), ["currency"]);
        assert_eq!(paths(|a| a.amount_of_cny = Some("1018.005".parse().unwrap())), ["amountOfCny"]);
    }

    #[test]
    fn renminbi_is_worth_itself_so_that_no_rate_slips_past_the_limits() {
        let slipping = |a: &mut PolicyApplication| {
            a.amount = "9000000".parse().unwrap();
            a.amount_of_cny = Some("900".parse().unwrap());
            a.premium = "56250".parse().unwrap();
            a.premium_of_cny = "5.63".parse().unwrap();
            a.currency_rate = "0.0001".parse().unwrap();
        };
        assert_eq!(paths(slipping), ["currencyRate"]);
    }

    #[test]
    fn limits_are_in_renminbi_by_the_messages_rate() {
        let dollars = |a: &mut PolicyApplication| {
            a.currency = Currency::from_code("USD").unwrap();
            a.currency_rate = "7".parse().unwrap();
            a.amount_of_cny = Some("7126".parse().unwrap());
            a.premium_of_cny = "44.52".parse().unwrap();
        };
        assert_eq!(paths(dollars), Vec::<String>::new());
        let too_much = |a: &mut PolicyApplication| {
            dollars(a);
            a.amount = "2000".parse().unwrap();
            a.amount_of_cny = Some("14000".parse().unwrap());
            a.premium_rate = None;
        };
        assert_eq!(paths(too_much), ["amount"]);
        assert_eq!(
            paths(|a| {
                a.premium = "0".parse().unwrap();
                a.premium_of_cny = a.premium;
                a.premium_rate = None;
            }),
            ["premium"]
        );
    }

    #[test]
    fn all_broken_rules_are_told_at_once() {
        let several = paths(|a| {
            a.expire_time = a.effect_time;
            a.premium = "7".parse().unwrap();
            a.amount = "20000".parse().unwrap();
        });
        assert_eq!(several, ["expireTime", "premium", "amount", "amountOfCny", "premiumOfCny"]);
    }

    #[test]
    fn an_unreadable_field_silences_only_the_rules_that_need_it() {
        let application = example();
        let figures = Figures { amount: None, expire_time: Some(application.effect_time), ..application.figures() };
        let problems = figures.problems("alibaba", &catalogue());
        assert_eq!(problems.len(), 1, "{problems:?}");
    }
}
