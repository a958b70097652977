//! `[[product]]`: what may be sold, by whom and within which limits.

use baoqiao_domain::currency::Currency;
use baoqiao_domain::money::Amount;
use baoqiao_domain::product::{AmountRange, DiscrepancyPolicy, Product};

use super::defaults;
use super::partner::once;
use super::reader::{Item, Section, name, plain_text};
use super::suggest::nearest;

const EXPECTED_CODE: &str = "a product code of at most 64 letters, digits, hyphens, underscores and dots";
const EXPECTED_PREFIX: &str = "one to eight letters A to Z, such as \"PBDI\"";
const EXPECTED_CURRENCIES: &str = "a list of ISO 4217 codes, such as [\"CNY\", \"USD\"]";
const EXPECTED_AMOUNT: &str =
    "an amount in yuan as text, such as \"0.01\", of at most 14 digits, 8 of them after the point";
const EXPECTED_DISCREPANCY: &str = "\"record\" or \"refuse\"";
const EXPECTED_RANGE: &str = "a range, such as { min = \"0.01\", max = \"1000000\" }";

/// The products of the file.
pub(super) struct Products {
    /// Those in which nothing is missing.
    pub(super) valid: Vec<Product>,
    /// Every code, so that who names a product with other problems is not told to be wrong too.
    pub(super) codes: Vec<String>,
}

pub(super) fn read_all(root: &Section<'_>, partner_ids: &[String]) -> Products {
    let mut codes = Vec::new();
    let products = root.sections("product", |section| {
        let code = section.text("code", EXPECTED_CODE, name);
        once(&mut codes, code, section.item("code"), "a product code of its own");
        read(section, code, partner_ids)
    });
    Products { valid: products.into_iter().flatten().collect(), codes }
}

fn read(section: &Section<'_>, code: Option<&str>, partner_ids: &[String]) -> Option<Product> {
    let name = section.text("name", "the product's name, as on its policies", plain_text);
    let prefix = section.text("policy_prefix", EXPECTED_PREFIX, |text| text.parse().ok());
    let partners = section
        .required_item("partners", EXPECTED_PARTNERS)
        .and_then(|item| item.texts(EXPECTED_PARTNERS, |item| partner_id(item, partner_ids)));
    let sum_insured_cny = range(section, "sum_insured_cny");
    let premium_cny = range(section, "premium_cny");
    let currencies = section.item("currencies").map_or_else(
        || Some(defaults::CURRENCIES.into_iter().filter_map(Currency::from_code).collect()),
        |item| item.texts(EXPECTED_CURRENCIES, |item| item.text(EXPECTED_CURRENCIES, Currency::from_code)),
    );
    let tolerance = |key| match section.item(key) {
        Some(item) => item.text(EXPECTED_AMOUNT, amount),
        None => amount(defaults::TOLERANCE),
    };
    let (premium_tolerance, cny_tolerance) = (tolerance("premium_tolerance"), tolerance("cny_tolerance"));
    let recovery_discrepancy = section.text_or(
        "recovery_discrepancy",
        DiscrepancyPolicy::default(),
        EXPECTED_DISCREPANCY,
        |text| match text {
            "record" => Some(DiscrepancyPolicy::Record),
            "refuse" => Some(DiscrepancyPolicy::Refuse),
            _ => None,
        },
    );
    let on_sale = section.flag_or("on_sale", true);
    Some(Product {
        code: code?.to_owned(),
        name: name?.to_owned(),
        prefix: prefix?,
        sum_insured_cny: sum_insured_cny?,
        premium_cny: premium_cny?,
        premium_tolerance: premium_tolerance?,
        cny_tolerance: cny_tolerance?,
        currencies: currencies?,
        partners: partners?,
        on_sale,
        recovery_discrepancy,
    })
}

pub(super) const EXPECTED_PARTNERS: &str = "a list of the ids of [[partner]]";

/// The id of a partner of the file; noted where there is none.
pub(super) fn partner_id(item: &Item<'_>, ids: &[String]) -> Option<String> {
    let id = item.text(EXPECTED_PARTNERS, Some)?;
    if !ids.iter().any(|known| known == id) {
        match nearest(id, ids.iter().map(String::as_str)) {
            Some(meant) => item.refuse(format_args!("the id of a [[partner]], perhaps {meant:?}")),
            None => item.refuse(format_args!("the id of a [[partner]]")),
        }
    }
    Some(id.to_owned())
}

fn amount(text: &str) -> Option<Amount> {
    text.parse().ok()
}

fn range(section: &Section<'_>, key: &'static str) -> Option<AmountRange> {
    let item = section.required_item(key, EXPECTED_RANGE)?;
    let range = item.table(|table| {
        let [min, max] = ["min", "max"].map(|key| table.text(key, EXPECTED_AMOUNT, amount));
        let (range, top) = (AmountRange { min: min?, max: max? }, table.item("max")?);
        if range.max < range.min {
            top.refuse(format_args!("no less than min, {:?}", range.min.to_string()));
        } else if range.max.value().is_zero() {
            top.refuse("an amount above zero");
        }
        Some(range)
    });
    if range.is_none() {
        item.refuse(EXPECTED_RANGE);
    }
    range.flatten()
}
