//! The catalogue: what may be sold, by whom and within which limits; who may end a policy, and who hears of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::currency::Currency;
use crate::money::Amount;
use crate::policy::Policy;
use crate::policy_number::PolicyPrefix;
use crate::source::PolicySource;

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

/// What is done with a recovery whose amounts disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DiscrepancyPolicy {
    /// It is recorded, and the discrepancy with it.
    #[default]
    Record,
    /// It is refused.
    Refuse,
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
    /// Whether it is still sold. What was sold is kept, recovered and rescinded as before.
    pub on_sale: bool,
    /// What is done with a recovery whose amounts disagree by more than `cny_tolerance`.
    pub recovery_discrepancy: DiscrepancyPolicy,
}

/// Every product by its code, every policy source by its own, the partners that want surrender information, and those
/// whose platforms can be told anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalogue {
    products: BTreeMap<String, Product>,
    sources: BTreeMap<String, PolicySource>,
    surrender_sync: BTreeSet<String>,
    platforms: BTreeSet<String>,
}

impl Catalogue {
    /// The catalogue of these products; of two with one code the last counts, so callers check first.
    pub fn new(products: impl IntoIterator<Item = Product>) -> Self {
        let products = products.into_iter().map(|product| (product.code.clone(), product)).collect();
        Self { products, ..Self::default() }
    }

    /// The catalogue with these policy sources.
    #[must_use]
    pub fn with_sources(mut self, sources: impl IntoIterator<Item = PolicySource>) -> Self {
        self.sources = sources.into_iter().map(|source| (source.code.clone(), source)).collect();
        self
    }

    /// The catalogue where these partners, by their ids, want to hear of rescinded and surrendered policies.
    #[must_use]
    pub fn with_surrender_sync(mut self, partners: impl IntoIterator<Item = String>) -> Self {
        self.surrender_sync = partners.into_iter().collect();
        self
    }

    /// The catalogue where the platforms of these partners, by their ids, can be told something.
    #[must_use]
    pub fn with_platforms(mut self, partners: impl IntoIterator<Item = String>) -> Self {
        self.platforms = partners.into_iter().collect();
        self
    }

    /// Whether that source may rescind that policy.
    pub fn may_rescind(&self, source: &str, policy: &Policy) -> bool {
        self.sources.get(source).is_some_and(|source| source.may_rescind(policy))
    }

    /// Whether that partner wants to hear of rescinded and surrendered policies.
    pub fn wants_surrender_sync(&self, partner: &str) -> bool {
        self.surrender_sync.contains(partner)
    }

    /// Whether that partner's platform can be told something.
    pub fn has_platform(&self, partner: &str) -> bool {
        self.platforms.contains(partner)
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
