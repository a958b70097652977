//! The product catalogue: what may be sold, by whom, and within which limits.

use std::collections::BTreeMap;

use crate::currency::Currency;
use crate::money::Amount;
use crate::policy_number::PolicyPrefix;

/// An inclusive range of amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmountRange {
    /// The least amount allowed.
    pub min: Amount,
    /// The greatest amount allowed.
    pub max: Amount,
}

impl AmountRange {
    /// Whether `amount` lies in the range.
    pub fn contains(self, amount: Amount) -> bool {
        self.min <= amount && amount <= self.max
    }
}

/// One product of the insurer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// `productCode` of the documents.
    pub code: String,
    /// The name on the policy document.
    pub name: String,
    /// What its policy numbers begin with.
    pub prefix: PolicyPrefix,
    /// Limits of the sum insured, in renminbi (converted by the message's own rate).
    pub sum_insured_cny: AmountRange,
    /// Limits of the premium, in renminbi.
    pub premium_cny: AmountRange,
    /// How far the premium may lie from amount × premiumRate, in the message's currency.
    pub premium_tolerance: Amount,
    /// How far a renminbi amount may lie from amount × currencyRate, in yuan.
    pub cny_tolerance: Amount,
    /// The currencies it is sold in.
    pub currencies: Vec<Currency>,
    /// The partners that may sell it, by their id in the configuration.
    pub partners: Vec<String>,
}

/// Every product by its code.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalogue {
    products: BTreeMap<String, Product>,
}

impl Catalogue {
    /// The catalogue of these products; of two with one code the last counts, so callers check first.
    pub fn new(products: impl IntoIterator<Item = Product>) -> Self {
        Self { products: products.into_iter().map(|product| (product.code.clone(), product)).collect() }
    }

    /// The product of that code.
    pub fn product(&self, code: &str) -> Option<&Product> {
        self.products.get(code)
    }

    /// The product of that code, where that partner may sell it.
    pub fn sold_by(&self, partner: &str, code: &str) -> Option<&Product> {
        self.product(code).filter(|product| product.partners.iter().any(|id| id == partner))
    }

    /// All products in the order of their codes.
    pub fn products(&self) -> impl Iterator<Item = &Product> {
        self.products.values()
    }
}
